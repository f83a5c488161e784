//! The programs of `firmware-example/` on boards that QEMU imitates: bits, instructions, memory, and
//! what their answers are worth.
//!
//! | module | holds |
//! | --- | --- |
//! | [`board`] | boards; programs built and run, with limits of time and stack |
//! | [`results`] | lines that programs print |
//! | [`mod@kernels`] | instructions a unit of work |
//! | [`images`] | images without panics, within their memory; the program in C |
//! | [`figures`], [`elf`] | instructions of a frame and its parts; bytes of an image |
//! | [`mod@record`] | figures kept, and held to those kept last |
//! | [`recording`], [`mod@replay`] | frames for a board; its answers judged by the metric |

mod board;
mod elf;
mod figures;
mod images;
mod kernels;
mod record;
mod recording;
mod replay;
mod results;

use std::path::PathBuf;
use std::thread;

use crate::compiler::{Compiler, host_cargo};
use crate::setup::require_gcc;
use crate::shell::root;
use crate::step::{Options, Outcome, Step, Tools};
use board::{AN500, AN547, BOARDS, Board, EDGE, Program, Ran, build_here};
use figures::Figures;
pub use recording::write_golden;
use results::words;

/// Most instructions of one new frame of the preset `edge` on a Cortex-M7.
const FRAME: f64 = 16e6;
/// The readout that ships: see `StreamConfig::of`.
const SHIPPED: &str = "fit";
/// Most bytes of the preset `edge`: RAM for static memory and stack, flash for code and model. The
/// board's linker script holds it to both as well.
const RAM: usize = 128 * 1024;
const FLASH: usize = 256 * 1024;

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

/// Runs `work` with those of `boards` that can be had here; all, where `options` insist.
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
    if !missing.is_empty() {
        let lacking = options.lacking(missing.join("\n"));
        if ready.is_empty() || matches!(lacking, Outcome::Failed { .. }) {
            return lacking;
        }
    }
    let not_checked = |why: String| format!("NOT CHECKED: {why}");
    match work(&ready) {
        Ok(notes) => Outcome::Passed {
            passed: ready.len(),
            skipped: missing.len(),
            notes: missing.into_iter().map(not_checked).chain(notes).collect(),
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
        Err(missing) => options.lacking(missing),
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
    let all = latencies(ready)?;
    let mut notes: Vec<_> = all.iter().map(kernels::Latencies::judge).collect();
    notes.push(kernels::table(&all).held_to_record());
    unless(notes)
}

/// What every kernel takes on all boards.
fn latencies(ready: &[Ready]) -> Result<Vec<kernels::Latencies>, String> {
    let ran = together(&build(ready, "latency")?, run)?;
    let read = |((board, _), ran): (&Ready, Ran)| {
        let latencies = kernels::Latencies::read(board, &ran.text)?;
        println!("{}", latencies.text());
        Ok(latencies)
    };
    unless(ready.iter().zip(ran).map(read).collect())
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
        notes.push(figures.judge(FRAME));
    }
    let tables = figures::tables(&all);
    notes.extend(tables.iter().map(record::Table::held_to_record));
    unless(notes)
}

fn replay(ready: &[Ready]) -> Result<Vec<String>, String> {
    let (figures, results) = replayed(ready)?;
    let images::Memory { sizes, stack } = figures;
    let elf::Sizes { flash, ram } = sizes;
    let memory = format!("{flash} bytes of flash, {ram} + {stack} bytes of RAM and stack");
    let mut notes = vec![if ram + stack > RAM || flash > FLASH {
        Err(format!("{memory}, expected at most {FLASH} and {RAM}"))
    } else {
        Ok(memory)
    }];
    notes.extend(results.iter().map(|result| result.judge(FRAME)));
    notes.push(replay::table(&results).held_to_record());
    notes.push(images::table(&figures).held_to_record());
    unless(notes)
}

/// The image `edge` over the windows of every trial.
fn replayed(ready: &[Ready]) -> Result<(images::Memory, Vec<replay::Replayed>), String> {
    let programs = build(ready, "edge")?;
    let ([(board, _)], [program]) = (ready, &programs[..]) else {
        return Err("replay: expected one board".to_owned());
    };
    let trials = replay::TRIALS.map(|trial| (trial, trial.record()));
    let results = together(&trials, |(trial, recording)| {
        trial.run(program, board, SHIPPED, recording.as_ref()?)
    })?;
    let memory = images::Memory {
        sizes: elf::sizes(&program.path)?,
        stack: results.iter().map(|result| result.stack).max().unwrap_or(0),
    };
    Ok((memory, results))
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

/// Measures everything on all boards, prints it, and keeps it in `benches/record/qemu/` under `date`;
/// the folder, or what is missing.
pub fn record(date: &str) -> Result<PathBuf, String> {
    let options = Options::parse(&[], STEPS, Tools::Needed)?;
    let ready = |boards: &[&'static Board]| {
        let tools = |board: &&'static Board| board.tools(&options).map(|tools| (*board, tools));
        boards.iter().map(tools).collect::<Result<Vec<Ready>, _>>()
    };
    let boards = ready(&BOARDS)?;
    let kernels = latencies(&boards)?;
    let figures = measure(&ready(&PROFILED)?)?;
    figures.iter().for_each(|each| println!("{}", each.text()));
    let (memory, results) = replayed(&ready(&[&EDGE])?)?;
    for result in &results {
        println!("{}", result.judge(FRAME)?);
    }
    let mut tables = vec![kernels::table(&kernels), replay::table(&results)];
    tables.extend(figures::tables(&figures));
    tables.push(images::table(&memory));
    for table in &tables {
        table.keep(date)?;
    }
    record::keep_circumstances(date, boards[0].1)
}
