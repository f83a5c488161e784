//! Values where vector loads and stores never straddle two cache lines.

use std::ops::{Deref, DerefMut};

/// Bytes of a cache line, and of the widest register.
const LINE: usize = 64;
/// Values that alignment may cost.
const SLACK: usize = LINE / size_of::<f32>() - 1;

/// A fixed number of values; the first lies at the start of a cache line.
#[derive(Debug, Default)]
pub struct Buffer {
    values: Vec<f32>,
    first: usize,
    len: usize,
}

impl Buffer {
    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        let values = vec![0.0; len + SLACK];
        // It says usize::MAX where it cannot tell: the values still are where they should be.
        let first = values.as_ptr().align_offset(LINE).min(SLACK);
        Self { values, first, len }
    }
}

impl From<&[f32]> for Buffer {
    fn from(values: &[f32]) -> Self {
        let mut buffer = Self::zeros(values.len());
        buffer.copy_from_slice(values);
        buffer
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        Self::from(&**self)
    }
}

impl PartialEq for Buffer {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values[self.first..self.first + self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values[self.first..self.first + self.len]
    }
}

impl<'a> IntoIterator for &'a Buffer {
    type Item = &'a f32;
    type IntoIter = std::slice::Iter<'a, f32>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_at_a_cache_line() {
        for len in 0..100 {
            let mut buffer = Buffer::zeros(len);
            assert_eq!(buffer.len(), len);
            assert!(buffer.as_ptr().addr().is_multiple_of(LINE));
            assert!(buffer.iter().all(|&v| v == 0.0));
            buffer.fill(1.0);
            let copy = buffer.clone();
            assert!(copy.as_ptr().addr().is_multiple_of(LINE));
            assert_eq!(copy, buffer);
        }
    }
}
