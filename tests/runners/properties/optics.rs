//! The physics: one response, linear, symmetric, the same everywhere in the field.

use derefnet::scene::Target;
use derefnet_core::physics::{
    FRAME_LEN, FRAME_SIDE, MAP_LEN, MAP_SIDE, Optics, PointSource, RATIO, RESPONSE_LEN, Separable,
    cell_centre, cell_of, pixel_response,
};
use derefnet_tests::cases::{Draw, wide};
use derefnet_tests::oracle::render::expected_count;
use derefnet_tests::properties;
use derefnet_tests::tolerance::{ADJOINT, COLLECTED, COORDINATE, OPTICS_SUMMATION, RENDERING};
use proptest::prelude::*;

type Frame = [f64; FRAME_LEN];

/// Up to four sources, some beyond the frame.
fn sources() -> impl Strategy<Value = Vec<PointSource>> {
    let source = (-1.5..11.5, -1.5..11.5, 0.0..1000.0);
    let source = source.prop_map(|(x, y, intensity)| PointSource { x, y, intensity });
    prop::collection::vec(source, 1..5)
}

fn frame(sources: &[PointSource]) -> Frame {
    let mut frame = [0.0; FRAME_LEN];
    let rendered = Optics::SEQ_CSIST.render(sources, &mut [0.0; FRAME_SIDE], &mut frame);
    rendered.unwrap();
    frame
}

/// What `map` makes of every source.
fn mapped(sources: &[PointSource], map: impl Fn(&PointSource) -> PointSource) -> Vec<PointSource> {
    sources.iter().map(map).collect()
}

fn close(got: &[f64], want: &[f64]) -> Result<(), TestCaseError> {
    let size = want.iter().fold(1.0, |most: f64, v| most.max(v.abs()));
    prop_assert_eq!(got.len(), want.len());
    for (at, (got, want)) in got.iter().zip(want).enumerate() {
        let error = (got - want).abs();
        prop_assert!(
            error <= OPTICS_SUMMATION * size,
            "{at}: {got}, expected {want}"
        );
    }
    Ok(())
}

/// The published model on drawn maps and frames.
struct Drawn {
    response: Vec<f64>,
    map: Vec<f64>,
    frame: Vec<f64>,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    any::<u64>().prop_map(|seed| Drawn {
        response: vec![0.0; RESPONSE_LEN],
        map: wide(&Draw::new(seed, 0).normal(MAP_LEN, 100.0)),
        frame: wide(&Draw::new(seed, 1).normal(FRAME_LEN, 100.0)),
    })
}

impl std::fmt::Debug for Drawn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "map {:?}, frame {:?}", self.map, self.frame)
    }
}

fn forward(model: &Separable, map: &[f64]) -> Frame {
    let mut frame = [0.0; FRAME_LEN];
    let done = model.forward(map, &mut [0.0; RESPONSE_LEN], &mut frame);
    done.unwrap();
    frame
}

fn adjoint(model: &Separable, frame: &[f64]) -> Vec<f64> {
    let mut map = vec![0.0; MAP_LEN];
    let done = model.adjoint(frame, &mut [0.0; RESPONSE_LEN], &mut map);
    done.unwrap();
    map
}

