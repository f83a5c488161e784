//! Our own rows beside the published ones.

use super::deref_net::REFERENCE;
use super::{Method, Readout, Reference, Solution, Variant};
use crate::model::{HeadConfig, ModelConfig, Preset};

/// Networks of ours are DeRefNets.
const OURS: Reference = REFERENCE;

/// The most probable point sources behind five frames, without a network.
pub const FIT: Method = Method {
    name: "fit",
    key: "fit",
    about: "the most probable point sources behind five frames, without a network",
    reference: OURS,
    published: None,
    variants: &[Variant {
        name: "as-shipped",
        about: "what `unmix` does",
    }],
    foreign_parameters: 0,
    solution: Solution::Fit,
};

/// DeRefNet with an offset head, whose claims the fit starts from.
pub const OFF_GRID: Method = Method {
    name: "DeRefNet off-grid",
    key: "deref-net-off-grid",
    about: "DeRefNet with an offset head, whose claims the fit starts from",
    reference: OURS,
    published: None,
    variants: &[Variant {
        name: "as-shipped",
        about: "`edge-noise`, with its offset head",
    }],
    foreign_parameters: 0,
    solution: Solution::DeRefNet {
        config: with_head,
        readout: Readout::OffGrid,
    },
};

/// DeRefNet of three stages and 16 channels, cells of its map.
pub const EDGE: Method = Method {
    name: "edge",
    key: "edge",
    about: "DeRefNet of three stages and 16 channels, cells of its map",
    reference: OURS,
    published: None,
    variants: &[Variant {
        name: "as-shipped",
        about: "f32, as shipped",
    }],
    foreign_parameters: 0,
    solution: Solution::DeRefNet {
        config: edge,
        readout: Readout::Grid,
    },
};

/// The same in the integers that run on devices.
pub const EDGE_QUANTISED: Method = Method {
    name: "edge, quantised",
    key: "edge-quantised",
    about: "the same in the integers that run on devices",
    reference: OURS,
    published: None,
    variants: &[Variant {
        name: "as-shipped",
        about: "`core/models/edge.dref`",
    }],
    foreign_parameters: 0,
    solution: Solution::DeRefNet {
        config: edge,
        readout: Readout::QuantisedGrid,
    },
};

fn edge() -> ModelConfig {
    ModelConfig::preset(Preset::Edge)
}

fn with_head() -> ModelConfig {
    ModelConfig {
        head: Some(HeadConfig {
            channels: 32,
            blocks: 4,
        }),
        ..edge()
    }
}
