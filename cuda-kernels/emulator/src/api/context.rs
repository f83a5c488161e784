//! The device's primary context, which is the only one.

use super::answer;
use super::device::only_device;
use crate::driver::{CONTEXT, CURRENT, Handle, anywhere, call, no_handle};
use crate::error::{Code, Fault};

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDevicePrimaryCtxRetain(context: *mut Handle, device: i32) -> Code {
    anywhere("cuDevicePrimaryCtxRetain", |_| {
        only_device(device)?;
        // SAFETY: by the caller.
        unsafe { answer(context, CONTEXT) }
    })
}

/// Finishes what is queued; memory stays until the process ends.
#[unsafe(no_mangle)]
pub extern "C" fn cuDevicePrimaryCtxRelease_v2(device: i32) -> Code {
    anywhere("cuDevicePrimaryCtxRelease", |driver| {
        only_device(device)?;
        driver.settle_all()
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDevicePrimaryCtxSetFlags_v2(device: i32, _flags: u32) -> Code {
    anywhere("cuDevicePrimaryCtxSetFlags", |_| only_device(device))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxSetCurrent(context: Handle) -> Code {
    anywhere("cuCtxSetCurrent", |_| {
        if context != CONTEXT && context != 0 {
            return Err(Fault::new(
                Code::INVALID_CONTEXT,
                no_handle("context", context).text.clone(),
            ));
        }
        CURRENT.set(context);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuCtxGetCurrent(context: *mut Handle) -> Code {
    // SAFETY: by the caller.
    anywhere("cuCtxGetCurrent", |_| unsafe {
        answer(context, CURRENT.get())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuCtxGetDevice(device: *mut i32) -> Code {
    // SAFETY: by the caller.
    call("cuCtxGetDevice", |_| unsafe { answer(device, 0) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuCtxGetApiVersion(_context: Handle, version: *mut u32) -> Code {
    // SAFETY: by the caller.
    call("cuCtxGetApiVersion", |_| unsafe { answer(version, 12_000) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuCtxGetStreamPriorityRange(least: *mut i32, greatest: *mut i32) -> Code {
    call("cuCtxGetStreamPriorityRange", |_| {
        // SAFETY: by the caller.
        unsafe { answer(least, 0).and_then(|()| answer(greatest, -5)) }
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxSynchronize() -> Code {
    call("cuCtxSynchronize", |driver| driver.settle_all())
}
