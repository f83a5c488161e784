//! Ticks of the network's layers and of the kernels they are made of, for every set of kernels.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::hint::black_box;

use derefnet_core::arch::{Finish, Kernels, Product, ProductShape, Sampling, Scaling};
use derefnet_core::fixed::Requant;
use derefnet_core::locate::{LocateConfig, Locator, Workspace};
use derefnet_firmware::board::{Room, ticks};
use derefnet_firmware::latency::measure;
use derefnet_firmware::numbers::Numbers;
use derefnet_firmware::say;
use derefnet_firmware::windows::window;

derefnet_firmware::program!(run);

const SIDE: usize = 33;
const CHANNELS: usize = 32;
const MAP: usize = (SIDE * (SIDE + 1) + 1) * CHANNELS;
const SAMPLED: usize = 11;
const SAMPLES: usize = SAMPLED * 9 * CHANNELS;
const MOST_OUTPUTS: usize = 64;
const WINDOWS: usize = 9;
const ROW: usize = SIDE * CHANNELS;

/// A layer on a square map.
struct Layer {
    name: &'static str,
    side: usize,
    shape: ProductShape,
    /// Numbers from one pixel's inputs to the next one's.
    stride: usize,
    /// Outputs whose weights are packed at once.
    group: usize,
    finish: Finish,
}

impl Layer {
    /// A 3×3 convolution on the map of 33×33 cells.
    const fn map(name: &'static str, inputs: usize, outputs: usize) -> Self {
        Self {
            name,
            side: SIDE,
            shape: ProductShape {
                outputs,
                segments: 3,
                run: 3 * inputs,
            },
            stride: inputs,
            group: outputs,
            finish: Finish::Relu,
        }
    }

    /// A 3×3 convolution of the offset head, 11×11 pixels, eight outputs at a time.
    const fn head(name: &'static str, inputs: usize, outputs: usize, finish: Finish) -> Self {
        Self {
            side: 11,
            group: 8,
            finish,
            ..Self::map(name, inputs, outputs)
        }
    }

    /// One run of `run` numbers a pixel of the map.
    const fn pixelwise(name: &'static str, run: usize, outputs: usize) -> Self {
        Self {
            shape: ProductShape {
                outputs,
                segments: 1,
                run,
            },
            stride: run,
            finish: Finish::Plain,
            ..Self::map(name, 0, outputs)
        }
    }
}

const LAYERS: [Layer; 13] = [
    Layer::map("conv2d_32_32", 32, 32),
    Layer::map("conv2d_1_32", 1, 32),
    Layer::map("conv2d_32_1", 32, 1),
    Layer::map("conv2d_16_16", 16, 16),
    Layer::map("conv2d_16_18", 16, 18),
    Layer::map("conv2d_16_1", 16, 1),
    Layer::map("conv2d_5_16", 5, 16),
    Layer::map("conv2d_1_16", 1, 16),
    Layer::pixelwise("half_16_8", 16, 8),
    Layer::pixelwise("deform_products_16_16", 144, 16),
    Layer::head("head_5_32", 5, 32, Finish::Relu),
    Layer::head("head_32_32", 32, 32, Finish::Add),
    Layer::head("head_32_63", 32, 63, Finish::Plain),
];
const MOST_WEIGHTS: usize = 63 * 288;
const MOST_PACKED: usize = 32 * 288;

/// All that the kernels read and write: about 140 KB.
struct Memory {
    map: [i16; MAP],
    out: [i16; SIDE * MOST_OUTPUTS],
    weights: [u8; MOST_WEIGHTS],
    packed: [i16; MOST_PACKED],
    sums: [i32; ROW],
    samples: [i16; SAMPLES],
    offsets: [i16; SAMPLED * 18],
    scaling: Scaling,
}

static MEMORY: Room<Memory> = Room::new(Memory {
    map: [0; MAP],
    out: [0; SIDE * MOST_OUTPUTS],
    weights: [0; MOST_WEIGHTS],
    packed: [0; MOST_PACKED],
    sums: [0; ROW],
    samples: [0; SAMPLES],
    offsets: [0; SAMPLED * 18],
    scaling: Scaling::ZERO,
});

fn run() -> bool {
    let Some(memory) = MEMORY.take() else {
        return false;
    };
    memory.fill();
    for kernels in Kernels::available() {
        for layer in &LAYERS {
            memory.layer(kernels, layer);
        }
        memory.parts(kernels);
        memory.samples(kernels);
        memory.products_of_tables(kernels);
    }
    locate()
}

