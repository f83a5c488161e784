//! On which backends methods train.

use derefnet::methods::config::trainable;
use derefnet::methods::{Method, cpu_operators};

fn names(key: &str) -> Vec<&'static str> {
    let method = Method::find(key).unwrap();
    let found = cpu_operators(method, method.variants[0].name, 1.0).unwrap();
    found.into_iter().collect()
}

/// The small networks of other tests have the operators of the full ones.
#[test]
fn follow_from_the_operators_of_their_training() {
    let mut everywhere = Vec::new();
    for method in trainable() {
        for variant in method.variants {
            let [small, full] =
                [0.0, 1.0].map(|width| cpu_operators(method, variant.name, width).unwrap());
            assert_eq!(small, full, "{} {}", method.key, variant.name);
            if full.is_empty() && !everywhere.contains(&method.key) {
                everywhere.push(method.key);
            }
        }
    }
    assert_eq!(everywhere, ["srcnn", "ista-net", "ista-net-plus"]);
}

/// Operators of networks, of losses and of adversaries.
#[test]
fn lack_operators_by_name() {
    assert!(names("edsr").contains(&"pixel_shuffle"));
    assert!(names("lista").contains(&"shrink"));
    let gan = names("srgan");
    let judged = ["normalise", "strided_conv2d", "total"];
    assert!(judged.iter().all(|name| gan.contains(name)), "{gan:?}");
    assert!(names("deref-net").is_empty());
    assert!(cpu_operators(Method::find("ista").unwrap(), "as-run", 1.0).is_err());
}
