//! What tests do with the driver: calls that must succeed, buffers, launches.

#![allow(dead_code)] // Each suite uses its part.

pub mod apart;

use std::ffi::{CString, c_void};

use cuda::api::{context, device, kernel, memory, stream};
use cuda::error::{Code, take_last};

/// Sets the driver up on this thread.
pub fn init() {
    let mut handle = 0;
    ok(device::cuInit(0));
    // SAFETY: the handle is written.
    ok(unsafe { context::cuDevicePrimaryCtxRetain(&mut handle, 0) });
    ok(context::cuCtxSetCurrent(handle));
}

/// A call that must succeed.
#[track_caller]
pub fn ok(code: Code) {
    assert_eq!(code, Code::SUCCESS, "{:?}", take_last());
}

/// A call that must answer `code` and say `text`.
#[track_caller]
pub fn fails(answer: Code, code: Code, text: &str) {
    let told = take_last()
        .map(|fault| fault.text.clone())
        .unwrap_or_default();
    assert_eq!(answer, code, "{told}");
    assert!(told.contains(text), "got: {told}\nexpected: {text}");
}

/// Loads PTX.
pub fn load(ptx: &str) -> usize {
    let (mut handle, text) = (0, CString::new(ptx).expect("text without zeros"));
    // SAFETY: the text ends with a zero.
    ok(unsafe { kernel::cuModuleLoadData(&mut handle, text.as_ptr()) });
    handle
}

/// A kernel of a module.
pub fn function(module: usize, name: &str) -> usize {
    let (mut handle, name) = (0, CString::new(name).expect("text without zeros"));
    // SAFETY: the name ends with a zero.
    ok(unsafe { kernel::cuModuleGetFunction(&mut handle, module, name.as_ptr()) });
    handle
}

/// Device memory of so many bytes.
pub fn allocate(bytes: usize) -> u64 {
    let mut address = 0;
    // SAFETY: the address is written.
    ok(unsafe { memory::cuMemAlloc_v2(&mut address, bytes) });
    address
}

/// Device memory with these words.
pub fn upload(words: &[u32]) -> u64 {
    let address = allocate(size_of_val(words));
    let from = words.as_ptr().cast();
    // SAFETY: a slice.
    ok(unsafe { memory::cuMemcpyHtoD_v2(address, from, size_of_val(words)) });
    address
}

/// The same of floats.
pub fn upload_floats(values: &[f32]) -> u64 {
    upload(&values.iter().map(|x| x.to_bits()).collect::<Vec<_>>())
}

/// Words of device memory, after all work.
pub fn try_download(address: u64, count: usize) -> (Code, Vec<u32>) {
    let mut words = vec![0u32; count];
    let to = words.as_mut_ptr().cast();
    // SAFETY: a slice.
    let code = unsafe { memory::cuMemcpyDtoH_v2(to, address, 4 * count) };
    (code, words)
}

/// The same where nothing may go wrong.
#[track_caller]
pub fn download(address: u64, count: usize) -> Vec<u32> {
    let (code, words) = try_download(address, count);
    ok(code);
    words
}

/// The same as floats.
#[track_caller]
pub fn download_floats(address: u64, count: usize) -> Vec<f32> {
    download(address, count)
        .into_iter()
        .map(f32::from_bits)
        .collect()
}

/// An argument of a launch.
#[derive(Clone, Copy)]
pub enum Argument {
    /// Address of device memory.
    At(u64),
    /// A number of 32 bits.
    Word(u32),
    /// A float.
    Float(f32),
}

/// Queues a launch of `blocks` by `threads`.
pub fn launch(
    function: usize,
    (blocks, threads): (u32, u32),
    dynamic: u32,
    stream: usize,
    arguments: &[Argument],
) -> Code {
    let values: Vec<u64> = arguments
        .iter()
        .map(|argument| match *argument {
            Argument::At(address) => address,
            Argument::Word(word) => u64::from(word),
            Argument::Float(x) => u64::from(x.to_bits()),
        })
        .collect();
    let mut pointers: Vec<*mut c_void> = values
        .iter()
        .map(|value| std::ptr::from_ref(value).cast_mut().cast())
        .collect();
    pointers.push(std::ptr::null_mut());
    let none = std::ptr::null_mut();
    // SAFETY: every argument is 8 bytes of a vector.
    unsafe {
        let arguments = pointers.as_mut_ptr();
        kernel::cuLaunchKernel(
            function, blocks, 1, 1, threads, 1, 1, dynamic, stream, arguments, none,
        )
    }
}

/// A stream of its own.
pub fn new_stream() -> usize {
    let mut handle = 0;
    // SAFETY: the handle is written.
    ok(unsafe { stream::cuStreamCreate(&mut handle, 0) });
    handle
}

/// Page-locked host memory for so many words.
pub fn pinned(words: usize) -> &'static mut [u32] {
    let mut at = std::ptr::null_mut();
    // SAFETY: the driver gives as many bytes, which stay until they are freed.
    unsafe {
        ok(memory::cuMemAllocHost_v2(&mut at, 4 * words));
        std::slice::from_raw_parts_mut(at.cast(), words)
    }
}
