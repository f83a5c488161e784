//! Runs programs: warps of 32 lanes in step, blocks one after another.
//!
//! | module | holds |
//! | --- | --- |
//! | [`launch`] | a grid, its blocks, barriers of a block |
//! | [`warp`] | registers, divergence, the loop over operations |
//! | [`operate`] | what each operation does |
//! | [`vector`] | operations on all lanes at once |
//! | [`number`] | every other operation, a lane at a time |
//! | [`convert`] | conversions between types |
//! | [`access`] | loads, stores, atomic operations and their checks |
//! | [`together`] | shuffles, votes, products of fragments |

pub mod access;
pub mod convert;
pub mod launch;
pub mod number;
pub mod operate;
pub mod together;
pub mod vector;
pub mod warp;

/// Threads of a warp.
pub const LANES: usize = 32;

/// Lanes whose bit is set.
#[inline]
pub fn lanes(mask: u32) -> impl Iterator<Item = usize> {
    let mut rest = mask;
    std::iter::from_fn(move || {
        let lane = rest.trailing_zeros() as usize;
        // Of no bits there are 32 zeros.
        rest &= rest.wrapping_sub(1);
        (lane < LANES).then_some(lane)
    })
}
