//! `derefnet benchmark --backend cuda` beside the same on the processor.

use std::fs;
use std::process::Command;

use derefnet::benchmark::result::RowResult;
use derefnet_tests::tolerance::TRAINED_LOSS;

/// A row of a few dozen steps.
const BENCHMARK: &str = "\
title = 'Tiny'
about = 'nothing'
[budget.smoke]
multiply_adds = 1e8
[training]
warmup = 0.1
validations = 1
[data]
trajectories = 1
[methods]
width = 0.0
qinit_trajectories = 30
validate_trajectories = 1
scene.frames = 6
schedule = { rate = 1e-3, last = 0.1 }
[[row]]
name = 'net'
method = 'espcn'
";

/// The program trains and evaluates rows on the device: steps and losses are those of the processor.
#[test]
fn a_benchmark_trains_on_the_device() {
    let folder = tempfile::tempdir().unwrap();
    let definition = folder.path().join("tiny.toml");
    fs::write(&definition, BENCHMARK).unwrap();
    let losses = |backend: &str| -> Vec<f64> {
        let out = folder.path().join(backend);
        let mut program = Command::new(env!("CARGO_BIN_EXE_derefnet-under-test"));
        program
            .arg("benchmark")
            .arg(&definition)
            .arg("--out")
            .arg(&out);
        program.args(["--preset", "smoke", "--threads", "1", "--backend", backend]);
        let ended = program.output().unwrap();
        let complaint = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{complaint}");
        let result = RowResult::read(&out.join("net")).unwrap();
        assert_eq!(result.machine.isa == "cuda", backend == "cuda");
        let log = fs::read_to_string(out.join("net/run/log.csv")).unwrap();
        let rows = log.lines().skip(1).map(|row| row.split(',').nth(2));
        rows.map(|loss| loss.unwrap().parse().unwrap()).collect()
    };
    let (want, got) = (losses("cpu"), losses("cuda"));
    assert!(want.len() > 20 && got.len() == want.len());
    for (got, want) in got.iter().zip(want) {
        let error = (got / want - 1.0).abs();
        assert!(error < TRAINED_LOSS, "{got}, expected {want}");
    }
}
