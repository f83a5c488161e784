//! A kernel without its barriers, one after another: the interpreter misses each.
#![allow(
    clippy::unwrap_used,
    reason = "clippy sees tests in #[test] functions only, not in what they share"
)]

mod host;

use cuda::error::Code;
use host::apart;
use host::{function, init, load, ok, try_download, upload, upload_floats};

/// The sums of `sound_shared` in PTX mode, with barrier number `without` taken out of its PTX.
fn sums_without(without: Option<usize>) {
    let text = include_str!("../fixtures/sound.ptx");
    let (before, from) = text.split_once(".entry sound_shared").unwrap();
    let mut parts = from.split("bar.sync \t0;").enumerate();
    let mut kept = parts.next().unwrap().1.to_owned();
    for (index, part) in parts {
        kept += if Some(index - 1) == without {
            ""
        } else {
            "bar.sync \t0;"
        };
        kept += part;
    }
    let module = load(&format!("{before}.entry sound_shared{kept}"));
    let (x, y, shape) = (upload_floats(&[1.0; 64]), upload(&[0; 2]), [64u32, 1, 1, 0]);
    let none = std::ptr::null_mut();
    let mut pointers = [shape.as_ptr(), (&raw const x).cast(), (&raw const y).cast()]
        .map(|pointer| pointer.cast_mut().cast());
    let kernel = function(module, "sound_shared");
    let arguments = pointers.as_mut_ptr();
    // SAFETY: three arguments as the kernel has them.
    ok(unsafe {
        cuda::api::kernel::cuLaunchKernel(kernel, 1, 1, 1, 64, 1, 1, 256, 0, arguments, none)
    });
    if try_download(y, 2).0 == Code::SUCCESS {
        println!("sums passed");
    }
}

/// Takes every barrier out of a kernel, one after another: each is missed.
#[test]
fn every_barrier_is_missed() {
    const WHICH: &str = "DEREFNET_CUDA_TEST_BARRIER";
    if apart::is_child() {
        init();
        sums_without(std::env::var(WHICH).unwrap().parse().ok());
        return;
    }
    let from = include_str!("../fixtures/sound.ptx")
        .split_once(".entry sound_shared")
        .unwrap()
        .1;
    let body = from.split(".entry").next().unwrap();
    let count = body.matches("bar.sync \t0;").count();
    assert!(count >= 2, "{count} barriers");
    let run = |which: String| {
        let text = apart::text(&apart::run_with("every_barrier_is_missed", (WHICH, &which)));
        // Words that the other warp has not written yet are told first.
        let told = ["race on byte", "never written"]
            .iter()
            .any(|told| text.contains(told));
        assert_ne!(text.contains("sums passed"), told, "{text}");
        !told
    };
    assert!(run("none".to_owned()));
    // Behind the last one thread 0 reads what it wrote itself.
    for which in 0..count - 1 {
        assert!(!run(which.to_string()), "barrier {which} is not missed");
    }
}
