// One figure per row of v (rows, len): root mean square, and number of entries that are not zero. One
// row a block.
#include "common.cuh"

extern "C" __global__ void __launch_bounds__(THREADS)
    row_stats_rms(u32 len, const float *v, float *y) {
    __shared__ double shared[THREADS];
    const float *row = v + (size_t)blockIdx.x * len;
    double sum = 0.0;
    for (u32 i = threadIdx.x; i < len; i += THREADS) {
        sum += (double)(row[i] * row[i]);
    }
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) {
        y[blockIdx.x] = (float)sqrt(sum / (double)len);
    }
}

// A row of zeros has no gradient.
extern "C" __global__ void __launch_bounds__(THREADS)
    row_stats_rms_gradient(RowGeometry g, const float *v, const float *y, const float *dy,
                           float *dv) {
    u32 len = g.rows * g.len;
    FOR_EACH(i, len) {
        u32 row = i / g.len;
        float factor = y[row] > 0.0f ? dy[row] / ((float)g.len * y[row]) : 0.0f;
        dv[i] = factor * v[i];
    }
}

extern "C" __global__ void __launch_bounds__(THREADS)
    row_stats_count(u32 len, float scale, const float *v, float *y) {
    __shared__ double shared[THREADS];
    const float *row = v + (size_t)blockIdx.x * len;
    u32 own = 0;
    for (u32 i = threadIdx.x; i < len; i += THREADS) {
        own += row[i] != 0.0f;
    }
    double sum = block_sum((double)own, shared);
    if (threadIdx.x == 0) {
        y[blockIdx.x] = scale * (float)sum;
    }
}
