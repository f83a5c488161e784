//! Rows: thresholds of entries, and one figure per row.

use super::{Drawing, Node};
use crate::autograd::Var;
use crate::onnx::graph::{Constant, Operand, Value, int, ints};
use crate::ops::{Place, Rule};

impl Drawing<'_> {
    /// [`Shrink`](crate::ops::Shrink).
    pub(super) fn shrink(&mut self, rule: Rule, inputs: &[Var]) -> Option<Value> {
        let shape = self.shape_of(inputs[0])?;
        let v = self.value_of(inputs[0], shape)?;
        // Constant thresholds are rows, in one order whatever the layout.
        if shape[0] > 1 && shape[1] * shape[2] > 1 {
            return None;
        }
        let theta: Box<dyn Operand> = match (self.value_of(inputs[1], shape), rule) {
            (Some(theta), Rule::Soft) => Box::new(self.builder.map("Relu", "clamped", &theta)),
            (Some(theta), _) => Box::new(theta),
            (None, Rule::Soft) => Box::new(self.clamped(inputs[1], &shape)?),
            (None, _) => Box::new(self.constant_of(inputs[1], &shape)?),
        };
        match rule {
            Rule::Soft => Some(self.builder.soft_threshold(&v, theta.as_ref())),
            Rule::Hard => {
                let kept = self.exceeds("kept", &v, theta.as_ref());
                Some(self.builder.with("Mul", "thresholded", &v, &kept))
            }
            Rule::Support(share) => self.support(&v, theta.as_ref(), share),
        }
    }

    /// Constant thresholds, 0 where they are negative.
    fn clamped(&mut self, theta: Var, dims: &[usize]) -> Option<Constant> {
        let Node::Constant(values, _) = self.nodes.get(&theta)? else {
            return None;
        };
        if values.len() != dims.iter().product::<usize>() {
            return None;
        }
        let clamped: Vec<f32> = values.iter().map(|v| v.max(0.0)).collect();
        let name = format!("constants/{theta:?}/clamped");
        Some(self.builder.constant(&name, dims, &clamped))
    }

    /// 1 where the magnitude of `v` exceeds `least`, else 0: a difference of floats has the sign of
    /// the exact one.
    fn exceeds(&mut self, name: &str, v: &Value, least: &dyn Operand) -> Value {
        let b = &mut self.builder;
        b.within(name, |b| {
            let size = b.map("Abs", "magnitude", v);
            let above = b.with("Sub", "above", &size, least);
            let above = b.map("Relu", "more", &above);
            b.map("Sign", "is_more", &above)
        })
    }

    /// Values above threshold and quantile whole, the others shrunk.
    fn support(&mut self, v: &Value, theta: &dyn Operand, share: f32) -> Option<Value> {
        let least = self.quantile(v, 1.0 - share);
        let large = self.exceeds("large", v, &least);
        let above = self.exceeds("above", v, theta);
        let b = &mut self.builder;
        let kept = b.with("Mul", "kept", &large, &above);
        // θ where the value is shrunk, 0 where it is kept.
        let one = b.scalar(1.0);
        let rest = b.node(
            ("Sub", "rest"),
            &[&one, &kept],
            Vec::new(),
            (v.batch(), v.item()),
        );
        let reduction = b.with("Mul", "reduction", &rest, theta);
        Some(b.soft_threshold(v, &reduction))
    }

    /// The quantile of the magnitudes of each row, `(1, 1, 1)`: linear between order statistics.
    fn quantile(&mut self, v: &Value, share: f32) -> Value {
        let len: usize = v.item().iter().product();
        let Place {
            below,
            above,
            fraction,
        } = Place::new(share, len);
        let b = &mut self.builder;
        b.within("quantile", |b| {
            let size = b.map("Abs", "magnitude", v);
            let row = b.reshape("row", &size, v.batch(), &[len]);
            let largest = b.largest("largest", &row, len - below);
            let mut pick = |name: &str, at: usize| {
                let index = b.indices(&[at as i64]);
                let (node, axis) = (("Gather", name), vec![int("axis", 1)]);
                b.node(node, &[&largest, &index], axis, (v.batch(), &[1]))
            };
            let low = pick("low", len - 1 - below);
            let high = pick("high", len - 1 - above);
            let gap = b.with("Sub", "gap", &high, &low);
            let fraction = b.scalar(fraction);
            let part = b.with("Mul", "part", &gap, &fraction);
            let between = b.with("Add", "between", &low, &part);
            b.reshape("value", &between, v.batch(), &[1, 1, 1])
        })
    }

    /// [`RowRms`](crate::ops::RowRms), `(1, 1, 1)`.
    pub(super) fn row_rms(&mut self, x: Var) -> Option<Value> {
        let shape = self.shape_of(x)?;
        let v = self.value_of(x, shape)?;
        let b = &mut self.builder;
        let squares = b.with("Mul", "squares", &v, &v);
        let attributes = vec![ints("axes", &[1, 2, 3]), int("keepdims", 1)];
        let one = (v.batch(), &[1, 1, 1][..]);
        let mean = b.node(("ReduceMean", "mean"), &[&squares], attributes, one);
        Some(b.map("Sqrt", "rms", &mean))
    }

    /// [`RowCount`](crate::ops::RowCount), `(1, 1, 1)`.
    pub(super) fn row_count(&mut self, scale: f32, x: Var) -> Option<Value> {
        let shape = self.shape_of(x)?;
        let len = shape.iter().product::<usize>() as f32;
        let v = self.value_of(x, shape)?;
        let b = &mut self.builder;
        let size = b.map("Abs", "magnitude", &v);
        let there = b.map("Sign", "there", &size);
        let attributes = vec![ints("axes", &[1, 2, 3]), int("keepdims", 1)];
        let one = (v.batch(), &[1, 1, 1][..]);
        let share = b.node(("ReduceMean", "share"), &[&there], attributes, one);
        let scale = b.scalar(scale * len);
        Some(b.with("Mul", "count", &share, &scale))
    }

    /// Whether `var` follows from the frames.
    pub(super) fn is_value(&self, var: Var) -> bool {
        matches!(self.nodes.get(&var), Some(Node::Value(_)))
    }
}
