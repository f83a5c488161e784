use super::*;
use std::vec;
use std::vec::Vec;

/// Small, fixed, sign-changing values; no structure that could hide a transposition.
fn values(len: usize) -> Vec<f64> {
    (0..len)
        .map(|k| (k * k % 97) as f64 / 7.0 - (k % 13) as f64)
        .collect()
}

/// Φ as the definition writes it: pixel (a, b) by cell (i, j), no separability used.
fn dense(optics: Optics) -> Vec<Vec<f64>> {
    let (side, cells, ratio) = (optics.side(), optics.map_side(), optics.ratio());
    let axis =
        |p: usize, cell: usize| pixel_response(p as f64, cell_centre(cell, ratio), optics.sigma());
    let mut phi = vec![vec![0.0; cells * cells]; side * side];
    for (pixel, row) in phi.iter_mut().enumerate() {
        for (cell, element) in row.iter_mut().enumerate() {
            *element = axis(pixel / side, cell / cells) * axis(pixel % side, cell % cells);
        }
    }
    phi
}

fn apply(matrix: &[Vec<f64>], vector: &[f64]) -> Vec<f64> {
    let dot = |row: &Vec<f64>| row.iter().zip(vector).map(|(a, b)| a * b).sum();
    matrix.iter().map(dot).collect()
}

fn transpose(matrix: &[Vec<f64>]) -> Vec<Vec<f64>> {
    (0..matrix[0].len())
        .map(|j| matrix.iter().map(|row| row[j]).collect())
        .collect()
}

/// Sums of a thousand terms below 300 in another order agree to far better than this.
fn assert_close(got: &[f64], expected: &[f64]) {
    assert_eq!(got.len(), expected.len());
    for (index, (a, b)) in got.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= 1e-9, "element {index}: {a} against {b}");
    }
}

/// Eigenvalues of a small symmetric matrix by cyclic Jacobi rotations, ascending.
fn eigenvalues(mut m: Vec<Vec<f64>>) -> Vec<f64> {
    let n = m.len();
    for _ in 0..30 {
        for p in 0..n {
            for q in p + 1..n {
                rotate(&mut m, p, q);
            }
        }
    }
    let mut values: Vec<f64> = (0..n).map(|i| m[i][i]).collect();
    values.sort_by(f64::total_cmp);
    values
}

