//! Every network trains, resumes with the same bits, and goes to a file and back.

use std::path::Path;

use derefnet::Error;
use derefnet::backend::cpu::Cpu;
use derefnet::dataset::Split;
use derefnet::eval::metric::evaluate;
use derefnet::methods::config::trainable;
use derefnet::methods::evaluate::{Solver, results};
use derefnet::methods::marks::judged;
use derefnet::methods::{Answers, Method, MethodConfig, MethodRun, Trained};
use derefnet::model::Provenance;
use derefnet::scene::{SceneConfig, generate};
use derefnet::train::Event;
use derefnet::train::run::CHECKPOINT;

const STEPS: u64 = 20;

/// A small network on one trajectory of eight frames, which comes again in every step.
fn config(method: &Method) -> MethodConfig {
    let mut config = MethodConfig::published(method, None).unwrap();
    config.width = 0.0;
    config.steps = STEPS;
    config.scene.frames = 8;
    config.train_trajectories = 1;
    config.qinit_trajectories = 60;
    config.validate_trajectories = 1;
    // Matrices of thousands of small entries that map counts to counts move slowly.
    let slow = ["lamp", "ti-lista"].contains(&method.key);
    config.schedule.rate = if slow { 1e-2 } else { 1e-3 };
    config
}

/// Trains until `last`, or to the end; returns the data terms after each step, or the losses of the
/// adversary where there is one: maps of those generators begin near zero, which is as near to almost
/// empty label maps by their L1 norm as anything that 20 steps could find.
fn train(run: &mut MethodRun, last: u64) -> Vec<f32> {
    let network = Method::find(&run.config().method)
        .unwrap()
        .network()
        .unwrap();
    let adversary = network.adversary().is_some();
    let mut losses = Vec::new();
    let ended = run.train(None, |event| {
        if let Event::Step(step, step_losses) = event {
            losses.push(if adversary {
                step_losses.align
            } else {
                step_losses.regression
            });
            if step == last && last < STEPS {
                return Err(Error::Interrupted);
            }
        }
        Ok(())
    });
    assert_eq!(ended.is_ok(), last >= STEPS);
    losses
}

fn create(folder: &Path, method: &Method) -> MethodRun {
    let config = config(method);
    let source = config.generated();
    MethodRun::create(folder, config, source).unwrap()
}

fn checkpoint(folder: &Path) -> Vec<u8> {
    std::fs::read(folder.join(CHECKPOINT)).unwrap()
}

fn goes_to_a_file_and_back(trained: &Trained, folder: &Path) {
    let scene = SceneConfig {
        frames: 8,
        ..SceneConfig::default()
    };
    let trajectory = generate(&scene, 1, Split::Test, 0);
    let cpu = Cpu::new();
    let found = |trained: &Trained| {
        let (ready, all) = (trained.on(&cpu), std::slice::from_ref(&trajectory));
        match trained.answers() {
            Answers::Maps => results(&ready, all, || Ok(())).unwrap(),
            Answers::Masks => judged(&ready, all).unwrap().0,
        }
    };
    let before = found(trained);
    assert_eq!(before.len(), 4);
    for reduced in [false, true] {
        let path = folder.join(format!("{reduced}.safetensors"));
        trained
            .save(&path, &Provenance::default(), reduced)
            .unwrap();
        let (again, _) = Trained::load(&path).unwrap();
        assert_eq!(again.method.key, trained.method.key);
        assert_eq!(found(&again), before, "{}", trained.method.key);
    }
}

fn check(method: &'static Method) {
    let [whole, parts] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let mut run = create(whole.path(), method);
    let losses = train(&mut run, STEPS);
    let mean = |part: &[f32]| part.iter().sum::<f32>() / part.len() as f32;
    let (first, last) = (mean(&losses[..3]), mean(&losses[losses.len() - 3..]));
    // LAMP starts from a map that explains its frame: no residual is left for its layers to use, and
    // little for them to learn from.
    let share = if method.key == "lamp" { 0.99995 } else { 0.99 };
    assert!(last < share * first, "{}: {losses:?}", method.key);
    train(&mut create(parts.path(), method), STEPS / 2);
    let mut resumed = MethodRun::resume(parts.path(), |c| Ok(c.generated())).unwrap();
    assert_eq!(resumed.step(), STEPS / 2);
    train(&mut resumed, STEPS);
    let same = checkpoint(whole.path()) == checkpoint(parts.path());
    assert!(same, "{} resumes with other bits", method.key);
    goes_to_a_file_and_back(&run.trained().unwrap(), whole.path());
}

/// Networks dealt to tests that run side by side.
fn check_share(share: usize) {
    let dealt = trainable().enumerate().filter(|(k, _)| k % 2 == share);
    dealt.for_each(|(_, method)| check(method));
}

#[test]
fn first_half() {
    check_share(0);
}

#[test]
fn second_half() {
    check_share(1);
}

#[test]
fn solvers_answer_without_training() {
    let scene = SceneConfig {
        frames: 6,
        ..SceneConfig::default()
    };
    let trajectories = [generate(&scene, 1, Split::Test, 0)];
    for key in ["ista", "bid"] {
        let solver = Solver::new(Method::find(key).unwrap(), None).unwrap();
        let results = results(&solver, &trajectories, || Ok(())).unwrap();
        assert_eq!(results.len(), 2);
        let report = evaluate(&results).unwrap();
        assert!(report.detections > 0, "{key}");
    }
    assert!(MethodConfig::published(Method::find("ista").unwrap(), None).is_err());
    assert!(Solver::new(Method::find("srcnn").unwrap(), None).is_err());
}

#[test]
fn configurations_are_read_over_the_published_ones() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.toml");
    let read = |text: &str| {
        std::fs::write(&path, text).unwrap();
        MethodConfig::read(&path)
    };
    let config = read("method = \"srcnn\"\nseed = 7").unwrap();
    // 200 epochs of 3,500 trajectories; Adam at 1e-4 with a weight decay of 1e-5.
    assert_eq!((config.seed, config.steps), (7, 700_000));
    assert_eq!(
        (config.schedule.rate, config.adam.weight_decay),
        (1e-4, 1e-5)
    );
    for (text, part) in [
        ("seed = 1", "field 'method' is missing"),
        ("method = \"no-such\"", "expected one of ista"),
        ("method = \"bid\"", "nothing to train"),
        (
            "method = \"lista\"\nvariant = \"x\"",
            "expected 'as-run', 'per-frame'",
        ),
        ("method = \"lista\"\nsteps = 0", "steps is 0"),
        ("method = \"lista\"\nno_such = 0", "no_such"),
    ] {
        let message = read(text).unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    }
}
