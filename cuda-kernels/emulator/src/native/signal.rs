//! Faults that the processor raises: in a kernel they end the launch, elsewhere they are told.

use std::sync::Once;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use super::threads::{current_top, faulted};
use crate::memory::Range;

static ADDRESS: AtomicU64 = AtomicU64::new(0);
static START: AtomicU64 = AtomicU64::new(0);
static SIZE: AtomicU64 = AtomicU64::new(0);
/// The thread of the process that runs a kernel.
static RUNNER: AtomicI32 = AtomicI32::new(0);

/// Catches faults from now on; `device` is where device memory lies.
pub fn install(device: Range) {
    START.store(device.start, Ordering::Relaxed);
    SIZE.store(device.size, Ordering::Relaxed);
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for signal in [libc::SIGSEGV, libc::SIGBUS] {
            // SAFETY: the handler touches atomics, the saved registers and `write` only. Rust gives
            // every thread a stack for signals.
            unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                action.sa_sigaction = handle as *const () as usize;
                action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
                libc::sigaction(signal, &action, std::ptr::null_mut());
            }
        }
    });
}

/// Address of the last fault.
pub fn address() -> u64 {
    ADDRESS.load(Ordering::Relaxed)
}

/// Says that the calling thread runs a kernel, or no longer does.
pub fn running(runs: bool) {
    // SAFETY: asks for the thread's number.
    let thread = unsafe { libc::gettid() };
    RUNNER.store(if runs { thread } else { 0 }, Ordering::Relaxed);
}

extern "C" fn handle(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the system gives both to a handler of this kind.
    let (address, context) = unsafe {
        let context = &mut *context.cast::<libc::ucontext_t>();
        ((*info).si_addr() as u64, context)
    };
    ADDRESS.store(address, Ordering::Relaxed);
    let top = current_top();
    // SAFETY: asks for the thread's number.
    let here = unsafe { libc::gettid() } == RUNNER.load(Ordering::Relaxed);
    if here && !top.is_null() {
        // The thread's frames are given up: it goes on in `faulted`, at the top of its stack.
        let registers = &mut context.uc_mcontext.gregs;
        registers[libc::REG_RIP as usize] = faulted as *const () as i64;
        registers[libc::REG_RSP as usize] = top as i64 - 8;
        return;
    }
    let device = Range {
        start: START.load(Ordering::Relaxed),
        size: SIZE.load(Ordering::Relaxed),
    };
    if device.holds(address, 1) {
        let text = b"emulated CUDA driver: the host touches device memory outside the driver\n";
        // SAFETY: `write` may be called in a handler.
        unsafe { libc::write(2, text.as_ptr().cast(), text.len()) };
    }
    // SAFETY: the default action ends the process as the access is tried again.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}
