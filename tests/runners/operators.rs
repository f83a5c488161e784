//! Every training operator and Adam against naive f64 oracles, on every instruction set.
#![allow(
    clippy::unwrap_used,
    reason = "clippy sees tests in #[test] functions only, not in what they share"
)]

use std::sync::OnceLock;

use derefnet::backend::Backend;
use derefnet::backend::cpu::Cpu;
use derefnet::backend::cpu::arch::Isa;
use derefnet_tests::cases::check::Expected;
use derefnet_tests::cases::{self, Case};
use derefnet_tests::property::sound;
use derefnet_tests::{operators_everywhere, operators_on_the_cpu, properties};

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

operators_everywhere!(operators);
operators_on_the_cpu!(operators);

/// Whether the named problems of all stems are for operators of every backend.
macro_rules! are_everywhere {
    ($($name:ident)*) => {
        [$((stringify!($name), cases::$name::named().iter().map(|p| p.1.op().is_everywhere()).collect())),*]
    };
}

/// The suites of other backends meet every operator that these must have, and no other.
#[test]
fn lists_of_operators_are_those_of_the_program() {
    let everywhere: [(&str, Vec<bool>); 13] = operators_everywhere!(are_everywhere);
    let on_the_cpu: [(&str, Vec<bool>); 11] = operators_on_the_cpu!(are_everywhere);
    for (name, problems) in everywhere {
        assert!(problems.iter().all(|&found| found), "{name}");
    }
    for (name, problems) in on_the_cpu {
        assert!(problems.iter().all(|&found| !found), "{name}");
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
