//! The device: context, streams, compiled kernels.

use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use cust::CudaFlags;
use cust::context::{Context, ContextFlags, CurrentContext};
use cust::device::{Device as Ordinal, DeviceAttribute};
use cust::error::{CudaError, CudaResult};
use cust::module::Module;
use cust::stream::{Stream, StreamFlags};
use cust::sys;
use derefnet_cuda_kernels::{KERNELS, Kernel, MODULES};

use super::Buffer;
use super::pinned::Pinned;
use super::pool::Pool;
use crate::{Error, Result};

/// Streams, so trajectories that may be in flight at once. A thread keeps to one of them.
pub(super) const STREAMS: usize = 4;

/// Major compute capability that the PTX is made for: tensor cores with tf32.
const MAJOR: i32 = 8;

/// A stream with the event by which others wait for it, and what its copies pass through.
pub(super) struct Lane {
    stream: Stream,
    event: sys::CUevent,
    /// Held while work is submitted, with what it has to wait for.
    submitting: Mutex<()>,
    pub(super) pinned: Mutex<Pinned>,
}

/// An open device.
pub(super) struct Device {
    // Fields are dropped in this order: what lives in the context before the context.
    pub(super) pool: Mutex<Pool>,
    pub(super) lanes: Vec<Lane>,
    functions: HashMap<&'static str, sys::CUfunction>,
    _modules: Vec<Module>,
    context: Context,
    pub(super) name: String,
    /// Bytes of shared memory that a block may ask for.
    pub(super) shared: usize,
    pub(super) allocated: AtomicUsize,
}

// SAFETY: handles of the driver may be used from any thread whose current context is theirs, which
// `enter` sees to; everything else is behind mutexes.
unsafe impl Send for Device {}
// SAFETY: as above.
unsafe impl Sync for Device {}

unsafe extern "C" {
    fn dlopen(file: *const c_char, mode: c_int) -> *mut c_void;
    fn dlerror() -> *const c_char;
}

/// Checks that there is a driver at all, as the one that is linked in would only say "no device".
fn find_driver() -> Result<()> {
    const RTLD_NOW: c_int = 2;
    // SAFETY: the name is a C string; the driver stays loaded.
    let found = unsafe { dlopen(c"libcuda.so.1".as_ptr(), RTLD_NOW) };
    if !found.is_null() {
        return Ok(());
    }
    // SAFETY: dlerror gives a C string, or null where there was no error.
    let reason = unsafe {
        let text = dlerror();
        if text.is_null() {
            String::new()
        } else {
            CStr::from_ptr(text).to_string_lossy().into_owned()
        }
    };
    Err(Error::usage(format!(
        "--backend cuda: no CUDA driver was found ({reason}); install NVIDIA's driver, or use \
         --backend cpu"
    )))
}

/// What went wrong, in words.
fn explain(what: &str, error: CudaError) -> Error {
    Error::usage(format!("--backend cuda: {what}: {error:?}"))
}

/// Panics where the device failed in the middle of work: memory ran out, or a kernel crashed.
pub(super) fn expect<T>(result: CudaResult<T>, what: &str) -> T {
    result.unwrap_or_else(|error| panic!("CUDA device failed to {what}: {error:?}"))
}

/// The result of a call of the driver.
pub(super) fn check(result: sys::cudaError_enum, what: &str) {
    assert!(
        result == sys::cudaError_enum::CUDA_SUCCESS,
        "CUDA device failed to {what}: {result:?}"
    );
}

impl Device {
    /// Opens device `nth`, counted from 0 and over again after the last, and compiles the kernels.
    ///
    /// # Errors
    /// If there is no driver, no device, it is too old, or refuses the kernels.
    pub(super) fn open(nth: usize) -> Result<Self> {
        find_driver()?;
        cust::init(CudaFlags::empty()).map_err(|e| explain("the driver does not start", e))?;
        let none = |e| explain("there is no device", e);
        let count = Ordinal::num_devices().map_err(none)?.max(1) as usize;
        let device = Ordinal::get_device((nth % count) as u32).map_err(none)?;
        let name = device
            .name()
            .map_err(|e| explain("the device has no name", e))?;
        let major = device.get_attribute(DeviceAttribute::ComputeCapabilityMajor);
        let major = major.map_err(|e| explain(&name, e))?;
        if major < MAJOR {
            return Err(Error::usage(format!(
                "--backend cuda: {name} has compute capability {major}, expected {MAJOR} or more"
            )));
        }
        let failed = |e| explain(&name, e);
        let shared = shared_limit(&device).map_err(failed)?;
        let context = Context::new(device).map_err(failed)?;
        context
            .set_flags(ContextFlags::SCHED_AUTO)
            .map_err(failed)?;
        let (modules, functions) = compile().map_err(failed)?;
        let lanes = (0..STREAMS).map(|_| Lane::new()).collect::<CudaResult<_>>();
        let lanes = lanes.map_err(failed)?;
        Ok(Self {
            pool: Mutex::new(Pool::default()),
            lanes,
            functions,
            _modules: modules,
            context,
            name,
            shared,
            allocated: AtomicUsize::new(0),
        })
    }

