// Soft threshold: y = sign(x) max(|x| - θ, 0).
#include "common.cuh"

extern "C" __global__ void __launch_bounds__(THREADS)
    soft_threshold_forward(u32 len, const float *x, const float *theta, float *y) {
    float t = theta[0];
    FOR_EACH(i, len) {
        float rest = fabsf(x[i]) - t;
        y[i] = (rest > 0.0f ? rest : 0.0f) * sign_of(x[i]);
    }
}

extern "C" __global__ void __launch_bounds__(THREADS)
    soft_threshold_gradient(u32 len, const float *x, const float *theta, const float *dy,
                            float *dx) {
    float t = theta[0];
    FOR_EACH(i, len) { dx[i] = fabsf(x[i]) > t ? dy[i] : 0.0f; }
}

// A block's share of Σ sign(x) dy over |x| > θ.
extern "C" __global__ void __launch_bounds__(THREADS)
    soft_threshold_partials(u32 len, const float *x, const float *theta, const float *dy,
                            double *part) {
    __shared__ double shared[THREADS];
    float t = theta[0];
    double sum = 0.0;
    FOR_EACH(i, len) { sum += fabsf(x[i]) > t ? (double)(dy[i] * sign_of(x[i])) : 0.0; }
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) {
        part[blockIdx.x] = sum;
    }
}
