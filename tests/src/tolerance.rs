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

/// Counts, between the closed form of a frame and numeric integration: Simpson's rule with strips of
/// 1/200 px leaves h⁴/180 · max|f⁗| = 1.3e-10 of each target's at most 1,000 counts, on two axes.
pub const RENDERING: f64 = 1e-5;

/// Pixels, of coordinates near 10 that a few additions have passed through.
pub const COORDINATE: f64 = 1e-13;

/// Pixels, of third differences of such coordinates; the flattest arc's are above 1e-7.
pub const THIRD_DIFFERENCE: f64 = 1e-12;

/// Relative error of a circle's radius from points that rise 0.009 px above their chord.
pub const RADIUS: f64 = 1e-9;

/// `Φ Q_init` against the identity, in `f64` with `Z Zᵀ` conditioned around 10⁷.
pub const QINIT_IDENTITY: f64 = 1e-9;

/// CSO-mAP in per cent of exact label maps ranked by intensity, over evaluated frames; 47.3 was
/// measured with another generator of the same rules. Targets spread evenly over their cells would
/// have a share `p` of 7.1, 28.3, 63.6, 95.5 and 100 % of hits at the five distances and, ranked at
/// random, APs near `p²`: 48.0. Motion by 0.04 px from integer rows spreads them less evenly.
pub const CEILING: std::ops::RangeInclusive<f64> = 47.0..=48.5;

/// The same with each detection ranked by its true distance: 58.0 on that generator, and the mean
/// of `p`, 58.9, for evenly spread targets.
pub const IDEAL_CEILING: std::ops::RangeInclusive<f64> = 58.0..=59.0;

/// Per cent, for AP25 of exact label maps: below 100 only by targets that share a cell.
pub const PERFECT: f64 = 99.9;

/// Copies keep every bit.
pub const EXACT: f64 = 0.0;

/// Of the summed magnitudes. A handful of roundings of 2⁻²⁴ each, and a sigmoid or a division;
/// losses sum 64 f32 products per lane before they go on in f64, whose roundings mostly cancel. The
/// largest error seen in the problems is 1.4e-7.
pub const ELEMENTWISE: f64 = 4e-7;

/// Of the summed magnitudes. Sums of up to some ten thousand f32 products in the kernels' order:
/// each addition rounds by 2⁻²⁴ of the partial sum, and random signs keep partial sums far below
/// the summed magnitudes. The largest error seen in the problems is 3e-7.
pub const DOT_PRODUCT: f64 = 1e-6;

/// Of a tensor's largest value, for graphs of up to ten operators in f32: each rounds by
/// [`DOT_PRODUCT`] at most, beside values that do not grow from one to the next. Gradients of small
/// tensors cancel most. The largest error seen in a thousand problems is 4.3e-6.
pub const GRAPH: f64 = 1e-5;

/// Of the largest value in front of a ReLU or a threshold, in graphs: how far from the kink all of
/// them lie at least. On the other side of it one value would change whole windows of gradients;
/// rounding moves values by less than [`GRAPH`].
pub const KINK_CLEARANCE: f64 = 2e-5;

/// Of the summed magnitudes, for difference quotients of the f64 oracles with a step of 2⁻¹⁶: the
/// third derivative of a sigmoid times the squared step, and cancellation of 2⁻⁵³ over the step.
pub const DIFFERENCE_QUOTIENT: f64 = 1e-4;

/// Relative, for the loss of a small network in f32 against f64: its layers round by 2⁻²⁴ per
/// operation, and errors of single cells cancel in the sums.
pub const LOSS_VALUE: f64 = 1e-5;

/// Of the root of the summed squared terms `g·d` of a directional derivative. The few ReLUs and
/// thresholds whose kink lies within the step, and the digits lost in differences of losses, where
/// the gradient is small. The largest error seen is 3.4e-4.
pub const DIRECTIONAL_DERIVATIVE: f64 = 1e-3;

/// Of the path, steps times rate, of a parameter under Adam: a step divides a first moment that
/// may have cancelled by the root of the second, and carries the moments' relative errors.
pub const ADAM_STEP: f64 = 2e-5;

/// Of a map's largest value, between streamed and batched maps of a network in f32: both run the
/// same kernels, which may divide a batch otherwise and so add in another order.
pub const STREAMED_MAP: f64 = 1e-5;
