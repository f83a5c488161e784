//! Every readout of a stream over recorded frames: answers against the truth, and the hash of all
//! their bits.

use derefnet_core::arch::Kernels;
use derefnet_core::locate::Target;
use derefnet_core::metric::{Detection, GRID_THRESHOLD, MapShape, grid_detections};
use derefnet_core::physics::MAP_LEN;
use derefnet_core::stream::{Answer, Memory, Readout, Stream, StreamConfig};
use derefnet_core::weights::{LoadError, Model};

use crate::hash::Hash;
use crate::recording::{Frame, GOLDEN, PEDESTAL, TRAJECTORY, scenes};
use crate::report::Report;
use crate::say;

/// The readouts and their names.
pub const READOUTS: [(&str, Readout); 5] = [
    ("grid", Readout::Grid),
    ("fit", Readout::Fit),
    ("head", Readout::Head),
    ("head-fit", Readout::HeadFit),
    ("head-prior", Readout::HeadPrior),
];

/// An answer this near a target has found it: the widest distance of CSO-mAP, pixels.
const DISTANCE: f64 = 0.25;
/// Most cells of a map that count as answers; maps of the golden frames have far fewer.
const MOST_CELLS: usize = 64;
const NO_CELL: Detection = Detection {
    x: 0.0,
    y: 0.0,
    score: 0.0,
};

/// What a readout has to show on the golden frames.
struct Trial {
    readout: usize,
    /// Scenes; maps take boards without vector kernels very long, fits those without `f64`.
    scenes: usize,
    /// Frames of a scene at most.
    frames: usize,
    /// Least share of targets found, and of answers that find one, per cent.
    share: usize,
}

// Of the golden frames' targets the fits find all, the head 98.6 %; of a map's bright cells in the whole
// first scene 83 % lie near a target.
const TRIALS: [Trial; 5] = [
    Trial::new(0, (1, 8), 80),
    Trial::new(1, (13, TRAJECTORY), 98),
    Trial::new(2, (13, TRAJECTORY), 92),
    Trial::new(3, (1, TRAJECTORY), 98),
    Trial::new(4, (2, TRAJECTORY), 96),
];

impl Trial {
    const fn new(readout: usize, (scenes, frames): (usize, usize), share: usize) -> Self {
        Self {
            readout,
            scenes,
            frames,
            share,
        }
    }
}

/// Model evaluations of a fit at most, which bounds the time of a frame: one takes, with all around
/// it, 0.1 to 0.2 million instructions of a Cortex-M7. Of the windows by the rules with noise of 5
/// counts a few in a hundred need more, at a cost of 0.2 points of CSO-mAP.
const EVALUATIONS: u32 = 64;

/// A stream of `file` with its own beliefs and a bound on the fit, for frames of a recording.
///
/// # Errors
/// As [`Model::load`] and [`Stream::new`].
// Apart, so that the stack holds the parts of a stream only until it is whole. Callers borrow the
// result: a stream moved out of it would lie there twice.
#[inline(never)]
pub fn stream<'a, M: Memory>(
    file: &'a [u8],
    readout: Readout,
    memory: &'a mut M,
) -> Result<Stream<'a, M>, LoadError> {
    let model = Model::load(file)?;
    let mut config = StreamConfig {
        readout,
        pedestal: PEDESTAL,
        ..StreamConfig::of(&model)
    };
    config.locate.window_evaluations = EVALUATIONS;
    Stream::new(model, config, Kernels::best(), memory)
}

/// Runs all readouts of `file` over the golden frames.
pub fn check<M: Memory>(report: &mut Report, file: &[u8], memory: &mut M) {
    for trial in TRIALS {
        let (name, readout) = READOUTS[trial.readout];
        let mut tally = Tally::default();
        match &mut stream(file, readout, memory) {
            Ok(stream) => scenes(GOLDEN).take(trial.scenes).for_each(|scene| {
                stream.reset();
                tally.scene(stream, scene.take(trial.frames));
            }),
            Err(error) => say!("failed {name}: {error}"),
        }
        tally.judge(report, name, trial.share);
    }
}