fn rotate(m: &mut [Vec<f64>], p: usize, q: usize) {
    if m[p][q].abs() < 1e-300 {
        return;
    }
    let theta = 0.5 * f64::atan2(2.0 * m[p][q], m[q][q] - m[p][p]);
    let (s, c) = theta.sin_cos();
    for row in m.iter_mut() {
        (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
    }
    let (first, second) = (m[p].clone(), m[q].clone());
    for (k, (a, b)) in first.into_iter().zip(second).enumerate() {
        m[p][k] = c * a - s * b;
        m[q][k] = s * a + c * b;
    }
}

/// Singular values of `A⊗A` are products of two of `A`: the extremes of Φ are the extreme
/// eigenvalues of `AAᵀ`.
#[test]
fn singular_values_of_phi() {
    let mut response = [0.0; RESPONSE_LEN];
    Optics::SEQ_CSIST.fill_response(&mut response).unwrap();
    let rows: Vec<Vec<f64>> = response.chunks(MAP_SIDE).map(<[f64]>::to_vec).collect();
    let gram: Vec<Vec<f64>> = rows.iter().map(|row| apply(&rows, row)).collect();
    let spectrum = eigenvalues(gram);
    assert!((spectrum[10] - 2.930288).abs() < 5e-7, "{}", spectrum[10]);
    assert!((spectrum[0] - 0.233252).abs() < 5e-7, "{}", spectrum[0]);
    let squared = spectrum[10] * spectrum[10];
    assert!((squared - 8.586585).abs() < 5e-7, "{squared}");
}

#[test]
fn entries_and_column_sums_of_phi() {
    let phi = dense(Optics::SEQ_CSIST);
    let largest = phi.iter().flatten().copied().fold(0.0, f64::max);
    assert!((largest - 0.466065).abs() < 5e-7, "{largest}");
    let sums: Vec<f64> = transpose(&phi).iter().map(|c| c.iter().sum()).collect();
    let low = sums.iter().copied().fold(f64::MAX, f64::min);
    let high = sums.iter().copied().fold(0.0, f64::max);
    assert!((low - 0.397604).abs() < 5e-7, "{low}");
    assert!((1.0 - high).abs() < 5e-7, "{high}");
}

#[test]
fn separable_forms_equal_dense_phi() {
    for (side, ratio, sigma) in [(11, 3, 0.5), (4, 5, 0.8), (7, 1, 0.3), (1, 3, 0.5)] {
        let optics = Optics::new(side, ratio, sigma).unwrap();
        let phi = dense(optics);
        let mut response = vec![0.0; optics.response_len()];
        let model = Separable::new(optics, &mut response).unwrap();
        let (map, frame) = (values(optics.map_len()), values(optics.frame_len()));
        // Scratch starts as NaN: nothing may read it before writing.
        let mut scratch = vec![f64::NAN; optics.map_len()];

        let mut forward = vec![f64::NAN; optics.frame_len()];
        model.forward(&map, &mut scratch, &mut forward).unwrap();
        assert_close(&forward, &apply(&phi, &map));

        let mut adjoint = vec![f64::NAN; optics.map_len()];
        model.adjoint(&frame, &mut scratch, &mut adjoint).unwrap();
        assert_close(&adjoint, &apply(&transpose(&phi), &frame));

        let mut gram = vec![f64::NAN; optics.map_len()];
        model.fill_gram(&mut gram).unwrap();
        let mut normal = vec![f64::NAN; optics.map_len()];
        scratch.fill(f64::NAN);
        model
            .normal(&gram, &map, &mut scratch, &mut normal)
            .unwrap();
        assert_close(&normal, &apply(&transpose(&phi), &apply(&phi, &map)));
    }
}

#[test]
fn gram_is_the_sum_over_pixels() {
    let mut response = [0.0; RESPONSE_LEN];
    let model = Separable::new(Optics::SEQ_CSIST, &mut response).unwrap();
    let mut gram = [0.0; MAP_LEN];
    model.fill_gram(&mut gram).unwrap();
    for (i, j) in [(0, 0), (3, 5), (16, 16), (16, 17), (32, 30)] {
        let row = |p: usize, cell: usize| model.response()[p * MAP_SIDE + cell];
        let sum: f64 = (0..FRAME_SIDE).map(|p| row(p, i) * row(p, j)).sum();
        assert!((gram[i * MAP_SIDE + j] - sum).abs() < 1e-15);
        assert_eq!(gram[i * MAP_SIDE + j], gram[j * MAP_SIDE + i]);
    }
}

#[test]
fn profile_has_the_bits_of_pixel_response() {
    let mut profile = [0.0; FRAME_SIDE];
    for u in [-3.0, 0.0, 0.123456789, 4.5, 7.999, 12.25] {
        Optics::SEQ_CSIST.fill_profile(u, &mut profile).unwrap();
        for (pixel, got) in profile.iter().enumerate() {
            let expected = pixel_response(pixel as f64, u, PSF_SIGMA);
            assert_eq!(got.to_bits(), expected.to_bits());
        }
    }
}

#[test]
fn sources_at_cell_centres_render_like_their_map() {
    let mut response = [0.0; RESPONSE_LEN];
    let model = Separable::new(Optics::SEQ_CSIST, &mut response).unwrap();
    let cells = [(16, 17, 230.0), (17, 15, 250.0), (2, 31, 221.5)];
    let mut map = [0.0; MAP_LEN];
    for (i, j, intensity) in cells {
        map[i * MAP_SIDE + j] = intensity;
    }
    let sources = cells.map(|(i, j, intensity)| PointSource {
        x: cell_centre(i, RATIO),
        y: cell_centre(j, RATIO),
        intensity,
    });
    let (mut from_map, mut scratch) = ([0.0; FRAME_LEN], [f64::NAN; RESPONSE_LEN]);
    model.forward(&map, &mut scratch, &mut from_map).unwrap();
    // Rendering adds: start from a background and expect it to remain.
    let mut rendered = [10.0; FRAME_LEN];
    model
        .optics()
        .render(&sources, &mut [f64::NAN; FRAME_SIDE], &mut rendered)
        .unwrap();
    let expected = from_map.map(|counts| counts + 10.0);
    assert_close(&rendered, &expected);
}

#[test]
fn a_source_keeps_its_axes_and_its_counts() {
    let source = PointSource {
        x: 3.0,
        y: 7.0,
        intensity: 240.0,
    };
    let mut frame = [0.0; FRAME_LEN];
    Optics::SEQ_CSIST
        .render(&[source], &mut [0.0; FRAME_SIDE], &mut frame)
        .unwrap();
    let brightest = (0..FRAME_LEN)
        .max_by(|&a, &b| frame[a].total_cmp(&frame[b]))
        .unwrap();
    assert_eq!(brightest, 3 * FRAME_SIDE + 7);
    assert!((frame.iter().sum::<f64>() - 240.0).abs() < 1e-6);
}

#[test]
fn cells_and_centres_are_inverse() {
    for ratio in [1, 3, 5, 7] {
        for cell in 0..11 * ratio {
            assert_eq!(cell_of(cell_centre(cell, ratio), ratio), cell as i64);
        }
    }
    assert_eq!(cell_of(-0.5, 3), 0, "-0.5 is a tie, even cell wins");
    assert_eq!(cell_of(0.5, 3), 2, "2.5 is a tie, even cell wins");
    assert_eq!(cell_of(-1.0, 3), -2);
}

#[test]
fn bad_geometry_is_refused() {
    for (side, ratio, sigma) in [
        (0, 3, 0.5),
        (11, 0, 0.5),
        (11, 2, 0.5),
        (11, 3, 0.0),
        (11, 3, -0.5),
        (11, 3, f64::NAN),
        (11, 3, f64::INFINITY),
        (11, 3, 1e-320),
        (usize::MAX / 2, 3, 0.5),
        (usize::MAX / 4, 1, 0.5),
    ] {
        let refused = Optics::new(side, ratio, sigma);
        assert!(matches!(refused, Err(Error::Domain { .. })), "{refused:?}");
    }
}

#[test]
fn bad_slices_are_refused() {
    let optics = Optics::SEQ_CSIST;
    let (mut frame, mut map) = ([0.0; FRAME_LEN], [0.0; MAP_LEN]);
    let mut response = [0.0; RESPONSE_LEN];
    assert!(Separable::new(optics, &mut response[1..]).is_err());
    let model = Separable::new(optics, &mut response).unwrap();
    let short = &mut [0.0; RESPONSE_LEN - 1][..];
    assert!(model.forward(&map, short, &mut frame).is_err());
    assert!(model.adjoint(&frame, short, &mut map).is_err());
    let scratch = &mut [0.0; MAP_LEN][..];
    assert!(model.forward(&map[1..], scratch, &mut frame).is_err());
    assert!(model.forward(&map, scratch, &mut frame[1..]).is_err());
    assert!(model.fill_gram(&mut map[1..]).is_err());
    assert!(
        model
            .normal(&map[1..], &map, scratch, &mut [0.0; MAP_LEN])
            .is_err()
    );
    assert!(
        model
            .normal(&map, &map, short, &mut [0.0; MAP_LEN])
            .is_err()
    );
    assert!(optics.fill_profile(1.0, &mut frame[..10]).is_err());
}

#[test]
fn a_refused_source_leaves_the_frame_alone() {
    let good = PointSource {
        x: 5.0,
        y: 5.0,
        intensity: 240.0,
    };
    for bad in [
        PointSource {
            x: f64::NAN,
            ..good
        },
        PointSource {
            y: f64::INFINITY,
            ..good
        },
        PointSource {
            intensity: f64::NAN,
            ..good
        },
    ] {
        let mut frame = [0.0; FRAME_LEN];
        let refused = Optics::SEQ_CSIST.render(&[good, bad], &mut [0.0; FRAME_SIDE], &mut frame);
        let expected = Error::NotFinite {
            what: "point sources",
            index: 1,
        };
        assert_eq!(refused, Err(expected));
        assert!(frame.iter().all(|&counts| counts == 0.0));
    }
}
