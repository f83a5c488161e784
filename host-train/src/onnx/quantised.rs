//! The integer network as a graph: `core/FORMAT.md`, §5 and §6, part by part.

use derefnet_core::locate::head::CHANNELS;
use derefnet_core::ops::{SIGMOID_FRACTION, sigmoid};
use derefnet_core::physics::{FRAME_LEN, FRAME_SIDE, MAP_LEN, MAP_SIDE, RATIO, WINDOW};
use derefnet_core::weights::{HeadNetwork, Layer, MapNetwork, Model, Stage};

use super::graph::{Builder, Constant, Value};
use super::network::{CENTRE, MAP, NEIGHBOURS, take};
use super::proto::GraphProto;
use super::steps::Finish;

/// The graph of `model`; see [`super`] for its ends.
pub(super) fn graph(model: &Model) -> GraphProto {
    let b = &mut Builder::new("derefnet_quantised");
    let about = "five consecutive frames in time order, whole counts; rows are x, columns y";
    let frames = b.input("frames", about, 1, &[WINDOW, FRAME_SIDE, FRAME_SIDE]);
    let frames = b.counts("frames/steps", &frames, model.header.input_bits);
    if let Some(network) = &model.map {
        let map = map(b, network, &frames);
        let counts = b.scalar(network.header.step);
        let map = b.with("Mul", "map/counts", &map, &counts);
        let map = b.reshape("map", &map, 1, &MAP[1..]);
        let about =
            "counts in cells of a third of a pixel; cell (i, j) is at ((i-1)/3, (j-1)/3) pixels";
        b.output(&map, about);
    }
    if let Some(network) = &model.head {
        let answer = b.within("head", |b| head(b, network, &frames));
        let sides = [FRAME_SIDE, FRAME_SIDE, RATIO, RATIO, CHANNELS];
        let answer = b.reshape("answer/steps", &answer, 1, &sides);
        let steps = b.constant("head.steps", &[CHANNELS], &network.header.steps);
        let answer = b.with("Mul", "answer", &answer, &steps);
        let about = "offset head, raw: pixel row and column, cell row and column, channel";
        b.output(&answer, about);
    }
    std::mem::take(b).finish()
}

/// Numbers of a table with `bits` fraction bits: exact in f32.
fn table(bytes: &[[u8; 2]], bits: i32) -> Vec<f32> {
    let unit = 2.0f32.powi(-bits);
    let numbers = bytes.iter().map(|&number| i16::from_le_bytes(number));
    numbers.map(|number| unit * f32::from(number)).collect()
}

/// The map `(N, 1, 33, 33)` in steps, of `frames (N, 5, 11, 11)`.
fn map(b: &mut Builder, network: &MapNetwork, frames: &Value) -> Value {
    let stages = b.within("stages", |b| stages(b, network, frames));
    let (coded, centre) = b.within("position", |b| {
        let maps = b.reshape("window", &stages, 1, &[WINDOW, MAP_SIDE, MAP_SIDE]);
        let gates = b.constant("gates", &[WINDOW, MAP_SIDE, MAP_SIDE], &gates(network));
        let coded = b.weighed("coded", &maps, &gates);
        let centre = take(b, "centre", &coded, &[CENTRE]);
        (coded, centre)
    });
    let aligned = b.within("align", |b| align(b, network, &coded, &centre));
    b.within("tail", |b| {
        let before = take(b, "before", &aligned, &[0, 1]);
        let after = take(b, "after", &aligned, &[2, 3]);
        let stack = b.concat("stack", &[&before, &centre, &after]);
        let x = b.layer(("input", "tail.input"), &stack, &network.tail, Finish::Relu);
        let x = blocks(b, x, &network.blocks, "tail");
        b.layer(
            ("output", "tail.output"),
            &x,
            &network.answer,
            Finish::Plain,
        )
    })
}

