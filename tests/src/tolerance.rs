//! Every numeric threshold of the suites, each with its reason.

/// Per cent, between two orders of summing an AP: a few hundred terms of at most 1, times 100.
pub const AP_SUMMATION: f64 = 1e-10;

/// Pixels, between two orders of summing squared distances below 0.07 px².
pub const RMSE_SUMMATION: f64 = 1e-12;

/// Per cent. Targets on a lattice that fills a cell evenly: the share of its points inside a circle
/// misses the circle's area by far less than this; the printed ceiling has two decimals.
pub const RECALL_CEILING: f64 = 0.1;

/// Per cent, for AP under random ranking of 40,000 detections. At the head of the ranking the
/// envelope follows random runs of hits; that excess falls with the root of the count.
pub const RANDOM_RANKING: f64 = 0.4;

/// CSO-mAP in per cent of exact label maps ranked by intensity, over evaluated frames; 47.3 was
/// measured with another generator of the same rules. Targets spread evenly over their cells would
/// have a share `p` of 7.1, 28.3, 63.6, 95.5 and 100 % of hits at the five distances and, ranked at
/// random, APs near `p²`: 48.0. Motion by 0.04 px from integer rows spreads them less evenly.
pub const CEILING: std::ops::RangeInclusive<f64> = 47.0..=48.5;

/// The same with each detection ranked by its true distance: 58.0 on that generator, and the mean
/// of `p`, 58.9, for evenly spread targets.
pub const IDEAL_CEILING: std::ops::RangeInclusive<f64> = 57.5..=59.0;
