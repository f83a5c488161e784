//! The shared object of compiled kernels, and the shared memory of their blocks.

use std::collections::HashMap;
use std::ffi::{CString, c_void};

use super::signal;
use super::threads::{HOOKS, Hooks, Place, Threads};
use crate::error::{Code, Fault, Result};
use crate::machine::launch::Launch;
use crate::memory::{Memory, POISON};

type Entry = unsafe extern "C" fn(*mut *mut c_void);

/// Kernels compiled for this processor.
pub struct Native {
    library: *mut c_void,
    place: *mut Place,
    // Where threads keep pointing to while they run: never moved.
    threads: Box<Threads>,
}

// SAFETY: used under the driver's lock only.
unsafe impl Send for Native {}

impl Native {
    /// Opens the shared object that `DEREFNET_CUDA_NATIVE` names.
    pub fn load() -> Result<Self> {
        let wrong = |text: String| Fault::new(Code::NOT_INITIALIZED, text);
        let path = std::env::var("DEREFNET_CUDA_NATIVE").map_err(|_| {
            wrong("DEREFNET_CUDA_NATIVE is not set, expected the compiled kernels".to_owned())
        })?;
        let name = CString::new(path.as_bytes()).map_err(|error| wrong(error.to_string()))?;
        // SAFETY: the object has no initialisers beyond those of the C++ library.
        let library = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW) };
        if library.is_null() {
            return Err(wrong(format!(
                "{path}: no shared object that can be loaded"
            )));
        }
        let find = |symbol: &str| {
            symbol_of(library, symbol)
                .ok_or_else(|| wrong(format!("{path}: no {symbol}, expected compiled kernels")))
        };
        // SAFETY: the shim's state is compiled with it as an unsigned number.
        let bytes = unsafe { find("emu_hooks_bytes")?.cast::<u32>().read() };
        if bytes as usize != size_of::<Hooks>() {
            return Err(wrong(format!("{path}: of another shim, build it anew")));
        }
        let place = find("emu_place")?.cast();
        let hooks = find("emu_hooks")?.cast::<Hooks>();
        // SAFETY: the shim declares it so.
        unsafe { hooks.write(HOOKS) };
        let threads = Box::new(Threads::new(Shared::default()));
        Ok(Self {
            library,
            place,
            threads,
        })
    }

    /// Runs a launch; `memory` must be open.
    ///
    /// # Errors
    ///
    /// The first fault of a thread, and arguments that source and PTX disagree about.
    pub fn run(&mut self, launch: &Launch<'_>, memory: &Memory) -> Result<()> {
        let name = &launch.program.name;
        let entry = self.entry(launch)?;
        let mut params = launch.params.to_vec();
        let arguments = launch.program.params.iter();
        let arguments = arguments
            .map(|argument| params[argument.offset as usize..].as_mut_ptr().cast())
            .collect();
        let count = launch.block.iter().product::<u32>() as usize;
        self.threads.prepare(count, entry, arguments)?;
        self.threads.shared.size_dynamic(launch.dynamic as usize)?;
        let [x, y, z] = launch.grid;
        for index in 0..u64::from(x) * u64::from(y) * u64::from(z) {
            let (x, y) = (u64::from(x), u64::from(y));
            let block = [index % x, index / x % y, index / (x * y)].map(|at| at as u32);
            self.threads.shared.poison();
            let here = Place {
                thread: [0; 3],
                block,
                block_dim: launch.block,
                grid_dim: launch.grid,
            };
            signal::running(true);
            // SAFETY: the entry is this kernel's by name, and its arguments were compared.
            let ran = unsafe { self.threads.run(self.place, here) };
            signal::running(false);
            ran.map_err(|fault| {
                let [x, y, z] = block;
                self.explained(fault, memory)
                    .at(format!("kernel {name}, block ({x}, {y}, {z})"))
            })?;
        }
        Ok(())
    }

    /// Says what the address of a fault is.
    fn explained(&self, fault: Fault, memory: &Memory) -> Fault {
        if fault.code != Code::ILLEGAL_ADDRESS {
            return fault;
        }
        let address = signal::address();
        let what = self.threads.shared.name(address);
        let what = what.unwrap_or_else(|| memory.name(address));
        Fault::new(fault.code, format!("{}: {what}", fault.text))
    }

    fn entry(&self, launch: &Launch<'_>) -> Result<Entry> {
        let name = &launch.program.name;
        let missing = || {
            Fault::new(
                Code::NOT_FOUND,
                format!("no compiled kernel is called {name}"),
            )
        };
        let sizes = symbol_of(self.library, &format!("emu_sizes_{name}")).ok_or_else(missing)?;
        let expected: Vec<_> = launch
            .program
            .params
            .iter()
            .map(|a| a.size as u32)
            .collect();
        let sizes = sizes.cast::<u32>();
        // SAFETY: the shim writes a count and as many sizes.
        let count = unsafe { sizes.read() } as usize;
        // SAFETY: as above.
        let got = unsafe { std::slice::from_raw_parts(sizes.add(1), count) };
        if got != expected {
            return Err(Fault::new(
                Code::INVALID_VALUE,
                format!(
                    "kernel {name}: arguments of {got:?} bytes in its source, {expected:?} in its PTX"
                ),
            ));
        }
        let entry = symbol_of(self.library, &format!("emu_entry_{name}")).ok_or_else(missing)?;
        // SAFETY: the shim defines it with this signature.
        Ok(unsafe { std::mem::transmute::<*mut c_void, Entry>(entry) })
    }
}

