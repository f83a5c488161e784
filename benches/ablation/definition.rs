//! What is trained: a TOML file with a base and arms that depart from it.

use std::path::Path;

use derefnet::model::Preset;
use derefnet::train::TrainConfig;
use derefnet::{Error, Result};
use serde::Deserialize;

/// A definition file, read.
#[derive(Clone, Debug)]
pub struct Definition {
    /// Heading of the figure.
    pub title: String,
    /// Training time of each arm.
    pub minutes: f64,
    /// Longest turn of an arm.
    pub slice_seconds: f64,
    /// The arms, in the order of the file.
    pub arms: Vec<Arm>,
}

/// One way to train.
#[derive(Clone, Debug)]
pub struct Arm {
    /// Name of its run folder and of its curve.
    pub name: String,
    /// The whole configuration.
    pub config: TrainConfig,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    title: String,
    preset: Preset,
    minutes: f64,
    slice_seconds: f64,
    #[serde(default)]
    base: toml::Table,
    arm: Vec<ArmText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ArmText {
    name: String,
    /// An arm above, from which this one departs; without it, the base.
    from: Option<String>,
    /// Fields of `docs/train.toml`.
    #[serde(default)]
    set: toml::Table,
}

impl Definition {
    /// Reads the file `path`.
    ///
    /// # Errors
    /// Names the file, the arm and what is wrong.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
        Self::parse(&text).map_err(|e| Error::format(path, e.to_string()))
    }

    fn parse(text: &str) -> Result<Self> {
        let text: Text = toml::from_str(text).map_err(|e| Error::usage(e.to_string()))?;
        positive("minutes", text.minutes)?;
        positive("slice_seconds", text.slice_seconds)?;
        // Tables to lay over each other, by arm.
        let mut layers: Vec<(String, Vec<toml::Table>)> = Vec::new();
        let mut arms = Vec::new();
        for arm in text.arm {
            let wrong = |message: String| Error::usage(format!("arm '{}': {message}", arm.name));
            check_name(&arm.name).map_err(wrong)?;
            let find = |name: &str| layers.iter().find(|(known, _)| known == name);
            if find(&arm.name).is_some() {
                return Err(wrong("there are two of it".to_owned()));
            }
            let mut all = match &arm.from {
                None => vec![text.base.clone()],
                Some(name) => match find(name) {
                    Some((_, layers)) => layers.clone(),
                    None => return Err(wrong(format!("no arm '{name}' above it"))),
                },
            };
            all.push(arm.set);
            let config =
                TrainConfig::layered(text.preset, &all).map_err(|e| wrong(e.to_string()))?;
            arms.push(Arm {
                name: arm.name.clone(),
                config,
            });
            layers.push((arm.name, all));
        }
        Ok(Self {
            title: text.title,
            minutes: text.minutes,
            slice_seconds: text.slice_seconds,
            arms,
        })
    }

    /// Replaces the time and keeps only the arms called `names`, where these are given.
    ///
    /// # Errors
    /// If the time is not positive or an arm does not exist.
    pub fn limit(&mut self, minutes: Option<f64>, names: &[String]) -> Result<()> {
        if let Some(minutes) = minutes {
            positive("--minutes", minutes)?;
            self.minutes = minutes;
        }
        for name in names {
            if !self.arms.iter().any(|arm| arm.name == *name) {
                let known: Vec<&str> = self.arms.iter().map(|arm| arm.name.as_str()).collect();
                let known = known.join(", ");
                return Err(Error::usage(format!(
                    "--arm {name}: expected one of {known}"
                )));
            }
        }
        if !names.is_empty() {
            self.arms.retain(|arm| names.contains(&arm.name));
        }
        Ok(())
    }
}

fn positive(name: &str, value: f64) -> Result<()> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(Error::usage(format!(
        "{name} is {value}, expected a positive number"
    )))
}

/// Names are those of folders and stand in a CSV file.
fn check_name(name: &str) -> std::result::Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if !name.is_empty() && name.chars().all(plain) {
        return Ok(());
    }
    Err("expected letters, digits and '-'".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped(name: &str) -> Definition {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("definitions");
        Definition::read(&folder.join(name)).unwrap()
    }

    fn arm<'d>(definition: &'d Definition, name: &str) -> &'d TrainConfig {
        &definition
            .arms
            .iter()
            .find(|arm| arm.name == name)
            .unwrap()
            .config
    }

    /// Every arm of the recipe differs from the one it departs from in what its name says.
    #[test]
    fn shipped_arms_depart_one_by_one() {
        let all = shipped("ablation-training.toml");
        let [published, scale, rate] = ["published", "scale", "rate"].map(|n| arm(&all, n).clone());
        assert_eq!(published.model.intensity_scale, 1.0);
        assert_eq!(
            (published.time_code_rate, published.schedule.rate),
            (1.0, 1e-4)
        );
        let mut expected = published;
        expected.model.intensity_scale = 100.0;
        assert_eq!(scale, expected);
        (expected.schedule.rate, expected.schedule.warmup) = (1e-3, 150);
        assert_eq!(rate, expected);
        let mut averaged = expected.clone();
        averaged.ema = 0.999;
        assert_eq!(*arm(&all, "ema"), averaged);
        let cosine = arm(&all, "cosine").clone();
        assert!(cosine.schedule.last < 0.1);
        let batch = arm(&all, "batch-4");
        assert_eq!(batch.steps * batch.batch as u64, cosine.steps);
        assert_eq!(arm(&all, "clean").validate_noise, Some(cosine.scene.noise));
        assert_eq!(arm(&all, "clean").scene.noise, [0.0, 0.0]);
        assert!(all.arms.iter().all(|arm| arm.config.seed == 1));
    }

    #[test]
    fn the_shipped_comparison_trains_the_published_size() {
        let both = shipped("ablation-paper.toml");
        let names: Vec<&str> = both.arms.iter().map(|arm| arm.name.as_str()).collect();
        assert_eq!(names, ["published", "ours"]);
        assert!(both.arms.iter().all(|arm| arm.config.model.stages == 9));
    }

    const HEAD: &str = "title = 't'\npreset = 'edge'\nminutes = 1\nslice_seconds = 9\n";

    #[test]
    fn refusals_name_the_arm() {
        for (text, part) in [
            ("[[arm]]\nname = 'a b'", "arm 'a b': expected letters"),
            ("[[arm]]\nname = 'a'\n[[arm]]\nname = 'a'", "there are two"),
            ("[[arm]]\nname = 'a'\nfrom = 'b'", "no arm 'b' above it"),
            ("[[arm]]\nname = 'a'\nset.stepz = 1", "stepz"),
            ("[[arm]]\nname = 'a'\nset.steps = 0", "arm 'a': steps is 0"),
            ("[[arm]]\nname = 'a'\nbase = 1", "base"),
        ] {
            let message = Definition::parse(&format!("{HEAD}{text}")).unwrap_err();
            assert!(message.to_string().contains(part), "{text}: {message}");
        }
    }

    #[test]
    fn limits_are_checked() {
        let text = format!("{HEAD}[[arm]]\nname = 'a'\n[[arm]]\nname = 'b'");
        let mut both = Definition::parse(&text).unwrap();
        let refused = both.limit(None, &["c".to_owned()]).unwrap_err().to_string();
        assert!(refused.contains("expected one of a, b"), "{refused}");
        assert!(both.limit(Some(f64::NAN), &[]).is_err());
        both.limit(Some(0.5), &["b".to_owned()]).unwrap();
        assert_eq!((both.minutes, both.arms.len()), (0.5, 1));
    }
}
