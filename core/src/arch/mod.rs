//! The inner loops of the integer network, and the one place where they may use what a processor
//! offers: sums of products, requantisation, bilinear samples.
//!
//! The scalar set is the definition, in safe code. Every other set of kernels gives the same bits, which
//! integers make possible: sums below 2³¹ do not depend on their order.

#[cfg(derefnet_dsp)]
mod arm;
mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;

use crate::fixed::Requant;

/// Most outputs of one layer.
pub const MAX_OUTPUTS: usize = 64;
/// Side of the tables that [`Kernels::multiply`] takes: cells of a map's side.
pub const TABLE_SIDE: usize = crate::physics::MAP_SIDE;
/// Most pixels of one row.
pub const MAX_PIXELS: usize = 33;
/// Most weights of one run.
pub const LONGEST_RUN: usize = 1024;
/// Runs of inputs that one output adds up at most: the rows of a 3×3 kernel.
pub const SEGMENTS: usize = 3;

/// Shape of sums of products: each of `outputs` numbers adds up `segments` runs of `run` inputs.
///
/// A 3×3 convolution of C channels on maps `(H, W, C)` is three runs of 3C numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProductShape {
    /// Output channels, 1..=64.
    pub outputs: usize,
    /// Runs per output, 1..=3.
    pub segments: usize,
    /// Weights per run, at most 1024.
    pub run: usize,
}

impl ProductShape {
    /// Whether everything is in its range.
    const fn is_usual(self) -> bool {
        self.outputs <= MAX_OUTPUTS && self.segments <= SEGMENTS && self.run <= LONGEST_RUN
    }

    /// Outputs with those that pad the last block: blocks of 16, the last one of 8 where 8 suffice;
    /// a single output stands alone.
    pub const fn padded_outputs(self) -> usize {
        if self.outputs == 1 {
            return 1;
        }
        self.outputs.div_ceil(8) * 8
    }

    /// Inputs that a run reads: one more than it has weights where their number is odd, with a weight
    /// of 0.
    pub const fn padded_run(self) -> usize {
        self.run.div_ceil(2) * 2
    }

    /// Numbers of the packed weights.
    pub const fn packed_len(self) -> usize {
        self.padded_outputs() * self.segments * self.padded_run()
    }

    /// Weights as they lie in the model file.
    pub const fn weights_len(self) -> usize {
        self.outputs * self.segments * self.run
    }

    /// First output and outputs of every block.
    fn blocks(self) -> impl Iterator<Item = (usize, usize)> {
        let padded = self.padded_outputs();
        (0..padded)
            .step_by(16)
            .map(move |first| (first, (padded - first).min(16)))
    }
}

/// Sums of products for the pixels of one row.
#[derive(Clone, Copy, Debug)]
pub struct Product<'a> {
    /// Shape of the sums.
    pub shape: ProductShape,
    /// Weights as [`Kernels::pack`] lays them out.
    pub packed: &'a [i16],
    /// Inputs: pixel `p` reads `runs[s][p·stride..][..padded_run]`. A run outside the map is none
    /// and adds nothing.
    pub runs: [Option<&'a [i16]>; SEGMENTS],
    /// Numbers from one pixel to the next.
    pub stride: usize,
    /// Pixels of the row, at most 33.
    pub pixels: usize,
}

impl Product<'_> {
    /// Whether everything is in its range.
    const fn is_usual(&self) -> bool {
        self.shape.is_usual() && self.pixels <= MAX_PIXELS
    }

    /// Sums of the whole row.
    pub const fn sums_len(&self) -> usize {
        self.pixels * self.shape.padded_outputs()
    }
}

/// Biases and factors of a layer's outputs, padded as the sums are.
#[derive(Clone, Debug)]
pub struct Scaling {
    /// Added to the sum.
    pub bias: [i32; MAX_OUTPUTS],
    /// Multipliers of [`Requant`].
    pub multiplier: [i32; MAX_OUTPUTS],
    /// Shifts of [`Requant`].
    pub shift: [i32; MAX_OUTPUTS],
}

