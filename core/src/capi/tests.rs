//! Tests of the C interface from Rust: memory, seals, codes.

use core::ptr::{null, null_mut};
use std::boxed::Box;
use std::vec::Vec;

use super::*;

static EDGE: &[u8] = include_bytes!("../../models/edge.dref");

/// Memory of any kind, full of garbage.
#[repr(C, align(16))]
struct Place([u8; DREF_PAPER_STREAM_BYTES]);

impl Place {
    fn new() -> Box<Self> {
        Box::new(Self([0xa5; DREF_PAPER_STREAM_BYTES]))
    }

    fn begin<M: Zeroed>(
        &mut self,
        bytes: usize,
        readout: u32,
    ) -> Result<*mut DrefStream, DrefStatus> {
        let config = DrefConfig {
            readout,
            fewest_targets: 0,
            most_targets: 0,
            window_evaluations: 0,
            noise: 0.0,
            pedestal: 100,
            saturation: 4_000,
        };
        let place = ((&raw mut self.0).cast(), bytes);
        let mut out = null_mut();
        let file = (EDGE.as_ptr(), EDGE.len());
        // SAFETY: the file is static, and this place outlives its use in each test.
        let begun = unsafe { begin::<M>(place, file, &raw const config, &raw mut out) };
        begun.map(|_| out).map_err(|Code(status)| status)
    }
}

fn readings() -> Vec<u16> {
    (0..605).map(|i| 100 + (i * 7_919 % 977) as u16).collect()
}

fn push(stream: *mut DrefStream, frame: &[u16]) -> Result<DrefAnswer, DrefStatus> {
    assert_eq!(frame.len(), DREF_FRAME_READINGS);
    let mut answer = MaybeUninit::uninit();
    // SAFETY: the stream is in use here alone, the frame has its length.
    let status = unsafe { dref_push(stream, frame.as_ptr(), null(), answer.as_mut_ptr()) };
    if status != DREF_OK {
        return Err(status);
    }
    // SAFETY: written, as the status says.
    Ok(unsafe { answer.assume_init() })
}

#[test]
fn streams_of_every_kind_answer_the_fifth_frame() {
    let all = [DREF_READOUT_FIT, DREF_READOUT_GRID];
    for readout in all {
        let mut place = Place::new();
        let edge = place.begin::<MapMemory<16>>(DREF_EDGE_STREAM_BYTES, readout);
        let stream = edge.unwrap();
        let mut last = Err(DREF_PENDING);
        for frame in readings().chunks_exact(121) {
            assert_eq!(last.err(), Some(DREF_PENDING));
            last = push(stream, frame);
        }
        assert_eq!(last.unwrap().reduced_chi2.is_nan(), readout == 0);
        let mut cells = [f32::NAN; DREF_MAP_CELLS];
        // SAFETY: as many cells as a map has.
        let status = unsafe { dref_map(stream, cells.as_mut_ptr()) };
        assert_eq!(status == DREF_OK, readout == DREF_READOUT_GRID);
        assert_eq!(cells.iter().any(|cell| cell.is_nan()), status != DREF_OK);
    }
    for (bytes, kind) in [(DREF_PAPER_STREAM_BYTES, 0), (DREF_HEAD_STREAM_BYTES, 1)] {
        let mut place = Place::new();
        let stream = match kind {
            0 => place.begin::<MapMemory<32>>(bytes, DREF_READOUT_FIT),
            _ => place.begin::<HeadMemory<32>>(bytes, DREF_READOUT_FIT),
        };
        let stream = stream.unwrap();
        let mut answer = MaybeUninit::<DrefAnswer>::uninit();
        let (readings, to) = (readings(), answer.as_mut_ptr());
        // SAFETY: a window of its length, no flags, a place for the answer.
        let status = unsafe { dref_window(stream, readings.as_ptr(), null(), to) };
        assert_eq!(status, DREF_OK);
    }
}

#[test]
fn memory_that_does_not_fit_is_refused_and_left_alone() {
    let mut place = Place::new();
    let short = size_of::<Slot<MapMemory<16>>>() - 1;
    let refused = place.begin::<MapMemory<16>>(short, DREF_READOUT_FIT);
    assert_eq!(refused, Err(DREF_ERROR_MEMORY));
    let other = place.begin::<MapMemory<32>>(DREF_PAPER_STREAM_BYTES, DREF_READOUT_GRID);
    assert_eq!(other, Err(DREF_ERROR_SIZES));
    let bytes = &place.0[DREF_PAPER_STREAM_BYTES - 512..];
    assert!(bytes.iter().all(|&byte| byte == 0xa5));
}

#[test]
fn a_stream_that_ended_or_moved_is_none() {
    let mut place = Place::new();
    let bytes = DREF_EDGE_STREAM_BYTES;
    let stream = place
        .begin::<MapMemory<16>>(bytes, DREF_READOUT_FIT)
        .unwrap();
    // SAFETY: the stream is in use here alone.
    assert_eq!(unsafe { dref_reset(stream) }, DREF_OK);
    let mut moved = Place::new();
    moved.0.copy_from_slice(&place.0);
    // SAFETY: as many bytes as a head has are there.
    let status = unsafe { dref_reset((&raw mut moved.0).cast()) };
    assert_eq!(status, DREF_ERROR_STREAM);
    let refused = place.begin::<MapMemory<16>>(bytes, DREF_READOUT_GRID + 9);
    assert_eq!(refused, Err(DREF_ERROR_CONFIG));
    // SAFETY: as above.
    let status = unsafe { dref_reset((&raw mut place.0).cast()) };
    assert_eq!(status, DREF_ERROR_STREAM);
}

#[test]
fn every_code_has_a_text_of_its_own() {
    for (index, (code, text)) in TEXTS.iter().enumerate() {
        assert!(!TEXTS[..index].iter().any(|(c, t)| c == code || t == text));
        // SAFETY: texts end in 0 and are static.
        let found = unsafe { core::ffi::CStr::from_ptr(dref_error_text(*code)) };
        assert_eq!(found, *text);
    }
}
