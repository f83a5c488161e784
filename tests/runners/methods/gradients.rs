//! Gradients of every network: in f64 by the oracles against difference quotients, and in f32 against
//! those in f64.

use derefnet::backend::Backend;
use derefnet::backend::cpu::Cpu;
use derefnet::methods::config::trainable;
use derefnet::methods::tensors::Role;
use derefnet::rng::Rng;
use derefnet_tests::cases::method_step::{Problem, measure};
use derefnet_tests::exact::Exact;
use derefnet_tests::tolerance::{METHOD_GRADIENT, METHOD_SLOPE};

/// Length of the step of a difference quotient.
const STEP: f64 = 1e-9;

fn exact_values(problem: &Problem) -> Vec<Vec<f64>> {
    problem.values.iter().map(|v| Exact.upload(v)).collect()
}

/// Loss in f64 where all tensors are moved along `direction`.
fn loss_at(problem: &Problem, direction: &[Vec<f64>], step: f64, adversary: bool) -> f64 {
    let moved: Vec<Vec<f64>> = exact_values(problem)
        .iter()
        .zip(direction)
        .map(|(v, d)| v.iter().zip(d).map(|(v, d)| v + step * d).collect())
        .collect();
    problem.gradients(&Exact, &moved, adversary).0[0]
}

fn check(problem: &Problem, adversary: bool) {
    let name = format!(
        "{} {} adversary {adversary}",
        problem.method.key, problem.variant
    );
    let (_, exact) = problem.gradients(&Exact, &exact_values(problem), adversary);
    let mut rng = Rng::new(3, *b"gradient", 1);
    let mut direction = Vec::new();
    let (mut slope, mut size) = (0.0, 0.0);
    for (tensor, gradient) in problem.values.iter().zip(&exact) {
        let along: Vec<f64> = tensor.iter().map(|_| rng.gaussian()).collect();
        if let Some(gradient) = gradient {
            let terms = gradient.iter().zip(&along).map(|(g, d)| g * d);
            slope += terms.clone().sum::<f64>();
            size += terms.map(|t| t * t).sum::<f64>();
            direction.push(along);
        } else {
            direction.push(vec![0.0; tensor.len()]);
        }
    }
    // Singular vectors that follow the kernels count as constants too.
    if !(adversary && problem.method.key == "bsrgan") {
        let [left, right] = [-STEP, STEP].map(|step| loss_at(problem, &direction, step, adversary));
        let quotient = (right - left) / (2.0 * STEP);
        let error = (quotient - slope).abs() / size.sqrt();
        assert!(
            error < METHOD_SLOPE,
            "{name}: {quotient}, gradient {slope}: {error:.1e}"
        );
    }
    compare(problem, &name, &exact, adversary);
}

/// The gradients in f32 beside those in f64, and that there are any.
fn compare(problem: &Problem, name: &str, exact: &[Option<Vec<f64>>], adversary: bool) {
    let cpu = Cpu::new();
    let values: Vec<_> = problem.values.iter().map(|v| cpu.upload(v)).collect();
    let (_, ours) = problem.gradients(&cpu, &values, adversary);
    let own = problem.plan.own;
    let norm = |values: &[f64]| values.iter().map(|v| v * v).sum::<f64>().sqrt();
    let whole = norm(&exact.iter().flatten().map(|g| norm(g)).collect::<Vec<_>>());
    for (at, (spec, (ours, exact))) in problem
        .plan
        .specs
        .iter()
        .zip(ours.iter().zip(exact))
        .enumerate()
    {
        let wanted = (at >= own) == adversary && spec.role == Role::Trained;
        let (Some(ours), Some(exact)) = (ours, exact) else {
            assert!(!wanted, "{name}: no gradient for {}", spec.name);
            continue;
        };
        let differences: Vec<f64> = ours
            .iter()
            .zip(exact)
            .map(|(&a, b)| f64::from(a) - b)
            .collect();
        // The one tensor that no loss reaches.
        let hard = problem.method.key == "liht" && spec.name.ends_with("threshold");
        assert_eq!(norm(exact) == 0.0, hard, "{name}: {}", spec.name);
        let error = norm(&differences) / measure(&spec.name, norm(exact), whole);
        assert!(
            error < METHOD_GRADIENT,
            "{name}: {}: {error:.1e}",
            spec.name
        );
    }
}

/// Networks dealt to tests that run side by side.
fn check_share(share: usize) {
    for (k, method) in trainable().enumerate() {
        if k % 4 != share {
            continue;
        }
        for variant in method.variants {
            let problem = Problem::new(method, variant.name);
            check(&problem, false);
            if problem.has_adversary() {
                check(&problem, true);
            }
        }
    }
}

#[test]
fn first_quarter() {
    check_share(0);
}

#[test]
fn second_quarter() {
    check_share(1);
}

#[test]
fn third_quarter() {
    check_share(2);
}

#[test]
fn last_quarter() {
    check_share(3);
}
