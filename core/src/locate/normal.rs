//! Normal equations of one frame from inner products of one-dimensional profiles.

use super::MAX_SOURCES;
use super::model::{ACCELERATION, BACKGROUND, Layout, VELOCITY};
use super::packed::{ORDER, Packed, Vector, add_at, dot};
use super::profile::Profile;
use crate::physics::{FRAME_LEN, FRAME_SIDE};

/// Curvature, downhill direction and value of `F` at one state.
#[derive(Clone, Debug)]
pub(super) struct Normal {
    pub(super) matrix: Packed,
    /// `-∇F`.
    pub(super) descent: Vector,
    pub(super) cost: f64,
    /// Sum of squared residuals, counts².
    pub(super) squares: f64,
    /// Pixels that are not excluded.
    pub(super) pixels: f64,
}

impl Normal {
    pub(super) const ZERO: Self = Self {
        matrix: Packed::ZERO,
        descent: [0.0; ORDER],
        cost: 0.0,
        squares: 0.0,
        pixels: 0.0,
    };

    pub(super) fn clear(&mut self, order: usize) {
        self.matrix.clear(order);
        self.descent = [0.0; ORDER];
        (self.cost, self.squares, self.pixels) = (0.0, 0.0, 0.0);
    }

    /// Holds parameter `i` where it is.
    pub(super) fn hold(&mut self, i: usize, order: usize) {
        self.matrix.isolate(i, order);
        if let Some(element) = self.descent.get_mut(i) {
            *element = 0.0;
        }
    }

    /// Adds the belief that parameter `i`, now `offset` above its mean, has deviation `1/√precision`.
    pub(super) fn believe(&mut self, i: usize, offset: f64, precision: f64) {
        self.cost += 0.5 * precision * offset * offset;
        add_at(&mut self.descent, i, -precision * offset);
        self.matrix.add(i, i, precision);
    }
}

/// One source as one frame sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    pub(super) intensity: f64,
    pub(super) rows: Profile,
    pub(super) columns: Profile,
}

/// Counts minus model, pixel by pixel.
pub(super) fn fill_residual(
    counts: &[f32],
    background: f64,
    spots: &[Spot],
    residual: &mut [f64; FRAME_LEN],
) {
    for (residual, &count) in residual.iter_mut().zip(counts) {
        *residual = f64::from(count) - background;
    }
    for spot in spots {
        let rows = residual.chunks_exact_mut(FRAME_SIDE);
        for (row, value) in rows.zip(&spot.rows.value) {
            let share = spot.intensity * value;
            // Far from the source.
            if share == 0.0 {
                continue;
            }
            for (residual, column) in row.iter_mut().zip(&spot.columns.value) {
                *residual -= share * column;
            }
        }
    }
}

fn sum(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |sum, value| sum + value)
}

/// Adds `Jᵀ r` of one frame.
pub(super) fn add_gradient(
    spots: &[Spot],
    residual: &[f64; FRAME_LEN],
    layout: Layout,
    t: f64,
    normal: &mut Normal,
) {
    let descent = &mut normal.descent;
    add_at(descent, BACKGROUND, sum(residual));
    let half = 0.5 * t * t;
    for (k, spot) in spots.iter().enumerate() {
        let (mut gx, mut gy, mut gi) = (0.0, 0.0, 0.0);
        let rows = spot.rows.value.iter().zip(&spot.rows.slope);
        for (line, (value, slope)) in residual.chunks_exact(FRAME_SIDE).zip(rows) {
            // Far from the source.
            if *value == 0.0 && *slope == 0.0 {
                continue;
            }
            let seen = dot(line, &spot.columns.value);
            gx += slope * seen;
            gi += value * seen;
            gy += value * dot(line, &spot.columns.slope);
        }
        let (gx, gy) = (spot.intensity * gx, spot.intensity * gy);
        for (i, term) in [
            (VELOCITY, t * gx),
            (VELOCITY + 1, t * gy),
            (ACCELERATION, half * gx),
            (ACCELERATION + 1, half * gy),
        ] {
            add_at(descent, i, term);
        }
        for (j, (derivative, weight)) in layout.columns(t).enumerate() {
            let term = pick(&[gx, gy, gi], derivative);
            add_at(descent, layout.first(k) + j, weight * term);
        }
    }
}