/// The fit of windows with 2 to 4 targets, without noise and with noise of 2 and 5 counts: the
/// fastest, the median and the slowest of them. Whether every fit found something.
fn locate() -> bool {
    let Ok(locator) = Locator::new(LocateConfig::SEQ_CSIST) else {
        say!("failed locate: its configuration is refused");
        return false;
    };
    let (mut workspace, mut numbers) = (Workspace::new(), Numbers::new(0x5eed_0006));
    let mut taken = [0; WINDOWS];
    for (index, taken) in taken.iter_mut().enumerate() {
        let noise = [0.0, 2.0, 5.0][index / 3 % 3];
        let window = window(&mut numbers, 2 + index % 3, noise);
        let before = ticks();
        let found = locator.locate(&mut workspace, &window, None, &[]);
        *taken = ticks() - before;
        if let Err(error) = black_box(&found) {
            say!("failed locate, window {index}: {error}");
            return false;
        }
    }
    taken.sort_unstable();
    for (name, ticks) in [
        ("locate_fastest", taken[0]),
        ("locate_median", taken[WINDOWS / 2]),
        ("locate_slowest", taken[WINDOWS - 1]),
    ] {
        say!("ticks {name} f64 {ticks} 1");
    }
    true
}

impl Memory {
    fn fill(&mut self) {
        let mut numbers = Numbers::new(0x5eed_0004);
        numbers.fill(&mut self.map, |n| n.half() >> 4);
        numbers.fill(&mut self.weights, Numbers::byte);
        numbers.fill(&mut self.offsets, |n| n.half() >> 5);
        let factor = Requant::nearest(0.003).unwrap_or(Requant::ZERO);
        (0..MOST_OUTPUTS).for_each(|output| self.scaling.set(output, 77, factor));
    }

    /// A whole layer: packing, products and requantisation; the units are multiply-adds.
    fn layer(&mut self, kernels: Kernels, layer: &Layer) {
        let units = layer.side * layer.side * layer.shape.weights_len();
        measure(layer.name, kernels.name(), units, || {
            for first in (0..layer.shape.outputs).step_by(layer.group) {
                let shape = ProductShape {
                    outputs: layer.group.min(layer.shape.outputs - first),
                    ..layer.shape
                };
                let weights = &self.weights[first * shape.segments * shape.run..];
                let weights = &weights[..shape.weights_len()];
                kernels.pack(shape, weights, &mut self.packed);
                (0..layer.side).for_each(|row| self.row(kernels, layer, (shape, first), row));
            }
        });
        black_box(&self.out);
    }

    fn row(
        &mut self,
        kernels: Kernels,
        layer: &Layer,
        (shape, first): (ProductShape, usize),
        row: usize,
    ) {
        let runs = [0, 1, 2].map(|tap| {
            let row = (row + tap).checked_sub(1).filter(|&row| row < layer.side)?;
            let row = if shape.segments == 1 { 0 } else { row };
            self.map.get(row * (layer.side + 1) * layer.stride..)
        });
        // Sampled pixels are fewer at once than a row has.
        let at_once = (MAP / 8 / layer.stride).min(layer.side);
        for from in (0..layer.side).step_by(at_once) {
            let product = Product {
                shape,
                packed: &self.packed,
                runs,
                stride: layer.stride,
                pixels: at_once.min(layer.side - from),
            };
            let out = (&mut self.out[first..], layer.shape.outputs);
            kernels.row(&product, &mut self.sums, &self.scaling, layer.finish, out);
        }
    }

    /// Packing and requantisation.
    fn parts(&mut self, kernels: Kernels) {
        let (set, shape) = (kernels.name(), LAYERS[0].shape);
        let weights = &self.weights[..shape.weights_len()];
        measure("pack", set, weights.len(), || {
            kernels.pack(shape, weights, &mut self.packed);
        });
        let finishes = [
            ("requantise", Finish::Plain),
            ("requantise_relu", Finish::Relu),
            ("requantise_add", Finish::Add),
            ("requantise_shrink", Finish::Shrink(9)),
        ];
        for (name, finish) in finishes {
            measure(name, set, ROW, || {
                let out = (&mut self.out[..], CHANNELS);
                kernels.requantise(&self.sums, CHANNELS, &self.scaling, finish, out);
            });
        }
        black_box(&self.out);
    }

    /// Bilinear samples for 11 pixels.
    fn samples(&mut self, kernels: Kernels) {
        for (name, channels) in [("sample_32", 32), ("sample_16", 16)] {
            let sampling = Sampling {
                map: &self.map,
                side: SIDE,
                channels,
                row: 16,
                column: 0,
                offsets: &self.offsets,
                bits: 9,
            };
            let samples = &mut self.samples[..SAMPLED * 9 * channels];
            measure(name, kernels.name(), samples.len(), || {
                kernels.sample(&sampling, samples);
            });
        }
        black_box(&self.samples);
    }

    /// The data step's products, one row times a table, without zeros and with a row of few numbers;
    /// the units are the sums.
    fn products_of_tables(&mut self, kernels: Kernels) {
        let mut row = [0; SIDE];
        for (name, nonzero) in [("multiply", SIDE), ("multiply_sparse", 5)] {
            row[..nonzero].fill(77);
            row[nonzero..].fill(0);
            let table = &self.map[..SIDE * SIDE];
            measure(name, kernels.name(), SIDE, || {
                kernels.multiply(&row, table, &mut self.sums[..SIDE]);
            });
        }
        black_box(&self.sums);
    }
}
