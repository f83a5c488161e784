//! Modules, functions, launches.

use std::ffi::{CStr, c_char, c_void};
use std::sync::Arc;

use super::answer;
use crate::driver::{Driver, Handle, call, no_handle};
use crate::error::{Code, Fault, Result};
use crate::module::{Function, Module, SHARED_OPT_IN};
use crate::queue::{Work, allow_dynamic};

/// `image` is PTX that ends with a zero; options are of no effect here.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuModuleLoadDataEx(
    module: *mut Handle,
    image: *const c_char,
    _count: u32,
    _options: *mut i32,
    _values: *mut *mut c_void,
) -> Code {
    call("cuModuleLoadData", |driver| {
        // SAFETY: the caller gives text that ends with a zero.
        let text = unsafe { text(image) }?;
        let loaded = Module::load(driver, text)?;
        let handle = driver.handle();
        driver.modules.insert(handle, loaded);
        // SAFETY: by the caller.
        unsafe { answer(module, handle) }
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuModuleLoadData(module: *mut Handle, image: *const c_char) -> Code {
    let none = std::ptr::null_mut();
    // SAFETY: by the caller.
    unsafe { cuModuleLoadDataEx(module, image, 0, none, none.cast()) }
}

/// # Safety
///
/// `at` is null, or text that ends with a zero.
unsafe fn text<'a>(at: *const c_char) -> Result<&'a str> {
    if at.is_null() {
        return Err(Fault::new(Code::INVALID_VALUE, "null, expected text"));
    }
    // SAFETY: by the caller.
    let text = unsafe { CStr::from_ptr(at) };
    text.to_str()
        .map_err(|_| Fault::new(Code::INVALID_PTX, "no text, expected PTX (no cubin)"))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuModuleUnload(module: Handle) -> Code {
    call("cuModuleUnload", |driver| {
        driver.settle_all()?;
        let module = driver
            .modules
            .remove(&module)
            .ok_or_else(|| no_handle("module", module))?;
        module.unload(driver)
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuModuleGetFunction(
    function: *mut Handle,
    module: Handle,
    name: *const c_char,
) -> Code {
    call("cuModuleGetFunction", |driver| {
        // SAFETY: the caller gives text that ends with a zero.
        let name = unsafe { text(name) }?;
        let module = driver
            .modules
            .get(&module)
            .ok_or_else(|| no_handle("module", module))?;
        let program = module.kernels.get(name).cloned();
        let program = program
            .ok_or_else(|| Fault::new(Code::NOT_FOUND, format!("no kernel is called {name}")))?;
        let handle = driver.handle();
        driver
            .functions
            .insert(handle, Arc::new(Function::new(program)));
        // SAFETY: by the caller.
        unsafe { answer(function, handle) }
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuModuleGetGlobal_v2(
    address: *mut u64,
    bytes: *mut usize,
    module: Handle,
    name: *const c_char,
) -> Code {
    call("cuModuleGetGlobal", |driver| {
        // SAFETY: the caller gives text that ends with a zero.
        let name = unsafe { text(name) }?;
        let module = driver
            .modules
            .get(&module)
            .ok_or_else(|| no_handle("module", module))?;
        let found = module.variables.get(name).copied();
        let (at, size) = found
            .ok_or_else(|| Fault::new(Code::NOT_FOUND, format!("no variable is called {name}")))?;
        // SAFETY: by the caller.
        unsafe { answer(address, at).and_then(|()| answer(bytes, size as usize)) }
    })
}

fn function(driver: &Driver, handle: Handle) -> Result<Arc<Function>> {
    let found = driver.functions.get(&handle).cloned();
    found.ok_or_else(|| no_handle("function", handle))
}

/// `CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES`.
const MOST_DYNAMIC: i32 = 8;

#[unsafe(no_mangle)]
pub extern "C" fn cuFuncSetAttribute(handle: Handle, which: i32, value: i32) -> Code {
    call("cuFuncSetAttribute", |driver| {
        let function = function(driver, handle)?;
        let name = &function.program.name;
        // A preference about caches.
        if which == MOST_DYNAMIC + 1 {
            return Ok(());
        }
        let most = SHARED_OPT_IN.saturating_sub(function.program.shared as u32);
        if which != MOST_DYNAMIC || !(0..=most as i32).contains(&value) {
            return Err(Fault::new(
                Code::INVALID_VALUE,
                format!(
                    "kernel {name}: attribute {which} = {value}, expected {MOST_DYNAMIC} and at \
                     most {most}"
                ),
            ));
        }
        allow_dynamic(&function, value as u32);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuFuncGetAttribute(value: *mut i32, which: i32, handle: Handle) -> Code {
    call("cuFuncGetAttribute", |driver| {
        let function = function(driver, handle)?;
        let program = &function.program;
        let answered = match which {
            0 => program.max_threads.unwrap_or(1024) as i32,
            1 => program.shared as i32,
            3 => program.local as i32,
            5 | 6 => 80,
            MOST_DYNAMIC => function
                .most_dynamic
                .load(std::sync::atomic::Ordering::Relaxed) as i32,
            // Registers are ptxas's choice.
            2 | 4 | 7 | 9 => 0,
            _ => {
                let text = format!("attribute {which} is not emulated");
                return Err(Fault::new(Code::INVALID_VALUE, text));
            }
        };
        // SAFETY: by the caller.
        unsafe { answer(value, answered) }
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuFuncSetCacheConfig(handle: Handle, _config: u32) -> Code {
    call("cuFuncSetCacheConfig", |driver| {
        function(driver, handle).map(drop)
    })
}

/// By threads, blocks and shared memory; registers are ptxas's choice and do not count here.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuOccupancyMaxActiveBlocksPerMultiprocessor(
    blocks: *mut i32,
    handle: Handle,
    threads: i32,
    dynamic: usize,
) -> Code {
    call("cuOccupancyMaxActiveBlocksPerMultiprocessor", |driver| {
        let program = &function(driver, handle)?.program;
        let threads = (threads.max(1) as u32).next_multiple_of(32);
        let shared = program.shared as usize + dynamic + 1024;
        let most = (2048 / threads).min(32).min(((164 << 10) / shared) as u32);
        // SAFETY: by the caller.
        unsafe { answer(blocks, most as i32) }
    })
}

/// Arguments are pointers to values, one for each parameter of the kernel; what is not readable
/// there is refused.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuLaunchKernel(
    handle: Handle,
    grid_x: u32,
    grid_y: u32,
    grid_z: u32,
    block_x: u32,
    block_y: u32,
    block_z: u32,
    dynamic: u32,
    stream: Handle,
    arguments: *mut *mut c_void,
    extra: *mut *mut c_void,
) -> Code {
    call("cuLaunchKernel", |driver| {
        let function = function(driver, handle)?;
        let name = format!("kernel {}", function.program.name);
        if !extra.is_null() {
            return Err(Fault::new(
                Code::NOT_SUPPORTED,
                "extra arguments are not emulated",
            ));
        }
        let params = arguments_of(&function, arguments as u64).map_err(|fault| fault.at(&name))?;
        let grid = [grid_x, grid_y, grid_z];
        let block = [block_x, block_y, block_z];
        let work = Work::Launch {
            function,
            grid,
            block,
            dynamic,
            params,
        };
        driver.queue_launch(stream, work)
    })
}

/// Environment variable: arrays of arguments end with a null, which is checked.
const TERMINATED: &str = "DEREFNET_CUDA_ARGUMENTS_END";

fn arguments_of(function: &Function, array: u64) -> Result<Vec<u8>> {
    let program = &function.program;
    let count = program.params.len();
    let wrong = |text| Err(Fault::new(Code::INVALID_VALUE, text));
    let mut params = vec![0; program.param_bytes as usize];
    for (index, argument) in program.params.iter().enumerate() {
        let mut pointer = [0; 8];
        let there = peek(array + 8 * index as u64, &mut pointer);
        let (start, end) = (
            argument.offset as usize,
            (argument.offset + argument.size) as usize,
        );
        let from = u64::from_le_bytes(pointer);
        if !there || from == 0 || !peek(from, &mut params[start..end]) {
            return wrong(format!(
                "argument {index} is missing: the kernel has {count}, the last of them {} bytes",
                program.params[count - 1].size
            ));
        }
    }
    let mut last = [0; 8];
    if std::env::var_os(TERMINATED).is_some()
        && !(peek(array + 8 * count as u64, &mut last) && last == [0; 8])
    {
        return wrong(format!(
            "more arguments than the kernel has, expected {count}"
        ));
    }
    Ok(params)
}

/// Reads host memory that may not be there; whether it was.
fn peek(from: u64, to: &mut [u8]) -> bool {
    let local = libc::iovec {
        iov_base: to.as_mut_ptr().cast(),
        iov_len: to.len(),
    };
    let remote = libc::iovec {
        iov_base: from as *mut _,
        iov_len: to.len(),
    };
    // SAFETY: the kernel checks the source; the target is a slice.
    let count = unsafe { libc::process_vm_readv(libc::getpid(), &local, 1, &remote, 1, 0) };
    count == to.len() as isize
}
