//! Lines of text without the formatting of `core`, which takes flash and can panic.

use crate::board::write;

/// Longest line, bytes; what goes beyond is cut off.
const LENGTH: usize = 240;

/// A line in the making.
#[derive(Clone, Debug)]
pub struct Line {
    bytes: [u8; LENGTH],
    length: usize,
}

impl Line {
    /// A line that begins with `text`.
    pub fn new(text: &str) -> Self {
        let line = Self {
            bytes: [0; LENGTH],
            length: 0,
        };
        line.text(text)
    }

    /// Adds text.
    pub fn text(mut self, text: &str) -> Self {
        text.bytes().for_each(|byte| self.push(byte));
        self
    }

    /// Adds a space and a number with decimal digits.
    pub fn decimal(mut self, mut number: u64) -> Self {
        self.push(b' ');
        // Digits from the last one on, which is there for 0 as well.
        let mut digits = [b'0'; 20];
        let mut first = digits.len() - 1;
        for (place, digit) in digits.iter_mut().enumerate().rev() {
            *digit += (number % 10) as u8;
            if number > 0 {
                first = place;
            }
            number /= 10;
        }
        let digits = digits.into_iter().skip(first);
        digits.for_each(|digit| self.push(digit));
        self
    }

    /// Adds a space and a number with 16 hexadecimal digits.
    pub fn hexadecimal(mut self, number: u64) -> Self {
        self.push(b' ');
        for digit in (0..16).rev() {
            let digit = (number >> (4 * digit) & 15) as u8;
            self.push(if digit < 10 {
                b'0' + digit
            } else {
                b'a' + digit - 10
            });
        }
        self
    }

    /// Writes it to whoever runs the board, without a new line behind.
    pub fn put(self) {
        write(self.bytes.get(..self.length).unwrap_or(&[]));
    }

    /// Writes it to whoever runs the board.
    pub fn say(mut self) {
        self.push(b'\n');
        self.put();
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: &Line) -> &str {
        core::str::from_utf8(&line.bytes[..line.length]).unwrap()
    }

    #[test]
    fn digits_are_those_of_the_standard_library() {
        for number in [0, 7, 10, 99, 1_000, 90_210, u64::MAX / 7, u64::MAX] {
            let line = Line::new("x").decimal(number).hexadecimal(number);
            assert_eq!(text(&line), format!("x {number} {number:016x}"));
        }
    }

    #[test]
    fn long_lines_are_cut_off() {
        let line = Line::new(&"ab".repeat(LENGTH));
        assert_eq!(text(&line), "ab".repeat(LENGTH / 2));
    }
}
