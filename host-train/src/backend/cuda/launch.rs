//! Launching kernels.

use std::ffi::c_void;

use cust::sys;
use derefnet_cuda_kernels::{GRADIENT_ROWS, Geometry, Kernel, SlabGeometry, THREADS};

use super::device::check;
use super::{Buffer, Cuda};

/// Most blocks of an elementwise kernel or a sum: several for every multiprocessor of the largest
/// devices. The number of a sum's shares depends on its length alone.
const MOST_BLOCKS: usize = 1024;
/// Shared memory that a kernel gets without asking.
const PLAIN_SHARED: u32 = 48 << 10;

/// What a kernel is given.
#[derive(Clone, Copy)]
pub(crate) enum Argument<'a> {
    /// A buffer that it reads.
    In(&'a Buffer),
    /// A buffer that it writes, or reads and writes.
    Out(&'a Buffer),
    /// No buffer.
    Null,
    /// A number.
    Count(usize),
    /// A number.
    Float(f32),
    /// A struct.
    Struct(&'a [u8]),
}

/// A struct as an argument.
pub(crate) fn geometry<G: Geometry>(geometry: &G) -> Argument<'_> {
    Argument::Struct(geometry.bytes())
}

/// A count as kernels have it.
///
/// # Panics
/// From 2³² on.
pub(crate) fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or_else(|_| panic!("{n} values are too many for one launch"))
}

/// Blocks of an elementwise kernel over `len` values.
pub(crate) fn blocks(len: usize) -> usize {
    len.div_ceil(THREADS as usize).clamp(1, MOST_BLOCKS)
}

/// Blocks, and bytes of dynamic shared memory.
#[derive(Clone, Copy)]
pub(crate) struct Grid {
    blocks: [usize; 3],
    shared: usize,
}

impl Grid {
    /// Blocks along three axes.
    pub(crate) fn new(blocks: [usize; 3]) -> Self {
        Self { blocks, shared: 0 }
    }

    /// One block for each of `n`.
    pub(crate) fn each(n: usize) -> Self {
        Self::new([n, 1, 1])
    }

    /// As many as suit an elementwise kernel over `len` values.
    ///
    /// # Panics
    /// From 2³² values on.
    pub(crate) fn over(len: usize) -> Self {
        Self::each(blocks(count(len) as usize))
    }

    /// As many blocks again in each of `n` planes.
    pub(crate) fn with_planes(mut self, n: usize) -> Self {
        self.blocks[2] = n;
        self
    }

    /// With `values` f32 of dynamic shared memory.
    pub(crate) fn with_shared(mut self, values: usize) -> Self {
        self.shared = values * size_of::<f32>();
        self
    }
}

/// Slabs of the pixels over which a kernel's gradient sums.
pub(crate) struct Slabs {
    rows: usize,
    count: usize,
}

impl Slabs {
    /// Most slabs: with the columns' blocks several blocks for every multiprocessor.
    const MOST: usize = 128;
    /// Least pixels of a slab.
    const LEAST: usize = 512;

    /// Slabs of `pixels` pixels.
    pub(crate) fn new(pixels: usize) -> Self {
        let rows = pixels.div_ceil(Self::MOST).max(Self::LEAST);
        let rows = rows.next_multiple_of(GRADIENT_ROWS);
        Self {
            rows,
            count: pixels.div_ceil(rows).max(1),
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// As kernels have it.
    pub(crate) fn geometry(&self) -> SlabGeometry {
        SlabGeometry {
            rows: count(self.rows),
            count: count(self.count),
        }
    }
}

/// Arguments as the driver reads them.
struct Packed {
    words: Vec<u64>,
    /// First word and bytes of each.
    places: Vec<(usize, usize)>,
}

impl Packed {
    fn new(arguments: &[Argument<'_>]) -> Self {
        let mut packed = Self {
            words: Vec::new(),
            places: Vec::new(),
        };
        for argument in arguments {
            match argument {
                Argument::In(buffer) | Argument::Out(buffer) => {
                    packed.push(&buffer.address().to_ne_bytes());
                }
                Argument::Null => packed.push(&0u64.to_ne_bytes()),
                Argument::Count(n) => packed.push(&count(*n).to_ne_bytes()),
                Argument::Float(value) => packed.push(&value.to_ne_bytes()),
                Argument::Struct(bytes) => packed.push(bytes),
            }
        }
        packed
    }

    fn push(&mut self, bytes: &[u8]) {
        self.places.push((self.words.len(), bytes.len()));
        self.words.extend(bytes.chunks(8).map(|chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_ne_bytes(word)
        }));
    }

    fn pointers(&mut self) -> Vec<*mut c_void> {
        let words = self.words.as_mut_ptr();
        let places = self.places.iter();
        places
            .map(|&(at, _)| words.wrapping_add(at).cast())
            .collect()
    }
}

impl Cuda {
    /// Runs `kernel` on the calling thread's stream, after whatever other streams have to do with
    /// its buffers.
    ///
    /// # Panics
    /// If the arguments are not the kernel's, or the device fails.
    pub(crate) fn launch<'a>(&self, kernel: &Kernel, grid: Grid, arguments: &[Argument<'a>]) {
        let mut packed = Packed::new(arguments);
        let sizes = packed.places.iter().map(|place| place.1);
        assert!(
            sizes.eq(kernel.parameters.iter().copied()),
            "{}",
            kernel.name
        );
        let buffers = |wanted: fn(&Argument<'a>) -> Option<&'a Buffer>| -> Vec<&'a Buffer> {
            arguments.iter().filter_map(wanted).collect()
        };
        let reads = buffers(|argument| match *argument {
            Argument::In(buffer) => Some(buffer),
            _ => None,
        });
        let writes = buffers(|argument| match *argument {
            Argument::Out(buffer) => Some(buffer),
            _ => None,
        });
        let function = self.device.function(kernel);
        self.device.submit(&reads, &writes, |stream| {
            start(kernel, function, grid, &mut packed, stream);
        });
    }
}

/// Gives a launch to the driver.
fn start(
    kernel: &Kernel,
    function: sys::CUfunction,
    grid: Grid,
    packed: &mut Packed,
    stream: sys::CUstream,
) {
    let [x, y, z] = grid.blocks.map(count);
    let shared = count(grid.shared);
    let mut pointers = packed.pointers();
    // SAFETY: `pointers` point into `packed`, one per parameter of the kernel and of its size. The
    // operators that call this give geometries that fit their buffers, as those of the CPU backend
    // do; the emulated driver of the tests finds every access beside a buffer.
    unsafe {
        if shared > PLAIN_SHARED {
            let kind = sys::CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            let set = sys::cuFuncSetAttribute(function, kind, shared as i32);
            check(set, &format!("give {} {shared} bytes", kernel.name));
        }
        let launched = sys::cuLaunchKernel(
            function,
            x,
            y,
            z,
            kernel.block,
            1,
            1,
            shared,
            stream,
            pointers.as_mut_ptr(),
            std::ptr::null_mut(),
        );
        check(launched, &format!("launch {}", kernel.name));
    }
}
