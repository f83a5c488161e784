//! Starting points without a network: moments of the blob, fixed shapes scaled to them, and crosses.

use super::arrangement::Formation;
use super::dark::Dark;
use super::model::{Anchor, Problem, State, TIMES, Window};
use crate::physics::{FRAME_LEN, FRAME_SIDE};

/// Half side of the square in which moments are taken, pixels.
pub(super) const HALF_SIDE: f64 = 3.0;
/// Error of a filled pixel as a multiple of what its neighbours hold: a peak stands far above them.
const FILL_ERROR: f64 = 3.0;
/// Rounds of centring that square.
const ROUNDS: u32 = 3;
/// Fastest motion that centroids may claim, pixels per frame.
const FASTEST: f64 = 0.3;
/// Least and greatest variance of the sources' positions along a principal axis, pixels².
const VARIANCES: [f64; 2] = [0.01, 0.8];

/// Low moments of a window's counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blob {
    /// Counts above background of a whole frame, mean over the frames.
    pub(super) flux: f64,
    /// Deviation of the flux through pixels that had to be filled from their neighbours.
    pub(super) doubt: f64,
    /// Constant background, counts, and the number of dark pixels that say so.
    background: f64,
    pub(super) dark: f64,
    /// In the middle frame, pixels.
    pub(super) centre: [f64; 2],
    /// Pixels per frame.
    pub(super) velocity: [f64; 2],
    /// Principal axes of the sources' positions, each as long as the standard deviation along it.
    axes: [[f64; 2]; 2],
}

/// Counts above `background`, excluded pixels filled from their neighbours.
struct Lit<'a> {
    window: Window<'a>,
    background: f64,
}

impl Lit<'_> {
    fn pixel(&self, frame: usize, p: usize, q: usize) -> f64 {
        let (counts, excluded) = self.window.frame(frame);
        let flagged = |i: usize| {
            excluded
                .and_then(|flags| flags.get(i))
                .copied()
                .unwrap_or(false)
        };
        let lit = |i: usize| {
            let count = counts.get(i).filter(|_| !flagged(i));
            count.map(|&count| f64::from(count) - self.background)
        };
        let i = p * FRAME_SIDE + q;
        if !flagged(i) {
            return lit(i).unwrap_or(0.0);
        }
        let beside = [
            (p > 0).then(|| i.wrapping_sub(FRAME_SIDE)),
            (p + 1 < FRAME_SIDE).then_some(i + FRAME_SIDE),
            (q > 0).then(|| i.wrapping_sub(1)),
            (q + 1 < FRAME_SIDE).then_some(i + 1),
        ];
        let found = beside.into_iter().flatten().filter_map(lit);
        let (sum, number) = found.fold((0.0, 0.0), |(sum, number), v| (sum + v, number + 1.0));
        if number > 0.0 { sum / number } else { 0.0 }
    }

    /// What the filled pixels of all frames add to the mean frame's flux, as a magnitude.
    fn filled(&self) -> f64 {
        let mut sum = 0.0;
        for frame in 0..TIMES.len() {
            let (_, excluded) = self.window.frame(frame);
            let flags = excluded.unwrap_or_default().iter().enumerate();
            for (i, _) in flags.filter(|(_, flag)| **flag) {
                let fill = self.pixel(frame, i / FRAME_SIDE, i % FRAME_SIDE);
                sum += if fill < 0.0 { -fill } else { fill };
            }
        }
        sum / TIMES.len() as f64
    }

    /// Mean over the frames.
    fn mean(&self) -> [f64; FRAME_LEN] {
        let mut mean = [0.0; FRAME_LEN];
        for (i, value) in mean.iter_mut().enumerate() {
            let at = |frame| self.pixel(frame, i / FRAME_SIDE, i % FRAME_SIDE);
            let sum = (0..TIMES.len()).fold(0.0, |sum, frame| sum + at(frame));
            *value = sum / TIMES.len() as f64;
        }
        mean
    }
}

/// Sums over the square about `centre`: counts, counts × offset, counts × products of offsets.
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    zeroth: f64,
    first: [f64; 2],
    second: [f64; 3],
}

impl Moments {
    fn about(centre: [f64; 2], pixel: impl Fn(usize, usize) -> f64) -> Self {
        let mut sums = Self::default();
        for p in 0..FRAME_SIDE {
            for q in 0..FRAME_SIDE {
                let (x, y) = (p as f64 - centre[0], q as f64 - centre[1]);
                if x * x <= HALF_SIDE * HALF_SIDE && y * y <= HALF_SIDE * HALF_SIDE {
                    sums.add(pixel(p, q), x, y);
                }
            }
        }
        sums
    }

