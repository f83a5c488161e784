//! Parts that several networks share.

use derefnet_core::physics::{FRAME_LEN, MAP_LEN};

use super::net::{Layer, Map, Net};
use super::tensors::Init;
use super::{Answer, Term};
use crate::ops::Rule;

/// `x + conv(relu(conv(x)))`, 3×3, with the channels of `x`.
pub fn residual(net: &mut Net<'_>, name: &str, x: Map, layer: Layer) -> Map {
    net.within(name, |net| {
        let y = net.conv("conv1", x, layer.relu());
        let y = net.conv("conv2", y, layer);
        net.add(y, x)
    })
}

/// `count` residual blocks.
pub fn residuals(net: &mut Net<'_>, name: &str, count: usize, x: Map, layer: Layer) -> Map {
    net.within(name, |net| {
        (0..count).fold(x, |x, k| residual(net, &k.to_string(), x, layer))
    })
}

/// 16 learned iterations of maps as rows, `x ← shrink(W x + B y, θ)` with matrices of each layer's own:
/// `W` begins as `state`, `B` as `Q_init`, each of the 1,089 `θ` as `threshold`.
pub fn shrunk_rows(net: &mut Net<'_>, state: Init, threshold: f32, rule: Rule) -> Answer {
    let layers = net.pick(16, 2);
    let start = net.start();
    let mut x = net.as_rows(start);
    let y = net.frames();
    for k in 0..layers {
        x = net.within(format!("layers.{k}"), |net| {
            let b = Init::Sensor(|sensor| sensor.operators.qinit.clone());
            let b = net.parameter("input", &[MAP_LEN, FRAME_LEN], b);
            let w = net.parameter("state", &[MAP_LEN, MAP_LEN], state);
            let theta = net.row("threshold", MAP_LEN, Init::Constant(threshold));
            let (x, y) = (
                net.product(x, w, None, MAP_LEN),
                net.product(y, b, None, MAP_LEN),
            );
            let sum = net.add(x, y);
            net.shrink(sum, theta, rule)
        });
    }
    net.as_map(x).into()
}

/// The map and, in training, the symmetric residual of a stage from the map before it and the back
/// projection.
pub type Stage = fn(&mut Net<'_>, Map, Map) -> (Map, Option<Map>);

/// `stages` unfolded stages; the symmetric residuals of the first `constrained` of them enter the
/// loss as ISTA-Net has it.
pub fn unfolded(net: &mut Net<'_>, stages: usize, constrained: usize, stage: Stage) -> Answer {
    let mut x = net.start();
    let back = net.back_projection();
    let mut terms = Vec::new();
    for k in 0..stages {
        let (next, residual) = net.within(format!("stages.{k}"), |net| stage(net, x, back));
        x = next;
        if let Some(residual) = residual.filter(|_| k < constrained) {
            terms.push(Term {
                value: net.mean_square(residual, None),
                written: 0.01,
                effective: 1.01,
            });
        }
    }
    Answer { terms, ..x.into() }
}
