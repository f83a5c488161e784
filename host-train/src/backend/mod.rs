//! Where tensors live and who computes on them.
//!
//! A backend owns buffers; an operator is a struct of geometry that implements
//! [`crate::ops::Operator`] for every backend. A new device therefore adds one `Backend` and one
//! `Operator` implementation per operator, and touches nothing else.

pub mod counting;
pub mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;

use crate::ops::{Op, Operator};
pub use crate::train::adam::{AdamStep, AdamTensor};

/// A device and its buffers of f32.
pub trait Backend: Send + Sync + Sized {
    /// A linear buffer on the device.
    type Buffer: Send + Sync;
    /// Copies to the host that may still be on their way.
    type Pending: Send;

    /// The kernels of an operator.
    fn kernels(&self, op: Op) -> Box<dyn Operator<Self>>;
    /// Runs `work`, many operators one after the other, in the way that suits the device best.
    fn pass<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T;
    /// Sequences of operators that should run at once, each on a thread of its own; 1 where every
    /// operator keeps the whole device busy.
    fn in_flight(&self) -> usize;
    /// A buffer of `len` values with unspecified content, possibly recycled.
    fn alloc(&self, len: usize) -> Self::Buffer;
    /// Hands a buffer back for reuse.
    fn recycle(&self, buffer: Self::Buffer);
    /// Copies host values to a new buffer.
    fn upload(&self, values: &[f32]) -> Self::Buffer;
    /// Begins to copy buffers to the host as they are now, and goes on.
    fn start_download(&self, buffers: &[&Self::Buffer]) -> Self::Pending;
    /// Waits for copies and gives the values of each buffer.
    fn finish_download(&self, pending: Self::Pending) -> Vec<Vec<f32>>;
    /// Copies a buffer to the host.
    fn download(&self, buffer: &Self::Buffer) -> Vec<f32> {
        let copied = self.finish_download(self.start_download(&[buffer]));
        copied.into_iter().flatten().collect()
    }
    /// `target += addend`, element by element, over buffers of one length.
    fn accumulate(&self, target: &mut Self::Buffer, addend: &Self::Buffer);
    /// `target[..] = value`.
    fn fill(&self, target: &mut Self::Buffer, value: f32);
    /// One step of Adam on every tensor.
    fn adam(&self, step: &AdamStep, tensors: &mut [AdamTensor<'_, Self>]);
    /// Scales all gradients so that their common norm is at most `limit`.
    fn clip(&self, gradients: &mut [&mut Self::Buffer], limit: f32);
    /// Moves `averages` towards `values`, keeping the share `kept` of them.
    fn follow(&self, averages: &mut [Self::Buffer], values: &[Self::Buffer], kept: f32);
    /// Values in a buffer.
    fn len(&self, buffer: &Self::Buffer) -> usize;
}
