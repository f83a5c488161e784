//! Whole networks of drawn weights: units of counts, and what stands beside a window.

use std::sync::LazyLock;

use derefnet::backend::cpu::Cpu;
use derefnet::eval::network::Inference;
use derefnet::model::{DeRefNet, Frames, TimeConvention};
use derefnet::train::LossVariant;
use derefnet_core::physics::{FRAME_LEN, MAP_LEN, WINDOW};
use derefnet_tests::cases::Draw;
use derefnet_tests::cases::training_step::Problem;
use derefnet_tests::dear_properties;
use derefnet_tests::tolerance::STREAMED_MAP;
use proptest::prelude::*;

/// Networks of drawn weights; most of these are the position code's, dear to draw for every case.
static NETWORKS: LazyLock<Vec<DeRefNet>> = LazyLock::new(|| {
    let problem = |seed| Problem {
        channels: 2,
        trajectories: 1,
        length: WINDOW,
        time: TimeConvention::Window,
        variant: LossVariant::Paper,
        seed,
    };
    (30..34).map(|seed| problem(seed).network()).collect()
});

fn counts(seed: u64, purpose: u64) -> Vec<f32> {
    Draw::new(seed, purpose).normal(WINDOW * FRAME_LEN, 100.0)
}

fn maps(network: &Inference<Cpu>, counts: Vec<f32>) -> Vec<f32> {
    let length = WINDOW;
    network.maps(&Frames { counts, length })
}

dear_properties! {
    /// Counts and their unit may grow together, to the bit where they double.
    fn maps_scale_with_the_unit_of_counts(
        number in 0..NETWORKS.len(), seed in any::<u64>(), doublings in -8..8_i32,
    ) {
        let factor = 2_f32.powi(doublings);
        let scaled = |values: Vec<f32>| values.into_iter().map(|v| factor * v).collect::<Vec<_>>();
        let (cpu, mut network) = (Cpu::new(), NETWORKS[number].clone());
        let plain = maps(&Inference::new(&network, &cpu), counts(seed, 7));
        prop_assert!(plain.iter().any(|&v| v != 0.0));
        network.config.intensity_scale *= factor;
        let got = maps(&Inference::new(&network, &cpu), scaled(counts(seed, 7)));
        prop_assert_eq!(got, scaled(plain));
    }

    fn trajectories_do_not_see_each_other(number in 0..NETWORKS.len(), seed in any::<u64>()) {
        let cpu = Cpu::new();
        let network = &Inference::new(&NETWORKS[number], &cpu);
        let (one, two) = (counts(seed, 7), counts(seed, 8));
        let together = maps(network, [two.clone(), one.clone()].concat());
        let alone = [maps(network, two), maps(network, one)].concat();
        prop_assert_eq!(together.len(), 2 * MAP_LEN);
        let most = alone.iter().fold(0.0_f32, |most, v| most.max(v.abs()));
        for (got, want) in together.iter().zip(&alone) {
            let error = f64::from((got - want).abs());
            prop_assert!(error <= STREAMED_MAP * f64::from(most), "{got}, expected {want}");
        }
    }
}
