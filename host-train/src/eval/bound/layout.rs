//! How positions, intensities and background of a frame depend on the parameters of the window.

use ndarray::{Array1, Array2, s};

use super::{BoundOptions, Places};
use crate::scene::Target;
use crate::scene::targets::{AXES, DIAGONAL_DISTANCE, DIAGONALS, DISTANCE};

/// Order of the parameters: places, intensities, coefficients of the common motion (x and y of each
/// power of time), individual velocities (x and y of each target), background.
pub struct Layout<'o> {
    targets: usize,
    options: &'o BoundOptions,
    /// Direction of each target from the reference point, with known rules only.
    directions: Vec<(f64, f64)>,
}

impl<'o> Layout<'o> {
    /// For the targets of the middle frame.
    pub fn new(middle: &[Target], options: &'o BoundOptions) -> Self {
        let directions = match options.places {
            Places::Anywhere => Vec::new(),
            Places::Rules { .. } => directions(middle),
        };
        Self {
            targets: middle.len(),
            options,
            directions,
        }
    }

    fn places(&self) -> usize {
        match self.options.places {
            Places::Anywhere => 2 * self.targets,
            Places::Rules { .. } => 2 + self.targets,
        }
    }

    fn motion(&self) -> usize {
        self.places() + self.targets
    }

    fn drift(&self) -> usize {
        self.motion() + 2 * self.options.motion_degree as usize
    }

    fn background(&self) -> usize {
        let drifting = self.options.drift_sigma.is_some();
        self.drift() + if drifting { 2 * self.targets } else { 0 }
    }

    /// Number of parameters.
    pub fn len(&self) -> usize {
        self.background() + usize::from(self.options.background)
    }

    /// Derivatives of `x₀, y₀, intensity₀, x₁, …, background` in the frame `time` frames after the
    /// middle one, `(3k+1, p)`.
    pub fn jacobian(&self, time: f64) -> Array2<f64> {
        let mut jacobian = Array2::zeros((3 * self.targets + 1, self.len()));
        for target in 0..self.targets {
            let row = 3 * target;
            self.place(target, jacobian.slice_mut(s![row..row + 2, ..]));
            jacobian[(row + 2, self.places() + target)] = 1.0;
            for axis in 0..2 {
                let mut power = time;
                for column in (self.motion() + axis..self.drift()).step_by(2) {
                    jacobian[(row + axis, column)] = power;
                    power *= time;
                }
                if self.options.drift_sigma.is_some() {
                    jacobian[(row + axis, self.drift() + 2 * target + axis)] = time;
                }
            }
        }
        if self.options.background {
            jacobian[(3 * self.targets, self.background())] = 1.0;
        }
        jacobian
    }

    /// Fills the derivatives of one target's two coordinates with the places, `(2, p)`.
    fn place(&self, target: usize, mut rows: ndarray::ArrayViewMut2<f64>) {
        let Some(&(dx, dy)) = self.directions.get(target) else {
            rows[(0, 2 * target)] = 1.0;
            rows[(1, 2 * target + 1)] = 1.0;
            return;
        };
        rows[(0, 0)] = 1.0;
        rows[(1, 1)] = 1.0;
        rows[(0, 2 + target)] = dx;
        rows[(1, 2 + target)] = dy;
    }

    /// Derivatives of `x₀, y₀, x₁, …` in the middle frame, `(2k, p)`.
    pub fn positions(&self) -> Array2<f64> {
        let jacobian = self.jacobian(0.0);
        let coordinates = (0..3 * self.targets).filter(|row| row % 3 < 2);
        jacobian.select(ndarray::Axis(0), &coordinates.collect::<Vec<_>>())
    }

    /// Inverse variances of what is known beforehand, zero where nothing is, `(p)`.
    pub fn prior(&self) -> Array1<f64> {
        let precision = |sigma: f64| 1.0 / (sigma * sigma);
        let mut prior = Array1::zeros(self.len());
        if let Places::Rules { growth_sigma } = self.options.places {
            let distances = s![2..self.places()];
            prior.slice_mut(distances).fill(precision(growth_sigma));
        }
        if let Some(sigma) = self.options.intensity_sigma {
            let intensities = s![self.places()..self.motion()];
            prior.slice_mut(intensities).fill(precision(sigma));
        }
        if let Some(sigma) = self.options.drift_sigma {
            let velocities = s![self.drift()..self.background()];
            prior.slice_mut(velocities).fill(precision(sigma));
        }
        prior
    }
}

