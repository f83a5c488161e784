//! Networks of methods as ONNX files, on tract.

use derefnet::backend::cpu::Cpu;
use derefnet::methods::config::trainable;
use derefnet::methods::sensor::Sensor;
use derefnet::methods::{Method, Trained};
use derefnet::model::{Frames, Provenance};
use derefnet::rng::Rng;
use derefnet_core::physics::{FRAME_LEN, FRAME_SIDE, MAP_LEN};
use derefnet_tests::tolerance::EXPORTED_WINDOW;
use derefnet_tests::tract::Tract;

/// Frames of a run.
const FRAMES: usize = 5;

fn trained(method: &'static Method, rng: &mut Rng) -> Trained {
    let qinit = (0..MAP_LEN * FRAME_LEN).map(|_| 0.03 * rng.gaussian() as f32);
    let variant = method.variants[0].name;
    let mut trained =
        Trained::drawn(method, variant, 0.0, Sensor::new(qinit.collect()), 3).unwrap();
    // Biases and moments that are not zero and one.
    for value in trained.tensors.iter_mut().flat_map(|t| &mut t.values) {
        *value += 0.01 * rng.gaussian() as f32;
    }
    trained
}

#[test]
fn answer_as_they_do_here() {
    let mut rng = Rng::new(5, *b"exported", 0);
    let counts: Vec<f32> = (0..FRAMES * FRAME_LEN)
        .map(|_| rng.below(200) as f32)
        .collect();
    let mut without = Vec::new();
    for method in trainable() {
        let trained = trained(method, &mut rng);
        let file = match trained.onnx(&Provenance::default()) {
            Ok(file) => file,
            Err(error) => {
                assert!(error.to_string().contains("not exported"), "{error}");
                without.push(method.key);
                continue;
            }
        };
        let frames = Frames {
            counts: counts.clone(),
            length: FRAMES,
        };
        let ours = trained.on(&Cpu::new()).maps(&frames);
        let tract = Tract::new(&file, &[vec![FRAME_SIDE; 2]], Some(FRAMES));
        let theirs = tract.run(std::slice::from_ref(&counts)).swap_remove(0);
        assert_eq!(ours.len(), theirs.len(), "{}", method.key);
        let square = |v: f32| f64::from(v) * f64::from(v);
        let error: f64 = ours.iter().zip(&theirs).map(|(a, b)| square(a - b)).sum();
        let size: f64 = ours.iter().map(|&v| square(v)).sum();
        let relative = (error / size).sqrt();
        assert!(relative < EXPORTED_WINDOW, "{}: {relative:.1e}", method.key);
    }
    // Entrywise thresholds and sequences.
    assert_eq!(without, ["tdan", "liht", "lamp", "lista", "ti-lista"]);
}
