//! Tensors and work of a network, found by recording it where nothing is computed.

use derefnet_core::physics::{FRAME_LEN, FRAME_SIDE, MAP_LEN, MAP_SIDE};

use super::net::{Form, Input, Map, Net, Recorder};
use super::sensor::Sensor;
use super::tensors::{Init, Role, Spec};
use super::{Adversary, Method, Network, Solution};
use crate::Result;
use crate::autograd::{Tape, Var};
use crate::backend::counting::{Counting, Steps};
use crate::model::{DeRefNet, Frames, ModelConfig, Operators, Parameters, TimeConvention, Trained};
use crate::ops::Op;
use crate::tensor::Shape;

/// Frames of the batch by which the work is divided: one published trajectory.
pub(super) const FRAMES: usize = 20;

/// Before every name of a tensor of the adversary.
pub(crate) const ADVERSARY: &str = "adversary";

/// Records a network to see its tensors.
struct Declaring<'a> {
    tape: Tape<'a, Counting>,
    specs: Vec<(Spec, Var)>,
}

impl Recorder for Declaring<'_> {
    fn apply(&mut self, op: Op, inputs: &[Var]) -> Var {
        self.tape.apply(op, inputs)
    }

    fn constant(&mut self, values: &[f32]) -> Var {
        self.tape.constant(values)
    }

    fn tensor(&mut self, spec: Spec) -> Var {
        if let Some((_, var)) = self.specs.iter().find(|(s, _)| s.name == spec.name) {
            return *var;
        }
        // Never written, so never really there.
        let var = self.tape.constant(&vec![0.0; spec.len()]);
        self.specs.push((spec, var));
        var
    }
}

/// Tensors and work of a method in one of its forms.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Tensors of the method, then, named `adversary.…`, those of its adversary.
    pub specs: Vec<Spec>,
    /// Tensors before those of the adversary.
    pub own: usize,
    /// Multiply-adds per frame by the published way of counting: a batch of 20 frames, inference, the
    /// matrix `ΦᵀΦ` dense. None where it depends on the frames.
    pub multiply_adds: Option<u64>,
    /// The same as computed here, with separable factors.
    pub multiply_adds_here: Option<u64>,
}

impl Plan {
    fn count(specs: &[Spec], roles: &[Role]) -> usize {
        let counted = specs.iter().filter(|s| roles.contains(&s.role));
        counted.map(Spec::len).sum()
    }

    /// Parameters of the network that answers, with those that never run.
    pub fn parameters(&self) -> usize {
        Self::count(&self.specs[..self.own], &[Role::Trained, Role::Unused])
    }

    /// Those that never run.
    pub fn unused_parameters(&self) -> usize {
        Self::count(&self.specs[..self.own], &[Role::Unused])
    }

    /// Parameters of the adversary.
    pub fn adversary_parameters(&self) -> usize {
        Self::count(&self.specs[self.own..], &[Role::Trained, Role::Unused])
    }
}

/// Counts `method` in the form `variant`, at a share `width` of its size (see [`Form::width`]).
///
/// # Errors
/// If the method has no such variant.
pub fn plan(method: &Method, variant: Option<&str>, width: f32) -> Result<Plan> {
    let variant = method.variant(variant)?;
    match method.solution {
        Solution::Solver { multiply_adds, .. } => Ok(Plan {
            multiply_adds: Some(multiply_adds[0]),
            multiply_adds_here: Some(multiply_adds[1]),
            ..Plan::default()
        }),
        Solution::Network(network) => {
            let form = |training| Form {
                variant,
                width,
                training,
            };
            let mut plan = Plan {
                specs: declare(network, form(true)),
                ..Plan::default()
            };
            plan.own = plan.specs.len();
            if let Some(adversary) = network.adversary() {
                plan.specs.extend(declare_adversary(adversary, form(true)));
            }
            plan.multiply_adds = Some(work(network, form(false), network.steps()));
            plan.multiply_adds_here = Some(work(network, form(false), Steps::Separable));
            Ok(plan)
        }
        Solution::DeRefNet { config, .. } => Ok(plan_of_model(config())),
        Solution::Fit | Solution::Detector(_) => Ok(Plan::default()),
    }
}