/// Inner products over the pixels of one frame of the derivatives of two sources by row, column and
/// intensity: `[i][j]` is that of derivative `i` of the first and `j` of the second.
type Block = [[f64; 3]; 3];

/// Position derivatives of all sources together, by the parameters of one: rows, columns.
type Moved = [[f64; 3]; 2];

/// Adds `JᵀJ` of one frame.
pub(super) fn add_curvature(
    spots: &[Spot],
    excluded: Option<&[bool]>,
    layout: Layout,
    t: f64,
    normal: &mut Normal,
) {
    let mut moved: [Moved; MAX_SOURCES] = [[[0.0; 3]; 2]; MAX_SOURCES];
    for (k, a) in spots.iter().enumerate() {
        for (l, b) in spots.iter().enumerate().take(k + 1) {
            let block = match excluded {
                None => separable(a, b),
                Some(flags) => direct(a, b, flags),
            };
            add_block(&mut normal.matrix, layout, t, [k, l], &block);
            note_motion(&mut moved, k, l, &block);
        }
    }
    let moved = moved.get(..spots.len()).unwrap_or_default();
    add_motion(&mut normal.matrix, moved, layout, t);
    add_background(&mut normal.matrix, spots, excluded, layout, t);
}

/// Inner products of values and slopes: value·value, value·slope, slope·value, slope·slope.
fn products(a: &Profile, b: &Profile) -> [f64; 4] {
    [
        dot(&a.value, &b.value),
        dot(&a.value, &b.slope),
        dot(&a.slope, &b.value),
        dot(&a.slope, &b.slope),
    ]
}

fn separable(a: &Spot, b: &Spot) -> Block {
    let [rows, rows_b, rows_a, rows_ab] = products(&a.rows, &b.rows);
    let [columns, columns_b, columns_a, columns_ab] = products(&a.columns, &b.columns);
    let (i, j) = (a.intensity, b.intensity);
    [
        [
            i * j * rows_ab * columns,
            i * j * rows_a * columns_b,
            i * rows_a * columns,
        ],
        [
            i * j * rows_b * columns_a,
            i * j * rows * columns_ab,
            i * rows * columns_a,
        ],
        [j * rows_b * columns, j * rows * columns_b, rows * columns],
    ]
}

/// The derivatives of one source at every pixel that is not excluded, in order.
fn derivatives<'s>(spot: &'s Spot, flags: &'s [bool]) -> impl Iterator<Item = [f64; 3]> + 's {
    let rows = spot.rows.value.iter().zip(&spot.rows.slope);
    let pixels = rows.flat_map(move |(row, row_slope)| {
        let columns = spot.columns.value.iter().zip(&spot.columns.slope);
        columns.map(move |(column, column_slope)| {
            let i = spot.intensity;
            [i * row_slope * column, i * row * column_slope, row * column]
        })
    });
    pixels
        .zip(flags)
        .filter(|(_, flag)| !**flag)
        .map(|(derivative, _)| derivative)
}

fn direct(a: &Spot, b: &Spot, flags: &[bool]) -> Block {
    let mut block = [[0.0; 3]; 3];
    for (left, right) in derivatives(a, flags).zip(derivatives(b, flags)) {
        for (line, factor) in block.iter_mut().zip(left) {
            for (element, other) in line.iter_mut().zip(right) {
                *element += factor * other;
            }
        }
    }
    block
}

/// Element `i` of three.
fn pick(terms: &[f64; 3], i: usize) -> f64 {
    terms.get(i).copied().unwrap_or(0.0)
}

fn add_block(matrix: &mut Packed, layout: Layout, t: f64, [k, l]: [usize; 2], block: &Block) {
    for (i, (by, weight)) in layout.columns(t).enumerate() {
        let line = block.get(by).unwrap_or(&[0.0; 3]);
        let used = if k == l { i + 1 } else { layout.stride() };
        let row = matrix.row_mut(layout.first(k) + i);
        let row = row.get_mut(layout.first(l)..).unwrap_or_default();
        for (element, (other, factor)) in row.iter_mut().zip(layout.columns(t)).take(used) {
            *element += weight * factor * pick(line, other);
        }
    }
}

