//! The CUDA backend: NVIDIA GPUs through `cust`, with the kernels of `cuda-kernels`.
//!
//! Values stay on the device; a step's inputs go there and its losses come back through page-locked
//! memory while the host goes on. Every thread of the host has a stream of its own, up to
//! [`Cuda::in_flight`]; buffers know who wrote and who read them, and streams wait for each other
//! by events. Grids and the order of every sum follow from shapes alone, and no kernel adds with
//! atomics: the same seed gives the same bits.
//!
//! Nothing here has run on a GPU yet: it is tested on a driver that emulates one
//! (`cuda-kernels/emulator`).
#![allow(unsafe_code)]

mod buffer;
mod device;
mod launch;
mod optimiser;
mod pinned;
mod pool;

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use cust::sys;
use derefnet_cuda_kernels as kernels;

pub use buffer::Buffer;
use device::{Device, STREAMS, check, expect, new_event};
use pinned::{MOST, Piece};
use pool::Block;

pub(crate) use launch::{Argument, Grid, Slabs, blocks, count, geometry};

use super::{AdamStep, AdamTensor, Backend};
use crate::Result;
use crate::ops::{Op, Operator};

/// Tables that are remembered before all are forgotten.
const MOST_TABLES: usize = 256;

/// Tables on the device by their content.
type Tables = HashMap<Box<[u8]>, Arc<Buffer>>;

/// A GPU.
pub struct Cuda {
    // Dropped before the device.
    tables: Mutex<Tables>,
    device: Arc<Device>,
}

/// Copies to the host that were begun.
pub struct Pending {
    device: Arc<Device>,
    lane: usize,
    piece: Option<Piece>,
    lens: Vec<usize>,
    event: sys::CUevent,
    /// Copies to the device that were begun before.
    sent: u64,
}

// SAFETY: an event may be waited for from any thread in whose context it is.
unsafe impl Send for Pending {}

impl Cuda {
    /// Opens the first GPU.
    ///
    /// # Errors
    /// If there is no driver or no GPU, or it is too old: with what to do about it.
    pub fn open() -> Result<Self> {
        Self::open_nth(0)
    }

    /// Opens GPU number `nth`, counted from 0 and over again after the last.
    ///
    /// # Errors
    /// As [`Cuda::open`].
    pub fn open_nth(nth: usize) -> Result<Self> {
        Ok(Self {
            tables: Mutex::default(),
            device: Arc::new(Device::open(nth)?),
        })
    }

    /// Name of the GPU.
    pub fn name(&self) -> &str {
        &self.device.name
    }

    /// Whether a block may have `values` f32 of shared memory.
    pub(crate) fn has_shared(&self, values: usize) -> bool {
        values * size_of::<f32>() <= self.device.shared
    }

    /// Pieces of device memory made so far, recycled ones not counted: grows no more once every
    /// step is like the last.
    pub fn allocated(&self) -> usize {
        self.device.allocated.load(Ordering::Relaxed)
    }

    /// Uploads bytes behind `len` values.
    fn send(&self, bytes: &[u8], len: usize) -> Buffer {
        let buffer = self.alloc(len);
        if bytes.is_empty() {
            return buffer;
        }
        let lane = &self.device.lanes[self.device.lane()];
        let mut pinned = lane.pinned.lock().unwrap_or_else(|e| e.into_inner());
        let mut piece = pinned.take(bytes.len());
        piece.write(bytes);
        self.device.submit(&[], &[&buffer], |stream| {
            let from = piece.pointer().cast();
            // SAFETY: the piece holds the bytes until the copy is known to be over, and the buffer
            // is as long.
            let begun =
                unsafe { sys::cuMemcpyHtoDAsync_v2(buffer.address(), from, bytes.len(), stream) };
            check(begun, "copy to the device");
        });
        pinned.sent(piece);
        let (last, crowded) = (pinned.last(), pinned.in_flight() > MOST);
        drop(pinned);
        if crowded {
            self.finish(&self.begin(&[], last));
        }
        buffer
    }

    /// A table that kernels read, remembered: the same one is on the device only once.
    pub(crate) fn table(&self, bytes: &[u8]) -> Arc<Buffer> {
        let mut tables = self.tables.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(known) = tables.get(bytes) {
            return Arc::clone(known);
        }
        if tables.len() >= MOST_TABLES {
            tables.clear();
        }
        let table = Arc::new(self.passing_table(bytes));
        tables.insert(bytes.into(), Arc::clone(&table));
        table
    }

    /// A table that is used once.
    pub(crate) fn passing_table(&self, bytes: &[u8]) -> Buffer {
        self.send(bytes, bytes.len().div_ceil(size_of::<f32>()))
    }

