//! `derefnet methods`: the registry, counted.

use std::fmt::Write;

use serde::Serialize;

use super::{Common, output};
use crate::Result;
use crate::methods::{METHODS, Method, Plan, Published, Reference, Solution, plan};

/// Options of `methods`.
#[derive(Clone, Debug, clap::Args)]
pub struct MethodsArgs {
    /// Only these methods, by key.
    #[arg(value_name = "METHOD")]
    pub methods: Vec<String>,
}

#[derive(Serialize)]
struct Row {
    name: &'static str,
    key: &'static str,
    about: &'static str,
    /// `solver` or `network`.
    kind: &'static str,
    variant: &'static str,
    variant_about: &'static str,
    /// Parameters as the table counts them: with adversary and pretrained networks of the loss.
    parameters: usize,
    /// Parameters of the network that answers.
    answering_parameters: usize,
    /// Those of them that never run.
    unused_parameters: usize,
    /// Multiply-adds per frame, counted as published: products with `ΦᵀΦ` dense.
    macs_per_frame: u64,
    /// The same as computed here, with separable factors.
    macs_per_frame_here: u64,
    /// Whether it sees five frames at a time.
    sequence: bool,
    reference: Reference,
    published: Option<Published>,
}

/// Prints all methods, or those asked for, in all their variants.
///
/// # Errors
/// If there is no such method.
pub fn run(args: &MethodsArgs, common: &Common) -> Result<()> {
    let chosen: Vec<&Method> = if args.methods.is_empty() {
        METHODS.iter().collect()
    } else {
        let found = args.methods.iter().map(|key| Method::find(key));
        found.collect::<Result<_>>()?
    };
    let mut rows = Vec::new();
    for method in chosen {
        // As JSON, one object a method: the other variants are other keys of `plan`, not methods.
        let shown = if common.json {
            1
        } else {
            method.variants.len()
        };
        for variant in &method.variants[..shown] {
            let plan = plan(method, Some(variant.name), false)?;
            rows.push(row(method, variant.name, variant.about, &plan));
        }
    }
    let text = table(&rows);
    output::emit(common, &rows, &text)
}

fn row(method: &Method, variant: &'static str, variant_about: &'static str, plan: &Plan) -> Row {
    let (kind, sequence) = match method.solution {
        Solution::Solver { .. } => ("solver", false),
        Solution::Network(network) => ("network", network.sees_sequences()),
    };
    Row {
        name: method.name,
        key: method.key,
        about: method.about,
        kind,
        variant,
        variant_about,
        parameters: plan.parameters() + plan.adversary_parameters() + method.foreign_parameters,
        answering_parameters: plan.parameters(),
        unused_parameters: plan.unused_parameters(),
        macs_per_frame: plan.multiply_adds,
        macs_per_frame_here: plan.multiply_adds_here,
        sequence,
        reference: method.reference,
        published: method.published,
    }
}

fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<18} {:<14} {:>11} {:>11} {:>10} {:>8}  {}\n",
        "method", "variant", "parameters", "answering", "MMAC/frame", "CSO-mAP", "form"
    );
    for row in rows {
        let published = row
            .published
            .map_or_else(String::new, |p| format!("{:.2}", p.cso_map));
        let _ = writeln!(
            text,
            "{:<18} {:<14} {:>11} {:>11} {:>10.2} {published:>8}  {}",
            row.key,
            row.variant,
            row.parameters,
            row.answering_parameters,
            row.macs_per_frame as f64 / 1e6,
            row.variant_about,
        );
    }
    text += "parameters: as published, with those of adversaries and of pretrained losses; MMAC: \
             million multiply-adds\nas published; CSO-mAP: as published, on the authors' data";
    text
}