impl Scaling {
    /// Everything 0.
    pub const ZERO: Self = Self {
        bias: [0; MAX_OUTPUTS],
        multiplier: [0; MAX_OUTPUTS],
        shift: [32; MAX_OUTPUTS],
    };

    /// Sets the numbers of one output; nothing beyond the last one.
    pub fn set(&mut self, output: usize, bias: i32, factor: Requant) {
        let slots = self.bias.iter_mut().zip(&mut self.multiplier);
        if let Some(((b, m), s)) = slots.zip(&mut self.shift).nth(output) {
            (*b, *m, *s) = (bias, factor.multiplier(), factor.shift().into());
        }
    }
}

/// What follows requantisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// Saturation alone.
    Plain,
    /// `max(v, 0)`, then saturation.
    Relu,
    /// Saturation, then `sign(v) · max(|v| - θ, 0)`, saturated again: a negative θ lengthens.
    Shrink(i32),
    /// The value there already is added, then saturation.
    Add,
}

/// Bilinear samples for the taps of the pixels of one row.
#[derive(Clone, Copy, Debug)]
pub struct Sampling<'a> {
    /// Map `(side, side, channels)` with its border: a column of zeros in front of each row and one
    /// pixel of zeros at the end, so pixel `(r, c)` starts at `(r·(side + 1) + c + 1)·channels`.
    pub map: &'a [i16],
    /// Rows and columns, at most 33.
    pub side: usize,
    /// Channels, a multiple of 8.
    pub channels: usize,
    /// The row.
    pub row: usize,
    /// Its first pixel.
    pub column: usize,
    /// Displacements `(pixels, 9 taps, 2)`, row before column.
    pub offsets: &'a [i16],
    /// Fraction bits of the displacements, at most 14.
    pub bits: u32,
}

/// A set of kernels that this processor can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernels(Isa);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Isa {
    Scalar,
    #[cfg(derefnet_dsp)]
    Arm(arm::Set),
    #[cfg(target_arch = "x86_64")]
    X86(x86::Set),
}

impl Kernels {
    /// Safe code for any processor: the definition.
    pub const SCALAR: Self = Self(Isa::Scalar);

    /// The fastest set.
    pub fn best() -> Self {
        Self::available().last().unwrap_or(Self::SCALAR)
    }

    /// All sets that this processor can run, the definition first and the fastest last.
    pub fn available() -> impl Iterator<Item = Self> {
        let sets = core::iter::once(Self::SCALAR);
        #[cfg(derefnet_dsp)]
        let sets = sets.chain(arm::Set::available().map(|set| Self(Isa::Arm(set))));
        #[cfg(target_arch = "x86_64")]
        let sets = sets.chain(x86::Set::available().map(|set| Self(Isa::X86(set))));
        sets
    }

