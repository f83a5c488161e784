//! Tests of streams over a shipped model: every readout frame by frame and window by window, in either
//! memory, and what is refused. None depends on the model's weights.

use std::boxed::Box;
use std::vec::Vec;

use super::*;
use crate::locate::Noise;
use crate::net::{Picture, Tensor};
use crate::physics::{FRAME_SIDE, MAP_SIDE, Optics, PointSource};

static EDGE: &[u8] = include_bytes!("../../models/edge.dref");
const PEDESTAL: u16 = 500;
const READOUTS: [Readout; 5] = [
    Readout::Grid,
    Readout::Fit,
    Readout::Head,
    Readout::HeadFit,
    Readout::HeadPrior,
];

/// Five frames of two targets that drift, and a ripple instead of noise.
fn readings() -> Vec<u16> {
    let frame = |time: usize| {
        let drift = 0.04 * time as f64;
        let sources = [(4.4 + drift, 5.0), (5.0 + drift, 5.0)];
        let sources = sources.map(|(x, y)| PointSource {
            x,
            y,
            intensity: 235.0,
        });
        let (mut scratch, mut counts) = ([0.0; FRAME_SIDE], [0.0; FRAME_LEN]);
        let rendered = Optics::SEQ_CSIST.render(&sources, &mut scratch, &mut counts);
        rendered.unwrap();
        let noise = move |pixel: usize| (31 * (pixel + time * FRAME_LEN) % 5) as f64 - 2.0;
        let counts = counts.into_iter().enumerate();
        counts.map(move |(pixel, count)| (f64::from(PEDESTAL) + count + noise(pixel)) as u16)
    };
    (0..WINDOW).flat_map(frame).collect()
}

fn config(readout: Readout) -> StreamConfig {
    StreamConfig {
        readout,
        pedestal: PEDESTAL,
        ..StreamConfig::of(&Model::load(EDGE).unwrap())
    }
}

fn stream<M: Memory>(memory: &mut M, config: StreamConfig) -> Stream<'_, M> {
    let model = Model::load(EDGE).unwrap();
    Stream::new(model, config, Kernels::best(), memory).unwrap()
}

