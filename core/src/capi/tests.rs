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

type Begin = unsafe extern "C" fn(
    *mut c_void,
    usize,
    *const u8,
    usize,
    *const DrefConfig,
    *mut *mut DrefStream,
) -> DrefStatus;

const KINDS: [(Begin, usize); 3] = [
    (dref_edge_stream_init, DREF_EDGE_STREAM_BYTES),
    (dref_paper_stream_init, DREF_PAPER_STREAM_BYTES),
    (dref_head_stream_init, DREF_HEAD_STREAM_BYTES),
];

/// Frames of two targets, as the tests of streams have them, over a pedestal of 100.
fn bright() -> Vec<u16> {
    let sources = [4.4, 5.0].map(|x| crate::physics::PointSource {
        x,
        y: 5.0,
        intensity: 235.0,
    });
    let (mut scratch, mut counts) = ([0.0; 11], [0.0; 121]);
    let optics = crate::physics::Optics::SEQ_CSIST;
    optics.render(&sources, &mut scratch, &mut counts).unwrap();
    counts.map(|count| (100.5 + count) as u16).repeat(5)
}

/// Every kind of stream begins and answers as the Rust interface does.
#[test]
fn every_kind_begins_and_answers() {
    let model = Model::load(EDGE).unwrap();
    let mut memory = Box::new(HeadMemory::<32>::new());
    let config = StreamConfig {
        pedestal: 100,
        ..StreamConfig::of(&model)
    };
    let stream = Stream::new(model, config, Kernels::best(), &mut *memory);
    let mut stream = stream.unwrap();
    let expected = DrefAnswer::from(&stream.window(&bright(), Some(&[false; 605])).unwrap());
    assert_eq!(expected.count, 2);
    for (start, bytes) in KINDS {
        let mut place = Place::new();
        let mut out = null_mut();
        let config = DrefConfig {
            readout: DREF_READOUT_FIT,
            fewest_targets: 1,
            most_targets: 4,
            window_evaluations: 1_000_000,
            noise: 0.0,
            pedestal: 100,
            saturation: 0,
        };
        let (to, file) = ((&raw mut place.0).cast(), (EDGE.as_ptr(), EDGE.len()));
        // SAFETY: the file is static, and the place outlives the stream.
        let status = unsafe { start(to, bytes, file.0, file.1, &raw const config, &raw mut out) };
        assert_eq!(status, DREF_OK);
        let mut answer = MaybeUninit::uninit();
        let (readings, dead) = (bright(), [0; DREF_WINDOW_READINGS]);
        // SAFETY: a window with flags of its length, and a place for the answer.
        let status =
            unsafe { dref_window(out, readings.as_ptr(), dead.as_ptr(), answer.as_mut_ptr()) };
        assert_eq!(status, DREF_OK);
        // SAFETY: written, as the status says.
        assert_eq!(unsafe { answer.assume_init() }, expected);
    }
}

#[test]
fn pointers_and_lengths_are_checked_before_they_are_used() {
    for (start, bytes) in KINDS {
        let mut place = Place::new();
        let to: *mut c_void = (&raw mut place.0).cast();
        let mut stream = null_mut();
        let out = &raw mut stream;
        let file = EDGE.as_ptr();
        let odd = to.wrapping_byte_add(8);
        let slanted = null::<DrefConfig>().wrapping_byte_add(2);
        let call = |to, bytes, file, length, config, out| {
            // SAFETY: whatever is refused is not used; what is there is this test's.
            unsafe { start(to, bytes, file, length, config, out) }
        };
        let len = EDGE.len();
        let null_file = call(to, bytes, null(), len, null(), out);
        assert_eq!(null_file, DREF_ERROR_NULL);
        assert_eq!(
            call(null_mut(), bytes, file, len, null(), out),
            DREF_ERROR_NULL
        );
        assert_eq!(
            call(to, bytes, file, len, null(), null_mut()),
            DREF_ERROR_NULL
        );
        assert_eq!(
            call(odd, bytes, file, len, null(), out),
            DREF_ERROR_ALIGNMENT
        );
        assert_eq!(
            call(to, bytes, file, len, slanted, out),
            DREF_ERROR_ALIGNMENT
        );
        assert_eq!(call(to, 16, file, len, null(), out), DREF_ERROR_MEMORY);
        assert_eq!(
            call(to, bytes, file, usize::MAX, null(), out),
            DREF_ERROR_LENGTH
        );
        assert_eq!(call(to, bytes, file, 15, null(), out), DREF_ERROR_LENGTH);
        assert!(stream.is_null());
        // SAFETY: no stream began.
        assert_eq!(unsafe { dref_reset(to.cast()) }, DREF_ERROR_STREAM);
        // The beliefs of the model.
        assert_eq!(call(to, bytes, file, len, null(), out), DREF_OK);
        assert_eq!(stream.addr(), to.addr());
    }
}

