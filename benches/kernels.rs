//! Forward and backward of every operator at the shapes of the published networks' training steps,
//! on one thread.
//!
//! After criterion's own lines each operator that multiplies shows its rate by the direct algorithm
//! and its share of the processor's peak, measured just before: 2 FLOP per multiply-add forward, 4
//! backward.

mod of_methods;

use std::cell::Cell;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use derefnet::backend::Backend;
use derefnet::backend::cpu::arch::fma_peak;
use derefnet::backend::cpu::{Buffer, Cpu};
use derefnet::ops::{
    AbsoluteError, Activation, Add, ChannelStats, Concat, Conv2d, DataStep, DeformConv2d, Gather,
    GroupScale, Mul, Op, SoftThreshold, SquaredError, Sub, TimeCode, WeightedSum,
};
use derefnet::ops::{Operator, Saved};
use derefnet::rng::Rng;
use derefnet::tensor::Shape;
use derefnet_benches::{SEED, pool};
use derefnet_core::physics::{MAP_LEN, MAP_SIDE};
use rayon::ThreadPool;

/// Channels of hidden maps.
const C: usize = 32;
/// Frames of a trajectory, and its windows and their pairs of centre and neighbour.
const FRAMES: usize = 20;
const WINDOWS: usize = 16;
const PAIRS: usize = 64;

/// An operator with the lengths of its inputs; `constants` are those that need no gradient.
struct Case {
    name: &'static str,
    op: Op,
    inputs: Vec<usize>,
    constants: &'static [usize],
}

fn case(name: &'static str, op: impl Into<Op>, inputs: &[usize]) -> Case {
    Case {
        name,
        op: op.into(),
        inputs: inputs.to_vec(),
        constants: &[],
    }
}

fn maps(n: usize, c: usize) -> Shape {
    Shape {
        n,
        h: MAP_SIDE,
        w: MAP_SIDE,
        c,
    }
}

fn conv(name: &'static str, n: usize, from: usize, to: usize, kernel: usize) -> Case {
    let op = Conv2d {
        input: maps(n, from),
        out_channels: to,
        kernel,
        bias: true,
        activation: Activation::Relu,
    };
    case(name, op, &[op.input.len(), op.weights(), to])
}

fn heavy() -> Vec<Case> {
    let deform = DeformConv2d {
        input: maps(PAIRS, C),
        out_channels: C,
    };
    let offsets = maps(PAIRS, 18).len();
    let data = DataStep {
        n: FRAMES,
        side: MAP_SIDE,
    };
    let frames = maps(FRAMES, 1).len();
    vec![
        conv("conv2d 3x3 1-32, 20 maps", FRAMES, 1, C, 3),
        conv("conv2d 3x3 32-32, 20 maps", FRAMES, C, C, 3),
        conv("conv2d 3x3 32-1, 20 maps", FRAMES, C, 1, 3),
        conv("conv2d 1x1 32-16, 20 maps", FRAMES, C, C / 2, 1),
        conv("conv2d 3x3 2-2, 64 maps", PAIRS, 2, 2, 3),
        conv("conv2d 3x3 32-18, 64 maps", PAIRS, C, 18, 3),
        conv("conv2d 3x3 5-32, 16 maps", WINDOWS, 5, C, 3),
        case(
            "deform_conv2d 32-32, 64 maps",
            deform,
            &[deform.input.len(), offsets, C * C * 9],
        ),
        Case {
            constants: &[1, 3],
            ..case(
                "data_step, 20 maps",
                data,
                &[frames, frames, 1, MAP_SIDE * MAP_SIDE],
            )
        },
    ]
}

