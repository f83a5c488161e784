//! `derefnet methods`: the registry, counted.

use std::fmt::Write;

use serde::Serialize;

use super::{Common, output};
use crate::Result;
use crate::methods::{METHODS, Method, Plan, Published, Reference, Solution, Variant, plan};

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
    /// `solver`, `network`, `deref-net` or `fit`.
    kind: &'static str,
    /// Parameters as the table counts them: with adversary and pretrained networks of the loss.
    parameters: usize,
    /// Parameters of the network that answers.
    answering_parameters: usize,
    /// Those of them that never run.
    unused_parameters: usize,
    /// Multiply-adds per frame, counted as published: products with `ΦᵀΦ` dense.
    macs_per_frame: Option<u64>,
    /// The same as computed here, with separable factors.
    macs_per_frame_here: Option<u64>,
    /// Whether it sees five frames at a time.
    sequence: bool,
    reference: Reference,
    published: Option<Published>,
    /// All forms, the first one that of the figures above.
    variants: Vec<Form>,
}

#[derive(Serialize)]
struct Form {
    name: &'static str,
    about: &'static str,
    /// Where it is trained, or solved.
    backends: &'static [&'static str],
    answering_parameters: usize,
    macs_per_frame: Option<u64>,
}

/// Prints all methods, or those asked for.
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
    let rows: Vec<Row> = chosen.into_iter().map(row).collect::<Result<_>>()?;
    let text = table(&rows);
    output::emit(common, &rows, &text)
}

fn row(method: &Method) -> Result<Row> {
    let (kind, sequence) = match method.solution {
        Solution::Solver { .. } => ("solver", false),
        Solution::Network(network) => ("network", network.sees_sequences()),
        Solution::DeRefNet { .. } => ("deref-net", true),
        Solution::Fit => ("fit", true),
        Solution::Detector(_) => ("detector", false),
    };
    let form = |variant: &Variant| -> Result<(Form, Plan)> {
        let plan = plan(method, Some(variant.name), 1.0)?;
        let form = Form {
            name: variant.name,
            about: variant.about,
            backends: backends(method),
            answering_parameters: plan.parameters(),
            macs_per_frame: plan.multiply_adds,
        };
        Ok((form, plan))
    };
    let forms = method
        .variants
        .iter()
        .map(form)
        .collect::<Result<Vec<_>>>()?;
    let plan = &forms[0].1;
    Ok(Row {
        name: method.name,
        key: method.key,
        about: method.about,
        kind,
        parameters: plan.parameters() + plan.adversary_parameters() + method.foreign_parameters,
        answering_parameters: plan.parameters(),
        unused_parameters: plan.unused_parameters(),
        macs_per_frame: plan.multiply_adds,
        macs_per_frame_here: plan.multiply_adds_here,
        sequence,
        reference: method.reference,
        published: method.published,
        variants: forms.into_iter().map(|(form, _)| form).collect(),
    })
}

/// What `--backend` may say.
fn backends(method: &Method) -> &'static [&'static str] {
    match method.solution {
        Solution::Solver { .. } | Solution::Fit | Solution::Detector(_) => &["cpu"],
        Solution::Network(_) | Solution::DeRefNet { .. } => &["cpu", "cuda"],
    }
}

fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<18} {:<14} {:>11} {:>11} {:>10} {:>8}  {:<9} {}\n",
        "method", "variant", "parameters", "answering", "MMAC/frame", "CSO-mAP", "backends", "form"
    );
    for row in rows {
        let published = row
            .published
            .map_or_else(String::new, |p| format!("{:.2}", p.cso_map));
        for form in &row.variants {
            let work = form
                .macs_per_frame
                .map_or_else(String::new, |work| format!("{:.2}", work as f64 / 1e6));
            let _ = writeln!(
                text,
                "{:<18} {:<14} {:>11} {:>11} {work:>10} {published:>8}  {:<9} {}",
                row.key,
                form.name,
                row.parameters,
                form.answering_parameters,
                form.backends.join(", "),
                form.about,
            );
        }
    }
    text += "parameters: as published, with those of adversaries and of pretrained losses; MMAC: \
             million multiply-adds\nas published; CSO-mAP: as published, on the authors' data";
    text
}
