//! The integer network on one thread: convolutions with their requantisation, deformable sampling,
//! and whole networks, for every set of kernels that the processor can run.
//!
//! Rates are multiply-adds per cycle of the core clock, beside those of the same instruction on
//! registers alone. The clock comes from a chain of dependent additions and exclusive ors, one cycle
//! each. All cases take turns; medians over the turns. `-- --test` takes one turn.

mod network;

use std::hint::black_box;
use std::time::Instant;

use derefnet::rng::Rng;
use derefnet_benches::{SEED, median};
use derefnet_core::arch::{
    Finish, Kernels, MAX_OUTPUTS, Product, ProductShape, SEGMENTS, Sampling, Scaling,
};
use derefnet_core::fixed::Requant;
use derefnet_core::physics::MAP_SIDE;

/// Turns that all cases take.
const TURNS: usize = 201;
/// Rounds of the clock's chain, and of the registers' multiply-adds.
const CHAIN: u32 = 50_000;
const ROUNDS: u32 = 4_000;

/// A piece of work that is timed; returns its multiply-adds.
type Work = Box<dyn FnMut() -> u64>;

struct Case {
    name: String,
    set: Kernels,
    work: Work,
    seconds: Vec<f64>,
    count: u64,
}

impl Case {
    fn new(name: &str, set: Kernels, work: impl FnMut() -> u64 + 'static) -> Self {
        Self {
            name: name.to_owned(),
            set,
            work: Box::new(work),
            seconds: Vec::new(),
            count: 0,
        }
    }

    fn turn(&mut self) {
        let start = Instant::now();
        self.count = (self.work)();
        self.seconds.push(start.elapsed().as_secs_f64());
    }
}

/// Map with a pixel of zeros before each row and at the end, `(side, side + 1, channels)`.
fn map(rng: &mut Rng, channels: usize) -> Vec<i16> {
    let row = (MAP_SIDE + 1) * channels;
    let value = |index: usize| {
        let border = index % row < channels;
        let value = (rng.uniform() * 4000.0 - 2000.0) as i16;
        if border { 0 } else { value }
    };
    (0..MAP_SIDE * row + channels).map(value).collect()
}

/// A 3×3 convolution between maps of `channels`, row by row.
struct Convolution {
    set: Kernels,
    shape: ProductShape,
    packed: Vec<i16>,
    scaling: Scaling,
    input: Vec<i16>,
    output: Vec<i16>,
    sums: Vec<i32>,
}

impl Convolution {
    fn new(set: Kernels, channels: usize) -> Self {
        let mut rng = Rng::new(SEED, *b"quantise", 0);
        let shape = ProductShape {
            outputs: channels,
            segments: SEGMENTS,
            run: 3 * channels,
        };
        let weight = |_| (rng.uniform() * 254.0 - 127.0) as i8 as u8;
        let weights: Vec<u8> = (0..shape.weights_len()).map(weight).collect();
        let mut packed = vec![0; shape.packed_len()];
        set.pack(shape, &weights, &mut packed);
        let mut scaling = Scaling::ZERO;
        let factor = Requant::nearest(1.0 / 1024.0).unwrap_or(Requant::ZERO);
        (0..MAX_OUTPUTS).for_each(|output| scaling.set(output, 100, factor));
        let input = map(&mut rng, channels);
        Self {
            set,
            shape,
            packed,
            scaling,
            output: vec![0; input.len()],
            input,
            sums: vec![0; MAP_SIDE * channels],
        }
    }

