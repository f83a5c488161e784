//! A network with the offset head of another.

use super::{DeRefNet, Parameters};
use crate::{Error, Result};

impl DeRefNet {
    /// This network with the offset head of `other` in the place of its own: the head reads the frames
    /// alone, so that it serves every network that divides counts alike.
    ///
    /// # Errors
    /// [`Error::Usage`] if `other` has no head, or another scale of intensities.
    pub fn with_head_of(&self, other: &Self) -> Result<Self> {
        if other.config.head.is_none() {
            return Err(Error::usage("the other model has no offset head"));
        }
        let [ours, theirs] = [self, other].map(|network| network.config.intensity_scale);
        if ours != theirs {
            return Err(Error::usage(format!(
                "the other model's intensity scale is {theirs} counts, expected {ours}"
            )));
        }
        let mut config = self.config.clone();
        config.head.clone_from(&other.config.head);
        let mut parameters = Parameters::zeros(&config);
        for tensor in &mut parameters.tensors {
            let of_head = tensor.name.starts_with("head.");
            let source = if of_head { other } else { self };
            if let Some(source) = source.parameters.get(&tensor.name) {
                tensor.values.clone_from(&source.values);
            }
        }
        Ok(Self {
            config,
            operators: self.operators.clone(),
            parameters,
        })
    }
}
