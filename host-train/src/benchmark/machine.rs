//! The machine, its memory and its date.

use std::time::{SystemTime, UNIX_EPOCH};

use super::result::Machine;
use crate::backend::cpu::Cpu;
use crate::cli::backend::BackendKind;

/// What computes here.
pub(super) fn here(backend: BackendKind) -> Machine {
    let isa = match backend {
        BackendKind::Cpu => format!("{:?}", Cpu::new().isa()).to_lowercase(),
        BackendKind::Cuda => "cuda".to_owned(),
    };
    Machine {
        cpu: cpu().unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        isa,
    }
}

fn cpu() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// Begins a new measurement of [`peak_mib`]; where the system refuses, the process's whole life stays
/// in it.
pub(super) fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Most memory that the process has occupied, MiB; nothing where the system does not say.
pub(super) fn peak_mib() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes / 1024.0)
}

/// Today, UTC, as `YYYY-MM-DD`.
pub(super) fn today() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    date(since.map_or(0, |since| since.as_secs() / 86_400))
}

/// The date `days` after 1970-01-01, by the Gregorian calendar.
fn date(mut days: u64) -> String {
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    format!("{year:04}-{:02}-{:02}", month + 1, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Days by `date -u -d DATE +%s`, over 86,400.
    #[test]
    fn dates_are_gregorian() {
        for (days, text) in [
            (0, "1970-01-01"),
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
            (20_453, "2025-12-31"),
        ] {
            assert_eq!(date(days), text);
        }
    }

    #[test]
    fn memory_is_counted() {
        let filled = vec![1_u8; 64 << 20];
        assert!(std::hint::black_box(&filled).iter().all(|&b| b == 1));
        assert!(peak_mib().unwrap() >= 64.0);
    }
}
