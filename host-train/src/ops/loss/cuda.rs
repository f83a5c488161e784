//! Losses on a GPU; sums are carried in f64.

use derefnet_cuda_kernels::{
    ABSOLUTE_GRADIENT, ABSOLUTE_PARTIALS, Kernel, MOST_TERMS, SQUARED_GRADIENT, SQUARED_PARTIALS,
    Terms, WEIGHTED_GRADIENT, WEIGHTED_SUM,
};

use super::{AbsoluteError, SquaredError, WeightedSum};
use crate::backend::cuda::{Argument, Buffer, Cuda, Grid, blocks, count, geometry};
use crate::ops::{Operator, Saved, as_on_the_cpu};

/// The loss's sum by `kernel`, times `scale`.
fn sum(cuda: &Cuda, kernel: &Kernel, inputs: &[&Buffer], scale: f32, output: &Buffer) {
    let len = inputs[0].len();
    let part = cuda.doubles(blocks(len));
    let arguments = [
        Argument::Count(len),
        Argument::In(inputs[0]),
        inputs.get(1).map_or(Argument::Null, |b| Argument::In(b)),
        Argument::Out(&part),
    ];
    cuda.launch(kernel, Grid::over(len), &arguments);
    cuda.sum(&part, scale, output);
}

/// Gradients by `kernel`, which is told the input itself first and then the other one.
fn gradients(
    cuda: &Cuda,
    kernel: &Kernel,
    saved: &Saved<'_, Cuda>,
    scale: f32,
    grads: &[Option<Buffer>],
) {
    for (i, grad) in grads.iter().enumerate() {
        let Some(grad) = grad else { continue };
        let other = saved.inputs.get(1 - i);
        let arguments = [
            Argument::Count(grad.len()),
            Argument::Float(scale),
            Argument::In(saved.inputs[i]),
            other.map_or(Argument::Null, |b| Argument::In(b)),
            Argument::In(saved.grad),
            Argument::Out(grad),
        ];
        cuda.launch(kernel, Grid::over(grad.len()), &arguments);
    }
}

impl Operator<Cuda> for SquaredError {
    as_on_the_cpu!();

    fn forward(&self, cuda: &Cuda, inputs: &[&Buffer], output: &mut Buffer) {
        sum(cuda, &SQUARED_PARTIALS, inputs, self.scale, output);
    }

    fn backward(&self, cuda: &Cuda, saved: &Saved<'_, Cuda>, grads: &mut [Option<Buffer>]) {
        gradients(cuda, &SQUARED_GRADIENT, saved, self.scale, grads);
    }
}

impl Operator<Cuda> for AbsoluteError {
    as_on_the_cpu!();

    fn forward(&self, cuda: &Cuda, inputs: &[&Buffer], output: &mut Buffer) {
        sum(cuda, &ABSOLUTE_PARTIALS, inputs, self.scale, output);
    }

    fn backward(&self, cuda: &Cuda, saved: &Saved<'_, Cuda>, grads: &mut [Option<Buffer>]) {
        gradients(cuda, &ABSOLUTE_GRADIENT, saved, self.scale, grads);
    }
}

/// Up to [`MOST_TERMS`] scalars with their weights.
fn terms<'a>(pairs: &[(&'a Buffer, f32)], more: bool) -> (Terms, Vec<&'a Buffer>) {
    let mut terms = Terms {
        scalar: [0; MOST_TERMS],
        weight: [0.0; MOST_TERMS],
        count: count(pairs.len()),
        more: u32::from(more),
    };
    for (i, (scalar, weight)) in pairs.iter().enumerate() {
        (terms.scalar[i], terms.weight[i]) = (scalar.pointer(), *weight);
    }
    (terms, pairs.iter().map(|pair| pair.0).collect())
}

impl Operator<Cuda> for WeightedSum {
    as_on_the_cpu!();

    fn forward(&self, cuda: &Cuda, inputs: &[&Buffer], output: &mut Buffer) {
        let pairs = inputs.iter().copied().zip(self.weights.iter().copied());
        let pairs: Vec<(&Buffer, f32)> = pairs.collect();
        for (i, pairs) in pairs.chunks(MOST_TERMS).enumerate() {
            let (terms, scalars) = terms(pairs, i > 0);
            cuda.touch(&scalars, &[]);
            let arguments = [geometry(&terms), Argument::Out(output)];
            cuda.launch(&WEIGHTED_SUM, Grid::each(1), &arguments);
        }
    }

    fn backward(&self, cuda: &Cuda, saved: &Saved<'_, Cuda>, grads: &mut [Option<Buffer>]) {
        let pairs = grads.iter().zip(self.weights.iter().copied());
        let pairs = pairs.filter_map(|(grad, weight)| Some((grad.as_ref()?, weight)));
        let pairs: Vec<(&Buffer, f32)> = pairs.collect();
        for pairs in pairs.chunks(MOST_TERMS) {
            let (terms, scalars) = terms(pairs, false);
            cuda.touch(&[], &scalars);
            let arguments = [geometry(&terms), Argument::In(saved.grad)];
            cuda.launch(&WEIGHTED_GRADIENT, Grid::each(1), &arguments);
        }
    }
}
