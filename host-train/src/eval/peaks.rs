//! Places between the cells from any map: its peaks say how many targets there are and about where,
//! the fit of point sources says exactly where.
//!
//! A map holds a target as one bright cell, or as two or more that share its intensity where it lies
//! near their border. Targets may be as near to each other as neighbouring cells, so that no search
//! for local maxima can part them; their intensity can.

use derefnet_core::locate::{
    LocateConfig, Locator, MAX_SOURCES, Prior, Proposal, WINDOW_LEN, Workspace,
};
use derefnet_core::metric::GRID_THRESHOLD;
use derefnet_core::physics::{FRAME_LEN, MAP_LEN, MAP_SIDE, RATIO, WINDOW, cell_centre};
use rayon::prelude::*;

use super::offgrid::{Answer, check_counts};
use crate::{Error, Result};

/// Cells from this many counts on share a target with a brighter neighbour: half the threshold.
const SHARE: f32 = 0.5 * GRID_THRESHOLD as f32;
/// Together they may be as bright as this many targets of mean intensity, or they are two.
const TOGETHER: f64 = 1.5;

/// Cells that share a target.
struct Peak {
    /// The brightest one.
    seed: (usize, usize),
    /// Sums of counts, and of counts times coordinates, pixels.
    counts: f64,
    moments: [f64; 2],
}

impl Peak {
    fn add(&mut self, (row, column): (usize, usize), count: f64) {
        self.counts += count;
        self.moments[0] += count * cell_centre(row, RATIO);
        self.moments[1] += count * cell_centre(column, RATIO);
    }

    /// Whether `cell` touches the brightest one along a side and adds no second target.
    fn takes(&self, cell: (usize, usize), count: f64) -> bool {
        let apart = self.seed.0.abs_diff(cell.0) + self.seed.1.abs_diff(cell.1);
        apart == 1 && self.counts + count <= TOGETHER * Prior::SEQ_CSIST.intensity_mean
    }
}

/// Peaks of `map (33, 33)`, counts, the brightest first, at most 8: every cell of at least 70 counts
/// that shares no target with a brighter neighbour, at the mean of the cells that share it.
///
/// Equal cells are taken in row-major order; values that are not finite are passed over.
pub fn peaks(map: &[f32]) -> Vec<Proposal> {
    let bright = |&cell: &usize| map[cell].is_finite() && map[cell] >= SHARE;
    let mut cells: Vec<usize> = (0..map.len()).filter(bright).collect();
    cells.sort_by(|&a, &b| map[b].total_cmp(&map[a]).then(a.cmp(&b)));
    let mut peaks: Vec<Peak> = Vec::new();
    for cell in cells {
        let (place, count) = ((cell / MAP_SIDE, cell % MAP_SIDE), f64::from(map[cell]));
        if let Some(peak) = peaks.iter_mut().find(|peak| peak.takes(place, count)) {
            peak.add(place, count);
        } else if count >= GRID_THRESHOLD {
            let mut peak = Peak {
                seed: place,
                counts: 0.0,
                moments: [0.0; 2],
            };
            peak.add(place, count);
            peaks.push(peak);
        }
    }
    peaks.truncate(MAX_SOURCES);
    let proposal = |peak: &Peak| Proposal {
        x: peak.moments[0] / peak.counts,
        y: peak.moments[1] / peak.counts,
        intensity: peak.counts,
        precision: None,
    };
    peaks.iter().map(proposal).collect()
}

/// The fit, held to as many sources as a map has peaks.
pub struct Refiner {
    /// For 1, 2, … 8 sources.
    locators: Vec<Locator>,
}

impl Refiner {
    /// A refiner that knows what `config` says but for the number of sources.
    ///
    /// # Errors
    /// [`Error::Usage`] for a `config` out of range.
    pub fn new(config: LocateConfig) -> Result<Self> {
        let locator = |count| {
            let counts = [count, count];
            let locator = Locator::new(LocateConfig { counts, ..config });
            locator.map_err(|e| Error::usage(format!("fit: {e}")))
        };
        let locators = (1..=MAX_SOURCES).map(locator).collect::<Result<_>>()?;
        Ok(Self { locators })
    }

