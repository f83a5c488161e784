//! What a program needs of a board: a start, lines of text, a clock, an exit status.

#[cfg(all(target_os = "none", target_arch = "arm"))]
#[path = "cortex_m.rs"]
mod this;
#[cfg(not(target_os = "none"))]
#[path = "host.rs"]
mod this;
#[cfg(all(target_os = "none", target_arch = "riscv32"))]
#[path = "riscv.rs"]
mod this;

pub use this::{finish, start, ticks};

/// Names a fault and ends the program.
#[cfg(target_os = "none")]
fn fault(name: &str) -> ! {
    crate::say!("fault {name}");
    finish(false)
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
