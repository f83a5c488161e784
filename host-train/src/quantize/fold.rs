//! The whole network in integers.

use derefnet_core::fixed::Requant;
use derefnet_core::net::Tensor;
use derefnet_core::physics::{
    FRAME_LEN, MAP_LEN, MAP_SIDE, Optics, RESPONSE_LEN, Separable, WINDOW,
};
use derefnet_core::weights::{HEAD_OUTPUTS, HeadHeader, MapHeader, OFFSETS, STEP_SHIFTS};

use super::body::{Body, IntegerLayer};
use super::calibrate::{CalibrationData, Ranges};
use super::folded::{Folded, Steps, check, header};
use super::layer::{FloatLayer, LayerBound, MOST as MOST_WEIGHT};
use crate::model::{DeRefNet, HeadConfig, Provenance};
use crate::{Error, Result};

/// How much farther than in calibration a tensor may reach before it saturates.
const HEADROOM: f64 = 1.5;
/// Greatest activation.
const MOST: f64 = 32_767.0;
/// Places of the neighbours in the window.
const TIMES: [u8; 4] = [0, 1, 3, 4];
/// Times by which the position code divides.
const TIME_UNIT: f32 = 20.0;

/// What a step of every tensor is worth, in units of the network.
fn step(range: f32) -> f64 {
    // What never left 0 in calibration: any step does that is not finer than its neighbours'.
    if range == 0.0 {
        return 1.0;
    }
    (f64::from(range) * HEADROOM / MOST).max(1e-9)
}

/// Fraction bits, `most` or fewer, with which values up to `range` fit.
fn fraction_bits(range: f64, most: u8) -> u8 {
    (0..=most)
        .rev()
        .find(|&bits| range * f64::from(1u32 << bits) <= MOST)
        .unwrap_or(0)
}

/// The integers of `network`, whose tensors reach as far as `ranges`; `provenance` and `data` say where
/// they come from.
///
/// # Errors
/// If the format cannot hold the network, or a layer's scales do not fit; names what.
pub fn fold<'p>(
    network: &DeRefNet,
    ranges: &Ranges,
    provenance: &'p Provenance,
    data: &CalibrationData,
) -> Result<Folded<'p>> {
    check(network)?;
    let unit = f64::from(network.config.intensity_scale);
    let input_bits = fraction_bits(f64::from(ranges.counts) * HEADROOM, 8);
    let mut fold = Fold {
        network,
        ranges,
        body: Body::default(),
        steps: Steps::default(),
        bounds: Vec::new(),
        input: 1.0 / f64::from(1u32 << input_bits) / unit,
        unit,
    };
    let map = Some(fold.map()?);
    let map_len = fold.body.len();
    let head = network.config.head.as_ref();
    let head = head.map(|head| fold.head(head)).transpose()?;
    Ok(Folded {
        header: header(input_bits, (map, head), provenance, data),
        body: fold.body,
        map_len,
        steps: fold.steps,
        bounds: fold.bounds,
    })
}

struct Fold<'n> {
    network: &'n DeRefNet,
    ranges: &'n Ranges,
    body: Body,
    steps: Steps,
    bounds: Vec<LayerBound>,
    /// What a step of the input is worth.
    input: f64,
    unit: f64,
}

