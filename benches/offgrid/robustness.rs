//! What happens where the scene is not what the methods are told.

use derefnet::Result;
use derefnet::dataset::Split;
use derefnet::scene::{SceneConfig, Trajectory, generate};
use derefnet_benches::SEED;
use derefnet_core::locate::LocateConfig;
use derefnet_core::physics::PSF_SIGMA;

use super::measure::{Bench, Case, Row};
use super::perturb::{Dead, Render, centre, closer, leaving};

/// Standard deviations of the noise, counts.
const NOISE: [f64; 2] = [0.0, 2.0];
/// Arms of 0.2 px instead of 0.3 px.
const CLOSER: f64 = 2.0 / 3.0;
/// What is wrong with the scene.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Nothing,
    /// True width of the point response, in units of what is told.
    Width(f64),
    /// Counts of a constant background.
    Background(f64),
    /// Range of the intensities, counts.
    Intensity([f64; 2]),
    Closer,
    Leaving,
    /// What the pixel at the blob's centre shows, counts.
    Dead(i32),
}

/// One line of the table per method and noise level.
struct Trial {
    name: &'static str,
    fault: Fault,
    /// Whether the fit is told: a free background, the range of the intensities, a mask.
    told: bool,
}

const fn untold(name: &'static str, fault: Fault) -> Trial {
    Trial {
        name,
        fault,
        told: false,
    }
}

const fn told(name: &'static str, fault: Fault) -> Trial {
    Trial {
        name,
        fault,
        told: true,
    }
}

const TRIALS: [Trial; 17] = [
    untold("nothing wrong", Fault::Nothing),
    untold("point response 5 % narrower", Fault::Width(0.95)),
    untold("point response 5 % wider", Fault::Width(1.05)),
    told("background of 5 counts", Fault::Background(5.0)),
    untold(
        "background of 5 counts, held at 0 in the fit",
        Fault::Background(5.0),
    ),
    told("background of 20 counts", Fault::Background(20.0)),
    untold("intensities 150–220", Fault::Intensity([150.0, 220.0])),
    told(
        "intensities 150–220, as configured",
        Fault::Intensity([150.0, 220.0]),
    ),
    untold("intensities 250–320", Fault::Intensity([250.0, 320.0])),
    untold("intensities 100–400", Fault::Intensity([100.0, 400.0])),
    told(
        "intensities 100–400, as configured",
        Fault::Intensity([100.0, 400.0]),
    ),
    untold("arms of 0.2 px", Fault::Closer),
    untold("leaving the field", Fault::Leaving),
    untold("dead pixel at 0", Fault::Dead(0)),
    told("dead pixel at 0, masked", Fault::Dead(0)),
    untold("dead pixel at 1000", Fault::Dead(1000)),
    told("dead pixel at 1000, masked", Fault::Dead(1000)),
];

/// Prints the table; how many numbers were not finite.
pub fn print(bench: &Bench, trajectories: u64) -> Result<usize> {
    println!("\nRobustness, rules, {trajectories} trajectories\n");
    println!(
        "| what is wrong | noise σ | method | CSO-mAP | count, % | most evaluations | not finite |"
    );
    println!("|{}", " --- |".repeat(7));
    let mut bad = 0;
    for trial in &TRIALS {
        for noise in NOISE {
            for row in bench.measure(&trial.case(noise, trajectories)?)? {
                bad += row.verdict.not_finite;
                line(trial.name, &row);
            }
        }
    }
    Ok(bad)
}

fn line(
    name: &str,
    Row {
        noise,
        method,
        verdict,
    }: &Row,
) {
    let report = &verdict.report;
    println!(
        "| {name} | {noise} | {} | {:.1} | {:.1} | {} | {} |",
        method.name(),
        report.cso_map,
        report.count_accuracy,
        verdict.most_evaluations,
        verdict.not_finite
    );
}

impl Trial {
    fn case(&self, noise: f64, trajectories: u64) -> Result<Case> {
        let render = Render {
            seed: SEED,
            sigma: PSF_SIGMA
                * if let Fault::Width(factor) = self.fault {
                    factor
                } else {
                    1.0
                },
            background: if let Fault::Background(counts) = self.fault {
                counts
            } else {
                0.0
            },
            noise,
        };
        let make = |index| self.trajectory(&render, index);
        let made = (0..trajectories).map(make).collect::<Result<Vec<_>>>()?;
        let (trajectories, masks): (Vec<_>, Vec<_>) = made.into_iter().unzip();
        Ok(Case {
            name: self.name.to_owned(),
            noise,
            trajectories,
            excluded: masks.into_iter().flatten().collect(),
            config: self.config(),
            bounds: None,
        })
    }

    /// A trajectory, and its mask if it is told.
    fn trajectory(&self, render: &Render, index: u64) -> Result<(Trajectory, Option<Vec<bool>>)> {
        let mut scene = SceneConfig::default();
        if let Fault::Intensity(range) = self.fault {
            scene.intensity = range;
        }
        let truth = generate(&scene, SEED, Split::Test, index).truth;
        let truth = match self.fault {
            Fault::Closer => closer(&truth, CLOSER),
            Fault::Leaving => leaving(&truth),
            _ => truth,
        };
        let place = centre(&truth);
        let mut trajectory = render.trajectory(truth, index)?;
        let Fault::Dead(value) = self.fault else {
            return Ok((trajectory, None));
        };
        let dead = Dead { place, value };
        dead.spoil(&mut trajectory);
        Ok((trajectory, self.told.then(|| dead.mask())))
    }

    fn config(&self) -> LocateConfig {
        let mut config = LocateConfig::SEQ_CSIST;
        let prior = &mut config.prior;
        match self.fault {
            Fault::Background(_) if !self.told => prior.background_sigma = 0.0,
            Fault::Intensity([low, high]) if self.told => {
                prior.intensity_mean = 0.5 * (low + high);
                // The standard deviation of a uniform range.
                prior.intensity_sigma = (high - low) / 12_f64.sqrt();
            }
            _ => {}
        }
        config
    }
}
