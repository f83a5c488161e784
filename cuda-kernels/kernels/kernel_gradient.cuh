// Gradients of kernels: part[slab] (outs, depth) = Σ_p dy[p, o] left[p, j] over the slab's pixels.
//
// A block takes one slab, GRADIENT_OUTS outputs and GRADIENT_COLUMNS columns with four warps. Slabs
// depend on the shape alone, and a second kernel adds them up in order: the same bits every time.
#pragma once

#include "columns.cuh"
#include "mma.cuh"

#define GRADIENT_THREADS 128
#define GRADIENT_OUTS 32
#define GRADIENT_COLUMNS 48
#define GRADIENT_ROWS 32
#define DY_STRIDE 40
#define COLUMNS_STRIDE 56

struct __align__(16) GradientTiles {
    float dy[GRADIENT_ROWS * DY_STRIDE];
    float columns[GRADIENT_ROWS * COLUMNS_STRIDE];
};

// Pixels `first ..` of dy and of the columns; zero from `end` on.
template <class Left>
__device__ inline void load_gradient_tiles(GradientTiles &tiles, const Plain &dy, const Left &left,
                                           u32 first, u32 end) {
#pragma unroll
    for (int i = 0; i < 2; i++) {
        u32 at = threadIdx.x + GRADIENT_THREADS * i, row = at / 8, o = at % 8 * 4;
        float4 v = make_float4(0, 0, 0, 0);
        if (first + row < end) {
            v = dy.quad(dy.row(first + row), blockIdx.z * GRADIENT_OUTS + o);
        }
        *(float4 *)(tiles.dy + row * DY_STRIDE + o) = v;
    }
#pragma unroll
    for (int i = 0; i < 3; i++) {
        u32 at = threadIdx.x + GRADIENT_THREADS * i, row = at / 12, j = at % 12 * 4;
        float4 v = make_float4(0, 0, 0, 0);
        if (first + row < end) {
            v = left.quad(left.row(first + row), blockIdx.y * GRADIENT_COLUMNS + j);
        }
        *(float4 *)(tiles.columns + row * COLUMNS_STRIDE + j) = v;
    }
}

// A warp's products: 16 outputs, three times eight columns.
__device__ inline void multiply_gradient_tiles(const GradientTiles &tiles, float sums[3][4]) {
    u32 warp = threadIdx.x / 32, lane = threadIdx.x % 32, group = lane / 4, member = lane % 4;
    const float *dy = tiles.dy + member * DY_STRIDE + warp % 2 * 16 + group;
    const float *columns = tiles.columns + member * COLUMNS_STRIDE + warp / 2 * 24 + group;
#pragma unroll
    for (int k = 0; k < GRADIENT_ROWS; k += 8) {
        float a[4] = {dy[k * DY_STRIDE], dy[k * DY_STRIDE + 8], dy[(k + 4) * DY_STRIDE],
                      dy[(k + 4) * DY_STRIDE + 8]};
        Split<4> split(a);
#pragma unroll
        for (int tile = 0; tile < 3; tile++) {
            float b[2] = {columns[k * COLUMNS_STRIDE + 8 * tile],
                          columns[(k + 4) * COLUMNS_STRIDE + 8 * tile]};
            mma_f32(sums[tile], split, Split<2>(b));
        }
    }
}

// One slab's share; `bias_part` (slabs, outs) may be null.
template <class Left>
__device__ inline void kernel_gradient(const Plain &dy, const Left &left, u32 rows,
                                       const SlabGeometry &slab, u32 depth, float *part,
                                       float *bias_part) {
    __shared__ GradientTiles tiles;
    u32 outs = dy.depth;
    float sums[3][4] = {};
    float bias = 0.0f;
    u32 first = blockIdx.x * slab.rows, end = min(rows, first + slab.rows);
    for (; first < end; first += GRADIENT_ROWS) {
        load_gradient_tiles(tiles, dy, left, first, end);
        __syncthreads();
        multiply_gradient_tiles(tiles, sums);
        if (bias_part && blockIdx.y == 0 && threadIdx.x < GRADIENT_OUTS) {
            for (u32 row = 0; row < GRADIENT_ROWS; row++) {
                bias += tiles.dy[row * DY_STRIDE + threadIdx.x];
            }
        }
        __syncthreads();
    }
    u32 warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    u32 row = blockIdx.z * GRADIENT_OUTS + warp % 2 * 16 + lane / 4;
    u32 column = blockIdx.y * GRADIENT_COLUMNS + warp / 2 * 24 + lane % 4 * 2;
#pragma unroll
    for (int tile = 0; tile < 3; tile++) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            u32 o = row + i / 2 * 8, j = column + 8 * tile + i % 2;
            if (o < outs && j < depth) {
                part[((size_t)blockIdx.x * outs + o) * depth + j] = sums[tile][i];
            }
        }
    }
    u32 o = blockIdx.z * GRADIENT_OUTS + threadIdx.x;
    if (bias_part && blockIdx.y == 0 && threadIdx.x < GRADIENT_OUTS && o < outs) {
        bias_part[(size_t)blockIdx.x * outs + o] = bias;
    }
}
