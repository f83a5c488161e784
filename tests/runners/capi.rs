//! The C interface from C: `tests/c/stream.c` against the Rust interface, bit by bit.
#![allow(
    clippy::unwrap_used,
    reason = "clippy sees tests in #[test] functions only, not in what they share"
)]

use std::fmt::Write as _;
use std::mem::offset_of;
use std::path::{Path, PathBuf};
use std::process::Command;

use derefnet::dataset::Split;
use derefnet::scene::{SceneConfig, generate};
use derefnet_core::arch::Kernels;
use derefnet_core::capi::{
    DREF_READOUT_FIT, DREF_READOUT_GRID, DREF_READOUT_HEAD, DREF_READOUT_HEAD_FIT,
    DREF_READOUT_HEAD_PRIOR, DrefAnswer, DrefConfig, DrefInfo, DrefTarget,
};
use derefnet_core::locate::Target;
use derefnet_core::physics::{FRAME_LEN, WINDOW};
use derefnet_core::stream::{Answer, MapMemory, Readout, Stream, StreamConfig};
use derefnet_core::weights::Model;
use derefnet_tests::models::{Sizes, random_model};

const FRAMES: usize = 8;
const PEDESTAL: u16 = 50;
const READOUTS: [(u32, Readout); 5] = [
    (DREF_READOUT_GRID, Readout::Grid),
    (DREF_READOUT_FIT, Readout::Fit),
    (DREF_READOUT_HEAD, Readout::Head),
    (DREF_READOUT_HEAD_FIT, Readout::HeadFit),
    (DREF_READOUT_HEAD_PRIOR, Readout::HeadPrior),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Frames of a noisy scene with a pedestal.
fn frames() -> Vec<[u16; FRAME_LEN]> {
    let scene = SceneConfig {
        targets: [3, 3],
        noise: [1.0; 2],
        ..SceneConfig::default()
    };
    let trajectory = generate(&scene, 1, Split::Train, 0);
    let counts: Vec<u16> = trajectory
        .frames
        .iter()
        .map(|&count| (i64::from(count) + i64::from(PEDESTAL)).clamp(0, 65_535) as u16)
        .collect();
    let frames = counts.as_chunks().0.iter().copied();
    frames.take(FRAMES).collect()
}

/// One dead pixel in the middle of every third frame.
fn dead(frame: usize) -> Option<[bool; FRAME_LEN]> {
    (frame % 3 == 0).then(|| std::array::from_fn(|pixel| pixel == 60))
}

/// A C initialiser of an `ExpectedAnswer`.
fn initialiser(answer: &Answer<'_>) -> String {
    let fields = |target: &Target| {
        [
            target.x,
            target.y,
            target.intensity,
            target.sigma_x,
            target.sigma_y,
            target.correlation,
            target.sigma_intensity,
            target.score,
        ]
        .map(|field| format!("{:#x}", field.to_bits()))
        .join(", ")
    };
    let mut targets: Vec<String> = answer.targets.iter().map(fields).collect();
    targets.resize(8, "0".to_owned());
    format!(
        "{{{}, {}, {:#x}, {{{{{}}}}}}}",
        answer.targets.len(),
        answer.saturated,
        answer.reduced_chi2.unwrap_or(f64::NAN).to_bits(),
        targets.join("}, {")
    )
}

fn list<T>(values: impl IntoIterator<Item = T>, text: impl Fn(T) -> String) -> String {
    let values: Vec<String> = values.into_iter().map(text).collect();
    format!("{{{}}}", values.join(", "))
}

/// What the Rust interface answers, as a C header.
fn expected(file: &[u8]) -> String {
    let model = Model::load(file).unwrap();
    let frames = frames();
    let (mut answers, mut windows, mut map) = (Vec::new(), Vec::new(), Vec::new());
    for (_, readout) in READOUTS {
        let config = StreamConfig {
            readout,
            pedestal: PEDESTAL,
            ..StreamConfig::of(&model)
        };
        let mut memory = Box::new(MapMemory::<16>::new());
        let mut stream = Stream::new(model.clone(), config, Kernels::SCALAR, &mut *memory).unwrap();
        let mut of_readout = Vec::new();
        for (frame, readings) in frames.iter().enumerate() {
            let dead = dead(frame);
            let answer = stream.push(readings, dead.as_ref().map(|dead| &dead[..]));
            if let Some(answer) = answer.unwrap() {
                of_readout.push(initialiser(&answer));
                map = answer.map.map_or(map, |map| map.counts().collect());
            }
        }
        answers.push(format!("{{{}}}", of_readout.join(",\n")));
        let last = FRAMES - WINDOW..FRAMES;
        let flags = last.clone().flat_map(|f| dead(f).unwrap_or([false; 121]));
        let flags: Vec<bool> = flags.collect();
        let window = stream.window(frames[last].as_flattened(), Some(&flags));
        windows.push(initialiser(&window.unwrap()));
    }
    let mut text = layout();
    let readouts = list(READOUTS, |(code, _)| code.to_string());
    let readings = list(&frames, |frame| list(frame, u16::to_string));
    let flags = (0..FRAMES).flat_map(|f| dead(f).unwrap_or([false; 121]));
    let dead = list(0..FRAMES, |f| {
        let flags = dead(f).map(|_| format!("DEAD_FLAGS + {}", f * FRAME_LEN));
        flags.unwrap_or_else(|| "NULL".to_owned())
    });
    let map = list(map, |cell: f32| format!("{:#x}", cell.to_bits()));
    write!(
        text,
        "#define EXPECTED_PEDESTAL {PEDESTAL}\n\
         enum {{ EXPECTED_RUNS = {}, EXPECTED_FRAMES = {FRAMES} }};\n\
         typedef struct {{ uint32_t count, saturated; uint64_t reduced_chi2, targets[8][8]; }} \
         ExpectedAnswer;\n\
         static const uint32_t EXPECTED_READOUTS[] = {readouts};\n\
         static const uint16_t READINGS[][121] = {readings};\n\
         static const uint8_t DEAD_FLAGS[] = {};\n\
         static const uint8_t *const DEAD[] = {dead};\n\
         static const uint32_t MAP[] = {map};\n\
         static const ExpectedAnswer ANSWERS[][{}] = {{{}}};\n\
         static const ExpectedAnswer WINDOWS[] = {{{}}};\n",
        READOUTS.len(),
        list(flags, |flag| u8::from(flag).to_string()),
        FRAMES - WINDOW + 1,
        answers.join(",\n"),
        windows.join(",\n"),
    )
    .unwrap();
    text
}

/// Sizes and places as Rust sees them.
fn layout() -> String {
    [
        ("CONFIG_BYTES", size_of::<DrefConfig>()),
        ("TARGET_BYTES", size_of::<DrefTarget>()),
        ("ANSWER_BYTES", size_of::<DrefAnswer>()),
        ("INFO_BYTES", size_of::<DrefInfo>()),
        ("SATURATION_AT", offset_of!(DrefConfig, saturation)),
        ("SATURATED_AT", offset_of!(DrefAnswer, saturated)),
        ("SCORE_AT", offset_of!(DrefTarget, score)),
        ("HEAD_CHANNELS_AT", offset_of!(DrefInfo, head_channels)),
    ]
    .map(|(name, value)| format!("#define DREF_TEST_{name} {value}\n"))
    .concat()
}

/// Whether there is such a program.
fn is_there(program: &str) -> bool {
    let run = Command::new(program).arg("--version").output();
    run.is_ok_and(|output| output.status.success())
}

fn succeed(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// `libderefnet_core.a` for this machine.
fn library() -> PathBuf {
    let target = root().join("target/static");
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--release", "--locked", "--quiet", "--target-dir"]);
    build
        .arg(&target)
        .current_dir(root().join("core/staticlib"));
    succeed(&mut build);
    target.join("release/libderefnet_core.a")
}

#[test]
fn c_and_rust_agree() {
    if !is_there("gcc") {
        println!("skipped: no gcc, which compiles tests/c/stream.c");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let library = library();
    let sizes = Sizes {
        map: Some([16, 2, 1]),
        head: Some([16, 1]),
    };
    let edge = std::fs::read(root().join("core/models/edge.dref")).unwrap();
    for (name, file) in [("small", random_model(3, sizes)), ("edge", edge)] {
        let model = folder.path().join(format!("{name}.dref"));
        let program = folder.path().join(name);
        std::fs::write(&model, &file).unwrap();
        std::fs::write(folder.path().join("expected.h"), expected(&file)).unwrap();
        let mut compile = Command::new("gcc");
        compile.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-g", "-o"]);
        compile.arg(&program).arg(root().join("tests/c/stream.c"));
        compile.arg("-I").arg(root().join("core/include"));
        compile.arg("-I").arg(folder.path()).arg(&library);
        succeed(&mut compile);
        succeed(Command::new(&program).arg(&model));
        if !is_there("valgrind") {
            println!("skipped: no valgrind, which watches the memory of tests/c/stream.c");
            continue;
        }
        let mut watched = Command::new("valgrind");
        watched.args(["--error-exitcode=1", "--leak-check=full", "--quiet"]);
        succeed(watched.arg(&program).arg(&model));
    }
}
