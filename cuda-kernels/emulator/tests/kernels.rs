//! Kernels without a fault, interpreted and compiled for this processor: the same bits.

#![allow(
    clippy::unwrap_used,
    reason = "clippy sees tests in #[test] functions only, not in what they share"
)]

mod host;

use std::collections::BTreeMap;

use host::Argument::{At, Word};
use host::apart::{self, Mode};
use host::{Argument, download, function, init, launch, load, ok, upload, upload_floats};

const SOUND: &str = include_str!("../fixtures/sound.ptx");
const FRAGMENTS: &str = include_str!("../fixtures/fragments.ptx");

const N: usize = 200;
const BLOCKS: u32 = 4;

/// Whole numbers of all sizes and signs, by a linear congruence (Knuth's MMIX constants).
fn numbers() -> Vec<u32> {
    let mut state = 1u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32
    };
    (0..N).map(|i| next().wrapping_mul(2) >> (i % 31)).collect()
}

/// Floats of both signs from 2^-20 to 2^12, and some special ones.
fn floats() -> Vec<f32> {
    let special = [0.0, -0.0, 1.0, -1.5, 2.5, 0.5, f32::INFINITY, f32::NAN];
    let usual = numbers().into_iter().enumerate().map(|(i, bits)| {
        let x = (bits as i32 as f32) * 2f32.powi(-31 + (i % 32) as i32 - 20);
        if i % 3 == 0 { -x } else { x }
    });
    special.into_iter().chain(usual).take(N).collect()
}

/// The kernels' geometry, `(n, w, h, scale)`.
fn shape() -> [u32; 4] {
    [N as u32, 13, 7, 0.75f32.to_bits()]
}

/// Launches `name` with the geometry and addresses; the geometry is an argument of 16 bytes.
fn run(name: &str, addresses: &[u64]) {
    use cuda::api::kernel::cuLaunchKernel;
    let kernel = function(load(SOUND), name);
    let shape = shape();
    let mut pointers = vec![shape.as_ptr().cast_mut().cast()];
    let values = addresses.iter();
    pointers.extend(values.map(|value| std::ptr::from_ref(value).cast_mut().cast()));
    let none = std::ptr::null_mut();
    // SAFETY: the geometry and every address are read while queued.
    ok(unsafe {
        cuLaunchKernel(
            kernel,
            BLOCKS,
            1,
            1,
            64,
            1,
            1,
            256,
            0,
            pointers.as_mut_ptr(),
            none,
        )
    });
}

fn results() -> BTreeMap<&'static str, Vec<u32>> {
    let mut results = BTreeMap::new();
    let (whole, real) = (upload(&numbers()), upload_floats(&floats()));
    let mut keep = |name, from, count| {
        let to = upload(&vec![0; count]);
        run(name, &[from, to]);
        results.insert(name, download(to, count));
    };
    keep("sound_integers", whole, 16 * N);
    keep("sound_floats", real, 16 * N);
    keep("sound_functions", real, 4 * N);
    keep("sound_divergence", whole, N);
    keep(
        "sound_shared",
        upload_floats(&vec![1.25; N]),
        2 * BLOCKS as usize,
    );
    let (to, total) = (upload(&[0; N]), upload(&[0]));
    run("sound_vectors", &[whole, to, total]);
    results.insert("sound_vectors", download(to, N));
    results.insert("total", download(total, 1));
    results.insert("fragments", fragments());
    results
}

fn fragments() -> Vec<u32> {
    let values = floats();
    let a: Vec<f32> = (0..128).map(|i| values[8 + i]).collect();
    let b: Vec<f32> = (0..64).map(|i| values[72 + i]).collect();
    let d = upload(&[0; 128]);
    let arguments: [Argument; 3] = [At(upload_floats(&a)), At(upload_floats(&b)), At(d)];
    let kernel = function(load(FRAGMENTS), "fragments_product");
    ok(launch(kernel, (1, 32), 0, 0, &arguments));
    download(d, 128)
}

