// Elementwise sums, differences and products of equally long buffers.
#include "common.cuh"

extern "C" __global__ void __launch_bounds__(THREADS)
    arithmetic_add(u32 len, const float *a, const float *b, float *out) {
    FOR_EACH(i, len) { out[i] = a[i] + b[i]; }
}

extern "C" __global__ void __launch_bounds__(THREADS)
    arithmetic_sub(u32 len, const float *a, const float *b, float *out) {
    FOR_EACH(i, len) { out[i] = a[i] - b[i]; }
}

extern "C" __global__ void __launch_bounds__(THREADS)
    arithmetic_mul(u32 len, const float *a, const float *b, float *out) {
    FOR_EACH(i, len) { out[i] = a[i] * b[i]; }
}

extern "C" __global__ void __launch_bounds__(THREADS)
    arithmetic_negate(u32 len, const float *a, float *out) {
    FOR_EACH(i, len) { out[i] = -a[i]; }
}

// target += addend.
extern "C" __global__ void __launch_bounds__(THREADS)
    arithmetic_accumulate(u32 len, const float *addend, float *target) {
    FOR_EACH(i, len) { target[i] += addend[i]; }
}
