//! Builds the driver that is loaded on demand, as a static `libcuda.a` where the linker finds it.
//!
//! `cust` asks the linker for `-lcuda`. With this archive on the search path a program links where
//! no driver is installed, and starts there too.

fn main() {
    println!("cargo:rerun-if-changed=driver/libcuda.c");
    let out = std::env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    cc::Build::new()
        .file("driver/libcuda.c")
        .cargo_metadata(false)
        .compile("cuda");
    println!("cargo:rustc-link-search=native={out}");
}
