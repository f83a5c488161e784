use super::*;
use crate::backend::cpu::Cpu;
use crate::dataset::Split;
use crate::eval::network::{Inference, batch};
use crate::model::{HeadConfig, initialise};
use crate::scene::{SceneConfig, generate};

fn small() -> DeRefNet {
    let config = ModelConfig {
        stages: 1,
        channels: 2,
        residual_blocks: 1,
        ..ModelConfig::released()
    };
    let parameters = initialise(&config, 3);
    let qinit = (0..MAP_LEN * FRAME_LEN).map(|i| ((i % 31) as f32 - 15.0) * 1e-3);
    DeRefNet {
        operators: Operators::new(qinit.collect()),
        config,
        parameters,
    }
}

fn maps(network: &DeRefNet) -> Vec<f32> {
    let scene = generate(&SceneConfig::default(), 1, Split::Test, 0);
    Inference::new(network, &Cpu::new()).maps(&batch([&scene]))
}

fn provenance() -> Provenance {
    Provenance {
        program: "1.2.3".into(),
        data_version: "folder".into(),
        seed: u64::MAX,
        steps: 7,
        trajectories: 14,
        noise: Some([0.5, 5.0]),
        validation: Some([44.25, 1.0 / 3.0]),
        centerness: Some(0.4),
        start: None,
        head: None,
    }
}

fn saved(reduced: bool) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.safetensors");
    small().save(&path, &provenance(), reduced).unwrap();
    std::fs::read(&path).unwrap()
}

fn read(bytes: &[u8]) -> Result<(DeRefNet, Provenance)> {
    DeRefNet::from_bytes(Path::new("m.safetensors"), bytes)
}

#[test]
fn a_head_comes_back() {
    let mut network = small();
    network.config.head = Some(HeadConfig {
        channels: 3,
        blocks: 2,
    });
    network.parameters = initialise(&network.config, 4);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.safetensors");
    network.save(&path, &provenance(), true).unwrap();
    let (found, _) = DeRefNet::load(&path).unwrap();
    assert_eq!(found.config, network.config);
    let names = |network: &DeRefNet| -> Vec<String> {
        let tensors = network.parameters.tensors.iter();
        let head = tensors.filter(|t| t.name.starts_with("head."));
        head.map(|t| format!("{} {:?} {:?}", t.name, t.shape, t.values))
            .collect()
    };
    assert_eq!(names(&found).len(), 2 * (1 + 4 + 1));
    assert_eq!(names(&found), names(&network));
}

#[test]
fn full_form_comes_back_bit_for_bit() {
    let (network, found) = read(&saved(false)).unwrap();
    let original = small();
    assert_eq!(found, provenance());
    assert_eq!(network.config, original.config);
    assert_eq!(network.parameters, original.parameters);
    assert_eq!(network.operators.qinit, original.operators.qinit);
    assert_eq!(maps(&network), maps(&original));
    assert_eq!(saved(false), saved(false));
}

/// The row sums are summed in f64 and spread in f32: gates agree to a few units in the last place.
#[test]
fn reduced_form_gives_the_same_maps() {
    let bytes = saved(true);
    assert!(bytes.len() + 4_000_000 < saved(false).len());
    let (network, found) = read(&bytes).unwrap();
    assert_eq!(found, provenance());
    let (ours, original) = (maps(&network), maps(&small()));
    let largest = original.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
    let error = ours.iter().zip(&original).map(|(a, b)| (a - b).abs());
    let worst = error.fold(0.0, f32::max);
    assert!(
        largest > 0.0 && worst <= 1e-5 * largest,
        "{worst} of {largest}"
    );
}

#[test]
fn checksum_sees_every_tensor_and_the_metadata() {
    let bytes = saved(true);
    let head = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let text = String::from_utf8(bytes[8..head].to_vec()).unwrap();
    let step = 8 + text.find("steps").unwrap() + 8;
    assert_eq!(bytes[step], b'7');
    let places = (head..bytes.len()).step_by(9_973).chain([step]);
    for place in places {
        let mut bad = bytes.clone();
        bad[place] ^= 1;
        let message = read(&bad).unwrap_err().to_string();
        assert!(
            message.contains("m.safetensors: damaged: crc32"),
            "{place}: {message}"
        );
    }
}

/// A flip anywhere in the head is found, or changes nothing.
#[test]
fn flips_in_the_head_do_no_harm() {
    let bytes = saved(true);
    let head = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let original = small();
    let (reference, _) = read(&bytes).unwrap();
    let mut accepted = 0;
    for place in 0..head {
        let mut bad = bytes.clone();
        bad[place] ^= 1 << (place % 8);
        if let Ok((network, found)) = read(&bad) {
            accepted += 1;
            assert_eq!(found, provenance(), "byte {place}");
            assert_eq!(network.config, original.config, "byte {place}");
            assert!(network.parameters == reference.parameters, "byte {place}");
            assert_eq!(
                network.operators.qinit, reference.operators.qinit,
                "byte {place}"
            );
        }
    }
    assert!(accepted < 20, "{accepted} flips went unseen");
}

/// Files of older programs have no checksum.
#[test]
fn files_without_checksum_are_read() {
    let mut tensors = Tensors::default();
    tensors.insert("a", &[2], &[1.0, 2.0]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    tensors.write(&path, "{\"b\":1}").unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let (_, header) = Tensors::parse(&path, &bytes).unwrap();
    assert_eq!(header.as_deref(), Some("{\"b\":1}"));
    assert_eq!(unseal("{\"b\":1}"), None);
    let sealed = Some((0x12ab, "{\"b\":1}".to_owned()));
    assert_eq!(unseal("{\"crc32\":\"000012ab\",\"b\":1}"), sealed);
}

#[test]
fn refusals_name_the_tensor() {
    let damaged = |change: &dyn Fn(&mut Tensors)| {
        let (mut tensors, header) = Tensors::parse(Path::new("m"), &saved(true)).unwrap();
        change(&mut tensors);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.safetensors");
        tensors.write(&path, &header.unwrap()).unwrap();
        DeRefNet::load(&path).unwrap_err().to_string()
    };
    let missing = damaged(&|t| drop(t.0.remove("TDDA.conv.bias")));
    assert!(
        missing.contains("tensor 'TDDA.conv.bias' is missing"),
        "{missing}"
    );
    let surplus = damaged(&|t| t.insert("extra", &[1], &[0.0]));
    assert!(
        surplus.contains("tensor 'extra' belongs to no layer"),
        "{surplus}"
    );
    let short = damaged(&|t| t.insert("TDDA.mlp.bias", &[3], &[0.0; 3]));
    assert!(
        short.contains("'TDDA.mlp.bias' has shape [3], expected 1089"),
        "{short}"
    );
    let nan = |t: &mut Tensors, name: &str| t.0.get_mut(name).unwrap().1[0] = f32::NAN;
    for name in ["TDDA.conv.bias", "qinit"] {
        let message = damaged(&|t| nan(t, name));
        let part = format!("tensor '{name}' holds a value that is not finite");
        assert!(message.contains(&part), "{message}");
    }
}