    /// Name for reports.
    pub const fn name(self) -> &'static str {
        match self.0 {
            Isa::Scalar => "scalar",
            #[cfg(derefnet_dsp)]
            Isa::Arm(set) => set.name(),
            #[cfg(target_arch = "x86_64")]
            Isa::X86(set) => set.name(),
        }
    }

    /// Carries out the multiply-adds of [`Self::accumulate`] on registers alone, for benchmarks to
    /// compare with; returns how many there were. None for the definition, which has no instruction
    /// of its own.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(unused_variables, reason = "no set with an instruction of its own")
    )]
    pub fn peak(self, turns: u32) -> Option<u64> {
        match self.0 {
            Isa::Scalar => None,
            #[cfg(derefnet_dsp)]
            Isa::Arm(_) => None,
            #[cfg(target_arch = "x86_64")]
            Isa::X86(set) => Some(set.peak(turns)),
        }
    }

    /// Lays weights `(outputs, segments, run)`, `i8` as in the model file, out as this set's sums
    /// read them; the scalar set: `(block, segment, pair of inputs, output of the block, input of
    /// the pair)`, `i16`.
    ///
    /// Does nothing unless `weights` and `packed` hold as many numbers as `shape` says (`packed` may
    /// hold more), and for a shape out of range.
    pub fn pack(self, shape: ProductShape, weights: &[u8], packed: &mut [i16]) {
        if !shape.is_usual() {
            return;
        }
        match self.0 {
            #[cfg(derefnet_dsp)]
            Isa::Arm(set) => set.pack(shape, weights, packed),
            #[cfg(target_arch = "x86_64")]
            Isa::X86(set) => set.pack(shape, weights, packed),
            _ => scalar::pack(shape, weights, packed),
        }
    }

    /// `sums[p·padded + o] = Σ_s Σ_k runs[s][p·stride + k] · w[o][s][k]`.
    ///
    /// Sums must stay below 2³¹, or wrap around. Inputs that are not there count as 0; does nothing if
    /// `sums` is shorter than [`Product::sums_len`], and for a product out of range.
    pub fn accumulate(self, product: &Product, sums: &mut [i32]) {
        if !product.is_usual() {
            return;
        }
        match self.0 {
            Isa::Scalar => scalar::accumulate(product, sums),
            #[cfg(derefnet_dsp)]
            Isa::Arm(set) => set.accumulate(product, sums),
            #[cfg(target_arch = "x86_64")]
            Isa::X86(set) => set.accumulate(product, sums),
        }
    }

    /// `sums = rows · table`, `(n, 33)` times `(33, 33)`, as many rows as there are in both; sums must
    /// stay below 2³¹.
    pub fn multiply(self, rows: &[i16], table: &[i16], sums: &mut [i32]) {
        match self.0 {
            #[cfg(derefnet_dsp)]
            Isa::Arm(set) => set.multiply(rows, table, sums),
            #[cfg(target_arch = "x86_64")]
            Isa::X86(set) => set.multiply(rows, table, sums),
            Isa::Scalar => scalar::multiply(rows, table, sums),
        }
    }

    /// Requantises the sums of a row: `out[p·stride + o] = finish(requant(sum + bias))` for the
    /// outputs without padding. Returns how many values were saturated.
    pub fn requantise(
        self,
        sums: &[i32],
        outputs: usize,
        scaling: &Scaling,
        finish: Finish,
        (out, stride): (&mut [i16], usize),
    ) -> u32 {
        match self.0 {
            Isa::Scalar => scalar::requantise(sums, outputs, scaling, finish, (out, stride)),
            #[cfg(derefnet_dsp)]
            Isa::Arm(set) => set.requantise(sums, outputs, scaling, finish, (out, stride)),
            #[cfg(target_arch = "x86_64")]
            Isa::X86(set) => set.requantise(sums, outputs, scaling, finish, (out, stride)),
        }
    }

    /// [`Self::accumulate`] and then [`Self::requantise`]; `sums` is room for what lies between, and
    /// holds nothing of meaning afterwards.
    pub fn row(
        self,
        product: &Product,
        sums: &mut [i32],
        scaling: &Scaling,
        finish: Finish,
        (out, stride): (&mut [i16], usize),
    ) -> u32 {
        if !product.is_usual() {
            return 0;
        }
        let Some(sums) = sums.get_mut(..product.sums_len()) else {
            return 0;
        };
        #[cfg(target_arch = "x86_64")]
        if let Isa::X86(set) = self.0 {
            let at_once = set.row(product, scaling, finish, (&mut *out, stride));
            if let Some(saturated) = at_once {
                return saturated;
            }
        }
        self.accumulate(product, sums);
        self.requantise(sums, product.shape.outputs, scaling, finish, (out, stride))
    }

    /// Samples the map: `patches (pixels, 9 taps, channels)`, as many pixels as there are
    /// displacements; nothing for a side, row or column beyond 33.
    pub fn sample(self, sampling: &Sampling, patches: &mut [i16]) {
        let places = [sampling.side, sampling.row, sampling.column];
        if places.iter().any(|&place| place > MAX_PIXELS) {
            return;
        }
        match self.0 {
            Isa::Scalar => scalar::sample(sampling, patches),
            #[cfg(derefnet_dsp)]
            Isa::Arm(set) => set.sample(sampling, patches),
            #[cfg(target_arch = "x86_64")]
            Isa::X86(set) => set.sample(sampling, patches),
        }
    }
}

#[cfg(test)]
mod tests;
