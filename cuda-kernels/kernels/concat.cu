// Concatenation along channels, one input a launch: also how its gradient is taken apart.
#include "common.cuh"

extern "C" __global__ void __launch_bounds__(THREADS)
    concat_copy(ConcatGeometry g, const float *from, float *to) {
    u32 len = g.pixels * g.channels;
    FOR_EACH(i, len) {
        u32 p = i / g.channels, c = i - p * g.channels;
        to[(size_t)p * g.to_total + g.to + c] = from[(size_t)p * g.from_total + g.from + c];
    }
}
