//! The model file (`.dref`): a reader that copies nothing.
//!
//! `FORMAT.md` describes every byte. [`Model::load`] checks everything once: length, checksum, header,
//! sizes, factors, and that no sum of any layer can leave 32 bits whatever the frames hold. After
//! that, inference cannot fail.

mod error;
mod header;
mod layer;
mod network;

use crc::{CRC_32_ISO_HDLC, Crc, Table};

pub use error::LoadError;
pub use header::{
    Accuracy, Calibration, HeadHeader, Header, Intensities, MAX_BLOCKS, MAX_STAGES, MapHeader,
    Physics, Provenance,
};
pub use layer::Layer;
pub use network::{
    HEAD_OUTPUTS, HeadNetwork, MapNetwork, Model, OFFSETS, STEP_SHIFTS, Stage, THRESHOLDS,
};

/// First bytes of a model file.
pub const MAGIC: [u8; 4] = *b"DREF";
/// Format version that this code reads.
pub const VERSION: u16 = 1;
/// Bytes in front of the header: magic, version, length of the header, length of the file, CRC-32.
pub const PREFIX: usize = 16;
/// The body begins at a multiple of this.
pub const BODY_ALIGNMENT: usize = 16;

/// CRC-32 of ISO-HDLC, by a table of 1 KiB.
static CRC: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISO_HDLC);

/// CRC-32 of a model file: of all bytes but the four that hold it.
pub fn checksum(bytes: &[u8]) -> u32 {
    let mut digest = CRC.digest();
    digest.update(bytes.get(..12).unwrap_or(bytes));
    digest.update(bytes.get(PREFIX..).unwrap_or(&[]));
    digest.finalize()
}

impl<'m> Model<'m> {
    /// Reads a model file in place: weights stay where `bytes` lie, in flash for example.
    ///
    /// # Errors
    /// [`LoadError`]: the first reason to refuse it.
    pub fn load(bytes: &'m [u8]) -> Result<Self, LoadError> {
        let length = |expected| LoadError::Length {
            expected,
            got: bytes.len(),
        };
        let Some((prefix, _)) = bytes.split_first_chunk::<PREFIX>() else {
            return Err(length(PREFIX));
        };
        let &[
            m0,
            m1,
            m2,
            m3,
            v0,
            v1,
            h0,
            h1,
            l0,
            l1,
            l2,
            l3,
            c0,
            c1,
            c2,
            c3,
        ] = prefix;
        if [m0, m1, m2, m3] != MAGIC {
            return Err(LoadError::Magic);
        }
        let version = u16::from_le_bytes([v0, v1]);
        if version != VERSION {
            return Err(LoadError::Version { got: version });
        }
        let said = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        if said != bytes.len() {
            return Err(length(said));
        }
        let (expected, got) = (u32::from_le_bytes([c0, c1, c2, c3]), checksum(bytes));
        if expected != got {
            return Err(LoadError::Checksum { expected, got });
        }
        let end = PREFIX + usize::from(u16::from_le_bytes([h0, h1]));
        let header = bytes.get(PREFIX..end).ok_or(LoadError::Header)?;
        let (header, rest) =
            postcard::take_from_bytes::<Header>(header).map_err(|_| LoadError::Header)?;
        if !rest.is_empty() {
            return Err(LoadError::Header);
        }
        header.validate()?;
        let body = bytes.get(end.next_multiple_of(BODY_ALIGNMENT)..);
        Self::read(header, body.ok_or(LoadError::Body { part: "start" })?)
    }
}

#[cfg(test)]
mod tests;
