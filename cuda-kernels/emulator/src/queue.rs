//! Work of streams, done as late as the rules allow.
//!
//! Nothing runs when it is queued. A call that waits runs what it waits for and no more: a host
//! that reads a result too early finds what was there before, and one that writes to a buffer too
//! early changes what is copied. Streams are ordered among each other by events and, as blocking
//! streams are, by the default stream.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::driver::{Driver, Handle, Mode, no_handle};
use crate::error::{Code, Fault, Result};
use crate::machine::launch::{Launch, run};
use crate::memory::POISON;
use crate::module::Function;

/// Something to do on the device; fields are addresses, bytes, handles and serial numbers.
#[allow(missing_docs)]
#[derive(Clone)]
pub enum Work {
    /// Run a kernel.
    Launch {
        /// The kernel.
        function: Arc<Function>,
        /// Blocks.
        grid: [u32; 3],
        /// Threads of a block.
        block: [u32; 3],
        /// Dynamic shared memory, in bytes.
        dynamic: u32,
        /// The arguments' bytes.
        params: Vec<u8>,
    },
    /// Copy to the device from host memory that is read when this runs.
    CopyIn { to: u64, from: u64, len: u64 },
    /// Copy bytes to the device that were taken when this was queued.
    Put { to: u64, bytes: Vec<u8> },
    /// Copy to the host.
    CopyOut { to: u64, from: u64, len: u64 },
    /// Copy on the device.
    Copy { to: u64, from: u64, len: u64 },
    /// Repeat a pattern.
    Fill {
        to: u64,
        pattern: Vec<u8>,
        count: u64,
    },
    /// Give memory back.
    Free { at: u64 },
    /// Note that everything before is done.
    Record { event: Handle, version: u64 },
    /// Wait for a record.
    Wait { stream: Handle, serial: u64 },
    /// Call the host.
    Call {
        function: unsafe extern "C" fn(*mut std::ffi::c_void),
        data: u64,
    },
}

impl Work {
    /// The host memory that this reads or writes when it runs.
    fn host(&self) -> Option<(u64, u64)> {
        match *self {
            Self::CopyIn { from, len, .. } => Some((from, len)),
            Self::CopyOut { to, len, .. } => Some((to, len)),
            _ => None,
        }
    }
}

/// A stream.
pub struct Stream {
    queue: VecDeque<(u64, Work)>,
    /// As created: 1 is for streams that the default stream does not order.
    pub flags: u32,
    /// As created.
    pub priority: i32,
    /// Destroyed; its work still runs.
    pub gone: bool,
    pub(crate) capture: Option<Handle>,
}

impl Stream {
    /// An idle stream.
    pub fn new(flags: u32, priority: i32) -> Self {
        Self {
            queue: VecDeque::new(),
            flags,
            priority,
            gone: false,
            capture: None,
        }
    }

    fn blocking(&self) -> bool {
        self.flags & 1 == 0
    }
}

impl Driver {
    pub(crate) fn stream(&mut self, handle: Handle) -> Result<&mut Stream> {
        let handle = default(handle);
        match self.streams.get_mut(&handle) {
            Some(stream) if !stream.gone => Ok(stream),
            _ => Err(no_handle("stream", handle)),
        }
    }

    /// Queues work; its serial number.
    pub(crate) fn queue(&mut self, stream: Handle, work: Work) -> Result<u64> {
        self.serial += 1;
        let serial = self.serial;
        let stream = default(stream);
        if let Some(capture) = self.stream(stream)?.capture {
            self.graphs.entry(capture).or_default().push(stream, work);
        } else {
            self.stream(stream)?.queue.push_back((serial, work));
        }
        Ok(serial)
    }

