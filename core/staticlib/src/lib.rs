//! `libderefnet_core.a`: the functions of `../include/derefnet.h` for programs in C.
//!
//! ```text
//! rustup target add thumbv7em-none-eabihf
//! cd core/staticlib
//! cargo build --release --locked --target thumbv7em-none-eabihf
//! arm-none-eabi-gcc -mcpu=cortex-m7 -mfloat-abi=hard -mfpu=fpv5-d16 -I ../include … \
//!     target/thumbv7em-none-eabihf/release/libderefnet_core.a -Wl,--gc-sections
//! ```
//!
//! Any target of rustc will do; without `--target` it is this machine. It needs nothing but `memcpy`,
//! `memmove`, `memset` and `memcmp`, which it brings itself where the target has no C library.
#![no_std]

pub use derefnet_core_crate::capi;

/// Never reached: no function of the library can panic, which `cargo xtask test` checks in the linked
/// image. The language asks for it all the same.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
