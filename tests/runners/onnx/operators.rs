//! Single operators and blocks, as the exporter writes them.

use derefnet_tests::cases::exported::Exported;
use derefnet_tests::cases::per_item::Kind;
use derefnet_tests::cases::{self};
use derefnet_tests::properties;
use derefnet_tests::property::sound;

macro_rules! operators {
    ($($name:ident)*) => {$(
        mod $name {
            use super::*;

            properties! {
                fn random_problems(problem in cases::$name::problems()) {
                    sound(problem.check_export())?;
                }
            }

            #[test]
            fn named_problems() {
                for (name, problem) in cases::$name::named() {
                    if let Err(error) = problem.check_export() {
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
    use proptest::prelude::*;

    /// Whether the network has this graph.
    fn is_exported(kind: Kind) -> bool {
        matches!(kind, Kind::Block | Kind::Stage { symmetric: false })
    }

    properties! {
        fn random_problems(
            problem in cases::per_item::problems().prop_filter("exported", |p| is_exported(p.kind))
        ) {
            sound(problem.check_export())?;
        }
    }

    #[test]
    fn named_problems() {
        let all = cases::per_item::named().into_iter();
        let exported: Vec<_> = all.filter(|(_, p)| is_exported(p.kind)).collect();
        assert_eq!(exported.len(), 4);
        for (name, problem) in exported {
            if let Err(error) = problem.check_export() {
                panic!("{name}: {error}\n{problem:?}");
            }
        }
    }
}