fn light() -> Vec<Case> {
    let (pixels, pairs) = (PAIRS * MAP_LEN, maps(PAIRS, C).len());
    let (hidden, frames) = (maps(FRAMES, C).len(), maps(FRAMES, 1).len());
    let windows = WINDOWS * MAP_LEN;
    let scale = 1.0 / windows as f32;
    let gather = Gather {
        index: (0..PAIRS).map(|p| p % FRAMES).collect(),
        sources: FRAMES,
        item: MAP_LEN * C,
    };
    let stats = ChannelStats {
        pixels,
        channels: C,
    };
    let group = GroupScale {
        pixels,
        channels: C,
        groups: 2,
    };
    let concat = Concat {
        pixels,
        channels: vec![C / 2; 2],
    };
    let time = TimeCode {
        times: (0..FRAMES).map(|t| t as f32 / 20.0).collect(),
        len: MAP_LEN,
    };
    let aligned = AbsoluteError {
        len: pixels,
        scale: 1.0,
    };
    let squared = SquaredError {
        len: windows,
        scale,
    };
    let sum = WeightedSum {
        weights: vec![0.1; 11],
    };
    vec![
        case(
            "soft_threshold",
            SoftThreshold { len: hidden },
            &[hidden, 1],
        ),
        case("add", Add { len: hidden }, &[hidden; 2]),
        case("sub", Sub { len: frames }, &[frames; 2]),
        case("mul", Mul { len: frames }, &[frames; 2]),
        case("channel_stats", stats, &[pairs]),
        case("group_scale", group, &[pairs, 2 * pixels]),
        case("concat", concat, &[pairs / 2; 2]),
        case("gather", gather, &[hidden]),
        case("time_code", time, &[MAP_LEN * MAP_LEN, MAP_LEN]),
        case("absolute_error", aligned, &[pixels; 2]),
        case("squared_error", squared, &[windows; 2]),
        case("weighted_sum", sum, &[1; 11]),
    ]
}

fn random(len: usize, stream: u64) -> Buffer {
    let mut rng = Rng::new(SEED, *b"kernels ", stream);
    let mut values = Buffer::zeros(len);
    values.fill_with(|| rng.range(-1.0, 1.0) as f32);
    values
}

/// Measures `body` by criterion on one worker; seconds of one call in criterion's last round.
fn measure(
    criterion: &mut Criterion,
    worker: &ThreadPool,
    name: &str,
    mut body: impl FnMut() + Send,
) -> f64 {
    let seconds = Cell::new(0.0);
    criterion.bench_function(name, |bencher| {
        bencher.iter_custom(|calls| {
            let elapsed = worker.install(|| {
                let started = Instant::now();
                (0..calls).for_each(|_| body());
                started.elapsed()
            });
            seconds.set(elapsed.as_secs_f64() / calls as f64);
            elapsed
        });
    });
    seconds.get()
}

fn rate(direction: &str, flop: f64, seconds: f64, peak: f64) {
    // Not selected by the command line's filter, or nothing to count.
    if flop > 0.0 && seconds > 0.0 {
        let rate = flop / seconds;
        println!(
            "    {direction}: {:.1} GFLOP/s of {:.1}: {:.1} %",
            1e-9 * rate,
            1e-9 * peak,
            100.0 * rate / peak
        );
    }
}

fn run(criterion: &mut Criterion, worker: &ThreadPool, cpu: &Cpu, case: Case) {
    let operator: Box<dyn Operator<Cpu>> = cpu.kernels(case.op);
    let flop = 2.0 * operator.multiply_adds() as f64;
    let streams = case.inputs.iter().zip(1..);
    let inputs: Vec<Buffer> = streams.map(|(&len, stream)| random(len, stream)).collect();
    let inputs: Vec<&Buffer> = inputs.iter().collect();
    let mut output = Buffer::zeros(operator.output_len());
    let mut kept = Buffer::zeros(operator.kept_len());
    let peak = fma_peak(cpu.isa(), 1);
    let seconds = measure(criterion, worker, &format!("{}/forward", case.name), || {
        operator.forward_keeping(cpu, &inputs, &mut output, &mut kept);
    });
    rate("forward", flop, seconds, peak);
    let grad = random(output.len(), 0);
    let saved = Saved {
        inputs: &inputs,
        output: &output,
        kept: &kept,
        grad: &grad,
    };
    let wanted = |input: &usize| !case.constants.contains(input);
    let mut grads: Vec<Option<Buffer>> = (0..case.inputs.len())
        .map(|input| wanted(&input).then(|| Buffer::zeros(case.inputs[input])))
        .collect();
    let seconds = measure(
        criterion,
        worker,
        &format!("{}/backward", case.name),
        || {
            operator.backward(cpu, &saved, &mut grads);
        },
    );
    rate("backward", 2.0 * flop, seconds, peak);
}

fn kernels(criterion: &mut Criterion) {
    let cpu = Cpu::new();
    // Without a worker of its own there is nothing to compare with the peak of one thread.
    let Ok(worker) = pool(1) else {
        eprintln!("kernels: cannot start a worker");
        return;
    };
    let published = heavy().into_iter().chain(light());
    for case in published
        .chain(of_methods::heavy())
        .chain(of_methods::light())
    {
        run(criterion, &worker, &cpu, case);
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .sample_size(10)
        .without_plots();
    targets = kernels
}
criterion_main!(benches);
