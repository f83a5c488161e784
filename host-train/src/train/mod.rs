//! Training: losses, Adam, schedules, checkpoints, the loop.

pub mod adam;
pub mod loss;

pub use adam::{Adam, AdamConfig};
pub use loss::{LossConfig, LossVariant, Losses};
