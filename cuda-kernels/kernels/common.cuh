// What every kernel shares: index types, thread numbers, sums in a fixed order.
//
// Legend: n maps, h rows, w columns, c channels, channels last; p pixels over the whole batch.
#pragma once

#include "geometry.cuh"

// Threads of a block of the elementwise kernels and of reductions.
#define THREADS 256

// Elementwise kernels cover any length with any grid: each output value is one thread's work, so
// the grid decides nothing about results.
#define FOR_EACH(i, len) \
    for (u32 i = blockIdx.x * blockDim.x + threadIdx.x; i < (len); i += gridDim.x * blockDim.x)

// -1, 0 or 1; zero at zero.
__device__ inline float sign_of(float x) { return (float)((x > 0.0f) - (x < 0.0f)); }

// Sum over the block's THREADS threads by a fixed tree; all threads get it.
__device__ inline double block_sum(double value, double *shared) {
    u32 t = threadIdx.x;
    shared[t] = value;
    __syncthreads();
    for (u32 half = THREADS / 2; half > 0; half /= 2) {
        if (t < half) {
            shared[t] += shared[t + half];
        }
        __syncthreads();
    }
    return shared[0];
}
