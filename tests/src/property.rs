//! Properties: what holds for every input that a strategy draws.
//!
//! [`properties!`](crate::properties) and [`dear_properties!`](crate::dear_properties) make a test of
//! each, in a module of that name, so that `cargo test -p derefnet-tests -- properties::` runs them all
//! and nothing else. The number of
//! cases is set here and nowhere else.

use std::cell::Cell;
use std::time::Instant;

use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestCaseResult, TestRunner};

/// Cases of every property where `PROPTEST_CASES` asks for no other number.
pub const CASES: u32 = 1_000;
/// Seed of every run where `PROPTEST_RNG_SEED` asks for no other: tests that passed pass again.
const SEED: u64 = 1;
/// Where every case is a whole network, one in so many of the cases asked for is tried, and never
/// fewer than [`CASES`].
const DEAR: u32 = 10;
/// Draws that a strategy or `prop_assume!` may reject for each one that is tried.
const REJECTS: u32 = 8;

/// What the environment asks for, as proptest reads it.
fn config(dear: bool) -> ProptestConfig {
    let given = |name: &str| std::env::var_os(name).is_some();
    let mut config = ProptestConfig::default();
    if !given("PROPTEST_CASES") {
        config.cases = CASES;
    }
    if !given("PROPTEST_RNG_SEED") {
        config.rng_seed = RngSeed::Fixed(SEED);
    }
    if dear && config.cases > CASES {
        config.cases = CASES.max(config.cases / DEAR);
    }
    config.max_global_rejects = config.cases.saturating_mul(REJECTS);
    config.max_local_rejects = config.max_global_rejects;
    // A failure becomes a named case, not an opaque seed in a file.
    config.failure_persistence = None;
    config
}

/// Tries `property` on as many draws of `strategy` as are asked for, counts them, and prints how
/// many there were and what they took. A `dear` one is tried less often where many are asked for.
///
/// # Panics
/// With the smallest failing case, or if fewer cases were tried than asked for.
pub fn hold<S: Strategy>(
    name: &str,
    dear: bool,
    strategy: S,
    property: impl Fn(S::Value) -> TestCaseResult,
) {
    let (config, started, tried) = (config(dear), Instant::now(), Cell::new(0));
    let asked = config.cases;
    let mut runner = TestRunner::new(config);
    let result = runner.run(&strategy, |value| {
        property(value)?;
        tried.set(tried.get() + 1);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    let tried = tried.get();
    assert!(tried >= asked, "{tried} cases tried of {asked}");
    let seconds = started.elapsed().as_secs_f64();
    let dear = if dear { ", dear" } else { "" };
    println!("property {name}: {tried} cases in {seconds:.2} s{dear}");
}

/// Turns an answer that says what is wrong into a failed case.
///
/// # Errors
/// What is wrong.
pub fn sound<E: std::fmt::Display>(answer: Result<(), E>) -> TestCaseResult {
    answer.map_err(|error| TestCaseError::fail(error.to_string()))
}

/// Tests of properties, written as functions of what strategies draw.
#[macro_export]
macro_rules! properties {
    ($($property:tt)+) => {
        $crate::module_of_properties! { properties false $($property)+ }
    };
}

/// As [`properties!`](crate::properties), of those whose every case is a whole network.
#[macro_export]
macro_rules! dear_properties {
    ($($property:tt)+) => {
        $crate::module_of_properties! { dear_properties true $($property)+ }
    };
}

/// What both of them are made of.
#[doc(hidden)]
#[macro_export]
macro_rules! module_of_properties {
    ($module:ident $dear:literal $(
        $(#[$attribute:meta])*
        fn $name:ident($($drawn:pat in $strategy:expr),+ $(,)?) $body:block
    )+) => {
        mod $module {
            use super::*;

            $(
                $(#[$attribute])*
                #[test]
                fn $name() {
                    let name = concat!(module_path!(), "::", stringify!($name));
                    $crate::property::hold(name, $dear, ($($strategy,)+), |($($drawn,)+)| {
                        $body
                        Ok(())
                    });
                }
            )+
        }
    };
}
