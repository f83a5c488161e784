use std::collections::HashMap;

use safetensors::Dtype;
use safetensors::tensor::TensorView;

use super::*;
use crate::model::initialise;

const SMALL: [usize; 3] = [2, 4, 1];

/// A file of the authors' tensors alone, after `change`: what `safetensors.torch.save_file` writes.
fn checkpoint(prefix: &str, change: impl FnOnce(&mut Tensors)) -> Vec<u8> {
    let [stages, channels, residual_blocks] = SMALL;
    let config = ModelConfig {
        stages,
        channels,
        residual_blocks,
        ..ModelConfig::released()
    };
    let mut tensors = Tensors::default();
    for tensor in &initialise(&config, 3).tensors {
        let name = format!("{prefix}{}", tensor.name);
        tensors.insert(name, &tensor.shape, &tensor.values);
    }
    tensors.insert(QINIT, &[MAP_LEN, FRAME_LEN], &[0.5; MAP_LEN * FRAME_LEN]);
    change(&mut tensors);
    serialised(&tensors, None)
}

fn serialised(tensors: &Tensors, metadata: Option<HashMap<String, String>>) -> Vec<u8> {
    let bytes =
        |values: &[f32]| -> Vec<u8> { values.iter().flat_map(|v| v.to_le_bytes()).collect() };
    let raw: Vec<_> = tensors
        .0
        .iter()
        .map(|(n, (s, v))| (n, s, bytes(v)))
        .collect();
    let views = raw.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap();
        (name.as_str(), view)
    });
    safetensors::serialize(views, metadata).unwrap()
}

fn read(bytes: &[u8]) -> Result<(DeRefNet, Provenance)> {
    DeRefNet::from_bytes(Path::new("c.safetensors"), bytes)
}

fn message(bytes: &[u8]) -> String {
    read(bytes).unwrap_err().to_string()
}

#[test]
fn sizes_come_from_the_shapes() {
    for prefix in ["", "module.", "backbone."] {
        let (network, provenance) = read(&checkpoint(prefix, |_| ())).unwrap();
        let config = &network.config;
        let sizes = [config.stages, config.channels, config.residual_blocks];
        assert_eq!(sizes, SMALL);
        assert_eq!(config.intensity_scale, 1.0);
        assert_eq!(network.parameters, initialise(config, 3));
        assert!(network.operators.qinit.iter().all(|&q| q == 0.5));
        assert_eq!(provenance.program, "authors' checkpoint");
    }
}

#[test]
fn a_missing_start_is_that_of_training() {
    let (network, _) = read(&checkpoint("", |t| drop(t.0.remove(QINIT)))).unwrap();
    let (shipped, _) = DeRefNet::shipped().unwrap();
    assert_eq!(network.operators.qinit, shipped.operators.qinit);
}

#[test]
fn other_files_are_refused() {
    let surplus = message(&checkpoint("", |t| t.insert("extra", &[1], &[0.0])));
    assert!(
        surplus.contains("tensor 'extra' belongs to no layer"),
        "{surplus}"
    );
    let lacks = message(&checkpoint("", |t| drop(t.0.remove("TDDA.conv.bias"))));
    assert!(
        lacks.contains("tensor 'TDDA.conv.bias' is missing"),
        "{lacks}"
    );
    let none = message(&checkpoint("", |t| t.0.clear()));
    assert!(none.contains("no tensor 'fcs.0.conv1_forward'"), "{none}");
    let odd = message(&checkpoint("", |t| {
        t.insert("fcs.0.conv1_forward", &[3, 1, 3, 3], &[0.0; 27]);
    }));
    assert!(odd.contains("model.channels is 3, expected even"), "{odd}");
}

/// A file of this program whose key was damaged must not pass for a checkpoint, whose numbers mean
/// something else.
#[test]
fn only_files_without_labels_are_checkpoints() {
    let (tensors, _) = Tensors::parse(Path::new("c"), &checkpoint("", |_| ())).unwrap();
    let labelled = |key: &str| {
        let metadata = HashMap::from([(key.to_owned(), "pt".to_owned())]);
        read(&serialised(&tensors, Some(metadata)))
    };
    assert!(labelled("format").is_ok());
    let refused = labelled("derefnft").unwrap_err().to_string();
    assert!(
        refused.contains("metadata 'derefnet' is missing"),
        "{refused}"
    );
}
