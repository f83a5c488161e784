//! Residual blocks, and the tail that turns the aligned maps into the answer.

use super::stage::{bordered, single};
use super::{Run, Tensor, with_sums};
use crate::arch::Finish;
use crate::ops::{Places, Plane, Sums, clear_border, conv2d};
use crate::physics::{MAP_LEN, MAP_SIDE, WINDOW};
use crate::weights::{Layer, MapNetwork};

/// Maps with the same side and channels.
#[derive(Clone, Copy)]
pub(super) struct Size {
    pub(super) side: usize,
    pub(super) channels: usize,
}

impl Size {
    fn plane(self, data: &[i16]) -> Plane<'_> {
        Plane {
            data,
            side: self.side,
            channels: self.channels,
        }
    }
}

/// `x + conv(relu(conv(x)))`, in the place of `x`; `inner` holds the inner map.
fn residual_block(
    sums: &mut Sums,
    packed: &mut [i16],
    [first, second]: &[Layer; 2],
    size: Size,
    [x, inner]: [&mut [i16]; 2],
) {
    let places = Places::bordered(size.side, size.channels);
    conv2d(
        sums,
        packed,
        first,
        size.plane(x),
        Finish::Relu,
        (inner, places),
    );
    conv2d(
        sums,
        packed,
        second,
        size.plane(inner),
        Finish::Add,
        (x, places),
    );
}

impl Run<'_> {
    /// A convolution of `input (side, side, inputs)` with ReLU and the residual blocks after it, to
    /// the first plane. `tensor` names the result of block `b`, inner map 0, output 1; `None` stands
    /// for the first convolution.
    pub(super) fn trunk(
        &mut self,
        first: &Layer,
        blocks: &[[Layer; 2]],
        input: (&[i16], usize),
        size: Size,
        tensor: fn(Option<(u8, u8)>) -> Tensor,
    ) {
        let [x, inner] = &mut self.scratch.planes;
        let packed = &mut *self.scratch.packed[0];
        for plane in [&mut **x, &mut **inner] {
            clear_border(plane, size.side, size.channels);
        }
        let probe = &mut *self.probe;
        with_sums!(self, sums, {
            let input = Plane {
                data: input.0,
                side: size.side,
                channels: input.1,
            };
            let places = Places::bordered(size.side, size.channels);
            conv2d(&mut sums, packed, first, input, Finish::Relu, (x, places));
            probe.see(tensor(None), bordered(x, size.side, size.channels));
            for (index, block) in (0..).zip(blocks) {
                let planes = [&mut **x, &mut **inner];
                residual_block(&mut sums, packed, block, size, planes);
                for (half, plane) in [(0, &**inner), (1, &**x)] {
                    let picture = bordered(plane, size.side, size.channels);
                    probe.see(tensor(Some((index, half))), picture);
                }
            }
        });
    }

    /// The map `(33, 33)`, in steps of [`crate::weights::MapHeader::step`], from the aligned maps that
    /// [`Self::align`] left.
    pub fn tail(&mut self, network: &MapNetwork, map: &mut [i16; MAP_LEN]) {
        let stack = core::mem::take(&mut self.scratch.small);
        let size = Size {
            side: MAP_SIDE,
            channels: network.header.channels.into(),
        };
        let tensor = |block: Option<(u8, u8)>| match block {
            None => Tensor::Tail,
            Some((block, half)) => Tensor::Block(block, half),
        };
        self.trunk(
            &network.tail,
            &network.blocks,
            (stack, WINDOW),
            size,
            tensor,
        );
        self.scratch.small = stack;
        let input = size.plane(&*self.scratch.planes[0]);
        let packed = &mut *self.scratch.packed[0];
        with_sums!(self, sums, {
            let out = (map.as_mut_slice(), Places::dense(MAP_SIDE, 1));
            conv2d(
                &mut sums,
                packed,
                &network.answer,
                input,
                Finish::Plain,
                out,
            );
        });
        self.probe.see(Tensor::Map, single(map));
    }
}
