// Geometry of the operators, as src/geometry.rs has it; a test compares sizes and offsets.
#pragma once

typedef unsigned int u32;

// What follows the sum of a convolution.
enum Activation { ACTIVATION_NONE = 0, ACTIVATION_RELU = 1, ACTIVATION_SIGMOID = 2 };

// x (n, h, w, c), kernel (out, c, k, k), y (n, h, w, out).
struct ConvGeometry {
    u32 n, h, w, c;
    u32 out;
    // Side of the kernel, odd.
    u32 k;
    u32 activation;
    // Whether pixels may be read four channels at a time: c is a multiple of 4 and x is aligned.
    u32 vector;
    // The same of maps of `out` channels.
    u32 out_vector;
};

// Rows of a long sum that one block takes, and how many blocks there are.
struct SlabGeometry {
    u32 rows;
    u32 count;
};

struct DataStepGeometry {
    u32 n, side;
};

// Maps (n, side, side) through a stage of C channels; the kernels of its layers as (out, c, 3, 3).
struct StageGeometry {
    u32 n, side;
};

// x (pixels, channels), scales (pixels, groups).
struct GroupGeometry {
    u32 pixels, channels, groups;
};

// Channels `from ..` of `from_total` to channels `to ..` of `to_total`.
struct ConcatGeometry {
    u32 pixels, channels, from, from_total, to, to_total;
};

// What becomes of a value alone.
enum Function { FUNCTION_SCALE = 0, FUNCTION_SOFTPLUS = 1, FUNCTION_RECIPROCAL = 2 };

// Thresholds with one value per entry.
enum Rule { RULE_SOFT = 0, RULE_HARD = 1, RULE_SUPPORT = 2 };

// Rows of `len` entries.
struct RowGeometry {
    u32 rows, len;
};

// x (n, h, w, c factor factor), y (n, factor h, factor w, c).
struct ShuffleGeometry {
    u32 n, h, w, c, factor;
};

// x (n, h, w, c), y (n, to_h, to_w, c).
struct ResizeGeometry {
    u32 n, h, w, c, to_h, to_w;
};

// What stands for a window.
enum Take { TAKE_MEAN = 0, TAKE_MAX = 1 };

// x (n, h, w, c) in windows of rows x columns pixels.
struct PoolGeometry {
    u32 n, h, w, c, rows, columns, take;
};

// Losses of masks: all frames as one; each frame, its size and its centre.
enum Overlap { OVERLAP_SOFT = 0, OVERLAP_SENSITIVE = 1 };

// Logits and masks (n, h, w).
struct MaskGeometry {
    u32 n, h, w, overlap;
};

// share[0] x[first] + share[1] x[second].
struct Blend {
    u32 first, second;
    float share[2];
};

// One of the outputs that read an input, and the share with which it does.
struct Reader {
    u32 index;
    float share;
};

// x (n, h, w, c), offsets (n, h, w, groups, 9, 2), samples (n, h, w, 9, c).
struct SampleGeometry {
    u32 n, h, w, c, groups;
};

// Large map (n, h, w, c), small map (n, small_h, small_w, small_c), kernel (small_c, c, k, k): pixel
// (i, j) of the small map meets pixels (stride i - padding + a, stride j - padding + b) of the large.
struct StrideGeometry {
    u32 n, h, w, c;
    u32 small_h, small_w, small_c;
    u32 k, stride, padding;
    // Whether pixels of the large map, and of the small one, may be read four channels at a time.
    u32 vector, small_vector;
};

struct TimeGeometry {
    u32 times, len;
};

struct OffsetGeometry {
    u32 windows, unused;
    // Logarithms of the least and the greatest deviation: of positions, of intensities.
    double low[2], high[2];
    double nearness;
};

// Constants of one step of Adam.
struct AdamGeometry {
    float beta1, beta2, epsilon, weight_decay;
    // Root of the second moment's bias correction.
    float root;
    float negligible, negligible_first, negligible_second;
};

// A slice of a parameter with its gradient and moments; one block's work.
struct AdamSlice {
    float *value;
    float *gradient;
    float *first;
    float *second;
    u32 len;
    // Rate over the first moment's bias correction.
    float step;
};

// Scalars of a weighted sum.
#define MOST_TERMS 24
struct Terms {
    float *scalar[MOST_TERMS];
    float weight[MOST_TERMS];
    u32 count;
    // Whether the sum goes on from the value that is there.
    u32 more;
};
