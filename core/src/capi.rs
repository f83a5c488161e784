//! The C interface, declared in `include/derefnet.h`.
//!
//! | module | holds |
//! | --- | --- |
//! | this file | the functions, and all that is unsafe about them |
//! | `codes` | what they return, with texts |
//! | `types` | structures, their sizes and limits |
//! | `frames` | a stream whatever its memory |
//!
//! A stream lives in the caller's memory, which is zeroed and filled in place: a head that C knows
//! as `DrefStream`, the [`Stream`], and the memory that it works in. Only the kinds of streams that a
//! program begins are linked into it, because the head leads to the functions of its own kind.
//!
//! Null pointers, pointers that are not aligned, memory too short and a stream that is none are
//! errors. What C alone can know is left to it, under the heading *Safety* of each function.
#![allow(
    unsafe_code,
    reason = "pointers from C; each use says what makes it sound"
)]

mod codes;
mod frames;
mod types;

use core::ffi::{c_char, c_void};
use core::mem::MaybeUninit;
use core::ptr::NonNull;

pub use codes::*;
pub use types::*;

use codes::{Code, TEXTS, UNKNOWN, status};
use frames::Frames;

use crate::arch::Kernels;
use crate::stream::{HeadMemory, MapMemory, Memory, Stream, StreamConfig, slice};
use crate::weights::Model;

/// A stream of frames in the caller's memory.
pub struct DrefStream {
    /// Known only where a stream was begun, and only at its place.
    seal: usize,
    frames: NonNull<dyn Frames>,
    /// Whether the last frame or window gave an answer.
    has_answer: bool,
}

/// Seal of a stream at address 0.
const SEAL: usize = 0x4465_7266;

/// What lies in the caller's memory.
#[repr(C)]
struct Slot<M: Zeroed> {
    head: DrefStream,
    stream: Stream<'static, M>,
    memory: M,
}

const fn fits<M: Zeroed>(bytes: usize) -> bool {
    size_of::<Slot<M>>() <= bytes && align_of::<Slot<M>>() <= DREF_STREAM_ALIGNMENT
}

const _: () = assert!(fits::<MapMemory<16>>(DREF_EDGE_STREAM_BYTES));
const _: () = assert!(fits::<MapMemory<32>>(DREF_PAPER_STREAM_BYTES));
const _: () = assert!(fits::<HeadMemory<32>>(DREF_HEAD_STREAM_BYTES));

/// Memory that is valid when all its bytes are 0.
///
/// # Safety
/// All zeros must be a value of the type.
unsafe trait Zeroed: Memory + 'static {}

// SAFETY: integers, and a tagged union whose tag 0 stands for integers.
unsafe impl<const C: usize> Zeroed for MapMemory<C> {}
// SAFETY: as above.
unsafe impl<const C: usize> Zeroed for HeadMemory<C> {}

/// Refuses a pointer that is null or not aligned.
fn check<T>(pointer: *const T) -> Result<(), Code> {
    if pointer.is_null() {
        return Err(Code(DREF_ERROR_NULL));
    }
    if !pointer.is_aligned() {
        return Err(Code(DREF_ERROR_ALIGNMENT));
    }
    Ok(())
}

/// Bytes at `bytes`.
///
/// # Safety
/// `length` bytes must be readable there, and stay as they are for `'a`.
unsafe fn read_file<'a>(bytes: *const u8, length: usize) -> Result<&'a [u8], Code> {
    check(bytes)?;
    if isize::try_from(length).is_err() {
        return Err(Code(DREF_ERROR_LENGTH));
    }
    // SAFETY: not null, of a length that an object can have; the caller vouches for the rest.
    Ok(unsafe { core::slice::from_raw_parts(bytes, length) })
}

/// An array of `N` at `first`.
///
/// # Safety
/// `N` elements must be readable there, and stay as they are for `'a`.
unsafe fn read_array<'a, T, const N: usize>(first: *const T) -> Result<&'a [T; N], Code> {
    check(first)?;
    // SAFETY: not null and aligned; the caller vouches for the rest.
    Ok(unsafe { &*first.cast::<[T; N]>() })
}