#[test]
fn configurations_are_read_or_refused() {
    let model = Model::load(EDGE).unwrap();
    let zero = DrefConfig {
        readout: DREF_READOUT_HEAD_PRIOR,
        fewest_targets: 0,
        most_targets: 0,
        window_evaluations: 0,
        noise: 0.0,
        pedestal: 0,
        saturation: 0,
    };
    let usual = StreamConfig {
        readout: crate::stream::Readout::HeadPrior,
        ..StreamConfig::of(&model)
    };
    assert_eq!(zero.read(&model), Ok(usual));
    let said = DrefConfig {
        fewest_targets: 2,
        most_targets: 6,
        noise: 1.5,
        window_evaluations: 77,
        pedestal: 9,
        saturation: 4_000,
        ..zero
    };
    let read = said.read(&model).unwrap();
    assert_eq!((read.pedestal, read.saturation), (9, Some(4_000)));
    assert_eq!(read.locate.counts, [2, 6]);
    assert_eq!(read.locate.noise, crate::locate::Noise::Known(1.5));
    assert_eq!(read.locate.window_evaluations, 77);
    let wrong = [
        DrefConfig { readout: 5, ..zero },
        DrefConfig {
            most_targets: 9,
            ..zero
        },
        DrefConfig {
            fewest_targets: 5,
            ..zero
        },
        DrefConfig {
            noise: -1.0,
            ..zero
        },
        DrefConfig {
            noise: f32::NAN,
            ..zero
        },
        DrefConfig {
            window_evaluations: 3,
            ..zero
        },
    ];
    for config in wrong {
        assert_eq!(
            config.read(&model),
            Err(Code(DREF_ERROR_CONFIG)),
            "{config:?}"
        );
    }
}

#[test]
fn files_are_checked_without_a_stream() {
    let model = Model::load(EDGE).unwrap();
    let mut info = MaybeUninit::<DrefInfo>::uninit();
    // SAFETY: the file is static; the place is that of an info.
    let status = unsafe { dref_check(EDGE.as_ptr(), EDGE.len(), info.as_mut_ptr()) };
    assert_eq!(status, DREF_OK);
    // SAFETY: written, as the status says.
    let info = unsafe { info.assume_init() };
    let header = &model.header;
    assert_eq!(info.psf_sigma, header.physics.psf_sigma);
    assert_eq!(info.intensity_mean, header.intensities.mean);
    assert_eq!(info.intensity_sigma, header.intensities.sigma);
    assert_eq!(info.version, u32::from(crate::weights::VERSION));
    let map = header.map.unwrap();
    assert_eq!(info.map_channels, u32::from(map.channels));
    assert_eq!(info.map_stages, u32::from(map.stages));
    assert_eq!(info.head_channels, u32::from(header.head.unwrap().channels));
    let check = |length, to| {
        // SAFETY: no more than the file; what is not aligned is not written.
        unsafe { dref_check(EDGE.as_ptr(), length, to) }
    };
    assert_eq!(check(EDGE.len(), null_mut()), DREF_OK);
    assert_eq!(check(EDGE.len() - 1, null_mut()), DREF_ERROR_LENGTH);
    let slanted = null_mut::<DrefInfo>().wrapping_byte_add(4);
    assert_eq!(check(EDGE.len(), slanted), DREF_ERROR_ALIGNMENT);
}

