// The second half of every sum over a batch: blocks' shares, in a fixed order.
#include "common.cuh"

// out = scale Σ part.
extern "C" __global__ void __launch_bounds__(THREADS)
    reduce_finish(u32 count, float scale, const double *part, float *out) {
    __shared__ double shared[THREADS];
    double sum = 0.0;
    for (u32 i = threadIdx.x; i < count; i += THREADS) {
        sum += part[i];
    }
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) {
        out[0] = (float)((double)scale * sum);
    }
}

// to = factor[0] scale from.
extern "C" __global__ void __launch_bounds__(THREADS)
    reduce_scale(u32 len, float scale, const float *factor, const float *from, float *to) {
    float f = factor[0] * scale;
    FOR_EACH(i, len) { to[i] = f * from[i]; }
}