/// Answers beside the truth.
#[derive(Default)]
struct Tally {
    hash: Hash,
    /// Frames that the stream did not take.
    refused: usize,
    windows: usize,
    answers: usize,
    /// Answers with a target nearby.
    right: usize,
    targets: usize,
    /// Targets with an answer nearby.
    found: usize,
}

impl Tally {
    fn scene<M: Memory>(&mut self, stream: &mut Stream<M>, frames: impl Iterator<Item = Frame>) {
        // Answers are for the frame two before the last one.
        let mut last = [None, None, None];
        for frame in frames {
            last.rotate_left(1);
            let answer = stream.push(&frame.readings, None);
            last[2] = Some(frame);
            match (answer, &last) {
                (Ok(Some(answer)), [Some(middle), ..]) => self.window(&answer, middle),
                (Ok(_), _) => {}
                (Err(_), _) => self.refused += 1,
            }
        }
    }

    fn window(&mut self, answer: &Answer, frame: &Frame) {
        self.windows += 1;
        take(&mut self.hash, answer);
        let mut cells = [NO_CELL; MOST_CELLS];
        let places = places(answer, &mut cells);
        let near = |[x, y]: [f64; 2], cell: &Detection| {
            let (dx, dy) = (cell.x - x, cell.y - y);
            dx * dx + dy * dy <= DISTANCE * DISTANCE
        };
        self.answers += places.len();
        let is_right = |cell: &&Detection| frame.truth().any(|target| near(target, cell));
        self.right += places.iter().filter(is_right).count();
        self.targets += frame.truth().count();
        let is_found = |target: &[f64; 2]| places.iter().any(|cell| near(*target, cell));
        self.found += frame.truth().filter(is_found).count();
    }

    fn judge(self, report: &mut Report, name: &str, share: usize) {
        let Self {
            refused,
            windows,
            answers,
            right,
            targets,
            found,
            ..
        } = self;
        say!("windows {name} {windows} found {found} of {targets}, right {right} of {answers}");
        let answered = windows > 0 && refused == 0;
        let good = answered && found * 100 >= targets * share && right * 100 >= answers * share;
        report.check(good, "readout", name, windows);
        say!("hash {name} {windows} {:016x}", self.hash.value());
    }
}

/// Places of an answer, in `cells` at most.
fn places<'c>(answer: &Answer, cells: &'c mut [Detection; MOST_CELLS]) -> &'c [Detection] {
    let mut found = 0;
    if let Some(map) = &answer.map {
        let mut counts = [0.0; MAP_LEN];
        counts
            .iter_mut()
            .zip(map.counts())
            .for_each(|(to, c)| *to = c);
        let shape = MapShape::SEQ_CSIST;
        found = grid_detections(&counts, shape, GRID_THRESHOLD, cells).unwrap_or(0);
    }
    for (cell, target) in cells.iter_mut().skip(found).zip(&answer.targets) {
        let &Target { x, y, score, .. } = target;
        *cell = Detection { x, y, score };
    }
    &cells[..(found + answer.targets.len()).min(MOST_CELLS)]
}

/// Every bit of an answer.
fn take(hash: &mut Hash, answer: &Answer) {
    if let Some(map) = &answer.map {
        map.values.iter().for_each(|v| hash.take(&v.to_le_bytes()));
    }
    for target in &answer.targets {
        for number in numbers(target) {
            hash.take(&number.to_bits().to_le_bytes());
        }
    }
    let chi2 = answer.reduced_chi2.map_or(0, f64::to_bits);
    hash.take(&chi2.to_le_bytes());
    hash.take(&answer.saturated.to_le_bytes());
}

/// All that is said of a target.
pub const fn numbers(target: &Target) -> [f64; 8] {
    [
        target.x,
        target.y,
        target.score,
        target.intensity,
        target.sigma_x,
        target.sigma_y,
        target.correlation,
        target.sigma_intensity,
    ]
}