#[test]
fn refused_frames_and_maps_that_are_not_there() {
    let mut place = Place::new();
    let begun = place.begin::<MapMemory<16>>(DREF_EDGE_STREAM_BYTES, DREF_READOUT_GRID);
    let stream = begun.unwrap();
    let (frame, mut cells) = (readings(), [f32::NAN; DREF_MAP_CELLS]);
    let mut answer = MaybeUninit::<DrefAnswer>::uninit();
    let to = answer.as_mut_ptr();
    let mut map = |stream| {
        // SAFETY: null or a stream in use here alone, and as many cells as a map has.
        unsafe { dref_map(stream, cells.as_mut_ptr()) }
    };
    assert_eq!(map(null_mut()), DREF_ERROR_NULL);
    assert_eq!(map(stream), DREF_ERROR_NO_MAP);
    let push = |stream, readings, answer| {
        // SAFETY: what is null is refused; the rest is this test's.
        unsafe { dref_push(stream, readings, null(), answer) }
    };
    assert_eq!(push(null_mut(), frame.as_ptr(), to), DREF_ERROR_NULL);
    assert_eq!(push(stream, null(), to), DREF_ERROR_NULL);
    assert_eq!(push(stream, frame.as_ptr(), null_mut()), DREF_ERROR_NULL);
    for _ in 0..4 {
        assert_eq!(push(stream, frame.as_ptr(), to), DREF_PENDING);
    }
    assert_eq!(push(stream, frame.as_ptr(), to), DREF_OK);
    assert_eq!(map(stream), DREF_OK);
    // SAFETY: null is refused.
    assert_eq!(unsafe { dref_map(stream, null_mut()) }, DREF_ERROR_NULL);
    // SAFETY: null is refused.
    let status = unsafe { dref_window(stream, null(), null(), to) };
    assert_eq!(status, DREF_ERROR_NULL);
}

#[test]
fn slices_are_cut_out_of_larger_frames() {
    let frame: Vec<u16> = (0..600).collect();
    let (mut readings, mut origin) = ([7; DREF_FRAME_READINGS], [7; 2]);
    let places = (readings.as_mut_ptr(), origin.as_mut_ptr());
    let cut = |frame, [rows, columns]: [usize; 2], row, to, origin| {
        // SAFETY: what is null or too large is not read; the rest is this test's.
        unsafe { dref_slice(frame, rows, columns, row, 29, to, origin) }
    };
    let from = frame.as_ptr();
    for (frame, to, origin) in [
        (null(), places.0, places.1),
        (from, null_mut(), places.1),
        (from, places.0, null_mut()),
    ] {
        assert_eq!(cut(frame, [20, 30], 10, to, origin), DREF_ERROR_NULL);
    }
    for (sizes, row) in [
        ([20, 30], 20),
        ([usize::MAX, 2], 0),
        ([usize::MAX / 4, 2], 0),
    ] {
        let status = cut(from, sizes, row, places.0, places.1);
        assert_eq!(status, DREF_ERROR_FRAME);
    }
    assert_eq!(cut(from, [20, 30], 10, places.0, places.1), DREF_OK);
    let expected = slice(&frame, [20, 30], [10, 29]).unwrap();
    assert_eq!((readings, origin), (expected.readings, expected.origin));
}

#[test]
fn errors_have_codes_of_their_own() {
    use crate::weights::LoadError;
    let (what, part) = ("size", "part");
    let (expected, got) = (1, 2);
    let range = LoadError::Field {
        field: what,
        expected: "less",
    };
    let codes = [
        (LoadError::Magic, DREF_ERROR_MAGIC),
        (LoadError::Version { got: 9 }, DREF_ERROR_VERSION),
        (LoadError::Length { expected, got }, DREF_ERROR_LENGTH),
        (
            LoadError::Checksum {
                expected: 1,
                got: 2,
            },
            DREF_ERROR_CHECKSUM,
        ),
        (LoadError::Header, DREF_ERROR_HEADER),
        (range, DREF_ERROR_FIELD),
        (LoadError::Body { part }, DREF_ERROR_BODY),
        (LoadError::Range { part }, DREF_ERROR_RANGE),
        (
            LoadError::Sizes {
                what,
                expected,
                got,
            },
            DREF_ERROR_SIZES,
        ),
        (LoadError::Missing { part }, DREF_ERROR_MISSING),
    ];
    for (error, code) in codes {
        assert_eq!(Code::from(error), Code(code));
    }
    assert_eq!(Code::from(crate::Error::NoFrames), Code(DREF_ERROR_FRAME));
    // SAFETY: texts end in 0 and are static.
    let text = unsafe { core::ffi::CStr::from_ptr(dref_error_text(-9)) };
    assert_eq!(text, UNKNOWN);
}