/// Outputs of the last stage, `(5 N, 1, 33, 33)`.
fn stages(b: &mut Builder, network: &MapNetwork, frames: &Value) -> Value {
    let (mut h, back) = (start(b, network, frames), back(b, network, frames));
    let gram = b.constant("AtA", &[MAP_SIDE; 2], &table(network.gram, 14));
    for (k, stage) in network.stages.iter().enumerate() {
        let place = format!("stages.{k}");
        h = b.within(&k.to_string(), |b| {
            let r = data_step(b, stage, (&h, &back), &gram);
            let finishes = [
                ("conv1_forward", Finish::Relu),
                ("conv2_forward", Finish::Shrink(stage.theta)),
                ("conv1_backward", Finish::Relu),
                ("conv2_backward", Finish::Plain),
            ];
            let layers = stage.layers.iter().zip(finishes);
            layers.fold(r, |x, (layer, (name, finish))| {
                b.layer((name, &format!("{place}.{name}")), &x, layer, finish)
            })
        });
    }
    h
}

/// `Q_init` of the frames: zeros outside the cells that have weights.
fn start(b: &mut Builder, network: &MapNetwork, frames: &Value) -> Value {
    let rows = b.reshape("frames/rows", frames, WINDOW, &[FRAME_LEN]);
    let [top, bottom, left, right] = network.header.cells.map(usize::from);
    let cells = (top..bottom).flat_map(|r| (left..right).map(move |c| r * MAP_SIDE + c));
    let start = ("start/rows", "qinit");
    let start = b.matrix(start, &rows, &network.start, (MAP_LEN, cells));
    b.reshape("start", &start, WINDOW, &MAP)
}

/// `ΦᵀL`: across, rounded, then down.
fn back(b: &mut Builder, network: &MapNetwork, frames: &Value) -> Value {
    let (rows, columns) = (FRAME_SIDE, MAP_SIDE);
    let response = table(network.response, 15);
    let across = b.constant("A", &[rows, columns], &response);
    let transposed = (0..columns).flat_map(|j| (0..rows).map(move |i| i * columns + j));
    let transposed: Vec<f32> = transposed.map(|at| response[at]).collect();
    let down = b.constant("A_transposed", &[columns, rows], &transposed);
    let maps = b.reshape("frames/maps", frames, WINDOW, &[1, rows, rows]);
    let half = (WINDOW, &[1, rows, columns][..]);
    let half = b.table("back/across", [&maps, &across], 1.0, half);
    b.table("back", [&down, &half], 1.0, (WINDOW, &MAP))
}

/// `R` of a stage.
fn data_step(
    b: &mut Builder,
    stage: &Stage,
    (h, back): (&Value, &Value),
    gram: &Constant,
) -> Value {
    let shape = (h.batch(), h.item());
    // Of the factors, which are for a table of whole numbers, the table has 14 bits.
    let [across, down] = [stage.across, stage.down].map(|f| f.factor() * 16_384.0);
    let t = b.table("H_AtA", [h, gram], across, shape);
    let y = b.table("AtA_H_AtA", [gram, &t], down, shape);
    let unit = 2.0f64.powi(-i32::from(stage.shift));
    let [keep, pull] = [stage.keep, stage.pull].map(|v| b.scalar((f64::from(v) * unit) as f32));
    let gradient = b.with("Sub", "gradient", &y, back);
    let step = b.with("Mul", "step", &gradient, &pull);
    let kept = b.with("Mul", "kept", h, &keep);
    let residual = b.with("Sub", "residual/exact", &kept, &step);
    b.rounded("residual", &residual)
}

/// Gates of the five times of a window, `(5, 33, 33)`, parts of 1.
fn gates(network: &MapNetwork) -> Vec<f32> {
    let [bias, slope] = network.gates;
    let shift = SIGMOID_FRACTION - u32::from(network.header.gate_bits);
    let gate = |time: i64, (bias, slope): (&[u8; 2], &[u8; 2])| {
        let [bias, slope] = [bias, slope].map(|&v| i64::from(i16::from_le_bytes(v)));
        let z = (bias + time * slope) << shift;
        let z = z.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
        f32::from(sigmoid(z)) / 16_384.0
    };
    let times = 0..WINDOW as i64;
    times
        .flat_map(|time| bias.iter().zip(slope).map(move |both| gate(time, both)))
        .collect()
}

