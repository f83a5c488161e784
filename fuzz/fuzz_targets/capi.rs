//! Any calls of the C interface, in any order, with null and odd pointers among them.
#![no_main]

use core::ptr::{null, null_mut};
use std::cell::RefCell;
use std::sync::LazyLock;

use arbitrary::{Arbitrary, Unstructured};
use derefnet_core::capi::*;
use derefnet_fuzz::is_chosen;
use derefnet_fuzz::models::{Sizes, random_model};
use libfuzzer_sys::fuzz_target;

/// Heads alone, which load and answer fast, and a model with everything for one input in 8192.
static FILES: LazyLock<[Vec<u8>; 3]> = LazyLock::new(|| {
    let sizes = [
        (None, Some([8, 0])),
        (None, Some([8, 1])),
        (Some([16, 1, 1]), Some([8, 0])),
    ];
    sizes.map(|(map, head)| random_model(2, Sizes { map, head }))
});

#[derive(Arbitrary, Debug)]
enum Call {
    Init {
        kind: u8,
        file: u8,
        cut: u8,
        short: u8,
        odd: u8,
        config: Option<Config>,
    },
    Check {
        file: u8,
        cut: u8,
        info: bool,
    },
    Push {
        pixel: [u16; 2],
        dead: Option<u8>,
        odd: u8,
    },
    Window {
        pixel: [u16; 2],
        dead: Option<u8>,
        odd: u8,
    },
    Map {
        odd: u8,
    },
    Slice {
        rows: u8,
        columns: u8,
        row: u8,
        column: u8,
    },
    Reset,
    Garbage(u8),
    Text(i32),
}

#[derive(Arbitrary, Debug)]
struct Config {
    readout: u8,
    counts: [u8; 2],
    noise: f32,
    evaluations: u8,
    pedestal: u16,
    saturation: u16,
}

impl Config {
    /// Any readout for a rich input, the head or none at all otherwise.
    fn read(&self, is_rich: bool) -> DrefConfig {
        let readout = match is_rich {
            true => (self.readout % 6).into(),
            false if self.readout == 0 => 6,
            false => DREF_READOUT_HEAD,
        };
        DrefConfig {
            readout,
            fewest_targets: (self.counts[0] % 10).into(),
            most_targets: (self.counts[1] % 10).into(),
            noise: self.noise,
            window_evaluations: u32::from(self.evaluations) % 48,
            pedestal: self.pedestal,
            saturation: self.saturation,
        }
    }
}

/// A pointer as it should be, or null or one byte further where `odd` is a small number.
fn bend<T>(pointer: *mut T, odd: u8) -> *mut T {
    match odd {
        1 => null_mut(),
        2 => pointer.wrapping_byte_add(1),
        _ => pointer,
    }
}

#[repr(C, align(16))]
struct Place([u8; DREF_PAPER_STREAM_BYTES]);

thread_local! {
    /// One place for all inputs: fresh pages would cost more than all calls together.
    static PLACE: RefCell<Box<Place>> = RefCell::new(Box::new(Place([0; _])));
}

struct State<'p> {
    /// Whether expensive models and readouts are tried.
    is_rich: bool,
    place: &'p mut Place,
    stream: *mut DrefStream,
    /// An answer's place, longer than one so that odd pointers stay inside.
    answer: Box<[DrefAnswer; 2]>,
}

impl State<'_> {
    fn file(&self, index: u8) -> &'static [u8] {
        let files = if self.is_rich { 3 } else { 2 };
        &FILES[usize::from(index) % files]
    }

    fn init(&mut self, call: &Call) {
        let Call::Init {
            kind,
            file,
            cut,
            short,
            odd,
            config,
        } = call
        else {
            return;
        };
        let file = self.file(*file);
        let length = file.len() - usize::from(*cut).min(file.len());
        let config = match config {
            // Without a configuration the readout is an expensive one.
            None if !self.is_rich => return,
            config => config.as_ref().map(|config| config.read(self.is_rich)),
        };
        let config = config.as_ref().map_or(null(), |config| config as *const _);
        let (init, bytes): (Init, _) = match kind % 3 {
            0 => (dref_edge_stream_init, DREF_EDGE_STREAM_BYTES),
            1 => (dref_paper_stream_init, DREF_PAPER_STREAM_BYTES),
            _ => (dref_head_stream_init, DREF_HEAD_STREAM_BYTES),
        };
        let bytes = if *short == 1 { 4096 } else { bytes };
        let place = bend((&raw mut *self.place).cast(), *odd);
        let mut out = null_mut();
        // SAFETY: the file is static; the place stays where it is and is used by this stream alone.
        let status = unsafe { init(place, bytes, file.as_ptr(), length, config, &raw mut out) };
        if status == DREF_OK {
            self.stream = out;
        } else {
            // Its memory may be overwritten; the seal may still be there.
            self.stream = null_mut();
        }
    }
}

