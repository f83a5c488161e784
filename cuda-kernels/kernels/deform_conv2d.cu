// Deformable convolution, 3x3, one group, no bias.
//
// y[n,i,j,o] = Σ_{k,c} w[o,c,k] x(i+a_k-1+Δr, j+b_k-1+Δc)[c], x sampled bilinearly and zero
// outside, (Δr, Δc) = offsets[p, k]. Samples are taken where the matrix product wants them and
// never written to memory; only their gradient is.
#include "kernel_gradient.cuh"
#include "product.cuh"

extern "C" __global__ void __launch_bounds__(PRODUCT_THREADS, 2)
    deform_conv2d_forward(ConvGeometry g, const float *x, const float *offsets, const float *w,
                          float *y) {
    product(Samples(g, x, offsets), Kernel{w, g.c, TAPS, g.out}, g.n * g.h * g.w, g.c * TAPS,
            nullptr, ACTIVATION_NONE, y);
}

// Gradient of the samples: dsamples (pixels, taps, c).
extern "C" __global__ void __launch_bounds__(PRODUCT_THREADS, 2)
    deform_conv2d_sample_gradient(ConvGeometry g, const float *dy, const float *w,
                                  float *dsamples) {
    product(Plain{dy, g.out, g.out_vector != 0}, ToSamples{w, g.c, TAPS, TAPS * g.c},
            g.n * g.h * g.w, g.out, nullptr, ACTIVATION_NONE, dsamples);
}

// Gradient of the offsets, one sample a thread. Slopes at whole positions are those towards larger
// ones; a sample off the map has none.
extern "C" __global__ void __launch_bounds__(THREADS)
    deform_conv2d_offset_gradient(ConvGeometry g, const float *x, const float *offsets,
                                  const float *dsamples, float *doffsets) {
    Samples samples(g, x, offsets);
    u32 len = g.n * g.h * g.w * TAPS;
    FOR_EACH(i, len) {
        u32 p = i / TAPS;
        Pixel at = samples.row(p);
        Sample s = samples.sample(at, i - p * TAPS);
        float by_row = 0.0f, by_column = 0.0f;
        if (s.inside) {
            Corners corners(at.map, s, g.h, g.w, g.c);
            const float *d = dsamples + (size_t)i * g.c;
            for (u32 c = 0; c < g.c; c++) {
                float a = corners.value(0, c), b = corners.value(1, c);
                float e = corners.value(2, c), f = corners.value(3, c);
                by_row += d[c] * ((1.0f - s.column) * (e - a) + s.column * (f - b));
                by_column += d[c] * ((1.0f - s.row) * (b - a) + s.row * (f - e));
            }
        }
        doffsets[2 * (size_t)i] = by_row;
        doffsets[2 * (size_t)i + 1] = by_column;
    }
}

// Threads of a block that makes lists.
#define LIST_THREADS 32
// End of a list.
#define NOBODY 0xffffffffu

// Which samples read a place: per map and top left neighbour, which lies in (h + 1, w + 1) places
// from one row and column outside on, a list of samples. `heads` (n, h + 1, w + 1) holds the last
// sample of each list, `before` (n, pixels * taps) the one before each. One warp makes the lists of
// a map, 32 samples at a time in order, so that they are always the same.
extern "C" __global__ void __launch_bounds__(LIST_THREADS)
    deform_conv2d_lists(ConvGeometry g, const float *offsets, u32 *heads, u32 *before) {
    __shared__ u32 places[LIST_THREADS];
    u32 pixels = g.h * g.w, samples = pixels * TAPS, t = threadIdx.x;
    u32 *head = heads + (size_t)blockIdx.x * (g.h + 1) * (g.w + 1);
    for (u32 i = t; i < (g.h + 1) * (g.w + 1); i += LIST_THREADS) {
        head[i] = NOBODY;
    }
    __syncthreads();
    for (u32 first = 0; first < samples; first += LIST_THREADS) {
        u32 i = first + t, place = NOBODY;
        if (i < samples) {
            u32 p = i / TAPS, row = p / g.w;
            const float *offset = offsets + ((size_t)blockIdx.x * samples + i) * 2;
            Sample s = sample_at((int)row, (int)(p - row * g.w), i - p * TAPS, offset, g.h, g.w);
            if (s.inside) {
                place = (u32)(s.top + 1) * (g.w + 1) + (u32)(s.left + 1);
            }
        }
        places[t] = place;
        __syncthreads();
        u32 previous = NOBODY;
        bool last = true;
        if (place != NOBODY) {
            previous = head[place];
            for (u32 other = 0; other < LIST_THREADS; other++) {
                if (places[other] == place) {
                    previous = other < t ? first + other : previous;
                    last = last && other <= t;
                }
            }
            before[(size_t)blockIdx.x * samples + i] = previous;
        }
        __syncthreads();
        if (place != NOBODY && last) {
            head[place] = i;
        }
        __syncthreads();
    }
}

// Gradient of the input: every value collects from the samples that read its pixel, which are in
// four lists.
extern "C" __global__ void __launch_bounds__(THREADS)
    deform_conv2d_input_gradient(ConvGeometry g, const float *offsets, const float *dsamples,
                                 const u32 *heads, const u32 *before, float *dx) {
    u32 pixels = g.h * g.w, samples = pixels * TAPS, len = g.n * pixels * g.c;
    FOR_EACH(i, len) {
        u32 q = i / g.c, channel = i - q * g.c, map = q / pixels, inside = q - map * pixels;
        u32 row = inside / g.w, column = inside - row * g.w;
        float sum = 0.0f;
        for (u32 corner = 0; corner < 4; corner++) {
            // The sample's neighbour number `corner` is this pixel.
            u32 place = (row + 1 - corner / 2) * (g.w + 1) + column + 1 - corner % 2;
            u32 at = heads[(size_t)map * (g.h + 1) * (g.w + 1) + place];
            while (at != NOBODY) {
                u32 p = at / TAPS, from = p / g.w;
                size_t number = (size_t)map * samples + at;
                Sample s = sample_at((int)from, (int)(p - from * g.w), at - p * TAPS,
                                     offsets + 2 * number, g.h, g.w);
                float by_row = corner / 2 ? s.row : 1.0f - s.row;
                float by_column = corner % 2 ? s.column : 1.0f - s.column;
                sum += by_row * by_column * dsamples[number * g.c + channel];
                at = before[number];
            }
        }
        dx[i] = sum;
    }
}

extern "C" __global__ void __launch_bounds__(GRADIENT_THREADS)
    deform_conv2d_kernel_gradient(ConvGeometry g, SlabGeometry slab, const float *x,
                                  const float *offsets, const float *dy, float *part) {
    Plain right = {dy, g.out, g.out_vector != 0};
    kernel_gradient(right, Samples(g, x, offsets), g.n * g.h * g.w, slab, TAPS * g.c, part,
                    nullptr);
}
