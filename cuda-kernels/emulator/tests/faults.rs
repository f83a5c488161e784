//! Planted faults: each must be found, and told with its place.
//!
//! `FAULTS.md` is written from the list here; `DEREFNET_WRITE_FAULTS=1` writes it anew.

#![allow(
    clippy::unwrap_used,
    reason = "clippy sees tests in #[test] functions only, not in what they share"
)]

mod host;

use cuda::api::{memory, stream};
use cuda::error::Code;
use host::Argument::{At, Word};
use host::apart::{self, Mode};
use host::{
    allocate, download, fails, function, init, launch, load, new_stream, ok, pinned, try_download,
    upload, upload_floats,
};

const FAULTS: &str = include_str!("../fixtures/faults.ptx");

/// Elements: three blocks of 64, the last one part empty.
const N: usize = 150;

/// A fault and how it shows.
struct Fault {
    name: &'static str,
    /// What is wrong, in words.
    what: &'static str,
    /// What is told where PTX is interpreted.
    ptx: &'static str,
    /// What is told where kernels are compiled; empty where only the interpreter finds it.
    native: &'static str,
    run: fn(),
}

/// Says that a kernel's answer is not the right one.
const WRONG: &str = "wrong result";

macro_rules! faults {
    ($($name:ident: $what:literal, $ptx:expr, $native:expr, $run:expr;)*) => {
        const LIST: &[Fault] = &[$(Fault {
            name: stringify!($name),
            what: $what,
            ptx: $ptx,
            native: $native,
            run: $run,
        }),*];

        $(
            #[test]
            fn $name() {
                found(stringify!($name));
            }
        )*
    };
}

faults! {
    missing_barrier: "no barrier between writing and reading shared memory",
        "of this block reads it at PTX line", WRONG,
        || kernel("faults_no_barrier", |x, i| x[i / 64 * 64 + 63 - i % 64], N / 64 * 64);
    missing_warp_barrier: "no __syncwarp between lanes that exchange words",
        "no barrier orders the two", "", || kernel("faults_no_warp_barrier", |x, i| x[i ^ 1], N);
    index_out_of_bounds: "one element beyond the end is read and written",
        "0 bytes behind the end of an allocation of 600 bytes",
        "behind the end of an allocation of 4096 bytes", out_of_bounds;
    wrong_stride: "rows are taken to be wider than they are",
        "bytes behind the end of an allocation of 600 bytes", "behind the end of an allocation of 600 bytes",
        || kernel("faults_stride", |x, i| x[i], N);
    shared_out_of_bounds: "one element behind shared memory is written",
        "4 bytes at 0x100 of the block's shared memory, which has 256 bytes",
        "byte 256 of shared memory of 256 bytes",
        || kernel("faults_shared_bounds", |x, i| x[i], N);
    divergent_barrier: "half of the threads reach a barrier",
        "barrier in divergent code: ", "have returned, some wait at faults.cu:",
        || kernel("faults_divergent", |x, i| x[i], N);
    early_return: "threads return before a barrier that others wait at",
        "has returned, others wait at", "have returned, some wait at faults.cu:",
        || kernel("faults_early_return", |x, i| x[i] + x[i / 64 * 64], N);
    unwritten_shared: "an element of shared memory is read that nobody wrote",
        "never written: byte 256", WRONG,
        || kernel("faults_unwritten", |x, i| x[i] + if i % 64 < 63 { x[i + 1] } else { 0.0 }, N - 1);
    unwritten_global: "a buffer is read that nobody wrote",
        "read from global memory: never written", WRONG, unwritten;
    racing_blocks: "every block adds to the same element",
        "nothing between blocks orders the two", "", || kernel("faults_blocks", |_, i| i as f32, 0);
    missing_lanes: "a shuffle names lanes that are elsewhere",
        "lanes 0x0000ffff elsewhere for good", "wait for lanes 0xffffffff at faults.cu:",
        || kernel("faults_lanes", |x, i| x[i], N);
    host_pointer: "a host pointer is given to a kernel",
        "argument 1: ", "no device address (a host pointer", pass_host_pointer;
    freed_buffer: "a kernel is given a buffer that was freed",
        "in a freed buffer of 600 bytes", "in a freed buffer of 600 bytes", freed;
    device_pointer_as_host: "a device address is copied from as if it were the host's",
        "is a device address, expected host memory", "is a device address", copy_from_device;
    argument_missing: "a launch passes one argument too few",
        "argument 2 is missing: the kernel has 3", "argument 2 is missing: the kernel has 3", missing;
    argument_too_many: "a launch passes one argument too many",
        "more arguments than the kernel has, expected 3", "expected 3", too_many;
    too_much_shared: "a launch asks for more shared memory than it may",
        "too much shared memory: 60000 bytes", "too much shared memory: 60000 bytes", shared_memory;
    too_many_threads: "a block has more threads than __launch_bounds__ says",
        "128 threads a block, expected at most 64", "expected at most 64", threads;
    early_read: "the host reads a result before it waits for the copy",
        "read too early: ffffffff", "read too early: ffffffff", read_early;
    early_reuse: "the host overwrites a buffer before it was copied",
        "the copy took 2", "the copy took 2", reuse_early;
    early_free: "page-locked memory is freed before its copy ran",
        "a copy from or to it has not run yet", "a copy from or to it has not run yet", free_early;
    unordered_streams: "one stream reads what another writes, with no event between",
        "the other stream read 1", "the other stream read 1", unordered;
    host_access: "the host dereferences a device address",
        "the host touches device memory", "the host touches device memory", touch_from_host;
}

