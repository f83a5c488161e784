//! Integer networks as graphs of whole steps, on tract, against the integer core.

use derefnet::eval::network::{Network, batch};
use derefnet::onnx::{self, Builder, encode};
use derefnet::quantize::Quantised;
use derefnet::scene::Trajectory;
use derefnet_core::locate::head::{ANSWER_LEN, CHANNELS};
use derefnet_core::ops::sigmoid;
use derefnet_core::physics::MAP_LEN;
use derefnet_core::weights::Model;
use derefnet_tests::models::{Sizes, random_model};
use derefnet_tests::tolerance::{EXPORTED_ACCURACY, EXPORTED_INTEGERS, EXPORTED_STEPS};
use derefnet_tests::tract::{BATCH, Tract};
use tract_onnx::prelude::*;

use crate::trained::accuracy;
use crate::windows::{maps, trajectories, worst};

pub const EDGE: &[u8] = include_bytes!("../../../core/models/edge.dref");
pub const PAPER: &[u8] = include_bytes!("../../../core/models/paper.dref");

fn on_tract(model: &Model) -> Tract {
    Tract::network(&onnx::quantised(model).unwrap(), Some(BATCH))
}

/// Share of values that are the same, and the greatest difference in steps; value `k` has steps of
/// `steps[k % steps.len()]`.
fn apart(got: &[f32], want: &[f32], steps: &[f32]) -> (f64, f64) {
    assert_eq!(got.len(), want.len());
    let steps = steps.iter().cycle();
    let differences = got.iter().zip(want).zip(steps);
    let differences = differences.map(|((g, w), step)| f64::from((g - w) / step).abs().round());
    let (mut same, mut most) = (0, 0.0f64);
    for difference in differences {
        same += usize::from(difference == 0.0);
        most = most.max(difference);
    }
    (same as f64 / got.len() as f64, most)
}

/// Maps and answers of the head that another program gives to all windows of `scenes`, beside those of
/// the integer core.
pub fn check_integers(
    what: &str,
    model: &Model,
    scenes: &[Trajectory],
    (theirs, answers): (&[f32], &[f32]),
) {
    let integers = Quantised::new(model.clone());
    let ours = maps(&integers, scenes);
    let step = model.map.as_ref().unwrap().header.step;
    let (error, windows) = worst(theirs, &ours.concat(), MAP_LEN);
    assert!(windows >= 100);
    let (same, most) = apart(theirs, &ours.concat(), &[step]);
    let theirs: Vec<Vec<f32>> = theirs
        .chunks(theirs.len() / scenes.len())
        .map(<[f32]>::to_vec)
        .collect();
    let [theirs, ours] = [&theirs, &ours].map(|maps| accuracy(maps, scenes));
    println!(
        "{what}: {windows} windows, relative L2 at most {error:.2e}, {:.2} % of cells the same, others at \
         most {most} steps apart; CSO-mAP {theirs:.3} %, in integers {ours:.3} %",
        100.0 * same
    );
    assert!(error <= EXPORTED_INTEGERS, "{what}: {error:.2e}");
    assert!((theirs - ours).abs() <= EXPORTED_ACCURACY, "{what}");
    let ours = integers.answers(&batch(scenes)).unwrap();
    let (error, _) = worst(answers, &ours, ANSWER_LEN);
    let steps = model.head.as_ref().unwrap().header.steps;
    let (same, most) = apart(answers, &ours, &steps);
    println!(
        "{what}, head: relative L2 at most {error:.2e}, {:.2} % the same, others at most {most} steps apart",
        100.0 * same
    );
    assert!(error <= EXPORTED_INTEGERS, "{what}, head: {error:.2e}");
}

/// A shipped model over 16 windows of each of `count` trajectories.
fn check_model(name: &str, file: &[u8], (count, sigma): (u64, f64)) {
    let model = Model::load(file).unwrap();
    let (tract, scenes) = (on_tract(&model), trajectories(count, sigma));
    let theirs = maps(&tract, &scenes).concat();
    let answers = tract.answers(&batch(&scenes)).unwrap();
    let what = format!("{name} on tract, σ = {sigma}");
    check_integers(&what, &model, &scenes, (&theirs, &answers));
}

#[test]
fn edge() {
    check_model("edge", EDGE, (7, 0.0));
}

#[test]
fn paper() {
    check_model("paper", PAPER, (7, 2.0));
}

/// Every argument that the attention may have: the core's values themselves.
#[test]
fn gates_are_the_cores() {
    let mut builder = Builder::new("gates");
    let input = builder.input("input/0", "", 1, &[1, 256, 256]);
    let gates = builder.gates("gates", &input);
    builder.output(&gates, "");
    let file = encode(builder.finish(), &[]);
    let arguments: Vec<f32> = (i16::MIN..=i16::MAX).map(f32::from).collect();
    let tract = Tract::new(&file, &[vec![1, 256, 256]], Some(1));
    let got = tract.run(std::slice::from_ref(&arguments)).remove(0);
    for (gate, value) in (i16::MIN..=i16::MAX).zip(got) {
        let want = f32::from(sigmoid(i32::from(gate) << 4)) / 16_384.0;
        assert_eq!(value, want, "{gate}");
    }
}