/// `N` flags at `first`, none where it is null; everything but 0 is true.
///
/// # Safety
/// Where `first` is not null, `N` bytes must be readable there.
unsafe fn read_flags<const N: usize>(first: *const u8) -> Option<[bool; N]> {
    if first.is_null() {
        return None;
    }
    // SAFETY: as the caller says; bytes need no alignment.
    let bytes = unsafe { &*first.cast::<[u8; N]>() };
    Some(bytes.map(|byte| byte != 0))
}

/// The head of a stream.
///
/// # Safety
/// Where `stream` is not null, as many bytes as a head has must be readable there; where they hold
/// the seal, nobody else may use this stream for `'a`.
unsafe fn open<'a>(stream: *mut DrefStream) -> Result<&'a mut DrefStream, Code> {
    check(stream)?;
    // SAFETY: not null and aligned; the caller vouches that it can be read. An integer is valid
    // whatever its bytes, and nothing else is read before the seal is known.
    let seal = unsafe { (&raw const (*stream).seal).read() };
    if seal != SEAL ^ stream.addr() {
        return Err(Code(DREF_ERROR_STREAM));
    }
    // SAFETY: only `begin` seals, when all of the head is there.
    Ok(unsafe { &mut *stream })
}

impl DrefStream {
    fn frames(&mut self) -> &mut dyn Frames {
        // SAFETY: `begin` set it to the stream behind this head, which the seal says is at its place;
        // the head is borrowed for as long.
        unsafe { self.frames.as_mut() }
    }
}

/// Begins a stream of memory `M` at `place`.
///
/// # Safety
/// As for [`dref_edge_stream_init`].
unsafe fn begin<M: Zeroed>(
    (place, bytes): (*mut c_void, usize),
    (file, length): (*const u8, usize),
    config: *const DrefConfig,
    out: *mut *mut DrefStream,
) -> Result<DrefStatus, Code> {
    check(place.cast::<u8>())?;
    check(out)?;
    if !place.addr().is_multiple_of(DREF_STREAM_ALIGNMENT) {
        return Err(Code(DREF_ERROR_ALIGNMENT));
    }
    if bytes < size_of::<Slot<M>>() {
        return Err(Code(DREF_ERROR_MEMORY));
    }
    let head = place.cast::<DrefStream>();
    // SAFETY: within `bytes`, which the caller vouches for, and aligned. A stream that was here before
    // ends, even if none begins.
    unsafe { (&raw mut (*head).seal).write(0) };
    // SAFETY: the caller vouches for the file as long as the stream is used.
    let model = Model::load(unsafe { read_file::<'static>(file, length)? })?;
    let config = if config.is_null() {
        StreamConfig::of(&model)
    } else {
        check(config)?;
        // SAFETY: not null and aligned, any bytes are valid; the caller vouches that they are there.
        unsafe { config.read() }.read(&model)?
    };
    let slot = place.cast::<Slot<M>>();
    // SAFETY: within `bytes`, which the caller vouches for; aligned, since the documented alignment
    // is a multiple of the slot's.
    let memory = unsafe { &raw mut (*slot).memory };
    // SAFETY: zeros are valid, and nobody else uses them while the stream does.
    let memory = unsafe {
        memory.write_bytes(0, 1);
        &mut *memory
    };
    let stream = Stream::new(model, config, Kernels::best(), memory)?;
    // SAFETY: as for the memory, from which this part is apart.
    let frames = unsafe {
        let to = &raw mut (*slot).stream;
        to.write(stream);
        NonNull::new_unchecked(to as *mut dyn Frames)
    };
    let sealed = DrefStream {
        seal: SEAL ^ head.addr(),
        frames,
        has_answer: false,
    };
    // SAFETY: the head is the slot's first part; `out` is not null and aligned.
    unsafe {
        head.write(sealed);
        out.write(head);
    }
    Ok(DREF_OK)
}

/// Begins a stream for a model with a map of 16 channels, such as `edge`, in `memory`: `bytes` of it,
/// at least DREF_EDGE_STREAM_BYTES, aligned to DREF_STREAM_ALIGNMENT. What it holds does not matter.
///
/// `config` may be null for the fit with the model's beliefs. `out` receives the stream, which is not
/// freed by anything: its memory may be used for something else when the stream is not.
///
/// Returns DREF_OK or an error; there is no stream after an error.
///
/// # Safety
/// `file` must point to `length` bytes that stay there unchanged as long as the stream is used.
/// `memory` must be that of no stream in use, must not move, and must be touched only through the
/// stream. One stream may be used by one thread at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dref_edge_stream_init(
    memory: *mut c_void,
    bytes: usize,
    file: *const u8,
    length: usize,
    config: *const DrefConfig,
    out: *mut *mut DrefStream,
) -> DrefStatus {
    // SAFETY: the caller keeps to the conditions above.
    status(unsafe { begin::<MapMemory<16>>((memory, bytes), (file, length), config, out) })
}

/// As dref_edge_stream_init, for a model with a map of 32 channels, such as `paper`, in
/// DREF_PAPER_STREAM_BYTES.
///
/// # Safety
/// As for dref_edge_stream_init.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dref_paper_stream_init(
    memory: *mut c_void,
    bytes: usize,
    file: *const u8,
    length: usize,
    config: *const DrefConfig,
    out: *mut *mut DrefStream,
) -> DrefStatus {
    // SAFETY: the caller keeps to the conditions above.
    status(unsafe { begin::<MapMemory<32>>((memory, bytes), (file, length), config, out) })
}

