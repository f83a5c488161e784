//! Initialisation and the unfolded stages of one frame (SeqCSIST, Eq. 5–8 and 15).

use super::{Frame, Picture, Run, Tensor, with_sums};
use crate::arch::Finish;
use crate::ops::{Places, Plane, back_project, carve, clear_border, conv2d, data_step, plane_len};
use crate::ops::{read_table, start_map};
use crate::physics::{MAP_LEN, MAP_SIDE, RESPONSE_LEN};
use crate::weights::{MapNetwork, Stage};

const DENSE: Places = Places::dense(MAP_SIDE, 1);

/// A map with one channel and no border.
pub(super) const fn single(data: &[i16]) -> Picture<'_> {
    Picture {
        data,
        places: DENSE,
        rows: MAP_SIDE,
        columns: MAP_SIDE,
        channels: 1,
    }
}

/// A map with its border.
pub(super) const fn bordered(data: &[i16], side: usize, channels: usize) -> Picture<'_> {
    Picture {
        data,
        places: Places::bordered(side, channels),
        rows: side,
        columns: side,
        channels,
    }
}

impl Run<'_> {
    /// Unfolds one frame: `map` becomes the output of the last stage, `(33, 33)`.
    pub fn unfold(&mut self, network: &MapNetwork, frame: &Frame, map: &mut [i16; MAP_LEN]) {
        let channels = usize::from(network.header.channels);
        for plane in &mut self.scratch.planes {
            clear_border(plane, MAP_SIDE, channels);
        }
        let small = core::mem::take(&mut self.scratch.small);
        let mut rest = &mut *small;
        let step = carve(&mut rest, plane_len(MAP_SIDE, 1));
        clear_border(step, MAP_SIDE, 1);
        let [across, back, gram] = [MAP_LEN; 3].map(|len| carve(&mut rest, len));
        let half = carve(&mut rest, RESPONSE_LEN);
        read_table(network.gram, gram);
        let cells = network.header.cells;
        self.saturated += start_map(&network.start, cells, frame, map);
        self.saturated += back_project(frame, network.response, half, back);
        self.probe.see(Tensor::Start, single(map));
        self.probe.see(Tensor::Back, single(back));
        for (index, stage) in (0..).zip(&network.stages) {
            let inputs = [&*map, &*back, &*gram];
            self.saturated += data_step(self.kernels, stage, inputs, across, step);
            self.probe
                .see(Tensor::Step(index), bordered(step, MAP_SIDE, 1));
            let [a, b] = &mut self.scratch.planes;
            let planes = [&mut **a, &mut **b];
            let packed = &mut *self.scratch.packed[0];
            with_sums!(self, sums, {
                let mut stage = Convolutions {
                    sums: &mut sums,
                    packed,
                    stage,
                    channels,
                    index,
                    probe: &mut *self.probe,
                };
                stage.run(step, planes, map);
            });
            self.probe.see(Tensor::Stage(index), single(map));
        }
        self.scratch.small = small;
    }
}

/// The four convolutions of a stage.
struct Convolutions<'r, 's, 'm> {
    sums: &'r mut crate::ops::Sums<'s>,
    packed: &'r mut [i16],
    stage: &'r Stage<'m>,
    channels: usize,
    index: u8,
    probe: &'r mut dyn super::Probe,
}

impl Convolutions<'_, '_, '_> {
    fn run(&mut self, step: &[i16], [a, b]: [&mut [i16]; 2], map: &mut [i16; MAP_LEN]) {
        let shrink = Finish::Shrink(self.stage.theta);
        self.hidden(0, (step, 1), Finish::Relu, a);
        self.hidden(1, (a, self.channels), shrink, b);
        self.hidden(2, (b, self.channels), Finish::Relu, a);
        let input = self.plane(a, self.channels);
        let [.., last] = &self.stage.layers;
        let out = (map.as_mut_slice(), DENSE);
        conv2d(self.sums, self.packed, last, input, Finish::Plain, out);
    }

    fn plane<'d>(&self, data: &'d [i16], channels: usize) -> Plane<'d> {
        Plane {
            data,
            side: MAP_SIDE,
            channels,
        }
    }

    /// One of the first three convolutions.
    fn hidden(
        &mut self,
        layer: u8,
        (input, inputs): (&[i16], usize),
        finish: Finish,
        out: &mut [i16],
    ) {
        let Some(weights) = self.stage.layers.get(usize::from(layer)) else {
            return;
        };
        let input = self.plane(input, inputs);
        let places = Places::bordered(MAP_SIDE, self.channels);
        let to = (&mut *out, places);
        conv2d(self.sums, self.packed, weights, input, finish, to);
        let picture = bordered(out, MAP_SIDE, self.channels);
        self.probe.see(Tensor::Hidden(self.index, layer), picture);
    }
}
