//! Inference of the preset `paper`: the published sizes, time within the window.
//!
//! Three jobs: a lone window of 5 frames, one more frame of a stream, and a trajectory of 20 frames
//! (16 windows). Prints, in one run and for one and two threads: the processor's rate of
//! multiply-adds, measured before and after every round, and each job's median time, rate and share
//! of that peak; then the streamed frame's time as a share of the lone window's, beside the share
//! that their multiply-adds predict. Rates count the direct algorithm, 2 FLOP per multiply-add;
//! elementwise operators, bilinear sampling and the initial matrix product count nothing.
//!
//! `-- --test` runs one round.

use std::time::Instant;

use derefnet::Result;
use derefnet::autograd::Tape;
use derefnet::backend::cpu::arch::fma_peak;
use derefnet::backend::cpu::{Buffer, Cpu};
use derefnet::eval::network::Inference;
use derefnet::eval::stream::Stream;
use derefnet::model::{DeRefNet, Frames, ModelConfig, Preset, Trained};
use derefnet::rng::Rng;
use derefnet_benches::{Example, SEED, median, pool, thread_counts};
use derefnet_core::physics::{FRAME_LEN, WINDOW};

/// Measured rounds, after one that is not counted.
const ROUNDS: usize = 9;
/// Consecutive calls of a job in a round, all of them measured: as frames come, and as the peer is
/// measured. The system needs the first two or three to give every worker a core of its own.
const CALLS: usize = 9;
const JOBS: [&str; 3] = ["lone window", "streamed frame", "trajectory"];
/// Frames of a trajectory.
const FRAMES: usize = 20;
/// Deviation of the drawn offsets, pixels.
const OFFSETS: f64 = 1.0;

fn main() -> Result<()> {
    let quick = std::env::args().any(|arg| arg == "--test");
    let rounds = if quick { 1 } else { ROUNDS };
    let cpu = Cpu::new();
    println!("inference: paper, time within the window, {:?}", cpu.isa());
    let mut example = Example::new(ModelConfig::preset(Preset::Paper), 1)?;
    draw_offsets(&mut example.network);
    let work = work(&cpu, &example);
    let inference = Inference::new(&example.network, &cpu);
    let mut runs = Vec::new();
    for threads in thread_counts() {
        runs.push(Run::new(&cpu, &inference, &example.frames, threads)?);
    }
    for round in 0..=rounds {
        for run in &mut runs {
            run.round(round > 0)?;
        }
    }
    for run in &runs {
        run.print(work);
    }
    Ok(())
}

/// Offset layers start at zero, where no sample falls between cells or outside the map, as trained
/// ones' do: draws their biases.
fn draw_offsets(network: &mut DeRefNet) {
    let mut rng = Rng::new(SEED, *b"offsets ", 0);
    let tensors = network.parameters.tensors.iter_mut();
    for tensor in tensors.filter(|t| t.name.ends_with("conv_offset.bias")) {
        let values = tensor.values.iter_mut();
        values.for_each(|v| *v = (OFFSETS * rng.gaussian()) as f32);
    }
}

/// Multiply-adds of each job.
fn work(cpu: &Cpu, example: &Example) -> [u64; 3] {
    let values = example.network.parameters.tensors.iter();
    let values: Vec<Buffer> = values.map(|t| t.values.as_slice().into()).collect();
    let forward = |length: usize| {
        let mut tape = Tape::new(cpu);
        let leaves = example.network.leaves(&mut tape, &values, Trained::Nothing);
        let frames = first_frames(&example.frames, length);
        let network = &example.network;
        network.forward(&mut tape, &leaves, &frames, false);
        tape.costs().values().map(|c| c.multiply_adds).sum::<u64>()
    };
    let (lone, next) = (forward(WINDOW), forward(WINDOW + 1));
    [lone, next - lone, forward(FRAMES)]
}

fn first_frames(frames: &Frames, length: usize) -> Frames {
    Frames {
        counts: frames.counts[..length * FRAME_LEN].to_vec(),
        length,
    }
}

/// Seconds of each of [`CALLS`] calls.
fn consecutive<T>(mut job: impl FnMut() -> Result<T>) -> Result<Vec<f64>> {
    let mut seconds = Vec::new();
    for _ in 0..CALLS {
        let started = Instant::now();
        job()?;
        seconds.push(started.elapsed().as_secs_f64());
    }
    Ok(seconds)
}

/// Rounds with one number of threads.
struct Run<'a> {
    cpu: &'a Cpu,
    inference: &'a Inference<'a, Cpu>,
    threads: usize,
    workers: rayon::ThreadPool,
    window: Frames,
    trajectory: &'a Frames,
    /// Has seen four frames or more.
    stream: Stream<'a, Cpu>,
    /// FLOP per second, before and after each round.
    peaks: Vec<f64>,
    /// Per job.
    seconds: [Vec<f64>; 3],
}

impl<'a> Run<'a> {
    fn new(
        cpu: &'a Cpu,
        inference: &'a Inference<'a, Cpu>,
        trajectory: &'a Frames,
        threads: usize,
    ) -> Result<Self> {
        let window = first_frames(trajectory, WINDOW);
        let mut stream = Stream::new(inference)?;
        for frame in window.counts.chunks_exact(FRAME_LEN) {
            stream.push(frame)?;
        }
        Ok(Self {
            cpu,
            inference,
            threads,
            workers: pool(threads)?,
            window,
            trajectory,
            stream,
            peaks: Vec::new(),
            seconds: Default::default(),
        })
    }

    /// Every job once, between two measurements of the peak.
    fn round(&mut self, counts: bool) -> Result<()> {
        let Self {
            inference,
            workers,
            window,
            trajectory,
            stream,
            ..
        } = self;
        let before = fma_peak(self.cpu.isa(), self.threads);
        let frame = &window.counts[..FRAME_LEN];
        let times = workers.install(|| {
            let lone = consecutive(|| Ok(inference.maps(window)))?;
            let streamed = consecutive(|| stream.push(frame))?;
            let whole = consecutive(|| Ok(inference.maps(trajectory)))?;
            Ok([lone, streamed, whole])
        })?;
        let after = fma_peak(self.cpu.isa(), self.threads);
        if counts {
            self.peaks.extend([before, after]);
            for (seconds, times) in self.seconds.iter_mut().zip(times) {
                seconds.extend(times);
            }
        }
        Ok(())
    }

    fn print(&self, work: [u64; 3]) {
        let peak = median(&self.peaks);
        println!(
            "\nthreads {}: medians of {} calls; peak {:.1} GFLOP/s",
            self.threads,
            self.seconds[0].len(),
            1e-9 * peak
        );
        println!("  job             median ms  fastest ms     GMAC  GFLOP/s  of peak");
        for ((name, seconds), multiply_adds) in JOBS.iter().zip(&self.seconds).zip(work) {
            let fastest = seconds.iter().copied().fold(f64::INFINITY, f64::min);
            let seconds = median(seconds);
            let rate = 2.0 * multiply_adds as f64 / seconds;
            println!(
                "  {name:<15} {:>9.2} {:>11.2} {:>8.3} {:>8.1} {:>6.1} %",
                1e3 * seconds,
                1e3 * fastest,
                1e-9 * multiply_adds as f64,
                1e-9 * rate,
                100.0 * rate / peak,
            );
        }
        println!(
            "  streamed frame over lone window: {:.3}, predicted {:.3}",
            median(&self.seconds[1]) / median(&self.seconds[0]),
            work[1] as f64 / work[0] as f64
        );
    }
}
