use super::*;
use crate::Error;
use crate::model::{DeRefNet, HeadConfig, Preset};
use crate::scene::SceneConfig;
use crate::train::Objective;

fn tiny() -> TrainConfig {
    let mut config = TrainConfig::preset(Preset::Edge);
    (config.model.stages, config.model.channels) = (1, 2);
    config.model.residual_blocks = 0;
    config.scene.frames = 5;
    config.qinit_trajectories = 50;
    config.validate_trajectories = 1;
    config.steps = 2;
    config
}

#[test]
fn clipping_bounds_the_common_norm() {
    let cpu = Cpu::new();
    let clipped = |limit| {
        let (mut a, mut b) = (cpu.upload(&[3.0, 0.0]), cpu.upload(&[-4.0]));
        cpu.clip(&mut [&mut a, &mut b], limit);
        [a.to_vec(), b.to_vec()]
    };
    assert_eq!(clipped(5.0), [vec![3.0, 0.0], vec![-4.0]]);
    assert_eq!(clipped(2.5), [vec![1.5, 0.0], vec![-2.0]]);
}

/// Adam's first step moves every value by about its rate.
#[test]
fn position_code_and_thresholds_have_their_own_rates() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = tiny();
    (config.steps, config.schedule.rate) = (1, 1e-3);
    let source = Source::generated(&config);
    let mut run = Run::create(folder.path(), config, source, None).unwrap();
    let before = run.values.clone();
    run.train(None, |_| Ok(())).unwrap();
    let names = run.state.network.parameters.tensors.iter().map(|t| &t.name);
    let moved = |name: &str| {
        let at = names.clone().position(|n| n == name).unwrap();
        let pairs = run.values[at].iter().zip(&before[at]);
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    };
    let share = |name| moved(name) / 1e-3;
    assert!((share("TDDA.mlp.bias") - 1.0).abs() < 1e-2);
    // Weights of up to 0.03 move by 1e-6: rounding takes a share of it.
    let code = share("TDDA.mlp.weight") * 1089.0;
    assert!((code - 1.0).abs() < 1e-2, "{code}");
    // A threshold of 1e-4 in units of 100 counts moves by 1e-5.
    let threshold = share("fcs.0.soft_thr") * 100.0;
    assert!((threshold - 1.0).abs() < 1e-2, "{threshold}");
}

/// The first step keeps a tenth of the initial weights.
#[test]
fn the_average_is_validated_and_shipped() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = tiny();
    (config.steps, config.ema) = (1, 0.999);
    let source = Source::generated(&config);
    let mut run = Run::create(folder.path(), config, source, None).unwrap();
    let before = run.values.clone();
    run.train(None, |_| Ok(())).unwrap();
    let state = Checkpoint::load(&folder.path().join(CHECKPOINT)).unwrap();
    assert_eq!(state.average, run.state.average);
    let trained: Vec<_> = state.network.parameters.tensors;
    let models = [BEST, LAST].map(|name| DeRefNet::load(&folder.path().join(name)).unwrap().0);
    for model in models {
        let tensors = model.parameters.tensors.iter();
        for ((tensor, now), old) in tensors.zip(&trained).zip(&before) {
            let values = tensor.values.iter().zip(&now.values).zip(old);
            for ((&average, &now), &old) in values {
                assert!((average - (0.9 * now + 0.1 * old)).abs() <= 1e-6 * now.abs().max(1e-3));
            }
        }
        assert_ne!(model.parameters.tensors, trained);
    }
}

#[test]
fn trajectories_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let losses = |name: &str, train_trajectories| {
        let config = TrainConfig {
            train_trajectories,
            schedule: crate::train::Schedule {
                rate: 0.0,
                ..tiny().schedule
            },
            steps: 3,
            ..tiny()
        };
        let source = Source::generated(&config);
        let mut run = Run::create(&folder.path().join(name), config, source, None).unwrap();
        let mut losses = Vec::new();
        run.train(None, |event| {
            if let Event::Step(_, step) = event {
                losses.push(step.total);
            }
            Ok(())
        })
        .unwrap();
        losses
    };
    let [first, second, third] = losses("never", 0)[..] else {
        panic!("three steps")
    };
    assert_ne!(first, third);
    assert_eq!(losses("two", 2), [first, second, first]);
}

