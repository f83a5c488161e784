// The product G x G of a data step, in shared memory.
#pragma once

#include "common.cuh"

// out = a b, all square and in shared memory.
__device__ inline void square_product(u32 side, const float *a, const float *b, float *out) {
    for (u32 i = threadIdx.x; i < side * side; i += blockDim.x) {
        u32 row = i / side, column = i - row * side;
        float sum = 0.0f;
        for (u32 k = 0; k < side; k++) {
            sum = fmaf(a[row * side + k], b[k * side + column], sum);
        }
        out[i] = sum;
    }
}

// G x G of this block's map, in shared memory (4, side, side); all threads may read it.
__device__ inline float *sandwich(u32 side, const float *gram, const float *x, float *shared) {
    u32 len = side * side;
    float *g = shared, *map = shared + len, *half = map + len, *result = half + len;
    for (u32 i = threadIdx.x; i < len; i += blockDim.x) {
        g[i] = gram[i];
        map[i] = x[(size_t)blockIdx.x * len + i];
    }
    __syncthreads();
    square_product(side, g, map, half);
    __syncthreads();
    square_product(side, half, g, result);
    __syncthreads();
    return result;
}
