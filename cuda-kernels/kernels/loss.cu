// Scalar losses and their weighted sum; sums are carried in f64.
#include "common.cuh"

// A block's share of Σ (a - b)²; a null `b` stands for zero.
extern "C" __global__ void __launch_bounds__(THREADS)
    loss_squared_partials(u32 len, const float *a, const float *b, double *part) {
    __shared__ double shared[THREADS];
    double sum = 0.0;
    FOR_EACH(i, len) {
        float d = b ? a[i] - b[i] : a[i];
        sum += (double)(d * d);
    }
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) {
        part[blockIdx.x] = sum;
    }
}

// A block's share of Σ |a - b|.
extern "C" __global__ void __launch_bounds__(THREADS)
    loss_absolute_partials(u32 len, const float *a, const float *b, double *part) {
    __shared__ double shared[THREADS];
    double sum = 0.0;
    FOR_EACH(i, len) { sum += (double)fabsf(a[i] - b[i]); }
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) {
        part[blockIdx.x] = sum;
    }
}

// da = 2 scale dy (a - b); a null `b` stands for zero.
extern "C" __global__ void __launch_bounds__(THREADS)
    loss_squared_gradient(u32 len, float scale, const float *a, const float *b, const float *dy,
                          float *da) {
    float factor = 2.0f * scale * dy[0];
    FOR_EACH(i, len) { da[i] = factor * (b ? a[i] - b[i] : a[i]); }
}

// da = scale dy sign(a - b).
extern "C" __global__ void __launch_bounds__(THREADS)
    loss_absolute_gradient(u32 len, float scale, const float *a, const float *b, const float *dy,
                           float *da) {
    float factor = scale * dy[0];
    FOR_EACH(i, len) { da[i] = factor * sign_of(a[i] - b[i]); }
}

// out = Σ weight scalar, on from its present value where there is more; one thread.
extern "C" __global__ void __launch_bounds__(32) loss_weighted_sum(Terms terms, float *out) {
    if (threadIdx.x == 0) {
        double sum = terms.more ? (double)out[0] : 0.0;
        for (u32 i = 0; i < terms.count; i++) {
            sum += (double)terms.weight[i] * (double)terms.scalar[i][0];
        }
        out[0] = (float)sum;
    }
}

// scalar = weight dy for each of the scalars.
extern "C" __global__ void __launch_bounds__(32) loss_weighted_gradient(Terms terms,
                                                                        const float *dy) {
    if (threadIdx.x < terms.count) {
        terms.scalar[threadIdx.x][0] = terms.weight[threadIdx.x] * dy[0];
    }
}
