// Gradient step towards the data: R = H - ρ (G H G - B), maps (n, side, side); one map a block.
#include "sandwich.cuh"

// A null `back` stands for zero: then it is the gradient by H, from that by R.
extern "C" __global__ void __launch_bounds__(THREADS)
    data_step_forward(DataStepGeometry g, const float *h, const float *back, const float *rho,
                      const float *gram, float *r) {
    extern __shared__ float shared[];
    u32 len = g.side * g.side;
    const float *result = sandwich(g.side, gram, h, shared);
    for (u32 i = threadIdx.x; i < len; i += THREADS) {
        size_t at = (size_t)blockIdx.x * len + i;
        r[at] = fmaf(-rho[0], back ? result[i] - back[at] : result[i], h[at]);
    }
}

// A map's share of Σ dr (G H G - B).
extern "C" __global__ void __launch_bounds__(THREADS)
    data_step_partials(DataStepGeometry g, const float *h, const float *back, const float *gram,
                       const float *dr, double *part) {
    extern __shared__ float shared[];
    __shared__ double sums[THREADS];
    u32 len = g.side * g.side;
    const float *result = sandwich(g.side, gram, h, shared);
    double sum = 0.0;
    for (u32 i = threadIdx.x; i < len; i += THREADS) {
        size_t at = (size_t)blockIdx.x * len + i;
        sum += (double)((result[i] - back[at]) * dr[at]);
    }
    sum = block_sum(sum, sums);
    if (threadIdx.x == 0) {
        part[blockIdx.x] = sum;
    }
}
