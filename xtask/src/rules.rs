//! The project's rules on source text.

use crate::shell::{root, tracked};
use crate::source;
use crate::step::Outcome;

/// Most lines of a Rust file without its tests.
const MOST_LINES: usize = 400;

/// Hosts of package registries, split so that this file passes its own rule.
const HOSTS: [[&str; 2]; 9] = [
    ["crates.io", "/api"],
    ["static", ".crates.io"],
    ["index", ".crates.io"],
    ["pypi", ".org"],
    ["files.python", "hosted.org"],
    ["registry.npm", "js.org"],
    ["deb.debian", ".org"],
    ["archive.ubuntu", ".com"],
    ["proxy.golang", ".org"],
];

/// Whether `path` may hold unsafe code.
fn may_be_unsafe(path: &str) -> bool {
    let whole = [
        "core/src/arch/",
        "host-train/src/backend/cuda/",
        "cuda-kernels/",
        "firmware-example/src/board/",
    ];
    // The interface of C, and the fuzz target that calls it as C does.
    let files = [
        "core/src/capi.rs",
        "core/src/capi/tests.rs",
        "fuzz/fuzz_targets/capi.rs",
    ];
    if files.contains(&path) || whole.iter().any(|folder| path.starts_with(folder)) {
        return true;
    }
    let Some(rest) = path.strip_prefix("host-train/src/backend/") else {
        return false;
    };
    let below = rest.split_once('/').map(|(_, below)| below);
    below.is_some_and(|below| below.starts_with("arch/") || below == "arch.rs")
}

/// No tracked file names a package registry's host.
pub fn hosts() -> Result<Outcome, String> {
    let hosts = HOSTS.map(|parts| parts.concat());
    let mut findings = Vec::new();
    for path in tracked()? {
        let bytes = std::fs::read(root().join(&path)).map_err(|e| format!("{path}: {e}"))?;
        let text = String::from_utf8_lossy(&bytes);
        for (number, line) in text.lines().enumerate() {
            if hosts.iter().any(|host| line.contains(host)) {
                findings.push(format!("{path}:{}: names a registry's host", number + 1));
            }
        }
    }
    Ok(Outcome::unless(findings))
}

/// Unsafe code stands only where [`may_be_unsafe`] says.
pub fn unsafe_addresses() -> Result<Outcome, String> {
    let mut findings = Vec::new();
    for (path, text) in rust_files()? {
        if may_be_unsafe(&path) {
            continue;
        }
        for (number, line) in source::code(&text).lines().enumerate() {
            if source::words(line).any(|word| word == "unsafe") {
                findings.push(format!(
                    "{path}:{}: unsafe outside its addresses",
                    number + 1
                ));
            }
        }
    }
    Ok(Outcome::unless(findings))
}

/// Files longer than [`MOST_LINES`] are noted.
pub fn length() -> Result<Outcome, String> {
    let mut notes = Vec::new();
    for (path, text) in rust_files()? {
        let lines = text
            .lines()
            .take_while(|line| line.trim_end() != "#[cfg(test)]")
            .count();
        if lines > MOST_LINES && !path.ends_with("/tests.rs") {
            notes.push(format!(
                "warning: {path}: {lines} lines, expected at most {MOST_LINES}"
            ));
        }
    }
    Ok(Outcome::noted(notes))
}

/// Tracked files of Rust with their texts.
pub fn rust_files() -> Result<Vec<(String, String)>, String> {
    let read = |path: String| {
        let text = std::fs::read_to_string(root().join(&path));
        text.map(|text| (path.clone(), text))
            .map_err(|error| format!("{path}: {error}"))
    };
    let files = tracked()?.into_iter();
    files
        .filter(|path| path.ends_with(".rs"))
        .map(read)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_unsafe_code() {
        for path in [
            "core/src/arch/dsp.rs",
            "core/src/capi.rs",
            "core/src/capi/tests.rs",
            "fuzz/fuzz_targets/capi.rs",
            "host-train/src/backend/cpu/arch/conv.rs",
            "host-train/src/backend/cpu/arch.rs",
            "host-train/src/backend/cuda/launch.rs",
            "cuda-kernels/src/lib.rs",
            "firmware-example/src/board/stack.rs",
        ] {
            assert!(may_be_unsafe(path), "{path}");
        }
        for path in [
            "core/src/lib.rs",
            "host-train/src/backend/cpu/mod.rs",
            "host-train/src/backend/cpu/archive.rs",
            "host-train/src/arch/mod.rs",
            "xtask/src/rules.rs",
            "firmware-example/src/network.rs",
        ] {
            assert!(!may_be_unsafe(path), "{path}");
        }
    }
}
