//! From a trained network to the integers of a model file.
//!
//! [`calibrate`](fn@calibrate) passes frames of the training split through the float network and notes
//! how far every tensor reaches; [`fold`](fn@fold) turns ranges into scales, weights into `i8`, and
//! scales into factors, proves that no sum can overflow and how far each layer can stray; the result is
//! a file that `derefnet_core::weights` reads. [`Quantised`] runs it, [`compare`](fn@compare) says how
//! far each tensor strays from the float network. `core/FORMAT.md` is the contract.

mod body;
mod calibrate;
mod compare;
mod fold;
mod folded;
mod inference;
mod layer;
mod sizes;

pub use calibrate::{CalibrationData, Ranges, calibrate};
pub use compare::{TensorError, compare};
pub use fold::fold;
pub use folded::{Folded, Steps, check};
pub use inference::Quantised;
pub use layer::LayerBound;
pub use sizes::{head_ram_bytes, map_ram_bytes};
