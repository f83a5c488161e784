//! What ranks send each other.

/// The connections of one rank with all others.
///
/// Every rank calls the same methods in the same order, with buffers of the same lengths; a call
/// comes back when this rank has what it waits for. A connection that breaks ends the process.
pub trait Wire: Send + Sync {
    /// Number of this rank, from 0.
    fn rank(&self) -> usize;
    /// Number of ranks.
    fn count(&self) -> usize;
    /// Puts what rank `r` calls `own` into the `r`-th of as many equal parts of `all`, on every rank.
    fn gather_bytes(&self, own: &[u8], all: &mut [u8]);
    /// The same of numbers.
    fn gather(&self, own: &[f32], all: &mut [f32]);
    /// Sends the `r`-th of equal parts of `parts` to rank `r`; of `received`, the `r`-th part is
    /// from rank `r`.
    fn exchange(&self, parts: &[f32], received: &mut [f32]);
    /// Gives every rank the `bytes` of rank 0.
    fn broadcast(&self, bytes: &mut [u8]);
}
