//! Gradients of every network: in f64 by the oracles against difference quotients, and in f32 against
//! those in f64.

use std::collections::BTreeMap;

use derefnet::autograd::{Tape, Var};
use derefnet::backend::Backend;
use derefnet::backend::cpu::Cpu;
use derefnet::dataset::Split;
use derefnet::methods::config::trainable;
use derefnet::methods::job::{Job, Recorded};
use derefnet::methods::loss::Summation;
use derefnet::methods::net::{Form, Input};
use derefnet::methods::sensor::Sensor;
use derefnet::methods::tensors::{Role, initialise};
use derefnet::methods::{Adversary, Method, Plan, leaves, plan};
use derefnet::rng::Rng;
use derefnet::scene::{SceneConfig, generate, label_map};
use derefnet_core::physics::{FRAME_LEN, MAP_LEN};
use derefnet_tests::exact::Exact;
use derefnet_tests::tolerance::{METHOD_GRADIENT, METHOD_SLOPE};

/// Length of the step of a difference quotient.
const STEP: f64 = 1e-9;

/// Share of the whole gradient below which a tensor's is judged against this share.
const NEGLIGIBLE: f64 = 1e-5;

/// A small network with a batch of one window.
struct Problem {
    method: &'static Method,
    variant: &'static str,
    plan: Plan,
    sensor: Sensor,
    counts: Vec<f32>,
    labels: Vec<f32>,
    /// Values of all tensors, none where a published network starts with a gradient of zero.
    values: Vec<Vec<f32>>,
}

impl Problem {
    fn new(method: &'static Method, variant: &'static str) -> Self {
        let scene = SceneConfig {
            frames: 5,
            ..SceneConfig::default()
        };
        let trajectory = generate(&scene, 1, Split::Train, 0);
        let truth = trajectory.truth.iter();
        let plan = plan(method, Some(variant), 0.0).unwrap();
        let mut rng = Rng::new(1, *b"gradient", 0);
        let qinit = (0..MAP_LEN * FRAME_LEN).map(|_| 0.03 * rng.gaussian() as f32);
        let sensor = Sensor::new(qinit.collect());
        let mut values = Vec::new();
        for tensor in initialise(&plan.specs, &sensor, 2) {
            let moved = tensor
                .values
                .iter()
                .map(|v| v + 0.02 * rng.gaussian() as f32);
            values.push(moved.collect());
        }
        Self {
            method,
            variant,
            plan,
            sensor,
            counts: trajectory.frames.iter().map(|&c| c as f32).collect(),
            labels: truth.flat_map(|targets| label_map(targets)).collect(),
            values,
        }
    }

    fn job(&self) -> Job<'_> {
        Job {
            network: self.method.network().unwrap(),
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
            ..job.network.adversary().unwrap()
        };
        job.record_adversary(tape, leaves, judge, &maps)
    }

    /// Loss and gradients of all trained tensors.
    fn gradients<B: Backend>(
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

    fn exact_values(&self) -> Vec<Vec<f64>> {
        self.values.iter().map(|v| Exact.upload(v)).collect()
    }

    /// Loss in f64 where all tensors are moved along `direction`.
    fn loss_at(&self, direction: &[Vec<f64>], step: f64, adversary: bool) -> f64 {
        let moved: Vec<Vec<f64>> = self
            .exact_values()
            .iter()
            .zip(direction)
            .map(|(v, d)| v.iter().zip(d).map(|(v, d)| v + step * d).collect())
            .collect();
        self.gradients(&Exact, &moved, adversary).0[0]
    }

    fn check(&self, adversary: bool) {
        let name = format!("{} {} adversary {adversary}", self.method.key, self.variant);
        let (_, exact) = self.gradients(&Exact, &self.exact_values(), adversary);
        let mut rng = Rng::new(3, *b"gradient", 1);
        let mut direction = Vec::new();
        let (mut slope, mut size) = (0.0, 0.0);
        for (tensor, gradient) in self.values.iter().zip(&exact) {
            let along: Vec<f64> = tensor.iter().map(|_| rng.gaussian()).collect();
            if let Some(gradient) = gradient {
                let terms = gradient.iter().zip(&along).map(|(g, d)| g * d);
                slope += terms.clone().sum::<f64>();
                size += terms.map(|t| t * t).sum::<f64>();
                direction.push(along);
            } else {
                direction.push(vec![0.0; tensor.len()]);
            }
        }
        // Singular vectors that follow the kernels count as constants too.
        if !(adversary && self.method.key == "bsrgan") {
            let [left, right] = [-STEP, STEP].map(|step| self.loss_at(&direction, step, adversary));
            let quotient = (right - left) / (2.0 * STEP);
            let error = (quotient - slope).abs() / size.sqrt();
            assert!(
                error < METHOD_SLOPE,
                "{name}: {quotient}, gradient {slope}: {error:.1e}"
            );
        }
        self.compare(&name, &exact, adversary);
    }

    /// The gradients in f32 beside those in f64, and that there are any.
    fn compare(&self, name: &str, exact: &[Option<Vec<f64>>], adversary: bool) {
        let cpu = Cpu::new();
        let values: Vec<_> = self.values.iter().map(|v| cpu.upload(v)).collect();
        let (_, ours) = self.gradients(&cpu, &values, adversary);
        let own = self.plan.own;
        let norm = |values: &[f64]| values.iter().map(|v| v * v).sum::<f64>().sqrt();
        // Biases before a normalisation cancel: nothing but rounding is left of their gradients.
        let whole = norm(&exact.iter().flatten().map(|g| norm(g)).collect::<Vec<_>>());
        for (at, (spec, (ours, exact))) in self
            .plan
            .specs
            .iter()
            .zip(ours.iter().zip(exact))
            .enumerate()
        {
            let wanted = (at >= own) == adversary && spec.role == Role::Trained;
            let (Some(ours), Some(exact)) = (ours, exact) else {
                assert!(!wanted, "{name}: no gradient for {}", spec.name);
                continue;
            };
            let differences: Vec<f64> = ours
                .iter()
                .zip(exact)
                .map(|(&a, b)| f64::from(a) - b)
                .collect();
            // The one tensor that no loss reaches.
            let hard = self.method.key == "liht" && spec.name.ends_with("threshold");
            assert_eq!(norm(exact) == 0.0, hard, "{name}: {}", spec.name);
            let error = norm(&differences) / norm(exact).max(NEGLIGIBLE * whole);
            assert!(
                error < METHOD_GRADIENT,
                "{name}: {}: {error:.1e}",
                spec.name
            );
        }
    }
}

/// Networks dealt to tests that run side by side.
fn check_share(share: usize) {
    for (k, method) in trainable().enumerate() {
        if k % 4 != share {
            continue;
        }
        for variant in method.variants {
            let problem = Problem::new(method, variant.name);
            problem.check(false);
            if method.network().unwrap().adversary().is_some() {
                problem.check(true);
            }
        }
    }
}

#[test]
fn first_quarter() {
    check_share(0);
}

#[test]
fn second_quarter() {
    check_share(1);
}

#[test]
fn third_quarter() {
    check_share(2);
}

#[test]
fn last_quarter() {
    check_share(3);
}
