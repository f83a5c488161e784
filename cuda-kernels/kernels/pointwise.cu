// A function of every value alone: a multiple, ln(1 + exp(x)), 1 / (x + offset). `parameter` is the
// factor or the offset.
#include "common.cuh"

__device__ inline float value_of(u32 function, float parameter, float x) {
    if (function == FUNCTION_SCALE) {
        return parameter * x;
    }
    if (function == FUNCTION_SOFTPLUS) {
        // The form that does not overflow.
        return (x > 0.0f ? x : 0.0f) + log1pf(expf(-fabsf(x)));
    }
    return 1.0f / (x + parameter);
}

__device__ inline float slope_of(u32 function, float parameter, float x) {
    if (function == FUNCTION_SCALE) {
        return parameter;
    }
    if (function == FUNCTION_SOFTPLUS) {
        return 1.0f / (1.0f + expf(-x));
    }
    return -1.0f / ((x + parameter) * (x + parameter));
}

extern "C" __global__ void __launch_bounds__(THREADS)
    pointwise_forward(u32 len, u32 function, float parameter, const float *x, float *y) {
    FOR_EACH(i, len) { y[i] = value_of(function, parameter, x[i]); }
}

extern "C" __global__ void __launch_bounds__(THREADS)
    pointwise_gradient(u32 len, u32 function, float parameter, const float *x, const float *dy,
                       float *dx) {
    FOR_EACH(i, len) { dx[i] = dy[i] * slope_of(function, parameter, x[i]); }
}
