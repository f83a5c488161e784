//! Selection of batch items: `y[i] = x[index[i]]`; the gradient adds up over equal indices.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

/// Gather; input `(sources, item)`, output `(index.len(), item)`.
#[derive(Clone, Debug)]
pub struct Gather {
    /// Source item of each output item.
    pub index: Vec<usize>,
    /// Items in the input.
    pub sources: usize,
    /// Values per item.
    pub item: usize,
}