#[test]
fn validation_has_its_own_noise() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = tiny();
    config.validate_noise = Some([3.0, 3.0]);
    let source = Source::generated(&config);
    let clean = source.validation(&tiny());
    let run = Run::create(&folder.path().join("a"), config.clone(), source, None).unwrap();
    assert_eq!(run.validation[0].truth, clean[0].truth);
    assert_ne!(run.validation[0].frames, clean[0].frames);
    let (train, validation) = (clean.clone(), clean);
    let loaded = Source::Loaded { train, validation };
    let refused = Run::create(&folder.path().join("b"), config, loaded, None).map(|_| ());
    assert!(refused.unwrap_err().to_string().contains("validate_noise"));
    assert!(!folder.path().join("b").exists());
}

/// What the files before averages, holds and ranked labels looked like.
#[test]
fn a_checkpoint_without_an_average_loads() {
    let folder = tempfile::tempdir().unwrap();
    let config = tiny();
    let source = Source::generated(&config);
    Run::create(folder.path(), config.clone(), source, None).unwrap();
    let path = folder.path().join(CHECKPOINT);
    let state = Checkpoint::load(&path).unwrap();
    assert_eq!(state.average, None);
    let mut old = serde_json::to_value(&config).unwrap();
    let mut remove = |at: &str, name: &str| {
        let table = old.pointer_mut(at).and_then(|value| value.as_object_mut());
        assert!(table.unwrap().remove(name).is_some(), "{name}");
    };
    remove("", "ema");
    remove("", "train_trajectories");
    remove("", "validate_noise");
    remove("/schedule", "hold");
    remove("/loss", "centerness");
    let read: TrainConfig = serde_json::from_value(old).unwrap();
    assert_eq!(read, config);
}

#[test]
fn checkpoints_come_back_whole() {
    let folder = tempfile::tempdir().unwrap();
    let config = tiny();
    let source = Source::generated(&config);
    let mut run = Run::create(folder.path(), config, source, None).unwrap();
    run.train(None, |_| Ok(())).unwrap();
    let state = Checkpoint::load(&folder.path().join(CHECKPOINT)).unwrap();
    assert_eq!(state.config, run.state.config);
    assert_eq!((state.step, state.best), (2, run.state.best));
    assert!(state.best.is_some());
    assert_eq!(state.adam, run.state.adam);
    assert_eq!(state.adam.config, state.config.adam_in_units());
    assert_eq!(state.network.parameters, run.state.network.parameters);
    assert_eq!(
        state.network.operators.qinit,
        run.state.network.operators.qinit
    );
    assert_eq!(state.data_version, crate::scene::DATA_VERSION);
}

/// An error of the watcher, as Ctrl-C gives, saves the step it came after.
#[test]
fn stopping_saves_the_state() {
    for at_validation in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let mut config = tiny();
        (config.steps, config.validate_every) = (9, 3);
        let source = Source::generated(&config);
        let mut run = Run::create(folder.path(), config, source, None).unwrap();
        let stop = run.train(None, |event| match event {
            Event::Validated(..) if at_validation => Err(Error::Interrupted),
            Event::Step(3, _) => Err(Error::Interrupted),
            _ => Ok(()),
        });
        assert!(matches!(stop, Err(Error::Interrupted)));
        let state = Checkpoint::load(&folder.path().join(CHECKPOINT)).unwrap();
        assert_eq!(state.step, 3, "at validation: {at_validation}");
    }
}

#[test]
fn resuming_with_other_data_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = tiny();
    let source = Source::generated(&config);
    Run::create(folder.path(), config, source, None).unwrap();
    let scene = SceneConfig {
        frames: 5,
        ..SceneConfig::default()
    };
    let loaded = |_: &TrainConfig| {
        let one = crate::scene::generate(&scene, 1, crate::dataset::Split::Train, 0);
        Ok(Source::Loaded {
            train: vec![one.clone()],
            validation: vec![one],
        })
    };
    let refused = Run::resume(folder.path(), loaded)
        .err()
        .unwrap()
        .to_string();
    assert!(refused.contains("give the same --data"), "{refused}");
    assert!(Run::resume(folder.path(), |config| Ok(Source::generated(config))).is_ok());
}

