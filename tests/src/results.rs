//! Made-up benchmark results, to try what reads them. No figure here was measured.

use std::fs;
use std::path::Path;

use derefnet::methods::{METHODS, Method, plan};
use derefnet_core::physics::{FRAME_SIDE, MAP_SIDE, PSF_SIGMA, RATIO, cell_centre, pixel_response};
use serde_json::{Value, json};

/// Title of the made-up definition.
pub const TITLE: &str = "Synthetic table: no figure was measured";

/// Writes a definition and a result of every method of the registry into `folder`.
pub fn write(folder: &Path) {
    write_definition(folder, TITLE);
    for (k, method) in METHODS.iter().enumerate() {
        write_row(folder, &row(method, k));
    }
}

/// Writes a definition of all methods, which is never run.
pub fn write_definition(folder: &Path, title: &str) {
    let about = "Figures to try the report with: `a < b` & \\\"c\\\".";
    let mut text =
        format!("title = \"{title}\"\nabout = \"{about}\"\n[budget.hour]\nminutes = 10\n");
    for Method { key, .. } in METHODS {
        text += &format!("\n[[row]]\nname = \"{key}\"\nmethod = \"{key}\"\n");
    }
    fs::create_dir_all(folder).expect("a folder for results");
    fs::write(folder.join("definition.toml"), text).expect("a definition");
}

/// Writes `row` where a benchmark would leave it.
pub fn write_row(folder: &Path, row: &Value) {
    let name = row["row"].as_str().expect("a row has a name");
    let folder = folder.join(name);
    fs::create_dir_all(&folder).expect("a folder for a row");
    let text = serde_json::to_string_pretty(row).expect("JSON");
    fs::write(folder.join("result.json"), text).expect("a result");
}

/// A row with everything that may be missing missing.
pub fn bare(name: &str) -> Value {
    json!({
        "format": 1, "row": name, "label": name, "group": "baseline",
        "method": null, "variant": null, "about": null,
        "parameters": 0, "answering_parameters": 0,
        "macs_per_frame": null, "macs_per_frame_here": null, "published": null,
        "data": { "seed": 1, "split": "test", "noise": 0.0, "arrangement": "rules",
                  "targets": [2, 4], "trajectories": 750, "frames": 12000 },
        "runs": [{ "seed": 1, "training": null, "grid": null, "off_grid": null,
                   "off_grid_readout": null }],
        "interval": null, "frames_per_second": null, "peak_mib": null,
        "machine": { "cpu": "no processor", "cores": 2, "isa": "avx2" },
        "program": "0.0.0", "date": "2000-01-01",
        "training_curve": [], "validation_curve": [], "precision_recall": [], "gallery": []
    })
}

/// The result of `method`, number `k`: what is published of it, and made-up figures around that.
pub fn row(method: &Method, k: usize) -> Value {
    let plan = plan(method, None, 1.0).expect("the registry's forms");
    let trained = !plan.specs.is_empty();
    let ours = method.published.is_none();
    let grid = method
        .published
        .map_or(53.0, |published| published.cso_map * 0.96);
    let off_grid = if ours {
        99.0 - 0.7 * k as f64 / 27.0
    } else {
        30.0 + 1.25 * grid
    };
    let without_map = method.key == "fit";
    let mut row = bare(method.key);
    let whole = plan.parameters() + plan.adversary_parameters() + method.foreign_parameters;
    row["label"] = method.name.into();
    row["group"] = if ours { "ours" } else { "published" }.into();
    row["method"] = method.key.into();
    row["variant"] = method.variants[0].name.into();
    row["about"] = format!("{}; synthetic", method.variants[0].about).into();
    row["parameters"] = whole.into();
    row["answering_parameters"] = plan.parameters().into();
    row["macs_per_frame"] = plan.multiply_adds.into();
    row["macs_per_frame_here"] = plan.multiply_adds_here.into();
    row["published"] = method.published.map_or(Value::Null, |published| {
        json!({ "cso_map": published.cso_map, "aps": published.average_precisions,
                "fps": published.fps })
    });
    let training = json!({ "minutes": 10.0, "steps": 900 + 37 * k, "trajectories": 900 + 37 * k,
        "batch": 1, "rate": 1e-3, "threads": 1, "preset": "hour", "best_step": 850 + 37 * k });
    row["runs"] = json!([{
        "seed": 1,
        "training": if trained { training } else { Value::Null },
        "grid": if without_map { Value::Null } else { scores(grid, 0.1) },
        "off_grid": scores(off_grid, 0.02),
        "off_grid_readout": "fit-from-map",
    }]);
    row["frames_per_second"] = (20_000.0 / (1.0 + k as f64)).into();
    row["peak_mib"] = (200.0 + 10.0 * k as f64).into();
    if trained {
        curves(&mut row, grid);
    }
    row["precision_recall"] = (0..5).map(|at| precision_recall(grid, at)).collect();
    row["gallery"] = (0..3).map(|at| picture(at, k, !without_map)).collect();
    row
}

