//! Project chores: `cargo xtask check`, `cargo xtask test`, `cargo xtask bench`,
//! `cargo xtask ablation`, `cargo xtask setup`, `cargo xtask firmware`, `cargo xtask cuda`,
//! `cargo xtask nightly`, `cargo xtask mutate`.
//!
//! | module | holds |
//! | --- | --- |
//! | [`step`] | steps, their order, the summary |
//! | [`check`] | formatting, lints, documentation and the project's own rules |
//! | [`rules`] | the rules on source text |
//! | [`features`] | the workspace with every feature that can be built here |
//! | [`coverage`], [`lines`] | lines of core that its tests run |
//! | [`image`] | the image linked for C: no panics; the header |
//! | [`licences`] | licences of the dependency tree |
//! | [`mod@test`] | suites, the core without std, the main job |
//! | [`mod@bench`] | benchmarks and their dated records |
//! | [`browser`] | the page of `derefnet report` in a browser |
//! | [`ablation`] | ways to train, compared in equal time |
//! | [`setup`] | compilers and QEMU for the boards, a browser |
//! | [`compiler`] | who compiles for the boards: rustup's compiler or Debian's |
//! | [`debian`] | packages of Debian |
//! | [`firmware`] | bits, instructions, memory and accuracy on boards under QEMU |
//! | [`mpi`] | training in several processes |
//! | [`cuda`] | PTX, machine code for GPUs, the suites on the emulated driver |
//! | [`nightly`] | every property on many cases, then the planted errors |
//! | [`mutate`] | errors planted one at a time, which tests must catch |
//! | [`shell`] | programs run in the repository |

mod ablation;
mod bench;
mod browser;
mod check;
mod compiler;
mod coverage;
mod cuda;
mod debian;
mod features;
mod firmware;
mod image;
mod licences;
mod lines;
mod mpi;
mod mutate;
mod nightly;
mod rules;
mod setup;
mod shell;
mod source;
mod step;
mod test;

use std::process::ExitCode;

use step::{Options, Step, Tools};

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  check [--skip NAME]... [--list]   what needs no installing: formatting, lints, rules, docs; coverage
                                    of core where LLVM's tools are
  test  [--skip NAME]... [--list]   installs what is missing, then check and every suite
  bench [--peer] [NAME]...          benchmarks; records go to benches/record/<machine>/, those of
                                    the boards (firmware, only where named) to benches/record/qemu/;
                                    mpi, which needs MPI, runs only where named
  header                            writes the C header of the core
  setup [--compiler NAME]           installs compilers and QEMU for the boards, LLVM's tools, MPI and a
                                    browser; as root on Debian it may add the suite of backports to the
                                    sources of apt-get
  firmware [--skip NAME]...         bits, instructions, memory and accuracy on boards under QEMU
  cuda [--skip NAME]... | --write   PTX of the kernels, ptxas, suites on the emulated driver;
                                    --write makes the committed PTX anew
  golden                            writes the boards' golden frames
  nightly [--skip NAME]...          every property on 50,000 cases of a new seed (or as PROPTEST_CASES
                                    and PROPTEST_RNG_SEED say), every planted error, the CUDA suites on
                                    kernels compiled by g++
  mutate [NAME]...                  plants the errors of tests/mutations/, all or by name; tests must
                                    catch them
  ablation --definition F --out D   ways to train, compared in equal time; --help has the rest

--skip takes the name of a step or of its group; --list prints both. --compiler, of test, setup and
firmware, takes rustup or debian: who compiles for the boards. Without it Debian's compiler does where
rustup has no target to give. Packages are installed by root, or by sudo where it asks for no password.
Boards whose tools are missing all the same fail firmware, and test where packages may be installed or
CI is set; elsewhere test leaves them out and says so. So it does with coverage; check installs nothing.";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

/// Runs a command: `Ok(false)` for a failed check, `Err` for bad usage.
fn dispatch(args: &[String]) -> Result<bool, String> {
    match args.split_first().map(|(name, rest)| (name.as_str(), rest)) {
        Some(("check", rest)) => run(check::STEPS.to_vec(), rest, Tools::Unused),
        Some(("test", rest)) => {
            let suites = [test::STEPS, mpi::STEPS, firmware::STEPS, cuda::STEPS].concat();
            let steps = [check::STEPS, &suites];
            run(steps.concat(), rest, Tools::Wanted)
        }
        Some(("bench", rest)) => bench::run(rest),
        Some(("header", [])) => image::write_header(),
        Some(("setup", rest)) => run(setup::STEPS.to_vec(), rest, Tools::SetUp),
        Some(("firmware", rest)) => run(firmware::STEPS.to_vec(), rest, Tools::Installed),
        Some(("cuda", [write])) if write == "--write" => cuda::write(),
        Some(("cuda", rest)) => run([cuda::STEPS, cuda::SLOW].concat(), rest, Tools::Installed),
        Some(("golden", [])) => firmware::write_golden(),
        Some(("nightly", rest)) => {
            let steps = [nightly::STEPS, &cuda::SLOW[..1]].concat();
            run(steps, rest, Tools::Unused)
        }
        Some(("mutate", rest)) => mutate::run(rest),
        Some(("ablation", rest)) => ablation::start(rest),
        Some(("help" | "--help" | "-h", _)) => {
            println!("{USAGE}");
            Ok(true)
        }
        Some((name @ ("header" | "golden"), rest)) => Err(format!(
            "{name}: expected no arguments, got {}",
            rest.join(" ")
        )),
        Some((name, _)) => Err(format!("unknown command '{name}'\n\n{USAGE}")),
        None => Err(USAGE.to_owned()),
    }
}

fn run(steps: Vec<Step>, args: &[String], tools: Tools) -> Result<bool, String> {
    let options = Options::parse(args, &steps, tools)?;
    if options.list {
        for step in &steps {
            println!("{:<14} {:<8} {}", step.name, step.group, step.about);
        }
        return Ok(true);
    }
    Ok(step::run_all(&steps, &options))
}
