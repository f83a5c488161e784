//! Shapes of maps.

/// Shape of a batch of maps, channels last: `(n, h, w, c)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Maps in the batch.
    pub n: usize,
    /// Rows.
    pub h: usize,
    /// Columns.
    pub w: usize,
    /// Channels.
    pub c: usize,
}

impl Shape {
    /// Values in the whole batch.
    pub fn len(&self) -> usize {
        self.n * self.item()
    }

    /// Whether the batch has no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Values in one map.
    pub fn item(&self) -> usize {
        self.h * self.w * self.c
    }

    /// Pixels of one map.
    pub fn pixels(&self) -> usize {
        self.h * self.w
    }

    /// The same maps with `c` channels.
    pub fn with_channels(self, c: usize) -> Self {
        Self { c, ..self }
    }
}
