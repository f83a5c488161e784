//! DeRefNet: unfolded shrinkage, then five frames aligned by deformable convolutions.
//!
//! The network is [`crate::model`], its training [`crate::train`]: this entry tells where it stands
//! among the others.

use super::{AS_PUBLISHED, Method, Published, Readout, Reference, Solution};
use crate::model::{ModelConfig, Preset, TimeConvention};

/// Registry entry. Parameters and multiply-adds of the table are not those of the released code,
/// which are counted here.
pub const METHOD: Method = Method {
    name: "DeRefNet",
    key: "deref-net",
    about: "unfolded shrinkage, then five frames aligned by deformable convolutions",
    reference: REFERENCE,
    published: Some(Published {
        fps: 367.0,
        parameters: Some("0.89 M"),
        flops: "15.70 G",
        cso_map: 51.55,
        average_precisions: [1.0, 14.4, 54.9, 90.4, 97.1],
    }),
    variants: AS_PUBLISHED,
    foreign_parameters: 0,
    solution: Solution::DeRefNet {
        config,
        readout: Readout::Grid,
    },
};

/// Where the data and the network come from.
pub(super) const REFERENCE: Reference = Reference {
    authors: "Zhai et al.",
    title: "SeqCSIST: sequential closely-spaced infrared small target unmixing",
    venue: "TGRS 2025, arXiv 2507.09556",
};

/// As released: the position code counts within the trajectory.
fn config() -> ModelConfig {
    ModelConfig {
        time: TimeConvention::Trajectory,
        ..ModelConfig::preset(Preset::Paper)
    }
}