    fn add(&mut self, count: f64, x: f64, y: f64) {
        let [first_x, first_y] = &mut self.first;
        let [xx, xy, yy] = &mut self.second;
        self.zeroth += count;
        *first_x += count * x;
        *first_y += count * y;
        *xx += count * x * x;
        *xy += count * x * y;
        *yy += count * y * y;
    }

    /// Offset of the centroid, none if there is no light; bounded by the square.
    fn offset(&self) -> [f64; 2] {
        self.first.map(|sum| {
            let offset = sum / self.zeroth;
            let bounded = offset.clamp(-HALF_SIDE, HALF_SIDE);
            if self.zeroth > 0.0 && !offset.is_nan() {
                bounded
            } else {
                0.0
            }
        })
    }
}

/// Where the mean frame of a window is brightest; a constant background changes nothing unless whole
/// neighbourhoods are excluded.
pub(super) fn brightest_place(window: &Window) -> [f64; 2] {
    let lit = Lit {
        window: *window,
        background: 0.0,
    };
    brightest(&lit.mean())
}

/// Pixel whose 3×3 neighbourhood holds most counts.
pub(super) fn brightest(mean: &[f64; FRAME_LEN]) -> [f64; 2] {
    let value = |p: usize, q: usize| mean.get(p * FRAME_SIDE + q).copied().unwrap_or(0.0);
    let (mut best, mut place) = (f64::NEG_INFINITY, [5.0; 2]);
    for p in 1..FRAME_SIDE - 1 {
        for q in 1..FRAME_SIDE - 1 {
            let box_sum = (0..9).fold(0.0, |sum, i| sum + value(p - 1 + i / 3, q - 1 + i % 3));
            if box_sum > best {
                (best, place) = (box_sum, [p as f64, q as f64]);
            }
        }
    }
    place
}

impl Blob {
    /// Measures a window whose dark pixels say `dark`.
    pub(super) fn measure(problem: &Problem, dark: Dark) -> Self {
        let lit = Lit {
            window: problem.window,
            background: dark.background,
        };
        let mean = lit.mean();
        let mut centre = brightest(&mean);
        for _ in 0..ROUNDS {
            let moments = Moments::about(centre, |p, q| {
                mean.get(p * FRAME_SIDE + q).copied().unwrap_or(0.0)
            });
            let [dx, dy] = moments.offset();
            centre =
                [centre[0] + dx, centre[1] + dy].map(|u| u.clamp(0.0, FRAME_SIDE as f64 - 1.0));
        }
        let frames: [Moments; TIMES.len()] =
            core::array::from_fn(|t| Moments::about(centre, |p, q| lit.pixel(t, p, q)));
        let flux = mean.iter().fold(0.0, |sum, value| sum + value);
        Self {
            flux,
            doubt: FILL_ERROR * lit.filled(),
            background: dark.background,
            dark: dark.pixels,
            centre,
            velocity: velocity(&frames),
            axes: principal_axes(&frames, width(problem.scale)),
        }
    }

    /// A state of `count` sources at `shape` (in units of the principal axes).
    pub(super) fn state(&self, problem: &Problem, count: usize, shape: Shape) -> State {
        let mut state = self.empty(problem);
        for index in 0..count {
            let [a, b] = shape.point(count, index);
            let [[ax, ay], [bx, by]] = self.axes;
            let [x, y] = self.centre;
            let source = [
                x + a * ax + b * bx,
                y + a * ay + b * by,
                problem.prior.intensity_mean,
            ];
            state.push(source, Anchor::default());
        }
        state
    }

    /// A state of `count` sources on the arms of `cross`, about the blob's centre.
    pub(super) fn cross(&self, problem: &Problem, count: usize, cross: Formation) -> State {
        let mut state = self.empty(problem);
        state.formation = cross;
        let arrangement = &problem.prior.arrangement;
        let ([x, y], [cx, cy]) = (self.centre, cross.centre(arrangement, count));
        for k in 0..count {
            let [dx, dy] = [0, 1].map(|axis| cross.offset(arrangement, k, axis));
            let source = [x + dx - cx, y + dy - cy, problem.prior.intensity_mean];
            state.push(source, Anchor::default());
        }
        state
    }

