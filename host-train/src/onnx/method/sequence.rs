//! Several frames of a window side by side in the batch.

use super::{Drawing, Node};
use crate::autograd::Var;
use crate::onnx::graph::{Value, int};
use crate::ops::{Conv2d, Gather, GroupScale};

impl Drawing<'_> {
    /// Shape of the items of a convolution's input: the pixels of a product of rows are items where
    /// there are several.
    pub(super) fn conv_item(&self, op: &Conv2d, x: Var) -> [usize; 3] {
        let input = op.input;
        let rows = match self.nodes.get(&x) {
            Some(Node::Value(value)) => value.batch(),
            _ => 1,
        };
        if op.kernel == 1 && input.n * input.h == 1 && input.w == rows {
            return [input.c, 1, 1];
        }
        [input.c, input.h, input.w]
    }

    /// [`Gather`] of whole items of a window, or of single pixels of maps of one channel.
    pub(super) fn select(&mut self, op: &Gather, x: Var) -> Option<Value> {
        let shape = self.shape_of(x)?;
        let x = self.value_of(x, shape)?;
        let len: usize = shape.iter().product();
        if op.item == 1 && op.sources == x.batch() * len && shape[0] == 1 {
            return Some(self.pixels(op, &x));
        }
        if op.sources != x.batch() || op.item != len {
            return None;
        }
        if op.index.iter().copied().eq(0..op.sources) {
            return Some(x);
        }
        let (sources, count) = (op.sources, op.index.len());
        let index: Vec<i64> = op.index.iter().map(|&k| k as i64).collect();
        let b = &mut self.builder;
        let window = b.reshape("window", &x, 1, &[sources, shape[0], shape[1], shape[2]]);
        let index = b.indices(&index);
        let chosen = b.node(
            ("Gather", "chosen"),
            &[&window, &index],
            vec![int("axis", 1)],
            (1, &[count, shape[0], shape[1], shape[2]]),
        );
        Some(b.reshape("items", &chosen, count, &shape))
    }

    /// Pixels of a window's maps, as a row for each map.
    fn pixels(&mut self, op: &Gather, x: &Value) -> Value {
        let (count, maps) = (op.index.len(), x.batch());
        let index: Vec<i64> = op.index.iter().map(|&k| k as i64).collect();
        let b = &mut self.builder;
        let all = b.reshape("pixels", x, 1, &[op.sources]);
        let index = b.indices(&index);
        let (node, axis) = (("Gather", "chosen"), vec![int("axis", 1)]);
        let chosen = b.node(node, &[&all, &index], axis, (1, &[count]));
        b.reshape("rows", &chosen, maps, &[1, 1, count / maps])
    }

    /// [`GroupScale`] by one factor for all, by one per row, or by one per pixel and group.
    pub(super) fn group_scale(&mut self, op: &GroupScale, inputs: &[Var]) -> Option<Value> {
        let shape = self.shape_of(inputs[0])?;
        let x = self.value_of(inputs[0], shape)?;
        let rows = [1, x.batch()].contains(&op.pixels);
        if op.groups == 1 && rows {
            if !self.is_value(inputs[1]) {
                let factor = self.constant_of(inputs[1], &[])?;
                return Some(self.builder.with("Mul", "scaled", &x, &factor));
            }
            let factor = self.value_of(inputs[1], [1, 1, 1])?;
            return Some(self.builder.with("Mul", "scaled", &x, &factor));
        }
        let x = self.value_of(inputs[0], [op.channels, shape[1], shape[2]])?;
        let scale = self.value_of(inputs[1], [op.groups, shape[1], shape[2]])?;
        Some(self.builder.group_scale(&x, &scale))
    }

    /// `kind` of a value and of a constant of its length, which may hold other values for every item of
    /// a window.
    pub(super) fn with_constant(&mut self, kind: &str, x: &Value, y: Var) -> Option<Value> {
        let shape: [usize; 3] = x.item().try_into().ok()?;
        let Node::Constant(values, _) = self.nodes.get(&y)?.clone() else {
            return None;
        };
        let len: usize = shape.iter().product();
        if values.len() == len {
            let y = self.spread_constant(y, shape)?;
            return Some(self.builder.with(kind, "result", x, &y));
        }
        let items = values.chunks_exact(len);
        let first = items
            .clone()
            .flat_map(|item| super::draw::channels_first(item, shape));
        let dims = [x.batch(), shape[0], shape[1], shape[2]];
        if dims.iter().product::<usize>() != values.len() {
            return None;
        }
        let b = &mut self.builder;
        let name = format!("constants/{y:?}/items");
        let y = b.constant(&name, &dims, &first.collect::<Vec<_>>());
        let window = b.reshape("window", x, 1, &dims);
        let result = b.with(kind, "result", &window, &y);
        Some(b.reshape("items", &result, x.batch(), &shape))
    }
}
