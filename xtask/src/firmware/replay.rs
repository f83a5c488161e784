//! Results of an image over recorded windows, judged by the metric.

use serde_json::{Value, json};

use super::board::{Board, Program};
use super::figures::millions;
use super::record::Table;
use super::recording::{Recording, Scenes, derefnet};
use super::results::{number, words};
use crate::shell::{root, write};

/// Windows with one noise, and the CSO-mAP that the image has to reach over them, per cent.
#[derive(Clone, Copy, Debug)]
pub struct Trial {
    noise: u32,
    least: f64,
}

/// Integer counts, and noise of 5 counts.
pub const TRIALS: [Trial; 2] = [
    Trial {
        noise: 0,
        least: 98.0,
    },
    Trial {
        noise: 5,
        least: 90.0,
    },
];
/// 1,008 windows of the test split.
const TRAJECTORIES: usize = 63;

/// What an image made of a trial.
#[derive(Debug)]
pub struct Replayed {
    board: &'static str,
    readout: String,
    noise: u32,
    least: f64,
    /// Per cent.
    cso_map: f64,
    windows: usize,
    /// Instructions of a new frame: least, median, most.
    each: [f64; 3],
    /// Bytes of stack used at most.
    pub stack: usize,
}

impl Trial {
    /// The frames and their truth.
    pub fn record(self) -> Result<Recording, String> {
        let scenes = Scenes {
            split: "test",
            trajectories: TRAJECTORIES,
            noise: self.noise,
        };
        scenes.record()
    }

    /// Has `program` find targets in `recording` by `readout`, and evaluates them.
    pub fn run(
        self,
        program: &Program,
        board: &Board,
        readout: &str,
        recording: &Recording,
    ) -> Result<Replayed, String> {
        let file = |what: &str| {
            let name = format!("{readout}-{}-{what}", self.noise);
            root().join("target/xtask/firmware").join(name)
        };
        let frames = file("frames");
        std::fs::write(&frames, &recording.bytes)
            .map_err(|error| format!("{}: {error}", frames.display()))?;
        let ran = program.run(&[readout, &frames.to_string_lossy()])?;
        let (found, mut ticks) = windows(&ran.text)?;
        let [detections, truth] = [("found", json!(found)), ("truth", recording.truth.clone())]
            .map(|(name, value)| (file(&format!("{name}.json")), value.to_string()));
        for (path, text) in [&detections, &truth] {
            write(path, text)?;
        }
        let [detections, truth] = [detections, truth].map(|(path, _)| path);
        let report = derefnet(&[
            "metric",
            "--detections",
            &detections.to_string_lossy(),
            "--truth",
            &truth.to_string_lossy(),
        ])?;
        let cso_map = report["cso_map"].as_f64();
        ticks.sort_by(f64::total_cmp);
        let at = |place: usize| ticks.get(place).copied().unwrap_or(0.0) * board.instructions;
        Ok(Replayed {
            board: board.name,
            readout: readout.to_owned(),
            noise: self.noise,
            least: self.least,
            cso_map: cso_map.ok_or("derefnet metric: expected cso_map")?,
            windows: ticks.len(),
            each: [0, ticks.len() / 2, ticks.len().saturating_sub(1)].map(at),
            stack: ran.stack,
        })
    }
}

impl Replayed {
    /// The figures in words, or where they leave their bounds; `budget` is for the worst frame.
    pub fn judge(&self, budget: f64) -> Result<String, String> {
        let [least, median, most] = self.each.map(millions);
        let found = format!(
            "noise {}: CSO-mAP {:.2} over {} windows; {least}, {median}, {most} M instructions a frame \
             (least, median, most)",
            self.noise, self.cso_map, self.windows
        );
        if self.cso_map < self.least {
            return Err(format!(
                "{found}; expected CSO-mAP of at least {}",
                self.least
            ));
        }
        if self.each[2] > budget {
            let budget = millions(budget);
            return Err(format!("{found}; expected at most {budget} M instructions"));
        }
        Ok(found)
    }
}

/// The table of a record.
pub fn table(results: &[Replayed]) -> Table {
    let row = |result: &Replayed| {
        let words = [result.board, &result.readout]
            .map(str::to_owned)
            .into_iter();
        let figures = [
            result.noise.to_string(),
            result.windows.to_string(),
            format!("{:.2}", result.cso_map),
        ];
        let each = result.each.map(|instructions| format!("{instructions:.0}"));
        words.chain(figures).chain(each).collect()
    };
    Table {
        name: "replay",
        columns: "board,readout,noise_counts,windows,cso_map_percent,least_instructions,median,most",
        keys: 3,
        limited: &["least_instructions", "median", "most"],
        rows: results.iter().map(row).collect(),
    }
}

/// Detections `[x, y, score]` and ticks of every window.
fn windows(text: &str) -> Result<(Vec<Value>, Vec<f64>), String> {
    let bits = |word: &&str| {
        let bits = u64::from_str_radix(word, 16).map(f64::from_bits);
        bits.map_err(|_| format!("window: expected bits of a number, got '{word}'"))
    };
    let read = |words: Vec<&str>| {
        let (ticks, targets) = words.split_first().ok_or("window: expected its ticks")?;
        let numbers: Vec<f64> = targets.iter().map(bits).collect::<Result<_, _>>()?;
        let (targets, rest) = numbers.as_chunks::<8>();
        if !rest.is_empty() {
            return Err("window: expected eight numbers a target".to_owned());
        }
        let targets = targets.iter().map(|&[x, y, score, ..]| [x, y, score]);
        Ok((json!(targets.collect::<Vec<_>>()), number("window", ticks)?))
    };
    words(text, "window").into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_keep_every_bit() {
        let numbers = [4.1, 5.2, 0.9, 230.0, 0.01, 0.02, 0.3, 7.0];
        let words: Vec<String> = numbers
            .iter()
            .map(|number: &f64| format!("{:016x}", number.to_bits()))
            .collect();
        let text = format!("window 7 {}\nstack 1 2\nwindow 8\n", words.join(" "));
        let (found, ticks) = windows(&text).unwrap();
        assert_eq!(found, [json!([[4.1, 5.2, 0.9]]), json!([])]);
        assert_eq!(ticks, [7.0, 8.0]);
        assert!(windows("window 7 3ff0000000000000\n").is_err());
        assert!(windows("window 7 x\n").is_err() && windows("window\n").is_err());
    }

    #[test]
    fn both_bounds_hold() {
        let judged = |cso_map, most| {
            let result = Replayed {
                board: "a",
                readout: "fit".to_owned(),
                noise: 5,
                least: 90.0,
                cso_map,
                windows: 1008,
                each: [1e6, 2e6, most],
                stack: 0,
            };
            result.judge(16e6)
        };
        assert!(judged(90.0, 16e6).is_ok());
        assert!(judged(89.9, 1e6).unwrap_err().contains("CSO-mAP"));
        assert!(judged(95.0, 17e6).unwrap_err().contains("instructions"));
    }
}
