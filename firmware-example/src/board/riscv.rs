//! RISC-V boards with semihosting; the clock counts instructions.

use riscv::interrupt::Exception;

// Faults end the program; the handler that comes with the start-up code waits forever.

#[riscv_rt::exception(Exception::InstructionFault)]
fn instruction_fault() -> ! {
    super::fault("instruction access")
}

#[riscv_rt::exception(Exception::IllegalInstruction)]
fn illegal_instruction() -> ! {
    super::fault("illegal instruction")
}

#[riscv_rt::exception(Exception::LoadFault)]
fn load_fault() -> ! {
    super::fault("load access")
}

#[riscv_rt::exception(Exception::StoreFault)]
fn store_fault() -> ! {
    super::fault("store access")
}

/// Nothing to start: instructions are always counted.
pub const fn start() {}

/// Instructions since the start.
pub fn ticks() -> u64 {
    riscv::register::minstret::read64()
}

/// Ends the program.
pub fn finish(good: bool) -> ! {
    semihosting::process::exit(i32::from(!good))
}
