//! Kernels for Cortex-M processors with the DSP extension, and with MVE (Helium).
//!
//! | module | holds |
//! | --- | --- |
//! | [`tile`] | rows of pixels cut into tiles for the inner loops |
//! | [`dsp`] | SMLAD: two products an instruction |
//! | [`mve`] | VMLADAVA: eight products an instruction |
//! | [`rescale`] | requantisation |
//! | [`samples`] | bilinear samples |
//! | [`tables`] | rows times a table |

mod dsp;
#[cfg(derefnet_mve)]
mod mve;
mod rescale;
mod samples;
mod tables;
mod tile;

use super::{Finish, Product, ProductShape, Sampling, Scaling, scalar};
use tile::Routines;

/// A set of kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Set {
    Dsp,
    #[cfg(derefnet_mve)]
    Mve,
}

impl Set {
    /// The sets that this build may use, the fastest last.
    pub(super) fn available() -> impl Iterator<Item = Self> {
        [
            Self::Dsp,
            #[cfg(derefnet_mve)]
            Self::Mve,
        ]
        .into_iter()
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Dsp => "dsp",
            #[cfg(derefnet_mve)]
            Self::Mve => "mve",
        }
    }

    const fn routines(self) -> Routines {
        match self {
            Self::Dsp => dsp::ROUTINES,
            #[cfg(derefnet_mve)]
            Self::Mve => mve::ROUTINES,
        }
    }

    pub(super) fn pack(self, shape: ProductShape, weights: &[u8], packed: &mut [i16]) {
        if shape.outputs == 1 {
            return scalar::pack(shape, weights, packed);
        }
        tile::pack(self.routines(), shape, weights, packed);
    }

    pub(super) fn accumulate(self, product: &Product, sums: &mut [i32]) {
        tile::accumulate(self.routines(), product, sums);
    }

    pub(super) fn multiply(self, rows: &[i16], table: &[i16], sums: &mut [i32]) {
        match self {
            Self::Dsp => tables::multiply::<8>(tables::eight_dsp, rows, table, sums),
            #[cfg(derefnet_mve)]
            Self::Mve => tables::multiply::<20>(tables::twenty_mve, rows, table, sums),
        }
    }

    pub(super) fn requantise(
        self,
        sums: &[i32],
        outputs: usize,
        scaling: &Scaling,
        finish: Finish,
        out: (&mut [i16], usize),
    ) -> u32 {
        match self {
            #[cfg(derefnet_mve)]
            Self::Mve if !matches!(finish, Finish::Shrink(_)) => {
                mve::requantise(sums, outputs, scaling, finish, out)
            }
            _ => rescale::requantise(sums, outputs, scaling, finish, out),
        }
    }

    pub(super) fn sample(self, sampling: &Sampling, patches: &mut [i16]) {
        match self {
            Self::Dsp => samples::sample(sampling, patches, samples::blend_dsp),
            #[cfg(derefnet_mve)]
            Self::Mve => samples::sample(sampling, patches, samples::blend_mve),
        }
    }
}
