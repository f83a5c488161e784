//! Cortex-M boards with semihosting.
//!
//! The clock is SysTick: the processor's cycles on a part, and instructions times a constant under
//! QEMU's `-icount`.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use cortex_m::peripheral::scb::Exception;
use cortex_m::peripheral::{Peripherals, SYST, syst::SystClkSource};
use cortex_m_rt::exception;

/// SysTick has 24 bits.
const PERIOD: u32 = 1 << 24;
static PERIODS: AtomicU32 = AtomicU32::new(0);

#[exception]
fn SysTick() {
    PERIODS.store(PERIODS.load(Relaxed).wrapping_add(1), Relaxed);
}

// Faults end the program; the handlers that come with the start-up code wait forever.

#[exception]
fn MemoryManagement() -> ! {
    super::fault("memory management")
}

#[exception]
fn BusFault() -> ! {
    super::fault("bus")
}

#[exception]
fn UsageFault() -> ! {
    super::fault("usage")
}

/// Starts the clock, and lets faults have handlers of their own.
pub fn start() {
    if let Some(mut peripherals) = Peripherals::take() {
        for fault in [
            Exception::MemoryManagement,
            Exception::BusFault,
            Exception::UsageFault,
        ] {
            peripherals.SCB.enable(fault);
        }
        let clock = &mut peripherals.SYST;
        clock.set_clock_source(SystClkSource::Core);
        clock.set_reload(PERIOD - 1);
        clock.clear_current();
        clock.enable_counter();
        clock.enable_interrupt();
    }
}

/// Ticks of the clock since the start.
pub fn ticks() -> u64 {
    loop {
        let periods = PERIODS.load(Relaxed);
        let rest = SYST::get_current();
        // Between the two reads a period may end.
        if periods == PERIODS.load(Relaxed) {
            return u64::from(periods) * u64::from(PERIOD) + u64::from(PERIOD - 1 - rest);
        }
    }
}

/// Ends the program.
pub fn finish(good: bool) -> ! {
    semihosting::process::exit(i32::from(!good))
}
