//! One training step of the published network: 20 frames, 16 windows; forward with the symmetric
//! branch, the released loss, backward, Adam.
//!
//! Prints, in one run and for one and two threads: the processor's rate of multiply-adds, measured
//! before and after every step, and the step's median time, rate and share of that peak; then a
//! table by operator. Rates count the direct algorithm: 2 FLOP per multiply-add forward, 4
//! backward; elementwise operators and bilinear sampling count nothing.
//!
//! `-- --test` runs one step per number of threads.

use derefnet::Result;
use derefnet::autograd::Cost;
use derefnet::backend::cpu::Cpu;
use derefnet::backend::cpu::arch::fma_peak;
use derefnet_benches::{Costs, Training, median, pool, thread_counts};

/// FLOP of forward and backward per multiply-add of the forward pass.
const FLOP_PER_MULTIPLY_ADD: f64 = 6.0;
/// Measured steps per number of threads, after one that is not counted.
const STEPS: usize = 9;

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
    training: Training,
    /// FLOP per second, before and after each step.
    peaks: Vec<f64>,
    seconds: Vec<f64>,
    adam_seconds: Vec<f64>,
    costs: Vec<Costs>,
}

impl<'c> Run<'c> {
    fn new(cpu: &'c Cpu, threads: usize) -> Result<Self> {
        Ok(Self {
            cpu,
            threads,
            workers: pool(threads)?,
            training: Training::published(1)?,
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
            training,
            ..
        } = self;
        let time = workers.install(|| training.step(cpu));
        let after = fma_peak(self.cpu.isa(), self.threads);
        if counts {
            self.peaks.extend([before, after]);
            self.seconds.push(time.seconds);
            self.adam_seconds.push(time.adam_seconds);
            self.costs.push(time.costs);
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
