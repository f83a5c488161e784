//! On which backends a method runs: all have the operators of DeRefNet, the CPU those of the others
//! too.

use std::collections::BTreeSet;

use derefnet_core::physics::{FRAME_LEN, MAP_LEN};

use super::count::{FRAMES, plan};
use super::job::Job;
use super::live::leaves;
use super::loss::Summation;
use super::net::{Form, Input};
use super::sensor::Sensor;
use super::tensors::Spec;
use super::{Method, Solution};
use crate::autograd::Tape;
use crate::backend::Backend;
use crate::backend::counting::{Counting, Steps};
use crate::{Error, Result};

/// Names of the operators in the training of `method` in the form `variant` that only the CPU has.
///
/// # Errors
/// If the method has no such variant, or is no network.
pub fn cpu_operators(method: &Method, variant: &str, width: f32) -> Result<BTreeSet<&'static str>> {
    if let Solution::DeRefNet { .. } = method.solution {
        return Ok(BTreeSet::new());
    }
    let network = method.network()?;
    let plan = plan(method, Some(variant), width)?;
    let sensor = Sensor::new(vec![0.0; MAP_LEN * FRAME_LEN]);
    let labels = vec![0.0; FRAMES * MAP_LEN];
    let job = Job {
        network,
        form: Form {
            variant: method.variant(Some(variant))?,
            width,
            training: true,
        },
        input: Input {
            counts: &[0.0; FRAMES * FRAME_LEN],
            length: FRAMES,
            sensor: &sensor,
        },
        labels: &labels,
        summation: Summation::default(),
    };
    let backend = Counting::new(Steps::Separable);
    let values: Vec<usize> = plan.specs.iter().map(Spec::len).collect();
    let mut tape = Tape::new(&backend);
    let leaves = leaves(&mut tape, &plan, &values, 0..values.len());
    job.record(&mut tape, &leaves);
    if let Some(adversary) = network.adversary() {
        job.record_adversary(&mut tape, &leaves, adversary, &labels);
    }
    drop(tape);
    Ok(backend.on_the_cpu())
}

/// Refuses a method that needs operators which `B` lacks.
///
/// # Errors
/// Names them; and as [`cpu_operators`].
pub(super) fn require<B: Backend>(method: &Method, variant: &str, width: f32) -> Result<()> {
    if B::EVERY_OPERATOR {
        return Ok(());
    }
    let missing = cpu_operators(method, variant, width)?;
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.into_iter().collect();
    Err(Error::usage(format!(
        "--backend: {} runs on the CPU alone, no other backend has its operators {}; use \
         --backend cpu",
        method.key,
        names.join(", ")
    )))
}
