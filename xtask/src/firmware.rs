//! The programs of `firmware-example/` on boards that QEMU imitates: bits, instructions, memory, and
//! what their answers are worth.
//!
//! | module | holds |
//! | --- | --- |
//! | [`board`] | boards; programs built and run, with limits of time and stack |
//! | [`results`] | lines that programs print |
//! | [`kernels`] | instructions a unit of work |
//! | [`images`] | images without panics, within their memory; the program in C |
//! | [`figures`], [`elf`] | instructions of a frame and its parts; bytes of an image |
//! | [`recording`], [`replay`] | frames for a board; its answers judged by the metric |

mod board;
mod elf;
mod figures;
mod images;
mod kernels;
mod recording;
mod replay;
mod results;

use std::thread;

use crate::compiler::{Compiler, host_cargo};
use crate::setup::require_gcc;
use crate::shell::{root, write};
use crate::step::{Options, Outcome, Step};
use board::{AN386, AN500, AN547, Board, EDGE, Program, Ran, VIRT, build_here};
use figures::{Figures, millions};
pub use recording::write_golden;
use results::words;

/// Most instructions of one new frame of the preset `edge` on a Cortex-M7.
const FRAME: f64 = 16e6;
/// Readouts of `edge` whose every frame has to keep to [`FRAME`]. The fit started from the head's
/// claims costs the head and a fit, together more.
const BOUNDED: [&str; 2] = ["fit", "head"];
/// The readout that ships: see `StreamConfig::of`.
const SHIPPED: &str = "fit";
/// Most bytes of the preset `edge`: RAM for static memory and stack, flash for code and model. The
/// board's linker script holds it to both as well.
const RAM: usize = 128 * 1024;
const FLASH: usize = 256 * 1024;

/// All boards.
const BOARDS: [&Board; 4] = [&AN386, &AN500, &AN547, &VIRT];

/// The steps of `cargo xtask firmware`.
pub const STEPS: &[Step] = &[
    Step {
        name: "example",
        group: "firmware",
        about: "firmware-example: formatting, lints, its own tests (this machine)",
        run: |_| example().into(),
    },
    Step {
        name: "golden",
        group: "firmware",
        about: "the boards' golden frames are those that the generator gives",
        run: |_| golden().into(),
    },
    Step {
        name: "kernels",
        group: "firmware",
        about: "instructions a unit of work of every kernel, on every board",
        run: |options| on(&BOARDS, options, kernels),
    },
    Step {
        name: "self-test",
        group: "firmware",
        about: "kernels and every readout over golden frames: the same bits as here on every board",
        run: |options| on(&BOARDS, options, self_test),
    },
    Step {
        name: "frame",
        group: "firmware",
        about: "instructions of a new frame, part by part: edge within its budget, paper",
        run: |options| on(&PROFILED, options, frame),
    },
    Step {
        name: "replay",
        group: "firmware",
        about: "the image edge on a Cortex-M7: CSO-mAP of its answers, its worst frame, its memory",
        run: |options| on(&[&EDGE], options, replay),
    },
    Step {
        name: "image",
        group: "firmware",
        about: "the image edge: nothing in it panics, and it links within its memory only",
        run: |options| on(&[&EDGE], options, |ready| images::edge(ready[0].1)),
    },
    Step {
        name: "c-example",
        group: "firmware",
        about: "Cortex-M7: the program in C finds what the one in Rust finds",
        run: c_example,
    },
    Step {
        name: "stream",
        group: "firmware",
        about: "Cortex-M7: the demonstration prints targets",
        run: |options| on(&[&AN500], options, stream),
    },
];

