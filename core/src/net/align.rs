//! Position code and temporal deformable alignment of the five frames of a window (SeqCSIST,
//! Eq. 16–17 and the TDFA module), in memory for two maps: the aggregate of a pair becomes its first
//! alignment row by row, one row behind the rows that the displacements still read.

use super::stage::bordered;
use super::{Picture, Probe, Run, Tensor, with_sums};
use crate::arch::Finish;
use crate::fixed::weigh;
use crate::ops::{Places, Plane, Prepared, SIGMOID_FRACTION, Sums, carve, clear_border, conv2d};
use crate::ops::{deform_conv2d, plane_len, sigmoid};
use crate::physics::{MAP_LEN, MAP_SIDE, WINDOW};
use crate::weights::{Layer, MapNetwork, OFFSETS};

/// Place of the evaluated frame in a window.
const CENTRE: usize = WINDOW / 2;
/// Fraction bits of the attention's outputs in front of the sigmoid.
const SQUEEZE_BITS: u32 = 12;
/// Channels of the attention's statistics: mean and maximum.
const STATISTICS: usize = 2;
/// A row of statistics with its border.
const STATISTICS_ROW: usize = (MAP_SIDE + 2) * STATISTICS;

const SINGLE: Places = Places::bordered(MAP_SIDE, 1);

impl Run<'_> {
    /// Aligns the frames of a window, from the outputs of their last stages in time order, and leaves
    /// the aligned maps in the scratch memory for [`Self::tail`].
    pub fn align(&mut self, network: &MapNetwork, stages: [&[i16; MAP_LEN]; WINDOW]) {
        let small = core::mem::take(&mut self.scratch.small);
        let mut rest = &mut *small;
        let stack = carve(&mut rest, plane_len(MAP_SIDE, WINDOW));
        let [centre, reference] = [1; 2].map(|c| carve(&mut rest, plane_len(MAP_SIDE, c)));
        clear_border(stack, MAP_SIDE, WINDOW);
        clear_border(centre, MAP_SIDE, 1);
        clear_border(reference, MAP_SIDE, 1);
        let channels = usize::from(network.header.channels);
        for plane in &mut self.scratch.planes {
            clear_border(plane, MAP_SIDE, channels);
        }
        let places = |time| Places::bordered(MAP_SIDE, WINDOW).channel(time);
        code(network, stages[CENTRE], CENTRE, (centre, SINGLE));
        self.see_coded(CENTRE, centre);
        for (time, stage) in stages.iter().enumerate() {
            if time == CENTRE {
                place(centre, (stack, places(time)));
                continue;
            }
            code(network, stage, time, (reference, SINGLE));
            self.see_coded(time, reference);
            self.pair(
                network,
                time as u8,
                [centre, reference],
                (stack, places(time)),
            );
        }
        let picture = bordered(stack, MAP_SIDE, WINDOW);
        self.probe.see(Tensor::Stack, picture);
        self.scratch.small = small;
    }

    fn see_coded(&mut self, time: usize, coded: &[i16]) {
        let picture = bordered(coded, MAP_SIDE, 1);
        self.probe.see(Tensor::Coded(time as u8), picture);
    }

    /// Aligns the frame at `time` with the centre; both maps are coded and bordered.
    fn pair(
        &mut self,
        network: &MapNetwork,
        time: u8,
        [centre, reference]: [&[i16]; 2],
        out: (&mut [i16], Places),
    ) {
        let channels = usize::from(network.header.channels);
        let [a, b] = &mut self.scratch.planes;
        let [first, second] = &mut self.scratch.packed;
        let probe = &mut *self.probe;
        let line = &mut *self.scratch.line;
        let offsets = &mut *self.scratch.offsets;
        let patches = &mut *self.scratch.patches;
        with_sums!(self, sums, {
            let features = (&mut **a, Places::bordered(MAP_SIDE, channels));
            let input = plane(reference, 1);
            conv2d(
                &mut sums,
                first,
                &network.feature,
                input,
                Finish::Relu,
                features,
            );
            probe.see(Tensor::Feature(time), bordered(a, MAP_SIDE, channels));
            let mut attention =
                Attention::new(network, sums.kernels, second, [&mut *line, &mut *offsets]);
            attention.run(&mut sums, centre, a, b);
            probe.see(Tensor::Aggregate(time), bordered(b, MAP_SIDE, channels));
            let mut alignment = Alignment {
                sums: &mut sums,
                packed: [&mut **first, &mut **second],
                line,
                offsets,
                patches,
                channels,
                time,
                probe: &mut *probe,
            };
            let [one, two] = &network.deforms;
            let [bits_one, bits_two] = network.header.offset_bits;
            alignment.in_place(one, bits_one, a, b);
            alignment.to(two, bits_two, b, a);
            let input = plane(a, channels);
            conv2d(&mut sums, first, &network.merge, input, Finish::Plain, out);
        });
    }
}

fn plane(data: &[i16], channels: usize) -> Plane<'_> {
    Plane {
        data,
        side: MAP_SIDE,
        channels,
    }
}

