// The left factor of the matrix products: for every pixel the values that its sum reads.
//
// A loader gives four neighbouring values of a row at a time, `quad(row, j)`; `j` is a multiple of
// four, and values from `depth` on are zero. Rows beyond the batch are never asked for. `place(row)`
// is the row of the result that belongs to a row.
#pragma once

#include "common.cuh"

// A matrix as it stands: (rows, depth).
struct Plain {
    const float *x;
    u32 depth;
    bool vector;

    struct Row {
        const float *x;
    };

    __device__ inline Row row(u32 p) const { return {x + (size_t)p * depth}; }
    __device__ inline size_t place(u32 p) const { return p; }

    __device__ inline float4 quad(const Row &row, u32 j) const {
        if (vector) {
            return j < depth ? *(const float4 *)(row.x + j) : make_float4(0, 0, 0, 0);
        }
        return make_float4(j < depth ? row.x[j] : 0.0f, j + 1 < depth ? row.x[j + 1] : 0.0f,
                           j + 2 < depth ? row.x[j + 2] : 0.0f, j + 3 < depth ? row.x[j + 3] : 0.0f);
    }
};

// Place of a pixel.
struct Pixel {
    const float *map;
    int row, column;
    u32 number;
};

__device__ inline Pixel pixel_at(const float *x, u32 p, u32 h, u32 w, u32 c) {
    u32 map = p / (h * w), inside = p - map * h * w;
    u32 row = inside / w;
    return {x + (size_t)map * h * w * c, (int)row, (int)(inside - row * w), p};
}

// Value number j = tap * c + channel of a neighbourhood. `left.neighbour(pixel, tap)` is the first
// channel of the neighbour behind a tap; null outside the map and beyond the last tap.
template <class Left>
__device__ inline float neighbour_value(const Left &left, const Pixel &at, u32 j) {
    const float *from = left.neighbour(at, j / left.c);
    return from ? from[j % left.c] : 0.0f;
}

// Four of them.
template <class Left>
__device__ inline float4 neighbour_quad(const Left &left, const Pixel &at, u32 j) {
    if (left.vector) {
        const float *from = left.neighbour(at, j / left.c);
        return from ? *(const float4 *)(from + j % left.c) : make_float4(0, 0, 0, 0);
    }
    return make_float4(neighbour_value(left, at, j), neighbour_value(left, at, j + 1),
                       neighbour_value(left, at, j + 2), neighbour_value(left, at, j + 3));
}

// Neighbourhoods of a convolution, zero outside the map: j = tap * c + channel.
struct Patches {
    typedef Pixel Row;
    const float *x;
    u32 h, w, c, k;
    bool vector;

    __device__ explicit Patches(const ConvGeometry &g, const float *x)
        : x(x), h(g.h), w(g.w), c(g.c), k(g.k), vector(g.vector != 0) {}

    __device__ inline Row row(u32 p) const { return pixel_at(x, p, h, w, c); }
    __device__ inline size_t place(u32 p) const { return p; }

    // First channel of the neighbour behind `tap`; null outside.
    __device__ inline const float *neighbour(const Row &at, u32 tap) const {
        int reach = (int)(k - 1) / 2;
        int row = at.row + (int)(tap / k) - reach, column = at.column + (int)(tap % k) - reach;
        bool inside = tap < k * k && row >= 0 && row < (int)h && column >= 0 && column < (int)w;
        return inside ? at.map + ((size_t)row * w + column) * c : nullptr;
    }

    __device__ inline float4 quad(const Row &at, u32 j) const {
        return neighbour_quad(*this, at, j);
    }
};

// A bilinear sample: its top left neighbour, which may lie one row or column outside, and the
// distances from there.
struct Sample {
    int top, left;
    float row, column;
    bool inside;
};

// Taps of the deformable kernel.
#define TAPS 9

__device__ inline Sample sample_at(int row, int column, u32 tap, const float *offset, u32 h, u32 w) {
    float y = (float)(row + (int)(tap / 3)) - 1.0f + offset[0];
    float x = (float)(column + (int)(tap % 3)) - 1.0f + offset[1];
    Sample s;
    s.inside = y > -1.0f && y < (float)h && x > -1.0f && x < (float)w;
    float top = s.inside ? floorf(y) : 0.0f, left = s.inside ? floorf(x) : 0.0f;
    s.top = (int)top;
    s.left = (int)left;
    s.row = y - top;
    s.column = x - left;
    return s;
}

// The four neighbours of a sample; null outside the map.
struct Corners {
    const float *at[4];

    __device__ Corners(const float *map, const Sample &s, u32 h, u32 w, u32 c) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            int row = s.top + i / 2, column = s.left + i % 2;
            bool inside =
                s.inside && row >= 0 && row < (int)h && column >= 0 && column < (int)w;
            at[i] = inside ? map + ((size_t)row * w + column) * c : nullptr;
        }
    }

    __device__ inline float value(int i, u32 channel) const { return at[i] ? at[i][channel] : 0.0f; }
};

// Neighbourhoods of a deformable convolution, sampled bilinearly: j = tap * c + channel.
struct Samples {
    typedef Pixel Row;
    const float *x;
    const float *offsets;
    u32 h, w, c;
    bool vector;

    __device__ Samples(const ConvGeometry &g, const float *x, const float *offsets)
        : x(x), offsets(offsets), h(g.h), w(g.w), c(g.c), vector(g.vector != 0) {}

    __device__ inline Row row(u32 p) const { return pixel_at(x, p, h, w, c); }
    __device__ inline size_t place(u32 p) const { return p; }

    __device__ inline Sample sample(const Row &at, u32 tap) const {
        const float *offset = offsets + ((size_t)at.number * TAPS + tap) * 2;
        return sample_at(at.row, at.column, tap, offset, h, w);
    }

    __device__ inline float one(const Row &at, u32 j) const {
        u32 tap = j / c;
        if (tap >= TAPS) {
            return 0.0f;
        }
        Sample s = sample(at, tap);
        if (!s.inside) {
            return 0.0f;
        }
        Corners corners(at.map, s, h, w, c);
        u32 channel = j - tap * c;
        float top = 1.0f - s.row, left = 1.0f - s.column;
        return top * left * corners.value(0, channel) + top * s.column * corners.value(1, channel) +
               s.row * left * corners.value(2, channel) + s.row * s.column * corners.value(3, channel);
    }

    __device__ inline float4 quad(const Row &at, u32 j) const {
        if (!vector) {
            return make_float4(one(at, j), one(at, j + 1), one(at, j + 2), one(at, j + 3));
        }
        float4 sum = make_float4(0, 0, 0, 0);
        u32 tap = j / c;
        if (tap >= TAPS) {
            return sum;
        }
        Sample s = sample(at, tap);
        if (!s.inside) {
            return sum;
        }
        Corners corners(at.map, s, h, w, c);
        float top = 1.0f - s.row, left = 1.0f - s.column;
        float weights[4] = {top * left, top * s.column, s.row * left, s.row * s.column};
#pragma unroll
        for (int i = 0; i < 4; i++) {
            if (corners.at[i]) {
                float4 v = *(const float4 *)(corners.at[i] + (j - tap * c));
                sum.x += weights[i] * v.x;
                sum.y += weights[i] * v.y;
                sum.z += weights[i] * v.z;
                sum.w += weights[i] * v.w;
            }
        }
        return sum;
    }
};
