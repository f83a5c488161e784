// Adam with coupled L2, the norm of gradients, and the average of weights, over all parameters in
// one launch each: a table says which slice of which tensor each block works on.
#include "common.cuh"

__device__ inline float flush(float value, float least) {
    return fabsf(value) < least ? 0.0f : value;
}

extern "C" __global__ void __launch_bounds__(THREADS)
    adam_step(AdamGeometry g, const AdamSlice *table) {
    AdamSlice slice = table[blockIdx.x];
    for (u32 i = threadIdx.x; i < slice.len; i += THREADS) {
        float w = slice.value[i], grad = slice.gradient[i] + g.weight_decay * w;
        float m = flush(g.beta1 * slice.first[i] + (1.0f - g.beta1) * grad, g.negligible_first);
        float v = flush(g.beta2 * slice.second[i] + (1.0f - g.beta2) * grad * grad,
                        g.negligible_second);
        slice.first[i] = m;
        slice.second[i] = v;
        slice.value[i] = flush(w - slice.step * m / (sqrtf(v) / g.root + g.epsilon), g.negligible);
    }
}

// A slice's share of the gradients' squared norm.
extern "C" __global__ void __launch_bounds__(THREADS)
    adam_norm_partials(const AdamSlice *table, double *part) {
    __shared__ double shared[THREADS];
    AdamSlice slice = table[blockIdx.x];
    double sum = 0.0;
    for (u32 i = threadIdx.x; i < slice.len; i += THREADS) {
        double v = (double)slice.gradient[i];
        sum += v * v;
    }
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) {
        part[blockIdx.x] = sum;
    }
}

// Factor that brings the norm down to `limit`; 1 where it is no larger.
extern "C" __global__ void __launch_bounds__(THREADS)
    adam_clip_factor(u32 count, float limit, const double *part, float *factor) {
    __shared__ double shared[THREADS];
    double sum = 0.0;
    for (u32 i = threadIdx.x; i < count; i += THREADS) {
        sum += part[i];
    }
    double norm = sqrt(block_sum(sum, shared));
    if (threadIdx.x == 0) {
        factor[0] = norm > (double)limit ? (float)((double)limit / norm) : 1.0f;
    }
}

extern "C" __global__ void __launch_bounds__(THREADS)
    adam_scale(const AdamSlice *table, const float *factor) {
    AdamSlice slice = table[blockIdx.x];
    for (u32 i = threadIdx.x; i < slice.len; i += THREADS) {
        slice.gradient[i] *= factor[0];
    }
}

// Moves averages, which stand in `first`, towards the values.
extern "C" __global__ void __launch_bounds__(THREADS)
    adam_follow(float taken, float negligible, const AdamSlice *table) {
    AdamSlice slice = table[blockIdx.x];
    for (u32 i = threadIdx.x; i < slice.len; i += THREADS) {
        float a = slice.first[i];
        slice.first[i] = flush(a + taken * (slice.value[i] - a), negligible);
    }
}
