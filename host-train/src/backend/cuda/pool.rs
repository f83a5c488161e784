//! Device memory that is used again, and the order in which streams may touch it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use cust::sys;

use super::device::{Device, STREAMS, check};

/// Bytes by which sizes of memory differ.
const GRAIN: usize = 512;

/// Free memory by stream and size: what a stream gave back it may use again without waiting.
#[derive(Default)]
pub(super) struct Pool([HashMap<usize, Vec<sys::CUdeviceptr>>; STREAMS]);

impl Pool {
    /// Frees everything. The device's context must be current.
    pub(super) fn free(&mut self) {
        for address in self
            .0
            .iter_mut()
            .flat_map(HashMap::drain)
            .flat_map(|(_, v)| v)
        {
            // SAFETY: memory in the pool is nobody's; errors have nowhere to go.
            unsafe { sys::cuMemFree_v2(address) };
        }
    }
}

/// A piece of device memory, handed back when dropped.
pub(super) struct Block {
    device: Arc<Device>,
    address: sys::CUdeviceptr,
    bytes: usize,
    /// Stream whose pool it came from.
    home: usize,
    /// Stream that wrote last.
    writer: AtomicUsize,
    /// Streams that have read since, one bit each.
    readers: AtomicU32,
}

impl Block {
    /// Memory for the calling thread's stream.
    pub(super) fn new(device: &Arc<Device>, bytes: usize) -> Self {
        let home = device.lane();
        let bytes = bytes.max(1).next_multiple_of(GRAIN);
        let mut pool = device.pool.lock().unwrap_or_else(|e| e.into_inner());
        let free = pool.0[home].get_mut(&bytes).and_then(Vec::pop);
        drop(pool);
        let address = free.unwrap_or_else(|| {
            device.allocated.fetch_add(1, Ordering::Relaxed);
            let mut address = 0;
            // SAFETY: the driver writes the address.
            let made = unsafe { sys::cuMemAlloc_v2(&raw mut address, bytes) };
            check(made, &format!("allocate {bytes} bytes"));
            address
        });
        Self {
            device: Arc::clone(device),
            address,
            bytes,
            home,
            writer: AtomicUsize::new(home),
            readers: AtomicU32::new(0),
        }
    }

    pub(super) fn address(&self) -> sys::CUdeviceptr {
        self.address
    }

    /// Lets `lane` wait until it may read.
    pub(super) fn before_read(&self, lane: usize) {
        let writer = self.writer.load(Ordering::Acquire);
        let bit = 1 << lane;
        let known = self.readers.fetch_or(bit, Ordering::AcqRel) & bit != 0;
        if writer != lane && !known {
            self.device.wait(lane, writer);
        }
    }

    /// Lets `lane` wait until it may write.
    pub(super) fn before_write(&self, lane: usize) {
        let readers = self.readers.swap(0, Ordering::AcqRel);
        let writer = self.writer.swap(lane, Ordering::AcqRel);
        for other in (0..STREAMS).filter(|&other| other != lane) {
            if other == writer || readers & (1 << other) != 0 {
                self.device.wait(lane, other);
            }
        }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.device.enter();
        self.before_write(self.home);
        let mut pool = self.device.pool.lock().unwrap_or_else(|e| e.into_inner());
        let free = pool.0[self.home].entry(self.bytes).or_default();
        free.push(self.address);
    }
}
