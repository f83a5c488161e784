// Convolutions between a large map and a small one: with a stride (down), and their adjoints (up).
// Both are matrix products on tensor cores, as conv2d's are; up, the pixels of the large map that lie
// alike between those of the small one meet the same taps, and only those are multiplied.
#include "column_sums.cuh"
#include "kernel_gradient.cuh"
#include "product.cuh"

// Neighbourhoods of the large map that pixels of the small one meet: j = tap * c + channel.
struct Strided {
    typedef Pixel Row;
    const float *x;
    u32 h, w, c, k, small_h, small_w, stride, padding;
    bool vector;

    __device__ Strided(const StrideGeometry &g, const float *large)
        : x(large), h(g.h), w(g.w), c(g.c), k(g.k), small_h(g.small_h), small_w(g.small_w),
          stride(g.stride), padding(g.padding), vector(g.vector != 0) {}

    __device__ inline Row row(u32 p) const {
        u32 map = p / (small_h * small_w), inside = p - map * small_h * small_w;
        u32 row = inside / small_w, column = inside - row * small_w;
        return {x + (size_t)map * h * w * c, (int)(row * stride) - (int)padding,
                (int)(column * stride) - (int)padding, p};
    }

    __device__ inline size_t place(u32 p) const { return p; }

    __device__ inline const float *neighbour(const Row &at, u32 tap) const {
        int row = at.row + (int)(tap / k), column = at.column + (int)(tap % k);
        bool inside = tap < k * k && row >= 0 && row < (int)h && column >= 0 && column < (int)w;
        return inside ? at.map + ((size_t)row * w + column) * c : nullptr;
    }

    __device__ inline float4 quad(const Row &at, u32 j) const {
        return neighbour_quad(*this, at, j);
    }
};

// Along one axis: the pixels first, first + stride, .. of the large map, and the taps that they meet,
// tap, tap + stride, ..; tap number t of pixel number m meets pixel m + ahead - t of the small map.
struct Phase {
    u32 first, pixels, tap, taps, ahead;

    __device__ Phase(const StrideGeometry &g, u32 first, u32 side) : first(first) {
        pixels = first < side ? (side - first - 1) / g.stride + 1 : 0;
        tap = (first + g.padding) % g.stride;
        taps = tap < g.k ? (g.k - tap - 1) / g.stride + 1 : 0;
        ahead = (first + g.padding) / g.stride;
    }
};

// Pixels of the small map that those of one phase of the large one meet: j = tap * c + channel, taps
// of the phase.
struct Spread {
    typedef Pixel Row;
    const float *x;
    Phase rows, columns;
    u32 h, w, c, large_h, large_w, stride;
    bool vector;

    __device__ Spread(const StrideGeometry &g, const Phase &rows, const Phase &columns,
                      const float *small)
        : x(small), rows(rows), columns(columns), h(g.small_h), w(g.small_w), c(g.small_c),
          large_h(g.h), large_w(g.w), stride(g.stride), vector(g.small_vector != 0) {}

    __device__ inline Row row(u32 p) const {
        u32 map = p / (rows.pixels * columns.pixels), inside = p - map * rows.pixels * columns.pixels;
        u32 row = inside / columns.pixels, column = inside - row * columns.pixels;
        return {x + (size_t)map * h * w * c, (int)(row + rows.ahead),
                (int)(column + columns.ahead), p};
    }

    __device__ inline size_t place(u32 p) const {
        u32 map = p / (rows.pixels * columns.pixels), inside = p - map * rows.pixels * columns.pixels;
        u32 row = inside / columns.pixels, column = inside - row * columns.pixels;
        return ((size_t)map * large_h + rows.first + stride * row) * large_w + columns.first +
               stride * column;
    }

    __device__ inline const float *neighbour(const Row &at, u32 tap) const {
        if (tap >= rows.taps * columns.taps) {
            return nullptr;
        }
        u32 down = tap / columns.taps;
        int row = at.row - (int)down, column = at.column - (int)(tap - down * columns.taps);
        bool inside = row >= 0 && row < (int)h && column >= 0 && column < (int)w;
        return inside ? at.map + ((size_t)row * w + column) * c : nullptr;
    }

    __device__ inline float4 quad(const Row &at, u32 j) const {
        return neighbour_quad(*this, at, j);
    }
};

// Kernel (c, outs, k, k) as the right factor of one phase.
struct PhaseKernel {
    const float *w;
    Phase rows, columns;
    u32 c, k, stride, outs;

    __device__ inline float at(u32 j, u32 o) const {
        u32 tap = j / c, down = tap / columns.taps;
        u32 a = rows.tap + stride * down, b = columns.tap + stride * (tap - down * columns.taps);
        return w[(((size_t)(j - tap * c) * outs + o) * k + a) * k + b];
    }
};

extern "C" __global__ void __launch_bounds__(PRODUCT_THREADS, 2)
    strided_conv2d_down(StrideGeometry g, const float *large, const float *w, const float *bias,
                        float *small) {
    u32 taps = g.k * g.k;
    product(Strided(g, large), Kernel{w, g.c, taps, g.small_c}, g.n * g.small_h * g.small_w,
            g.c * taps, bias, ACTIVATION_NONE, small);
}

// One phase a plane of the grid.
extern "C" __global__ void __launch_bounds__(PRODUCT_THREADS, 2)
    strided_conv2d_up(StrideGeometry g, const float *small, const float *w, const float *bias,
                      float *large) {
    Phase rows(g, blockIdx.z / g.stride, g.h), columns(g, blockIdx.z % g.stride, g.w);
    u32 pixels = g.n * rows.pixels * columns.pixels;
    if (blockIdx.x * PRODUCT_ROWS >= pixels) {
        return;
    }
    product(Spread(g, rows, columns, small), PhaseKernel{w, rows, columns, g.small_c, g.k, g.stride, g.c},
            pixels, rows.taps * columns.taps * g.small_c, bias, ACTIVATION_NONE, large);
}

extern "C" __global__ void __launch_bounds__(GRADIENT_THREADS)
    strided_conv2d_kernel_gradient(StrideGeometry g, SlabGeometry slab, const float *large,
                                   const float *small, float *part) {
    Plain right = {small, g.small_c, g.small_vector != 0};
    kernel_gradient(right, Strided(g, large), g.n * g.small_h * g.small_w, slab, g.k * g.k * g.c,
                    part, nullptr);
}

// A slab's share of the gradient of the bias.
extern "C" __global__ void __launch_bounds__(THREADS)
    strided_conv2d_bias_partials(GroupGeometry g, SlabGeometry slab, const float *dy,
                                 double *part) {
    auto term = [=](u32 p, u32 c) { return (double)dy[(size_t)p * g.channels + c]; };
    column_sums(g.pixels, g.channels, slab, term, part);
}

extern "C" __global__ void __launch_bounds__(THREADS)
    strided_conv2d_bias_sum(u32 channels, SlabGeometry slab, const double *part, float *db) {
    FOR_EACH(c, channels) { db[c] = (float)slab_sum(channels, c, slab, part); }
}
