//! The driver's state, behind one lock.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use crate::error::{Code, Fault, Result, report};
use crate::event::Event;
use crate::graph::Graph;
use crate::memory::{Memory, Range};
use crate::module::{Function, Module};
use crate::native::Native;
use crate::queue::Stream;

/// What a handle is outside: an opaque pointer.
pub type Handle = usize;

/// How kernels run.
pub enum Mode {
    /// Their PTX is interpreted.
    Ptx,
    /// Their source, compiled for this processor.
    Native(Native),
}

/// Everything that the driver knows.
pub struct Driver {
    pub(crate) memory: Memory,
    pub(crate) mode: Mode,
    pub(crate) modules: HashMap<Handle, Module>,
    pub(crate) functions: HashMap<Handle, Arc<Function>>,
    pub(crate) streams: BTreeMap<Handle, Stream>,
    pub(crate) events: HashMap<Handle, Event>,
    pub(crate) graphs: HashMap<Handle, Graph>,
    /// Graphs ready to launch.
    pub(crate) ready: HashMap<Handle, Graph>,
    /// Page-locked host memory by its start; whether the driver gave it.
    pub(crate) pinned: BTreeMap<u64, (Range, bool)>,
    /// Blocks run so far.
    pub(crate) blocks: u32,
    /// Work put into queues so far.
    pub(crate) serial: u64,
    next: Handle,
    /// A kernel's fault ends the context: every later call answers it.
    broken: Option<Code>,
}

static DRIVER: Mutex<Option<Driver>> = Mutex::new(None);

/// The one context.
pub const CONTEXT: Handle = 0xc0;

thread_local! {
    /// The calling thread's context; 0 for none.
    pub(crate) static CURRENT: Cell<Handle> = const { Cell::new(0) };
}

/// `DEREFNET_CUDA_MODE` decides how kernels run: `ptx` (unless said otherwise) or `native`, which
/// takes them from the shared object that `DEREFNET_CUDA_NATIVE` names.
fn mode() -> Result<Mode> {
    match std::env::var("DEREFNET_CUDA_MODE").as_deref() {
        Err(_) | Ok("ptx") => Ok(Mode::Ptx),
        Ok("native") => Native::load().map(Mode::Native),
        Ok(other) => Err(Fault::new(
            Code::NOT_INITIALIZED,
            format!("DEREFNET_CUDA_MODE is {other}, expected ptx or native"),
        )),
    }
}

/// Sets the driver up, once.
pub fn init() -> Code {
    let mut driver = DRIVER.lock().unwrap_or_else(|e| e.into_inner());
    if driver.is_some() {
        return Code::SUCCESS;
    }
    let made = mode().and_then(Driver::new);
    match made {
        Ok(made) => {
            crate::native::signal::install(made.memory.span());
            *driver = Some(made);
            Code::SUCCESS
        }
        Err(fault) => {
            report(&fault);
            fault.code
        }
    }
}

/// Answers a call that needs no context.
pub fn anywhere(what: &str, call: impl FnOnce(&mut Driver) -> Result<()>) -> Code {
    let mut driver = DRIVER.lock().unwrap_or_else(|e| e.into_inner());
    let Some(driver) = driver.as_mut() else {
        let fault = Fault::new(Code::NOT_INITIALIZED, format!("{what}: before cuInit"));
        report(&fault);
        return fault.code;
    };
    if let Some(code) = driver.broken {
        return code;
    }
    let Err(fault) = call(driver) else {
        return Code::SUCCESS;
    };
    let code = fault.code;
    // To poll is no mistake.
    if code != Code::NOT_READY {
        report(&fault.at(what));
    }
    let ends = [
        Code::ILLEGAL_ADDRESS,
        Code::MISALIGNED_ADDRESS,
        Code::LAUNCH_FAILED,
    ];
    if ends.contains(&code) {
        driver.broken = Some(code);
    }
    code
}

/// Answers a call that needs the thread's context.
pub fn call(what: &str, call: impl FnOnce(&mut Driver) -> Result<()>) -> Code {
    anywhere(what, |driver| {
        if CURRENT.get() != CONTEXT {
            return Err(Fault::new(
                Code::INVALID_CONTEXT,
                "this thread has no context, expected cuCtxSetCurrent before",
            ));
        }
        call(driver)
    })
}

impl Driver {
    fn new(mode: Mode) -> Result<Self> {
        let mut driver = Self {
            memory: Memory::new()?,
            mode,
            modules: HashMap::new(),
            functions: HashMap::new(),
            streams: BTreeMap::new(),
            events: HashMap::new(),
            graphs: HashMap::new(),
            ready: HashMap::new(),
            pinned: BTreeMap::new(),
            blocks: 0,
            serial: 0,
            next: 0x1000,
            broken: None,
        };
        driver.streams.insert(0, Stream::new(0, 0));
        Ok(driver)
    }

    /// A handle that nothing else has.
    pub(crate) fn handle(&mut self) -> Handle {
        self.next += 0x10;
        self.next
    }

    /// The page-locked memory around `len` bytes at `address`.
    pub(crate) fn pinned(&self, address: u64, len: u64) -> bool {
        let below = self.pinned.range(..=address).next_back();
        below.is_some_and(|(_, (range, _))| range.holds(address, len))
    }

    /// `len` bytes of device memory at `address`, as an argument of a call.
    pub(crate) fn device_range(&self, address: u64, len: u64) -> Result<()> {
        let checked = self.memory.check(address, len);
        checked
            .map(drop)
            .map_err(|fault| Fault::new(Code::INVALID_VALUE, &*fault.text))
    }

    /// A host address, as an argument of a call.
    pub(crate) fn host_address(&self, address: u64) -> Result<()> {
        let why = if address == 0 {
            "null"
        } else if self.memory.contains(address) {
            "a device address"
        } else {
            return Ok(());
        };
        Err(Fault::new(
            Code::INVALID_VALUE,
            format!("{address:#x} is {why}, expected host memory"),
        ))
    }
}

/// A handle that nobody has.
pub fn no_handle(what: &str, handle: Handle) -> Fault {
    Fault::new(Code::INVALID_HANDLE, format!("{handle:#x} is no {what}"))
}
