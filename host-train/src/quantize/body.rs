//! The body of a model file and the file around it, as `core/FORMAT.md` says.

use derefnet_core::fixed::Requant;
use derefnet_core::weights::{BODY_ALIGNMENT, Header, MAGIC, PREFIX, VERSION, checksum};

use crate::{Error, Result};

/// A layer in integers: weights in the order of the file, bias and factor of every output.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct IntegerLayer {
    pub(super) weights: Vec<i8>,
    pub(super) scaling: Vec<(i32, Requant)>,
}

/// Parts of a body, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Body(Vec<u8>);

impl Body {
    /// Adds a part and pads it to four bytes.
    pub(super) fn part(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    /// Length so far, bytes.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Leaves out the first `bytes`, whole parts.
    pub(super) fn skip(&mut self, bytes: usize) {
        self.0.drain(..bytes.min(self.0.len()));
    }

    pub(super) fn table(&mut self, values: &[i16]) {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.part(&bytes);
    }

    pub(super) fn layer(&mut self, layer: &IntegerLayer) {
        let weights: Vec<u8> = layer.weights.iter().map(|&w| w as u8).collect();
        self.part(&weights);
        let mut bytes = Vec::new();
        for (bias, factor) in &layer.scaling {
            bytes.extend(bias.to_le_bytes());
            bytes.extend(factor.multiplier().to_le_bytes());
            bytes.push(factor.shift());
        }
        self.part(&bytes);
    }

    /// The file of `header` and this body, with lengths and checksum.
    ///
    /// # Errors
    /// If the header's texts are too long for it.
    pub(super) fn file(&self, header: &Header) -> Result<Vec<u8>> {
        let mut room = [0; 2048];
        let encoded = postcard::to_slice(header, &mut room)
            .map_err(|e| Error::usage(format!("model file: header: {e}")))?;
        let start = (PREFIX + encoded.len()).next_multiple_of(BODY_ALIGNMENT);
        let too_long = |_| Error::usage("model file: too long".to_owned());
        let header_len = u16::try_from(encoded.len()).map_err(too_long)?;
        let len = u32::try_from(start + self.0.len()).map_err(too_long)?;
        let mut file = Vec::from(MAGIC);
        file.extend(VERSION.to_le_bytes());
        file.extend(header_len.to_le_bytes());
        file.extend(len.to_le_bytes());
        file.extend([0; 4]);
        file.extend_from_slice(encoded);
        file.resize(start, 0);
        file.extend_from_slice(&self.0);
        let crc = checksum(&file);
        file[12..16].copy_from_slice(&crc.to_le_bytes());
        Ok(file)
    }
}