/// A board and who compiles for it.
type Ready = (&'static Board, Compiler);

/// Runs `work` with those of `boards` that can be had here.
fn on(
    boards: &[&'static Board],
    options: &Options,
    work: fn(&[Ready]) -> Result<Vec<String>, String>,
) -> Outcome {
    let mut missing = Vec::new();
    let mut ready = Vec::new();
    for &board in boards {
        match board.tools(options) {
            Ok(compiler) => ready.push((board, compiler)),
            Err(why) => missing.push(format!("{}: {why}", board.name)),
        }
    }
    if ready.is_empty() {
        return Outcome::Skipped(missing.join("; "));
    }
    match work(&ready) {
        Ok(notes) => Outcome::Passed {
            passed: ready.len(),
            skipped: missing.len(),
            notes: [notes, missing].concat(),
        },
        Err(why) => Outcome::unless(why.lines().map(str::to_owned).collect()),
    }
}

/// Does all of `jobs` at once; every error, one a line.
fn together<J: Sync, T: Send>(
    jobs: &[J],
    work: impl Fn(&J) -> Result<T, String> + Sync,
) -> Result<Vec<T>, String> {
    let results: Vec<Result<T, String>> = thread::scope(|scope| {
        let work = &work;
        let spawn = |job| scope.spawn(move || work(job));
        let threads: Vec<_> = jobs.iter().map(spawn).collect();
        let lost = |_| Err("a thread panicked".to_owned());
        let join = |thread: thread::ScopedJoinHandle<'_, _>| thread.join().unwrap_or_else(lost);
        threads.into_iter().map(join).collect()
    });
    unless(results)
}

/// All values, or all errors.
fn unless<T>(results: Vec<Result<T, String>>) -> Result<Vec<T>, String> {
    let (good, bad): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    if bad.is_empty() {
        return Ok(good.into_iter().flatten().collect());
    }
    let bad: Vec<String> = bad.into_iter().filter_map(Result::err).collect();
    Err(bad.join("\n"))
}

/// One program for each board.
fn build(ready: &[Ready], name: &str) -> Result<Vec<Program>, String> {
    let mut programs = Vec::new();
    for (board, compiler) in ready {
        programs.extend(board.build(*compiler, &[name])?);
    }
    Ok(programs)
}

fn run(program: &Program) -> Result<Ran, String> {
    program.run(&[])
}

fn c_example(options: &Options) -> Outcome {
    match require_gcc(options) {
        Ok(()) => on(&[&EDGE], options, |ready| images::c_example(ready[0].1)),
        Err(missing) => Outcome::Skipped(missing),
    }
}

fn example() -> Result<Outcome, String> {
    let lints = [
        "clippy",
        "--locked",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    let tests = ["test", "--quiet", "--release", "--locked", "--lib"];
    for args in [&["fmt", "--check"][..], &lints, &tests] {
        let mut check = host_cargo(args);
        check.current_dir(root().join("firmware-example"));
        crate::shell::run(check)?;
    }
    Ok(Outcome::passed())
}

fn golden() -> Result<Outcome, String> {
    if recording::golden_is_current()? {
        return Ok(Outcome::passed());
    }
    Ok(Outcome::failed(
        "golden.frames differs from what the generator gives: cargo xtask golden",
    ))
}

fn kernels(ready: &[Ready]) -> Result<Vec<String>, String> {
    let ran = together(&build(ready, "latency")?, run)?;
    let judge = |((board, _), ran): (&Ready, Ran)| kernels::judge(board, &ran.text);
    unless(ready.iter().zip(ran).map(judge).collect())
}

fn self_test(ready: &[Ready]) -> Result<Vec<String>, String> {
    let mut programs = vec![build_here("self_test")?];
    programs.extend(build(ready, "self_test")?);
    let ran = together(&programs, run)?;
    let (here, there) = ran.split_first().ok_or("self_test: not run")?;
    let expected = words(&here.text, "hash");
    let judge = |((board, _), ran): (&Ready, &Ran)| {
        let got = words(&ran.text, "hash");
        if expected.is_empty() || got != expected {
            return Err(format!(
                "{}: expected the bits of this machine, {expected:?}, got {got:?}",
                board.name
            ));
        }
        let stack = ran.stack;
        Ok(format!(
            "{}: the same bits; {stack} bytes of stack",
            board.name
        ))
    };
    let mut notes: Vec<String> = expected.iter().map(|hash| hash.join(" ")).collect();
    notes.extend(unless(ready.iter().zip(there).map(judge).collect())?);
    Ok(notes)
}

/// Boards whose frames are profiled: the others have no double precision, or no vector kernels.
const PROFILED: [&Board; 2] = [&AN500, &AN547];

/// The figures of `edge` on all boards, and of `paper` where it fits.
fn measure(ready: &[Ready]) -> Result<Vec<Figures>, String> {
    let mut jobs = Vec::new();
    for &(board, compiler) in ready {
        let big = (board.name == AN500.name).then_some("paper");
        for model in ["edge"].into_iter().chain(big) {
            let name = format!("profile_{model}");
            let programs = board.build(compiler, &[&name])?;
            jobs.extend(programs.into_iter().map(|program| (board, model, program)));
        }
    }
    together(&jobs, |(board, model, program)| {
        let ran = run(program)?;
        Ok(Figures {
            board,
            model,
            frames: figures::frames(&ran.text, board.instructions)?,
            sizes: elf::sizes(&program.path)?,
            stack: ran.stack,
        })
    })
}

fn frame(ready: &[Ready]) -> Result<Vec<String>, String> {
    let all = measure(ready)?;
    let mut notes = Vec::new();
    for figures in &all {
        println!("{}", figures.text());
        notes.push(within(figures));
    }
    unless(notes)
}

/// The worst frame of each readout; of `edge` on a Cortex-M7, those that have to keep to the budget.
fn within(figures: &Figures) -> Result<String, String> {
    let limited = figures.board.name == AN500.name && figures.model == "edge";
    let mut worst = Vec::new();
    for frames in &figures.frames {
        let most = frames.each[2];
        let found = format!("{} {}", frames.readout, millions(most));
        if limited && BOUNDED.contains(&frames.readout.as_str()) && most > FRAME {
            let limit = millions(FRAME);
            return Err(format!(
                "edge: {found} M instructions, expected at most {limit} M"
            ));
        }
        worst.push(found);
    }
    let lacking = BOUNDED
        .iter()
        .find(|name| !figures.frames.iter().any(|f| f.readout == **name));
    if let Some(name) = lacking {
        return Err(format!(
            "{}: no figure for the readout {name}",
            figures.model
        ));
    }
    Ok(format!(
        "{} on {}: worst frame, M instructions: {}",
        figures.model,
        figures.board.name,
        worst.join(", ")
    ))
}

fn replay(ready: &[Ready]) -> Result<Vec<String>, String> {
    let mut notes = Vec::new();
    for (board, program) in ready.iter().zip(build(ready, "edge")?) {
        let (board, _) = board;
        let trials = replay::TRIALS.map(|trial| (trial, trial.record()));
        let results = together(&trials, |(trial, recording)| {
            trial.run(&program, board, SHIPPED, recording.as_ref()?)
        })?;
        let elf::Sizes { flash, ram } = elf::sizes(&program.path)?;
        let stack = results.iter().map(|result| result.stack).max().unwrap_or(0);
        let memory = format!("{flash} bytes of flash, {ram} + {stack} bytes of RAM and stack");
        notes.push(if ram + stack > RAM || flash > FLASH {
            Err(format!("{memory}, expected at most {FLASH} and {RAM}"))
        } else {
            Ok(memory)
        });
        notes.extend(results.iter().map(|result| result.judge(FRAME)));
    }
    unless(notes)
}

/// Windows of the demonstration's one scene.
const SHOWN: usize = 16;

fn stream(ready: &[Ready]) -> Result<Vec<String>, String> {
    let ran = together(&build(ready, "stream")?, run)?;
    let judge = |ran: Ran| {
        let shown = ran
            .text
            .lines()
            .filter(|line| line.contains("targets of frame"));
        let targets = words(&ran.text, "row").len();
        match shown.count() {
            SHOWN if targets >= SHOWN => Ok(format!("{targets} targets in {SHOWN} frames")),
            other => Err(format!(
                "stream: {targets} targets in {other} frames, expected {SHOWN} frames with targets"
            )),
        }
    };
    unless(ran.into_iter().map(judge).collect())
}

/// Writes the figures of all profiled boards to `benches/record/qemu/`, and prints them as the tables
/// of the boards' README; an error says what is missing.
pub fn record(date: &str) -> Result<(), String> {
    let options = Options::parse(&[], STEPS, false)?;
    let ready = |board: &&'static Board| Ok((*board, board.tools(&options)?));
    let all = measure(
        &PROFILED
            .iter()
            .map(ready)
            .collect::<Result<Vec<_>, String>>()?,
    )?;
    for figures in &all {
        println!("{}", figures.text());
    }
    for (name, text) in figures::csv(&all) {
        let file = format!("{date}-firmware-{name}.csv");
        write(&root().join("benches/record/qemu").join(file), &text)?;
    }
    Ok(())
}
