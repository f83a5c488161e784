//! What a file says of itself.

use std::collections::BTreeSet;

use derefnet_core::physics::{FRAME_LEN, MAP_LEN, WINDOW};
use derefnet_tests::tract::Tract;
use tract_onnx::pb::{ModelProto, ValueInfoProto, tensor_shape_proto, type_proto};
use tract_onnx::prelude::*;

use crate::trained::trained;
use crate::windows::{trajectories, worst};

fn file(name: &str) -> (Vec<u8>, ModelProto) {
    let (network, provenance) = trained(name);
    let bytes = network.onnx(&provenance).unwrap();
    let proto = onnx().proto_model_for_read(&mut &bytes[..]).unwrap();
    (bytes, proto)
}

/// `frames: N 5 11 11`.
fn shape(info: &ValueInfoProto) -> String {
    use tensor_shape_proto::dimension::Value::{DimParam, DimValue};
    let Some(type_proto::Value::TensorType(tensor)) = &info.r#type.as_ref().unwrap().value else {
        panic!("{info:?}");
    };
    let dims = &tensor.shape.as_ref().unwrap().dim;
    let words = dims.iter().map(|dim| match dim.value.as_ref().unwrap() {
        DimValue(size) => format!(" {size}"),
        DimParam(name) => format!(" {name}"),
    });
    format!("{}:{}", info.name, words.collect::<String>())
}

#[test]
fn ends_and_metadata() {
    let (_, proto) = file("edge");
    assert_eq!(proto.ir_version, 8);
    assert_eq!(proto.opset_import[0].version, 17);
    let graph = proto.graph.as_ref().unwrap();
    let inputs: Vec<String> = graph.input.iter().map(shape).collect();
    assert_eq!(inputs, ["frames: N 5 11 11"]);
    let outputs: Vec<String> = graph.output.iter().map(shape).collect();
    assert_eq!(outputs, ["map: N 33 33", "answer: N 11 11 3 3 7"]);
    let entries = proto.metadata_props.iter();
    let entries: Vec<(&str, serde_json::Value)> = entries
        .map(|e| (e.key.as_str(), serde_json::from_str(&e.value).unwrap()))
        .collect();
    let [
        ("physics", physics),
        ("config", config),
        ("provenance", provenance),
    ] = &entries[..]
    else {
        panic!("{entries:?}");
    };
    assert_eq!(physics["psf_sigma_px"], 0.5);
    assert_eq!(physics["cells_per_px"], 3);
    let (network, origin) = trained("edge");
    assert_eq!(*config, serde_json::to_value(&network.config).unwrap());
    assert_eq!(*provenance, serde_json::to_value(&origin).unwrap());
}

/// Every value has a name of its own and a shape, and every node the name of its place.
#[test]
fn names_are_readable() {
    let (_, proto) = file("paper");
    let graph = proto.graph.as_ref().unwrap();
    let outputs: Vec<&String> = graph.node.iter().flat_map(|node| &node.output).collect();
    let distinct: BTreeSet<_> = outputs.iter().collect();
    assert_eq!(distinct.len(), outputs.len());
    let described = graph.value_info.iter().chain(&graph.output);
    let described: BTreeSet<_> = described.map(|info| &info.name).collect();
    assert_eq!(described.len(), outputs.len());
    let has = |name: &str| graph.node.iter().any(|node| node.name == name);
    for name in [
        "stages/8/conv1_forward",
        "stages/0/thresholded",
        "position/coded",
        "align/attention/conv_squeeze",
        "align/deform_2",
        "tail/blocks/4/conv2",
    ] {
        assert!(has(name), "{name}");
    }
    let weight = |name: &str| graph.initializer.iter().find(|t| t.name == name).unwrap();
    assert_eq!(weight("TDDA.align_1.weight").dims, [32, 32, 3, 3]);
    assert_eq!(weight("qinit").dims, [1089, 121]);
}

/// Any number of windows at once, chosen when the file is loaded or at every run.
#[test]
fn windows_do_not_know_each_other() {
    let (bytes, _) = file("edge");
    let scene = &trajectories(1, 0.0)[0];
    let counts: Vec<f32> = scene.frames.iter().map(|&c| c as f32).collect();
    let window = |first: usize| counts[first * FRAME_LEN..][..WINDOW * FRAME_LEN].to_vec();
    let windows: Vec<Vec<f32>> = (0..3).map(window).collect();
    let together = Tract::network(&bytes, Some(3))
        .run(&[windows.concat()])
        .remove(0);
    let free = Tract::network(&bytes, None);
    for count in [1, 3] {
        let runs = windows.chunks(count).map(<[_]>::concat);
        let apart: Vec<f32> = runs.flat_map(|run| free.run(&[run]).remove(0)).collect();
        let (error, found) = worst(&together, &apart, MAP_LEN);
        assert!(found == 3 && error < 1e-6, "{count} at once: {error:.2e}");
    }
}

#[test]
fn same_model_same_bytes() {
    assert!(file("edge").0 == file("edge").0);
}