/// As dref_edge_stream_init, for all readouts but the map, with an offset head of up to 32 channels or
/// without one, in DREF_HEAD_STREAM_BYTES.
///
/// # Safety
/// As for dref_edge_stream_init.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dref_head_stream_init(
    memory: *mut c_void,
    bytes: usize,
    file: *const u8,
    length: usize,
    config: *const DrefConfig,
    out: *mut *mut DrefStream,
) -> DrefStatus {
    // SAFETY: the caller keeps to the conditions above.
    status(unsafe { begin::<HeadMemory<32>>((memory, bytes), (file, length), config, out) })
}

/// Checks a model file of `length` bytes as a stream does when it begins; `info` receives what is in
/// it and may be null.
///
/// # Safety
/// `length` bytes must be readable at `file`, and a DrefInfo writable at `info` unless it is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dref_check(
    file: *const u8,
    length: usize,
    info: *mut DrefInfo,
) -> DrefStatus {
    let check = || {
        // SAFETY: the caller vouches for the file.
        let model = Model::load(unsafe { read_file(file, length)? })?;
        if !info.is_null() {
            check(info)?;
            // SAFETY: not null and aligned; the caller vouches that it can be written.
            unsafe { info.write((&model).into()) };
        }
        Ok(DREF_OK)
    };
    status(check())
}

/// Takes the next frame, 11 rows of 11 `readings`; from the fifth on, `answer` receives the targets of
/// the frame two before it. `dead` holds 121 flags, not 0 for pixels not to believe, or is null.
///
/// Returns DREF_OK with an answer, DREF_PENDING before the fifth frame, or an error; the frame is not
/// taken then.
///
/// # Safety
/// `stream` must come from a function that begins one. DREF_FRAME_READINGS numbers must be readable at
/// `readings`, as many bytes at `dead` unless it is null, and a DrefAnswer writable at `answer`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dref_push(
    stream: *mut DrefStream,
    readings: *const u16,
    dead: *const u8,
    answer: *mut DrefAnswer,
) -> DrefStatus {
    let push = || {
        check(answer)?;
        // SAFETY: the caller vouches for all three.
        let (head, readings, dead) =
            unsafe { (open(stream)?, read_array(readings)?, read_flags(dead)) };
        head.has_answer = false;
        let Some(found) = head.frames().push(readings, dead.as_ref())? else {
            return Ok(DREF_PENDING);
        };
        head.has_answer = true;
        // SAFETY: not null and aligned; the caller vouches that it can be written.
        unsafe { answer.write(found) };
        Ok(DREF_OK)
    };
    status(push())
}