/// The four neighbours aligned to the centre, `(N, 4, 33, 33)`.
fn align(b: &mut Builder, network: &MapNetwork, coded: &Value, centre: &Value) -> Value {
    let pairs = NEIGHBOURS.len();
    let neighbours = take(b, "neighbours", coded, &NEIGHBOURS);
    let neighbours = b.reshape("pairs", &neighbours, pairs, &MAP);
    let features = |b: &mut Builder, name: &str, x: &Value| {
        b.layer((name, "align.features"), x, &network.feature, Finish::Relu)
    };
    let centre = features(b, "centre_features", centre);
    let reference = features(b, "features", &neighbours);
    let guide = b.within("attention", |b| attend(b, network, &centre, &reference));
    let first = deform(b, network, 0, (&reference, &guide));
    let second = deform(b, network, 1, (&first, &first));
    let maps = b.layer(
        ("conv", "align.conv"),
        &second,
        &network.merge,
        Finish::Plain,
    );
    b.reshape("aligned", &maps, 1, &[pairs, MAP_SIDE, MAP_SIDE])
}

/// Selective attention over features of the centre `(N, C, …)` and the neighbours `(4 N, C, …)`.
fn attend(b: &mut Builder, network: &MapNetwork, centre: &Value, reference: &Value) -> Value {
    let [own, other] = &network.halves;
    let own = b.layer(("conv0_s", "align.conv0_s"), centre, own, Finish::Plain);
    let other = b.layer(
        ("conv1_s", "align.conv1_s"),
        reference,
        other,
        Finish::Plain,
    );
    let repeated = b.concat("repeated", &[&own; NEIGHBOURS.len()]);
    let own = b.reshape("centre", &repeated, reference.batch(), other.item());
    let joined = b.concat("joined", &[&own, &other]);
    let statistics = b.whole_stats(&joined);
    let squeeze = ("conv_squeeze", "align.conv_squeeze");
    let squeezed = b.layer(squeeze, &statistics, &network.squeeze, Finish::Plain);
    let gates = b.gates("logistic", &squeezed);
    b.whole_scale(&joined, &gates)
}

/// The deformable convolution `k` of `x`, whose displacements `guide` gives.
fn deform(b: &mut Builder, network: &MapNetwork, k: usize, (x, guide): (&Value, &Value)) -> Value {
    let [displacements, kernel] = &network.deforms[k];
    let number = k + 1;
    let (name, key) = (
        format!("offsets_{number}"),
        format!("align.offsets_{number}"),
    );
    let offsets = b.layer((&name, &key), guide, displacements, Finish::Plain);
    let bits = network.header.offset_bits[k];
    let (name, key) = (format!("deform_{number}"), format!("align.deform_{number}"));
    b.deform_layer((&name, &key), (x, &offsets), kernel, bits)
}

/// Residual blocks of the part `key`.
fn blocks(b: &mut Builder, x: Value, blocks: &[[Layer; 2]], key: &str) -> Value {
    blocks
        .iter()
        .enumerate()
        .fold(x, |x, (k, [first, second])| {
            let key = |name: &str| format!("{key}.blocks.{k}.{name}");
            b.within(&format!("blocks/{k}"), |b| {
                let inner = b.layer(("conv1", &key("conv1")), &x, first, Finish::Relu);
                b.layer(("conv2", &key("conv2")), &inner, second, Finish::Add(&x))
            })
        })
}

/// Answers of the offset head in steps, `(N, 11, 11, 63)`.
fn head(b: &mut Builder, network: &HeadNetwork, frames: &Value) -> Value {
    let x = b.layer(
        ("input", "head.input"),
        frames,
        &network.input,
        Finish::Relu,
    );
    let x = blocks(b, x, &network.blocks, "head");
    let answer = b.layer(
        ("output", "head.output"),
        &x,
        &network.output,
        Finish::Plain,
    );
    b.transpose("channels_last", &answer, &[0, 2, 3, 1])
}
