//! Single operators and blocks, as the exporter writes them.

use derefnet_tests::cases::exported::Exported;
use derefnet_tests::cases::per_item::Kind;
use derefnet_tests::cases::{self};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

/// Fewer than of our own kernels: tract plans every problem anew.
const CASES: u32 = 32;

pub fn random(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        // A failure becomes a named case, not an opaque seed in a file.
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn check(problem: &impl Exported) -> TestCaseResult {
    problem.check_export().map_err(TestCaseError::fail)
}

macro_rules! operators {
    ($($name:ident)*) => {$(
        mod $name {
            use super::*;

            proptest! {
                #![proptest_config(random(CASES))]

                #[test]
                fn random_problems(problem in cases::$name::problems()) {
                    check(&problem)?;
                }
            }

            #[test]
            fn named_problems() {
                for (name, problem) in cases::$name::named() {
                    if let Err(error) = check(&problem) {
                        panic!("{name}: {error}\n{problem:?}");
                    }
                }
            }
        }
    )*};
}

operators!(
    channel_stats
    conv2d
    data_step
    deform_conv2d
    group_scale
    soft_threshold
    time_code
);

mod blocks {
    use super::*;

    /// Whether the network has this graph.
    fn is_exported(kind: Kind) -> bool {
        matches!(kind, Kind::Block | Kind::Stage { symmetric: false })
    }

    proptest! {
        #![proptest_config(random(CASES))]

        #[test]
        fn random_problems(
            problem in cases::per_item::problems().prop_filter("exported", |p| is_exported(p.kind))
        ) {
            check(&problem)?;
        }
    }

    #[test]
    fn named_problems() {
        let all = cases::per_item::named().into_iter();
        let exported: Vec<_> = all.filter(|(_, p)| is_exported(p.kind)).collect();
        assert_eq!(exported.len(), 4);
        for (name, problem) in exported {
            if let Err(error) = check(&problem) {
                panic!("{name}: {error}\n{problem:?}");
            }
        }
    }
}
