// Matrix products of pixels with kernels: y (rows, outs) = left (rows, depth) right (depth, outs).
//
// A block computes PRODUCT_ROWS rows and PRODUCT_OUTS columns with eight warps, each of them 16
// rows. The factors pass through shared memory PRODUCT_DEPTH values at a time; the next ones are
// fetched while the tensor cores work on the present ones. Strides in shared memory are such that
// the 32 lanes of a fragment load hit 32 banks.
#pragma once

#include "columns.cuh"
#include "mma.cuh"

#define PRODUCT_THREADS 256
#define PRODUCT_ROWS 128
#define PRODUCT_OUTS 32
#define PRODUCT_DEPTH 16
#define LEFT_STRIDE 20
#define RIGHT_STRIDE 40

// Kernel (outs, c, k, k) as the right factor of a convolution.
struct Kernel {
    const float *w;
    u32 c, taps, outs;

    __device__ inline float at(u32 j, u32 o) const {
        u32 tap = j / c;
        return w[((size_t)o * c + (j - tap * c)) * taps + tap];
    }
};

// Kernel (c, outs, k, k) of a layer with c outputs as the right factor of its input's gradient,
// which is the convolution with the turned kernel.
struct Turned {
    const float *w;
    u32 c, taps, outs;

    __device__ inline float at(u32 j, u32 o) const {
        u32 tap = j / c;
        return w[((size_t)(j - tap * c) * outs + o) * taps + (taps - 1 - tap)];
    }
};

// Kernel (depth, c, 3, 3) as the right factor of the samples' gradient: outs = taps * c.
struct ToSamples {
    const float *w;
    u32 c, taps, outs;

    __device__ inline float at(u32 j, u32 o) const {
        u32 tap = o / c;
        return w[((size_t)j * c + (o - tap * c)) * taps + tap];
    }
};

struct __align__(16) ProductTiles {
    float left[PRODUCT_ROWS * LEFT_STRIDE];
    float right[PRODUCT_DEPTH * RIGHT_STRIDE];
};

// What a thread fetches of both factors ahead of its turn.
template <class Left, class Right> struct Fetch {
    const Left &left;
    const Right &right;
    u32 depth, first_out;
    typename Left::Row rows[2];
    bool valid[2];
    float4 a[2];
    float b[2];

    __device__ Fetch(const Left &left, const Right &right, u32 rows_all, u32 depth)
        : left(left), right(right), depth(depth), first_out(blockIdx.y * PRODUCT_OUTS) {
#pragma unroll
        for (int i = 0; i < 2; i++) {
            u32 row = blockIdx.x * PRODUCT_ROWS + threadIdx.x / 4 + 64 * i;
            valid[i] = row < rows_all;
            rows[i] = left.row(valid[i] ? row : 0);
        }
    }

    __device__ inline void fetch(u32 first) {
#pragma unroll
        for (int i = 0; i < 2; i++) {
            a[i] = valid[i] ? left.quad(rows[i], first + threadIdx.x % 4 * 4)
                            : make_float4(0, 0, 0, 0);
            u32 j = first + threadIdx.x / 32 + 8 * i, o = first_out + threadIdx.x % 32;
            b[i] = j < depth && o < right.outs ? right.at(j, o) : 0.0f;
        }
    }

    __device__ inline void store(ProductTiles &tiles) const {
#pragma unroll
        for (int i = 0; i < 2; i++) {
            u32 row = threadIdx.x / 4 + 64 * i;
            *(float4 *)(tiles.left + row * LEFT_STRIDE + threadIdx.x % 4 * 4) = a[i];
            tiles.right[(threadIdx.x / 32 + 8 * i) * RIGHT_STRIDE + threadIdx.x % 32] = b[i];
        }
    }
};

// A warp's products of the tiles in shared memory: 16 rows, four times eight columns.
__device__ inline void multiply_tiles(const ProductTiles &tiles, float sums[4][4]) {
    u32 lane = threadIdx.x % 32, group = lane / 4, member = lane % 4;
    const float *left = tiles.left + (threadIdx.x / 32 * 16 + group) * LEFT_STRIDE + member;
    const float *right = tiles.right + member * RIGHT_STRIDE + group;
#pragma unroll
    for (int k = 0; k < PRODUCT_DEPTH; k += 8) {
        float a[4] = {left[k], left[k + 8 * LEFT_STRIDE], left[k + 4],
                      left[k + 4 + 8 * LEFT_STRIDE]};
        Split<4> split(a);
#pragma unroll
        for (int tile = 0; tile < 4; tile++) {
            float b[2] = {right[k * RIGHT_STRIDE + 8 * tile],
                          right[(k + 4) * RIGHT_STRIDE + 8 * tile]};
            mma_f32(sums[tile], split, Split<2>(b));
        }
    }
}

__device__ inline float activate(float v, u32 activation) {
    if (activation == ACTIVATION_RELU) {
        // Not fmaxf, which would hide a NaN.
        return v < 0.0f ? 0.0f : v;
    }
    return activation == ACTIVATION_SIGMOID ? 1.0f / (1.0f + expf(-v)) : v;
}

// The whole product, each row where `left` places it; `bias` (outs) may be null.
template <class Left, class Right>
__device__ inline void product(const Left &left, const Right &right, u32 rows, u32 depth,
                               const float *bias, u32 activation, float *y) {
    __shared__ ProductTiles tiles;
    float sums[4][4] = {};
    Fetch<Left, Right> ahead(left, right, rows, depth);
    ahead.fetch(0);
    for (u32 first = 0; first < depth; first += PRODUCT_DEPTH) {
        ahead.store(tiles);
        __syncthreads();
        if (first + PRODUCT_DEPTH < depth) {
            ahead.fetch(first + PRODUCT_DEPTH);
        }
        multiply_tiles(tiles, sums);
        __syncthreads();
    }
    u32 lane = threadIdx.x % 32;
    u32 row = blockIdx.x * PRODUCT_ROWS + threadIdx.x / 32 * 16 + lane / 4;
#pragma unroll
    for (int tile = 0; tile < 4; tile++) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            u32 p = row + i / 2 * 8, o = blockIdx.y * PRODUCT_OUTS + 8 * tile + lane % 4 * 2 + i % 2;
            if (p < rows && o < right.outs) {
                float v = sums[tile][i] + (bias ? bias[o] : 0.0f);
                y[left.place(p) * right.outs + o] = activate(v, activation);
            }
        }
    }
}
