//! What a program needs of a board: a start, static memory, files, lines of text, a clock, the depth
//! of its stack, an exit status.

#[cfg(target_os = "none")]
mod files;
mod room;
#[cfg(target_os = "none")]
mod stack;

#[cfg(all(target_os = "none", target_arch = "arm"))]
#[path = "cortex_m.rs"]
mod this;
#[cfg(not(target_os = "none"))]
#[path = "host.rs"]
mod this;
#[cfg(all(target_os = "none", target_arch = "riscv32"))]
#[path = "riscv.rs"]
mod this;

#[cfg(target_os = "none")]
pub use files::{Source, with_arguments, write};
pub use room::Room;
pub use this::ticks;
#[cfg(not(target_os = "none"))]
pub use this::{Source, with_arguments, write};

#[cfg(target_os = "none")]
use crate::text::Line;

/// Paints the stack and starts the clock.
pub fn start() {
    #[cfg(target_os = "none")]
    stack::paint();
    this::start();
}

/// Prints `stack USED RESERVE`, bytes, on a board, and ends the program.
pub fn finish(good: bool) -> ! {
    #[cfg(target_os = "none")]
    {
        let (used, reserve) = stack::depth();
        let line = Line::new("stack").decimal(used as u64);
        line.decimal(reserve as u64).say();
    }
    this::finish(good)
}

/// Names a fault and ends the program.
#[cfg(target_os = "none")]
fn fault(name: &str) -> ! {
    Line::new("fault ").text(name).say();
    this::finish(false)
}

/// Starts a program: `fn() -> bool` runs, and what it returns becomes the exit status.
#[macro_export]
macro_rules! program {
    ($run:path) => {
        #[cfg(all(target_os = "none", target_arch = "arm"))]
        #[cortex_m_rt::entry]
        fn main() -> ! {
            $crate::board::start();
            $crate::board::finish($run())
        }

        #[cfg(all(target_os = "none", target_arch = "riscv32"))]
        #[riscv_rt::entry]
        fn main() -> ! {
            $crate::board::start();
            $crate::board::finish($run())
        }

        #[cfg(not(target_os = "none"))]
        fn main() {
            $crate::board::start();
            $crate::board::finish($run())
        }
    };
}

/// Writes a line to whoever runs the board.
#[cfg(target_os = "none")]
#[macro_export]
macro_rules! say {
    ($($text:tt)*) => {
        semihosting::println!($($text)*)
    };
}

/// Writes a line to standard output.
#[cfg(not(target_os = "none"))]
#[macro_export]
macro_rules! say {
    ($($text:tt)*) => {
        std::println!($($text)*)
    };
}
