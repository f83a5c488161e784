//! Which vector instructions the processor and the operating system offer, without std.

use core::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};
use core::sync::atomic::{AtomicU8, Ordering};

use super::Level;

/// Levels found, as bits; asking the processor costs thousands of cycles in a virtual machine.
static FOUND: AtomicU8 = AtomicU8::new(0);
/// Set once the processor has been asked.
const ASKED: u8 = 1;

/// Whether the processor can run `level`.
pub(super) fn offers(level: Level) -> bool {
    let mut found = FOUND.load(Ordering::Relaxed);
    if found == 0 {
        found = ask();
        FOUND.store(found, Ordering::Relaxed);
    }
    found & bit(level) != 0
}

const fn bit(level: Level) -> u8 {
    match level {
        Level::Avx2 => 2,
        Level::Avx512 => 4,
    }
}

fn has(register: u32, bits: &[u32]) -> bool {
    bits.iter().all(|bit| register >> bit & 1 == 1)
}

/// Bits as in the manuals of AMD (24594, CPUID) and Intel (325383, CPUID and XGETBV).
fn ask() -> u8 {
    let most = __cpuid(0).eax;
    let basic = __cpuid(1);
    // OSXSAVE and AVX.
    if most < 7 || !has(basic.ecx, &[27, 28]) {
        return ASKED;
    }
    // SAFETY: OSXSAVE says that the operating system has enabled XGETBV.
    let saved = unsafe { xcr0() };
    let extended = __cpuid_count(7, 0);
    // State of XMM and YMM; AVX2.
    if !has(saved, &[1, 2]) || !has(extended.ebx, &[5]) {
        return ASKED;
    }
    // Masks, upper halves of ZMM, ZMM16 to 31; FMA and F16C, which the compiler counts among
    // AVX-512F; AVX-512F, BW, VL; VNNI.
    let wide = has(saved, &[5, 6, 7])
        && has(basic.ecx, &[12, 29])
        && has(extended.ebx, &[16, 30, 31])
        && has(extended.ecx, &[11]);
    let avx512 = if wide { bit(Level::Avx512) } else { 0 };
    ASKED | bit(Level::Avx2) | avx512
}

/// The register states that the operating system saves.
///
/// # Safety
/// CPUID must report OSXSAVE.
#[target_feature(enable = "xsave")]
unsafe fn xcr0() -> u32 {
    // SAFETY: the caller has found OSXSAVE.
    unsafe { _xgetbv(0) as u32 }
}