    /// Makes the device's context that of the calling thread.
    pub(super) fn enter(&self) {
        thread_local! {
            static CURRENT: Cell<*mut c_void> = const { Cell::new(std::ptr::null_mut()) };
        }
        let own = self.context.as_raw().cast();
        if CURRENT.get() != own {
            let set = CurrentContext::set_current(&self.context);
            expect(set, "become current");
            CURRENT.set(own);
        }
    }

    /// The calling thread's stream.
    pub(super) fn lane(&self) -> usize {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static NUMBER: usize = THREADS.fetch_add(1, Ordering::Relaxed);
        }
        self.enter();
        NUMBER.with(|&number| number % STREAMS)
    }

    /// Gives the calling thread's stream `work` that reads and writes buffers, after what other
    /// streams do with them.
    pub(super) fn submit(
        &self,
        reads: &[&Buffer],
        writes: &[&Buffer],
        work: impl FnOnce(sys::CUstream),
    ) {
        let lane = self.lane();
        let submitting = self.lanes[lane].submitting.lock();
        let _submitting = submitting.unwrap_or_else(|e| e.into_inner());
        reads
            .iter()
            .for_each(|buffer| buffer.block.before_read(lane));
        writes
            .iter()
            .for_each(|buffer| buffer.block.before_write(lane));
        work(self.lanes[lane].stream.as_inner());
    }

    /// Lets `lane` wait for everything that `other` has been given so far.
    pub(super) fn wait(&self, lane: usize, other: usize) {
        let (from, to) = (&self.lanes[other], &self.lanes[lane]);
        // SAFETY: events and streams live as long as the device. A record between another thread's
        // record and wait only makes that wait longer.
        unsafe {
            check(
                sys::cuEventRecord(from.event, from.stream.as_inner()),
                "record an event",
            );
            let waited = sys::cuStreamWaitEvent(to.stream.as_inner(), from.event, 0);
            check(waited, "wait for an event");
        }
    }

    /// The compiled kernel.
    pub(super) fn function(&self, kernel: &Kernel) -> sys::CUfunction {
        self.functions[kernel.name]
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.enter();
        for lane in &mut self.lanes {
            // Errors here have nowhere to go.
            let _ = lane.stream.synchronize();
            lane.pinned
                .get_mut()
                .unwrap_or_else(|e| e.into_inner())
                .free();
            // SAFETY: nobody waits for the event any more.
            unsafe { sys::cuEventDestroy_v2(lane.event) };
        }
        self.pool
            .get_mut()
            .unwrap_or_else(|e| e.into_inner())
            .free();
    }
}

impl Lane {
    fn new() -> CudaResult<Self> {
        Ok(Self {
            stream: Stream::new(StreamFlags::NON_BLOCKING, None)?,
            event: new_event()?,
            submitting: Mutex::new(()),
            pinned: Mutex::new(Pinned::default()),
        })
    }
}

/// An event without timing.
pub(super) fn new_event() -> CudaResult<sys::CUevent> {
    const DISABLE_TIMING: u32 = 2;
    let mut event = std::ptr::null_mut();
    // SAFETY: the driver writes the event.
    let created = unsafe { sys::cuEventCreate(&raw mut event, DISABLE_TIMING) };
    if created == sys::cudaError_enum::CUDA_SUCCESS {
        Ok(event)
    } else {
        Err(CudaError::OutOfMemory)
    }
}

/// Bytes of shared memory that a block may ask for.
fn shared_limit(device: &Ordinal) -> CudaResult<usize> {
    let kind = sys::CUdevice_attribute_enum::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN;
    let mut bytes = 0;
    // SAFETY: the driver writes the number.
    let asked = unsafe { sys::cuDeviceGetAttribute(&raw mut bytes, kind, device.as_raw()) };
    match usize::try_from(bytes) {
        Ok(bytes) if asked == sys::cudaError_enum::CUDA_SUCCESS => Ok(bytes),
        _ => Err(CudaError::InvalidDevice),
    }
}

type Compiled = (Vec<Module>, HashMap<&'static str, sys::CUfunction>);

/// Compiles all modules for the device.
fn compile() -> CudaResult<Compiled> {
    let mut modules = Vec::new();
    let mut functions = HashMap::new();
    for (name, ptx) in MODULES {
        let module = Module::from_ptx(ptx, &[])?;
        for kernel in KERNELS.iter().filter(|kernel| kernel.module == *name) {
            functions.insert(kernel.name, module.get_function(kernel.name)?.to_raw());
        }
        modules.push(module);
    }
    Ok((modules, functions))
}
