//! Tells which extensions of an ARM target the kernels may use: the compiler keeps the target
//! features `dsp` and `mve` to itself, so they are read off the target and its flags.

use std::env::var;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(derefnet_dsp)");
    println!("cargo::rustc-check-cfg=cfg(derefnet_mve)");
    if var("CARGO_CFG_TARGET_ARCH").as_deref() != Ok("arm") {
        return;
    }
    let target = var("TARGET").unwrap_or_default();
    let flags = var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let mve = enabled(&flags, "mve", &["cortex-m52", "cortex-m55", "cortex-m85"]);
    let dsp = enabled(&flags, "dsp", &["cortex-m33", "cortex-m35p"]);
    if mve {
        println!("cargo::rustc-cfg=derefnet_mve");
    }
    // The letter E of ARMv7E-M stands for the DSP extension; MVE includes it.
    if mve || dsp || target.starts_with("thumbv7em-") {
        println!("cargo::rustc-cfg=derefnet_dsp");
    }
}

/// Whether `flags` ask for one of `cpus` or for `feature`; what is said of the feature itself
/// prevails.
fn enabled(flags: &str, feature: &str, cpus: &[&str]) -> bool {
    let values = |option: &str| {
        let option = format!("{option}=");
        flags
            .split('\u{1f}')
            .filter_map(move |flag| flag.trim_start_matches("-C").strip_prefix(&option))
            .collect::<Vec<_>>()
    };
    let named = values("target-feature")
        .into_iter()
        .flat_map(|list| list.split(','))
        .filter(|word| word.get(1..) == Some(feature))
        .map(|word| word.starts_with('+'))
        .next_back();
    let cpu = values("target-cpu").pop();
    named.unwrap_or(cpu.is_some_and(|cpu| cpus.contains(&cpu)))
}
