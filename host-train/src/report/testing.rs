//! A row to test with.

use super::read::Row;
use crate::benchmark::result::{DataUsed, FORMAT, Group, Machine, RowResult, RunResult, Scores};
use crate::scene::Arrangement;

fn scores(cso_map: f64) -> Scores {
    Scores {
        cso_map,
        aps: [cso_map; 5],
        jaccard: 50.0,
        count_right: 50.0,
        rmse: Some(0.1),
    }
}

/// A row with these accuracies and one run.
pub fn row(name: &str, grid: Option<f64>, off_grid: Option<f64>) -> Row {
    let (grid, off_grid) = (grid.map(scores), off_grid.map(scores));
    let run = RunResult {
        seed: 1,
        training: None,
        grid,
        off_grid,
        off_grid_readout: None,
        masks: None,
    };
    let result = RowResult {
        format: FORMAT,
        row: name.to_owned(),
        label: name.to_owned(),
        group: Group::Published,
        method: None,
        variant: None,
        about: None,
        parameters: 10,
        answering_parameters: 10,
        macs_per_frame: None,
        macs_per_frame_here: None,
        published: None,
        data: DataUsed {
            seed: 1,
            split: "test".to_owned(),
            noise: 0.0,
            arrangement: Arrangement::Rules,
            targets: [2, 4],
            trajectories: 750,
            frames: 12000,
            background: None,
        },
        runs: vec![run],
        interval: None,
        frames_per_second: None,
        peak_mib: None,
        machine: Machine {
            cpu: "a processor".to_owned(),
            cores: 2,
            isa: "avx2".to_owned(),
        },
        program: "0.1.0".to_owned(),
        date: "2026-11-28".to_owned(),
        training_curve: Vec::new(),
        validation_curve: Vec::new(),
        precision_recall: Vec::new(),
        gallery: Vec::new(),
    };
    Row {
        result,
        grid,
        off_grid,
        masks: None,
    }
}
