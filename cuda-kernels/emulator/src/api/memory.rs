//! Memory of the device, page-locked memory of the host, copies.

use std::ffi::c_void;

use super::answer;
use crate::driver::{Driver, Handle, call};
use crate::error::{Code, Fault, Result};
use crate::memory::{DEVICE, POISON, Range};
use crate::queue::Work;

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemAlloc_v2(address: *mut u64, bytes: usize) -> Code {
    call("cuMemAlloc", |driver| {
        let range = driver.memory.allocate(bytes as u64)?;
        // SAFETY: by the caller.
        unsafe { answer(address, range.start) }
    })
}

/// Waits for everything, as drivers do.
#[unsafe(no_mangle)]
pub extern "C" fn cuMemFree_v2(address: u64) -> Code {
    call("cuMemFree", |driver| {
        if address == 0 {
            return Ok(());
        }
        driver.settle_all()?;
        driver.memory.free(address)
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemAllocAsync(address: *mut u64, bytes: usize, stream: Handle) -> Code {
    call("cuMemAllocAsync", |driver| {
        driver.stream(stream)?;
        let range = driver.memory.allocate(bytes as u64)?;
        // SAFETY: by the caller.
        unsafe { answer(address, range.start) }
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemFreeAsync(address: u64, stream: Handle) -> Code {
    call("cuMemFreeAsync", |driver| {
        driver.device_range(address, 1)?;
        driver.queue(stream, Work::Free { at: address }).map(drop)
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemGetInfo_v2(free: *mut usize, total: *mut usize) -> Code {
    call("cuMemGetInfo", |driver| {
        let unused = driver.memory.unused() as usize;
        // SAFETY: by the caller.
        unsafe { answer(free, unused).and_then(|()| answer(total, DEVICE as usize)) }
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemAllocHost_v2(memory: *mut *mut c_void, bytes: usize) -> Code {
    call("cuMemAllocHost", |driver| {
        let len = bytes.max(1).next_multiple_of(4096);
        // SAFETY: whole pages, given back by `cuMemFreeHost`.
        let at = unsafe { libc::memalign(4096, len) };
        if at.is_null() {
            return Err(Fault::new(
                Code::OUT_OF_MEMORY,
                format!("{bytes} bytes of the host"),
            ));
        }
        // SAFETY: `len` bytes were just allocated.
        unsafe { std::ptr::write_bytes(at.cast::<u8>(), POISON, len) };
        let range = Range {
            start: at as u64,
            size: bytes as u64,
        };
        driver.pinned.insert(range.start, (range, true));
        // SAFETY: by the caller.
        unsafe { answer(memory, at) }
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemHostAlloc(memory: *mut *mut c_void, bytes: usize, _: u32) -> Code {
    // SAFETY: by the caller.
    unsafe { cuMemAllocHost_v2(memory, bytes) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemFreeHost(memory: *mut c_void) -> Code {
    call("cuMemFreeHost", |driver| {
        unpin(driver, memory as u64, true)?;
        // SAFETY: `unpin` found that the driver allocated it.
        unsafe { libc::free(memory) };
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemHostRegister_v2(memory: *mut c_void, bytes: usize, _flags: u32) -> Code {
    call("cuMemHostRegister", |driver| {
        driver.host_address(memory as u64)?;
        let range = Range {
            start: memory as u64,
            size: bytes as u64,
        };
        driver.pinned.insert(range.start, (range, false));
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemHostUnregister(memory: *mut c_void) -> Code {
    call("cuMemHostUnregister", |driver| {
        unpin(driver, memory as u64, false)
    })
}

/// Forgets page-locked memory, which no queued copy may still use.
fn unpin(driver: &mut Driver, start: u64, given: bool) -> Result<()> {
    let invalid = |text: String| Fault::new(Code::INVALID_VALUE, text);
    let Some((range, by_driver)) = driver.pinned.get(&start).copied() else {
        return Err(invalid(format!("{start:#x} is no page-locked memory")));
    };
    if by_driver != given {
        return Err(invalid(format!(
            "{start:#x} was page-locked by another call"
        )));
    }
    if driver.host_in_use(range.start, range.size) {
        return Err(invalid(format!(
            "{start:#x}: a copy from or to it has not run yet"
        )));
    }
    driver.pinned.remove(&start);
    Ok(())
}

/// What calls without a stream do: wait for blocking streams, work, wait.
fn at_once(what: &str, queue: impl FnOnce(&mut Driver) -> Result<()>) -> Code {
    call(what, |driver| {
        queue(driver)?;
        driver.settle_default()
    })
}

/// An empty copy does nothing, whatever its addresses.
fn copy(driver: &mut Driver, to: u64, from: u64, len: u64, stream: Handle) -> Result<()> {
    if len == 0 {
        return Ok(());
    }
    driver.device_range(to, len)?;
    driver.device_range(from, len)?;
    driver.queue(stream, Work::Copy { to, from, len }).map(drop)
}

fn copy_in(driver: &mut Driver, to: u64, from: u64, len: u64, stream: Handle) -> Result<()> {
    if len == 0 {
        Ok(())
    } else {
        driver.queue_in(to, from, len, stream)
    }
}

fn copy_out(driver: &mut Driver, to: u64, from: u64, len: u64, stream: Handle) -> Result<()> {
    if len == 0 {
        Ok(())
    } else {
        driver.queue_out(to, from, len, stream)
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemcpyHtoD_v2(to: u64, from: *const c_void, bytes: usize) -> Code {
    at_once("cuMemcpyHtoD", |d| {
        copy_in(d, to, from as u64, bytes as u64, 0)
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemcpyDtoH_v2(to: *mut c_void, from: u64, bytes: usize) -> Code {
    at_once("cuMemcpyDtoH", |d| {
        copy_out(d, to as u64, from, bytes as u64, 0)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpyDtoD_v2(to: u64, from: u64, bytes: usize) -> Code {
    at_once("cuMemcpyDtoD", |d| copy(d, to, from, bytes as u64, 0))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemcpyHtoDAsync_v2(
    to: u64,
    from: *const c_void,
    bytes: usize,
    stream: Handle,
) -> Code {
    call("cuMemcpyHtoDAsync", |d| {
        copy_in(d, to, from as u64, bytes as u64, stream)
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemcpyDtoHAsync_v2(
    to: *mut c_void,
    from: u64,
    bytes: usize,
    stream: Handle,
) -> Code {
    call("cuMemcpyDtoHAsync", |d| {
        copy_out(d, to as u64, from, bytes as u64, stream)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpyDtoDAsync_v2(to: u64, from: u64, bytes: usize, stream: Handle) -> Code {
    call("cuMemcpyDtoDAsync", |d| {
        copy(d, to, from, bytes as u64, stream)
    })
}

fn fill(driver: &mut Driver, to: u64, one: &[u8], count: usize, stream: Handle) -> Result<()> {
    if count == 0 {
        return Ok(());
    }
    let width = one.len() as u64;
    if !to.is_multiple_of(width) {
        return Err(Fault::new(
            Code::INVALID_VALUE,
            format!("{to:#x}, expected a multiple of {width}"),
        ));
    }
    let count = count as u64;
    driver.device_range(to, width * count)?;
    let pattern = one.to_vec();
    driver
        .queue(stream, Work::Fill { to, pattern, count })
        .map(drop)
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemsetD8_v2(to: u64, value: u8, count: usize) -> Code {
    at_once("cuMemsetD8", |driver| fill(driver, to, &[value], count, 0))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemsetD16_v2(to: u64, value: u16, count: usize) -> Code {
    at_once("cuMemsetD16", |driver| {
        fill(driver, to, &value.to_le_bytes(), count, 0)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemsetD32_v2(to: u64, value: u32, count: usize) -> Code {
    at_once("cuMemsetD32", |driver| {
        fill(driver, to, &value.to_le_bytes(), count, 0)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemsetD8Async(to: u64, value: u8, count: usize, stream: Handle) -> Code {
    call("cuMemsetD8Async", |driver| {
        fill(driver, to, &[value], count, stream)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemsetD16Async(to: u64, value: u16, count: usize, stream: Handle) -> Code {
    call("cuMemsetD16Async", |driver| {
        fill(driver, to, &value.to_le_bytes(), count, stream)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemsetD32Async(to: u64, value: u32, count: usize, stream: Handle) -> Code {
    call("cuMemsetD32Async", |driver| {
        fill(driver, to, &value.to_le_bytes(), count, stream)
    })
}
