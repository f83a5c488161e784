// An unfolding stage without its symmetric branch, forward: data step, convolution and ReLU,
// convolution, soft threshold, convolution and ReLU, convolution. One map a block; between the
// layers its channels stay in shared memory, with a border of zeros.
//
// Every sum runs in the order of the operators' own kernels and rounds as there, written out with
// fmaf, so the bits are the same.
#include "mma.cuh"
#include "sandwich.cuh"

#define STAGE_THREADS 512
// Pairs of warps share the map's rows of 16 pixels, up to this many a pair; one of a pair computes
// the first half of the outputs, the other the second half.
#define MOST_ROWS 9
#define PAIRS (STAGE_THREADS / 64)
#define TAPS 9

// Where the map lies in shared memory. Channels are padded so that the lanes of a fragment hit
// different banks.
template <u32 C> struct Map {
    static const u32 stride = C + 4;
    float *values;
    u32 side;

    // Pixel (row, column), from -1 to side.
    __device__ inline float *at(int row, int column) const {
        return values + ((row + 1) * (int)(side + 2) + column + 1) * (int)stride;
    }
};

__device__ inline float soft(float x, float theta) {
    float rest = fabsf(x) - theta;
    return (rest > 0.0f ? rest : 0.0f) * sign_of(x);
}

// R from H, where the product G H G stands.
__device__ inline void step_to_data(u32 side, const float *h, const float *back, const float *rho,
                                    float *result) {
    u32 len = side * side;
    for (u32 i = threadIdx.x; i < len; i += STAGE_THREADS) {
        size_t at = (size_t)blockIdx.x * len + i;
        result[i] = fmaf(-rho[0], result[i] - back[at], h[at]);
    }
}

// The first layer: relu(conv(r)), one value a thread.
template <u32 C>
__device__ inline void widen(const Map<C> &map, const float *r, const float *w) {
    int side = (int)map.side;
    for (u32 i = threadIdx.x; i < map.side * map.side * C; i += STAGE_THREADS) {
        u32 p = i / C, o = i % C;
        int row = (int)(p / map.side), column = (int)(p % map.side);
        float sum = 0.0f;
        for (int tap = 0; tap < TAPS; tap++) {
            int y = row + tap / 3 - 1, x = column + tap % 3 - 1;
            if (y >= 0 && y < side && x >= 0 && x < side) {
                sum = fmaf(r[y * side + x], w[o * TAPS + tap], sum);
            }
        }
        map.at(row, column)[o] = sum < 0.0f ? 0.0f : sum;
    }
}

// The last layer, from C channels to one; one pixel a thread.
template <u32 C>
__device__ inline void narrow(const Map<C> &map, const float *w, float *out) {
    int side = (int)map.side;
    for (u32 p = threadIdx.x; p < map.side * map.side; p += STAGE_THREADS) {
        int row = (int)(p / map.side), column = (int)(p % map.side);
        float sum = 0.0f;
        for (int tap = 0; tap < TAPS; tap++) {
            int y = row + tap / 3 - 1, x = column + tap % 3 - 1;
            if (y >= 0 && y < side && x >= 0 && x < side) {
                const float *from = map.at(y, x);
                for (u32 channel = 0; channel < C; channel++) {
                    sum = fmaf(from[channel], w[channel * TAPS + tap], sum);
                }
            }
        }
        out[(size_t)blockIdx.x * map.side * map.side + p] = sum;
    }
}

// A warp's sums of a layer from C to C channels: 16 pixels a row, eight outputs a tile.
template <u32 C> struct Sums {
    static const int tiles = C / 16;
    float d[MOST_ROWS][tiles][4];
};

// First value of pixel `p`, or of the first one for pixels beyond the map.
template <u32 C> __device__ inline const float *pixel(const Map<C> &map, u32 p) {
    u32 at = p < map.side * map.side ? p : 0;
    return map.at((int)(at / map.side), (int)(at % map.side));
}

