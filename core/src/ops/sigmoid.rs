//! The logistic function by a table, interpolated linearly.

use crate::fixed::{SHARE_BITS, WHOLE};

/// Fraction bits of the argument.
pub const FRACTION: u32 = 16;
/// Fraction bits between two nodes of the table.
const STEP_BITS: u32 = 12;
/// Arguments beyond this have the value at it.
const REACH: i32 = 8 << FRACTION;
/// Nodes for arguments from 0 to [`REACH`].
const NODES: usize = (REACH >> STEP_BITS) as usize + 1;
/// Fraction bits of the nodes beyond [`SHARE_BITS`].
const GUARD_BITS: u32 = 4;

static TABLE: [i32; NODES] = table();

/// `1 / (1 + e^-x)` at every sixteenth.
const fn table() -> [i32; NODES] {
    // e^(-1/16), its series ended where terms no longer count.
    let (mut step, mut term, mut n) = (1.0, 1.0, 1.0);
    while n < 12.0 {
        term *= -0.0625 / n;
        step += term;
        n += 1.0;
    }
    let unit = (WHOLE << GUARD_BITS) as f64;
    let (mut nodes, mut power, mut node) = ([0; NODES], 1.0, 0);
    while node < NODES {
        nodes[node] = (unit / (1.0 + power) + 0.5) as i32;
        power *= step;
        node += 1;
    }
    nodes
}

/// `1 / (1 + e^-z)` with 14 fraction bits, 0..=16384, of `z` with 16.
///
/// The line between two nodes is within 5e-5 of the curve; beyond ±8 the value stays.
pub fn sigmoid(z: i32) -> i16 {
    let size = z.saturating_abs().min(REACH - 1);
    let share = size & ((1 << STEP_BITS) - 1);
    let mut nodes = TABLE.iter().skip((size >> STEP_BITS) as usize);
    let (low, high) = (nodes.next(), nodes.next());
    let (low, high) = (low.map_or(0, |&v| v), high.map_or(0, |&v| v));
    let line = low * ((1 << STEP_BITS) - share) + high * share;
    let shift = STEP_BITS + GUARD_BITS;
    let value = (line + (1 << (shift - 1))) >> shift;
    let value = if z < 0 { WHOLE - value } else { value };
    debug_assert!(value <= 1 << SHARE_BITS);
    value as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The compiler's table and the running program's are one, and next to the curve.
    #[test]
    fn nodes_are_the_curve() {
        assert_eq!(table(), TABLE);
        for (node, &got) in TABLE.iter().enumerate() {
            let unit = f64::from(WHOLE << GUARD_BITS);
            let exact = unit / (1.0 + libm::exp(-(node as f64) / 16.0));
            assert!(
                (f64::from(got) - exact).abs() < 0.501,
                "{node}: {got}, expected {exact}"
            );
        }
    }

    #[test]
    fn follows_the_curve_and_keeps_its_symmetry() {
        let mut worst = 0.0f64;
        for z in (-12 << FRACTION..12 << FRACTION).step_by(97) {
            let x = f64::from(z) / f64::from(1 << FRACTION);
            let exact = 1.0 / (1.0 + libm::exp(-x.clamp(-8.0, 8.0)));
            worst = worst.max((f64::from(sigmoid(z)) / f64::from(WHOLE) - exact).abs());
            assert_eq!(
                i32::from(sigmoid(z)) + i32::from(sigmoid(-z)),
                WHOLE + i32::from(z == 0) * (2 * i32::from(sigmoid(0)) - WHOLE)
            );
        }
        // A line's distance from the curve, and half a step of 2⁻¹⁴.
        assert!(worst < 5e-5 + 0.5 / f64::from(WHOLE) + 1e-6, "{worst}");
        assert_eq!((sigmoid(0), sigmoid(i32::MAX)), (8192, sigmoid(REACH)));
        assert_eq!(
            i32::from(sigmoid(i32::MIN)),
            WHOLE - i32::from(sigmoid(i32::MAX))
        );
    }
}