#[test]
fn a_folder_with_a_model_is_refused() {
    for name in [CHECKPOINT, BEST, LAST] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(name), "mine").unwrap();
        let config = tiny();
        let source = Source::generated(&config);
        let refused = Run::create(folder.path(), config, source, None)
            .err()
            .unwrap()
            .to_string();
        assert!(
            refused.contains(name) && refused.contains("--resume"),
            "{refused}"
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

#[test]
fn a_run_starts_from_a_model_of_its_sizes() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second, third] = ["a", "b", "c"].map(|name| folder.path().join(name));
    let config = tiny();
    let source = Source::generated(&config);
    let mut run = Run::create(&first, config.clone(), source, None).unwrap();
    run.train(None, |_| Ok(())).unwrap();
    let model = first.join(LAST);

    let again = TrainConfig {
        seed: 2,
        ..config.clone()
    };
    let source = Source::generated(&again);
    let started = Run::create(&second, again.clone(), source.clone(), Some(&model)).unwrap();
    assert_eq!(started.values, run.values);
    let (network, resumed) = (&run.state.network, Run::resume(&second, |_| Ok(source)));
    let resumed = resumed.unwrap();
    assert_eq!(
        resumed.state.network.operators.qinit,
        network.operators.qinit
    );
    let start = resumed.provenance(None).start.unwrap();
    assert_eq!((start.seed, start.steps), (1, 2));

    let mut larger = again;
    larger.model.channels = 4;
    let source = Source::generated(&larger);
    let refused = Run::create(&third, larger, source, Some(&model)).map(|_| ());
    let message = refused.unwrap_err().to_string();
    assert!(
        message.contains("model.safetensors") && message.contains("channels: 4"),
        "{message}"
    );
    assert!(!third.exists());
}

#[test]
fn dead_stages_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = tiny();
    config.model.stages = 2;
    let source = Source::generated(&config);
    let mut run = Run::create(folder.path(), config, source, None).unwrap();
    assert!(run.dead_stages().is_empty());
    let mut names = run.state.network.parameters.tensors.iter();
    let at = names.position(|t| t.name == "fcs.1.conv2_backward");
    run.values[at.unwrap()].fill(0.0);
    run.refresh();
    assert_eq!(run.dead_stages(), [1]);
}

/// The head is drawn where the model to start from has none; then it alone moves, and `offsets`
/// validates off the grid.
#[test]
fn offsets_train_the_head_alone() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = ["a", "b"].map(|name| folder.path().join(name));
    let mut config = tiny();
    let mut run = Run::create(&first, config.clone(), Source::generated(&config), None).unwrap();
    run.train(None, |_| Ok(())).unwrap();

    config.objective = Objective::Offsets;
    (config.steps, config.batch, config.schedule.rate) = (3, 2, 1e-3);
    config.model.head = Some(HeadConfig {
        channels: 4,
        blocks: 1,
    });
    let source = Source::generated(&config);
    let start = first.join(LAST);
    let mut head = Run::create(&second, config.clone(), source, Some(&start)).unwrap();
    let before = head.values.clone();
    let mut validated = 0;
    head.train(None, |event| {
        validated += u32::from(matches!(event, Event::Validated(..)));
        Ok(())
    })
    .unwrap();
    assert_eq!(validated, 1);
    let names = head
        .state
        .network
        .parameters
        .tensors
        .iter()
        .map(|t| &t.name);
    for ((name, now), before) in names.zip(&head.values).zip(&before) {
        assert_eq!(now != before, name.starts_with("head."), "{name}");
    }
    let trunk = &run.values;
    assert_eq!(&head.values[..trunk.len()], &trunk[..]);
    let (shipped, _) = DeRefNet::load(&second.join(LAST)).unwrap();
    assert_eq!(shipped.config.head, config.model.head);
    let source = Source::generated(&config);
    let resumed = Run::resume(&second, |_| Ok(source)).unwrap();
    assert_eq!(resumed.values, head.values);
}