fn transposed(values: &[f64], side: usize) -> Vec<f64> {
    let places = (0..side * side).map(|k| k % side * side + k / side);
    places.map(|at| values[at]).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

properties! {
    /// Pixels share their edges, so no count is lost or counted twice.
    fn a_wide_sensor_collects_everything(u in 6.0..26.0, sigma in 0.2..1.0) {
        let optics = Optics::new(33, 1, sigma).unwrap();
        let mut profile = [0.0; 33];
        optics.fill_profile(u, &mut profile).unwrap();
        prop_assert!((profile.iter().sum::<f64>() - 1.0).abs() < COLLECTED);
        for (pixel, share) in profile.into_iter().enumerate() {
            prop_assert!((0.0..=1.0).contains(&share));
            prop_assert_eq!(share, pixel_response(pixel as f64, u, sigma));
        }
    }

    fn pixels_hold_the_integral_of_the_response(
        sources in sources(), row in 0..FRAME_SIDE, column in 0..FRAME_SIDE,
    ) {
        let target = |s: &PointSource| Target { x: s.x, y: s.y, intensity: s.intensity };
        let targets: Vec<Target> = sources.iter().map(target).collect();
        let want = expected_count(&targets, row, column);
        let got = frame(&sources)[FRAME_SIDE * row + column];
        prop_assert!((got - want).abs() < RENDERING, "{got}, expected {want}");
    }

    fn frames_add_up(one in sources(), two in sources()) {
        let (a, b) = (frame(&one), frame(&two));
        let sum: Vec<f64> = a.iter().zip(b).map(|(a, b)| a + b).collect();
        close(&frame(&[one, two].concat()), &sum)?;
    }

    fn brighter_sources_scale_the_frame(sources in sources(), factor in 0.0..8.0) {
        let brighter = mapped(&sources, |s| PointSource { intensity: factor * s.intensity, ..*s });
        let want = frame(&sources).map(|count| factor * count);
        close(&frame(&brighter), &want)?;
    }

    fn the_order_of_sources_is_irrelevant(sources in sources(), first in any::<prop::sample::Index>()) {
        let mut turned = sources.clone();
        turned.rotate_left(first.index(sources.len()));
        close(&frame(&turned), &frame(&sources))?;
    }

    fn exchanged_axes_transpose_the_frame(sources in sources()) {
        let flipped = mapped(&sources, |s| PointSource { x: s.y, y: s.x, ..*s });
        close(&frame(&flipped), &transposed(&frame(&sources), FRAME_SIDE))?;
    }

    fn mirrored_sources_mirror_the_frame(sources in sources()) {
        let mirrored = mapped(&sources, |s| PointSource { x: 10.0 - s.x, ..*s });
        let rows: Vec<f64> = frame(&sources).chunks(FRAME_SIDE).rev().flatten().copied().collect();
        close(&frame(&mirrored), &rows)?;
    }

    /// Away from borders: what leaves on one side is compared with nothing.
    fn whole_pixels_shift_the_frame(sources in sources(), down in 0..4_usize, right in 0..4_usize) {
        let moved = mapped(&sources, |s| PointSource {
            x: s.x + down as f64,
            y: s.y + right as f64,
            ..*s
        });
        let inside = |frame: &Frame, (r, c): (usize, usize)| -> Vec<f64> {
            let rows = frame.chunks_exact(FRAME_SIDE).skip(r).take(FRAME_SIDE - down);
            rows.flat_map(|row| row[c..][..FRAME_SIDE - right].to_vec()).collect()
        };
        close(&inside(&frame(&moved), (down, right)), &inside(&frame(&sources), (0, 0)))?;
    }

    fn cells_hold_their_coordinates(x in -3.0..14.0, half in 0..4_usize) {
        let ratio = 2 * half + 1;
        let reach = 0.5 / ratio as f64 + COORDINATE;
        let cell = cell_of(x, ratio);
        if let Ok(cell) = usize::try_from(cell) {
            prop_assert!((cell_centre(cell, ratio) - x).abs() <= reach);
            prop_assert_eq!(cell_of(cell_centre(cell, ratio), ratio), cell as i64);
        } else {
            prop_assert!(x < cell_centre(0, ratio));
        }
        prop_assert_eq!(cell_of(x + 1.0, ratio) - cell, ratio as i64);
    }

    /// `⟨Φh, l⟩ = ⟨h, Φᵀl⟩`.
    fn adjoint_is_the_adjoint_of_forward(mut drawn in drawn()) {
        let model = Separable::new(Optics::SEQ_CSIST, &mut drawn.response).unwrap();
        let left = dot(&forward(&model, &drawn.map), &drawn.frame);
        let right = dot(&drawn.map, &adjoint(&model, &drawn.frame));
        prop_assert!((left - right).abs() <= ADJOINT, "{left} {right}");
    }

    /// `ΦᵀΦ` by the Gram matrix is `Φᵀ` after `Φ`.
    fn normal_is_adjoint_after_forward(mut drawn in drawn()) {
        let model = Separable::new(Optics::SEQ_CSIST, &mut drawn.response).unwrap();
        let (mut gram, mut scratch) = (vec![0.0; MAP_LEN], vec![0.0; MAP_LEN]);
        let mut out = vec![0.0; MAP_LEN];
        model.fill_gram(&mut gram).unwrap();
        model.normal(&gram, &drawn.map, &mut scratch, &mut out).unwrap();
        close(&out, &adjoint(&model, &forward(&model, &drawn.map)))?;
    }

    fn transposed_maps_give_transposed_frames(mut drawn in drawn()) {
        let model = Separable::new(Optics::SEQ_CSIST, &mut drawn.response).unwrap();
        let plain = forward(&model, &drawn.map);
        let flipped = forward(&model, &transposed(&drawn.map, MAP_SIDE));
        close(&flipped, &transposed(&plain, FRAME_SIDE))?;
    }

    /// A cell of a map is a source at its centre.
    fn maps_are_sources_at_cell_centres(cell in 0..MAP_LEN, intensity in 0.0..1000.0) {
        let mut response = vec![0.0; RESPONSE_LEN];
        let model = Separable::new(Optics::SEQ_CSIST, &mut response).unwrap();
        let mut map = vec![0.0; MAP_LEN];
        map[cell] = intensity;
        let at = |cell| cell_centre(cell, RATIO);
        let (x, y) = (at(cell / MAP_SIDE), at(cell % MAP_SIDE));
        close(&forward(&model, &map), &frame(&[PointSource { x, y, intensity }]))?;
    }
}
