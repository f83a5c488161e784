// Position code: gate[t] = sigmoid(b + t W·1), W (len, len).
#include "common.cuh"

// One row of W a block.
extern "C" __global__ void __launch_bounds__(THREADS)
    time_code_row_sums(u32 len, const float *w, float *sums) {
    __shared__ double shared[THREADS];
    double sum = 0.0;
    for (u32 i = threadIdx.x; i < len; i += THREADS) {
        sum += (double)w[(size_t)blockIdx.x * len + i];
    }
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) {
        sums[blockIdx.x] = (float)sum;
    }
}

extern "C" __global__ void __launch_bounds__(THREADS)
    time_code_gates(TimeGeometry g, const float *times, const float *sums, const float *b,
                    float *gates) {
    u32 len = g.times * g.len;
    FOR_EACH(i, len) {
        u32 t = i / g.len, cell = i - t * g.len;
        gates[i] = 1.0f / (1.0f + expf(-(b[cell] + times[t] * sums[cell])));
    }
}

// Gradients of b, and of the row sums of W; `db` may be null.
extern "C" __global__ void __launch_bounds__(THREADS)
    time_code_gradient(TimeGeometry g, const float *times, const float *gates, const float *dgates,
                       float *dsums, float *db) {
    FOR_EACH(cell, g.len) {
        float bias = 0.0f, column = 0.0f;
        for (u32 t = 0; t < g.times; t++) {
            float y = gates[t * g.len + cell];
            float d = dgates[t * g.len + cell] * y * (1.0f - y);
            bias += d;
            column += times[t] * d;
        }
        dsums[cell] = column;
        if (db) {
            db[cell] = bias;
        }
    }
}

// Every column of W's gradient is that of the row sums.
extern "C" __global__ void __launch_bounds__(THREADS)
    time_code_weight_gradient(u32 len, const float *dsums, float *dw) {
    u32 all = len * len;
    FOR_EACH(i, all) { dw[i] = dsums[i / len]; }
}
