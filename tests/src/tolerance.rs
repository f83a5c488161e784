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

/// The same ranked by labels with a centerness of 1: intensities, which differ by 14 %, disturb the
/// order of distances little.
pub const RANKED_CEILING: std::ops::RangeInclusive<f64> = 57.0..=59.0;

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

/// Of the summed magnitudes, for sums that may go by Winograd's tiles: the transforms add up to nine
/// values of either factor before they multiply, so a sum rounds by the size of its tile's values,
/// some of which cancel in it; where a kernel's gradient comes from a single tile, nothing averages
/// that. The largest error seen in a thousand problems is 1.3e-6.
pub const WINOGRAD: f64 = 4e-6;

/// Of a tensor's largest value, for graphs of up to ten operators in f32: each rounds by
/// [`DOT_PRODUCT`] at most, beside values that do not grow from one to the next. Gradients of small
/// tensors cancel most. The largest error seen in 50,000 problems is 1.05e-5.
pub const GRAPH: f64 = 1.5e-5;

/// Of the largest value in front of a ReLU or a threshold, in graphs: how far from the kink all of
/// them lie at least. On the other side of it one value would change whole windows of gradients;
/// rounding moves values by less than [`GRAPH`].
pub const KINK_CLEARANCE: f64 = 2e-5;

/// Of the summed magnitudes, for difference quotients of the f64 oracles with a step of 2⁻¹⁶: the
/// third derivative of a sigmoid times the squared step. Roundings of outputs come on top.
pub const DIFFERENCE_QUOTIENT: f64 = 1e-4;

/// Relative, for the loss of a small network in f32 against f64: its layers round by 2⁻²⁴ per
/// operation, and errors of single cells cancel in the sums.
pub const LOSS_VALUE: f64 = 1e-5;

/// Relative, for the losses of a training on two backends over dozens of steps, written with six
/// digits: Adam's steps have one length however small a gradient is, so rounding adds up.
pub const TRAINED_LOSS: f64 = 1e-4;

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

/// Of a covariance's trace, for Fisher information from central differences with a step of 2⁻¹³ px:
/// their relative error of step²/6 · |h‴/h′| is near 3e-8, and inverting four close targets
/// magnifies it.
pub const BOUND_DIFFERENCES: f64 = 1e-4;

/// Of a covariance's trace, between sums over the same pixels in another order; inverting four
/// close targets magnifies their roundings.
pub const BOUND_SYMMETRY: f64 = 1e-8;

/// Per cent of CSO-mAP, between the bound rows of two generators of the same rules. 750 trajectories
/// hold a third of 2, 3 and 4 targets each, give or take 1.7 %, and rows of 2 and 4 targets are 80 %
/// apart at σ = 5.
pub const BOUND_ROWS: f64 = 1.5;

/// Pixels, root mean square distance at integer counts with the rules known; 0.004 was measured
/// without the spread of distances over a trajectory's age.
pub const RULES_KNOWN_CLEAN: std::ops::RangeInclusive<f64> = 0.0035..=0.0055;

/// The same at σ = 5; 0.011 was measured.
pub const RULES_KNOWN_NOISY: std::ops::RangeInclusive<f64> = 0.0105..=0.0120;

/// Relative, between fits of one window from different starts that end when the next step gains less
/// than 1e-12: steps of √(2e-12) standard deviations, which are at most some 10 counts or 0.05 px.
/// Scores and covariances change no faster. The largest difference seen is below 1e-6.
pub const FITTED_POSITION: f64 = 1e-5;

/// Standard deviations between such fits where one had to stop before its end: after a thousand
/// evaluations descents gain less than a thousandth in the log posterior. Some two scenes in 100,000
/// have such a fit; the largest difference of a place or intensity seen is 0.011. Deviations may differ
/// by this share, correlations and scores by this much.
pub const CREEPING: f64 = 0.05;

/// Pixels, from which the fit of integer counts of sources half a pixel apart is told to be another
/// source's: the largest error seen is below 0.03.
pub const SAME_SOURCE: f64 = 0.1;

/// Pixels, by which proposals miss in the tests of the fit: far more than the fit's own error.
pub const NEAR_PROPOSAL: f64 = 0.03;

/// Share of truths inside 95 % ellipses, over some 1,250 targets: four standard errors are 2.5 %,
/// and at σ = 2 some windows have several maxima of which not all are found.
pub const ELLIPSES: std::ops::RangeInclusive<f64> = 0.92..=0.98;