// The layer's sums; with a threshold its input is soft(x).
template <u32 C, bool THRESHOLD>
__device__ inline void convolve(const Map<C> &map, const float *w, float theta, Sums<C> &sums) {
    const int tiles = Sums<C>::tiles;
    u32 warp = threadIdx.x / 32, lane = threadIdx.x % 32, group = lane / 4, member = lane % 4;
    u32 rows = (map.side * map.side + 15) / 16;
#pragma unroll
    for (int i = 0; i < MOST_ROWS; i++) {
#pragma unroll
        for (int tile = 0; tile < tiles; tile++) {
            sums.d[i][tile][0] = sums.d[i][tile][1] = sums.d[i][tile][2] = sums.d[i][tile][3] = 0.0f;
        }
    }
    w += (warp % 2 * (C / 2) + group) * C * TAPS;
    for (u32 j = 0; j < TAPS * C; j += 8) {
        u32 tap = j / C, channel = j % C + member;
        int shift = ((int)(tap / 3 - 1) * (int)(map.side + 2) + (int)(tap % 3) - 1) *
                        (int)Map<C>::stride + (int)channel;
        Split<2> right[tiles];
#pragma unroll
        for (int tile = 0; tile < tiles; tile++) {
            const float *from = w + (8 * tile * C + channel) * TAPS + tap;
            float b[2] = {__ldg(from), __ldg(from + 4 * TAPS)};
            right[tile] = Split<2>(b);
        }
#pragma unroll
        for (int i = 0; i < MOST_ROWS; i++) {
            u32 row = warp / 2 + i * PAIRS;
            if (row < rows) {
                const float *upper = pixel(map, 16 * row + group) + shift;
                const float *lower = pixel(map, 16 * row + group + 8) + shift;
                float a[4] = {upper[0], lower[0], upper[4], lower[4]};
#pragma unroll
                for (int k = 0; THRESHOLD && k < 4; k++) {
                    a[k] = soft(a[k], theta);
                }
                Split<4> left(a);
#pragma unroll
                for (int tile = 0; tile < tiles; tile++) {
                    mma_f32(sums.d[i][tile], left, right[tile]);
                }
            }
        }
    }
}

// Writes a layer's values over its input, once all warps have read that.
template <u32 C, bool RELU>
__device__ inline void replace(const Map<C> &map, const Sums<C> &sums) {
    u32 warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    __syncthreads();
#pragma unroll
    for (int i = 0; i < MOST_ROWS; i++) {
#pragma unroll
        for (int tile = 0; tile < Sums<C>::tiles; tile++) {
#pragma unroll
            for (int k = 0; k < 4; k++) {
                u32 p = 16 * (warp / 2 + i * PAIRS) + lane / 4 + k / 2 * 8;
                u32 o = warp % 2 * (C / 2) + 8 * tile + lane % 4 * 2 + k % 2;
                if (p < map.side * map.side) {
                    float v = sums.d[i][tile][k];
                    map.at((int)(p / map.side), (int)(p % map.side))[o] =
                        RELU && v < 0.0f ? 0.0f : v;
                }
            }
        }
    }
    __syncthreads();
}

template <u32 C>
__device__ inline void stage(const StageGeometry &g, const float *h, const float *back,
                             const float *rho, const float *gram, const float *f1, const float *f2,
                             const float *theta, const float *g1, const float *g2, float *out) {
    extern __shared__ float shared[];
    u32 border = (g.side + 2) * (g.side + 2) * Map<C>::stride;
    Map<C> map = {shared, g.side};
    for (u32 i = threadIdx.x; i < border; i += STAGE_THREADS) {
        shared[i] = 0.0f;
    }
    float *r = sandwich(g.side, gram, h, shared + border);
    step_to_data(g.side, h, back, rho, r);
    __syncthreads();
    widen(map, r, f1);
    __syncthreads();
    Sums<C> sums;
    convolve<C, false>(map, f2, 0.0f, sums);
    replace<C, false>(map, sums);
    convolve<C, true>(map, g1, theta[0], sums);
    replace<C, true>(map, sums);
    narrow(map, g2, out);
}

extern "C" __global__ void __launch_bounds__(STAGE_THREADS, 1)
    stage_forward_16(StageGeometry g, const float *h, const float *back, const float *rho,
                     const float *gram, const float *f1, const float *f2, const float *theta,
                     const float *g1, const float *g2, float *out) {
    stage<16>(g, h, back, rho, gram, f1, f2, theta, g1, g2, out);
}

extern "C" __global__ void __launch_bounds__(STAGE_THREADS, 1)
    stage_forward_32(StageGeometry g, const float *h, const float *back, const float *rho,
                     const float *gram, const float *f1, const float *f2, const float *theta,
                     const float *g1, const float *g2, float *out) {
    stage<32>(g, h, back, rho, gram, f1, f2, theta, g1, g2, out);
}