/// The map of a frame times its gates at `time` (Eq. 16–17).
fn code(
    network: &MapNetwork,
    stage: &[i16; MAP_LEN],
    time: usize,
    (out, places): (&mut [i16], Places),
) {
    let shift = SIGMOID_FRACTION.saturating_sub(network.header.gate_bits.into());
    let [bias, slope] = network.gates;
    let mut cells = stage.iter().zip(bias.iter().zip(slope));
    for row in 0..MAP_SIDE {
        let pixels = places.row_of(out, row).chunks_mut(places.pixel.max(1));
        for (pixel, (&h, (&bias, &slope))) in pixels.take(MAP_SIDE).zip(&mut cells) {
            let [bias, slope] = [bias, slope].map(|v| i32::from(i16::from_le_bytes(v)));
            let z = i64::from(bias + time as i32 * slope) << shift;
            let gate = sigmoid(z.clamp(i32::MIN.into(), i32::MAX.into()) as i32);
            pixel.iter_mut().take(1).for_each(|x| *x = weigh(h, gate));
        }
    }
}

/// A map with its border, in the places of another.
fn place(map: &[i16], (out, places): (&mut [i16], Places)) {
    for row in 0..MAP_SIDE {
        let from = plane(map, 1).pixels(row).unwrap_or(&[]);
        let pixels = places.row_of(out, row).chunks_mut(places.pixel);
        for (pixel, &x) in pixels.take(MAP_SIDE).zip(from) {
            pixel.iter_mut().take(1).for_each(|to| *to = x);
        }
    }
}

/// Selective attention of a pair, row by row.
struct Attention<'r> {
    feature: Prepared<'r>,
    halves: [Prepared<'r>; 2],
    squeeze: Prepared<'r>,
    /// Features of the centre, one row.
    row: &'r mut [i16],
    /// Mean and maximum of the last three rows.
    statistics: &'r mut [i16],
    gates: &'r mut [i16],
    channels: usize,
}

