//! `derefnet parity`: comparison with golden tensors of the authors' network.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::backend::{BackendKind, OnBackend};
use super::{Common, output};
use crate::backend::Backend;
use crate::eval::parity::{ParityReport, parity};
use crate::{Error, Result};

/// Options of `parity`.
#[derive(Clone, Debug, clap::Args)]
pub struct ParityArgs {
    /// Golden tensors, safetensors.
    #[arg(long, value_name = "F.safetensors")]
    pub golden: PathBuf,
    /// Rounding errors of the reference, JSON; a tensor may then deviate ten times as much.
    #[arg(long, value_name = "F.json")]
    pub tolerances: Option<PathBuf>,
    /// Where to compute.
    #[arg(long, value_enum, default_value = "cpu")]
    pub backend: BackendKind,
}

impl OnBackend for &ParityArgs {
    type Output = ParityReport;

    fn run<B: Backend>(self, backend: B) -> Result<ParityReport> {
        parity(&backend, &self.golden, self.tolerances.as_deref())
    }
}

/// Lines of the table.
const SHOWN: usize = 12;

/// Runs forward, backward and one Adam step; prints the largest errors.
///
/// # Errors
/// [`Error::CheckFailed`] if a tensor is out of tolerance, others for an unusable file.
pub fn run(args: &ParityArgs, common: &Common) -> Result<()> {
    let report = args.backend.run(args)?;
    output::emit(common, &report, &table(&report))?;
    if report.pass {
        return Ok(());
    }
    let failed = report.tensors.iter().filter(|t| !t.pass()).count();
    let all = report.tensors.len();
    Err(Error::CheckFailed(format!(
        "{failed} of {all} tensors are out of tolerance"
    )))
}

fn table(report: &ParityReport) -> String {
    let mut sorted: Vec<_> = report.tensors.iter().collect();
    let share = |t: f64, bound: f64| t / bound;
    sorted.sort_by(|a, b| {
        share(b.relative_l2, b.tolerance).total_cmp(&share(a.relative_l2, a.tolerance))
    });
    let mut text = format!(
        "{:<44} {:>12} {:>10}\n",
        "tensor", "relative L2", "tolerance"
    );
    for t in sorted.iter().take(SHOWN) {
        let mark = if t.pass() { "" } else { "  FAIL" };
        let _ = writeln!(
            text,
            "{:<44} {:>12.3e} {:>10.1e}{mark}",
            t.name, t.relative_l2, t.tolerance
        );
    }
    let verdict = if report.pass { "pass" } else { "FAIL" };
    let shown = SHOWN.min(sorted.len());
    let _ = write!(
        text,
        "{verdict}: {} tensors compared, the {shown} worst shown",
        sorted.len()
    );
    if !report.not_compared.is_empty() {
        let _ = write!(text, "; not compared: {}", abridged(&report.not_compared));
    }
    text
}

/// The first few names and how many more there are.
fn abridged(names: &[String]) -> String {
    let mut text = names.iter().take(4).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > 4 {
        let _ = write!(text, " and {} more", names.len() - 4);
    }
    text
}
