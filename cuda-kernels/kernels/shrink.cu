// Thresholds with one value per entry, v and θ (rows, len): soft, hard, and soft but for the largest
// entries of a row, which pass unchanged. `least` (rows) is the magnitude that those exceed.
#include "common.cuh"

__device__ inline u32 magnitude(const float *row, u32 i) {
    return __float_as_uint(row[i]) & 0x7fffffffu;
}

// How many magnitudes of the row are at most `limit`; all threads get it.
__device__ inline u32 count_up_to(const float *row, u32 len, u32 limit, double *shared) {
    u32 own = 0;
    for (u32 i = threadIdx.x; i < len; i += THREADS) {
        own += magnitude(row, i) <= limit;
    }
    double sum = block_sum((double)own, shared);
    // Before the next sum.
    __syncthreads();
    return (u32)sum;
}

// Entry number `rank` of the sorted magnitudes, found bit by bit: bits of magnitudes are in the order
// of their values.
__device__ inline float order_statistic(const float *row, u32 len, u32 rank, double *shared) {
    u32 found = 0;
    for (u32 bit = 0x40000000u; bit > 0; bit /= 2) {
        if (count_up_to(row, len, found + (bit - 1), shared) <= rank) {
            found += bit;
        }
    }
    return __uint_as_float(found);
}

// Quantile of the magnitudes of a row, linear between entries `below` and `above` of their order; one
// row a block. Every operation is rounded as it stands, as the comparisons with the result need it.
extern "C" __global__ void __launch_bounds__(THREADS)
    shrink_quantile(u32 len, u32 below, u32 above, float fraction, const float *v, float *least) {
    __shared__ double shared[THREADS];
    const float *row = v + (size_t)blockIdx.x * len;
    float low = order_statistic(row, len, below, shared);
    float high = order_statistic(row, len, above, shared);
    if (threadIdx.x == 0) {
        float step = (float)((double)fraction * (double)(high - low));
        least[blockIdx.x] = (float)((double)low + (double)step);
    }
}

// What a rule does to one entry.
struct Threshold {
    u32 rule;
    float least;

    // `least` may be null where the rule does not ask for it.
    __device__ Threshold(u32 rule, const float *least, u32 row)
        : rule(rule), least(rule == RULE_SUPPORT ? least[row] : 0.0f) {}

    // Whether `v` passes unchanged.
    __device__ inline bool keeps(float v, float theta) const {
        return rule != RULE_SOFT && fabsf(v) > theta && (rule == RULE_HARD || fabsf(v) > least);
    }

    // What is left of |v|, at most zero where nothing is; nothing is of values under a hard threshold.
    __device__ inline float rest(float v, float theta) const {
        if (rule == RULE_HARD) {
            return 0.0f;
        }
        return fabsf(v) - (rule == RULE_SOFT && !(theta > 0.0f) ? 0.0f : theta);
    }
};

extern "C" __global__ void __launch_bounds__(THREADS)
    shrink_forward(RowGeometry g, u32 rule, const float *v, const float *theta, const float *least,
                   float *y) {
    u32 len = g.rows * g.len;
    FOR_EACH(i, len) {
        Threshold threshold(rule, least, i / g.len);
        float rest = threshold.rest(v[i], theta[i]);
        y[i] = threshold.keeps(v[i], theta[i]) ? v[i] : (rest > 0.0f ? rest : 0.0f) * sign_of(v[i]);
    }
}

extern "C" __global__ void __launch_bounds__(THREADS)
    shrink_gradient(RowGeometry g, u32 rule, const float *v, const float *theta, const float *least,
                    const float *dy, float *dv) {
    u32 len = g.rows * g.len;
    FOR_EACH(i, len) {
        Threshold threshold(rule, least, i / g.len);
        bool passes = threshold.keeps(v[i], theta[i]) || threshold.rest(v[i], theta[i]) > 0.0f;
        dv[i] = passes ? dy[i] : 0.0f;
    }
}

// By θ; none where a soft threshold is clamped to zero.
extern "C" __global__ void __launch_bounds__(THREADS)
    shrink_threshold_gradient(RowGeometry g, u32 rule, const float *v, const float *theta,
                              const float *least, const float *dy, float *dtheta) {
    u32 len = g.rows * g.len;
    FOR_EACH(i, len) {
        Threshold threshold(rule, least, i / g.len);
        bool reduced = !threshold.keeps(v[i], theta[i]) && threshold.rest(v[i], theta[i]) > 0.0f;
        bool clamped = rule == RULE_SOFT && theta[i] <= 0.0f;
        dtheta[i] = reduced && !clamped ? -dy[i] * sign_of(v[i]) : 0.0f;
    }
}
