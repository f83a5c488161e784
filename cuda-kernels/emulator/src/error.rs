//! What a call answers, and how a fault is told.

use std::fmt;
use std::sync::Mutex;

/// A `CUresult`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Code(pub u32);

impl Code {
    /// All is well.
    pub const SUCCESS: Self = Self(0);
    /// An argument is out of its range.
    pub const INVALID_VALUE: Self = Self(1);
    /// No device memory left.
    pub const OUT_OF_MEMORY: Self = Self(2);
    /// `cuInit` was not called.
    pub const NOT_INITIALIZED: Self = Self(3);
    /// No such device.
    pub const INVALID_DEVICE: Self = Self(101);
    /// No context is current, or the handle is none.
    pub const INVALID_CONTEXT: Self = Self(201);
    /// The PTX does not parse, or needs what is not emulated.
    pub const INVALID_PTX: Self = Self(218);
    /// A handle of a module, function, stream, event or graph is none.
    pub const INVALID_HANDLE: Self = Self(400);
    /// No kernel or symbol of that name.
    pub const NOT_FOUND: Self = Self(500);
    /// Work is pending.
    pub const NOT_READY: Self = Self(600);
    /// A kernel touched memory that is not its own.
    pub const ILLEGAL_ADDRESS: Self = Self(700);
    /// More threads or shared memory than a block may have.
    pub const LAUNCH_OUT_OF_RESOURCES: Self = Self(701);
    /// An address that the access's size does not divide.
    pub const MISALIGNED_ADDRESS: Self = Self(716);
    /// Any other fault inside a kernel.
    pub const LAUNCH_FAILED: Self = Self(719);
    /// The driver has the call, the emulator does not.
    pub const NOT_SUPPORTED: Self = Self(801);
    /// Not allowed while a stream is captured.
    pub const CAPTURE_UNSUPPORTED: Self = Self(900);
    /// A capture that was broken off or never begun.
    pub const CAPTURE_INVALIDATED: Self = Self(901);

    /// The name in `cuda.h` and what it means, both without the closing zero.
    pub fn describe(self) -> (&'static str, &'static str) {
        match self {
            Self::SUCCESS => ("CUDA_SUCCESS\0", "no error\0"),
            Self::INVALID_VALUE => ("CUDA_ERROR_INVALID_VALUE\0", "invalid argument\0"),
            Self::OUT_OF_MEMORY => ("CUDA_ERROR_OUT_OF_MEMORY\0", "out of memory\0"),
            Self::NOT_INITIALIZED => (
                "CUDA_ERROR_NOT_INITIALIZED\0",
                "driver is not initialised\0",
            ),
            Self::INVALID_DEVICE => ("CUDA_ERROR_INVALID_DEVICE\0", "invalid device ordinal\0"),
            Self::INVALID_CONTEXT => ("CUDA_ERROR_INVALID_CONTEXT\0", "invalid device context\0"),
            Self::INVALID_PTX => ("CUDA_ERROR_INVALID_PTX\0", "PTX could not be compiled\0"),
            Self::INVALID_HANDLE => ("CUDA_ERROR_INVALID_HANDLE\0", "invalid resource handle\0"),
            Self::NOT_FOUND => ("CUDA_ERROR_NOT_FOUND\0", "named symbol not found\0"),
            Self::NOT_READY => ("CUDA_ERROR_NOT_READY\0", "device not ready\0"),
            Self::ILLEGAL_ADDRESS => (
                "CUDA_ERROR_ILLEGAL_ADDRESS\0",
                "an illegal memory access was encountered\0",
            ),
            Self::LAUNCH_OUT_OF_RESOURCES => (
                "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES\0",
                "too many resources requested for launch\0",
            ),
            Self::MISALIGNED_ADDRESS => ("CUDA_ERROR_MISALIGNED_ADDRESS\0", "misaligned address\0"),
            Self::LAUNCH_FAILED => ("CUDA_ERROR_LAUNCH_FAILED\0", "unspecified launch failure\0"),
            Self::NOT_SUPPORTED => ("CUDA_ERROR_NOT_SUPPORTED\0", "operation not supported\0"),
            Self::CAPTURE_UNSUPPORTED => (
                "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED\0",
                "operation not permitted when stream is capturing\0",
            ),
            Self::CAPTURE_INVALIDATED => (
                "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED\0",
                "operation failed due to a previous error during capture\0",
            ),
            _ => ("CUDA_ERROR_UNKNOWN\0", "unknown error\0"),
        }
    }
}

/// A call or kernel that went wrong, with all there is to say about it. As small as a pointer:
/// every access of every thread answers one or none.
#[derive(Clone, Debug)]
pub struct Fault(Box<Told>);

/// What a fault says.
#[derive(Clone, Debug)]
pub struct Told {
    /// What the call answers.
    pub code: Code,
    /// Kernel, thread, address, line.
    pub text: String,
}

impl std::ops::Deref for Fault {
    type Target = Told;

    fn deref(&self) -> &Told {
        &self.0
    }
}

impl Fault {
    /// A fault of this code; `text` is for people.
    #[cold]
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        let text = text.into();
        Self(Box::new(Told { code, text }))
    }

    /// The same fault, where it happened put in front.
    #[cold]
    pub fn at(self, place: impl fmt::Display) -> Self {
        Self::new(self.code, format!("{place}: {}", self.text))
    }
}

/// What calls inside the driver answer.
pub type Result<T> = std::result::Result<T, Fault>;

static LAST: Mutex<Option<Fault>> = Mutex::new(None);

/// Tells a fault on standard error and keeps it.
pub fn report(fault: &Fault) {
    eprintln!("emulated CUDA driver: {}", fault.text);
    *LAST.lock().unwrap_or_else(|e| e.into_inner()) = Some(fault.clone());
}

/// Takes the last fault that was told.
pub fn take_last() -> Option<Fault> {
    LAST.lock().unwrap_or_else(|e| e.into_inner()).take()
}