type Init = unsafe extern "C" fn(
    *mut core::ffi::c_void,
    usize,
    *const u8,
    usize,
    *const DrefConfig,
    *mut *mut DrefStream,
) -> DrefStatus;

fn readings<const N: usize>(pixel: [u16; 2]) -> [u16; N] {
    core::array::from_fn(|i| pixel[i % 2].wrapping_mul(1 + (i / 30) as u16))
}

fuzz_target!(|bytes: &[u8]| PLACE.with_borrow_mut(|place| run(bytes, place)));

fn run(bytes: &[u8], place: &mut Place) {
    let Ok(calls) = Vec::<Call>::arbitrary_take_rest(Unstructured::new(bytes)) else {
        return;
    };
    place.0.fill(0xa5);
    // SAFETY: numbers alone.
    let zero: DrefAnswer = unsafe { core::mem::zeroed() };
    let mut state = State {
        is_rich: is_chosen(bytes, 8192),
        place,
        stream: null_mut(),
        answer: Box::new([zero; 2]),
    };
    for call in calls.iter().take(8) {
        let answer = (&raw mut state.answer[0]).cast::<DrefAnswer>();
        let stream = state.stream;
        // SAFETY: every pointer is null, not aligned, or leads to what the interface asks for.
        let status = unsafe {
            match call {
                Call::Init { .. } => {
                    state.init(call);
                    continue;
                }
                Call::Check { file, cut, info } => {
                    let file = state.file(*file);
                    let mut place = core::mem::MaybeUninit::uninit();
                    let info = if *info {
                        place.as_mut_ptr()
                    } else {
                        null_mut()
                    };
                    let length = file.len() - usize::from(*cut);
                    let status = dref_check(file.as_ptr(), length, info);
                    assert_eq!(status == DREF_OK, *cut == 0);
                    status
                }
                Call::Push { pixel, dead, odd } => {
                    let mut readings = readings::<122>(*pixel);
                    let dead = dead.map(|dead| [dead; 121]);
                    let dead = dead.as_ref().map_or(null(), |dead| dead.as_ptr());
                    let answer = bend(answer, odd / 4);
                    dref_push(stream, bend(readings.as_mut_ptr(), odd % 4), dead, answer)
                }
                Call::Window { pixel, dead, odd } => {
                    let mut readings = readings::<606>(*pixel);
                    let dead = dead.map(|dead| [dead; 605]);
                    let dead = dead.as_ref().map_or(null(), |dead| dead.as_ptr());
                    let answer = bend(answer, odd / 4);
                    dref_window(stream, bend(readings.as_mut_ptr(), odd % 4), dead, answer)
                }
                Call::Map { odd } => {
                    let mut cells = [f32::NAN; DREF_MAP_CELLS + 1];
                    dref_map(stream, bend(cells.as_mut_ptr(), *odd))
                }
                Call::Slice {
                    rows,
                    columns,
                    row,
                    column,
                } => {
                    let [rows, columns] = [*rows, *columns].map(usize::from);
                    let frame = vec![7; rows * columns + 1];
                    let (mut readings, mut origin) = ([0; 121], [0; 2]);
                    dref_slice(
                        frame.as_ptr(),
                        rows,
                        columns,
                        (*row).into(),
                        (*column).into(),
                        readings.as_mut_ptr(),
                        origin.as_mut_ptr(),
                    )
                }
                Call::Reset => dref_reset(stream),
                Call::Garbage(byte) => {
                    state.place.0.fill(*byte);
                    let stream = (&raw mut *state.place).cast::<DrefStream>();
                    state.stream = stream;
                    assert_eq!(dref_reset(stream), DREF_ERROR_STREAM);
                    DREF_ERROR_STREAM
                }
                Call::Text(code) => {
                    assert!(!dref_error_text(*code).is_null());
                    *code
                }
            }
        };
        let text = dref_error_text(status);
        assert!(!text.is_null());
    }
}
