//! Pseudo-random and extreme numbers, the same on every board.

/// The generator xorshift32.
#[derive(Clone, Debug)]
pub struct Numbers(u32);

impl Numbers {
    /// The sequence of a seed, which must not be 0.
    pub const fn new(seed: u32) -> Self {
        Self(seed)
    }

    /// 32 bits.
    pub const fn bits(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    /// A number below `end`.
    pub const fn below(&mut self, end: u32) -> u32 {
        ((self.bits() as u64 * end as u64) >> 32) as u32
    }

    /// 16 bits; one in four is an end of the range.
    pub const fn half(&mut self) -> i16 {
        let bits = self.bits();
        match bits >> 29 {
            0 => i16::MIN,
            1 => i16::MAX,
            _ => bits as i16,
        }
    }

    /// 8 bits; one in four is an end of the range.
    pub const fn byte(&mut self) -> u8 {
        (self.half() >> 8) as u8
    }

    /// 32 bits of any magnitude; one in four is an end of the range.
    pub const fn word(&mut self) -> i32 {
        let bits = self.bits();
        match bits >> 29 {
            0 => i32::MIN,
            1 => i32::MAX,
            _ => self.bits() as i32 >> (bits & 31),
        }
    }

    /// Fills `slots`.
    pub fn fill<T>(&mut self, slots: &mut [T], mut next: impl FnMut(&mut Self) -> T) {
        slots.iter_mut().for_each(|slot| *slot = next(self));
    }
}