    /// Answers for all windows of `counts (frames, 11, 11)`, whose maps `(windows, 1089)` are `maps`.
    /// A map without a peak has no target.
    ///
    /// # Errors
    /// [`Error::Usage`] for fewer than five frames, counts that are not finite, or another number of
    /// maps.
    pub fn refine(&self, counts: &[f32], maps: &[f32]) -> Result<Vec<Answer>> {
        check_counts(counts, None)?;
        let windows = counts.len() / FRAME_LEN + 1 - WINDOW;
        if maps.len() != windows * MAP_LEN {
            return Err(Error::usage(format!(
                "localisation: {} values of maps, expected {windows} maps of {MAP_LEN}",
                maps.len()
            )));
        }
        let fit = |workspace: &mut Workspace, (window, map): (usize, &[f32])| {
            let starts = peaks(map);
            let Some(locator) = starts.len().checked_sub(1).map(|at| &self.locators[at]) else {
                return Ok(Answer::of_head(&[]));
            };
            let part = &counts[window * FRAME_LEN..][..WINDOW_LEN];
            let located = locator.locate(workspace, part, None, &starts);
            let located = located.map_err(|e| Error::usage(format!("window {window}: {e}")))?;
            Ok(Answer::of_fit(&located))
        };
        let maps = maps.par_chunks_exact(MAP_LEN).enumerate();
        maps.map_init(Workspace::new, fit).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Split;
    use crate::eval::network::batch;
    use crate::scene::{SceneConfig, generate, label_map};

    /// Label maps know the targets' number and cells: the fit adds their places. Without its other
    /// targets a map gets no second answer, however poor the fit.
    #[test]
    fn maps_say_how_many_and_the_fit_says_where() {
        let trajectory = generate(&SceneConfig::default(), 1, Split::Validation, 0);
        let counts = batch([&trajectory]).counts;
        let truths = &trajectory.truth[2..trajectory.truth.len() - 2];
        let refiner = Refiner::new(LocateConfig::SEQ_CSIST).unwrap();
        let maps: Vec<f32> = truths.iter().flat_map(|t| label_map(t)).collect();
        for (answer, truth) in refiner.refine(&counts, &maps).unwrap().iter().zip(truths) {
            assert_eq!(answer.targets.len(), truth.len());
            for target in truth {
                let apart = |found: &derefnet_core::locate::Target| {
                    libm::hypot(found.x - target.x, found.y - target.y)
                };
                let nearest = answer
                    .targets
                    .iter()
                    .map(apart)
                    .fold(f64::INFINITY, f64::min);
                assert!(nearest < 0.1, "{nearest}");
            }
        }
        let fewer: Vec<f32> = truths.iter().flat_map(|t| label_map(&t[..1])).collect();
        let answers = refiner.refine(&counts, &fewer).unwrap();
        assert!(answers.iter().all(|answer| answer.targets.len() <= 1));
        let none = vec![0.0; maps.len()];
        let answers = refiner.refine(&counts, &none).unwrap();
        assert!(answers.iter().all(|answer| answer.targets.is_empty()));
        assert!(refiner.refine(&counts, &maps[1..]).is_err());
    }

    fn found(cells: &[(usize, usize, f32)]) -> Vec<[f64; 3]> {
        let mut map = vec![0.0; MAP_LEN];
        for &(row, column, count) in cells {
            map[row * MAP_SIDE + column] = count;
        }
        let all = peaks(&map);
        all.iter().map(|p| [p.x, p.y, p.intensity]).collect()
    }

    #[test]
    fn one_cell_is_one_peak() {
        assert_eq!(found(&[(16, 16, 235.0)]), [[5.0, 5.0, 235.0]]);
        assert!(found(&[(16, 16, 69.9)]).is_empty());
    }

    /// A target three quarters of the way to the next cell lies between both.
    #[test]
    fn cells_that_share_a_target_are_one_peak() {
        let [x, y, intensity] = found(&[(16, 16, 60.0), (17, 16, 180.0)])[0];
        assert!((x - (5.0 + 0.25)).abs() < 1e-12 && y == 5.0 && intensity == 240.0);
    }

    #[test]
    fn bright_neighbours_are_two_peaks() {
        let both = [(16, 16, 240.0), (16, 17, 230.0)];
        assert_eq!(found(&both).len(), 2);
        // On a diagonal lie targets 0.3 px from a reference point, up and right of it.
        let diagonal = [(16, 16, 120.0), (17, 17, 110.0)];
        assert_eq!(found(&diagonal).len(), 2);
    }

    #[test]
    fn no_more_than_the_fit_takes() {
        let many: Vec<_> = (0..12).map(|k| (2 * k, 5, 100.0 + k as f32)).collect();
        let peaks = found(&many);
        assert_eq!((peaks.len(), peaks[0][2]), (MAX_SOURCES, 111.0));
        let broken = [(16, 16, f32::NAN), (18, 16, f32::INFINITY)];
        assert!(found(&broken).is_empty());
    }
}