/// Runs the fault in processes of its own and looks for what is told.
fn found(name: &str) {
    let fault = LIST.iter().find(|fault| fault.name == name).unwrap();
    if apart::is_child() {
        init();
        (fault.run)();
        return;
    }
    for (mode, expected) in [(Mode::Ptx, fault.ptx), (Mode::Native, fault.native)] {
        if expected.is_empty() {
            continue;
        }
        let Some(output) = apart::run(name, mode) else {
            continue;
        };
        let text = apart::text(&output);
        assert!(
            text.contains(expected),
            "{mode:?}, expected: {expected}\n{text}"
        );
    }
}

fn values() -> Vec<f32> {
    (0..N).map(|i| (i * 7 % 31) as f32 + 0.5).collect()
}

/// Runs a kernel of the fixtures; says so where its first `count` answers are not `right`.
fn kernel(name: &str, right: fn(&[f32], usize) -> f32, count: usize) {
    let values = values();
    let (x, y) = (upload_floats(&values), upload(&vec![0; N]));
    let blocks = N.div_ceil(64) as u32;
    let arguments = [Word(N as u32), At(x), At(y)];
    ok(launch(
        function(load(FAULTS), name),
        (blocks, 64),
        0,
        0,
        &arguments,
    ));
    let (code, got) = try_download(y, N);
    if code != Code::SUCCESS {
        return;
    }
    let wrong = (0..count).find(|&i| f32::from_bits(got[i]) != right(&values, i));
    if let Some(i) = wrong {
        println!("{WRONG} of {name} at {i}");
    }
}

/// Whole pages, whose end is the guard's start.
fn out_of_bounds() {
    let n = if std::env::var_os("DEREFNET_CUDA_MODE").is_some() {
        1024
    } else {
        N
    };
    let (x, y) = (upload(&vec![0; n]), upload(&vec![0; n]));
    let arguments = [Word(n as u32), At(x), At(y)];
    let blocks = n as u32 / 64 + 1;
    ok(launch(
        function(load(FAULTS), "faults_bounds"),
        (blocks, 64),
        0,
        0,
        &arguments,
    ));
    let (code, _) = try_download(y, n);
    assert_eq!(code, Code::ILLEGAL_ADDRESS);
}

fn sound() -> usize {
    function(load(FAULTS), "faults_sound")
}

fn unwritten() {
    let (x, y) = (allocate(4 * N), upload(&vec![0; N]));
    ok(launch(
        sound(),
        (3, 64),
        0,
        0,
        &[Word(N as u32), At(x), At(y)],
    ));
    let (code, got) = try_download(y, N);
    if code == Code::SUCCESS && f32::from_bits(got[0]).is_nan() {
        println!("{WRONG}: NaN");
    }
}

fn pass_host_pointer() {
    let (x, y) = (values(), upload(&vec![0; N]));
    let arguments = [Word(N as u32), At(x.as_ptr() as u64), At(y)];
    let code = launch(sound(), (3, 64), 0, 0, &arguments);
    assert_eq!(code, Code::INVALID_VALUE);
}

fn freed() {
    let (x, y) = (upload_floats(&values()), upload(&vec![0; N]));
    ok(memory::cuMemFree_v2(x));
    let code = launch(sound(), (3, 64), 0, 0, &[Word(N as u32), At(x), At(y)]);
    assert_eq!(code, Code::INVALID_VALUE);
}

fn copy_from_device() {
    let (x, y) = (upload(&[0; N]), upload(&[0; N]));
    // SAFETY: the driver refuses the address.
    let code = unsafe { memory::cuMemcpyHtoD_v2(x, y as *const _, 4 * N) };
    assert_eq!(code, Code::INVALID_VALUE);
}

fn missing() {
    let code = launch(
        sound(),
        (3, 64),
        0,
        0,
        &[Word(N as u32), At(upload(&[0; N]))],
    );
    assert_eq!(code, Code::INVALID_VALUE);
}

