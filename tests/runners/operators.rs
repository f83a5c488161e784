//! Every training operator and Adam against naive f64 oracles, on every instruction set.
#![allow(
    clippy::unwrap_used,
    reason = "clippy sees tests in #[test] functions only, not in what they share"
)]

use std::sync::OnceLock;

use derefnet::backend::Backend;
use derefnet::backend::cpu::Cpu;
use derefnet::backend::cpu::arch::Isa;
use derefnet::ops::Op;
use derefnet_tests::cases::check::Expected;
use derefnet_tests::cases::{self, Case};
use derefnet_tests::property::sound;
use derefnet_tests::{every_operator, properties};

/// One backend per instruction set. They outlive the problems, so that recycled buffers are dirty.
fn cpus() -> &'static [Cpu] {
    static CPUS: OnceLock<Vec<Cpu>> = OnceLock::new();
    CPUS.get_or_init(|| {
        let sets = Isa::available().into_iter();
        sets.map(|isa| Cpu::with_isa(isa).unwrap()).collect()
    })
}

/// Checks on every instruction set; returns the difference quotients compared and given up.
fn check(case: &dyn Case, work: usize) -> Result<(usize, usize), String> {
    let expected = Expected::new(case, work);
    for cpu in cpus() {
        expected
            .check(case, cpu)
            .map_err(|error| format!("{:?}: {error}", cpu.isa()))?;
    }
    Ok((expected.quotients(), expected.kinks))
}

macro_rules! operators {
    ($($name:ident)*) => {$(
        mod $name {
            use super::*;

            properties! {
                fn random_problems(problem in cases::$name::problems()) {
                    sound(check(&problem, problem.work()).map(|_| ()))?;
                }
            }

            #[test]
            fn named_problems() {
                let (mut compared, mut kinks) = (0, 0);
                for (name, problem) in cases::$name::named() {
                    match check(&problem, problem.work()) {
                        Ok((c, k)) => (compared, kinks) = (compared + c, kinks + k),
                        Err(error) => panic!("{name}: {error}\n{problem:?}"),
                    }
                }
                assert!(compared > kinks, "{compared} quotients compared, {kinks} at kinks");
            }
        }
    )*};
}

every_operator!(operators);

/// Operators of the named problems of all stems, as they name themselves.
macro_rules! met {
    ($($name:ident)*) => {
        [$(cases::$name::named().iter().map(|p| format!("{:?}", p.1.op())).collect::<Vec<_>>()),*]
    };
}

/// Every suite of a backend meets every operator of the program.
#[test]
fn every_operator_has_named_problems() {
    let problems: [Vec<String>; 26] = every_operator!(met);
    for name in Op::NAMES {
        let start = format!("{name}(");
        let found = problems.iter().flatten().any(|op| op.starts_with(&start));
        assert!(found, "{name}");
    }
}

#[test]
fn per_item_costs_are_those_of_its_nodes() {
    for (name, problem) in cases::per_item::named() {
        let kernels = cpus()[0].kernels(problem.op());
        assert_eq!(kernels.multiply_adds(), problem.work() as u64, "{name}");
    }
}

mod adam {
    use super::*;

    properties! {
        fn random_problems(problem in cases::adam::problems()) {
            sound(problem.check(&cpus()[0]))?;
        }
    }

    #[test]
    fn named_problems() {
        for (name, problem) in cases::adam::named() {
            if let Err(error) = problem.check(&cpus()[0]) {
                panic!("{name}: {error}");
            }
        }
    }
}
