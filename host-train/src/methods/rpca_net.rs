//! RPCANet: background and sparse targets, parted stage by stage.

use super::loss::{DataTerm, Over, Training};
use super::net::{Layer, Map, Net};
use super::tensors::Init;
use super::{Answer, Method, Network, Published, Reference, Solution, Term, Variant};

/// Registry entry.
pub const METHOD: Method = Method {
    name: "RPCANet",
    key: "rpca-net",
    about: "background and sparse targets, parted stage by stage",
    reference: Reference {
        authors: "Wu et al.",
        title: "RPCANet: deep unfolding RPCA based infrared small target detection",
        venue: "WACV 2024",
    },
    published: Some(Published {
        fps: 2_601.0,
        parameters: Some("0.68 M"),
        flops: "14.81 G",
        cso_map: 47.17,
        average_precisions: [0.7, 10.2, 44.5, 84.6, 95.9],
    }),
    variants: &[
        Variant {
            name: "as-run",
            about: "every stage starts from the first estimate, so that only the last merger is ever trained",
        },
        Variant {
            name: "fed-back",
            about: "every stage starts from what the stage before merged, as the method was published",
        },
    ],
    foreign_parameters: 0,
    solution: Solution::Network(&RpcaNet),
};

struct RpcaNet;

const DATA: &[DataTerm] = &[DataTerm::square(Over::Scored, 0.9, 1.8)];

/// Hidden layers of background and merger, and of the sparse part.
const HIDDEN: [usize; 2] = [3, 6];

/// Xavier kernels, biases as usual.
fn layer(out: usize) -> Layer {
    Layer::new(out, 3).init(Init::Xavier).uniform_bias()
}

impl Network for RpcaNet {
    fn forward(&self, net: &mut Net<'_>) -> Answer {
        let stages = net.pick(6, 2);
        let fed_back = net.is("fed-back");
        let start = net.start();
        let mut targets = net.constant(start.shape, &vec![0.0; start.shape.len()]);
        let (mut given, mut merged) = (start, None);
        for k in 0..stages {
            net.within(format!("stages.{k}"), |net| {
                let rest = net.sub(given, targets);
                let change = net.within("background", |net| normalised(net, rest));
                let background = net.add(rest, change);
                let sum = net.add(targets, given);
                let v = net.sub(sum, background);
                targets = net.within("sparse", |net| sparse(net, v));
                let last = k + 1 == stages;
                if (last && net.training()) || (fed_back && !last) {
                    let whole = net.add(background, targets);
                    let out = net.within("merger", |net| normalised(net, whole));
                    merged = Some(out);
                    if fed_back {
                        given = out;
                    }
                } else {
                    net.within("merger", declare_normalised);
                }
            });
        }
        let mut terms = Vec::new();
        if let (true, Some(merged)) = (net.training(), merged) {
            let pair = [net.scored(merged), net.scored(start)];
            terms.push(Term {
                value: net.mean_square(pair[0], Some(pair[1])),
                written: 0.09,
                effective: 0.99,
            });
        }
        Answer {
            terms,
            ..targets.into()
        }
    }

    fn training(&self, _: &str) -> Training {
        Training::usual(DATA)
    }
}

/// Convolutions with batch normalisation, back to one channel.
fn normalised(net: &mut Net<'_>, x: Map) -> Map {
    let channels = net.pick(32, 8);
    let mut x = x;
    for k in 0..=HIDDEN[0] {
        x = net.conv(&format!("layers.{k}"), x, layer(channels));
        x = net.batch_norm(&format!("norms.{k}"), x);
        x = net.relu(x);
    }
    net.conv("last", x, layer(1))
}

/// The tensors of [`normalised`], where it does not run.
fn declare_normalised(net: &mut Net<'_>) {
    let channels = net.pick(32, 8);
    let mut inputs = 1;
    for k in 0..=HIDDEN[0] {
        declare(net, &format!("layers.{k}"), inputs, channels);
        net.unused(
            &format!("norms.{k}.weight"),
            &[channels],
            Init::Constant(1.0),
        );
        net.unused(&format!("norms.{k}.bias"), &[channels], Init::Constant(0.0));
        inputs = channels;
    }
    declare(net, "last", channels, 1);
}

fn declare(net: &mut Net<'_>, name: &str, inputs: usize, out: usize) {
    net.unused(
        &format!("{name}.weight"),
        &[out, inputs, 3, 3],
        Init::Xavier,
    );
    net.unused(&format!("{name}.bias"), &[out], Init::UniformOf(9 * inputs));
}

/// `v` less a learned share of what convolutions make of it.
fn sparse(net: &mut Net<'_>, v: Map) -> Map {
    let channels = net.pick(32, 8);
    let mut x = v;
    for k in 0..=HIDDEN[1] {
        x = net.conv(&format!("layers.{k}"), x, layer(channels).relu());
    }
    let x = net.conv("last", x, layer(1));
    let share = net.parameter("share", &[1], Init::Constant(0.01));
    let x = net.times_scalar(x, share);
    net.sub(v, x)
}
