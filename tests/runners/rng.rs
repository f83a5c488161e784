//! The random generator: pinned outputs and distributions.

use derefnet::rng::Rng;
use derefnet_tests::statistics::{
    assert_equal_shares, assert_follows, assert_mean, assert_uniform,
};

fn rng(stream: u64) -> Rng {
    Rng::new(7, *b"rng-test", stream)
}

/// Words by a separate Python implementation of ChaCha: the block function of RFC 8439 with 8 rounds,
/// key = 7 as 8 bytes little endian + b"rng-test" + 16 zeros, state words 12 and 13 the block counter
/// from 0 on, words 14 and 15 the stream 3 as 8 bytes little endian. The other numbers follow from
/// the same words in Python floats: `(word64 >> 11) * 2**-53`, `(word * 10) >> 32`, Box–Muller with
/// `math.log`, `math.cos` and `math.sin`.
#[test]
fn value_stability() {
    let mut words = rng(3);
    assert_eq!(words.next_u32(), 0xbb2c_93dd);
    assert_eq!(words.next_u32(), 0x3f41_73dc);
    assert_eq!(words.next_u64(), 0x84e8_a36b_f06e_1f80);
    (4..16).for_each(|_| _ = words.next_u32());
    assert_eq!(words.next_u32(), 0xec91_2286);

    let mut uniform = rng(3);
    let expected = [
        0.2470924772161871,
        0.5191747797511471,
        0.5800270146346007,
        0.13441628168018527,
    ];
    assert_eq!(expected.map(|_| uniform.uniform()), expected);

    let mut below = rng(3);
    let expected = [7, 2, 9, 5, 6, 5, 8, 1];
    assert_eq!(expected.map(|_| below.below(10)), expected);

    let pair = rng(3).gaussian_pair();
    assert_eq!(pair, (-0.7479481095101083, -0.09055035253857552));
    assert_eq!(rng(3).gaussian(), pair.0);
}

#[test]
fn every_position_is_restored() {
    for words in 0..200 {
        let mut rng = rng(1);
        (0..words).for_each(|_| _ = rng.next_u32());
        let mut again = Rng::from_state(rng.state());
        assert_eq!(again.state().words, words);
        let draw = |rng: &mut Rng| [(); 70].map(|()| rng.next_u32());
        assert_eq!(draw(&mut again), draw(&mut rng), "after {words} words");
    }
}

#[test]
fn distributions() {
    let mut rng = rng(0);
    let n = 20_000;
    let uniform: Vec<f64> = (0..n).map(|_| rng.uniform()).collect();
    assert_uniform("uniform", uniform, 0.0, 1.0);
    let range: Vec<f64> = (0..n).map(|_| rng.range(-3.0, 5.0)).collect();
    assert_uniform("range", range, -3.0, 5.0);
    let mut counts = [0; 7];
    (0..n).for_each(|_| counts[rng.below(7) as usize] += 1);
    assert_equal_shares("below", &counts);
    let normal = |x: f64| 0.5 * (1.0 + libm::erf(x / std::f64::consts::SQRT_2));
    let (first, second): (Vec<f64>, Vec<f64>) = (0..n).map(|_| rng.gaussian_pair()).unzip();
    let products: Vec<f64> = first.iter().zip(&second).map(|(a, b)| a * b).collect();
    assert_mean("product of a pair", &products, 0.0);
    assert_follows("first of a pair", first, normal);
    assert_follows("second of a pair", second, normal);
    let radii: Vec<f64> = (0..n)
        .map(|_| rng.in_disc(2.0))
        .map(|(x, y)| x * x + y * y)
        .collect();
    assert_uniform("squared radius in a disc", radii, 0.0, 4.0);
}

#[test]
fn every_order_is_as_likely() {
    let mut rng = rng(2);
    let mut counts = std::collections::BTreeMap::new();
    for _ in 0..4_800 {
        let mut items = [0, 1, 2, 3];
        rng.shuffle(&mut items);
        *counts.entry(items).or_insert(0) += 1;
    }
    assert_eq!(counts.len(), 24);
    assert_equal_shares("orders", &counts.into_values().collect::<Vec<_>>());
}

/// A bound just above 2³¹ makes plain multiplication favour every second number by a factor of two.
#[test]
fn below_is_unbiased_near_the_word_size() {
    let mut rng = rng(4);
    let n = 3 << 30;
    let mut counts = [0; 3];
    (0..9_000).for_each(|_| counts[(rng.below(n) / (1 << 30)) as usize] += 1);
    assert_equal_shares("thirds", &counts);
    let mut residues = [0; 3];
    (0..9_000).for_each(|_| residues[(rng.below(n) % 3) as usize] += 1);
    assert_equal_shares("residues", &residues);
}

#[test]
#[should_panic(expected = "below(0)")]
fn below_zero_panics() {
    rng(0).below(0);
}
