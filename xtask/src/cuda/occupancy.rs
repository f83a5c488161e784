//! How many warps of a kernel a multiprocessor holds, by the limits of its compute capability.

/// Limits of a multiprocessor: CUDA C++ Programming Guide, table of technical specifications.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// As ptxas takes it.
    pub arch: &'static str,
    warps: u32,
    blocks: u32,
    registers: u32,
    /// Bytes of shared memory.
    shared: u32,
}

/// Compute capabilities 8.0 (A100) and 9.0 (H100).
pub const LIMITS: [Limits; 2] = [
    Limits {
        arch: "sm_80",
        warps: 64,
        blocks: 32,
        registers: 65536,
        shared: 164 << 10,
    },
    Limits {
        arch: "sm_90",
        warps: 64,
        blocks: 32,
        registers: 65536,
        shared: 228 << 10,
    },
];

/// Registers come to a warp by so many.
const REGISTERS: u32 = 256;
/// Bytes of shared memory that the system takes of every block.
const SYSTEM: u32 = 1 << 10;
/// Shared memory comes by so many bytes.
const SHARED: u32 = 128;

/// What a block of a kernel takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Threads.
    pub threads: u32,
    /// Registers of a thread.
    pub registers: u32,
    /// Bytes of shared memory.
    pub shared: u32,
}

impl Limits {
    /// Blocks that fit at once.
    pub fn resident(self, block: Block) -> u32 {
        let warps = block.threads.div_ceil(32).max(1);
        let registers = (block.registers.max(1) * 32).next_multiple_of(REGISTERS);
        let shared = (block.shared + SYSTEM).next_multiple_of(SHARED);
        let by_warps = self.warps / warps;
        let by_registers = self.registers / registers / warps;
        let by_shared = self.shared / shared;
        by_warps.min(by_registers).min(by_shared).min(self.blocks)
    }

    /// Share of the warps that a multiprocessor could hold, in per cent.
    pub fn occupancy(self, block: Block) -> u32 {
        self.resident(block) * block.threads.div_ceil(32) * 100 / self.warps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scarcest_thing_decides() {
        let of = |threads, registers, shared| {
            LIMITS.map(|limits| {
                limits.occupancy(Block {
                    threads,
                    registers,
                    shared,
                })
            })
        };
        assert_eq!(of(256, 32, 0), [100, 100]);
        assert_eq!(of(256, 64, 0), [50, 50], "registers");
        assert_eq!(of(32, 32, 0), [50, 50], "blocks");
        assert_eq!(of(256, 32, 40 << 10), [50, 62], "shared memory");
    }
}