/// Directions by the rules that come nearest to how `targets` lie.
///
/// The truth does not name them, and two neighbouring directions look alike from two reference
/// points: `up` and `right` lie to each other as `left` and `down` do. Either answer serves, because
/// the bound depends on them through the growth alone.
fn directions(targets: &[Target]) -> Vec<(f64, f64)> {
    let arms = AXES.map(|direction| (direction, DISTANCE)).into_iter();
    let arms: Vec<Arm> = arms
        .chain(DIAGONALS.map(|direction| (direction, DIAGONAL_DISTANCE)))
        .collect();
    let [first, ..] = targets else {
        return Vec::new();
    };
    let from = |&((dx, dy), distance): &Arm| {
        let reference = (first.x - distance * dx, first.y - distance * dy);
        let nearest = targets
            .iter()
            .map(|target| nearest(&arms, reference, target));
        let (squares, directions): (Vec<f64>, Vec<_>) = nearest.unzip();
        (squares.iter().sum::<f64>(), directions)
    };
    let best = arms
        .iter()
        .map(from)
        .min_by(|(a, _), (b, _)| a.total_cmp(b));
    best.map_or_else(Vec::new, |(_, directions)| directions)
}

/// Direction from the reference point and distance, pixels.
type Arm = ((f64, f64), f64);

/// The arm that ends nearest to `target`: squared distance, px², and direction.
fn nearest(arms: &[Arm], reference: (f64, f64), target: &Target) -> (f64, (f64, f64)) {
    let miss = |&((dx, dy), distance): &Arm| {
        let x = reference.0 + distance * dx - target.x;
        let y = reference.1 + distance * dy - target.y;
        (x * x + y * y, (dx, dy))
    };
    let all = arms.iter().map(miss);
    let best = all.min_by(|(a, _), (b, _)| a.total_cmp(b));
    best.unwrap_or((f64::INFINITY, (0.0, 0.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_directions_of_the_rules() {
        let at = |(dx, dy): (f64, f64), distance: f64| Target {
            x: 4.2 + distance * dx,
            y: 5.7 + distance * dy,
            intensity: 230.0,
        };
        let three: Vec<_> = AXES[..3].iter().map(|&d| at(d, 0.31)).collect();
        assert_eq!(directions(&three), AXES[..3]);
        let mixed = [AXES[1], DIAGONALS[2], AXES[3], DIAGONALS[0]];
        let lengths = [0.305, 0.61, 0.302, 0.607];
        let targets: Vec<_> = mixed.iter().zip(lengths).map(|(&d, l)| at(d, l)).collect();
        assert_eq!(directions(&targets), mixed);
        assert!(directions(&[]).is_empty());
    }

    #[test]
    fn columns_add_up() {
        let target = Target {
            x: 5.0,
            y: 5.0,
            intensity: 230.0,
        };
        let all = BoundOptions {
            motion_degree: 2,
            drift_sigma: Some(0.1),
            background: true,
            ..BoundOptions::default()
        };
        let layout = Layout::new(&[target; 3], &all);
        assert_eq!(layout.len(), 6 + 3 + 4 + 6 + 1);
        let jacobian = layout.jacobian(-2.0);
        assert_eq!(jacobian.dim(), (10, 20));
        // Row of y₁: its place, velocity and acceleration of the common motion, its own velocity.
        let row: Vec<_> = jacobian
            .row(4)
            .iter()
            .copied()
            .enumerate()
            .filter(|(_, d)| *d != 0.0)
            .collect();
        assert_eq!(row, [(3, 1.0), (10, -2.0), (12, 4.0), (16, -2.0)]);
        assert_eq!(
            layout.prior()[6],
            1.0 / (super::super::INTENSITY_SIGMA.powi(2))
        );
    }
}
