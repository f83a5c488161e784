//! The same network in counts, as the authors' code computes.

use super::{DeRefNet, Parameters};

/// How a tensor changes where all maps are `s` times as large.
enum Change {
    /// Not at all: kernels between maps.
    None,
    /// `s` times as large: what is added to maps or compared with them.
    Grows,
    /// By `1/s`: kernels from maps to what has a size of its own, gates and displacements.
    Shrinks,
}

fn change(name: &str) -> Change {
    let has = |part: &str| name.contains(part);
    let own_size = has("conv_squeeze") || has("conv_offset");
    match (own_size, name.ends_with(".bias")) {
        (true, false) => Change::Shrinks,
        (false, true) if !has(".mlp.") => Change::Grows,
        _ if name.ends_with("soft_thr") => Change::Grows,
        _ => Change::None,
    }
}

impl DeRefNet {
    /// Stages, from 0, with a negative threshold. There the soft threshold jumps where a feature crosses
    /// zero: rounding, which gives dark features their signs, shows in the map, and no two programs
    /// agree on it.
    pub fn jumps(&self) -> Vec<usize> {
        let negative = |k: &usize| {
            let threshold = self.parameters.get(&format!("fcs.{k}.soft_thr"));
            threshold.is_some_and(|tensor| tensor.values.iter().any(|&v| v < 0.0))
        };
        (0..self.config.stages).filter(negative).collect()
    }

    /// A network of the same answers in which maps are counts, whatever they are in this one: the
    /// authors' code divides by no scale. It has no offset head, which is not theirs.
    pub fn in_counts(&self) -> Self {
        let scale = self.config.intensity_scale;
        let mut config = self.config.clone();
        config.intensity_scale = 1.0;
        config.head = None;
        let mut parameters = Parameters::zeros(&config);
        for tensor in &mut parameters.tensors {
            if let Some(own) = self.parameters.get(&tensor.name) {
                tensor.values.clone_from(&own.values);
            }
            let factor = match change(&tensor.name) {
                Change::None => continue,
                Change::Grows => scale,
                Change::Shrinks => 1.0 / scale,
            };
            tensor.values.iter_mut().for_each(|v| *v *= factor);
        }
        Self {
            config,
            operators: self.operators.clone(),
            parameters,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::backend::cpu::Cpu;
    use crate::dataset::Split;
    use crate::eval::network::{Inference, batch};
    use crate::model::DeRefNet;
    use crate::scene::{SceneConfig, generate};

    /// Every tensor of a trained network matters: one forgotten moves maps by more than rounding.
    #[test]
    fn answers_are_the_same() {
        let (network, _) = DeRefNet::shipped().unwrap();
        assert!(network.jumps().is_empty());
        assert!(network.config.intensity_scale > 1.0);
        let counts = network.in_counts();
        assert_eq!(counts.config.intensity_scale, 1.0);
        let scene = generate(&SceneConfig::default(), 1, Split::Test, 0);
        let cpu = Cpu::new();
        let [ours, theirs] =
            [&network, &counts].map(|net| Inference::new(net, &cpu).maps(&batch([&scene])));
        let largest = ours.iter().fold(0.0_f32, |most, v| most.max(v.abs()));
        let errors = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs());
        let worst = errors.fold(0.0, f32::max);
        assert!(
            largest > 50.0 && worst < 1e-5 * largest,
            "{worst} of {largest}"
        );
    }
}
