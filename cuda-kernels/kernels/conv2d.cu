// Two-dimensional cross-correlation with zero padding, stride 1, bias and activation.
//
// y[n,i,j,o] = act(b[o] + Σ_{a,b,c} w[o,c,a,b] x[n, i+a-p, j+b-p, c]), p = (k-1)/2. Layers with
// eight and more channels on either side are matrix products on tensor cores; the others, which
// would leave most of a tile empty, are sums per output value.
#include "kernel_gradient.cuh"
#include "product.cuh"

extern "C" __global__ void __launch_bounds__(PRODUCT_THREADS, 2)
    conv2d_forward(ConvGeometry g, const float *x, const float *w, const float *bias, float *y) {
    u32 taps = g.k * g.k;
    product(Patches(g, x), Kernel{w, g.c, taps, g.out}, g.n * g.h * g.w, g.c * taps, bias,
            g.activation, y);
}

// dx from the gradient `dy` of the sums: here `g.c` counts the layer's outputs, `g.out` its inputs.
extern "C" __global__ void __launch_bounds__(PRODUCT_THREADS, 2)
    conv2d_data_gradient(ConvGeometry g, const float *dy, const float *w, float *dx) {
    u32 taps = g.k * g.k;
    product(Patches(g, dy), Turned{w, g.c, taps, g.out}, g.n * g.h * g.w, g.c * taps, nullptr,
            ACTIVATION_NONE, dx);
}

// One output value a thread, the kernel as (tap, c, out) in shared memory.
template <class Right>
__device__ inline void direct(const ConvGeometry &g, const Right &right, const float *x,
                              const float *bias, u32 activation, float *y) {
    extern __shared__ float kernel[];
    u32 depth = g.k * g.k * g.c, values = g.n * g.h * g.w * g.out;
    for (u32 i = threadIdx.x; i < depth * g.out; i += blockDim.x) {
        u32 j = i / g.out;
        kernel[i] = right.at(j, i - j * g.out);
    }
    __syncthreads();
    Patches patches(g, x);
    FOR_EACH(i, values) {
        u32 p = i / g.out, o = i - p * g.out;
        Pixel at = patches.row(p);
        float sum = 0.0f;
        for (u32 tap = 0; tap < g.k * g.k; tap++) {
            const float *from = patches.neighbour(at, tap);
            if (from) {
                const float *column = kernel + tap * g.c * g.out + o;
                for (u32 channel = 0; channel < g.c; channel++) {
                    sum = fmaf(from[channel], column[channel * g.out], sum);
                }
            }
        }
        y[i] = activate(sum + (bias ? bias[o] : 0.0f), activation);
    }
}

extern "C" __global__ void __launch_bounds__(THREADS)
    conv2d_direct_forward(ConvGeometry g, const float *x, const float *w, const float *bias,
                          float *y) {
    direct(g, Kernel{w, g.c, g.k * g.k, g.out}, x, bias, g.activation, y);
}

extern "C" __global__ void __launch_bounds__(THREADS)
    conv2d_direct_data_gradient(ConvGeometry g, const float *dy, const float *w, float *dx) {
    direct(g, Turned{w, g.c, g.k * g.k, g.out}, dy, nullptr, ACTIVATION_NONE, dx);
}

// Gradient of the sums from that of the activated values.
extern "C" __global__ void __launch_bounds__(THREADS)
    conv2d_activation_gradient(u32 len, u32 activation, const float *y, const float *dy,
                               float *dsum) {
    FOR_EACH(i, len) {
        float v = y[i], g = dy[i];
        if (activation == ACTIVATION_RELU) {
            dsum[i] = v > 0.0f ? g : 0.0f;
        } else {
            dsum[i] = activation == ACTIVATION_SIGMOID ? g * v * (1.0f - v) : g;
        }
    }
}

extern "C" __global__ void __launch_bounds__(GRADIENT_THREADS)
    conv2d_kernel_gradient(ConvGeometry g, SlabGeometry slab, const float *x, const float *dy,
                           float *part, float *bias_part) {
    Plain right = {dy, g.out, g.out_vector != 0};
    kernel_gradient(right, Patches(g, x), g.n * g.h * g.w, slab, g.k * g.k * g.c, part, bias_part);
}

// Sums of the slabs, in order, as the kernel (out, c, k, k) has them.
extern "C" __global__ void __launch_bounds__(THREADS)
    conv2d_kernel_sum(ConvGeometry g, SlabGeometry slab, const float *part, float *dw) {
    u32 taps = g.k * g.k, depth = taps * g.c, len = g.out * depth;
    FOR_EACH(i, len) {
        u32 o = i / depth, inside = i - o * depth;
        u32 channel = inside / taps, tap = inside - channel * taps;
        const float *from = part + o * depth + tap * g.c + channel;
        float sum = 0.0f;
        for (u32 s = 0; s < slab.count; s++) {
            sum += from[(size_t)s * len];
        }
        dw[i] = sum;
    }
}

extern "C" __global__ void __launch_bounds__(THREADS)
    conv2d_bias_sum(u32 outs, SlabGeometry slab, const float *part, float *db) {
    FOR_EACH(o, outs) {
        float sum = 0.0f;
        for (u32 s = 0; s < slab.count; s++) {
            sum += part[(size_t)s * outs + o];
        }
        db[o] = sum;
    }
}
