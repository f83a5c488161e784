//! Grey PNG files, read with all checks and written with text chunks.

use crate::{Error, Result};
use ndarray::Array2;
use png::{BitDepth, ColorType};
use std::fs::File;
use std::io::{BufReader, Write};
use std::path::Path;

/// Keyword of the text chunk (tEXt) that holds the pedestal: whole counts from 0 to 65535 that were
/// added to every pixel, so that noise below zero fits an unsigned picture.
pub const PEDESTAL: &str = "derefnet pedestal";

/// More pixels than any infrared sensor has; a damaged header must not claim all memory.
pub const MAX_PIXELS: u64 = 1 << 26;

/// A picture of one grey channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Raster {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Depth of the file: 1, 2, 4, 8 or 16 bits.
    pub bits: u32,
    /// Colour type of the file: `grey`, or what was turned into grey.
    pub colour: &'static str,
    /// Grey values, `(height, width)` row-major.
    pub samples: Vec<u16>,
    /// Uncompressed text chunks, keyword and text.
    pub texts: Vec<(String, String)>,
}

impl Raster {
    /// Text under `keyword`, if the file has it.
    pub fn text(&self, keyword: &str) -> Option<&str> {
        let mut found = self.texts.iter().filter(|(key, _)| key == keyword);
        found.next().map(|(_, text)| text.as_str())
    }
}

/// Reads a PNG of any colour type. Depths below 8 become 8; colour becomes luma,
/// `(299 R + 587 G + 114 B + 500) / 1000`; transparency is ignored.
///
/// # Errors
/// [`Error::Io`] if the file cannot be opened, [`Error::Format`] if it is no complete PNG of at most
/// [`MAX_PIXELS`].
pub fn read(path: &Path) -> Result<Raster> {
    let file = File::open(path).map_err(|source| Error::io(path, source))?;
    let bad = |error: png::DecodingError| {
        Error::format(path, format!("bad PNG: {error}, expected a whole picture"))
    };
    let mut decoder = png::Decoder::new(BufReader::new(file));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(bad)?;
    let (width, height) = (reader.info().width, reader.info().height);
    let too_large = || {
        let message = format!("bad PNG: {width}x{height} pixels, expected at most {MAX_PIXELS}");
        Error::format(path, message)
    };
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(too_large());
    }
    let mut bytes = vec![0; reader.output_buffer_size().ok_or_else(too_large)?];
    let frame = reader.next_frame(&mut bytes).map_err(bad)?;
    // Text may follow the pixels, and a missing end is a truncated file.
    reader.finish().map_err(bad)?;
    let info = reader.info();
    let texts = info.uncompressed_latin1_text.iter();
    Ok(Raster {
        width: width as usize,
        height: height as usize,
        bits: info.bit_depth as u32,
        colour: match info.color_type {
            ColorType::Grayscale => "grey",
            ColorType::GrayscaleAlpha => "grey with transparency",
            ColorType::Rgb => "colour",
            ColorType::Rgba => "colour with transparency",
            ColorType::Indexed => "palette",
        },
        samples: grey(&bytes[..frame.buffer_size()], &frame),
        texts: texts
            .map(|chunk| (chunk.keyword.clone(), chunk.text.clone()))
            .collect(),
    })
}

/// Reads signed counts, `(rows, columns)`: a grey PNG of 8 or 16 bits, its [`PEDESTAL`] taken off.
///
/// Colour, palettes and other depths are refused rather than converted: their values are no counts.
///
/// # Errors
/// As [`read`], and [`Error::Format`] for another colour type or depth or a bad pedestal.
pub fn read_counts(path: &Path) -> Result<Array2<i32>> {
    let raster = read(path)?;
    let (colour, bits) = (raster.colour, raster.bits);
    if colour != "grey" || !matches!(bits, 8 | 16) {
        let message = format!("{colour} of {bits} bits, expected grey of 8 or 16 bits");
        return Err(Error::format(path, message));
    }
    let text = raster.text(PEDESTAL).unwrap_or("0");
    let pedestal: u16 = text.trim().parse().map_err(|_| {
        let message = format!("text chunk '{PEDESTAL}' is '{text}', expected 0 to 65535");
        Error::format(path, message)
    })?;
    let subtract = |&stored: &u16| i32::from(stored) - i32::from(pedestal);
    let counts = raster.samples.iter().map(subtract).collect();
    Array2::from_shape_vec((raster.height, raster.width), counts)
        .map_err(|error| Error::format(path, error.to_string()))
}

/// Grey values of decoded bytes; 16-bit samples are big endian in PNG.
fn grey(bytes: &[u8], frame: &png::OutputInfo) -> Vec<u16> {
    let wide: Vec<u16> = match frame.bit_depth {
        BitDepth::Sixteen => bytes
            .chunks_exact(2)
            .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
            .collect(),
        _ => bytes.iter().map(|&byte| u16::from(byte)).collect(),
    };
    match frame.color_type.samples() {
        1 => wide,
        2 => wide.chunks_exact(2).map(|pixel| pixel[0]).collect(),
        channels => wide.chunks_exact(channels).map(luma).collect(),
    }
}

fn luma(pixel: &[u16]) -> u16 {
    let weighted = pixel.iter().zip([299, 587, 114]);
    let sum: u32 = weighted
        .map(|(&value, weight)| u32::from(value) * weight)
        .sum();
    ((sum + 500) / 1000) as u16
}

/// Encodes a grey PNG of 8 or 16 bits with the given text chunks (Latin-1).
///
/// # Errors
/// [`Error::Format`] naming `path` if a value exceeds the depth or the encoder refuses.
///
/// # Panics
/// If `bits` is neither 8 nor 16, or `samples` does not fill the picture.
pub fn encode(path: &Path, raster: &Raster) -> Result<Vec<u8>> {
    assert_eq!(raster.samples.len(), raster.width * raster.height);
    let (depth, bytes): (_, Vec<u8>) = match raster.bits {
        8 => (
            BitDepth::Eight,
            narrow(&raster.samples).ok_or_else(|| {
                Error::format(path, "a value exceeds 255, the most of an 8-bit PNG")
            })?,
        ),
        16 => (
            BitDepth::Sixteen,
            raster
                .samples
                .iter()
                .flat_map(|v| v.to_be_bytes())
                .collect(),
        ),
        bits => panic!("PNG of {bits} bits"),
    };
    let bad = |error: png::EncodingError| Error::format(path, format!("PNG encoder: {error}"));
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, raster.width as u32, raster.height as u32);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(depth);
    for (keyword, text) in &raster.texts {
        encoder
            .add_text_chunk(keyword.clone(), text.clone())
            .map_err(bad)?;
    }
    let mut writer = encoder.write_header().map_err(bad)?;
    writer.write_image_data(&bytes).map_err(bad)?;
    writer.finish().map_err(bad)?;
    Ok(out)
}

fn narrow(samples: &[u16]) -> Option<Vec<u8>> {
    samples.iter().map(|&v| u8::try_from(v).ok()).collect()
}

/// Encodes and writes; see [`encode`].
///
/// # Errors
/// As [`encode`], and [`Error::Io`] if the file cannot be written.
pub fn write(path: &Path, raster: &Raster) -> Result<()> {
    let bytes = encode(path, raster)?;
    File::create(path)
        .and_then(|mut file| file.write_all(&bytes))
        .map_err(|source| Error::io(path, source))
}
