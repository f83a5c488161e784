// Channels as sub-pixels: y[n, f i + a, f j + b, c] = x[n, i, j, c f² + f a + b].
#include "common.cuh"

// Place in x of value `i` of y.
__device__ inline size_t shuffled(const ShuffleGeometry &g, u32 i) {
    u32 f = g.factor, wide = f * g.w;
    u32 c = i % g.c, pixel = i / g.c, column = pixel % wide, line = pixel / wide;
    u32 row = line % (f * g.h), map = line / (f * g.h);
    size_t from = ((size_t)map * g.h + row / f) * g.w + column / f;
    return (from * g.c + c) * f * f + f * (row % f) + column % f;
}

extern "C" __global__ void __launch_bounds__(THREADS)
    pixel_shuffle_forward(ShuffleGeometry g, const float *x, float *y) {
    u32 len = g.n * g.h * g.w * g.c * g.factor * g.factor;
    FOR_EACH(i, len) { y[i] = x[shuffled(g, i)]; }
}

extern "C" __global__ void __launch_bounds__(THREADS)
    pixel_shuffle_gradient(ShuffleGeometry g, const float *dy, float *dx) {
    u32 len = g.n * g.h * g.w * g.c * g.factor * g.factor;
    FOR_EACH(i, len) { dx[shuffled(g, i)] = dy[i]; }
}
