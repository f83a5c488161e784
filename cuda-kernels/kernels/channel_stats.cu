// Mean and maximum over channels: x (pixels, channels), y (pixels, [mean, max]); `groups` is 1.
#include "common.cuh"

extern "C" __global__ void __launch_bounds__(THREADS)
    channel_stats_forward(GroupGeometry g, const float *x, float *y) {
    FOR_EACH(p, g.pixels) {
        const float *from = x + (size_t)p * g.channels;
        float sum = 0.0f, most = -INFINITY;
        for (u32 c = 0; c < g.channels; c++) {
            sum += from[c];
            most = from[c] > most ? from[c] : most;
        }
        y[2 * (size_t)p] = sum / (float)g.channels;
        y[2 * (size_t)p + 1] = most;
    }
}

// The gradient of the maximum goes to the first channel that attains it.
extern "C" __global__ void __launch_bounds__(THREADS)
    channel_stats_gradient(GroupGeometry g, const float *x, const float *y, const float *dy,
                           float *dx) {
    FOR_EACH(p, g.pixels) {
        size_t start = (size_t)p * g.channels;
        float most = y[2 * (size_t)p + 1], by_most = dy[2 * (size_t)p + 1];
        float share = dy[2 * (size_t)p] / (float)g.channels;
        bool found = false;
        for (u32 c = 0; c < g.channels; c++) {
            bool here = !found && x[start + c] == most;
            dx[start + c] = here ? share + by_most : share;
            found = found || here;
        }
    }
}