impl Fold<'_> {
    fn values(&self, name: &str) -> &[f32] {
        self.network.parameters.get(name).map_or(&[], |t| &t.values)
    }

    /// Adds the layer `name`, whose steps are worth `input` and `output(o)`.
    fn layer_of(
        &mut self,
        name: &str,
        outputs: usize,
        taps: usize,
        input: f64,
        output: impl Fn(usize) -> f64,
    ) -> Result<()> {
        // Stage kernels are bare tensors, all others are layers with a weight and maybe a bias.
        let bare = self.network.parameters.get(name).is_some();
        let weight = if bare {
            name.to_owned()
        } else {
            format!("{name}.weight")
        };
        let layer = FloatLayer {
            name,
            weights: self.values(&weight),
            bias: self.values(&format!("{name}.bias")),
            outputs,
            taps,
            input_step: input,
        };
        let quantised = layer.quantise(output)?;
        self.add(quantised);
        Ok(())
    }

    fn add(&mut self, (layer, bound): (IntegerLayer, LayerBound)) {
        self.body.layer(&layer);
        self.bounds.push(bound);
    }

    /// Adds a 3×3 convolution.
    fn conv2d(&mut self, name: &str, outputs: usize, input: f64, output: f64) -> Result<()> {
        self.layer_of(name, outputs, 9, input, |_| output)
    }

    fn map(&mut self) -> Result<MapHeader> {
        let config = &self.network.config;
        let (c, stages) = (config.channels, config.stages);
        let last = self.last_step();
        self.tables()?;
        let start = self.start_step();
        let cells = self.start(start)?;
        self.steps.set([Tensor::Start], start);
        self.steps.set([Tensor::Back], self.input);
        for k in 0..stages {
            self.stage(k, last)?;
        }
        let gate_bits = self.gates();
        let offset_bits = self.alignment(c, last)?;
        let tensors = (0..config.residual_blocks).map(|b| Tensor::Block(b as u8, 1));
        let tail = step(self.ranges.over(tensors.chain([Tensor::Tail])));
        self.conv2d("TDDA.tail_conv.0.conv", c, last, tail)?;
        self.steps.set([Tensor::Tail], tail);
        for block in 0..config.residual_blocks {
            let inner = step(self.ranges.of(Tensor::Block(block as u8, 0)));
            self.block(&format!("TDDA.tail_conv.1.{block}"), c, tail, inner)?;
            self.steps.set([Tensor::Block(block as u8, 0)], inner);
            self.steps.set([Tensor::Block(block as u8, 1)], tail);
        }
        let answer = step(self.ranges.of(Tensor::Map));
        self.steps.set([Tensor::Map], answer);
        self.conv2d("TDDA.tail_conv.2", 1, tail, answer)?;
        Ok(MapHeader {
            channels: c as u8,
            stages: stages as u8,
            residual_blocks: config.residual_blocks as u8,
            cells,
            gate_bits,
            offset_bits,
            step: (answer * self.unit) as f32,
        })
    }

    /// Step of the initial map: more than twice as coarse as the products of the greatest weight of
    /// `Q_init`, as factors demand, where calibration saw small maps only.
    fn start_step(&self) -> f64 {
        let qinit = self.network.operators.qinit.iter();
        let most = qinit.fold(0.0, |most: f64, &q| most.max(f64::from(q).abs()));
        step(self.ranges.of(Tensor::Start)).max(2.02 * self.input * most / MOST_WEIGHT)
    }

    /// Step of the last stage's output and all maps that join it in the tail.
    fn last_step(&self) -> f64 {
        let stage = Tensor::Stage((self.network.config.stages - 1) as u8);
        let coded = (0..WINDOW as u8).map(Tensor::Coded);
        step(self.ranges.over(coded.chain([stage, Tensor::Stack])))
    }

    /// `A` and `AᵀA`.
    fn tables(&mut self) -> Result<()> {
        let (mut response, mut gram) = ([0.0; RESPONSE_LEN], [0.0; MAP_LEN]);
        Separable::new(Optics::SEQ_CSIST, &mut response)
            .and_then(|model| model.fill_gram(&mut gram))
            .map_err(|e| Error::CheckFailed(e.to_string()))?;
        let fixed = |values: &[f64], bits: u32| -> Vec<i16> {
            let unit = f64::from(1 << bits);
            values.iter().map(|v| (v * unit).round() as i16).collect()
        };
        self.body.table(&fixed(&response, 15));
        self.body.table(&fixed(&gram, 14));
        Ok(())
    }

    /// `Q_init` of the cells where it is not zero, and which they are.
    fn start(&mut self, output: f64) -> Result<[u8; 4]> {
        let qinit = &self.network.operators.qinit;
        let rows: Vec<&[f32]> = qinit.chunks_exact(FRAME_LEN).collect();
        let lit = |cell: &usize| rows[*cell].iter().any(|&q| q != 0.0);
        let lit: Vec<usize> = (0..MAP_LEN).filter(lit).collect();
        let bounds = |of: fn(usize) -> usize| {
            let low = lit.iter().map(|&cell| of(cell)).min().unwrap_or(0);
            let high = lit.iter().map(|&cell| of(cell) + 1).max().unwrap_or(0);
            [low, high]
        };
        let [top, bottom] = bounds(|cell| cell / MAP_SIDE);
        let [left, right] = bounds(|cell| cell % MAP_SIDE);
        let inside = (top..bottom).flat_map(|row| (left..right).map(move |c| row * MAP_SIDE + c));
        let weights: Vec<f32> = inside.flat_map(|cell| rows[cell]).copied().collect();
        let layer = FloatLayer {
            name: "qinit",
            weights: &weights,
            bias: &[],
            outputs: (bottom - top) * (right - left),
            taps: 1,
            input_step: self.input,
        };
        let quantised = layer.quantise(|_| output)?;
        self.add(quantised);
        Ok([top, bottom, left, right].map(|edge| edge as u8))
    }

    fn stage(&mut self, k: usize, last: f64) -> Result<()> {
        let stage = k as u8;
        let config = &self.network.config;
        let c = config.channels;
        let ranges = self.ranges;
        let of = |tensor| step(ranges.of(tensor));
        let input = if k == 0 {
            self.start_step()
        } else {
            of(Tensor::Stage(stage - 1))
        };
        let is_last = k + 1 == config.stages;
        let output = if is_last {
            last
        } else {
            of(Tensor::Stage(stage))
        };
        let theta = f64::from(self.values(&format!("fcs.{k}.soft_thr"))[0]);
        let [a, b, d] = [0, 1, 2].map(|layer| {
            let reach = if layer == 1 { theta.abs() as f32 } else { 0.0 };
            step(ranges.of(Tensor::Hidden(stage, layer)) + reach)
        });
        let r = of(Tensor::Step(stage));
        self.steps.set([Tensor::Step(stage)], r);
        for (layer, step) in (0..).zip([a, b, d]) {
            self.steps.set([Tensor::Hidden(stage, layer)], step);
        }
        self.steps.set([Tensor::Stage(stage)], output);
        self.data_step(k, input, r, (theta / b).round() as i32)?;
        let name = |part: &str| format!("fcs.{k}.{part}");
        self.conv2d(&name("conv1_forward"), c, r, a)?;
        self.conv2d(&name("conv2_forward"), c, a, b)?;
        self.conv2d(&name("conv1_backward"), c, b, d)?;
        self.conv2d(&name("conv2_backward"), 1, d, output)
    }

    /// The 23 bytes of a stage's data step from maps with step `input` to step `output`.
    fn data_step(&mut self, k: usize, input: f64, output: f64, theta: i32) -> Result<()> {
        let rho = f64::from(self.values(&format!("fcs.{k}.lambda_step"))[0]);
        let middle = step(self.ranges.across.get(k).copied().unwrap_or(0.0));
        let gram = 1.0 / 16_384.0;
        let factor = |value: f64, what: &str| {
            let wrong = |e| Error::CheckFailed(format!("quantising stage {k}, {what}: {e}"));
            Requant::nearest(value).map_err(wrong)
        };
        let across = factor(input * gram / middle, "products")?;
        let down = factor(middle * gram / self.input, "products")?;
        let (keep, pull) = (input / output, rho * self.input / output);
        let greatest = keep.max(pull.abs());
        let fits = |shift: &u8| greatest * 2f64.powi((*shift).into()) < f64::from(i32::MAX);
        let shift = STEP_SHIFTS.rev().find(fits).ok_or_else(|| {
            Error::CheckFailed(format!(
                "quantising stage {k}: step of {greatest} is too large"
            ))
        })?;
        let fixed = |value: f64| (value * 2f64.powi(shift.into())).round() as i32;
        let words = [
            across.multiplier(),
            down.multiplier(),
            fixed(keep),
            fixed(pull),
            theta,
        ];
        let mut bytes: Vec<u8> = words.into_iter().flat_map(i32::to_le_bytes).collect();
        bytes.extend([across.shift(), down.shift(), shift]);
        self.body.part(&bytes);
        Ok(())
    }

    /// Bias and slope of the position code; returns their fraction bits.
    fn gates(&mut self) -> u8 {
        let weights = self.values("TDDA.mlp.weight").chunks_exact(MAP_LEN);
        let sum = |row: &[f32]| row.iter().map(|&w| f64::from(w)).sum::<f64>();
        let slope: Vec<f64> = weights.map(|row| sum(row) / f64::from(TIME_UNIT)).collect();
        let bias: Vec<f64> = self
            .values("TDDA.mlp.bias")
            .iter()
            .map(|&b| b.into())
            .collect();
        let range = bias
            .iter()
            .chain(&slope)
            .fold(0.0, |m: f64, v| m.max(v.abs()));
        let bits = fraction_bits(range, 16);
        let unit = f64::from(1u32 << bits);
        let fixed = |values: &[f64]| -> Vec<i16> {
            values.iter().map(|v| (v * unit).round() as i16).collect()
        };
        self.body.table(&fixed(&bias));
        self.body.table(&fixed(&slope));
        bits
    }

    /// Attention and both deformable convolutions; returns the displacements' fraction bits.
    fn alignment(&mut self, c: usize, last: f64) -> Result<[u8; 2]> {
        let ranges = self.ranges;
        let over = |tensor: fn(u8) -> Tensor| ranges.over(TIMES.map(tensor));
        let feature = step(over(Tensor::Feature));
        let joined = step(ranges.joined);
        self.conv2d("TDDA.feat_extract.0.conv", c, last, feature)?;
        for half in ["conv0_s", "conv1_s"] {
            let name = format!("TDDA.feat_aggregate.{half}");
            self.layer_of(&name, c / 2, 1, feature, |_| joined)?;
        }
        let squeeze = "TDDA.feat_aggregate.conv_squeeze";
        self.conv2d(squeeze, 2, joined, 1.0 / 4096.0)?;
        let displaced = [
            over(|time| Tensor::Offsets(time, 0)),
            over(|time| Tensor::Offsets(time, 1)),
        ];
        let bits = displaced.map(|range| fraction_bits(f64::from(range) * HEADROOM, 14));
        let outputs = [
            step(over(|time| Tensor::Deformed(time, 0))),
            step(over(|time| Tensor::Deformed(time, 1))),
        ];
        let (guides, maps) = ([joined, outputs[0]], [feature, outputs[0]]);
        for index in 0..2 {
            let layer = format!("TDDA.align_{}", index + 1);
            let unit = 1.0 / f64::from(1u32 << bits[index]);
            self.conv2d(
                &format!("{layer}.conv_offset"),
                OFFSETS,
                guides[index],
                unit,
            )?;
            self.conv2d(&layer, c, maps[index], outputs[index])?;
        }
        self.conv2d("TDDA.conv", 1, outputs[1], last)?;
        self.steps.set((0..WINDOW as u8).map(Tensor::Coded), last);
        self.steps.set([Tensor::Stack], last);
        self.steps.set(TIMES.map(Tensor::Feature), feature);
        self.steps.set(TIMES.map(Tensor::Aggregate), joined);
        for (index, (bits, output)) in (0..).zip(bits.into_iter().zip(outputs)) {
            let unit = 1.0 / f64::from(1u32 << bits);
            self.steps
                .set(TIMES.map(|t| Tensor::Offsets(t, index)), unit);
            self.steps
                .set(TIMES.map(|t| Tensor::Deformed(t, index)), output);
        }
        Ok(bits)
    }

    fn block(&mut self, layer: &str, c: usize, outer: f64, inner: f64) -> Result<()> {
        self.conv2d(&format!("{layer}.conv1"), c, outer, inner)?;
        self.conv2d(&format!("{layer}.conv2"), c, inner, outer)
    }

    fn head(&mut self, head: &HeadConfig) -> Result<HeadHeader> {
        let ranges = self.ranges;
        let outputs = (0..head.blocks).map(|b| Tensor::HeadBlock(b as u8, 1));
        let outer = step(ranges.over(outputs.chain([Tensor::HeadInput])));
        self.conv2d("head.input", head.channels, self.input, outer)?;
        self.steps.set([Tensor::HeadInput], outer);
        for block in 0..head.blocks {
            let inner = step(ranges.of(Tensor::HeadBlock(block as u8, 0)));
            self.block(&format!("head.blocks.{block}"), head.channels, outer, inner)?;
            self.steps.set([Tensor::HeadBlock(block as u8, 0)], inner);
            self.steps.set([Tensor::HeadBlock(block as u8, 1)], outer);
        }
        let steps = ranges.head.map(step);
        let of_output = |output: usize| steps[output % steps.len()];
        self.layer_of("head.output", HEAD_OUTPUTS, 9, outer, of_output)?;
        self.steps.head = steps;
        Ok(HeadHeader {
            channels: head.channels as u8,
            residual_blocks: head.blocks as u8,
            steps: steps.map(|step| step as f32),
            unit: self.unit as f32,
        })
    }
}