    /// Copies asynchronously to the device. Page-locked memory is read when the copy runs, any
    /// other at once, as drivers do.
    pub(crate) fn queue_in(&mut self, to: u64, from: u64, len: u64, stream: Handle) -> Result<()> {
        self.device_range(to, len)?;
        self.host_address(from)?;
        let captured = self.stream(stream)?.capture.is_some();
        let work = if captured || self.pinned(from, len) {
            Work::CopyIn { to, from, len }
        } else {
            // SAFETY: a caller that names host memory owns it.
            let bytes = unsafe { std::slice::from_raw_parts(from as *const u8, len as usize) };
            let bytes = bytes.to_vec();
            Work::Put { to, bytes }
        };
        self.queue(stream, work).map(drop)
    }

    /// Copies asynchronously to the host. Page-locked memory is poisoned until the copy has run;
    /// into any other the copy runs at once, as drivers do.
    pub(crate) fn queue_out(&mut self, to: u64, from: u64, len: u64, stream: Handle) -> Result<()> {
        self.device_range(from, len)?;
        self.host_address(to)?;
        let captured = self.stream(stream)?.capture.is_some();
        let pinned = self.pinned(to, len);
        let serial = self.queue(stream, Work::CopyOut { to, from, len })?;
        if captured {
            return Ok(());
        }
        if pinned {
            // SAFETY: page-locked memory is known, and holds `len` bytes.
            unsafe { std::ptr::write_bytes(to as *mut u8, POISON, len as usize) };
            return Ok(());
        }
        self.settle(default(stream), serial)
    }

    /// Runs a stream's work up to `serial`, and all that this waits for.
    pub(crate) fn settle(&mut self, stream: Handle, serial: u64) -> Result<()> {
        let stream = default(stream);
        if self
            .streams
            .get(&stream)
            .is_some_and(|s| s.capture.is_some())
        {
            return Err(Fault::new(
                Code::CAPTURE_UNSUPPORTED,
                "waiting for a stream that is being captured",
            ));
        }
        self.memory.open(true)?;
        let done = self.advance(stream, serial);
        self.memory.open(false)?;
        done
    }

    /// Runs everything that the default stream waits for, as calls without a stream do.
    pub(crate) fn settle_default(&mut self) -> Result<()> {
        let blocking = self.streams.iter().filter(|(_, stream)| stream.blocking());
        let handles: Vec<_> = blocking.map(|(handle, _)| *handle).collect();
        handles
            .into_iter()
            .try_for_each(|stream| self.settle(stream, u64::MAX))
    }

    /// Runs everything.
    pub(crate) fn settle_all(&mut self) -> Result<()> {
        let handles: Vec<_> = self.streams.keys().copied().collect();
        handles
            .into_iter()
            .try_for_each(|stream| self.settle(stream, u64::MAX))
    }

    /// Runs the next piece of a stream's work; whether there was none.
    pub(crate) fn poll(&mut self, stream: Handle) -> Result<bool> {
        let front = self
            .stream(stream)?
            .queue
            .front()
            .map(|(serial, _)| *serial);
        let Some(serial) = front else {
            return Ok(true);
        };
        self.settle(stream, serial)?;
        Ok(false)
    }

    fn advance(&mut self, stream: Handle, until: u64) -> Result<()> {
        while let Some(queue) = self.streams.get_mut(&stream).map(|s| &mut s.queue)
            && let Some((serial, work)) = queue.pop_front_if(|(serial, _)| *serial <= until)
        {
            self.order(stream, serial)?;
            self.execute(work)?;
        }
        Ok(())
    }

    /// Runs what the default stream's rules put before work number `serial` of `stream`.
    fn order(&mut self, stream: Handle, serial: u64) -> Result<()> {
        if stream != 0 {
            let blocking = self.streams[&stream].blocking();
            return if blocking {
                self.advance(0, serial)
            } else {
                Ok(())
            };
        }
        let others = self
            .streams
            .iter()
            .filter(|(h, s)| **h != 0 && s.blocking());
        let others: Vec<_> = others.map(|(handle, _)| *handle).collect();
        others
            .into_iter()
            .try_for_each(|other| self.advance(other, serial))
    }

