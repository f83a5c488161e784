//! DeRefNet: parameters, their initial values, and the network as operators on a tape.

mod bare;
mod config;
mod counts;
pub(crate) mod file;
mod graft;
mod graph;
mod head;
mod init;
mod layout;
mod network;
mod observe;
mod parameters;
mod physics;
mod shipped;
mod unmix;

pub use config::{HeadConfig, ModelConfig, Preset, TimeConvention};
pub use file::Provenance;
pub use graph::Graph;
pub use init::initialise;
pub use network::{DeRefNet, Frames, Trained};
pub use observe::Observed;
pub use parameters::{Parameter, Parameters};
pub use physics::Operators;
