// Leaky rectifier: y = max(x, 0) + slope min(x, 0). The slope at 0 is that of negative values.
#include "common.cuh"

extern "C" __global__ void __launch_bounds__(THREADS)
    prelu_forward(u32 len, const float *x, const float *slope, float *y) {
    float s = slope[0];
    FOR_EACH(i, len) { y[i] = x[i] > 0.0f ? x[i] : s * x[i]; }
}

extern "C" __global__ void __launch_bounds__(THREADS)
    prelu_gradient(u32 len, const float *x, const float *slope, const float *dy, float *dx) {
    float s = slope[0];
    FOR_EACH(i, len) { dx[i] = x[i] > 0.0f ? dy[i] : s * dy[i]; }
}

// A block's share of Σ min(x, 0) dy.
extern "C" __global__ void __launch_bounds__(THREADS)
    prelu_slope_partials(u32 len, const float *x, const float *dy, double *part) {
    __shared__ double shared[THREADS];
    double sum = 0.0;
    FOR_EACH(i, len) { sum += x[i] < 0.0f ? (double)(dy[i] * x[i]) : 0.0; }
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) {
        part[blockIdx.x] = sum;
    }
}
