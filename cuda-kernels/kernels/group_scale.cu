// Scaling of channel groups: y[p, c] = x[p, c] s[p, c / (channels / groups)].
#include "common.cuh"

// Also the gradient by x, from that by y.
extern "C" __global__ void __launch_bounds__(THREADS)
    group_scale_forward(GroupGeometry g, const float *x, const float *s, float *y) {
    u32 group = g.channels / g.groups, len = g.pixels * g.channels;
    FOR_EACH(i, len) { y[i] = x[i] * s[i / group]; }
}

extern "C" __global__ void __launch_bounds__(THREADS)
    group_scale_gradient(GroupGeometry g, const float *x, const float *dy, float *ds) {
    u32 group = g.channels / g.groups, len = g.pixels * g.groups;
    FOR_EACH(i, len) {
        float sum = 0.0f;
        for (u32 c = 0; c < group; c++) {
            sum += dy[(size_t)i * group + c] * x[(size_t)i * group + c];
        }
        ds[i] = sum;
    }
}
