//! Stacks of threads, and switching between them. Only for x86-64 with the System V ABI.

use crate::error::{Code, Fault, Result};

const PAGE: usize = 4096;
/// Of a thread, in bytes; pages come as they are touched.
const STACK: usize = 256 << 10;

/// A stack with a guard page below.
pub struct Stack {
    base: *mut u8,
}

/// A suspended flow of control: its stack pointer.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Context(pub *mut u8);

impl Stack {
    /// Maps a stack.
    pub fn new() -> Result<Self> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a fresh anonymous mapping touches nothing that exists.
        let at = unsafe { libc::mmap(std::ptr::null_mut(), STACK + PAGE, access, flags, -1, 0) };
        // SAFETY: the first page of the mapping above.
        if at == libc::MAP_FAILED || unsafe { libc::mprotect(at, PAGE, libc::PROT_NONE) } != 0 {
            let error = std::io::Error::last_os_error();
            return Err(Fault::new(
                Code::OUT_OF_MEMORY,
                format!("stack of a thread: {error}"),
            ));
        }
        Ok(Self { base: at.cast() })
    }

    /// The address behind its last byte, a multiple of 16.
    pub fn top(&self) -> *mut u8 {
        self.base.wrapping_add(PAGE + STACK)
    }

    /// A flow of control that starts in `entry` once it is switched to.
    pub fn start(&self, entry: extern "C" fn() -> !) -> Context {
        let top = self.top().cast::<usize>();
        // SAFETY: the words below the top are this stack's. `switch` pops six registers and
        // returns to `entry`, which then sees the stack as after a call.
        unsafe {
            top.sub(1).write(0);
            top.sub(2).write(entry as usize);
            for register in 3..9 {
                top.sub(register).write(0);
            }
            Context(top.sub(8).cast())
        }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: the mapping of `new`, which nothing uses any more.
        unsafe { libc::munmap(self.base.cast(), STACK + PAGE) };
    }
}

/// Saves this flow of control in `from` and goes on with `to`.
///
/// # Safety
///
/// `to` was saved by this function or made by [`Stack::start`], and its stack still exists.
#[unsafe(naked)]
pub unsafe extern "C" fn switch(from: *mut Context, to: Context) {
    core::arch::naked_asm!(
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov [rdi], rsp",
        "mov rsp, rsi",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
    )
}
