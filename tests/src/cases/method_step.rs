//! One pass of a network of the published comparison, or of its adversary.

use std::collections::BTreeMap;

use derefnet::autograd::{Tape, Var};
use derefnet::backend::Backend;
use derefnet::dataset::Split;
use derefnet::methods::job::{Job, Recorded};
use derefnet::methods::loss::Summation;
use derefnet::methods::net::{Form, Input};
use derefnet::methods::sensor::Sensor;
use derefnet::methods::tensors::initialise;
use derefnet::methods::{Adversary, Method, Network, Plan, leaves, plan};
use derefnet::rng::Rng;
use derefnet::scene::{SceneConfig, generate};
use derefnet_core::physics::{FRAME_LEN, MAP_LEN};

/// Share of the whole gradient below which a tensor's is judged against this share.
const NEGLIGIBLE: f64 = 1e-5;
/// The same of a bias so far below it: before a normalisation the gradients of a thousand pixels and more
/// cancel, and nothing but their rounding is left, 1.1e-6 of the whole at most as seen.
const CANCELLED: f64 = 1e-3;

/// Against what an error of the gradient of the tensor called `name` is judged, which has this `size`
/// beside the `whole` one.
pub fn measure(name: &str, size: f64, whole: f64) -> f64 {
    let least = NEGLIGIBLE * whole;
    if name.ends_with("bias") && size < least {
        CANCELLED * whole
    } else {
        size.max(least)
    }
}

/// A small network with a batch of one window.
#[derive(Debug)]
pub struct Problem {
    /// The method.
    pub method: &'static Method,
    /// Its form.
    pub variant: &'static str,
    /// Its tensors.
    pub plan: Plan,
    sensor: Sensor,
    counts: Vec<f32>,
    labels: Vec<f32>,
    /// Values of all tensors, none where a published network starts with a gradient of zero.
    pub values: Vec<Vec<f32>>,
}

impl Problem {
    /// The form `variant` of `method`, as small as it gets.
    ///
    /// # Panics
    /// If the method has no such form, or is no network.
    pub fn new(method: &'static Method, variant: &'static str) -> Self {
        let scene = SceneConfig {
            frames: 5,
            ..SceneConfig::default()
        };
        let trajectory = generate(&scene, 1, Split::Train, 0);
        let network = method.network().expect("a network");
        let plan = plan(method, Some(variant), 0.0).expect("a form of the method");
        let mut rng = Rng::new(1, *b"gradient", 0);
        let qinit = (0..MAP_LEN * FRAME_LEN).map(|_| 0.03 * rng.gaussian() as f32);
        let sensor = Sensor::new(qinit.collect());
        let mut values = Vec::new();
        for tensor in initialise(&plan.specs, &sensor, 2) {
            let moved = tensor
                .values
                .iter()
                .map(|v| v + 0.02 * rng.gaussian() as f32);
            // The one hidden value of a small attention would be off for all frames in every third block;
            // positive shares of maxima, which are positive, keep it on.
            let hidden = tensor.name.ends_with("channels.hidden.weight");
            values.push(moved.map(|v| if hidden { v.abs() } else { v }).collect());
        }
        Self {
            method,
            variant,
            plan,
            sensor,
            counts: trajectory.frames.iter().map(|&c| c as f32).collect(),
            labels: network.answers().wanted(&trajectory.truth),
            values,
        }
    }

    fn network(&self) -> &'static dyn Network {
        self.method.network().expect("a network")
    }

    /// Whether an adversary judges its maps.
    pub fn has_adversary(&self) -> bool {
        self.network().adversary().is_some()
    }

    fn job(&self) -> Job<'_> {
        Job {
            network: self.network(),
            form: Form {
                variant: self.variant,
                width: 0.0,
                training: true,
            },
            input: Input {
                counts: &self.counts,
                length: 5,
                sensor: &self.sensor,
            },
            labels: &self.labels,
            summation: Summation::Effective,
        }
    }

    /// Loss of the method, or of its adversary on some maps. The adversary's has no means of logits,
    /// which count as constants there: difference quotients see through that.
    fn record<B: Backend>(
        &self,
        tape: &mut Tape<'_, B>,
        leaves: &BTreeMap<String, Var>,
        adversary: bool,
    ) -> Recorded {
        let job = self.job();
        if !adversary {
            return job.record(tape, leaves);
        }
        let maps: Vec<f32> = self.labels.iter().rev().copied().collect();
        let judge = Adversary {
            relativistic: false,
            ..job.network.adversary().expect("an adversary")
        };
        job.record_adversary(tape, leaves, judge, &maps)
    }

    /// Loss and gradients of all trained tensors.
    pub fn gradients<B: Backend>(
        &self,
        backend: &B,
        values: &[B::Buffer],
        adversary: bool,
    ) -> (B::Buffer, Vec<Option<B::Buffer>>) {
        let own = self.plan.own;
        let trained = if adversary {
            own..self.plan.specs.len()
        } else {
            0..own
        };
        let mut tape = Tape::new(backend);
        let leaves = leaves(&mut tape, &self.plan, values, trained);
        let recorded = self.record(&mut tape, &leaves, adversary);
        let mut loss = backend.alloc(1);
        backend.fill(&mut loss, 0.0);
        backend.accumulate(&mut loss, tape.value(recorded.total));
        let mut all = tape.backward(recorded.total, &[]);
        let specs = self.plan.specs.iter();
        let gradients = specs.map(|s| all.take(leaves[&s.name])).collect();
        (loss, gradients)
    }
}