    fn execute(&mut self, work: Work) -> Result<()> {
        match work {
            Work::Launch {
                function,
                grid,
                block,
                dynamic,
                params,
            } => {
                let program = &function.program;
                let params = &params[..];
                let launch = Launch {
                    program,
                    grid,
                    block,
                    dynamic,
                    params,
                };
                match &mut self.mode {
                    Mode::Ptx => run(&launch, &mut self.memory, &mut self.blocks),
                    Mode::Native(native) => native.run(&launch, &self.memory),
                }
            }
            // SAFETY: a caller that names host memory owns it until the copy is done.
            Work::CopyIn { to, from, len } => unsafe { self.memory.copy_in(to, from, len) },
            Work::Put { to, bytes } => {
                // SAFETY: the bytes are a vector's.
                unsafe {
                    self.memory
                        .copy_in(to, bytes.as_ptr() as u64, bytes.len() as u64)
                }
            }
            // SAFETY: device addresses.
            Work::Copy { to, from, len } => unsafe { self.memory.copy_in(to, from, len) },
            Work::CopyOut { to, from, len } => {
                self.memory.check(from, len)?;
                // SAFETY: the source was checked; the host's memory is the caller's word.
                unsafe { std::ptr::copy(from as *const u8, to as *mut u8, len as usize) };
                Ok(())
            }
            Work::Fill { to, pattern, count } => {
                let bytes = pattern.repeat(count as usize);
                // SAFETY: the bytes are a vector's.
                unsafe {
                    self.memory
                        .copy_in(to, bytes.as_ptr() as u64, bytes.len() as u64)
                }
            }
            Work::Free { at } => self.memory.free(at),
            Work::Record { event, version } => {
                if let Some(event) = self.events.get_mut(&event) {
                    event.done(version);
                }
                Ok(())
            }
            Work::Wait { stream, serial } => self.advance(stream, serial),
            Work::Call { function, data } => {
                // SAFETY: the caller gave the function for this.
                unsafe { function(data as *mut _) };
                Ok(())
            }
        }
    }

    /// Whether queued work still reads or writes `len` bytes of host memory at `address`.
    pub(crate) fn host_in_use(&self, address: u64, len: u64) -> bool {
        let overlaps = |(start, size): (u64, u64)| start < address + len && address < start + size;
        let queues = self.streams.values().flat_map(|stream| &stream.queue);
        queues.filter_map(|(_, work)| work.host()).any(overlaps)
    }

    /// Queues a launch after checking its shape and that its pointers are device addresses.
    pub(crate) fn queue_launch(&mut self, stream: Handle, work: Work) -> Result<()> {
        let Work::Launch {
            function,
            grid,
            block,
            dynamic,
            params,
        } = &work
        else {
            return Ok(());
        };
        let name = format!("kernel {}", function.program.name);
        function
            .check(*grid, *block, *dynamic)
            .map_err(|fault| fault.at(&name))?;
        for (index, argument) in function.program.params.iter().enumerate() {
            for offset in &function.program.pointers {
                let inside = offset.wrapping_sub(argument.offset) < argument.size;
                let bytes = params.get(*offset as usize..*offset as usize + 8);
                let (true, Some(bytes)) = (inside, bytes) else {
                    continue;
                };
                let mut pointer = [0; 8];
                pointer.copy_from_slice(bytes);
                let pointer = u64::from_le_bytes(pointer);
                if pointer != 0 && self.memory.find(pointer).is_none() {
                    let what = self.memory.name(pointer);
                    return Err(Fault::new(
                        Code::INVALID_VALUE,
                        format!("{name}, argument {index}: {pointer:#x} is {what}"),
                    ));
                }
            }
        }
        self.queue(stream, work).map(drop)
    }
}

/// Sets how much dynamic shared memory launches of a function may ask for.
pub fn allow_dynamic(function: &Function, bytes: u32) {
    function.most_dynamic.store(bytes, Ordering::Relaxed);
}

/// The default stream has three names.
pub(crate) fn default(stream: Handle) -> Handle {
    if matches!(stream, 1 | 2) { 0 } else { stream }
}
