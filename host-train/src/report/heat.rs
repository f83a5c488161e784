//! Matrices as PNG pictures inside the page.

use crate::plot::style::ColourMap;

/// Colours of a picture.
const LEVELS: usize = 256;

/// A PNG of `values`, row by row, `side` wide, one pixel a cell, as the address of an image: black at
/// 0 counts and below, the brightest at `high`.
pub fn address(values: impl Iterator<Item = f64>, side: usize, high: f64) -> String {
    let level = |value: f64| {
        (value / high * (LEVELS - 1) as f64)
            .round()
            .clamp(0.0, 255.0) as u8
    };
    let cells: Vec<u8> = values.map(level).collect();
    debug_assert_eq!(cells.len() % side, 0);
    let bytes = encode(&cells, side).expect("a few bytes in memory can be written");
    format!("data:image/png;base64,{}", base64(&bytes))
}

fn encode(cells: &[u8], side: usize) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let height = (cells.len() / side) as u32;
    let mut encoder = png::Encoder::new(&mut bytes, side as u32, height);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    // Only levels that occur: most maps have few.
    let mut levels: Vec<u8> = cells.to_vec();
    levels.sort_unstable();
    levels.dedup();
    let colour = |level: &u8| ColourMap::Inferno.at(f64::from(*level) / (LEVELS - 1) as f64);
    encoder.set_palette(levels.iter().flat_map(colour).collect::<Vec<u8>>());
    let index = |cell: &u8| levels.partition_point(|level| level < cell) as u8;
    let indices: Vec<u8> = cells.iter().map(index).collect();
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&indices)?;
    writer.finish()?;
    Ok(bytes)
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let word = group.iter().enumerate().fold(0u32, |word, (k, &byte)| {
            word | u32::from(byte) << (16 - 8 * k)
        });
        for k in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * k) & 63) as usize];
            text.push(if k <= group.len() { digit.into() } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of RFC 4648, section 10.
    #[test]
    fn base64_is_that_of_the_standard() {
        let vectors = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (bytes, text) in vectors {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn pictures_have_the_colours_of_their_cells() {
        let values = [0.0, 50.0, 100.0, -3.0, 200.0, 100.0].into_iter();
        assert!(address(values, 3, 100.0).starts_with("data:image/png;base64,iVBOR"));
        let bytes = encode(&[0, 128, 255, 0, 255, 255], 3).unwrap();
        let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((info.width, info.height), (3, 2));
        let expected =
            [0, 128, 255, 0, 255, 255].map(|l| ColourMap::Inferno.at(f64::from(l) / 255.0));
        assert_eq!(pixels, expected.concat());
    }
}
