//! The threads of a block while a kernel runs: who waits for what, and who goes on.

use std::ffi::{c_char, c_void};
use std::ops::Range;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::fiber::{Context, Stack, switch};
use super::library::Shared;
use crate::error::{Code, Fault, Result};
use crate::machine::LANES;

/// Most bytes that a lane gives away at once.
const MESSAGE: usize = 64;

/// A line of the kernels' source.
pub(super) type Site = (*const c_char, u32);

/// Why a thread does not run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Wait {
    Nothing,
    Barrier(Site),
    /// For a product of fragments, whose factors are the message.
    Product {
        sums: *mut f32,
        at: Site,
    },
    Lanes {
        mask: u32,
        size: usize,
        all: *mut u8,
        at: Site,
    },
    Done,
}

pub(super) struct Thread {
    stack: Stack,
    /// `threadIdx`
    place: [u32; 3],
    context: Context,
    pub(super) wait: Wait,
    pub(super) message: [u8; MESSAGE],
}

/// Place of a thread, as `EmuPlace` of the shim.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Place {
    /// `threadIdx`
    pub thread: [u32; 3],
    /// `blockIdx`
    pub block: [u32; 3],
    /// `blockDim`
    pub block_dim: [u32; 3],
    /// `gridDim`
    pub grid_dim: [u32; 3],
}

/// `EmuHooks` of the shim.
#[repr(C)]
pub struct Hooks {
    barrier: extern "C" fn(*const c_char, u32),
    exchange: unsafe extern "C" fn(u32, *const u8, usize, *mut u8, *const c_char, u32),
    product: unsafe extern "C" fn(*mut f32, *const u32, *const c_char, u32),
    shared: extern "C" fn(*const c_void, usize) -> *mut u8,
    dynamic: extern "C" fn() -> *mut u8,
    trap: extern "C" fn(),
}

/// What the shim calls.
pub const HOOKS: Hooks = Hooks {
    barrier,
    exchange,
    product,
    shared,
    dynamic,
    trap,
};

/// What stops a kernel before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The processor faulted at this address.
    Address(u64),
    /// A trap, or a request that cannot be met.
    Other(String),
}

/// A block that runs.
pub struct Threads {
    pub(super) threads: Vec<Thread>,
    pub(super) count: usize,
    current: usize,
    /// Where the kernel looks up its place.
    place: *mut Place,
    /// Threads that may be gone on with without the scheduler: those of a warp.
    warp: Range<usize>,
    /// The last of a warp comes first.
    backwards: bool,
    scheduler: Context,
    pub(super) stop: Option<Stop>,
    entry: unsafe extern "C" fn(*mut *mut c_void),
    arguments: Vec<*mut c_void>,
    pub(super) shared: Shared,
}

/// The block that runs; there is one at a time.
static RUNNING: AtomicPtr<Threads> = AtomicPtr::new(std::ptr::null_mut());

/// The running block.
///
/// # Safety
///
/// Only on a thread of a block, where no other reference to it is in use.
unsafe fn running<'a>() -> &'a mut Threads {
    // SAFETY: set while a block runs, and its threads take turns on one thread of the process.
    unsafe { &mut *RUNNING.load(Ordering::Relaxed) }
}

extern "C" fn barrier(file: *const c_char, line: u32) {
    // SAFETY: called by a kernel.
    unsafe { running() }.pause(Wait::Barrier((file, line)));
}

unsafe extern "C" fn exchange(
    mask: u32,
    own: *const u8,
    size: usize,
    all: *mut u8,
    file: *const c_char,
    line: u32,
) {
    // SAFETY: called by a kernel.
    let threads = unsafe { running() };
    let current = threads.current;
    if size > MESSAGE || mask >> (current % LANES) & 1 == 0 {
        let text = format!(
            "a warp operation of lanes {mask:#010x} by lane {}",
            current % LANES
        );
        threads.give_up(Stop::Other(text));
    }
    let message = &mut threads.threads[current].message;
    // SAFETY: the shim gives `size` bytes.
    unsafe { std::ptr::copy_nonoverlapping(own, message.as_mut_ptr(), size) };
    let at = (file, line);
    threads.pause(Wait::Lanes {
        mask,
        size,
        all,
        at,
    });
}