/// Sums what common motion needs: derivatives of all sources against those of each.
fn note_motion(moved: &mut [Moved; MAX_SOURCES], k: usize, l: usize, block: &Block) {
    let [by_row, by_column, _] = block;
    if let Some([rows, columns]) = moved.get_mut(l) {
        add_to(rows, by_row);
        add_to(columns, by_column);
    }
    if k == l {
        return;
    }
    let [[xx, xy, _], [yx, yy, _], [ix, iy, _]] = block;
    if let Some([rows, columns]) = moved.get_mut(k) {
        add_to(rows, &[*xx, *yx, *ix]);
        add_to(columns, &[*xy, *yy, *iy]);
    }
}

fn add_to(sums: &mut [f64; 3], terms: &[f64; 3]) {
    for (sum, term) in sums.iter_mut().zip(terms) {
        *sum += term;
    }
}

/// Adds the rows and columns of velocity and acceleration.
fn add_motion(matrix: &mut Packed, moved: &[Moved], layout: Layout, t: f64) {
    let half = 0.5 * t * t;
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    for (k, [rows, columns]) in moved.iter().enumerate() {
        for (j, (derivative, weight)) in layout.columns(t).enumerate() {
            let i = layout.first(k) + j;
            let row = weight * pick(rows, derivative);
            let column = weight * pick(columns, derivative);
            matrix.add(i, VELOCITY, t * row);
            matrix.add(i, VELOCITY + 1, t * column);
            matrix.add(i, ACCELERATION, half * row);
            matrix.add(i, ACCELERATION + 1, half * column);
        }
        let ([x, y, _], [_, by_y, _]) = (rows, columns);
        xx += x;
        xy += y;
        yy += by_y;
    }
    let (speed, both, bend) = (t * t, half * t, half * half);
    for (i, j, term) in [
        (VELOCITY, VELOCITY, speed * xx),
        (VELOCITY + 1, VELOCITY, speed * xy),
        (VELOCITY + 1, VELOCITY + 1, speed * yy),
        (ACCELERATION, VELOCITY, both * xx),
        (ACCELERATION, VELOCITY + 1, both * xy),
        (ACCELERATION + 1, VELOCITY, both * xy),
        (ACCELERATION + 1, VELOCITY + 1, both * yy),
        (ACCELERATION, ACCELERATION, bend * xx),
        (ACCELERATION + 1, ACCELERATION, bend * xy),
        (ACCELERATION + 1, ACCELERATION + 1, bend * yy),
    ] {
        matrix.add(i, j, term);
    }
}

/// Adds the row and column of the background.
fn add_background(
    matrix: &mut Packed,
    spots: &[Spot],
    excluded: Option<&[bool]>,
    layout: Layout,
    t: f64,
) {
    let pixels = excluded.map_or(FRAME_LEN, |flags| {
        flags.iter().filter(|flag| !**flag).count()
    });
    matrix.add(BACKGROUND, BACKGROUND, pixels as f64);
    let half = 0.5 * t * t;
    for (k, spot) in spots.iter().enumerate() {
        let [x, y, i] = match excluded {
            None => totals(spot),
            Some(flags) => derivatives(spot, flags).fold([0.0; 3], |mut sums, term| {
                add_to(&mut sums, &term);
                sums
            }),
        };
        for (j, (derivative, weight)) in layout.columns(t).enumerate() {
            let term = weight * pick(&[x, y, i], derivative);
            matrix.add(layout.first(k) + j, BACKGROUND, term);
        }
        for (parameter, term) in [
            (VELOCITY, t * x),
            (VELOCITY + 1, t * y),
            (ACCELERATION, half * x),
            (ACCELERATION + 1, half * y),
        ] {
            matrix.add(parameter, BACKGROUND, term);
        }
    }
}

/// Sums over all pixels of the derivatives of one source.
fn totals(spot: &Spot) -> [f64; 3] {
    let (row, column) = (sum(&spot.rows.value), sum(&spot.columns.value));
    let (row_slope, column_slope) = (sum(&spot.rows.slope), sum(&spot.columns.slope));
    let i = spot.intensity;
    [i * row_slope * column, i * row * column_slope, row * column]
}
