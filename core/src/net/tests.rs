//! Tests of the memory that a run works in.

use std::boxed::Box;

use super::*;
use crate::error::Error;
use crate::stream::{MapMemory, Memory};

/// Why a run with `lengths` is refused in memory for a map of 8 channels.
fn refused(lengths: Lengths) -> Option<Error> {
    let mut memory = Box::new(MapMemory::<8>::new());
    let (scratch, _) = memory.run().unwrap();
    Run::new(Kernels::SCALAR, lengths, scratch, &mut ()).err()
}

/// A number of [`Lengths`].
type Part = fn(&mut Lengths) -> &mut usize;

#[test]
fn every_part_of_the_memory_must_have_room() {
    let fits = Lengths::map(8);
    assert_eq!(refused(fits), None);
    let parts: [(&str, Part); 9] = [
        ("scratch planes", |l| &mut l.planes[0]),
        ("scratch planes", |l| &mut l.planes[1]),
        ("scratch for weights", |l| &mut l.packed[0]),
        ("scratch for weights", |l| &mut l.packed[1]),
        ("scratch for sums", |l| &mut l.sums),
        ("scratch for samples", |l| &mut l.patches),
        ("scratch for a row", |l| &mut l.line),
        ("scratch for displacements", |l| &mut l.offsets),
        ("scratch for maps", |l| &mut l.small),
    ];
    for (what, part) in parts {
        let mut more = fits;
        let got = *part(&mut more);
        *part(&mut more) += 1;
        let needed = got + 1;
        assert_eq!(refused(more), Some(Error::Capacity { what, needed, got }));
    }
}

/// Memory for a map has room for a head of fewer channels, and for none of more.
#[test]
fn heads_fit_where_maps_do() {
    let of = |channels: usize| refused(Lengths::head(channels));
    assert_eq!(of(8), None);
    assert!(matches!(of(128), Some(Error::Capacity { .. })));
}

#[test]
fn counts_become_inputs_and_are_saturated() {
    let mut counts = [0; FRAME_LEN];
    counts[..4].copy_from_slice(&[100, -3, 8_192, -9_000]);
    let mut frame = [7; FRAME_LEN];
    assert_eq!(take_frame(&counts, 2, &mut frame), 2);
    assert_eq!(frame[..5], [400, -12, i16::MAX, i16::MIN, 0]);
}