    /// No sources, moving as the blob does, over its background.
    pub(super) fn empty(&self, problem: &Problem) -> State {
        let mut state = State::new(&problem.prior);
        if problem.prior.background_sigma > 0.0 {
            let [background, ..] = &mut state.globals;
            *background = self.background;
        }
        if problem.prior.velocity_sigma > 0.0 {
            let [vx, vy] = self.velocity;
            let [_, x, y, ..] = &mut state.globals;
            (*x, *y) = (vx, vy);
        }
        state
    }
}

/// Variance per axis of the pixel-integrated point spread function; `scale` is `1/(√2 σ)`.
fn width(scale: f64) -> f64 {
    0.5 / (scale * scale) + 1.0 / 12.0
}

/// Slope of the centroids over time.
fn velocity(frames: &[Moments; TIMES.len()]) -> [f64; 2] {
    let mut slope = [0.0; 2];
    for (moments, t) in frames.iter().zip(TIMES) {
        for (sum, offset) in slope.iter_mut().zip(moments.offset()) {
            *sum += 0.1 * t * offset;
        }
    }
    slope.map(|v| v.clamp(-FASTEST, FASTEST))
}

/// Axes of the mean of the frames' central second moments less the point spread function's.
fn principal_axes(frames: &[Moments; TIMES.len()], width: f64) -> [[f64; 2]; 2] {
    let mut mean = [0.0; 3];
    for moments in frames {
        let [x, y] = moments.offset();
        let light = if moments.zeroth > 0.0 {
            moments.zeroth
        } else {
            f64::INFINITY
        };
        let products = [x * x, x * y, y * y];
        for ((sum, second), product) in mean.iter_mut().zip(moments.second).zip(products) {
            *sum += 0.2 * (second / light - product);
        }
    }
    let [xx, xy, yy] = mean;
    axes_of(xx - width, xy, yy - width)
}

fn axes_of(xx: f64, xy: f64, yy: f64) -> [[f64; 2]; 2] {
    let (mean, half) = (0.5 * (xx + yy), 0.5 * (xx - yy));
    let spread = libm::sqrt(half * half + xy * xy);
    // Of the two formulas for the eigenvector the one without cancellation.
    let (u, v) = if half > 0.0 {
        (half + spread, xy)
    } else {
        (xy, spread - half)
    };
    let length = libm::sqrt(u * u + v * v);
    let (c, s) = if length > 0.0 {
        (u / length, v / length)
    } else {
        (1.0, 0.0)
    };
    let [least, most] = VARIANCES;
    let deviation = |variance: f64| {
        libm::sqrt(if variance > least {
            variance.min(most)
        } else {
            least
        })
    };
    let (long, short) = (deviation(mean + spread), deviation(mean - spread));
    [[long * c, long * s], [-short * s, short * c]]
}

/// An arrangement with unit second moments: a ring, perhaps with a source in its middle.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// Turn of the ring, in units of the angle between its sources.
    turn: f64,
    middle: bool,
}

impl Shape {
    /// The arrangements worth trying for `count` sources.
    pub(super) fn of(count: usize) -> &'static [Self] {
        match count {
            0 | 1 => const { &[Self::ring(0.0)] },
            2 => const { &[Self::ring(0.0), Self::ring(0.25)] },
            3 => {
                const {
                    &[
                        Self::ring(0.0),
                        Self::ring(0.25),
                        Self::ring(0.5),
                        Self::ring(0.75),
                    ]
                }
            }
            4 => {
                const {
                    &[
                        Self::ring(0.0),
                        Self::ring(0.25),
                        Self::ring(0.5),
                        Self::ring(0.75),
                        Self::centred(0.0),
                        Self::centred(0.5),
                    ]
                }
            }
            _ => {
                const {
                    &[
                        Self::ring(0.0),
                        Self::ring(0.5),
                        Self::centred(0.0),
                        Self::centred(0.5),
                    ]
                }
            }
        }
    }

    const fn ring(turn: f64) -> Self {
        Self {
            turn,
            middle: false,
        }
    }

    const fn centred(turn: f64) -> Self {
        Self { turn, middle: true }
    }

    fn point(self, count: usize, index: usize) -> [f64; 2] {
        let ring = if self.middle {
            count.saturating_sub(1)
        } else {
            count
        };
        if index >= ring || count < 2 {
            return [0.0; 2];
        }
        let angle = core::f64::consts::TAU * (index as f64 + self.turn) / ring as f64;
        // Two sources have no extent across their line.
        let square = if ring == 2 { 1.0 } else { 2.0 };
        let radius = libm::sqrt(square * count as f64 / ring as f64);
        let (sin, cos) = libm::sincos(angle);
        [radius * cos, radius * sin]
    }
}
