//! Losses of a method and its adversary: binary cross-entropy with logits, of each map's logits or
//! relative to the mean of the other kind's.

use derefnet_core::physics::MAP_SIDE;

use super::count::ADVERSARY;
use super::live::Live;
use super::net::{Form, Input, Map, Net, Update};
use super::{Adversary, Term};
use crate::autograd::Var;
use crate::backend::Backend;
use crate::ops::{Function, Total, WeightedSum};
use crate::tensor::Shape;

/// A batch and the form of the networks.
type Setting<'a> = (Input<'a>, Form);

/// Mean of `-ln σ(x)`, or, for `real` false, of `-ln(1 - σ(x))`.
fn cross_entropy(net: &mut Net<'_>, logits: Map, real: bool) -> Var {
    let x = if real {
        net.scale(logits, -1.0)
    } else {
        logits
    };
    let losses = net.map(x, Function::Softplus);
    mean(net, losses)
}

fn mean(net: &mut Net<'_>, x: Map) -> Var {
    let len = x.shape.len();
    let scale = 1.0 / len as f32;
    net.apply(Total { len, scale }, &[x.var])
}

/// `x` less one value.
fn less(net: &mut Net<'_>, x: Map, value: Map) -> Map {
    let all = net.spread(value, 0, x.shape);
    net.sub(x, all)
}

/// Judges `map` by the adversary.
fn judge(net: &mut Net<'_>, adversary: Adversary, map: Map) -> Map {
    net.within(ADVERSARY, |net| (adversary.judge)(net, map))
}

fn maps(net: &mut Net<'_>, values: &[f32]) -> Map {
    let (h, w, c) = (MAP_SIDE, MAP_SIDE, 1);
    let n = values.len() / (h * w);
    net.constant(Shape { n, h, w, c }, values)
}

fn average(values: &[f32]) -> f32 {
    let sum: f64 = values.iter().map(|&v| f64::from(v)).sum();
    (sum / values.len() as f64) as f32
}

/// The adversarial term of a method that answers `map` where `labels` are wanted.
pub(super) fn method_loss<B: Backend>(
    live: &mut Live<'_, '_, B>,
    (input, form): Setting<'_>,
    adversary: Adversary,
    map: Map,
    labels: &[f32],
) -> (Term, Vec<Update>) {
    let mut net = Net::new(live, input, form);
    let fake = judge(&mut net, adversary, map);
    let (value, updates) = if adversary.relativistic {
        // Nothing before these logits is trained now.
        let labels = maps(&mut net, labels);
        let real = judge(&mut net, adversary, labels);
        let updates = net.into_updates();
        let average = average(&live.tape.download(real.var));
        let mut net = Net::new(live, input, form);
        let real_mean = net.scalar(average);
        let fake_mean = mean(&mut net, fake);
        let fake_mean = Map {
            var: fake_mean,
            ..real_mean
        };
        let relative = [
            less(&mut net, fake, real_mean),
            less(&mut net, real, fake_mean),
        ];
        let terms = [
            cross_entropy(&mut net, relative[0], true),
            cross_entropy(&mut net, relative[1], false),
        ];
        (halves(&mut net, terms), updates)
    } else {
        let value = cross_entropy(&mut net, fake, true);
        (value, net.into_updates())
    };
    let weight = adversary.weight;
    let term = Term {
        value,
        written: weight,
        effective: weight,
    };
    (term, updates)
}

fn halves(net: &mut Net<'_>, terms: [Var; 2]) -> Var {
    let weights = vec![0.5; 2];
    net.apply(WeightedSum { weights }, &terms)
}

/// The loss of the adversary on a method's maps and on label maps.
pub(super) fn judge_losses<B: Backend>(
    live: &mut Live<'_, '_, B>,
    (input, form): Setting<'_>,
    adversary: Adversary,
    (answers, labels): (&[f32], &[f32]),
) -> (Var, Vec<Update>) {
    let mut net = Net::new(live, input, form);
    let [real, fake] = [labels, answers].map(|values| {
        let values = maps(&mut net, values);
        judge(&mut net, adversary, values)
    });
    let updates = net.into_updates();
    // The mean of the other kind counts as a constant.
    let averages = [real, fake].map(|logits| average(&live.tape.download(logits.var)));
    let mut net = Net::new(live, input, form);
    let loss = if adversary.relativistic {
        let [real_mean, fake_mean] = averages.map(|value| net.scalar(value));
        let relative = [
            less(&mut net, real, fake_mean),
            less(&mut net, fake, real_mean),
        ];
        let terms = [
            cross_entropy(&mut net, relative[0], true),
            cross_entropy(&mut net, relative[1], false),
        ];
        halves(&mut net, terms)
    } else {
        let terms = [
            cross_entropy(&mut net, real, true),
            cross_entropy(&mut net, fake, false),
        ];
        let weights = vec![1.0; 2];
        net.apply(WeightedSum { weights }, &terms)
    };
    (loss, updates)
}
