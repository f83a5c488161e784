// Selection of batch items: y[i] = x[index[i]]. The grid is (slices of an item) x (items).
#include "common.cuh"

extern "C" __global__ void __launch_bounds__(THREADS)
    gather_forward(u32 item, u32 slices, const u32 *index, const float *x, float *y) {
    u32 number = blockIdx.x / slices, at = (blockIdx.x - number * slices) * THREADS + threadIdx.x;
    if (at < item) {
        y[(size_t)number * item + at] = x[(size_t)index[number] * item + at];
    }
}

// Adds up over the readers `readers[starts[i]] ..` of each source item, in order.
extern "C" __global__ void __launch_bounds__(THREADS)
    gather_gradient(u32 item, u32 slices, const u32 *starts, const u32 *readers, const float *dy,
                    float *dx) {
    u32 number = blockIdx.x / slices, at = (blockIdx.x - number * slices) * THREADS + threadIdx.x;
    if (at < item) {
        float sum = 0.0f;
        for (u32 k = starts[number]; k < starts[number + 1]; k++) {
            sum += dy[(size_t)readers[k] * item + at];
        }
        dx[(size_t)number * item + at] = sum;
    }
}
