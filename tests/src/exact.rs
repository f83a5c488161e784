//! A backend in f64 whose kernels are the oracles: whole networks by the equations, for gradients
//! that no rounding blurs.

use derefnet::backend::cpu::Cpu;
use derefnet::backend::{AdamStep, AdamTensor, Backend};
use derefnet::ops::{Op, Operator, Saved};

use crate::oracle::arithmetic::Arithmetic;
use crate::oracle::{
    arithmetic, channel_stats, concat, conv2d, data_step, deform_sample, gather, group_scale, loss,
    mask_loss, normalise, pixel_shuffle, pointwise, pool, prelu, resize, row_stats, shrink,
    soft_threshold, spectral_norm, strided_conv2d, time_code, total,
};

/// Computes in f64.
#[derive(Clone, Copy, Debug)]
pub struct Exact;

/// An operator by its oracle.
struct Naive(Op);

impl Backend for Exact {
    type Buffer = Vec<f64>;
    type Pending = Vec<Vec<f32>>;

    fn kernels(&self, op: Op) -> Box<dyn Operator<Self>> {
        Box::new(Naive(op))
    }

    fn pass<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        work()
    }

    fn in_flight(&self) -> usize {
        1
    }

    fn alloc(&self, len: usize) -> Vec<f64> {
        vec![0.0; len]
    }

    fn recycle(&self, _: Vec<f64>) {}

    fn upload(&self, values: &[f32]) -> Vec<f64> {
        values.iter().map(|&v| f64::from(v)).collect()
    }

    fn start_download(&self, buffers: &[&Vec<f64>]) -> Vec<Vec<f32>> {
        let narrow = |buffer: &&Vec<f64>| buffer.iter().map(|&v| v as f32).collect();
        buffers.iter().map(narrow).collect()
    }

    fn finish_download(&self, pending: Vec<Vec<f32>>) -> Vec<Vec<f32>> {
        pending
    }

    fn accumulate(&self, target: &mut Vec<f64>, addend: &Vec<f64>) {
        for (t, a) in target.iter_mut().zip(addend) {
            *t += a;
        }
    }

    fn fill(&self, target: &mut Vec<f64>, value: f32) {
        target.fill(f64::from(value));
    }

    fn adam(&self, _: &AdamStep, _: &mut [AdamTensor<'_, Self>]) {
        unimplemented!("gradients only")
    }

    fn clip(&self, _: &mut [&mut Vec<f64>], _: f32) {
        unimplemented!("gradients only")
    }

    fn follow(&self, _: &mut [Vec<f64>], _: &[Vec<f64>], _: f32) {
        unimplemented!("gradients only")
    }

    fn len(&self, buffer: &Vec<f64>) -> usize {
        buffer.len()
    }
}

/// The output of `op`.
fn forward(op: &Op, x: &[Vec<f64>]) -> Vec<f64> {
    match op {
        Op::AbsoluteError(op) => loss::absolute(op, x),
        Op::Add(_) => arithmetic::forward(Arithmetic::Add, x),
        Op::ChannelStats(op) => channel_stats::forward(op, x),
        Op::Concat(op) => concat::forward(op, x),
        Op::Conv2d(op) => conv2d::forward(op, x),
        Op::DataStep(op) => data_step::forward(op, x),
        Op::DeformSample(op) => deform_sample::forward(op, x),
        Op::Gather(op) => gather::forward(op, x),
        Op::GroupScale(op) => group_scale::forward(op, x),
        Op::MaskLoss(op) => mask_loss::forward(op, x),
        Op::Moments(op) => normalise::moments(op, x),
        Op::Mul(_) => arithmetic::forward(Arithmetic::Mul, x),
        Op::Normalise(op) => normalise::forward(op, x),
        Op::PixelShuffle(op) => pixel_shuffle::forward(op, x),
        Op::Pointwise(op) => pointwise::forward(op, x),
        Op::Pool(op) => pool::forward(op, x),
        Op::PowerIteration(op) => spectral_norm::power(op, x),
        Op::Prelu(_) => prelu::forward(x),
        Op::Resize(op) => resize::forward(op, x),
        Op::RowCount(op) => row_stats::count(op, x),
        Op::RowRms(op) => row_stats::rms(op, x),
        Op::Shrink(op) => shrink::forward(op, x),
        Op::SoftThreshold(_) => soft_threshold::forward(x),
        Op::SpectralNorm(op) => spectral_norm::forward(op, x),
        Op::SquaredError(op) => loss::squared(op, x),
        Op::StridedConv2d(op) => strided_conv2d::strided(op, x),
        Op::Sub(_) => arithmetic::forward(Arithmetic::Sub, x),
        Op::TimeCode(op) => time_code::forward(op, x),
        Op::Total(op) => total::forward(op, x),
        Op::TransposedConv2d(op) => strided_conv2d::transposed(op, x),
        Op::WeightedSum(op) => loss::weighted(op, x),
        other => panic!("{other:?} stands in no method"),
    }
}

