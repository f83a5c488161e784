//! Symmetries of the training operators: what no oracle needs to say.

use derefnet::backend::Backend;
use derefnet::backend::cpu::Cpu;
use derefnet::ops::{Activation, Conv2d, DataStep, DeformConv2d, Op, SoftThreshold};
use derefnet::tensor::Shape;
use derefnet_tests::cases::Draw;
use derefnet_tests::properties;
use derefnet_tests::tolerance::{DOT_PRODUCT, WINOGRAD};
use proptest::prelude::*;
use proptest::sample::select;

/// The operator's output on the fastest instruction set.
fn run(op: impl Into<Op>, inputs: &[&[f32]]) -> Vec<f32> {
    let cpu = Cpu::new();
    let kernels = cpu.kernels(op.into());
    let buffers: Vec<_> = inputs.iter().map(|values| cpu.upload(values)).collect();
    let mut output = cpu.alloc(kernels.output_len());
    let inputs: Vec<_> = buffers.iter().collect();
    kernels.forward(&cpu, &inputs, &mut output);
    cpu.download(&output)
}

/// Compares values that may differ by `allowed`.
fn close(got: &[f32], want: &[f32], allowed: f64) -> Result<(), TestCaseError> {
    prop_assert_eq!(got.len(), want.len());
    for (at, (got, want)) in got.iter().zip(want).enumerate() {
        let error = (f64::from(*got) - f64::from(*want)).abs();
        prop_assert!(error <= allowed, "{at}: {got}, expected {want}");
    }
    Ok(())
}

/// A square map of a few channels under a convolution without activation, whose algorithm follows from
/// side and channels: by tiles, between planes, or directly.
#[derive(Clone, Copy, Debug)]
struct Layer {
    side: usize,
    from: usize,
    to: usize,
    kernel: usize,
    seed: u64,
}

fn layers() -> impl Strategy<Value = Layer> {
    let channels = select(vec![(1, 16), (16, 1), (16, 16), (3, 5), (2, 8), (16, 9)]);
    let sizes = (select(vec![6, 7, 9]), channels, select(vec![1, 3, 5]));
    (sizes, any::<u64>()).prop_map(|((side, (from, to), kernel), seed)| Layer {
        side,
        from,
        to,
        kernel,
        seed,
    })
}

impl Layer {
    fn shape(&self) -> Shape {
        let (n, h, w, c) = (1, self.side, self.side, self.from);
        Shape { n, h, w, c }
    }

    fn op(&self) -> Conv2d {
        Conv2d {
            input: self.shape(),
            out_channels: self.to,
            kernel: self.kernel,
            bias: false,
            activation: Activation::None,
        }
    }

    fn map(&self) -> Vec<f32> {
        Draw::new(self.seed, 0).normal(self.shape().len(), 1.0)
    }

    fn weights(&self) -> Vec<f32> {
        Draw::new(self.seed, 1).normal(self.op().weights(), 1.0)
    }

    fn allowed(&self) -> f64 {
        // Normal values stay below 6; a sum has as many products as a kernel.
        36.0 * WINOGRAD * (self.from * self.kernel * self.kernel) as f64
    }

    /// `values (side, side, c)` moved down and right; zeros come in.
    fn moved(&self, values: &[f32], c: usize, [down, right]: [i64; 2]) -> Vec<f32> {
        let side = self.side as i64;
        let place = |k: usize| {
            let (pixel, channel) = ((k / c) as i64, k % c);
            let (r, q) = (pixel / side - down, pixel % side - right);
            let inside = (0..side).contains(&r) && (0..side).contains(&q);
            inside.then(|| (r * side + q) as usize * c + channel)
        };
        let values = (0..values.len()).map(|k| place(k).map_or(0.0, |at| values[at]));
        values.collect()
    }

    fn transposed(&self, values: &[f32], side: usize, c: usize) -> Vec<f32> {
        let place = |k: usize| (k / c % side * side + k / c / side) * c + k % c;
        (0..values.len()).map(|k| values[place(k)]).collect()
    }

    /// Pixels at least `margin` away from every border.
    fn inside(&self, values: &[f32], c: usize, margin: usize) -> Vec<f32> {
        let keep = margin..self.side - margin;
        let pixels = values.chunks_exact(c).enumerate();
        let inside = pixels
            .filter(|(k, _)| keep.contains(&(k / self.side)) && keep.contains(&(k % self.side)));
        inside.flat_map(|(_, pixel)| pixel.to_vec()).collect()
    }
}

