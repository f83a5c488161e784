//! ONNX's own checker and runtime, in Python: `cargo xtask test` runs this where both are installed.

use std::fs;
use std::path::Path;
use std::process::Command;

use derefnet::backend::cpu::Cpu;
use derefnet::eval::network::{Inference, Network, batch};
use derefnet::model::Frames;
use derefnet::onnx;
use derefnet_core::locate::head::ANSWER_LEN;
use derefnet_core::physics::{FRAME_LEN, MAP_LEN, WINDOW};
use derefnet_core::weights::Model;
use derefnet_tests::tolerance::EXPORTED_WINDOW;

use crate::quantised::{EDGE, PAPER, check_integers};
use crate::trained::steady;
use crate::windows::{trajectories, worst};

fn bytes(values: impl IntoIterator<Item = f32>) -> Vec<u8> {
    values.into_iter().flat_map(f32::to_le_bytes).collect()
}

fn values(path: &Path) -> Vec<f32> {
    let bytes = fs::read(path).unwrap();
    let words = bytes.as_chunks::<4>().0.iter();
    words.map(|word| f32::from_le_bytes(*word)).collect()
}

/// Runs `tests/python/check_onnx.py` in `folder`; the Python is that of the variable `PYTHON`.
fn python(folder: &Path, model: &str) {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/check_onnx.py");
    let mut command = Command::new(python);
    let output = command.arg(script).arg(folder).arg(model).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{model}: {text}");
    print!("{}", String::from_utf8_lossy(&output.stdout));
}

/// Outputs of the ONNX file for all windows of `frames`, the file's checked first: the map's, and the
/// answers of the head where there is one.
fn outputs(name: &str, file: &[u8], frames: &Frames) -> (Vec<f32>, Option<Vec<f32>>) {
    let folder = tempfile::tempdir().unwrap();
    let at = |end: &str| folder.path().join(format!("{name}.{end}"));
    fs::write(at("onnx"), file).unwrap();
    let all = frames.counts.chunks_exact(frames.length * FRAME_LEN);
    let windows = all.flat_map(|one| one.windows(WINDOW * FRAME_LEN).step_by(FRAME_LEN).flatten());
    fs::write(at("frames"), bytes(windows.copied())).unwrap();
    python(folder.path(), name);
    let answers = at("answer");
    let answers = answers.exists().then(|| values(&answers));
    (values(&at("map")), answers)
}

fn check(name: &str, trajectory_count: u64) -> usize {
    let (network, provenance) = steady(name);
    let frames = batch(&trajectories(trajectory_count, 2.0));
    let (maps, answers) = outputs(name, &network.onnx(&provenance).unwrap(), &frames);
    let cpu = Cpu::new();
    let ours = Inference::new(&network, &cpu);
    let (error, count) = worst(&maps, &ours.maps(&frames), MAP_LEN);
    println!("{name} on onnxruntime: {count} windows, relative L2 at most {error:.2e}");
    assert!(error <= EXPORTED_WINDOW, "{name}: {error:.2e}");
    if let Ok(want) = Network::answers(&ours, &frames) {
        let (error, count) = worst(&answers.unwrap(), &want, ANSWER_LEN);
        println!("{name}, head: {count} windows, relative L2 at most {error:.2e}");
        assert!(error <= EXPORTED_WINDOW, "{name}: {error:.2e}");
    }
    count
}

#[test]
#[ignore = "needs Python with numpy, onnx and onnxruntime"]
fn checker_and_onnxruntime() {
    let models = [("edge", 60), ("paper", 4)];
    let counts = models.map(|(name, count)| check(name, count));
    assert_eq!(counts.iter().sum::<usize>(), 1024);
}

#[test]
#[ignore = "needs Python with numpy, onnx and onnxruntime"]
fn integers_on_onnxruntime() {
    for (name, file, count, sigma) in [
        ("edge", EDGE, 8, 0.0),
        ("edge", EDGE, 8, 5.0),
        ("paper", PAPER, 7, 2.0),
    ] {
        let model = Model::load(file).unwrap();
        let scenes = trajectories(count, sigma);
        let bytes = onnx::quantised(&model).unwrap();
        let (maps, answers) = outputs(name, &bytes, &batch(&scenes));
        let what = format!("{name} on onnxruntime, σ = {sigma}");
        check_integers(&what, &model, &scenes, (&maps, &answers.unwrap()));
    }
}
