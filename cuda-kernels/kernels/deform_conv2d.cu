// Deformable convolution, 3x3, one group, no bias.
//
// y[n,i,j,o] = Σ_{k,c} w[o,c,k] x(i+a_k-1+Δr, j+b_k-1+Δc)[c], x sampled bilinearly and zero
// outside, (Δr, Δc) = offsets[p, k]. Samples are taken where the matrix product wants them and
// never written to memory; only their gradient is.
#include "kernel_gradient.cuh"
#include "lists.cuh"
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

// Gradient of the offsets, one sample a thread.
extern "C" __global__ void __launch_bounds__(THREADS)
    deform_conv2d_offset_gradient(ConvGeometry g, const float *x, const float *offsets,
                                  const float *dsamples, float *doffsets) {
    Samples samples(g, x, offsets);
    u32 len = g.n * g.h * g.w * TAPS;
    FOR_EACH(i, len) {
        u32 p = i / TAPS;
        Pixel at = samples.row(p);
        Sample s = samples.sample(at, i - p * TAPS);
        Corners corners(at.map, s, g.h, g.w, g.c);
        offset_gradient(s, corners, 0, g.c, dsamples + (size_t)i * g.c, doffsets + 2 * (size_t)i);
    }
}

extern "C" __global__ void __launch_bounds__(LIST_THREADS)
    deform_conv2d_lists(ConvGeometry g, const float *offsets, u32 *heads, u32 *before) {
    make_lists(Offsets{offsets, g.h, g.w, 1}, heads, before);
}

// Gradient of the input.
extern "C" __global__ void __launch_bounds__(THREADS)
    deform_conv2d_input_gradient(ConvGeometry g, const float *offsets, const float *dsamples,
                                 const u32 *heads, const u32 *before, float *dx) {
    u32 len = g.n * g.h * g.w * g.c;
    FOR_EACH(i, len) {
        u32 q = i / g.c;
        dx[i] = collect(Offsets{offsets, g.h, g.w, 1}, q, i - q * g.c, g.c, 0, dsamples, heads,
                        before);
    }
}

extern "C" __global__ void __launch_bounds__(GRADIENT_THREADS)
    deform_conv2d_kernel_gradient(ConvGeometry g, SlabGeometry slab, const float *x,
                                  const float *offsets, const float *dy, float *part) {
    Plain right = {dy, g.out, g.out_vector != 0};
    kernel_gradient(right, Samples(g, x, offsets), g.n * g.h * g.w, slab, TAPS * g.c, part,
                    nullptr);
}
