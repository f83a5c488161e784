//! Pixel-integrated Gaussian point spread function and the two grids.
//!
//! Source: SeqCSIST, Eq. 2–3. The response of a pixel is a product of one factor per axis, so the
//! observation matrix Φ (`N²×(cN)²`) is the Kronecker product `A⊗A` of the one-axis response matrix
//! `A` (`N×cN`): `Φh` is `A H Aᵀ`, `Φᵀl` is `Aᵀ L A`, and `ΦᵀΦh` is `(AᵀA) H (AᵀA)`. Only `A` is
//! ever stored.
//!
//! Letters: `N` side of a frame in pixels, `c` cells per pixel and axis (odd), `cN` side of a map.
//! Every buffer is row-major; row is `x`, column is `y`.

use crate::error::{Error, Result, check_len, check_room};

/// Side of a low-resolution frame, in pixels.
pub const FRAME_SIDE: usize = 11;
/// High-resolution cells per low-resolution pixel, per axis.
pub const RATIO: usize = 3;
/// Side of the high-resolution map, in cells.
pub const MAP_SIDE: usize = FRAME_SIDE * RATIO;
/// Pixels of one frame.
pub const FRAME_LEN: usize = FRAME_SIDE * FRAME_SIDE;
/// Cells of one map.
pub const MAP_LEN: usize = MAP_SIDE * MAP_SIDE;
/// Elements of the one-axis response matrix `A`; also the scratch of [`Separable::forward`] and
/// [`Separable::adjoint`].
pub const RESPONSE_LEN: usize = FRAME_SIDE * MAP_SIDE;
/// Consecutive frames of one window; the middle one is evaluated.
pub const WINDOW: usize = 5;
/// Standard deviation of the point spread function, in low-resolution pixels.
pub const PSF_SIGMA: f64 = 0.5;

/// Share of a unit point source at `u` that pixel `pixel` collects along one axis.
///
/// `½[erf((p+½-u)/(√2σ)) - erf((p-½-u)/(√2σ))]`; all arguments in pixels.
pub fn pixel_response(pixel: f64, u: f64, sigma: f64) -> f64 {
    let scale = core::f64::consts::FRAC_1_SQRT_2 / sigma;
    let upper = libm::erf((pixel + 0.5 - u) * scale);
    let lower = libm::erf((pixel - 0.5 - u) * scale);
    0.5 * (upper - lower)
}

/// Centre of high-resolution cell `cell` in low-resolution pixels, for odd `ratio`.
pub fn cell_centre(cell: usize, ratio: usize) -> f64 {
    (cell as f64 - (ratio as f64 - 1.0) / 2.0) / ratio as f64
}

/// Index of the cell that holds coordinate `x` (round half to even); may lie outside the map.
pub fn cell_of(x: f64, ratio: usize) -> i64 {
    libm::rint(x * ratio as f64 + (ratio as f64 - 1.0) / 2.0) as i64
}

/// One point source: position in low-resolution pixels, total intensity in counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PointSource {
    /// Row coordinate, pixels.
    pub x: f64,
    /// Column coordinate, pixels.
    pub y: f64,
    /// Counts that an unbounded sensor would collect from it.
    pub intensity: f64,
}

/// Sensor geometry: frame side `N`, cells per pixel `c`, and point spread function width σ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Optics {
    side: usize,
    ratio: usize,
    sigma: f64,
}

impl Optics {
    /// The SeqCSIST sensor: 11×11 pixels, `c = 3`, σ = 0.5 px.
    pub const SEQ_CSIST: Self = Self {
        side: FRAME_SIDE,
        ratio: RATIO,
        sigma: PSF_SIGMA,
    };

    /// A sensor of `side`×`side` pixels with `ratio` cells per pixel and axis and width `sigma` in
    /// pixels.
    ///
    /// # Errors
    /// [`Error::Domain`] unless `side ≥ 1`, `ratio` is odd, `sigma` is positive and neither
    /// infinite nor subnormal, and a map's length fits `usize`.
    pub fn new(side: usize, ratio: usize, sigma: f64) -> Result<Self> {
        let domain = |what, expected, got| {
            Err(Error::Domain {
                what,
                expected,
                got,
            })
        };
        if !sigma.is_normal() || sigma < 0.0 {
            return domain("sigma", "a positive finite width in pixels", sigma);
        }
        if ratio.is_multiple_of(2) {
            return domain("ratio", "an odd number of cells per pixel", ratio as f64);
        }
        let map_len = side
            .checked_mul(ratio)
            .and_then(|map_side| map_side.checked_mul(map_side));
        if side == 0 || map_len.is_none() {
            return domain("side", "1 or more pixels, maps in memory", side as f64);
        }
        Ok(Self { side, ratio, sigma })
    }

    /// Side of a frame, pixels.
    pub const fn side(&self) -> usize {
        self.side
    }

    /// Cells per pixel and axis.
    pub const fn ratio(&self) -> usize {
        self.ratio
    }

    /// Width of the point spread function, pixels.
    pub const fn sigma(&self) -> f64 {
        self.sigma
    }

