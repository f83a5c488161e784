// Sum of all values of one input, carried in f64.
#include "common.cuh"

// A block's share.
extern "C" __global__ void __launch_bounds__(THREADS)
    total_partials(u32 len, const float *a, double *part) {
    __shared__ double shared[THREADS];
    double sum = 0.0;
    FOR_EACH(i, len) { sum += (double)a[i]; }
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) {
        part[blockIdx.x] = sum;
    }
}

extern "C" __global__ void __launch_bounds__(THREADS)
    total_gradient(u32 len, float scale, const float *dy, float *da) {
    float value = scale * dy[0];
    FOR_EACH(i, len) { da[i] = value; }
}