/// Hash of the fit's answers to 1,000 generated windows (`runners/locate.rs`), computed by that test
/// itself on x86-64. It changes whenever the fit or the generator does, and with nothing else.
pub const LOCATED_BITS: u64 = 0x9198_94ec_2a0e_5980;

/// Hash of the offset head's answers to 10,000 windows by a model of random weights
/// (`runners/integer_bits.rs`), computed by that test itself with the scalar kernels. It changes with
/// the integer contract, the random models and the windows, and with nothing else.
pub const HEAD_BITS: u64 = 0x5a81_a3dc_fa34_97e9;

/// The same of the map, of 320 and of 10,000 windows.
pub const MAP_BITS: [u64; 2] = [0xfc7f_0d54_233f_3dad, 0xe851_a61b_5607_968e];

/// Relative L2 of a map or an answer of the offset head, between an exported network on another
/// runtime and our f32 path: the same operators, whose sums run in another order. Networks of nine
/// stages amplify the roundings of the first.
pub const EXPORTED_WINDOW: f64 = 1e-4;

/// Relative L2 of a map or an answer of the offset head, between an exported integer network and the
/// integer core: values next to a tie of a rounding come out a step apart.
pub const EXPORTED_INTEGERS: f64 = 1e-2;

/// Per cent of CSO-mAP that this may cost or bring.
pub const EXPORTED_ACCURACY: f64 = 0.05;

/// Steps, of 65,536, by which values of exported integer networks of random weights may stray: such networks
/// amplify, and up to 31 were seen.
pub const EXPORTED_STEPS: f64 = 64.0;

/// Per cent of CSO-mAP, that a network may gain or lose in integers: the bound that shipped models keep.
pub const QUANTISED_MAP: f64 = 0.3;

/// Of the largest value, of maps by weights of another program, or in other units: rounding alone, as
/// in the golden tensors.
pub const CHECKPOINT_MAP: f64 = 1e-5;

/// Of a frame's or map's largest value, between two orders of summing at most 1,089 products in f64.
pub const OPTICS_SUMMATION: f64 = 1e-12;

/// Share of a source's light that may miss a sensor of 33 pixels whose border is 6 σ away, and the
/// rounding of its sum.
pub const COLLECTED: f64 = 1e-8;

/// Counts², between `⟨Φh, l⟩` and `⟨h, Φᵀl⟩` of values near 100: sums of some 10⁷ in f64.
pub const ADJOINT: f64 = 1e-6;

/// Of the integers' sigmoid from the curve: the line between two nodes of its table.
pub const GATE: f64 = 5e-5;

/// Relative, of the mean square of 2,420 noisy counts: its deviation is 2.9 %, and among a million
/// cases the worst is five of them away.
pub const NOISE_SCATTER: f64 = 0.2;

/// Relative L2 of a gradient of a small network between the CUDA and the CPU backend. Both round each
/// sum by [`DOT_PRODUCT`] or [`WINOGRAD`] in other orders, and single ReLUs whose sums lie within
/// rounding of zero fall on the other side; as in the golden tensors.
pub const DEVICE_GRADIENT: f64 = 2e-3;

/// The same of the path of a parameter over two steps of Adam, whose first steps turn a gradient's
/// sign into a whole step: values with gradients near zero move the other way.
pub const DEVICE_STEP: f64 = 2e-2;

/// Relative L2 of the gradient of a tensor between one process and several, whose forward passes have
/// the same bits: a gradient adds some 10⁵ products in f32, of whose partial sums the last few are added
/// in another order, and each rounds by 6e-8; where they cancel it is more, and 5e-6 was seen.
pub const RANKS_GRADIENT: f64 = 3e-5;

/// The same of the path of a tensor over six steps: a scalar weight near 1 rounds by 6e-8 and goes some
/// 6e-4, of which that is 1e-4; 4e-5 was seen.
pub const RANKS_PATH: f64 = 1e-3;

/// Of the root of the summed squared terms `g·d` of a directional derivative, for networks in f64 with
/// steps of 1e-9: a kink that lies within the step changes the slope of one value among thousands.
pub const METHOD_SLOPE: f64 = 1e-3;

/// Relative L2 of a tensor's gradient in f32 against f64: kinks that rounding puts on another side move
/// gradients of small tensors most.
pub const METHOD_GRADIENT: f64 = 1e-2;
