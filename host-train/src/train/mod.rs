//! Training: losses, Adam, schedules, checkpoints, the loop.

pub mod adam;
mod average;
pub(crate) mod checkpoint;
pub mod config;
pub(crate) mod drive;
mod events;
pub mod journal;
mod keep;
pub mod loss;
mod pool;
pub mod ranks;
pub mod run;
mod source;
pub(crate) mod start;
mod step;

pub use adam::{Adam, AdamConfig, Optimiser};
pub use checkpoint::{Best, Checkpoint};
pub use config::{Also, Objective, Schedule, TrainConfig};
pub use loss::{LossConfig, LossVariant, Losses};
pub use ranks::Ranks;
pub use run::{Event, Run, Stop};
pub use source::Source;
