//! Networks of [`crate::methods`] as graphs: their one description, recorded as nodes of ONNX.
//!
//! | end | shape | meaning |
//! | --- | --- | --- |
//! | input `frames` | `(N, 11, 11)`, `(N, 5, 11, 11)` where sequences are seen | frames, counts |
//! | output `map` | `(N, 33, 33)` | counts in cells of a third of a pixel, of the middle frame |
//! | or `logits` | `(N, 11, 11)` | of a detector: positive where a pixel is marked |
//!
//! What depends on no frame is computed beforehand. What depends on a frame's place in its trajectory is
//! as in trajectories of five frames.

mod draw;
mod rows;
mod sequence;

use std::collections::BTreeMap;

use derefnet_core::physics::{FRAME_LEN, FRAME_SIDE, PSF_SIGMA, WINDOW};

use super::encode;
use super::graph::{Builder, Value};
use crate::autograd::{Tape, Var};
use crate::backend::Backend;
use crate::backend::counting::{Counting, Steps};
use crate::backend::cpu::Cpu;
use crate::methods::net::{Form, Input, Net, Recorder};
use crate::methods::tensors::Spec;
use crate::methods::{Answers, Trained};
use crate::model::{Parameter, Provenance};
use crate::ops::{Op, Operator};
use crate::{Error, Result};

/// A value of the network: what follows from the frames, and what does not.
#[derive(Clone)]
enum Node {
    Value(Value),
    /// Values `(h, w, c)`, channels last, and a name where they are a tensor.
    Constant(Vec<f32>, Option<String>),
}

/// Records a network of one frame or of one window as nodes.
struct Drawing<'a> {
    /// Hands out numbers and lengths.
    tape: Tape<'a, Counting>,
    cpu: Cpu,
    builder: Builder,
    frames: Value,
    nodes: BTreeMap<Var, Node>,
    tensors: &'a [Parameter],
    /// Operators so far.
    count: usize,
    /// The first operator that has no counterpart.
    missing: Option<&'static str>,
}

impl Drawing<'_> {
    fn keep(&mut self, var: Var, node: Node) -> Var {
        self.nodes.insert(var, node);
        var
    }

    /// The result of an operator that no frame reaches.
    fn fold(&self, op: &Op, inputs: &[Var]) -> Option<Vec<f32>> {
        let upload = |var: &Var| match self.nodes.get(var)? {
            Node::Constant(values, _) => Some(self.cpu.upload(values)),
            Node::Value(_) => None,
        };
        let buffers: Vec<_> = inputs.iter().map(upload).collect::<Option<_>>()?;
        let operator: Box<dyn Operator<Cpu>> = self.cpu.kernels(op.clone());
        let mut output = self.cpu.alloc(operator.output_len());
        let buffers: Vec<_> = buffers.iter().collect();
        operator.forward(&self.cpu, &buffers, &mut output);
        Some(output.to_vec())
    }
}

impl Recorder for Drawing<'_> {
    fn apply(&mut self, op: Op, inputs: &[Var]) -> Var {
        let var = self.tape.apply(op.clone(), inputs);
        if let Some(values) = self.fold(&op, inputs) {
            return self.keep(var, Node::Constant(values, None));
        }
        self.count += 1;
        let name = op.clone().boxed::<Cpu>().name();
        let outer = self.builder.enter(&format!("{}_{name}", self.count));
        let drawn = self.draw(&op, inputs);
        self.builder.leave(outer);
        let node = match drawn {
            Some(value) => Node::Value(value),
            None => {
                self.missing.get_or_insert(name);
                Node::Constant(vec![0.0; self.tape.len_of(var)], None)
            }
        };
        self.keep(var, node)
    }

    fn constant(&mut self, values: &[f32]) -> Var {
        let var = self.tape.constant(values);
        self.keep(var, Node::Constant(values.to_vec(), None))
    }

    fn frames(&mut self, counts: &[f32]) -> Var {
        let var = self.tape.constant(counts);
        let frames = Node::Value(self.frames.clone());
        self.keep(var, frames)
    }

    fn tensor(&mut self, spec: Spec) -> Var {
        let found = self.tensors.iter().find(|t| t.name == spec.name);
        let values = found.map_or_else(|| vec![0.0; spec.len()], |t| t.values.clone());
        let var = self.tape.constant(&values);
        self.keep(var, Node::Constant(values, Some(spec.name)))
    }
}

impl Trained {
    /// Content of the ONNX file of this network.
    ///
    /// # Errors
    /// [`Error::Usage`] if the network has an operator without counterpart.
    pub fn onnx(&self, provenance: &Provenance) -> Result<Vec<u8>> {
        let refuse = |why: &str| Error::usage(format!("onnx: {} {why}", self.method.key));
        let seen = if self.sees_sequences() { WINDOW } else { 1 };
        let backend = Counting::new(Steps::Separable);
        let mut builder = Builder::new(self.method.key);
        let frames = if seen == 1 {
            let about = "frames, counts; rows are x, columns y";
            builder.input("frames", about, 1, &[FRAME_SIDE; 2])
        } else {
            let about = "five consecutive frames in time order, counts; rows are x, columns y";
            builder.input("frames", about, 1, &[WINDOW, FRAME_SIDE, FRAME_SIDE])
        };
        let frames = builder.reshape("frames/maps", &frames, seen, &[1, FRAME_SIDE, FRAME_SIDE]);
        let mut drawing = Drawing {
            tape: Tape::new(&backend),
            cpu: Cpu::new(),
            builder,
            frames,
            nodes: BTreeMap::new(),
            tensors: &self.tensors,
            count: 0,
            missing: None,
        };
        let input = Input {
            counts: &[0.0; WINDOW * FRAME_LEN][..seen * FRAME_LEN],
            length: WINDOW,
            sensor: &self.sensor,
        };
        let form = Form {
            variant: self.variant,
            width: self.width,
            training: false,
        };
        let answer = self.describe(&mut Net::new(&mut drawing, input, form));
        if let Some(name) = drawing.missing {
            return Err(refuse(&format!(
                "has an operator that is not exported, {name}"
            )));
        }
        let side = self.answers().side();
        let map = drawing.value_of(answer.map.var, [1, side, side]);
        let map = map.ok_or_else(|| refuse("answers the same to all frames"))?;
        let (name, about) = match self.answers() {
            Answers::Maps => (
                "map",
                "counts in cells of a third of a pixel; cell (i, j) is at ((i-1)/3, (j-1)/3) pixels",
            ),
            Answers::Masks => ("logits", "positive where a pixel is marked"),
        };
        let map = drawing.builder.reshape(name, &map, 1, &[side; 2]);
        drawing.builder.output(&map, about);
        let provenance = serde_json::to_string(provenance)
            .map_err(|e| Error::usage(format!("metadata: {e}")))?;
        let metadata = [
            ("physics", super::physics(PSF_SIGMA)),
            ("method", self.method.key.to_owned()),
            ("variant", self.variant.to_owned()),
            ("provenance", provenance),
        ];
        Ok(encode(drawing.builder.finish(), &metadata))
    }
}