fn scores(cso_map: f64, rmse: f64) -> Value {
    let share = |low: f64| (low * cso_map / 55.0).min(100.0);
    let aps = [1.0, 14.4, 54.9, 90.4, 97.1].map(share);
    json!({ "cso_map": cso_map, "aps": aps, "jaccard": share(73.0), "count_right": share(40.0),
            "rmse": rmse })
}

fn curves(row: &mut Value, grid: f64) {
    let decay = |step: f64| (-step / 200.0).exp();
    row["training_curve"] = (0..100)
        .map(|k| json!([10 * k, 0.4 + 30.0 * decay(10.0 * f64::from(k))]))
        .collect();
    row["validation_curve"] = (0..10)
        .map(|k| {
            let part = 1.0 - decay(100.0 * f64::from(k));
            json!([100 * k, grid * part, 97.0 * part])
        })
        .collect();
}

fn precision_recall(grid: f64, at: usize) -> Value {
    let reach = (grid / 60.0) * [0.15, 0.4, 0.75, 0.95, 0.99][at];
    let point = |k: i32| {
        let share = f64::from(k) / 50.0;
        [reach * share, 1.0 - (1.0 - reach) * share * share]
    };
    let points: Vec<[f64; 2]> = (0..=50).map(point).collect();
    json!({ "delta": 0.05 * (at + 1) as f64, "points": points })
}

/// Frame `at` as method `k` might answer it: a soft peak a target, the softer the larger `k`.
fn picture(at: usize, k: usize, with_map: bool) -> Value {
    let (row, column) = [(4.0, 5.1), (6.3, 2.2), (1.2, 8.7)][at];
    let arms = [(-0.32, 0.0), (0.0, 0.31), (0.33, 0.0), (0.0, -0.3)];
    let truth: Vec<[f64; 3]> = arms[..at + 2]
        .iter()
        .map(|(x, y)| [row + x, column + y, 225.0 + 5.0 * at as f64])
        .collect();
    let frame = grid_of(FRAME_SIDE, |x, y| {
        let light = |t: &[f64; 3]| {
            t[2] * pixel_response(x as f64, t[0], PSF_SIGMA)
                * pixel_response(y as f64, t[1], PSF_SIGMA)
        };
        truth.iter().map(light).sum::<f64>().round()
    });
    let counts: Vec<i32> = frame.into_iter().map(|count| count as i32).collect();
    let width = 0.02 + 0.004 * k as f64;
    let map = grid_of(MAP_SIDE, |x, y| {
        let light = |t: &[f64; 3]| {
            let (dx, dy) = (cell_centre(x, RATIO) - t[0], cell_centre(y, RATIO) - t[1]);
            t[2] * (-(dx * dx + dy * dy) / width).exp()
        };
        (100.0 * truth.iter().map(light).sum::<f64>()).round() / 100.0
    });
    let found: Vec<[f64; 3]> = truth
        .iter()
        .map(|t| [t[0] + 0.004 * k as f64, t[1] - 0.003 * k as f64, 0.9])
        .collect();
    json!({ "trajectory": 17 + at, "frame": 5 + at, "truth": truth, "frame_counts": counts,
            "map": if with_map { json!(map) } else { Value::Null }, "targets": found })
}

fn grid_of(side: usize, value: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    let all = (0..side).flat_map(|x| (0..side).map(move |y| (x, y)));
    all.map(|(x, y)| value(x, y)).collect()
}