unsafe extern "C" fn product(sums: *mut f32, factors: *const u32, file: *const c_char, line: u32) {
    // SAFETY: called by a kernel.
    let threads = unsafe { running() };
    let current = threads.current;
    let message = &mut threads.threads[current].message;
    // SAFETY: the shim gives four words of A and two of B.
    unsafe { std::ptr::copy_nonoverlapping(factors.cast(), message.as_mut_ptr(), 24) };
    let at = (file, line);
    threads.pause(Wait::Product { sums, at });
}

extern "C" fn shared(key: *const c_void, size: usize) -> *mut u8 {
    // SAFETY: called by a kernel.
    let threads = unsafe { running() };
    match threads.shared.variable(key as usize, size) {
        Ok(at) => at,
        Err(fault) => threads.give_up(Stop::Other(fault.text.clone())),
    }
}

extern "C" fn dynamic() -> *mut u8 {
    // SAFETY: called by a kernel.
    unsafe { running() }.shared.dynamic()
}

extern "C" fn trap() {
    // SAFETY: called by a kernel.
    unsafe { running() }.give_up(Stop::Other("the kernel traps itself".to_owned()))
}

/// Where a thread begins.
extern "C" fn begin() -> ! {
    // SAFETY: on a thread of a block.
    let threads = unsafe { running() };
    let arguments = threads.arguments.as_mut_ptr();
    // SAFETY: the entry takes a pointer to each argument, which `run` made.
    unsafe { (threads.entry)(arguments) };
    // SAFETY: on a thread of a block.
    unsafe { running() }.pause(Wait::Done);
    unreachable!("a thread that is done is never switched to")
}

/// Where a thread goes that faulted; [`super::signal`] sends it here on a fresh stack.
pub extern "C" fn faulted() -> ! {
    let address = super::signal::address();
    // SAFETY: on a thread of a block.
    unsafe { running() }.give_up(Stop::Address(address))
}

/// Top of the stack of the thread that runs; null where none does.
pub fn current_top() -> *mut u8 {
    let threads = RUNNING.load(Ordering::Relaxed);
    if threads.is_null() {
        return threads.cast();
    }
    // SAFETY: the block exists while the pointer is set; only an index and an address are read.
    unsafe { (&(*threads).threads)[(*threads).current].stack.top() }
}

impl Threads {
    /// No threads yet.
    pub fn new(shared: Shared) -> Self {
        Self {
            threads: Vec::new(),
            count: 0,
            current: 0,
            place: std::ptr::null_mut(),
            warp: 0..0,
            backwards: false,
            scheduler: Context(std::ptr::null_mut()),
            stop: None,
            entry: nothing,
            arguments: Vec::new(),
            shared,
        }
    }

    /// Prepares launches of `entry` with blocks of `count` threads.
    pub fn prepare(
        &mut self,
        count: usize,
        entry: unsafe extern "C" fn(*mut *mut c_void),
        arguments: Vec<*mut c_void>,
    ) -> Result<()> {
        while self.threads.len() < count {
            self.threads.push(Thread {
                stack: Stack::new()?,
                place: [0; 3],
                context: Context(std::ptr::null_mut()),
                wait: Wait::Done,
                message: [0; MESSAGE],
            });
        }
        (self.count, self.entry, self.arguments) = (count, entry, arguments);
        Ok(())
    }

