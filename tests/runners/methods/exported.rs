//! Networks of methods as ONNX files, on tract.

use derefnet::backend::cpu::Cpu;
use derefnet::methods::config::trainable;
use derefnet::methods::sensor::Sensor;
use derefnet::methods::{Method, Trained};
use derefnet::model::{Frames, Provenance};
use derefnet::rng::Rng;
use derefnet_core::physics::{FRAME_LEN, FRAME_SIDE, MAP_LEN, WINDOW};
use derefnet_tests::tolerance::EXPORTED_WINDOW;
use derefnet_tests::tract::Tract;

fn trained(method: &'static Method, variant: &'static str, rng: &mut Rng) -> Trained {
    let qinit = (0..MAP_LEN * FRAME_LEN).map(|_| 0.03 * rng.gaussian() as f32);
    let mut trained =
        Trained::drawn(method, variant, 0.0, Sensor::new(qinit.collect()), 3).unwrap();
    // Biases and moments that are not zero and one.
    for value in trained.tensors.iter_mut().flat_map(|t| &mut t.values) {
        *value += 0.01 * rng.gaussian() as f32;
    }
    trained
}

/// Every method in every form, over two windows.
#[test]
fn answer_as_they_do_here() {
    let mut rng = Rng::new(5, *b"exported", 0);
    let counts: Vec<f32> = (0..2 * WINDOW * FRAME_LEN)
        .map(|_| rng.below(200) as f32)
        .collect();
    let frames = Frames {
        counts: counts.clone(),
        length: WINDOW,
    };
    for method in trainable() {
        for variant in method.variants {
            let trained = trained(method, variant.name, &mut rng);
            let file = trained.onnx(&Provenance::default()).unwrap();
            let (item, batch) = if trained.sees_sequences() {
                (vec![WINDOW, FRAME_SIDE, FRAME_SIDE], 2)
            } else {
                (vec![FRAME_SIDE; 2], 2 * WINDOW)
            };
            let ours = trained.on(&Cpu::new()).maps(&frames);
            let tract = Tract::new(&file, &[item], Some(batch));
            let theirs = tract.run(std::slice::from_ref(&counts)).swap_remove(0);
            let name = format!("{} {}", method.key, variant.name);
            assert_eq!(ours.len(), theirs.len(), "{name}");
            let square = |v: f32| f64::from(v) * f64::from(v);
            let error: f64 = ours.iter().zip(&theirs).map(|(a, b)| square(a - b)).sum();
            let size: f64 = ours.iter().map(|&v| square(v)).sum();
            let relative = (error / size).sqrt();
            assert!(
                size > 0.0 && relative < EXPORTED_WINDOW,
                "{name}: {relative:.1e}"
            );
        }
    }
}
