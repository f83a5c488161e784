//! Operators of the training engine, one folder each: equation and geometry in `mod.rs`, kernels
//! per backend beside it.
//!
//! Maps are `(n, h, w, c)`: batch, row, column, channel, channels last.

mod arithmetic;
mod channel_stats;
mod concat;
mod conv2d;
mod data_step;
mod deform_conv2d;
mod deform_sample;
mod gather;
mod group_scale;
mod loss;
mod mask_loss;
mod normalise;
mod offset_likelihood;
mod per_item;
mod pixel_shuffle;
mod pointwise;
mod pool;
mod prelu;
mod resize;
mod row_stats;
mod shrink;
mod soft_threshold;
mod spectral_norm;
mod strided_conv2d;
mod time_code;
mod total;

pub use arithmetic::{Add, Mul, Sub};
pub use channel_stats::ChannelStats;
pub use concat::Concat;
pub use conv2d::{Activation, Conv2d};
pub use data_step::DataStep;
pub use deform_conv2d::DeformConv2d;
pub use deform_sample::DeformSample;
pub use gather::Gather;
pub use group_scale::GroupScale;
pub use loss::{AbsoluteError, SquaredError, WeightedSum};
pub use mask_loss::{MaskLoss, Overlap};
pub use normalise::{Moments, Normalise};
pub use offset_likelihood::{OffsetLikelihood, Wanted};
pub use per_item::{Id, PerItem};
pub use pixel_shuffle::PixelShuffle;
pub use pointwise::{Function, Pointwise};
pub use pool::{Pool, Take};
pub use prelu::Prelu;
pub use resize::{Interpolation, Resize};
pub use row_stats::{RowCount, RowRms};
pub(crate) use shrink::Place;
pub use shrink::{Rule, Shrink};
pub use soft_threshold::SoftThreshold;
pub use spectral_norm::{PowerIteration, SpectralNorm};
pub use strided_conv2d::{Stride, StridedConv2d, TransposedConv2d};
pub use time_code::TimeCode;
pub use total::Total;

use crate::backend::Backend;

/// Declares [`Op`]: any operator, as data.
macro_rules! operators {
    ($($name:ident),+ $(,)?) => {
        /// Any operator, as data: a backend turns it into kernels.
        #[derive(Clone, Debug)]
        #[allow(missing_docs)]
        pub enum Op {
            $($name($name)),+
        }

        impl Op {
            /// Names of all operators.
            pub const NAMES: &[&str] = &[$(stringify!($name)),+];

            /// The operator behind its trait, for a backend that implements all of them.
            pub fn boxed<B>(self) -> Box<dyn Operator<B>>
            where
                B: Backend,
                $($name: Operator<B> + 'static),+
            {
                match self {
                    $(Self::$name(op) => Box::new(op)),+
                }
            }
        }

        $(impl From<$name> for Op {
            fn from(op: $name) -> Self {
                Self::$name(op)
            }
        })+
    };
}

operators!(
    AbsoluteError,
    Add,
    ChannelStats,
    Concat,
    Conv2d,
    DataStep,
    DeformConv2d,
    DeformSample,
    Gather,
    GroupScale,
    MaskLoss,
    Moments,
    Mul,
    Normalise,
    OffsetLikelihood,
    PerItem,
    PixelShuffle,
    Pointwise,
    Pool,
    PowerIteration,
    Prelu,
    Resize,
    RowCount,
    RowRms,
    Shrink,
    SoftThreshold,
    SpectralNorm,
    SquaredError,
    StridedConv2d,
    Sub,
    TimeCode,
    Total,
    TransposedConv2d,
    WeightedSum,
);

/// Name, sizes and work of an operator on another device: those that it has on the CPU.
#[cfg(feature = "cuda")]
macro_rules! as_on_the_cpu {
    () => {
        fn name(&self) -> &'static str {
            Operator::<crate::backend::cpu::Cpu>::name(self)
        }

        fn output_len(&self) -> usize {
            Operator::<crate::backend::cpu::Cpu>::output_len(self)
        }

        fn multiply_adds(&self) -> u64 {
            Operator::<crate::backend::cpu::Cpu>::multiply_adds(self)
        }

        fn kept_len(&self) -> usize {
            Operator::<crate::backend::cpu::Cpu>::kept_len(self)
        }
    };
}
#[cfg(feature = "cuda")]
pub(in crate::ops) use as_on_the_cpu;

/// What an operator may read when it computes gradients.
pub struct Saved<'a, B: Backend> {
    /// Inputs of the forward pass.
    pub inputs: &'a [&'a B::Buffer],
    /// Output of the forward pass.
    pub output: &'a B::Buffer,
    /// What [`Operator::forward_keeping`] kept; empty for most operators.
    pub kept: &'a B::Buffer,
    /// Gradient of the loss by the output.
    pub grad: &'a B::Buffer,
}

/// A differentiable function of buffers, with its geometry.
pub trait Operator<B: Backend>: Send + Sync {
    /// Name in profiles and messages.
    fn name(&self) -> &'static str;

    /// Values in the output.
    fn output_len(&self) -> usize;

    /// Multiply-adds of the forward pass, by the direct algorithm; 0 for elementwise operators.
    fn multiply_adds(&self) -> u64 {
        0
    }

    /// Overwrites `output`, whose content is unspecified.
    fn forward(&self, backend: &B, inputs: &[&B::Buffer], output: &mut B::Buffer);

    /// Values that the backward pass needs beside inputs and output.
    fn kept_len(&self) -> usize {
        0
    }

    /// The forward pass before a backward pass: also overwrites `kept`.
    fn forward_keeping(
        &self,
        backend: &B,
        inputs: &[&B::Buffer],
        output: &mut B::Buffer,
        _kept: &mut B::Buffer,
    ) {
        self.forward(backend, inputs, output);
    }

    /// Overwrites each gradient buffer that is present: `grads[i]` belongs to `inputs[i]` and has
    /// unspecified content; `None` where nobody needs it.
    fn backward(&self, backend: &B, saved: &Saved<'_, B>, grads: &mut [Option<B::Buffer>]);
}
