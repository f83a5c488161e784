//! The model that ships inside the program.

use super::{DeRefNet, Provenance};
use crate::Result;

/// Its file in the repository, for messages.
const NAME: &str = "host-train/models/edge.safetensors";
const BYTES: &[u8] = include_bytes!("../../models/edge.safetensors");

impl DeRefNet {
    /// The shipped model with its provenance.
    ///
    /// # Errors
    /// Never for an unmodified program.
    pub fn shipped() -> Result<(Self, Provenance)> {
        Self::from_bytes(NAME.as_ref(), BYTES)
    }
}
