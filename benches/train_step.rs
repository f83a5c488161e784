//! One training step of the published network: 20 frames, 16 windows; forward with the symmetric
//! branch, the released loss, backward, Adam.
//!
//! Prints, in one run and for one and two threads: the processor's rate of multiply-adds, measured
//! before and after every step, and the step's median time, rate and share of that peak; then a
//! table by operator. Rates count the direct algorithm: 2 FLOP per multiply-add forward, 4
//! backward; elementwise operators and bilinear sampling count nothing.
//!
//! `-- --test` runs one step per number of threads.

use std::collections::BTreeMap;
use std::time::Instant;

use derefnet::Result;
use derefnet::autograd::{Cost, Tape};
use derefnet::backend::Backend;
use derefnet::backend::cpu::Cpu;
use derefnet::backend::cpu::arch::fma_peak;
use derefnet::model::DeRefNet;
use derefnet::train::{Adam, AdamConfig, LossConfig, LossVariant, Losses};
use derefnet_benches::{Example, median, pool, thread_counts};

/// FLOP of forward and backward per multiply-add of the forward pass.
const FLOP_PER_MULTIPLY_ADD: f64 = 6.0;
/// Measured steps per number of threads, after one that is not counted.
const STEPS: usize = 9;
const RATE: f32 = 1e-4;

type Costs = BTreeMap<&'static str, Cost>;

fn main() -> Result<()> {
    let quick = std::env::args().any(|arg| arg == "--test");
    let steps = if quick { 1 } else { STEPS };
    let cpu = Cpu::new();
    println!("train_step: 20 frames, 16 windows, {:?}", cpu.isa());
    let mut runs = Vec::new();
    for threads in thread_counts() {
        runs.push(Run::new(&cpu, threads)?);
    }
    for step in 0..=steps {
        for run in &mut runs {
            run.step(step > 0);
        }
    }
    for run in &runs {
        run.print();
    }
    Ok(())
}

/// Steps with one number of threads.
struct Run<'c> {
    cpu: &'c Cpu,
    threads: usize,
    workers: rayon::ThreadPool,
    example: Example,
    values: Vec<Vec<f32>>,
    adam: Adam,
    /// FLOP per second, before and after each step.
    peaks: Vec<f64>,
    seconds: Vec<f64>,
    adam_seconds: Vec<f64>,
    costs: Vec<Costs>,
}

impl<'c> Run<'c> {
    fn new(cpu: &'c Cpu, threads: usize) -> Result<Self> {
        let example = Example::published()?;
        let tensors = example.network.parameters.tensors.iter();
        let values: Vec<Vec<f32>> = tensors.map(|t| t.values.clone()).collect();
        Ok(Self {
            cpu,
            threads,
            workers: pool(threads)?,
            example,
            adam: Adam::new(AdamConfig::default(), values.iter().map(Vec::len)),
            values,
            peaks: Vec::new(),
            seconds: Vec::new(),
            adam_seconds: Vec::new(),
            costs: Vec::new(),
        })
    }

    /// One step between two measurements of the peak.
    fn step(&mut self, counts: bool) {
        let before = fma_peak(self.cpu.isa(), self.threads);
        let Self {
            cpu,
            workers,
            example,
            values,
            adam,
            ..
        } = self;
        let (seconds, adam_seconds, costs) = workers.install(|| train(cpu, example, values, adam));
        let after = fma_peak(self.cpu.isa(), self.threads);
        if counts {
            self.peaks.extend([before, after]);
            self.seconds.push(seconds);
            self.adam_seconds.push(adam_seconds);
            self.costs.push(costs);
        }
    }

    fn print(&self) {
        let seconds = median(&self.seconds);
        let peak = median(&self.peaks);
        let spread = self.seconds.iter().copied().fold(f64::INFINITY, f64::min);
        let multiply_adds = self.costs.first().map_or(0, |costs| {
            costs.values().map(|cost| cost.multiply_adds).sum::<u64>()
        });
        let rate = FLOP_PER_MULTIPLY_ADD * multiply_adds as f64 / seconds;
        println!(
            "\nthreads {}: median {:.1} ms, fastest {:.1} ms of {} steps; {:.2} GMAC forward; \
             {:.1} GFLOP/s of {:.1} peak: {:.1} %",
            self.threads,
            1e3 * seconds,
            1e3 * spread,
            self.seconds.len(),
            1e-9 * multiply_adds as f64,
            1e-9 * rate,
            1e-9 * peak,
            100.0 * rate / peak,
        );
        println!("  operator             calls forward ms backward ms  GFLOP/s  of peak");
        let mut named = 0.0;
        for name in self.costs.first().into_iter().flat_map(|c| c.keys()) {
            named += self.print_operator(name, peak);
        }
        let adam = median(&self.adam_seconds);
        println!("  {:<20} {:>16.2}", "Adam", 1e3 * adam);
        let rest = (seconds - named - adam).max(0.0);
        println!("  {:<20} {:>16.2}", "the rest", 1e3 * rest);
    }

    /// Prints one operator's medians; its seconds.
    fn print_operator(&self, name: &str, peak: f64) -> f64 {
        let of = |part: fn(&Cost) -> f64| {
            let costs = self.costs.iter().filter_map(|costs| costs.get(name));
            median(&costs.map(part).collect::<Vec<_>>())
        };
        let forward = of(|cost| cost.forward.as_secs_f64());
        let backward = of(|cost| cost.backward.as_secs_f64());
        let rate = of(|cost| cost.multiply_adds as f64) * FLOP_PER_MULTIPLY_ADD;
        let rate = rate / (forward + backward);
        print!(
            "  {name:<20} {:>5} {:>10.2} {:>11.2}",
            of(|cost| cost.calls as f64),
            1e3 * forward,
            1e3 * backward
        );
        if rate > 0.0 {
            print!(" {:>8.1} {:>6.1} %", 1e-9 * rate, 100.0 * rate / peak);
        }
        println!();
        forward + backward
    }
}

/// One step; its seconds, those of them in Adam, and the operators' share.
fn train(
    cpu: &Cpu,
    example: &Example,
    values: &mut [Vec<f32>],
    adam: &mut Adam,
) -> (f64, f64, Costs) {
    let started = Instant::now();
    let (grads, costs) = {
        let mut tape = Tape::new(cpu);
        let leaves = DeRefNet::leaves(&mut tape, values, true);
        let graph = example
            .network
            .forward(cpu, &mut tape, &leaves, &example.frames, true);
        let labels = tape.constant(example.labels.clone());
        let loss = LossConfig::published(LossVariant::Released);
        let losses = Losses::record(&mut tape, &graph, labels, 1, &loss);
        let mut grads = tape.backward(losses.total, &[]);
        let grads: Vec<_> = leaves.iter().map(|&leaf| grads.take(leaf)).collect();
        (grads, tape.costs().clone())
    };
    let before_adam = Instant::now();
    adam.step(&vec![RATE; values.len()], values, &grads);
    let adam_seconds = before_adam.elapsed().as_secs_f64();
    for grad in grads.into_iter().flatten() {
        cpu.recycle(grad);
    }
    (started.elapsed().as_secs_f64(), adam_seconds, costs)
}