fn child(mode: Mode) -> Option<BTreeMap<String, Vec<u32>>> {
    let output = apart::run("modes_agree", mode)?;
    let text = apart::text(&output);
    assert!(output.status.success(), "{text}");
    let lines = text.lines().filter_map(|line| line.strip_prefix("result "));
    let parsed = lines.map(|line| {
        let (name, words) = line.split_once(' ').unwrap();
        let words = words
            .split(' ')
            .map(|word| u32::from_str_radix(word, 16).unwrap());
        (name.to_owned(), words.collect())
    });
    Some(parsed.collect())
}

/// Units in the last place between two floats.
fn apart_by(a: u32, b: u32) -> u32 {
    let (x, y) = (f32::from_bits(a), f32::from_bits(b));
    if x.is_nan() && y.is_nan() || x == y {
        0
    } else {
        a.abs_diff(b)
    }
}

#[test]
fn modes_agree() {
    if apart::is_child() {
        init();
        for (name, words) in results() {
            let words: Vec<_> = words.iter().map(|word| format!("{word:x}")).collect();
            println!("\nresult {name} {}", words.join(" "));
        }
        return;
    }
    let interpreted = child(Mode::Ptx).unwrap();
    assert_eq!(interpreted.len(), 8);
    let Some(compiled) = child(Mode::Native) else {
        return;
    };
    for (name, words) in &interpreted {
        // expf and the like: libm's against the GPU's polynomial on exact ex2 and lg2.
        let most = if name == "sound_functions" { 4 } else { 0 };
        for (at, (a, b)) in words.iter().zip(&compiled[name]).enumerate() {
            let same = if name == "sound_integers" {
                a.abs_diff(*b)
            } else {
                apart_by(*a, *b)
            };
            assert!(same <= most, "{name}[{at}]: PTX {a:#x}, compiled {b:#x}");
        }
        assert_eq!(words.len(), compiled[name].len());
    }
}

#[test]
fn results_are_right() {
    if apart::is_child() {
        return;
    }
    init();
    let results = results();
    let x = numbers();
    let [a, b] = [x[3], x[4]].map(|bits| bits as i32);
    let y = &results["sound_integers"][16 * 3..];
    assert_eq!(
        y[0],
        a.wrapping_add(b.wrapping_mul(7)).wrapping_sub(a >> 3) as u32
    );
    assert_eq!(y[3], ((i64::from(a) * i64::from(b)) >> 17) as u32);
    let blocks: u32 = (0..N as u32 / 4).sum();
    assert_eq!(results["total"], [blocks]);
    let sums = results["sound_shared"]
        .iter()
        .step_by(2)
        .map(|bits| f32::from_bits(*bits));
    let last = (N as u32 - 3 * 64) as f32;
    assert_eq!(sums.collect::<Vec<_>>(), [80.0, 80.0, 80.0, 1.25 * last]);
    let values = floats();
    for (i, bits) in results["fragments"].iter().enumerate() {
        let round = |x: f32| f32::from_bits((x.to_bits() + 0x1000) & !0x1fff);
        let product = |k| round(values[8 + i / 8 * 8 + k]) * round(values[72 + k * 8 + i % 8]);
        let sum: f64 = (0..8).map(|k| f64::from(product(k))).sum();
        let scale: f64 = (0..8).map(|k| f64::from(product(k)).abs()).sum();
        let got = f64::from(f32::from_bits(*bits));
        // Eight roundings to 24 bits.
        assert!(
            (got - sum).abs() <= 8.0 * 2f64.powi(-24) * scale,
            "{i}: {got} and {sum}"
        );
    }
}

#[test]
fn a_launch_of_no_use_is_refused() {
    if apart::is_child() {
        return;
    }
    init();
    let kernel = function(load(SOUND), "sound_divergence");
    let code = launch(kernel, (1, 65), 0, 0, &[Word(0), At(0), At(0)]);
    host::fails(
        code,
        cuda::error::Code::LAUNCH_OUT_OF_RESOURCES,
        "65 threads a block",
    );
}