/// Gradients of `op` by its inputs.
fn backward(op: &Op, x: &[Vec<f64>], dy: &[f64]) -> Vec<Vec<f64>> {
    let zeros = || x.iter().map(|x| vec![0.0; x.len()]).collect();
    match op {
        Op::AbsoluteError(op) => loss::absolute_backward(op, x, dy),
        Op::Add(_) => arithmetic::backward(Arithmetic::Add, x, dy),
        Op::ChannelStats(op) => channel_stats::backward(op, x, dy),
        Op::Concat(op) => concat::backward(op, dy),
        Op::Conv2d(op) => conv2d::backward(op, x, dy),
        Op::DataStep(op) => data_step::backward(op, x, dy),
        Op::DeformSample(op) => deform_sample::backward(op, x, dy),
        Op::Gather(op) => gather::backward(op, x, dy),
        Op::GroupScale(op) => group_scale::backward(op, x, dy),
        Op::MaskLoss(op) => mask_loss::backward(op, x, dy),
        Op::Moments(op) => normalise::moments_backward(op, x, dy),
        Op::Mul(_) => arithmetic::backward(Arithmetic::Mul, x, dy),
        Op::Normalise(op) => normalise::backward(op, x, dy),
        Op::PixelShuffle(op) => pixel_shuffle::backward(op, dy),
        Op::Pointwise(op) => pointwise::backward(op, x, dy),
        Op::Pool(op) => pool::backward(op, x, dy),
        Op::PowerIteration(_) | Op::RowCount(_) => zeros(),
        Op::Prelu(_) => prelu::backward(x, dy),
        Op::Resize(op) => resize::backward(op, dy),
        Op::RowRms(op) => row_stats::rms_backward(op, x, dy),
        Op::Shrink(op) => shrink::backward(op, x, dy),
        Op::SoftThreshold(_) => soft_threshold::backward(x, dy),
        Op::SpectralNorm(op) => spectral_norm::backward(op, x, dy),
        Op::SquaredError(op) => loss::squared_backward(op, x, dy),
        Op::StridedConv2d(op) => strided_conv2d::strided_backward(op, x, dy),
        Op::Sub(_) => arithmetic::backward(Arithmetic::Sub, x, dy),
        Op::TimeCode(op) => time_code::backward(op, x, dy),
        Op::Total(op) => total::backward(op, dy),
        Op::TransposedConv2d(op) => strided_conv2d::transposed_backward(op, x, dy),
        Op::WeightedSum(op) => loss::weighted_backward(op, dy),
        other => panic!("{other:?} stands in no method"),
    }
}

fn owned(inputs: &[&Vec<f64>]) -> Vec<Vec<f64>> {
    inputs.iter().map(|&x| x.clone()).collect()
}

impl Operator<Exact> for Naive {
    fn name(&self) -> &'static str {
        "oracle"
    }

    fn output_len(&self) -> usize {
        self.0.clone().boxed::<Cpu>().output_len()
    }

    fn forward(&self, _: &Exact, inputs: &[&Vec<f64>], output: &mut Vec<f64>) {
        *output = forward(&self.0, &owned(inputs));
    }

    fn backward(&self, _: &Exact, saved: &Saved<'_, Exact>, grads: &mut [Option<Vec<f64>>]) {
        let all = backward(&self.0, &owned(saved.inputs), saved.grad);
        for (grad, value) in grads.iter_mut().zip(all) {
            if let Some(grad) = grad {
                *grad = value;
            }
        }
    }
}
