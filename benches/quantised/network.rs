//! Whole networks: the shipped `.dref` files of both presets on every set of kernels, beside the float
//! network on one thread.

use std::path::Path;
use std::time::Instant;

use derefnet::backend::cpu::Cpu;
use derefnet::backend::cpu::arch::fma_peak;
use derefnet::eval::network::{Inference, batch};
use derefnet::model::DeRefNet;
use derefnet::scene::{SceneConfig, generate};
use derefnet::{Error, Result, dataset::Split};
use derefnet_benches::{SEED, median, pool};
use derefnet_core::arch::Kernels;
use derefnet_core::physics::{FRAME_LEN, WINDOW};
use derefnet_core::stream::{MapMemory, Memory, Readout, Stream, StreamConfig};
use derefnet_core::weights::Model;

/// Rounds in which all cases take turns.
const ROUNDS: usize = 41;
/// onnxruntime 1.32, a lone window of the published network in int8 on one thread: milliseconds, and
/// the rate of f32 multiply-adds of the machine where it was measured, FLOP per second.
const ONNXRUNTIME_INT8: (f64, f64) = (37.4, 102e9);
/// What sensors add to their counts here.
const PEDESTAL: u16 = 1000;

static PAPER: &[u8] = include_bytes!("../../core/models/paper.dref");
static EDGE: &[u8] = include_bytes!("../../core/models/edge.dref");

/// One thing that takes turns.
struct Case<'a> {
    name: String,
    work: Box<dyn FnMut() -> Result<()> + 'a>,
    milliseconds: Vec<f64>,
}

/// Readings of one window at σ = 2.
fn readings() -> Vec<u16> {
    let config = SceneConfig {
        noise: [2.0, 2.0],
        ..SceneConfig::default()
    };
    let trajectory = generate(&config, SEED, Split::Validation, 0);
    let counts = trajectory.frames.iter().take(WINDOW * FRAME_LEN);
    counts
        .map(|&count| (i32::from(PEDESTAL) + count) as u16)
        .collect()
}

/// A lone window, and one more frame of a stream.
fn cases<'a, M: Memory + 'static>(
    name: &str,
    file: &'static [u8],
    readings: &'a [u16],
    memory: fn() -> M,
) -> Result<Vec<Case<'a>>> {
    let refused = |e: derefnet_core::weights::LoadError| Error::usage(format!("{name}: {e}"));
    let wrong = |e: derefnet_core::Error| Error::usage(e.to_string());
    let model = Model::load(file).map_err(refused)?;
    let mut cases = Vec::new();
    for readout in [Readout::Grid, Readout::Head] {
        if readout == Readout::Head && model.head.is_none() {
            continue;
        }
        for kernels in Kernels::available().filter(|&set| set != Kernels::SCALAR) {
            let config = StreamConfig {
                readout,
                pedestal: PEDESTAL,
                ..StreamConfig::of(&model)
            };
            let stream = || {
                // As long as the program: benchmarks end with it.
                let memory = Box::leak(Box::new(memory()));
                Stream::new(model.clone(), config, kernels, memory).map_err(refused)
            };
            let what = format!("{name}, {readout:?}").to_lowercase();
            let mut lone = stream()?;
            cases.push(Case {
                name: format!("{what}, lone window, {}", kernels.name()),
                work: Box::new(move || lone.window(readings, None).map(|_| ()).map_err(wrong)),
                milliseconds: Vec::new(),
            });
            let mut more = stream()?;
            for frame in readings.chunks_exact(FRAME_LEN) {
                more.push(frame, None).map_err(wrong)?;
            }
            let frame = &readings[..FRAME_LEN];
            cases.push(Case {
                name: format!("{what}, streamed frame, {}", kernels.name()),
                work: Box::new(move || more.push(frame, None).map(|_| ()).map_err(wrong)),
                milliseconds: Vec::new(),
            });
        }
    }
    Ok(cases)
}

/// Runs and prints everything.
pub fn run(quick: bool) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (network, _) = DeRefNet::load(&root.join("../host-train/models/paper.safetensors"))?;
    let cpu = Cpu::new();
    let (inference, workers) = (Inference::new(&network, &cpu), pool(1)?);
    let readings = readings();
    let mut frames = batch([&generate(
        &SceneConfig::default(),
        SEED,
        Split::Validation,
        0,
    )]);
    frames.counts.truncate(WINDOW * FRAME_LEN);
    frames.length = WINDOW;
    let float = || {
        workers.install(|| std::hint::black_box(inference.maps(&frames)));
        Ok(())
    };
    let mut all = vec![Case {
        name: "paper, grid, lone window, f32".to_owned(),
        work: Box::new(float),
        milliseconds: Vec::new(),
    }];
    all.extend(cases("paper", PAPER, &readings, MapMemory::<32>::new)?);
    all.extend(cases("edge", EDGE, &readings, MapMemory::<16>::new)?);
    let mut peaks = Vec::new();
    for _ in 0..if quick { 1 } else { ROUNDS } {
        peaks.push(fma_peak(cpu.isa(), 1));
        for case in &mut all {
            let started = Instant::now();
            (case.work)()?;
            case.milliseconds
                .push(1e3 * started.elapsed().as_secs_f64());
        }
    }
    print(&all, median(&peaks));
    Ok(())
}

fn print(cases: &[Case], peak: f64) {
    let float = median(&cases[0].milliseconds);
    let (peer, its_peak) = ONNXRUNTIME_INT8;
    let scaled = peer * its_peak / peak;
    println!(
        "\none thread; f32 multiply-adds on registers alone: {:.0} GFLOP/s",
        peak / 1e9
    );
    println!(
        "network                                             ms   f32 over it  onnxruntime int8 over it"
    );
    println!(
        "paper, grid, lone window, onnxruntime int8 {scaled:9.2}             -                        1 (37.4 ms at 102 GFLOP/s, scaled)"
    );
    for case in cases {
        let time = median(&case.milliseconds);
        let lone = case.name.starts_with("paper, grid, lone");
        let ratio = |of: f64| {
            if lone {
                format!("{:.2}", of / time)
            } else {
                "-".to_owned()
            }
        };
        println!(
            "{:48} {time:8.3} {:>8} {:>12}",
            case.name,
            ratio(float),
            ratio(scaled)
        );
    }
}
