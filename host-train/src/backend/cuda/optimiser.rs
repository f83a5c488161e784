//! Adam, the norm of gradients and averages of weights: one launch over all tensors.

use derefnet_cuda_kernels as kernels;
use kernels::{AdamGeometry, AdamSlice, table_bytes};

use super::{Argument, Buffer, Cuda, Grid, count, geometry};
use crate::backend::{AdamStep, AdamTensor, Backend};
use crate::train::adam::{NEGLIGIBLE, NEGLIGIBLE_MOMENT};

/// Values of a slice, so of one block.
const SLICE: usize = 2048;

/// A tensor's slices.
fn slices<'a>(
    len: usize,
    step: f32,
    [value, gradient, first, second]: [Option<&'a Buffer>; 4],
) -> impl Iterator<Item = AdamSlice> + 'a {
    let at = |buffer: Option<&Buffer>, start: usize| {
        buffer.map_or(0, |b| b.address() + (start * size_of::<f32>()) as u64)
    };
    (0..len).step_by(SLICE).map(move |start| AdamSlice {
        value: at(value, start),
        gradient: at(gradient, start),
        first: at(first, start),
        second: at(second, start),
        len: count(SLICE.min(len - start)),
        step,
    })
}

/// Slices of all tensors on the device. The table names their memory, so everything in it has to be
/// written down as read and written here.
struct Table<'a> {
    cuda: &'a Cuda,
    buffer: Buffer,
    blocks: usize,
    touched: Vec<&'a Buffer>,
}

impl<'a> Table<'a> {
    fn new(cuda: &'a Cuda, slices: &[AdamSlice], touched: Vec<&'a Buffer>) -> Self {
        Self {
            cuda,
            buffer: cuda.passing_table(table_bytes(slices)),
            blocks: slices.len(),
            touched,
        }
    }

    /// Runs a kernel of one block per slice that may write everything in the table.
    fn launch(&self, kernel: &kernels::Kernel, arguments: &[Argument<'_>]) {
        if self.blocks > 0 {
            self.cuda.touch(&[], &self.touched);
            self.cuda.launch(kernel, Grid::each(self.blocks), arguments);
        }
    }
}

pub(super) fn adam(cuda: &Cuda, step: &AdamStep, tensors: &mut [AdamTensor<'_, Cuda>]) {
    let (mut all, mut touched) = (Vec::new(), Vec::new());
    for tensor in tensors.iter() {
        let buffers = [
            &*tensor.value,
            tensor.gradient,
            &*tensor.first,
            &*tensor.second,
        ];
        let len = tensor.value.len();
        assert!(buffers.iter().all(|buffer| buffer.len() == len));
        all.extend(slices(len, step.length(tensor.rate), buffers.map(Some)));
        touched.extend(buffers);
    }
    let table = Table::new(cuda, &all, touched);
    let constants = AdamGeometry {
        beta1: step.config.beta1,
        beta2: step.config.beta2,
        epsilon: step.config.epsilon,
        weight_decay: step.config.weight_decay,
        root: step.root(),
        negligible: NEGLIGIBLE,
        negligible_first: NEGLIGIBLE_MOMENT,
        negligible_second: NEGLIGIBLE_MOMENT * NEGLIGIBLE_MOMENT,
    };
    table.launch(
        &kernels::ADAM_STEP,
        &[geometry(&constants), Argument::In(&table.buffer)],
    );
}

pub(super) fn clip(cuda: &Cuda, gradients: &mut [&mut Buffer], limit: f32) {
    let gradients: Vec<&Buffer> = gradients.iter().map(|g| &**g).collect();
    let all = gradients
        .iter()
        .flat_map(|gradient| slices(gradient.len(), 0.0, [None, Some(gradient), None, None]));
    let all: Vec<AdamSlice> = all.collect();
    let table = Table::new(cuda, &all, gradients);
    let (part, factor) = (cuda.doubles(table.blocks.max(1)), cuda.alloc(1));
    table.launch(
        &kernels::ADAM_NORM_PARTIALS,
        &[Argument::In(&table.buffer), Argument::Out(&part)],
    );
    let arguments = [
        Argument::Count(table.blocks),
        Argument::Float(limit),
        Argument::In(&part),
        Argument::Out(&factor),
    ];
    cuda.launch(&kernels::ADAM_CLIP_FACTOR, Grid::each(1), &arguments);
    table.launch(
        &kernels::ADAM_SCALE,
        &[Argument::In(&table.buffer), Argument::In(&factor)],
    );
}

pub(super) fn follow(cuda: &Cuda, averages: &mut [Buffer], values: &[Buffer], kept: f32) {
    assert_eq!(averages.len(), values.len());
    let (mut all, mut touched) = (Vec::new(), Vec::new());
    for (average, value) in averages.iter().zip(values) {
        assert_eq!(average.len(), value.len());
        let buffers = [Some(value), None, Some(average), None];
        all.extend(slices(value.len(), 0.0, buffers));
        touched.extend([average, value]);
    }
    let table = Table::new(cuda, &all, touched);
    let arguments = [
        Argument::Float(1.0 - kept),
        Argument::Float(NEGLIGIBLE),
        Argument::In(&table.buffer),
    ];
    table.launch(&kernels::ADAM_FOLLOW, &arguments);
}
