//! One value per window of a map and channel: its mean, or its maximum.
//!
//! Windows lie side by side; rows and columns that fill none at the far ends are left out. The gradient
//! of a maximum goes to the first pixel of its window, row by row, that attains it.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

use crate::tensor::Shape;

/// What stands for a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// The mean of its values.
    Mean,
    /// The largest of them.
    Max,
}

/// `y[n,i,j,c]` of `x[n, a·i .. a·(i+1), b·j .. b·(j+1), c]` for windows of `a` rows and `b` columns.
#[derive(Clone, Copy, Debug)]
pub struct Pool {
    /// Shape of `x`.
    pub input: Shape,
    /// Rows and columns of a window, at most those of the map.
    pub window: [usize; 2],
    /// What stands for it.
    pub take: Take,
}

impl Pool {
    /// Shape of the output.
    pub fn output(&self) -> Shape {
        Shape {
            h: self.input.h / self.window[0],
            w: self.input.w / self.window[1],
            ..self.input
        }
    }

    /// Pixels of a window.
    fn area(&self) -> usize {
        self.window[0] * self.window[1]
    }
}
