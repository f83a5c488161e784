//! Bilinear samples.

use derefnet_core::arch::{Kernels, MAX_PIXELS, Sampling};
use derefnet_tests::oracle::kernels::sampled;
use derefnet_tests::properties;
use proptest::prelude::*;

use crate::fill::{BEFORE, Fill, fill, words};

#[derive(Clone, Copy, Debug)]
struct Patches {
    side: usize,
    channels: usize,
    row: usize,
    column: usize,
    pixels: usize,
    bits: u32,
    /// Bits that displacements lose, so that some stay on the map.
    near: u32,
    /// Numbers that the map lacks at its end.
    missing: usize,
    fill: Fill,
}

impl Patches {
    fn check(&self) {
        let len = (self.side * (self.side + 1) + 1) * self.channels;
        let mut map = self.fill.inputs(len, i16::MAX);
        let pixels = map.chunks_mut(self.channels);
        let border = pixels.step_by(self.side + 1);
        border.for_each(|pixel| pixel.fill(0));
        map.truncate(len.saturating_sub(self.missing));
        let seed = (self.bits + self.near) as u64;
        let offsets: Vec<i16> = words(seed, self.pixels * 18)
            .map(|word| word as i16 >> self.near)
            .collect();
        let sampling = Sampling {
            map: &map,
            side: self.side,
            channels: self.channels,
            row: self.row,
            column: self.column,
            offsets: &offsets,
            bits: self.bits,
        };
        let all = |set: Kernels| {
            let mut patches = vec![BEFORE; self.pixels * 9 * self.channels + 3];
            set.sample(&sampling, &mut patches);
            patches
        };
        let expected = all(Kernels::SCALAR);
        if self.missing == 0 {
            let taps = offsets.chunks_exact(2).enumerate();
            let patches = taps.flat_map(|(index, offset)| {
                let column = self.column + index / 9;
                sampled(&sampling, column, index % 9, [offset[0], offset[1]])
            });
            let patches: Vec<i16> = patches.chain([BEFORE; 3]).collect();
            assert_eq!(expected, patches, "{self:?}");
        }
        for set in Kernels::available() {
            assert_eq!(all(set), expected, "{} {self:?}", set.name());
        }
    }
}

fn patches() -> impl Strategy<Value = Patches> {
    let missing = prop_oneof![4 => Just(0), 1 => 1..300_usize];
    let map = (1..=MAX_PIXELS, (1..=8_usize).prop_map(|c| 8 * c), missing);
    let place = (0..MAX_PIXELS, 0..MAX_PIXELS, 0..=MAX_PIXELS);
    (map, place, 6..=14_u32, 0..12_u32, fill()).prop_map(
        |((side, channels, missing), (row, column, pixels), bits, near, fill)| Patches {
            side,
            channels,
            row,
            column,
            pixels,
            bits,
            near,
            missing,
            fill,
        },
    )
}

properties! {
    fn samples_agree(case in patches()) {
        case.check();
    }
}
