//! Modules: PTX as loaded, its variables in device memory, its kernels.

use std::collections::HashMap;
use std::sync::atomic::AtomicU32;

use crate::driver::Driver;
use crate::error::{Code, Fault, Result};
use crate::ptx::decode::{DYNAMIC, Program, Symbols, decode, place};
use crate::ptx::parse::parse;
use crate::ptx::tree::Space;

/// Dynamic and static shared memory of a block unless its function asks for more, in bytes.
pub const SHARED: u32 = 48 << 10;
/// The most that a function may ask for, in bytes: compute capability 8.0.
pub const SHARED_OPT_IN: u32 = 163 << 10;

/// A loaded module.
pub struct Module {
    /// Kernels not yet asked for by name, too.
    pub kernels: HashMap<String, Program>,
    /// Variables in device memory: address and bytes.
    pub variables: HashMap<String, (u64, u64)>,
}

/// A kernel with a handle.
pub struct Function {
    /// What it runs.
    pub program: Program,
    /// Most dynamic shared memory of a launch, in bytes.
    pub most_dynamic: AtomicU32,
}

impl Module {
    /// Parses PTX and puts its variables into device memory.
    pub fn load(driver: &mut Driver, text: &str) -> Result<Self> {
        let parsed = parse(text)?;
        let mut symbols = Symbols::new();
        let mut shared = 0;
        let mut variables = HashMap::new();
        for variable in &parsed.variables {
            if variable.space == Space::Shared {
                place(variable, &mut shared, &mut symbols);
                continue;
            }
            let range = driver.memory.allocate(variable.size)?;
            let mut bytes = variable.value.clone();
            bytes.resize(variable.size as usize, 0);
            driver.memory.open(true)?;
            // SAFETY: the bytes are a vector's.
            let copied = unsafe {
                let from = bytes.as_ptr() as u64;
                driver.memory.copy_in(range.start, from, variable.size)
            };
            driver.memory.open(false)?;
            copied?;
            symbols.insert(variable.name.clone(), (Space::Global, range.start));
            variables.insert(variable.name.clone(), (range.start, variable.size));
        }
        debug_assert!(
            symbols
                .values()
                .all(|(s, a)| *s == Space::Shared || *a != DYNAMIC)
        );
        let decoded = parsed.kernels.iter().map(|kernel| {
            let program = decode(kernel, &symbols, shared)?;
            Ok((kernel.name.clone(), program))
        });
        Ok(Self {
            kernels: decoded.collect::<Result<_>>()?,
            variables,
        })
    }

    /// Gives the variables' memory back.
    pub fn unload(self, driver: &mut Driver) -> Result<()> {
        for (address, _) in self.variables.values() {
            driver.memory.free(*address)?;
        }
        Ok(())
    }
}

impl Function {
    /// A function of `program`.
    pub fn new(program: Program) -> Self {
        let most_dynamic = AtomicU32::new(SHARED.saturating_sub(program.shared as u32));
        Self {
            program,
            most_dynamic,
        }
    }

    /// Checks the shape of a launch.
    pub fn check(&self, grid: [u32; 3], block: [u32; 3], dynamic: u32) -> Result<()> {
        let most = |what: &str, shape: [u32; 3], most: [u32; 3]| {
            let axes = shape.iter().zip(most);
            if axes.clone().all(|(got, most)| (1..=most).contains(got)) {
                return Ok(());
            }
            Err(Fault::new(
                Code::INVALID_VALUE,
                format!("{what} {shape:?}, expected 1 to {most:?}"),
            ))
        };
        most("grid", grid, [i32::MAX as u32, 65535, 65535])?;
        most("block", block, [1024, 1024, 64])?;
        let threads: u64 = block.iter().map(|n| u64::from(*n)).product();
        let allowed = u64::from(self.program.max_threads.unwrap_or(1024));
        if threads > allowed {
            return Err(Fault::new(
                Code::LAUNCH_OUT_OF_RESOURCES,
                format!("{threads} threads a block, expected at most {allowed}"),
            ));
        }
        let most = self.most_dynamic.load(std::sync::atomic::Ordering::Relaxed);
        if dynamic > most {
            return Err(Fault::new(
                Code::INVALID_VALUE,
                format!(
                    "too much shared memory: {dynamic} bytes of the launch beside {} of the \
                     kernel, expected at most {most} (cuFuncSetAttribute allows more)",
                    self.program.shared
                ),
            ));
        }
        Ok(())
    }
}