fn too_many() {
    // SAFETY: this process has one thread that looks at its environment.
    unsafe { std::env::set_var("DEREFNET_CUDA_ARGUMENTS_END", "1") };
    let (x, y) = (At(upload_floats(&values())), At(upload(&[0; N])));
    ok(launch(sound(), (3, 64), 0, 0, &[Word(N as u32), x, y]));
    let code = launch(sound(), (3, 64), 0, 0, &[Word(N as u32), x, y, Word(1)]);
    assert_eq!(code, Code::INVALID_VALUE);
}

fn shared_memory() {
    let (x, y) = (At(upload_floats(&values())), At(upload(&[0; N])));
    let code = launch(sound(), (3, 64), 60_000, 0, &[Word(N as u32), x, y]);
    assert_eq!(code, Code::INVALID_VALUE);
}

fn threads() {
    let (x, y) = (At(upload_floats(&values())), At(upload(&[0; N])));
    let code = launch(sound(), (2, 128), 0, 0, &[Word(N as u32), x, y]);
    assert_eq!(code, Code::LAUNCH_OUT_OF_RESOURCES);
}

fn read_early() {
    let (from, to, stream) = (upload(&[7]), pinned(1), new_stream());
    // SAFETY: page-locked memory of the driver.
    ok(unsafe { memory::cuMemcpyDtoHAsync_v2(to.as_mut_ptr().cast(), from, 4, stream) });
    let early = to[0];
    println!("read too early: {early:x}");
    ok(stream::cuStreamSynchronize(stream));
    assert_eq!(to[0], 7);
}

fn reuse_early() {
    let (from, to, stream) = (pinned(1), upload(&[0]), new_stream());
    from[0] = 1;
    // SAFETY: page-locked memory of the driver.
    ok(unsafe { memory::cuMemcpyHtoDAsync_v2(to, from.as_ptr().cast(), 4, stream) });
    from[0] = 2;
    println!("the copy took {}", download(to, 1)[0]);
}

fn free_early() {
    let (from, to, stream) = (pinned(1), upload(&[0]), new_stream());
    // SAFETY: page-locked memory of the driver.
    let code = unsafe {
        ok(memory::cuMemcpyHtoDAsync_v2(
            to,
            from.as_ptr().cast(),
            4,
            stream,
        ));
        memory::cuMemFreeHost(from.as_mut_ptr().cast())
    };
    fails(code, Code::INVALID_VALUE, "has not run yet");
}

/// With an event between them the second stream reads 2.
fn unordered() {
    let (buffer, to) = (upload(&[1]), pinned(1));
    let (writes, reads) = (new_stream(), new_stream());
    ok(memory::cuMemsetD32Async(buffer, 2, 1, writes));
    // SAFETY: page-locked memory of the driver.
    ok(unsafe { memory::cuMemcpyDtoHAsync_v2(to.as_mut_ptr().cast(), buffer, 4, reads) });
    ok(stream::cuStreamSynchronize(reads));
    println!("the other stream read {}", to[0]);
}

fn touch_from_host() {
    let address = upload(&[1]) as *const u32;
    // SAFETY: none; the process ends here.
    let word = unsafe { address.read_volatile() };
    println!("read {word}");
}

/// The same launch without its fault.
#[test]
fn the_sound_kernel_passes() {
    if apart::is_child() {
        init();
        let right = |x: &[f32], i: usize| x[i] + if i % 64 < 63 { x[i + 1] } else { 0.0 };
        kernel("faults_sound", right, N - 1);
        println!("done");
        return;
    }
    for mode in [Mode::Ptx, Mode::Native] {
        let Some(output) = apart::run("the_sound_kernel_passes", mode) else {
            continue;
        };
        let text = apart::text(&output);
        assert!(output.status.success() && text.contains("done"), "{text}");
        assert!(
            !text.contains(WRONG) && !text.contains("emulated CUDA driver"),
            "{text}"
        );
    }
}

#[test]
fn the_list_is_current() {
    let mut text = String::from(
        "# Planted faults\n\nWritten by `tests/faults.rs`, whose test of that name fails unless the \
         fault is told as here. Told by `ptx` mode, and by `native` mode.\n\n\
         | test | fault | interpreted PTX | compiled by g++ |\n| --- | --- | --- | --- |\n",
    );
    for Fault {
        name,
        what,
        ptx,
        native,
        ..
    } in LIST
    {
        let native = if native.is_empty() {
            "not found".to_owned()
        } else {
            format!("`{native}`")
        };
        text += &format!("| `{name}` | {what} | `{ptx}` | {native} |\n");
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("FAULTS.md");
    if std::env::var_os("DEREFNET_WRITE_FAULTS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == text,
        "FAULTS.md: DEREFNET_WRITE_FAULTS=1 cargo test --test faults writes it"
    );
}
