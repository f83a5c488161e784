//! Checkpoints of the authors' code: their tensors in, the same maps out, and back.
#![allow(
    clippy::unwrap_used,
    reason = "clippy sees tests in #[test] functions only, not in what they share"
)]

use std::collections::BTreeMap;
use std::path::Path;

use derefnet::backend::cpu::Cpu;
use derefnet::eval::network::Inference;
use derefnet::model::{DeRefNet, Frames, Provenance};
use derefnet_core::physics::{FRAME_LEN, MAP_LEN};
use derefnet_tests::tolerance::CHECKPOINT_MAP;
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;

const GOLDEN: &[u8] = include_bytes!("../golden/derefnet_seed1_small.safetensors");

fn values(file: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    let tensor = file.tensor(name).unwrap();
    let words = tensor.data().as_chunks::<4>().0.iter();
    words.map(|word| f32::from_le_bytes(*word)).collect()
}

/// The weights of the golden file as a checkpoint is after conversion.
fn checkpoint(golden: &SafeTensors<'_>) -> Vec<u8> {
    let named = golden.tensors().into_iter();
    let weights = named.filter_map(|(name, view)| {
        let name = if name == "qinit" {
            &name
        } else {
            name.strip_prefix("weight.")?
        };
        Some((name.to_owned(), view))
    });
    let weights: BTreeMap<String, TensorView<'_>> = weights.collect();
    assert_eq!(weights.len(), 95 + 1);
    safetensors::serialize(weights, None).unwrap()
}

fn maps(network: &DeRefNet, counts: &[f32]) -> Vec<f32> {
    let frames = Frames {
        counts: counts.to_vec(),
        length: counts.len() / FRAME_LEN,
    };
    Inference::new(network, &Cpu::new()).maps(&frames)
}

fn assert_near(got: &[f32], want: &[f32]) {
    assert_eq!(got.len(), want.len());
    let largest = want.iter().fold(0.0_f32, |most, v| most.max(v.abs()));
    let errors = got.iter().zip(want).map(|(g, w)| (g - w).abs());
    let worst = errors.fold(0.0, f32::max) / largest;
    assert!(f64::from(worst) <= CHECKPOINT_MAP, "{worst:.2e}");
}

#[test]
fn authors_weights_give_the_authors_maps() {
    let golden = SafeTensors::deserialize(GOLDEN).unwrap();
    let bytes = checkpoint(&golden);
    let path = Path::new("authors.safetensors");
    let (network, provenance) = DeRefNet::from_bytes(path, &bytes).unwrap();
    assert_eq!(provenance.program, "authors' checkpoint");
    assert_eq!(network.config.stages, 9);
    let found = maps(&network, &values(&golden, "input.y"));
    assert_eq!(found.len(), 16 * MAP_LEN);
    assert_near(&found, &values(&golden, "out.final"));
}

/// Our file has the authors' tensors, beside `qinit`, with their shapes, and its weights give the same
/// maps in their units.
#[test]
fn our_files_are_checkpoints() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host-train/models");
    let (network, _) = DeRefNet::load(&models.join("edge.safetensors")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.safetensors");
    let counts = network.in_counts();
    counts.save(&path, &Provenance::default(), false).unwrap();
    let file = std::fs::read(&path).unwrap();
    let ours = SafeTensors::deserialize(&file).unwrap();
    let golden = SafeTensors::deserialize(GOLDEN).unwrap();
    for name in ours.names() {
        let theirs = golden.tensor(&format!("weight.{name}"));
        let rank = |view: &TensorView<'_>| view.shape().len();
        match theirs {
            Ok(theirs) => assert_eq!(rank(&ours.tensor(name).unwrap()), rank(&theirs), "{name}"),
            Err(_) => assert!(["qinit", "TDDA.mlp.weight"].contains(&name), "{name}"),
        }
    }
    let (again, _) = DeRefNet::load(&path).unwrap();
    let frames = values(&golden, "input.y");
    assert_near(&maps(&again, &frames), &maps(&network, &frames));
}
