//! Exported networks on tract, an ONNX runtime in Rust.

use derefnet::eval::network::Network;
use derefnet::model::Frames;
use derefnet::{Error, Result};
use derefnet_core::physics::{FRAME_LEN, FRAME_SIDE, WINDOW};
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::internal::{HashMap, ToDim};

/// Windows that a network's plan takes at once.
pub const BATCH: usize = 4;

/// An ONNX file, planned for a number of windows.
#[derive(Debug)]
pub struct Tract {
    plan: Arc<TypedRunnableModel>,
    /// Shapes of the items of each input.
    items: Vec<Vec<usize>>,
}

impl Tract {
    /// Plans `file`, whose inputs have items of these shapes, for `windows`; `None` leaves their number
    /// to each run.
    ///
    /// # Panics
    /// If tract refuses the file.
    pub fn new(file: &[u8], items: &[Vec<usize>], windows: Option<usize>) -> Self {
        Self::try_new(file, items, windows).unwrap_or_else(|error| panic!("tract: {error:?}"))
    }

    fn try_new(mut file: &[u8], items: &[Vec<usize>], windows: Option<usize>) -> TractResult<Self> {
        let mut model = onnx().model_for_read(&mut file)?;
        if let Some(count) = windows {
            let n = model.symbols.sym("N");
            model.set_symbols(&HashMap::from([(n, count.to_dim())]))?;
        }
        Ok(Self {
            plan: model.into_optimized()?.into_runnable()?,
            items: items.to_vec(),
        })
    }

    /// Plans the file of a network for `windows`.
    ///
    /// # Panics
    /// As [`Self::new`].
    pub fn network(file: &[u8], windows: Option<usize>) -> Self {
        Self::new(file, &[vec![WINDOW, FRAME_SIDE, FRAME_SIDE]], windows)
    }

    /// Values of all outputs.
    ///
    /// # Panics
    /// If tract fails, or an input has not the planned number of values.
    pub fn run(&self, inputs: &[Vec<f32>]) -> Vec<Vec<f32>> {
        let values = self.try_run(inputs);
        values.unwrap_or_else(|error| panic!("tract: {error:?}"))
    }

    fn try_run(&self, inputs: &[Vec<f32>]) -> TractResult<Vec<Vec<f32>>> {
        let pairs = self.items.iter().zip(inputs);
        let tensors = pairs.map(|(item, values)| {
            let windows = values.len() / item.iter().product::<usize>();
            let shape = [&[windows], item.as_slice()].concat();
            Ok(Tensor::from_shape(&shape, values)?.into_tvalue())
        });
        let outputs = self.plan.run(tensors.collect::<TractResult<_>>()?)?;
        let values = outputs.iter();
        values
            .map(|value| {
                Ok(value
                    .to_plain_array_view::<f32>()?
                    .iter()
                    .copied()
                    .collect())
            })
            .collect()
    }

    /// Output `k` of a network for all windows of `frames`, in order.
    fn of_windows(&self, frames: &Frames, k: usize) -> Vec<f32> {
        let mut windows = Vec::new();
        for trajectory in frames.counts.chunks_exact(frames.length * FRAME_LEN) {
            for window in trajectory.windows(WINDOW * FRAME_LEN).step_by(FRAME_LEN) {
                windows.push(window);
            }
        }
        let mut all = Vec::new();
        for batch in windows.chunks(BATCH) {
            let mut input = batch.concat();
            input.resize(BATCH * WINDOW * FRAME_LEN, 0.0);
            let output = &self.run(&[input])[k];
            all.extend_from_slice(&output[..output.len() / BATCH * batch.len()]);
        }
        all
    }
}

impl Network for Tract {
    fn maps(&self, frames: &Frames) -> Result<Vec<f32>> {
        Ok(self.of_windows(frames, 0))
    }

    fn answers(&self, frames: &Frames) -> Result<Vec<f32>> {
        match self.plan.model().output_outlets().map(<[_]>::len) {
            Ok(2) => Ok(self.of_windows(frames, 1)),
            _ => Err(Error::usage("the file has no second output")),
        }
    }

    fn head_unit(&self) -> Option<f32> {
        None
    }

    fn check_length(&self, _: usize) -> Result<()> {
        Ok(())
    }
}
