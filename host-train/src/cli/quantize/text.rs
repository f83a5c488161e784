//! The answer of `quantize` in words.

use std::fmt::Write as _;

use super::Answer;
use crate::quantize::TensorError;

/// Lines of the table of errors.
const WORST: usize = 10;

pub fn describe(answer: &Answer) -> String {
    let mut text = format!("{}: {} bytes", answer.out.display(), answer.flash_bytes);
    for (bytes, what) in [
        (answer.ram_bytes, "maps"),
        (answer.head_ram_bytes, "the offset head"),
    ] {
        if let Some(bytes) = bytes {
            let _ = write!(text, ", {bytes} bytes of RAM for {what}");
        }
    }
    text += "\n\n";
    if answer.accuracy.is_empty() {
        text += "accuracy was not measured\n";
    } else {
        text += "CSO-mAP, validation split   float   quantised\n";
    }
    for row in &answer.accuracy {
        let name = format!("{} readout, noise σ = {}", row.readout, row.noise);
        let _ = writeln!(
            text,
            "{name:<25} {:>7.2} {:>11.2}",
            row.float, row.quantised
        );
    }
    let mut sorted: Vec<&TensorError> = answer.tensors.iter().collect();
    let ratio = |e: &TensorError| e.ratio_db.unwrap_or(f64::INFINITY);
    sorted.sort_by(|a, b| ratio(a).total_cmp(&ratio(b)));
    let _ = write!(
        text,
        "\n{:<18} {:>10} {:>10} {:>8} {:>10}",
        "tensor", "signal", "error", "dB", "saturated"
    );
    for error in sorted.iter().take(WORST) {
        let ratio = error
            .ratio_db
            .map_or_else(String::new, |db| format!("{db:.1}"));
        let _ = write!(
            text,
            "\n{:<18} {:>10.3e} {:>10.3e} {ratio:>8} {:>10}",
            error.tensor, error.signal_rms, error.error_rms, error.saturated
        );
    }
    let saturated: u64 = answer.tensors.iter().map(|e| e.saturated).sum();
    let all = answer.tensors.len();
    let _ = write!(
        text,
        "\n{all} tensors compared, root mean squares in units of the float network, the worst shown; \
         {saturated} values saturated"
    );
    let bounds = answer.bounds.iter();
    if let Some(worst) = bounds.max_by(|a, b| a.share.total_cmp(&b.share)) {
        let _ = write!(
            text,
            "\nproved: on any input no layer strays by more than {:.2} % of what it can put out ({})",
            100.0 * worst.share,
            worst.layer
        );
    }
    text
}