/// Describes something on a batch of one blank trajectory.
fn record<T>(
    form: Form,
    steps: Steps,
    describe: impl FnOnce(&mut Net<'_>) -> T,
) -> (Vec<Spec>, u64) {
    let backend = Counting::new(steps);
    let mut recorder = Declaring {
        tape: Tape::new(&backend),
        specs: Vec::new(),
    };
    let sensor = Sensor::new(vec![0.0; MAP_LEN * FRAME_LEN]);
    let input = Input {
        counts: &[0.0; FRAMES * FRAME_LEN],
        length: FRAMES,
        sensor: &sensor,
    };
    describe(&mut Net::new(&mut recorder, input, form));
    let costs = recorder.tape.costs().values();
    let work = costs.map(|cost| cost.multiply_adds).sum();
    (
        recorder.specs.into_iter().map(|(spec, _)| spec).collect(),
        work,
    )
}

fn declare(network: &dyn Network, form: Form) -> Vec<Spec> {
    record(form, Steps::Separable, |net| network.forward(net)).0
}

fn declare_adversary(adversary: Adversary, form: Form) -> Vec<Spec> {
    let shape = Shape {
        n: FRAMES,
        h: MAP_SIDE,
        w: MAP_SIDE,
        c: 1,
    };
    let judge = |net: &mut Net<'_>| {
        let map: Map = net.constant(shape, &vec![0.0; shape.len()]);
        net.within(ADVERSARY, |net| (adversary.judge)(net, map))
    };
    record(form, Steps::Separable, judge).0
}

fn work(network: &dyn Network, form: Form, steps: Steps) -> u64 {
    record(form, steps, |net| network.forward(net)).1 / FRAMES as u64
}

/// Tensors and work of a DeRefNet, with those of its offset head if it has one.
pub fn plan_of_model(config: ModelConfig) -> Plan {
    let network = DeRefNet {
        operators: Operators::new(vec![0.0; MAP_LEN * FRAME_LEN]),
        parameters: Parameters::zeros(&config),
        config,
    };
    let specs: Vec<Spec> = network
        .parameters
        .tensors
        .iter()
        .map(|t| Spec {
            name: t.name.clone(),
            shape: t.shape.clone(),
            init: Init::Constant(0.0),
            role: Role::Trained,
        })
        .collect();
    // What the host does before the tape: Q y and Φᵀ y, dense as published, or the latter separable.
    let separable = (FRAME_SIDE * FRAME_SIDE + FRAME_SIDE * MAP_SIDE) * MAP_SIDE;
    let before = |back: usize| (MAP_LEN * FRAME_LEN + back) as u64;
    Plan {
        own: specs.len(),
        specs,
        multiply_adds: Some(
            on_tape(&network, Steps::Gram)
                + before(MAP_LEN * FRAME_LEN)
                + repeated(&network.config) as u64 / FRAMES as u64,
        ),
        multiply_adds_here: Some(on_tape(&network, Steps::Separable) + before(separable)),
    }
}

/// Multiply-adds per frame that DeRefNet records.
fn on_tape(network: &DeRefNet, steps: Steps) -> u64 {
    let backend = Counting::new(steps);
    let values: Vec<usize> = network
        .parameters
        .tensors
        .iter()
        .map(|t| t.values.len())
        .collect();
    let mut tape = Tape::new(&backend);
    let leaves = network.leaves(&mut tape, &values, Trained::Nothing);
    let frames = Frames {
        counts: vec![0.0; FRAMES * FRAME_LEN],
        length: FRAMES,
    };
    network.forward(&mut tape, &leaves, &frames, false);
    if network.config.head.is_some() {
        network.answer(&mut tape, &leaves, &frames);
    }
    let work: u64 = tape.costs().values().map(|cost| cost.multiply_adds).sum();
    work / FRAMES as u64
}

/// What the released code computes again for every pair of a window, where frames have one time, and
/// what it multiplies to find the gates, per batch: features of both frames, their half of the
/// attention, and a matrix of which row sums suffice.
fn repeated(config: &ModelConfig) -> usize {
    if config.time != TimeConvention::Trajectory {
        return 0;
    }
    let (pairs, c) = (4 * (FRAMES - 4), config.channels);
    let features = (2 * pairs - FRAMES) * 9 * c * MAP_LEN;
    let attention = (2 * pairs - 2 * FRAMES) * (c * c / 2) * MAP_LEN;
    features + attention + FRAMES * MAP_LEN * MAP_LEN
}