    /// Runs a block; `place` is where the kernel looks up its place.
    ///
    /// # Errors
    ///
    /// What stopped a thread, with its number.
    ///
    /// # Safety
    ///
    /// `place` is the shim's, and the entry and its arguments are those of a kernel.
    pub unsafe fn run(&mut self, place: *mut Place, here: Place) -> Result<()> {
        let [x, y, _] = here.block_dim.map(|n| n as usize);
        for (index, thread) in self.threads[..self.count].iter_mut().enumerate() {
            thread.context = thread.stack.start(begin);
            thread.wait = Wait::Nothing;
            thread.place = [index % x, index / x % y, index / (x * y)].map(|n| n as u32);
        }
        // SAFETY: by the caller.
        unsafe { place.write(here) };
        (self.place, self.stop, self.backwards) = (place, None, false);
        let warps = self.count.div_ceil(LANES);
        loop {
            for warp in 0..warps {
                let warp = match self.backwards {
                    true => warps - 1 - warp,
                    false => warp,
                };
                self.advance(warp)?;
            }
            // Threads that must not depend on their order meet another one after each barrier.
            self.backwards = !self.backwards;
            if !self.release()? {
                return Ok(());
            }
        }
    }

    /// Goes on with a warp until all its threads wait for other warps or are done.
    fn advance(&mut self, warp: usize) -> Result<()> {
        let first = warp * LANES;
        self.warp = first..(first + LANES).min(self.count);
        loop {
            let mut ready = self.warp.clone();
            let is_ready = |index: &usize| self.threads[*index].wait == Wait::Nothing;
            let next = match self.backwards {
                true => ready.rfind(is_ready),
                false => ready.find(is_ready),
            };
            if let Some(index) = next {
                self.resume(index);
                if let Some(stop) = &self.stop {
                    return Err(told(self.current, stop));
                }
            } else if !self.deliver(self.warp.clone()) {
                return Ok(());
            }
        }
    }

    fn resume(&mut self, index: usize) {
        let to = self.enter(index);
        let this = std::ptr::from_mut(self);
        RUNNING.store(this, Ordering::Relaxed);
        // SAFETY: the context is fresh or was saved by `pause`. From here to the pause that comes
        // back only threads use the block.
        unsafe { switch(&raw mut (*this).scheduler, to) };
        RUNNING.store(std::ptr::null_mut(), Ordering::Relaxed);
    }

    /// Notes that thread `index` runs from now on; where it is.
    fn enter(&mut self, index: usize) -> Context {
        self.current = index;
        let thread = &self.threads[index];
        // SAFETY: the shim's place, which `run` was given.
        unsafe { (*self.place).thread = thread.place };
        thread.context
    }

    /// Leaves the running thread until its turn comes again.
    fn pause(&mut self, wait: Wait) {
        let current = self.current;
        self.threads[current].wait = wait;
        let to = match self.beside(current) {
            Some(next) => self.enter(next),
            None => self.scheduler,
        };
        let from = &raw mut self.threads[current].context;
        // SAFETY: the scheduler waits in `resume`; a thread that waits for nothing is fresh or was
        // saved here.
        unsafe { switch(from, to) };
    }

    /// The next thread of the warp, if it can go on.
    fn beside(&self, current: usize) -> Option<usize> {
        let next = match self.backwards {
            true => current.checked_sub(1)?,
            false => current + 1,
        };
        let can = self.warp.contains(&next) && self.stop.is_none();
        (can && self.threads[next].wait == Wait::Nothing).then_some(next)
    }

    fn give_up(&mut self, stop: Stop) -> ! {
        self.stop = Some(stop);
        self.pause(Wait::Done);
        unreachable!("a block that stopped is not gone on with")
    }
}

unsafe extern "C" fn nothing(_: *mut *mut c_void) {}

/// A fault of thread number `index`; its address is described by whoever knows memory.
fn told(index: usize, stop: &Stop) -> Fault {
    match stop {
        Stop::Address(address) => Fault::new(
            Code::ILLEGAL_ADDRESS,
            format!("thread {index}: access to {address:#x}"),
        ),
        Stop::Other(text) => Fault::new(Code::LAUNCH_FAILED, format!("thread {index}: {text}")),
    }
}
