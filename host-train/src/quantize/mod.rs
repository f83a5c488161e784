//! From a trained network to the integers of a model file.
//!
//! [`calibrate`](fn@calibrate) passes frames of the training split through the float network and notes
//! how far every tensor reaches; [`fold`](fn@fold) turns ranges into scales, weights into `i8`, and
//! scales into factors, and proves that no sum can overflow; the result is a file that
//! `derefnet_core::weights` reads. [`Quantised`] runs it. `core/FORMAT.md` is the contract.

mod body;
mod calibrate;
mod fold;
mod inference;
mod layer;

pub use calibrate::{CalibrationData, Ranges, calibrate};
pub use fold::fold;
pub use inference::Quantised;
