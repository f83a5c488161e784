// Spectral normalisation: a step of power iteration for W (rows, len), and W / (uᵀ W v). Everything
// but matrices and results is in f64. `uv` holds u (rows) and v (len), one after the other.
#include "common.cuh"

// Wᵀ u, one column a thread.
extern "C" __global__ void __launch_bounds__(THREADS)
    spectral_norm_columns(RowGeometry g, const float *w, const float *u, double *v) {
    FOR_EACH(i, g.len) {
        double sum = 0.0;
        for (u32 row = 0; row < g.rows; row++) {
            sum += (double)u[row] * (double)w[(size_t)row * g.len + i];
        }
        v[i] = sum;
    }
}

// W v, one row a block.
extern "C" __global__ void __launch_bounds__(THREADS)
    spectral_norm_rows(u32 len, const float *w, const double *v, double *u) {
    __shared__ double shared[THREADS];
    double sum = 0.0;
    for (u32 i = threadIdx.x; i < len; i += THREADS) {
        sum += (double)w[(size_t)blockIdx.x * len + i] * v[i];
    }
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) {
        u[blockIdx.x] = sum;
    }
}

// A vector over its norm, in place and rounded; one block.
extern "C" __global__ void __launch_bounds__(THREADS)
    spectral_norm_unit(u32 len, double *values, float *out) {
    __shared__ double shared[THREADS];
    double sum = 0.0;
    for (u32 i = threadIdx.x; i < len; i += THREADS) {
        sum += values[i] * values[i];
    }
    double norm = sqrt(block_sum(sum, shared));
    // Least norm by which vectors are divided.
    norm = norm > 1e-12 ? norm : 1e-12;
    for (u32 i = threadIdx.x; i < len; i += THREADS) {
        values[i] /= norm;
        out[i] = (float)values[i];
    }
}

// Row by row u W v, one row a block.
extern "C" __global__ void __launch_bounds__(THREADS)
    spectral_norm_sigma_partials(RowGeometry g, const float *w, const float *uv, double *part) {
    __shared__ double shared[THREADS];
    const float *v = uv + g.rows;
    double sum = 0.0;
    for (u32 i = threadIdx.x; i < g.len; i += THREADS) {
        sum += (double)w[(size_t)blockIdx.x * g.len + i] * (double)v[i];
    }
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) {
        part[blockIdx.x] = sum * (double)uv[blockIdx.x];
    }
}

// A block's share of Σ W ∘ dy.
extern "C" __global__ void __launch_bounds__(THREADS)
    spectral_norm_product_partials(u32 len, const float *w, const float *dy, double *part) {
    __shared__ double shared[THREADS];
    double sum = 0.0;
    FOR_EACH(i, len) { sum += (double)w[i] * (double)dy[i]; }
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) {
        part[blockIdx.x] = sum;
    }
}

// out = Σ part; one block.
extern "C" __global__ void __launch_bounds__(THREADS)
    spectral_norm_sum(u32 count, const double *part, double *out) {
    __shared__ double shared[THREADS];
    double sum = 0.0;
    for (u32 i = threadIdx.x; i < count; i += THREADS) {
        sum += part[i];
    }
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) {
        out[0] = sum;
    }
}

// W / σ.
extern "C" __global__ void __launch_bounds__(THREADS)
    spectral_norm_forward(u32 len, const double *sigma, const float *w, float *y) {
    float factor = (float)(1.0 / sigma[0]);
    FOR_EACH(i, len) { y[i] = factor * w[i]; }
}

// (dy - (product / σ) u vᵀ) / σ, where `product` is Σ W ∘ dy.
extern "C" __global__ void __launch_bounds__(THREADS)
    spectral_norm_gradient(RowGeometry g, const double *sigma, const double *product,
                           const float *uv, const float *dy, float *dw) {
    u32 len = g.rows * g.len;
    double share = product[0] / sigma[0];
    FOR_EACH(i, len) {
        u32 row = i / g.len;
        double outer = (double)uv[row] * (double)uv[g.rows + i - row * g.len];
        dw[i] = (float)(((double)dy[i] - share * outer) / sigma[0]);
    }
}