impl<'r> Attention<'r> {
    fn new(
        network: &MapNetwork,
        kernels: crate::arch::Kernels,
        mut packed: &'r mut [i16],
        [row, mut small]: [&'r mut [i16]; 2],
    ) -> Self {
        let channels = usize::from(network.header.channels);
        let mut prepare = |layer: &Layer| {
            let part = carve(&mut packed, layer.shape.packed_len());
            Prepared::new(kernels, layer, part)
        };
        let [one, two] = &network.halves;
        let statistics = carve(&mut small, 3 * STATISTICS_ROW);
        statistics.fill(0);
        Self {
            feature: prepare(&network.feature),
            halves: [prepare(one), prepare(two)],
            squeeze: prepare(&network.squeeze),
            row,
            statistics,
            gates: carve(&mut small, MAP_SIDE * STATISTICS),
            channels,
        }
    }

    /// The aggregate of the centre's map and the reference's features, to `out`.
    fn run(&mut self, sums: &mut Sums, centre: &[i16], reference: &[i16], out: &mut [i16]) {
        for row in 0..MAP_SIDE {
            self.join(sums, centre, (reference, row), out);
            self.measure(row, out);
            if let Some(before) = row.checked_sub(1) {
                self.weigh(sums, before, out);
            }
        }
        self.weigh(sums, MAP_SIDE - 1, out);
    }

    /// Both halves of a row.
    fn join(
        &mut self,
        sums: &mut Sums,
        centre: &[i16],
        (reference, row): (&[i16], usize),
        out: &mut [i16],
    ) {
        let channels = self.channels;
        let places = Places::bordered(MAP_SIDE, channels);
        let runs = (plane(centre, 1).runs(row), 1);
        let features = (&mut *self.row, channels);
        self.feature
            .row(sums, runs, MAP_SIDE, Finish::Relu, features);
        let pixels = [Some(&*self.row), plane(reference, channels).pixels(row)];
        for (index, (half, pixels)) in self.halves.iter().zip(pixels).enumerate() {
            let places = places.channel(index * channels / 2);
            let to = (places.row_of(out, row), channels);
            let runs = ([pixels, None, None], channels);
            half.row(sums, runs, MAP_SIDE, Finish::Plain, to);
        }
    }

    /// Mean and maximum over the channels of a row.
    fn measure(&mut self, row: usize, joined: &mut [i16]) {
        let places = Places::bordered(MAP_SIDE, self.channels);
        let share = (1i64 << 32).checked_div(self.channels as i64).unwrap_or(0);
        let pixels = places
            .row_of(joined, row)
            .chunks_exact(self.channels.max(1));
        let slot = self
            .statistics
            .chunks_exact_mut(STATISTICS_ROW)
            .nth(row % 3);
        let slots = slot.unwrap_or_default().as_chunks_mut::<STATISTICS>().0;
        for (slot, pixel) in slots.iter_mut().skip(1).take(MAP_SIDE).zip(pixels) {
            let sum: i64 = pixel.iter().map(|&x| i64::from(x)).sum();
            let mean = (sum * share + (1 << 31)) >> 32;
            let greatest = pixel.iter().fold(i16::MIN, |a, &b| a.max(b));
            *slot = [mean as i16, greatest];
        }
    }

    /// Weighs both halves of a row by the gates of the rows about it.
    fn weigh(&mut self, sums: &mut Sums, row: usize, joined: &mut [i16]) {
        let statistics = &*self.statistics;
        let runs = [0, 1, 2].map(|tap| {
            let row = (row + tap).checked_sub(1).filter(|&row| row < MAP_SIDE)?;
            statistics.chunks_exact(STATISTICS_ROW).nth(row % 3)
        });
        let gates = (&mut *self.gates, STATISTICS);
        self.squeeze
            .row(sums, (runs, STATISTICS), MAP_SIDE, Finish::Plain, gates);
        let places = Places::bordered(MAP_SIDE, self.channels);
        let pixels = places
            .row_of(joined, row)
            .chunks_exact_mut(self.channels.max(1));
        for (pixel, gates) in pixels.zip(self.gates.as_chunks::<STATISTICS>().0) {
            let half = (self.channels / 2).max(1);
            for (part, &gate) in pixel.chunks_exact_mut(half).zip(gates) {
                let share = sigmoid(i32::from(gate) << (SIGMOID_FRACTION - SQUEEZE_BITS));
                part.iter_mut().for_each(|x| *x = weigh(*x, share));
            }
        }
    }
}

/// Both deformable convolutions of a pair.
struct Alignment<'r, 's> {
    sums: &'r mut Sums<'s>,
    packed: [&'r mut [i16]; 2],
    line: &'r mut [i16],
    offsets: &'r mut [i16],
    patches: &'r mut [i16],
    channels: usize,
    time: u8,
    probe: &'r mut dyn Probe,
}

impl Alignment<'_, '_> {
    /// `guide` becomes `map` sampled where `guide` says: a row is written once the displacements of
    /// the next one are known.
    fn in_place(&mut self, layers: &[Layer; 2], bits: u8, map: &[i16], guide: &mut [i16]) {
        let places = Places::bordered(MAP_SIDE, self.channels);
        let length = MAP_SIDE * self.channels;
        let store = |pending: &[i16], row: usize, out: &mut [i16]| {
            let to = places.row_of(out, row).iter_mut();
            to.take(length).zip(pending).for_each(|(to, &x)| *to = x);
        };
        let [kernel, offset] = &mut self.packed;
        let kernel = Prepared::new(self.sums.kernels, &layers[1], kernel);
        let offset = Prepared::new(self.sums.kernels, &layers[0], offset);
        let offsets = self.offsets.get_mut(..MAP_SIDE * OFFSETS);
        let (offsets, pending) = (offsets.unwrap_or_default(), &mut *self.line);
        for row in 0..MAP_SIDE {
            let runs = (plane(guide, self.channels).runs(row), self.channels);
            let to = (&mut *offsets, OFFSETS);
            offset.row(self.sums, runs, MAP_SIDE, Finish::Plain, to);
            self.probe
                .see(Tensor::Offsets(self.time, 0), displacements(offsets));
            if let Some(before) = row.checked_sub(1) {
                store(pending, before, guide);
            }
            let map = (plane(map, self.channels), row);
            let at = (&*offsets, u32::from(bits));
            deform_conv2d(self.sums, &kernel, map, at, self.patches, pending);
        }
        store(pending, MAP_SIDE - 1, guide);
        let picture = bordered(guide, MAP_SIDE, self.channels);
        self.probe.see(Tensor::Deformed(self.time, 0), picture);
    }

    /// `map` sampled where it says itself, to `out`.
    fn to(&mut self, layers: &[Layer; 2], bits: u8, map: &[i16], out: &mut [i16]) {
        let places = Places::bordered(MAP_SIDE, self.channels);
        let [kernel, offset] = &mut self.packed;
        let kernel = Prepared::new(self.sums.kernels, &layers[1], kernel);
        let offset = Prepared::new(self.sums.kernels, &layers[0], offset);
        let offsets = self
            .offsets
            .get_mut(..MAP_SIDE * OFFSETS)
            .unwrap_or_default();
        let map = plane(map, self.channels);
        for row in 0..MAP_SIDE {
            let runs = (map.runs(row), self.channels);
            let to = (&mut *offsets, OFFSETS);
            offset.row(self.sums, runs, MAP_SIDE, Finish::Plain, to);
            self.probe
                .see(Tensor::Offsets(self.time, 1), displacements(offsets));
            let at = (&*offsets, u32::from(bits));
            let to = places.row_of(out, row);
            deform_conv2d(self.sums, &kernel, (map, row), at, self.patches, to);
        }
        let picture = bordered(out, MAP_SIDE, self.channels);
        self.probe.see(Tensor::Deformed(self.time, 1), picture);
    }
}

/// One row of displacements.
const fn displacements(data: &[i16]) -> Picture<'_> {
    Picture {
        data,
        places: Places::dense(MAP_SIDE, OFFSETS),
        rows: 1,
        columns: MAP_SIDE,
        channels: OFFSETS,
    }
}
