//! The driver, its one device, and what codes mean.

use std::ffi::c_char;

use super::answer;
use crate::driver::{anywhere, init};
use crate::error::{Code, Fault, Result};
use crate::memory::DEVICE;
use crate::module::{SHARED, SHARED_OPT_IN};

const NAME: &str = "emulated device (no GPU)";

#[unsafe(no_mangle)]
pub extern "C" fn cuInit(_flags: u32) -> Code {
    init()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDriverGetVersion(version: *mut i32) -> Code {
    // SAFETY: by the caller.
    plain(unsafe { answer(version, 12_000) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGetErrorString(code: Code, text: *mut *const c_char) -> Code {
    // SAFETY: by the caller.
    plain(unsafe { answer(text, code.describe().1.as_ptr().cast()) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGetErrorName(code: Code, text: *mut *const c_char) -> Code {
    // SAFETY: by the caller.
    plain(unsafe { answer(text, code.describe().0.as_ptr().cast()) })
}

fn plain(result: Result<()>) -> Code {
    result.map_or_else(|fault| fault.code, |()| Code::SUCCESS)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGetCount(count: *mut i32) -> Code {
    // SAFETY: by the caller.
    anywhere("cuDeviceGetCount", |_| unsafe { answer(count, 1) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGet(device: *mut i32, ordinal: i32) -> Code {
    anywhere("cuDeviceGet", |_| {
        only_device(ordinal)?;
        // SAFETY: by the caller.
        unsafe { answer(device, 0) }
    })
}

/// There is device 0 and no other.
pub(super) fn only_device(device: i32) -> Result<()> {
    if device == 0 {
        return Ok(());
    }
    let text = format!("device {device}, expected 0");
    Err(Fault::new(Code::INVALID_DEVICE, text))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGetName(name: *mut c_char, len: i32, device: i32) -> Code {
    anywhere("cuDeviceGetName", |_| {
        only_device(device)?;
        let count = NAME.len().min((len - 1).max(0) as usize);
        // SAFETY: the caller gives `len` bytes.
        unsafe {
            std::ptr::copy_nonoverlapping(NAME.as_ptr(), name.cast(), count);
            answer(name.add(count), 0)
        }
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceTotalMem_v2(bytes: *mut usize, device: i32) -> Code {
    anywhere("cuDeviceTotalMem", |_| {
        only_device(device)?;
        // SAFETY: by the caller.
        unsafe { answer(bytes, DEVICE as usize) }
    })
}

/// Those of an A100, by the numbers of `CUdevice_attribute`; 0 for any other.
fn attribute(which: i32) -> i32 {
    match which {
        1..=3 => 1024,      // threads of a block, along x, along y
        4 => 64,            // along z
        5 => i32::MAX,      // blocks along x
        6 | 7 => 65535,     // along y and z
        8 => SHARED as i32, // shared memory of a block
        9 => 65536,         // constants
        10 => 32,           // threads of a warp
        12 | 82 => 65536,   // registers of a block, of a multiprocessor
        16 => 108,          // multiprocessors
        31 | 41 | 115 => 1, // kernels side by side, one address space, memory pools
        39 => 2048,         // threads of a multiprocessor
        40 => 2,            // copy engines
        75 => 8,            // compute capability 8.0
        81 => 164 << 10,    // shared memory of a multiprocessor
        97 => SHARED_OPT_IN as i32,
        106 => 32,      // blocks of a multiprocessor
        111 => 1 << 10, // shared memory that the system takes of a block
        _ => 0,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGetAttribute(value: *mut i32, which: i32, device: i32) -> Code {
    anywhere("cuDeviceGetAttribute", |_| {
        only_device(device)?;
        // SAFETY: by the caller.
        unsafe { answer(value, attribute(which)) }
    })
}