/// An answer and the counts of its map.
type Said = (Answer<'static>, Option<Vec<f32>>);

fn said(answer: Answer<'_>) -> Said {
    let map = answer.map.map(|map| map.counts().collect());
    let answer = Answer {
        targets: answer.targets,
        reduced_chi2: answer.reduced_chi2,
        evaluations: answer.evaluations,
        complete: answer.complete,
        map: None,
        saturated: answer.saturated,
    };
    (answer, map)
}

/// What a stream answers to the fifth frame.
fn pushed<M: Memory>(memory: &mut M, config: StreamConfig, dead: Option<&[bool]>) -> Said {
    let readings = readings();
    let mut stream = stream(memory, config);
    let (early, last) = readings.split_at((WINDOW - 1) * FRAME_LEN);
    for frame in early.chunks_exact(FRAME_LEN) {
        assert_eq!(stream.push(frame, dead), Ok(None));
    }
    said(stream.push(last, dead).unwrap().unwrap())
}

#[test]
fn frames_one_by_one_are_the_window() {
    let dead: Vec<bool> = (0..FRAME_LEN).map(|pixel| pixel == 50).collect();
    for readout in READOUTS {
        let mut memory = Box::new(MapMemory::<16>::default());
        for dead in [None, Some(&dead[..])] {
            let want = pushed(&mut *memory, config(readout), dead);
            let mut stream = stream(&mut *memory, config(readout));
            let got = said(stream.window(&readings(), dead).unwrap());
            assert_eq!(got, want, "{readout:?}");
            // Flags of every frame instead of one for all.
            let all = dead.map(|dead| dead.repeat(WINDOW));
            let got = said(stream.window(&readings(), all.as_deref()).unwrap());
            assert_eq!(got, want, "{readout:?}");
            // The window left no frames.
            assert_eq!(stream.push(&readings()[..FRAME_LEN], None), Ok(None));
        }
    }
}

#[test]
fn answers_hold_what_their_readout_finds() {
    for readout in READOUTS {
        let mut memory = Box::new(MapMemory::<16>::new());
        let (answer, map) = pushed(&mut *memory, config(readout), None);
        let fits = !matches!(readout, Readout::Grid | Readout::Head);
        assert_eq!(answer.reduced_chi2.is_some(), fits, "{readout:?}");
        assert_eq!(answer.evaluations > 0, fits, "{readout:?}");
        assert_eq!(map.is_some(), readout == Readout::Grid);
        assert_eq!(answer.saturated, 0, "{readout:?}");
        assert!(answer.complete);
        if fits {
            assert_eq!(answer.targets.len(), 2, "{readout:?}");
            let near = |x: f64| answer.targets.iter().any(|t| (t.x - x).abs() < 0.2);
            // Of the third frame.
            assert!(near(4.48) && near(5.08), "{:?}", answer.targets);
        }
    }
}

/// The head gives the same in its own memory as in that of a map, whose packed weights have less room.
#[test]
fn heads_answer_alike_in_any_memory() {
    for readout in [
        Readout::Fit,
        Readout::Head,
        Readout::HeadFit,
        Readout::HeadPrior,
    ] {
        let mut map = Box::new(MapMemory::<16>::new());
        let mut head = Box::new(HeadMemory::<32>::default());
        let want = pushed(&mut *map, config(readout), None);
        assert_eq!(
            pushed(&mut *head, config(readout), None),
            want,
            "{readout:?}"
        );
    }
    assert_eq!(
        (
            MapMemory::<8>::HEAD_CHANNELS,
            MapMemory::<16>::HEAD_CHANNELS
        ),
        (8, 32)
    );
}

#[test]
fn every_set_of_kernels_gives_the_same_answers() {
    for readout in [Readout::Grid, Readout::Head] {
        let answers = Kernels::available().map(|kernels| {
            let (mut memory, model) = (Box::new(MapMemory::<16>::new()), Model::load(EDGE));
            let stream = Stream::new(model.unwrap(), config(readout), kernels, &mut *memory);
            let mut stream = stream.unwrap();
            said(stream.window(&readings(), None).unwrap())
        });
        let answers: Vec<Said> = answers.collect();
        assert!(
            answers.iter().all(|answer| *answer == answers[0]),
            "{readout:?}"
        );
    }
}

#[test]
fn wrong_lengths_are_refused_and_not_taken() {
    let (mut memory, all) = (Box::new(HeadMemory::<32>::new()), readings());
    let mut stream = stream(&mut *memory, config(Readout::Fit));
    let frame = &all[..FRAME_LEN];
    let length = |what, expected, got| Error::Length {
        what,
        expected,
        got,
    };
    for _ in 0..WINDOW {
        let short = stream.push(&frame[1..], None);
        assert_eq!(short, Err(length("readings of a frame", 121, 120)));
        let flags = stream.push(frame, Some(&[false; 120]));
        assert_eq!(flags, Err(length("dead pixels", 121, 120)));
    }
    assert_eq!(stream.push(frame, None), Ok(None));
    let short = stream.window(&all[1..], None);
    assert_eq!(short, Err(length("readings of a window", 605, 604)));
    let flags = stream.window(&all, Some(&[false; 120]));
    assert_eq!(flags, Err(length("dead pixels", 605, 120)));
}

#[test]
fn gaps_are_forgotten() {
    let (mut memory, all) = (Box::new(HeadMemory::<32>::new()), readings());
    let mut stream = stream(&mut *memory, config(Readout::Head));
    for frame in all.chunks_exact(FRAME_LEN).take(4) {
        assert_eq!(stream.push(frame, None), Ok(None));
    }
    stream.reset();
    assert_eq!(stream.push(&all[4 * FRAME_LEN..], None), Ok(None));
    assert_eq!(stream.config().readout, Readout::Head);
    assert_eq!(stream.model().header, Model::load(EDGE).unwrap().header);
}

/// Counts beyond the inputs' range are told once, with the answer after them.
#[test]
fn saturated_inputs_are_told() {
    let mut memory = Box::new(HeadMemory::<32>::new());
    let mut stream = stream(&mut *memory, config(Readout::Head));
    let bright = stream.window(&[u16::MAX; WINDOW * FRAME_LEN], None);
    assert!(bright.unwrap().saturated >= (WINDOW * FRAME_LEN) as u32);
    assert_eq!(stream.window(&readings(), None).unwrap().saturated, 0);
    // Nor after a gap.
    assert_eq!(stream.push(&[u16::MAX; FRAME_LEN], None), Ok(None));
    stream.reset();
    let mut saturated = None;
    for frame in readings().chunks_exact(FRAME_LEN) {
        let answer = stream.push(frame, None).unwrap();
        saturated = answer.map(|answer| answer.saturated);
    }
    assert_eq!(saturated, Some(0));
}

#[test]
fn models_that_lack_a_part_or_room_are_refused() {
    fn refused<M: Memory>(memory: &mut M, model: Model<'_>, readout: Readout) -> LoadError {
        let stream = Stream::new(model, config(readout), Kernels::SCALAR, memory);
        stream.err().unwrap()
    }
    let model = || Model::load(EDGE).unwrap();
    let mut map = Box::new(MapMemory::<16>::new());
    let without = |part| LoadError::Missing { part };
    let no_map = Model {
        map: None,
        ..model()
    };
    let error = refused(&mut *map, no_map, Readout::Grid);
    assert_eq!(error, without("map network"));
    let no_head = Model {
        head: None,
        ..model()
    };
    let error = refused(&mut *map, no_head, Readout::HeadFit);
    assert_eq!(error, without("offset head"));
    let mut memory = Box::new(HeadMemory::<8>::new());
    let sizes = [
        (Readout::Grid, "map channels"),
        (Readout::Head, "head channels at most"),
    ];
    for (readout, size) in sizes {
        let error = refused(&mut *memory, model(), readout);
        assert!(
            matches!(error, LoadError::Sizes { what, .. } if what == size),
            "{error:?}"
        );
    }
    let mut wrong = config(Readout::Fit);
    wrong.locate.noise = Noise::Known(f64::NAN);
    let error = Stream::new(model(), wrong, Kernels::SCALAR, &mut *memory).err();
    assert!(matches!(
        error,
        Some(LoadError::Field {
            field: "locate",
            ..
        })
    ));
}

/// Tensors as they come.
#[derive(Default)]
struct Seen(Vec<(Tensor, [usize; 3], Vec<i16>)>);

impl Probe for Seen {
    fn see(&mut self, tensor: Tensor, picture: Picture<'_>) {
        self.0
            .push((tensor, picture.shape(), picture.values().collect()));
    }
}

#[test]
fn probes_see_the_tensors_of_every_frame() {
    let all = readings();
    for (readout, last) in [
        (Readout::Grid, Tensor::Map),
        (Readout::Head, Tensor::HeadAnswer),
    ] {
        let mut memory = Box::new(MapMemory::<16>::new());
        let mut stream = stream(&mut *memory, config(readout));
        let mut seen = Seen::default();
        let mut map = None;
        for frame in all.chunks_exact(FRAME_LEN) {
            let answer = stream.push_seen(frame, None, &mut seen).unwrap();
            map = answer.and_then(|answer| answer.map.map(|map| *map.values));
        }
        let starts = seen
            .0
            .iter()
            .filter(|(tensor, ..)| *tensor == Tensor::Start);
        assert_eq!(
            starts.count(),
            if readout == Readout::Grid { WINDOW } else { 0 }
        );
        let (tensor, shape, values) = seen.0.last().unwrap();
        let expected = match readout {
            Readout::Grid => [MAP_SIDE, MAP_SIDE, 1],
            _ => [FRAME_SIDE, FRAME_SIDE, 63],
        };
        assert_eq!((*tensor, *shape), (last, expected));
        assert!(map.is_none_or(|map| map[..] == values[..]));
        let full = |(_, shape, values): &(_, [usize; 3], Vec<i16>)| {
            values.len() == shape.iter().product::<usize>()
        };
        assert!(seen.0.iter().all(full));
    }
}

/// The first layer of the head by plain loops: five frames in time order as channels.
#[test]
fn heads_see_the_frames_in_time_order() {
    let (all, model) = (readings(), Model::load(EDGE).unwrap());
    let mut memory = Box::new(HeadMemory::<32>::new());
    let mut stream = stream(&mut *memory, config(Readout::Head));
    let mut seen = Seen::default();
    for frame in all.chunks_exact(FRAME_LEN) {
        stream.push_seen(frame, None, &mut seen).unwrap();
    }
    let found = seen.0.iter().find(|(t, ..)| *t == Tensor::HeadInput);
    let (_, [.., channels], values) = found.unwrap();
    let layer = &model.head.as_ref().unwrap().input;
    let bits = model.header.input_bits;
    let input = |time: usize, row: usize, column: usize| {
        let inside = (1..=FRAME_SIDE).contains(&row) && (1..=FRAME_SIDE).contains(&column);
        if !inside {
            return 0;
        }
        let at = time * FRAME_LEN + (row - 1) * FRAME_SIDE + column - 1;
        (i32::from(all[at]) - i32::from(PEDESTAL)) << bits
    };
    for (at, &got) in values.iter().enumerate() {
        let (pixel, output) = (at / channels, at % channels);
        let (row, column) = (pixel / FRAME_SIDE, pixel % FRAME_SIDE);
        let weights = layer.weights_of(output).iter().enumerate();
        let terms = weights.map(|(k, &weight)| {
            let (tap, time) = (k / WINDOW, k % WINDOW);
            i32::from(weight as i8) * input(time, row + tap / 3, column + tap % 3)
        });
        let (bias, factor) = layer.scaling().nth(output).unwrap();
        let want = factor.apply(terms.sum::<i32>() + bias).max(0);
        assert_eq!(i32::from(got), want.min(i16::MAX.into()), "{at}");
    }
}
