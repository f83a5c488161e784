//! Vector kernels of the CPU backend: the only unsafe code of this backend.
//!
//! Kernels are written once over `vector::Vector` and instantiated per instruction set; the
//! functions exported here check every length, then dispatch. Sums run in an order that depends
//! on the shapes and the instruction set alone, never on threads.
#![allow(unsafe_code)]

mod deform;
mod forward;
mod gradient;
mod peak;
pub mod products;
mod vector;
pub mod winograd;

pub use deform::{Tap, sample, sample_backward};
pub use forward::{Layer, Window, forward};
pub use gradient::{Gradient, Rows, weight_gradient};
pub use peak::fma_peak;

/// Instruction set of the kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// No extension: the path that every processor has.
    Portable,
    /// AVX2 with FMA, 8 lanes.
    Avx2,
    /// AVX-512F, 16 lanes.
    Avx512,
}

impl Isa {
    /// Every set that this processor can run, slowest first.
    pub fn available() -> Vec<Self> {
        let mut sets = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                sets.push(Self::Avx2);
                if is_x86_feature_detected!("avx512f") {
                    sets.push(Self::Avx512);
                }
            }
        }
        sets
    }

    /// The fastest set of this processor.
    pub fn best() -> Self {
        *Self::available().last().unwrap_or(&Self::Portable)
    }

    /// Output channels that one pass of the wide convolution kernel computes: the largest block.
    pub fn block_width(self) -> usize {
        match self {
            Self::Avx512 => 32,
            Self::Portable | Self::Avx2 => 16,
        }
    }

    /// Runs `body` compiled for this instruction set, so that its plain loops vectorise.
    #[inline(always)]
    pub fn run<R>(self, body: impl FnOnce() -> R) -> R {
        #[cfg(target_arch = "x86_64")]
        match self {
            // SAFETY: a value of `Isa` other than Portable exists only where the processor has it:
            // `Cpu` accepts only members of `available`.
            Self::Avx512 | Self::Avx2 => return unsafe { run_avx2(body) },
            Self::Portable => {}
        }
        body()
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_avx2<R>(body: impl FnOnce() -> R) -> R {
    body()
}

/// Instantiates a generic kernel for every instruction set and dispatches to it.
macro_rules! dispatch {
    ($isa:expr, $kernel:ident [$($avx512:expr),*] [$($narrow:expr),*] ($($arg:ident: $ty:ty),* $(,)?)) => {{
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f")]
        unsafe fn avx512($($arg: $ty),*) {
            // SAFETY: the caller's promises are those of the generic kernel.
            unsafe { $kernel::<crate::backend::cpu::arch::vector::Avx512 $(, $avx512)*>($($arg),*) }
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        unsafe fn avx2($($arg: $ty),*) {
            // SAFETY: the caller's promises are those of the generic kernel.
            unsafe { $kernel::<crate::backend::cpu::arch::vector::Avx2 $(, $narrow)*>($($arg),*) }
        }
        match $isa {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: lengths were checked above; `Cpu` holds only sets that the processor has.
            Isa::Avx512 => unsafe { avx512($($arg),*) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: lengths were checked above; `Cpu` holds only sets that the processor has.
            Isa::Avx2 => unsafe { avx2($($arg),*) },
            // SAFETY: lengths were checked above; the portable type needs no extension.
            _ => unsafe {
                $kernel::<crate::backend::cpu::arch::vector::Portable $(, $narrow)*>($($arg),*)
            },
        }
    }};
}
use dispatch;
