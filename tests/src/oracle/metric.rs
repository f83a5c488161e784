//! CSO-mAP by the book: one threshold at a time, every list kept, every maximum searched anew.

use std::cmp::Ordering;

/// One frame: answers `(x, y, score)` and targets `(x, y)`, pixels.
pub type Frame = (Vec<(f64, f64, f64)>, Vec<(f64, f64)>);

/// Matching distances, pixels.
pub const DELTAS: [f64; 5] = [0.05, 0.10, 0.15, 0.20, 0.25];

/// Figures in per cent, RMSE in pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// AP per distance of [`DELTAS`].
    pub ap: Vec<f64>,
    /// Mean of the APs.
    pub cso_map: f64,
    /// TP / (TP + FP + FN) at 0.25 px.
    pub jaccard: f64,
    /// Frames with as many answers as targets.
    pub count_accuracy: f64,
    /// Root mean square distance of the pairs at 0.25 px.
    pub rmse_px: Option<f64>,
}

/// Evaluates frames; there is at least one.
pub fn figures(frames: &[Frame]) -> Figures {
    let ap: Vec<f64> = DELTAS
        .iter()
        .map(|&delta| 100.0 * average_precision(frames, delta))
        .collect();
    let exact = frames.iter().filter(|(d, t)| d.len() == t.len()).count();
    let outcomes: Vec<Outcome> = frames.iter().flat_map(|f| match_frame(f, 0.25)).collect();
    let targets: usize = frames.iter().map(|(_, targets)| targets.len()).sum();
    let distances: Vec<f64> = outcomes.iter().filter_map(|o| o.matched).collect();
    let true_positives = distances.len();
    let false_positives = outcomes.len() - true_positives;
    let false_negatives = targets - true_positives;
    let union = true_positives + false_positives + false_negatives;
    let mean_square = distances.iter().map(|d| d * d).sum::<f64>() / true_positives as f64;
    Figures {
        cso_map: ap.iter().sum::<f64>() / ap.len() as f64,
        ap,
        jaccard: match union {
            0 => 0.0,
            _ => 100.0 * true_positives as f64 / union as f64,
        },
        count_accuracy: 100.0 * exact as f64 / frames.len() as f64,
        rmse_px: (true_positives > 0).then(|| mean_square.sqrt()),
    }
}

/// What became of one answer: its score, and its distance if it is a true positive.
#[derive(Clone, Copy)]
struct Outcome {
    score: f64,
    matched: Option<f64>,
}

/// Larger first; the two zeros are equal.
fn descending(a: f64, b: f64) -> Ordering {
    if a > b {
        Ordering::Less
    } else if a < b {
        Ordering::Greater
    } else {
        Ordering::Equal
    }
}

/// Outcomes in the order of the frame's list.
fn match_frame((detections, targets): &Frame, delta: f64) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> = detections
        .iter()
        .map(|&(_, _, score)| Outcome {
            score,
            matched: None,
        })
        .collect();
    let mut visit: Vec<usize> = (0..detections.len()).collect();
    // Stable: among equal scores the list's order remains.
    visit.sort_by(|&a, &b| descending(outcomes[a].score, outcomes[b].score));
    let mut taken = vec![false; targets.len()];
    for index in visit {
        let (x, y, _) = detections[index];
        let distances: Vec<f64> = targets
            .iter()
            .map(|&(tx, ty)| ((x - tx) * (x - tx) + (y - ty) * (y - ty)).sqrt())
            .collect();
        let least = distances.iter().copied().fold(f64::INFINITY, f64::min);
        let Some(nearest) = distances.iter().position(|&distance| distance == least) else {
            continue;
        };
        if least <= delta && !taken[nearest] {
            taken[nearest] = true;
            outcomes[index].matched = Some(least);
        }
    }
    outcomes
}

/// Area under the precision envelope, 0..=1.
fn average_precision(frames: &[Frame], delta: f64) -> f64 {
    let mut pooled: Vec<Outcome> = frames.iter().flat_map(|f| match_frame(f, delta)).collect();
    let targets: usize = frames.iter().map(|(_, targets)| targets.len()).sum();
    if pooled.is_empty() || targets == 0 {
        return 0.0;
    }
    // Stable: among equal scores frame order, then the frame's list order, remain.
    pooled.sort_by(|a, b| descending(a.score, b.score));
    let mut recall = vec![0.0];
    let mut precision = vec![0.0];
    for last in 0..pooled.len() {
        let so_far = &pooled[..=last];
        let hits = so_far.iter().filter(|o| o.matched.is_some()).count();
        recall.push(hits as f64 / targets as f64);
        precision.push(hits as f64 / so_far.len() as f64);
    }
    recall.push(1.0);
    precision.push(0.0);
    (1..recall.len())
        .map(|i| {
            let envelope = precision[i..].iter().copied().fold(0.0, f64::max);
            (recall[i] - recall[i - 1]) * envelope
        })
        .sum()
}
