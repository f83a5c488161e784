//! Ticks of a 3×3 convolution of the network's size and of the kernels it is made of, for every set
//! of kernels.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::hint::black_box;

use derefnet_core::arch::{Finish, Kernels, Product, ProductShape, Sampling, Scaling};
use derefnet_core::fixed::Requant;
use derefnet_firmware::latency::measure;
use derefnet_firmware::numbers::Numbers;

derefnet_firmware::program!(run);

const SIDE: usize = 33;
const CHANNELS: usize = 32;
const MAP: usize = (SIDE * (SIDE + 1) + 1) * CHANNELS;
const PIXELS: usize = 11;
const SAMPLES: usize = PIXELS * 9 * CHANNELS;
const ROW: usize = SIDE * CHANNELS;

/// 32 channels to 32, and one channel to 32.
const CONV2D: ProductShape = ProductShape {
    outputs: CHANNELS,
    segments: 3,
    run: 3 * CHANNELS,
};
const FIRST: ProductShape = ProductShape { run: 3, ..CONV2D };
const LAST: ProductShape = ProductShape {
    outputs: 1,
    ..CONV2D
};

/// All that the kernels read and write: about 130 KB.
struct Memory {
    map: [i16; MAP],
    out: [i16; ROW],
    weights: [u8; CONV2D.weights_len()],
    packed: [i16; CONV2D.packed_len()],
    sums: [i32; ROW],
    samples: [i16; SAMPLES],
    offsets: [i16; PIXELS * 18],
    scaling: Scaling,
}

fn run() -> bool {
    let mut memory = Memory {
        map: [0; MAP],
        out: [0; ROW],
        weights: [0; CONV2D.weights_len()],
        packed: [0; CONV2D.packed_len()],
        sums: [0; ROW],
        samples: [0; SAMPLES],
        offsets: [0; PIXELS * 18],
        scaling: Scaling::ZERO,
    };
    memory.fill();
    for kernels in Kernels::available() {
        memory.convolutions(kernels);
        memory.parts(kernels);
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
        (0..CHANNELS).for_each(|output| self.scaling.set(output, 77, factor));
    }

    /// Whole layers on the map of 33×33 pixels: packing, products and requantisation.
    fn convolutions(&mut self, kernels: Kernels) {
        let set = kernels.name();
        for (name, shape, channels) in [
            ("conv2d_32_32", CONV2D, CHANNELS),
            ("conv2d_1_32", FIRST, 1),
            ("conv2d_32_1", LAST, CHANNELS),
        ] {
            let units = SIDE * SIDE * shape.weights_len();
            measure(name, set, units, || {
                kernels.pack(
                    shape,
                    &self.weights[..shape.weights_len()],
                    &mut self.packed,
                );
                (0..SIDE).for_each(|row| self.row(kernels, shape, row, channels));
            });
            black_box(&self.out);
        }
    }

    fn row(&mut self, kernels: Kernels, shape: ProductShape, row: usize, channels: usize) {
        let runs = [0, 1, 2].map(|tap| {
            let row = (row + tap).checked_sub(1).filter(|&row| row < SIDE)?;
            self.map.get(row * (SIDE + 1) * channels..)
        });
        let product = Product {
            shape,
            packed: &self.packed,
            runs,
            stride: channels,
            pixels: SIDE,
        };
        let sums = &mut self.sums[..product.sums_len()];
        kernels.accumulate(&product, sums);
        let out = (&mut self.out[..], shape.outputs);
        kernels.requantise(sums, shape.outputs, &self.scaling, Finish::Relu, out);
    }

    /// The kernels one by one.
    fn parts(&mut self, kernels: Kernels) {
        let set = kernels.name();
        measure("pack", set, self.weights.len(), || {
            kernels.pack(CONV2D, &self.weights, &mut self.packed);
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
        let sampling = Sampling {
            map: &self.map,
            side: SIDE,
            channels: CHANNELS,
            row: 16,
            column: 0,
            offsets: &self.offsets,
            bits: 9,
        };
        measure("sample", set, SAMPLES, || {
            kernels.sample(&sampling, &mut self.samples);
        });
        black_box((&self.out, &self.samples));
    }
}