    /// Side of a map, cells.
    pub const fn map_side(&self) -> usize {
        self.side * self.ratio
    }

    /// Pixels of a frame.
    pub const fn frame_len(&self) -> usize {
        self.side * self.side
    }

    /// Cells of a map; also the elements of `AᵀA`.
    pub const fn map_len(&self) -> usize {
        self.map_side() * self.map_side()
    }

    /// Elements of the response matrix `A`.
    pub const fn response_len(&self) -> usize {
        self.side * self.map_side()
    }

    /// Fills `A` (`N×cN`): element `[a, i]` is [`pixel_response`] of pixel `a` to a unit source at
    /// the centre of cell `i`.
    ///
    /// # Errors
    /// [`Error::Length`] unless `response` has [`Self::response_len`] elements.
    pub fn fill_response(&self, response: &mut [f64]) -> Result<()> {
        check_len("response matrix", self.response_len(), response.len())?;
        for (pixel, row) in response.chunks_exact_mut(self.map_side()).enumerate() {
            for (cell, element) in row.iter_mut().enumerate() {
                let centre = cell_centre(cell, self.ratio);
                *element = pixel_response(pixel as f64, centre, self.sigma);
            }
        }
        Ok(())
    }

    /// Fills the responses (`N`) of all pixels of one axis to a unit source at `u` pixels.
    ///
    /// The same bits as [`pixel_response`] per pixel, with half the error functions, because
    /// neighbours share an edge. A `u` that is not finite gives NaN or zeros.
    ///
    /// # Errors
    /// [`Error::Length`] unless `profile` has `N` elements.
    pub fn fill_profile(&self, u: f64, profile: &mut [f64]) -> Result<()> {
        check_len("profile", self.side, profile.len())?;
        let scale = core::f64::consts::FRAC_1_SQRT_2 / self.sigma;
        let mut lower = libm::erf((-0.5 - u) * scale);
        for (pixel, response) in profile.iter_mut().enumerate() {
            let upper = libm::erf((pixel as f64 + 0.5 - u) * scale);
            *response = 0.5 * (upper - lower);
            lower = upper;
        }
        Ok(())
    }

    /// Adds every source's counts to `frame` (`N×N`): intensity × row response × column response.
    ///
    /// Superposition is linear (supplement §1); sources may lie anywhere, outside the frame too.
    /// `scratch` holds at least `N` numbers; its content does not matter.
    ///
    /// # Errors
    /// [`Error::Length`], [`Error::Capacity`] or, for a source with a NaN or infinity,
    /// [`Error::NotFinite`]; `frame` is then unchanged.
    pub fn render(
        &self,
        sources: &[PointSource],
        scratch: &mut [f64],
        frame: &mut [f64],
    ) -> Result<()> {
        check_len("frame", self.frame_len(), frame.len())?;
        check_room("render scratch", self.side, scratch.len())?;
        let finite =
            |s: &PointSource| s.x.is_finite() && s.y.is_finite() && s.intensity.is_finite();
        if let Some(index) = sources.iter().position(|source| !finite(source)) {
            return Err(Error::NotFinite {
                what: "point sources",
                index,
            });
        }
        let (columns, _) = scratch.split_at_mut(self.side);
        for source in sources {
            self.fill_profile(source.y, columns)?;
            for (pixel, row) in frame.chunks_exact_mut(self.side).enumerate() {
                let share = source.intensity * pixel_response(pixel as f64, source.x, self.sigma);
                add_scaled(row, share, columns);
            }
        }
        Ok(())
    }
}

/// The forward model with its response matrix `A` in the caller's memory.
///
/// # Examples
/// ```
/// use derefnet_core::physics::{FRAME_LEN, MAP_LEN, Optics, RESPONSE_LEN, Separable};
///
/// let mut response = [0.0; RESPONSE_LEN];
/// let model = Separable::new(Optics::SEQ_CSIST, &mut response)?;
/// let mut map = [0.0; MAP_LEN];
/// map[16 * 33 + 16] = 240.0;
/// let (mut frame, mut scratch) = ([0.0; FRAME_LEN], [0.0; RESPONSE_LEN]);
/// model.forward(&map, &mut scratch, &mut frame)?;
/// assert!((frame.iter().sum::<f64>() - 240.0).abs() < 1e-9);
/// # Ok::<(), derefnet_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Separable<'a> {
    optics: Optics,
    response: &'a [f64],
}

impl<'a> Separable<'a> {
    /// Fills `response` with `A` of `optics` and keeps it.
    ///
    /// # Errors
    /// [`Error::Length`] unless `response` has [`Optics::response_len`] elements.
    pub fn new(optics: Optics, response: &'a mut [f64]) -> Result<Self> {
        optics.fill_response(response)?;
        Ok(Self { optics, response })
    }

    /// Geometry of this model.
    pub const fn optics(&self) -> Optics {
        self.optics
    }

