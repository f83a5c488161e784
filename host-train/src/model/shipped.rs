//! The model that ships inside the program.

use super::{DeRefNet, Provenance};
use crate::Result;

impl DeRefNet {
    /// The shipped model's file in the repository, for messages.
    pub const SHIPPED_NAME: &str = "host-train/models/edge.safetensors";
    /// Content of that file.
    pub const SHIPPED: &[u8] = include_bytes!("../../models/edge.safetensors");

    /// The shipped model with its provenance.
    ///
    /// # Errors
    /// Never for an unmodified program.
    pub fn shipped() -> Result<(Self, Provenance)> {
        Self::from_bytes(Self::SHIPPED_NAME.as_ref(), Self::SHIPPED)
    }
}
