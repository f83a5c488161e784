//! Methods over trajectories.

use std::time::Instant;

use derefnet::Result;
use derefnet::backend::cpu::Cpu;
use derefnet::eval::judge::{Bounds, Verdict, judge};
use derefnet::eval::network::Inference;
use derefnet::eval::offgrid::{Localiser, Method};
use derefnet::model::DeRefNet;
use derefnet::scene::Trajectory;
use derefnet_core::locate::LocateConfig;

/// What all tables share.
pub struct Bench<'a> {
    inference: &'a Inference<'a, Cpu>,
    /// Those that the model can do.
    pub methods: Vec<Method>,
    /// Whether everything runs just once.
    pub quick: bool,
}

/// Trajectories and what is told of them.
pub struct Case {
    /// In words, for progress.
    pub name: String,
    /// Standard deviation of the noise, counts.
    pub noise: f64,
    /// What there is to see.
    pub trajectories: Vec<Trajectory>,
    /// Per trajectory 121 flags of pixels to leave out; empty for none.
    pub excluded: Vec<Vec<bool>>,
    /// What the fit works with.
    pub config: LocateConfig,
    /// Bounds of all targets, where they are asked for.
    pub bounds: Option<Bounds>,
}

/// One method at one noise level.
pub struct Row {
    /// Standard deviation of the noise, counts.
    pub noise: f64,
    /// How.
    pub method: Method,
    /// How well.
    pub verdict: Verdict,
}

/// The method of the figures: what ships.
pub const SHOWN: Method = Method::Fit;

impl<'a> Bench<'a> {
    /// All methods that `network` can do.
    pub fn new(network: &DeRefNet, inference: &'a Inference<'a, Cpu>, quick: bool) -> Self {
        let has_head = network.config.head.is_some();
        let possible = |method: &Method| has_head || !method.needs_head();
        Self {
            inference,
            methods: Method::ALL.into_iter().filter(possible).collect(),
            quick,
        }
    }

    /// Every method on `case`.
    pub fn measure(&self, case: &Case) -> Result<Vec<Row>> {
        let row = |&method: &Method| {
            Ok(Row {
                noise: case.noise,
                method,
                verdict: self.judge(case, method)?,
            })
        };
        self.methods.iter().map(row).collect()
    }

    fn judge(&self, case: &Case, method: Method) -> Result<Verdict> {
        let start = Instant::now();
        let localiser = Localiser::new(Some(self.inference), method, case.config)?;
        let answer = |(index, trajectory): (usize, &Trajectory)| {
            let counts: Vec<f32> = trajectory.frames.iter().map(|&c| c as f32).collect();
            localiser.windows(&counts, case.excluded.get(index).map(Vec::as_slice))
        };
        let all = case.trajectories.iter().enumerate();
        let answers = all.map(answer).collect::<Result<Vec<_>>>()?;
        let seconds = start.elapsed().as_secs_f64();
        let (name, noise, method) = (&case.name, case.noise, method.name());
        eprintln!("offgrid: {name}, σ = {noise}, {method}: {seconds:.1} s");
        let bounds = case.bounds.as_ref();
        judge(case.noise, &case.trajectories, &answers, bounds)
    }
}

/// Per cent or nothing.
pub fn percent(value: Option<(f64, Option<f64>)>) -> String {
    match value {
        None => "-".to_owned(),
        Some((share, None)) => format!("{share:.1}"),
        Some((share, Some(error))) => format!("{share:.1} ± {error:.1}"),
    }
}