    /// `A`, `N×cN`.
    pub const fn response(&self) -> &'a [f64] {
        self.response
    }

    /// Fills `gram` (`cN×cN`) with `AᵀA`.
    ///
    /// # Errors
    /// [`Error::Length`] unless `gram` has [`Optics::map_len`] elements.
    pub fn fill_gram(&self, gram: &mut [f64]) -> Result<()> {
        check_len("AᵀA", self.optics.map_len(), gram.len())?;
        let cells = self.optics.map_side();
        multiply_transposed_left(self.response, cells, self.response, cells, gram);
        Ok(())
    }

    /// `frame = A H Aᵀ`, that is `Φh`: `map` is `H` (`cN×cN`), `frame` `N×N`, `scratch` at least
    /// [`Optics::response_len`] numbers.
    ///
    /// # Errors
    /// [`Error::Length`] or [`Error::Capacity`].
    pub fn forward(&self, map: &[f64], scratch: &mut [f64], frame: &mut [f64]) -> Result<()> {
        let half = self.check(map.len(), scratch, frame.len())?;
        let cells = self.optics.map_side();
        multiply(self.response, cells, map, cells, half);
        multiply_transposed_right(half, self.response, cells, frame);
        Ok(())
    }

    /// `map = Aᵀ L A`, that is `Φᵀl`: `frame` is `L` (`N×N`), `map` `cN×cN`, `scratch` at least
    /// [`Optics::response_len`] numbers.
    ///
    /// # Errors
    /// [`Error::Length`] or [`Error::Capacity`].
    pub fn adjoint(&self, frame: &[f64], scratch: &mut [f64], map: &mut [f64]) -> Result<()> {
        let half = self.check(map.len(), scratch, frame.len())?;
        let cells = self.optics.map_side();
        multiply(frame, self.optics.side, self.response, cells, half);
        multiply_transposed_left(self.response, cells, half, cells, map);
        Ok(())
    }

    /// `out = G H G`, that is `ΦᵀΦh` where `gram` is `G = AᵀA` of [`Self::fill_gram`]; all
    /// `cN×cN`, `scratch` at least [`Optics::map_len`] numbers.
    ///
    /// # Errors
    /// [`Error::Length`] or [`Error::Capacity`].
    pub fn normal(
        &self,
        gram: &[f64],
        map: &[f64],
        scratch: &mut [f64],
        out: &mut [f64],
    ) -> Result<()> {
        let map_len = self.optics.map_len();
        check_len("AᵀA", map_len, gram.len())?;
        check_len("map", map_len, map.len())?;
        check_len("output map", map_len, out.len())?;
        check_room("normal scratch", map_len, scratch.len())?;
        let (half, _) = scratch.split_at_mut(map_len);
        let cells = self.optics.map_side();
        multiply(gram, cells, map, cells, half);
        multiply(half, cells, gram, cells, out);
        Ok(())
    }

    /// Checks both ends and cuts the intermediate `N×cN` product out of `scratch`.
    fn check<'s>(&self, map: usize, scratch: &'s mut [f64], frame: usize) -> Result<&'s mut [f64]> {
        check_len("map", self.optics.map_len(), map)?;
        check_len("frame", self.optics.frame_len(), frame)?;
        check_room("scratch", self.optics.response_len(), scratch.len())?;
        Ok(scratch.split_at_mut(self.optics.response_len()).0)
    }
}

/// `row += factor · other`.
fn add_scaled(row: &mut [f64], factor: f64, other: &[f64]) {
    for (element, term) in row.iter_mut().zip(other) {
        *element += factor * term;
    }
}

/// `out = left · right`; `left` has `inner` columns, `right` and `out` have `columns`. Sums run in
/// ascending order of the inner index.
fn multiply(left: &[f64], inner: usize, right: &[f64], columns: usize, out: &mut [f64]) {
    let rows = left.chunks_exact(inner).zip(out.chunks_exact_mut(columns));
    for (factors, row) in rows {
        row.fill(0.0);
        for (factor, other) in factors.iter().zip(right.chunks_exact(columns)) {
            add_scaled(row, *factor, other);
        }
    }
}

/// `out = leftᵀ · right`; `left` and `out` have `rows` columns and rows, `right` and `out` have
/// `columns` columns.
fn multiply_transposed_left(
    left: &[f64],
    rows: usize,
    right: &[f64],
    columns: usize,
    out: &mut [f64],
) {
    out.fill(0.0);
    let terms = left.chunks_exact(rows).zip(right.chunks_exact(columns));
    for (factors, other) in terms {
        for (factor, row) in factors.iter().zip(out.chunks_exact_mut(columns)) {
            add_scaled(row, *factor, other);
        }
    }
}

/// `out = left · rightᵀ`; both factors have `inner` columns.
fn multiply_transposed_right(left: &[f64], right: &[f64], inner: usize, out: &mut [f64]) {
    let columns = right.len() / inner;
    let rows = left.chunks_exact(inner).zip(out.chunks_exact_mut(columns));
    for (factors, row) in rows {
        for (element, other) in row.iter_mut().zip(right.chunks_exact(inner)) {
            *element = factors.iter().zip(other).map(|(a, b)| a * b).sum();
        }
    }
}

#[cfg(test)]
mod tests;