    /// The whole map; returns the multiply-adds, those of rows outside the map left out.
    fn run(&mut self) -> u64 {
        let channels = self.shape.outputs;
        let row = (MAP_SIDE + 1) * channels;
        let mut count = 0;
        for r in 0..MAP_SIDE {
            let run = |s: usize| {
                let source = (r + s).checked_sub(1).filter(|&source| source < MAP_SIDE)?;
                self.input.get(source * row..)
            };
            let runs = [run(0), run(1), run(2)];
            count += runs.iter().flatten().count() * self.shape.run * channels * MAP_SIDE;
            let product = Product {
                shape: self.shape,
                packed: &self.packed,
                runs,
                stride: channels,
                pixels: MAP_SIDE,
            };
            self.set.accumulate(&product, &mut self.sums);
            let out = self
                .output
                .get_mut(r * row + channels..)
                .unwrap_or_default();
            let finish = Finish::Relu;
            self.set
                .requantise(&self.sums, channels, &self.scaling, finish, (out, channels));
        }
        black_box(&self.output);
        count as u64
    }
}

/// Samples at nine displaced taps of every pixel; four multiply-adds a channel.
fn sampling(set: Kernels, channels: usize) -> impl FnMut() -> u64 {
    let mut rng = Rng::new(SEED, *b"quantise", 0);
    let map = map(&mut rng, channels);
    let bits = 10;
    let offset = |_| ((rng.uniform() * 4.0 - 2.0) * 1024.0) as i16;
    let offsets: Vec<i16> = (0..MAP_SIDE * MAP_SIDE * 18).map(offset).collect();
    let mut patches = vec![0; MAP_SIDE * 9 * channels];
    move || {
        for (row, offsets) in offsets.chunks_exact(MAP_SIDE * 18).enumerate() {
            let sampling = Sampling {
                map: &map,
                side: MAP_SIDE,
                channels,
                row,
                column: 0,
                offsets,
                bits,
            };
            set.sample(&sampling, &mut patches);
            black_box(&patches);
        }
        (MAP_SIDE * MAP_SIDE * 9 * 4 * channels) as u64
    }
}

/// Two dependent instructions of one cycle, sixteen times a round; returns the cycles.
fn chain() -> u64 {
    let (mut x, step) = (black_box(1_u64), black_box(0x9E37_79B9_7F4A_7C15_u64));
    for _ in 0..CHAIN {
        for _ in 0..16 {
            x ^= x.wrapping_add(step);
        }
    }
    black_box(x);
    u64::from(CHAIN) * 32
}

fn cases() -> Vec<Case> {
    let mut cases = vec![Case::new("clock", Kernels::SCALAR, chain)];
    for set in Kernels::available() {
        if set.peak(1).is_some() {
            let peak = move || black_box(set.peak(black_box(ROUNDS))).unwrap_or(0);
            cases.push(Case::new("registers alone", set, peak));
        }
        for channels in [32, 16] {
            let mut convolution = Convolution::new(set, channels);
            let name = format!("conv 3x3 {channels}-{channels}");
            cases.push(Case::new(&name, set, move || convolution.run()));
        }
        cases.push(Case::new("deformable samples 32", set, sampling(set, 32)));
    }
    cases
}

fn report(cases: &[Case], turns: usize) {
    let rate = |case: &Case| case.count as f64 / median(&case.seconds);
    let Some((clock, cases)) = cases.split_first() else {
        return;
    };
    let clock = rate(clock);
    println!(
        "core clock {:.2} GHz, medians of {} turns",
        clock / 1e9,
        turns
    );
    println!("set           case                        µs  multiply-adds/cycle  of registers");
    for case in cases {
        let is_peak = |other: &&Case| other.set == case.set && other.name == "registers alone";
        let share = cases.iter().find(is_peak).map_or("-".to_owned(), |peak| {
            format!("{:.0} %", 100.0 * rate(case) / rate(peak))
        });
        println!(
            "{:13} {:22} {:8.1} {:20.2} {share:>13}",
            case.set.name(),
            case.name,
            1e6 * median(&case.seconds),
            rate(case) / clock,
        );
    }
}

fn main() -> derefnet::Result<()> {
    let quick = std::env::args().any(|arg| arg == "--test");
    let turns = if quick { 1 } else { TURNS };
    let mut cases = cases();
    for _ in 0..turns {
        cases.iter_mut().for_each(Case::turn);
    }
    report(&cases, turns);
    network::run(quick)
}
