//! One PNG frame.
//!
//! Grey of 8 or 16 bit. Colour, transparency and palettes are refused rather than converted: their
//! values are no counts. A text chunk (tEXt) `pedestal` holds counts that were added to keep noise
//! from going negative; they are taken off again.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use ndarray::Array2;
use png::{BitDepth, ColorType};

use crate::{Error, Result};

/// More pixels than any infrared sensor has; a damaged header must not claim all memory.
const MAX_PIXELS: u64 = 1 << 26;

/// Counts of one picture, `(rows, columns)`.
pub fn read(path: &Path) -> Result<Array2<f32>> {
    let file = File::open(path).map_err(|source| Error::io(path, source))?;
    decode(path, BufReader::new(file))
}

fn decode<R: Read + std::io::BufRead + std::io::Seek>(
    path: &Path,
    bytes: R,
) -> Result<Array2<f32>> {
    let broken = |source: png::DecodingError| {
        Error::format(path, format!("{source}, expected a complete PNG picture"))
    };
    let mut reader = png::Decoder::new(bytes).read_info().map_err(broken)?;
    let info = reader.info();
    let (rows, columns) = (info.height, info.width);
    if u64::from(rows) * u64::from(columns) > MAX_PIXELS {
        let message = format!("{rows}x{columns} pixels, expected at most {MAX_PIXELS}");
        return Err(Error::format(path, message));
    }
    let depth = grey_depth(path, info.color_type, info.bit_depth)?;
    let size = reader.output_buffer_size().unwrap_or(0);
    let mut raw = vec![0; size];
    reader.next_frame(&mut raw).map_err(broken)?;
    // Text may follow the pixels, and a missing end is a truncated file.
    reader.finish().map_err(broken)?;
    let pedestal = pedestal(path, reader.info())?;
    let counts: Vec<f32> = match depth {
        BitDepth::Eight => raw.iter().map(|&byte| f32::from(byte) - pedestal).collect(),
        _ => raw
            .chunks_exact(2)
            .map(|pair| f32::from(u16::from_be_bytes([pair[0], pair[1]])) - pedestal)
            .collect(),
    };
    Array2::from_shape_vec((rows as usize, columns as usize), counts)
        .map_err(|source| Error::format(path, format!("{rows}x{columns} pixels: {source}")))
}

fn grey_depth(path: &Path, colour: ColorType, depth: BitDepth) -> Result<BitDepth> {
    match (colour, depth) {
        (ColorType::Grayscale, BitDepth::Eight | BitDepth::Sixteen) => Ok(depth),
        _ => {
            let bits = depth as u8;
            let message = format!("{colour:?} of {bits} bit, expected grey of 8 or 16 bit");
            Err(Error::format(path, message))
        }
    }
}

fn pedestal(path: &Path, info: &png::Info) -> Result<f32> {
    let mut chunks = info.uncompressed_latin1_text.iter();
    let Some(chunk) = chunks.find(|chunk| chunk.keyword == "pedestal") else {
        return Ok(0.0);
    };
    let value = chunk.text.trim().parse::<f32>().ok();
    value.filter(|value| value.is_finite()).ok_or_else(|| {
        let message = format!("text chunk pedestal: {:?}, expected a number", chunk.text);
        Error::format(path, message)
    })
}