/// Models of random weights, whose every part does something.
#[test]
fn random_models() {
    let all = [
        (1, Some([8, 1, 0]), None),
        (2, Some([16, 2, 1]), Some([8, 0])),
        (3, Some([24, 1, 2]), Some([24, 1])),
        (4, Some([8, 3, 0]), Some([32, 2])),
        (5, None, Some([16, 1])),
    ];
    let frames = batch(&trajectories(2, 3.0));
    for (seed, map, head) in all {
        let file = random_model(seed, Sizes { map, head });
        let model = Model::load(&file).unwrap();
        let bytes = onnx::quantised(&model).unwrap();
        let tract = Tract::network(&bytes, Some(BATCH));
        let integers = Quantised::new(model.clone());
        if let Some(map) = &model.map {
            let [got, want] = [&tract as &dyn Network, &integers].map(|n| n.maps(&frames).unwrap());
            let (same, most) = apart(&got, &want, &[map.header.step]);
            println!(
                "{seed}: {:.2} % the same, at most {most} steps apart",
                100.0 * same
            );
            assert!(want.iter().any(|&cell| cell != want[0]), "{seed}");
            assert!(most <= EXPORTED_STEPS, "{seed}: {most}");
        }
        if let Some(head) = &model.head {
            let outputs = tract_outputs(&bytes);
            assert_eq!(outputs, if map.is_some() { 2 } else { 1 });
            if outputs == 2 {
                let [got, want] =
                    [&tract as &dyn Network, &integers].map(|n| n.answers(&frames).unwrap());
                let (same, most) = apart(&got, &want, &head.header.steps);
                println!(
                    "{seed}, head: {:.2} % the same, at most {most} steps",
                    100.0 * same
                );
                assert!(most <= EXPORTED_STEPS, "{seed}: {most}");
            }
        }
    }
}

fn tract_outputs(mut bytes: &[u8]) -> usize {
    let proto = onnx().proto_model_for_read(&mut bytes).unwrap();
    proto.graph.unwrap().output.len()
}

/// Weights stay in bytes: one for each, with a scale for each output.
#[test]
fn weights_are_bytes_with_scales() {
    let model = Model::load(EDGE).unwrap();
    let bytes = onnx::quantised(&model).unwrap();
    let proto = onnx().proto_model_for_read(&mut &bytes[..]).unwrap();
    assert_eq!(proto.opset_import[0].version, 17);
    let graph = proto.graph.as_ref().unwrap();
    let tensor = |name: &str| graph.initializer.iter().find(|t| t.name == name).unwrap();
    let mut layers = 0;
    for node in graph
        .node
        .iter()
        .filter(|node| node.op_type == "DequantizeLinear")
    {
        let [weights, scale, zero] = [0, 1, 2].map(|k| tensor(&node.input[k]));
        // INT8 and FLOAT.
        assert_eq!([weights, scale, zero].map(|t| t.data_type), [3, 1, 3]);
        assert_eq!(
            weights.dims.iter().product::<i64>(),
            weights.raw_data.len() as i64
        );
        assert_eq!(
            [&scale.dims, &zero.dims].map(|d| &d[..]),
            [&weights.dims[..1]; 2]
        );
        assert!(zero.raw_data.iter().all(|&byte| byte == 0));
        layers += 1;
    }
    let map = model.map.as_ref().unwrap();
    let head = model.head.as_ref().unwrap();
    let expected = 1 + 4 * map.stages.len() + 4 + 4 + 1 + 1 + 2 * map.blocks.len() + 1;
    assert_eq!(layers, expected + 2 + 2 * head.blocks.len());
    let weights = tensor("align.deform_2.weight.quantised");
    let kernel = map.deforms[1][1];
    let c = i64::from(map.header.channels);
    assert_eq!(weights.dims, [c, c, 3, 3]);
    // Output 1, tap 5, channel 2.
    let at = kernel.weights_of(1)[5 * c as usize + 2];
    assert_eq!(weights.raw_data[(9 * (c + 2) + 5) as usize], at);
    let entry = |key: &str| {
        let entry = proto.metadata_props.iter().find(|entry| entry.key == key);
        entry.unwrap().value.as_str()
    };
    assert_eq!(
        entry("header"),
        serde_json::to_string(&model.header).unwrap()
    );
    let physics: serde_json::Value = serde_json::from_str(entry("physics")).unwrap();
    assert_eq!(physics["psf_sigma_px"], model.header.physics.psf_sigma);
    assert_eq!(CHANNELS as i64, tensor("head.steps").dims[0]);
}
