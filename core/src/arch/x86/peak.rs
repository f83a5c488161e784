//! Multiply-adds on registers alone: what the sums of products could reach.

use core::arch::asm;
use core::arch::x86_64::*;

/// Independent sums, more than latency times throughput.
const SUMS: usize = 12;

/// `turns` rounds of VPMADDWD and VPADDD; returns how many multiply-adds.
#[target_feature(enable = "avx2")]
pub(super) fn avx2(turns: u32) -> u64 {
    let mut sums = [_mm256_setzero_si256(); SUMS];
    let mut x = _mm256_set1_epi16(3);
    for _ in 0..turns {
        for sum in &mut sums {
            // SAFETY: empty; it hides from the compiler that all products are equal.
            unsafe {
                asm!("/* {0} */", inout(ymm_reg) x, options(nomem, nostack, preserves_flags))
            };
            *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(x, x));
        }
    }
    for sum in sums {
        // SAFETY: empty; it keeps the sums.
        unsafe { asm!("/* {0} */", in(ymm_reg) sum, options(nomem, nostack, preserves_flags)) };
    }
    u64::from(turns) * (SUMS * 16) as u64
}

/// `turns` rounds of VPDPWSSD; returns how many multiply-adds.
#[target_feature(enable = "avx512f,avx512vnni")]
pub(super) fn avx512(turns: u32) -> u64 {
    let mut sums = [_mm512_setzero_si512(); SUMS];
    let mut x = _mm512_set1_epi16(3);
    for _ in 0..turns {
        for sum in &mut sums {
            // SAFETY: empty; it hides from the compiler that all products are equal.
            unsafe {
                asm!("/* {0} */", inout(zmm_reg) x, options(nomem, nostack, preserves_flags))
            };
            *sum = _mm512_dpwssd_epi32(*sum, x, x);
        }
    }
    for sum in sums {
        // SAFETY: empty; it keeps the sums.
        unsafe { asm!("/* {0} */", in(zmm_reg) sum, options(nomem, nostack, preserves_flags)) };
    }
    u64::from(turns) * (SUMS * 32) as u64
}
