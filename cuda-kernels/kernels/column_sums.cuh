// Sums over pixels, channel by channel: slabs of pixels first, then slab after slab, in f64. Slabs
// depend on the shape alone.
#pragma once

#include "common.cuh"

// Channels of a block, which takes the slab's pixels THREADS / COLUMN_CHANNELS at a time.
#define COLUMN_CHANNELS 32

// part (slabs, channels): sums of `term(pixel, channel)` over slab blockIdx.x.
template <class Term>
__device__ inline void column_sums(u32 pixels, u32 channels, const SlabGeometry &slab,
                                   const Term &term, double *part) {
    __shared__ double shared[THREADS];
    u32 row = threadIdx.x / COLUMN_CHANNELS, lane = threadIdx.x % COLUMN_CHANNELS;
    u32 channel = blockIdx.y * COLUMN_CHANNELS + lane;
    u32 first = blockIdx.x * slab.rows, end = min(pixels, first + slab.rows);
    double sum = 0.0;
    if (channel < channels) {
        for (u32 p = first + row; p < end; p += THREADS / COLUMN_CHANNELS) {
            sum += term(p, channel);
        }
    }
    shared[threadIdx.x] = sum;
    __syncthreads();
    if (row == 0 && channel < channels) {
        for (u32 other = 1; other < THREADS / COLUMN_CHANNELS; other++) {
            sum += shared[other * COLUMN_CHANNELS + lane];
        }
        part[(size_t)blockIdx.x * channels + channel] = sum;
    }
}

// The slabs' sums of one channel, in order.
__device__ inline double slab_sum(u32 channels, u32 channel, const SlabGeometry &slab,
                                  const double *part) {
    double sum = 0.0;
    for (u32 s = 0; s < slab.count; s++) {
        sum += part[(size_t)s * channels + channel];
    }
    return sum;
}