    /// Table of numbers.
    pub(crate) fn numbers(&self, numbers: &[u32]) -> Arc<Buffer> {
        let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_ne_bytes()).collect();
        self.table(&bytes)
    }

    /// Room for `n` f64.
    pub(crate) fn doubles(&self, n: usize) -> Buffer {
        self.alloc(2 * n)
    }

    /// `to[..] = from[..]`.
    pub(crate) fn copy(&self, from: &Buffer, to: &Buffer) {
        assert_eq!(from.len(), to.len());
        if from.is_empty() {
            return;
        }
        self.device.submit(&[from], &[to], |stream| {
            let bytes = from.len() * size_of::<f32>();
            // SAFETY: both buffers hold as many bytes and live until the stream is through.
            let begun =
                unsafe { sys::cuMemcpyDtoDAsync_v2(to.address(), from.address(), bytes, stream) };
            check(begun, "copy on the device");
        });
    }

    /// `out = scale Σ part`, where `part` holds f64.
    pub(crate) fn sum(&self, part: &Buffer, scale: f32, out: &Buffer) {
        let arguments = [
            Argument::Count(part.len() / 2),
            Argument::Float(scale),
            Argument::In(part),
            Argument::Out(out),
        ];
        self.launch(&kernels::REDUCE_FINISH, Grid::each(1), &arguments);
    }

    /// Makes the calling thread's stream wait until it may read and write buffers that its next
    /// kernel is told of in a table.
    pub(crate) fn touch(&self, reads: &[&Buffer], writes: &[&Buffer]) {
        self.device.submit(reads, writes, |_| ());
    }

    /// Begins to copy buffers to the host; `sent` is the number of the last copy to the device.
    fn begin(&self, buffers: &[&Buffer], sent: u64) -> Pending {
        let lens: Vec<usize> = buffers.iter().map(|buffer| buffer.len()).collect();
        let bytes = lens.iter().sum::<usize>() * size_of::<f32>();
        let lane = self.device.lane();
        let pinned = &self.device.lanes[lane].pinned;
        let piece = (bytes > 0).then(|| {
            let mut pinned = pinned.lock().unwrap_or_else(|e| e.into_inner());
            pinned.take(bytes)
        });
        let event = expect(new_event(), "make an event");
        self.device.submit(buffers, &[], |stream| {
            let mut at = piece.as_ref().map_or(std::ptr::null_mut(), Piece::pointer);
            for buffer in buffers.iter().filter(|buffer| !buffer.is_empty()) {
                let bytes = buffer.len() * size_of::<f32>();
                // SAFETY: the piece has room for all buffers, one after the other, and is not read
                // before the event.
                let begun = unsafe {
                    sys::cuMemcpyDtoHAsync_v2(at.cast(), buffer.address(), bytes, stream)
                };
                check(begun, "copy to the host");
                at = at.wrapping_add(bytes);
            }
            // SAFETY: the event was just made.
            check(
                unsafe { sys::cuEventRecord(event, stream) },
                "record an event",
            );
        });
        Pending {
            device: Arc::clone(&self.device),
            lane,
            piece,
            lens,
            event,
            sent,
        }
    }

    /// Waits for copies and gives their values.
    fn finish(&self, pending: &Pending) -> Vec<Vec<f32>> {
        self.device.enter();
        // SAFETY: the event was recorded and lives as long as `pending`.
        check(
            unsafe { sys::cuEventSynchronize(pending.event) },
            "finish its work",
        );
        let pinned = &self.device.lanes[pending.lane].pinned;
        pinned
            .lock()
            .unwrap_or_else(|e| e.into_inner())
            .done(pending.sent);
        let mut start = 0;
        let values = pending.lens.iter().map(|&len| {
            let piece = pending.piece.as_ref().filter(|_| len > 0);
            start += len;
            piece.map_or_else(Vec::new, |piece| piece.read(start - len, len))
        });
        values.collect()
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.device.enter();
        // SAFETY: the event is this one's; what is still on its way has to arrive before the piece
        // is used again.
        unsafe {
            sys::cuEventSynchronize(self.event);
            sys::cuEventDestroy_v2(self.event);
        }
        if let Some(piece) = self.piece.take() {
            let pinned = &self.device.lanes[self.lane].pinned;
            pinned.lock().unwrap_or_else(|e| e.into_inner()).give(piece);
        }
    }
}

impl Backend for Cuda {
    type Buffer = Buffer;
    type Pending = Pending;

    fn kernels(&self, op: Op) -> Box<dyn Operator<Self>> {
        op.boxed()
    }

    fn pass<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        work()
    }

    fn in_flight(&self) -> usize {
        STREAMS
    }

    fn alloc(&self, len: usize) -> Buffer {
        Buffer::new(Block::new(&self.device, len * size_of::<f32>()), len)
    }

    fn recycle(&self, buffer: Buffer) {
        drop(buffer);
    }

    fn upload(&self, values: &[f32]) -> Buffer {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_ne_bytes()).collect();
        self.send(&bytes, values.len())
    }

    fn start_download(&self, buffers: &[&Buffer]) -> Pending {
        let lane = &self.device.lanes[self.device.lane()];
        let sent = lane.pinned.lock().unwrap_or_else(|e| e.into_inner()).last();
        self.begin(buffers, sent)
    }

    fn finish_download(&self, pending: Pending) -> Vec<Vec<f32>> {
        self.finish(&pending)
    }

    fn accumulate(&self, target: &mut Buffer, addend: &Buffer) {
        let len = target.len();
        let arguments = [
            Argument::Count(len),
            Argument::In(addend),
            Argument::Out(target),
        ];
        self.launch(&kernels::ACCUMULATE, Grid::over(len), &arguments);
    }

    fn fill(&self, target: &mut Buffer, value: f32) {
        if target.is_empty() {
            return;
        }
        self.device.submit(&[], &[target], |stream| {
            // SAFETY: the buffer has that many values.
            let begun = unsafe {
                sys::cuMemsetD32Async(target.address(), value.to_bits(), target.len(), stream)
            };
            check(begun, "fill memory");
        });
    }

    fn len(&self, buffer: &Buffer) -> usize {
        buffer.len()
    }

    fn adam(&self, step: &AdamStep, tensors: &mut [AdamTensor<'_, Self>]) {
        optimiser::adam(self, step, tensors);
    }

    fn clip(&self, gradients: &mut [&mut Buffer], limit: f32) {
        optimiser::clip(self, gradients, limit);
    }

    fn follow(&self, averages: &mut [Buffer], values: &[Buffer], kept: f32) {
        optimiser::follow(self, averages, values, kept);
    }
}