/// The answer for one window, five frames of 11 rows of 11 `readings` in time order, whatever came
/// before; the stream has no frames afterwards. `dead` holds 605 flags or is null.
///
/// # Safety
/// As for dref_push, with DREF_WINDOW_READINGS numbers and flags.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dref_window(
    stream: *mut DrefStream,
    readings: *const u16,
    dead: *const u8,
    answer: *mut DrefAnswer,
) -> DrefStatus {
    let window = || {
        check(answer)?;
        // SAFETY: the caller vouches for all three.
        let (head, readings, dead) =
            unsafe { (open(stream)?, read_array(readings)?, read_flags(dead)) };
        head.has_answer = false;
        let found = head.frames().window(readings, dead.as_ref())?;
        head.has_answer = true;
        // SAFETY: not null and aligned; the caller vouches that it can be written.
        unsafe { answer.write(found) };
        Ok(DREF_OK)
    };
    status(window())
}

/// Forgets all frames: after a gap, or where another scene begins.
///
/// # Safety
/// `stream` must come from a function that begins one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dref_reset(stream: *mut DrefStream) -> DrefStatus {
    let reset = || {
        // SAFETY: the caller vouches for the stream.
        let head = unsafe { open(stream)? };
        head.has_answer = false;
        head.frames().reset();
        Ok(DREF_OK)
    };
    status(reset())
}

/// The map of the last answer of a stream with DREF_READOUT_GRID: 33 rows of 33 `cells`, counts.
///
/// # Safety
/// `stream` must come from a function that begins one; DREF_MAP_CELLS numbers must be writable at
/// `cells`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dref_map(stream: *mut DrefStream, cells: *mut f32) -> DrefStatus {
    let map = || {
        check(cells)?;
        // SAFETY: the caller vouches for the stream.
        let head = unsafe { open(stream)? };
        if !head.has_answer {
            return Err(Code(DREF_ERROR_NO_MAP));
        }
        // SAFETY: not null and aligned; the caller vouches that it can be written. Nothing is read.
        let cells = unsafe { &mut *cells.cast::<[MaybeUninit<f32>; DREF_MAP_CELLS]>() };
        head.frames().map(cells)?;
        Ok(DREF_OK)
    };
    status(map())
}

/// Cuts the 11×11 slice around (`row`, `column`) out of a `frame` of `rows` rows of `columns`, at
/// least 11 of each. Near an edge the slice moves inwards; `origin` receives row and column of its
/// first pixel. Frames of one stream must be cut at one place.
///
/// # Safety
/// `rows * columns` numbers must be readable at `frame`, DREF_FRAME_READINGS numbers writable at
/// `readings` and two at `origin`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dref_slice(
    frame: *const u16,
    rows: usize,
    columns: usize,
    row: usize,
    column: usize,
    readings: *mut u16,
    origin: *mut usize,
) -> DrefStatus {
    let cut = || {
        check(frame)?;
        check(readings)?;
        check(origin)?;
        let length = rows.checked_mul(columns);
        let fits = |&length: &usize| length <= isize::MAX as usize / size_of::<u16>();
        let length = length.filter(fits).ok_or(Code(DREF_ERROR_FRAME))?;
        // SAFETY: not null and aligned, of a length that an object can have; the caller vouches for
        // the rest.
        let frame = unsafe { core::slice::from_raw_parts(frame, length) };
        let cut = slice(frame, [rows, columns], [row, column])?;
        // SAFETY: not null and aligned; the caller vouches that both can be written.
        unsafe {
            readings
                .cast::<[u16; DREF_FRAME_READINGS]>()
                .write(cut.readings);
            origin.cast::<[usize; 2]>().write(cut.origin);
        }
        Ok(DREF_OK)
    };
    status(cut())
}

/// What a code means, in English; never null.
#[unsafe(no_mangle)]
pub extern "C" fn dref_error_text(code: DrefStatus) -> *const c_char {
    let known = TEXTS.iter().find(|&&(known, _)| known == code);
    known.map_or(UNKNOWN, |&(_, text)| text).as_ptr()
}

#[cfg(test)]
mod tests;