/// Kernels `(out, c, k, k)` with rows and columns exchanged.
fn transposed_kernels(weights: &[f32], k: usize) -> Vec<f32> {
    let kernels = weights.chunks_exact(k * k);
    let flip = |kernel: &[f32]| {
        (0..k * k)
            .map(|t| kernel[t % k * k + t / k])
            .collect::<Vec<_>>()
    };
    kernels.flat_map(flip).collect()
}

properties! {
    fn convolutions_follow_a_moved_map(layer in layers(), down in -1..=1_i64, right in -1..=1_i64) {
        let (x, w, margin) = (layer.map(), layer.weights(), layer.kernel / 2 + 1);
        prop_assume!(2 * margin < layer.side);
        let by = [down, right];
        let moved = run(layer.op(), &[&layer.moved(&x, layer.from, by), &w]);
        let want = layer.moved(&run(layer.op(), &[&x, &w]), layer.to, by);
        let inside = |values: &[f32]| layer.inside(values, layer.to, margin);
        close(&inside(&moved), &inside(&want), layer.allowed())?;
    }

    fn convolutions_follow_transposed_maps(layer in layers()) {
        let (x, w) = (layer.map(), layer.weights());
        let flipped = layer.transposed(&x, layer.side, layer.from);
        let got = run(layer.op(), &[&flipped, &transposed_kernels(&w, layer.kernel)]);
        let want = layer.transposed(&run(layer.op(), &[&x, &w]), layer.side, layer.to);
        close(&got, &want, layer.allowed())?;
    }

    /// Doubling is exact, so a linear operator doubles to the bit.
    fn convolutions_are_homogeneous(layer in layers()) {
        let (x, w) = (layer.map(), layer.weights());
        let double = |values: &[f32]| values.iter().map(|v| 2.0 * v).collect::<Vec<_>>();
        let plain = run(layer.op(), &[&x, &w]);
        prop_assert_eq!(run(layer.op(), &[&double(&x), &w]), double(&plain));
        prop_assert_eq!(run(layer.op(), &[&x, &double(&w)]), double(&plain));
    }

    /// Displaced by the same whole pixels everywhere, a deformable convolution sees a moved map.
    fn whole_displacements_move_the_map(layer in layers(), down in -9..=9_i64, right in -9..=9_i64) {
        let layer = Layer { kernel: 3, ..layer };
        let (x, w) = (layer.map(), layer.weights());
        let op = DeformConv2d { input: layer.shape(), out_channels: layer.to };
        let places = 9 * layer.side * layer.side;
        let offsets = [down as f32, right as f32].repeat(places);
        let got = run(op, &[&x, &offsets, &w]);
        // What has left the map is gone: a frame of its width is not the same.
        let moved = layer.moved(&x, layer.from, [-down, -right]);
        let want = run(layer.op(), &[&moved, &w]);
        let margin = 1;
        let inside = |values: &[f32]| layer.inside(values, layer.to, margin);
        close(&inside(&got), &inside(&want), layer.allowed())?;
    }

    fn data_steps_follow_transposed_maps(side in 1..12_usize, seed in any::<u64>()) {
        let draw = |k| Draw::new(seed, k).normal(side * side, 1.0);
        let (h, b, rho, half) = (draw(0), draw(1), [0.3], draw(2));
        let flip = |values: &[f32]| -> Vec<f32> {
            (0..side * side).map(|k| values[k % side * side + k / side]).collect()
        };
        // A Gram matrix is symmetric.
        let gram: Vec<f32> = half.iter().zip(flip(&half)).map(|(a, b)| a + b).collect();
        let op = DataStep { n: 1, side };
        let got = run(op, &[&flip(&h), &flip(&b), &rho, &gram]);
        let want = flip(&run(op, &[&h, &b, &rho, &gram]));
        let size = (side * side * side) as f64 * 400.0;
        close(&got, &want, DOT_PRODUCT * size)?;
    }

    fn thresholds_are_odd_and_homogeneous(len in 1..600_usize, theta in -1.0..3.0_f32, seed in any::<u64>()) {
        let x = Draw::new(seed, 0).normal(len, 1.0);
        let times = |f: f32| x.iter().map(|v| f * v).collect::<Vec<_>>();
        let op = SoftThreshold { len };
        let plain = run(op, &[&x, &[theta]]);
        let negative: Vec<f32> = plain.iter().map(|v| -v).collect();
        prop_assert_eq!(run(op, &[&times(-1.0), &[theta]]), negative);
        let double: Vec<f32> = plain.iter().map(|v| 2.0 * v).collect();
        prop_assert_eq!(run(op, &[&times(2.0), &[2.0 * theta]]), double);
    }
}
