//! How far every tensor of the integer network strays from the float network.

use std::collections::BTreeMap;

use derefnet_core::net::{Picture, Probe, Tensor};
use derefnet_core::physics::{FRAME_LEN, WINDOW};
use serde::Serialize;

use super::folded::Steps;
use super::inference::Quantised;
use crate::backend::Backend;
use crate::model::DeRefNet;
use crate::{Error, Result};

/// Error of one tensor, in units of the float network.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TensorError {
    /// Name, as `Hidden(0, 1)`.
    pub tensor: String,
    /// Root mean square of the float network's values.
    pub signal_rms: f64,
    /// Root mean square of the differences.
    pub error_rms: f64,
    /// Signal over error, dB; nothing where one of them is zero.
    pub ratio_db: Option<f64>,
    /// Values of the integer network at the ends of their range.
    pub saturated: u64,
    /// Values compared.
    pub values: u64,
}

/// Sums over the values of a tensor.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    signal: f64,
    error: f64,
    saturated: u64,
    values: u64,
}

impl Sums {
    fn add(&mut self, float: f32, integer: i16, step: f64) {
        let error = f64::from(integer) * step - f64::from(float);
        self.signal += f64::from(float).powi(2);
        self.error += error.powi(2);
        self.saturated += u64::from(integer == i16::MAX || integer == i16::MIN);
        self.values += 1;
    }

    fn of(self, tensor: Tensor) -> TensorError {
        let rms = |sum: f64| (sum / self.values.max(1) as f64).sqrt();
        let both = self.signal > 0.0 && self.error > 0.0;
        TensorError {
            tensor: format!("{tensor:?}"),
            signal_rms: rms(self.signal),
            error_rms: rms(self.error),
            ratio_db: both.then(|| 10.0 * (self.signal / self.error).log10()),
            saturated: self.saturated,
            values: self.values,
        }
    }
}

/// Keeps what it sees, in the order in which it comes.
#[derive(Debug, Default)]
struct Seen(BTreeMap<Tensor, Vec<i16>>);

impl Probe for Seen {
    fn see(&mut self, tensor: Tensor, picture: Picture<'_>) {
        self.0.entry(tensor).or_default().extend(picture.values());
    }
}

/// Passes `windows (n, 5, 121)` counts through `network` and its integers, whose tensors have `steps`,
/// and compares all tensors of the latter, in the order in which the float network shows them.
///
/// # Errors
/// [`Error::CheckFailed`] if the two networks do not have the same tensors.
pub fn compare<B: Backend>(
    network: &DeRefNet,
    backend: &B,
    (quantised, steps): (&Quantised, &Steps),
    windows: &[f32],
) -> Result<Vec<TensorError>> {
    let mut all: Vec<(Tensor, Sums)> = Vec::new();
    for window in windows.chunks_exact(WINDOW * FRAME_LEN) {
        let mut float = backend.pass(|| network.observe(backend, window));
        float
            .tensors
            .retain(|(tensor, _)| steps.of(*tensor, 0).is_some());
        let mut seen = Seen::default();
        quantised.see(window, &mut seen)?;
        all.resize_with(float.tensors.len(), || (Tensor::Start, Sums::default()));
        for ((tensor, values), (name, sums)) in float.tensors.iter().zip(&mut all) {
            *name = *tensor;
            let integers = seen.0.get(tensor).map_or(&[][..], Vec::as_slice);
            if integers.len() != values.len() {
                return Err(Error::CheckFailed(format!(
                    "{tensor:?} has {} values in integers, expected {}",
                    integers.len(),
                    values.len()
                )));
            }
            for (index, (&value, &integer)) in values.iter().zip(integers).enumerate() {
                sums.add(value, integer, steps.of(*tensor, index).unwrap_or(0.0));
            }
        }
    }
    Ok(all
        .into_iter()
        .map(|(tensor, sums)| sums.of(tensor))
        .collect())
}
