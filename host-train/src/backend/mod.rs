//! Where tensors live and who computes on them.
//!
//! A backend owns buffers; an operator is a struct of geometry that implements
//! [`crate::ops::Operator`] for every backend that has kernels for it. A new device therefore
//! adds one `Backend` and one `Operator` implementation per operator, and touches nothing else.

pub mod counting;
pub mod cpu;

use crate::ops::{Op, Operator};

/// A device and its buffers of f32.
pub trait Backend: Send + Sync + Sized {
    /// A linear buffer on the device.
    type Buffer: Send + Sync;

    /// The kernels of an operator.
    fn kernels(&self, op: Op) -> Box<dyn Operator<Self>>;
    /// Runs `work`, many operators one after the other, in the way that suits the device best.
    fn pass<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T;
    /// A buffer of `len` values with unspecified content, possibly recycled.
    fn alloc(&self, len: usize) -> Self::Buffer;
    /// Hands a buffer back for reuse.
    fn recycle(&self, buffer: Self::Buffer);
    /// Copies host values to a new buffer.
    fn upload(&self, values: &[f32]) -> Self::Buffer;
    /// Copies a buffer to the host.
    fn download(&self, buffer: &Self::Buffer) -> Vec<f32>;
    /// `target += addend`, element by element, over buffers of one length.
    fn accumulate(&self, target: &mut Self::Buffer, addend: &Self::Buffer);
    /// `target[..] = value`.
    fn fill(&self, target: &mut Self::Buffer, value: f32);
    /// Values in a buffer.
    fn len(&self, buffer: &Self::Buffer) -> usize;
}
