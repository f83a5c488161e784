//! Colours and sizes shared by all figures.

/// Opaque colour, red, green, blue.
pub type Rgb = [u8; 3];

pub const WHITE: Rgb = [255, 255, 255];
pub const INK: Rgb = [32, 32, 32];
pub const GRID: Rgb = [222, 222, 222];
/// Cells without a finite value; in neither colour map.
pub const MISSING: Rgb = [120, 160, 200];

// Okabe and Ito, "Color Universal Design" (2008): told apart by all common kinds of colour vision.
pub const ORANGE: Rgb = [230, 159, 0];
pub const SKY: Rgb = [86, 180, 233];
pub const GREEN: Rgb = [0, 158, 115];
pub const BLUE: Rgb = [0, 114, 178];
pub const VERMILION: Rgb = [213, 94, 0];
pub const PURPLE: Rgb = [204, 121, 167];

/// Lines of a many-curve figure, in order; neighbours differ in lightness too.
pub const CURVES: [Rgb; 6] = [BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY];

/// Text heights in pixels.
pub const TITLE: f32 = 18.0;
pub const LABEL: f32 = 15.0;
pub const SMALL: f32 = 13.0;

/// Widths in pixels.
pub const CURVE_WIDTH: f32 = 2.2;
pub const FRAME_WIDTH: f32 = 1.2;
pub const COLOUR_BAR: f32 = 16.0;

/// How a number becomes a colour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ColourMap {
    /// Perceptual, dark to bright.
    Inferno,
    /// Neutral ground for coloured marks.
    Grey,
}

/// matplotlib's inferno (CC0) at ten equal steps.
const INFERNO: [Rgb; 10] = [
    [0x00, 0x00, 0x04],
    [0x1b, 0x0c, 0x42],
    [0x4b, 0x0c, 0x6b],
    [0x78, 0x1c, 0x6d],
    [0xa5, 0x2c, 0x60],
    [0xcf, 0x44, 0x46],
    [0xed, 0x69, 0x25],
    [0xfb, 0x9a, 0x06],
    [0xf7, 0xd0, 0x3c],
    [0xfc, 0xff, 0xa4],
];

/// Ends short of black and white, so that both dark and light marks stand out everywhere.
const GREY: [Rgb; 2] = [[40, 40, 40], [235, 235, 235]];

impl ColourMap {
    /// Colour at `share` of the range; outside 0..1 is clamped.
    pub fn at(self, share: f64) -> Rgb {
        match self {
            Self::Inferno => between(&INFERNO, share),
            Self::Grey => between(&GREY, share),
        }
    }
}

fn between(table: &[Rgb], share: f64) -> Rgb {
    if share.is_nan() {
        return MISSING;
    }
    let place = share.clamp(0.0, 1.0) * (table.len() - 1) as f64;
    let low = (place as usize).min(table.len() - 2);
    let part = place - low as f64;
    std::array::from_fn(|channel| {
        let (a, b) = (table[low][channel], table[low + 1][channel]);
        (f64::from(a) + part * (f64::from(b) - f64::from(a))).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_maps_brighten_steadily() {
        let lightness =
            |[r, g, b]: Rgb| 0.2126 * f64::from(r) + 0.7152 * f64::from(g) + 0.0722 * f64::from(b);
        for map in [ColourMap::Inferno, ColourMap::Grey] {
            let steps: Vec<f64> = (0..=50)
                .map(|i| lightness(map.at(f64::from(i) / 50.0)))
                .collect();
            assert!(steps.windows(2).all(|pair| pair[1] > pair[0]), "{map:?}");
        }
    }

    #[test]
    fn colour_map_hits_its_table_and_clamps() {
        assert_eq!(ColourMap::Inferno.at(-1.0), INFERNO[0]);
        assert_eq!(ColourMap::Inferno.at(2.0), INFERNO[9]);
        assert_eq!(ColourMap::Inferno.at(5.0 / 9.0), INFERNO[5]);
        assert_eq!(ColourMap::Grey.at(f64::NAN), MISSING);
    }
}