fn symbol_of(library: *mut c_void, name: &str) -> Option<*mut c_void> {
    let name = CString::new(name).ok()?;
    // SAFETY: the library is open.
    let at = unsafe { libc::dlsym(library, name.as_ptr()) };
    (!at.is_null()).then_some(at)
}

const PAGE: usize = 4096;

/// Shared memory: every variable ends at a guard page of its own.
#[derive(Default)]
pub struct Shared {
    variables: HashMap<usize, Guarded>,
    dynamic: Option<Guarded>,
}

/// Memory between guard pages.
struct Guarded {
    at: *mut u8,
    size: usize,
}

impl Guarded {
    fn new(size: usize) -> Result<Self> {
        let pages = size.max(1).next_multiple_of(PAGE);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a fresh anonymous mapping touches nothing that exists.
        let base = unsafe {
            let len = pages + 2 * PAGE;
            libc::mmap(std::ptr::null_mut(), len, libc::PROT_NONE, flags, -1, 0)
        };
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let first = base.wrapping_byte_add(PAGE);
        // SAFETY: pages inside the mapping above.
        if base == libc::MAP_FAILED || unsafe { libc::mprotect(first, pages, access) } != 0 {
            return Err(Fault::new(Code::OUT_OF_MEMORY, "shared memory"));
        }
        let at = first.wrapping_byte_add(pages - size.next_multiple_of(16));
        Ok(Self {
            at: at.cast(),
            size,
        })
    }

    fn name(&self, address: u64) -> Option<String> {
        let offset = address.wrapping_sub(self.at as u64) as i64;
        let near = -(PAGE as i64)..(self.size + 2 * PAGE) as i64;
        let size = self.size;
        near.contains(&offset)
            .then(|| format!("byte {offset} of shared memory of {size} bytes"))
    }
}

impl Shared {
    /// The variable with this key, made where it is new.
    pub(super) fn variable(&mut self, key: usize, size: usize) -> Result<*mut u8> {
        if let Some(variable) = self.variables.get(&key) {
            return Ok(variable.at);
        }
        let variable = Guarded::new(size)?;
        let at = variable.at;
        // SAFETY: `size` bytes were just mapped.
        unsafe { std::ptr::write_bytes(at, POISON, size) };
        self.variables.insert(key, variable);
        Ok(at)
    }

    /// The memory sized by the launch.
    pub(super) fn dynamic(&self) -> *mut u8 {
        self.dynamic
            .as_ref()
            .map_or(std::ptr::null_mut(), |dynamic| dynamic.at)
    }

    fn size_dynamic(&mut self, size: usize) -> Result<()> {
        if self
            .dynamic
            .as_ref()
            .is_none_or(|dynamic| dynamic.size != size)
        {
            self.dynamic = Some(Guarded::new(size)?);
        }
        Ok(())
    }

    /// Makes every f32 a NaN, as at the start of a block.
    fn poison(&self) {
        for part in self.variables.values().chain(&self.dynamic) {
            // SAFETY: the part's own bytes.
            unsafe { std::ptr::write_bytes(part.at, POISON, part.size) };
        }
    }

    fn name(&self, address: u64) -> Option<String> {
        let mut parts = self.variables.values().chain(&self.dynamic);
        parts.find_map(|part| part.name(address))
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let pages = self.size.max(1).next_multiple_of(PAGE);
        let end = self.at.wrapping_add(self.size.next_multiple_of(16));
        let base = end.wrapping_sub(pages + PAGE);
        // SAFETY: the mapping of `new`, which nothing uses any more.
        unsafe { libc::munmap(base.cast(), pages + 2 * PAGE) };
    }
}
