// How far marked pixels are from masks, in f64: logits z and masks t (n, h, w). A frame's gradient is
// p (1 - p) (a + b t + c row + d column) with four factors of its own.
#include "common.cuh"

#define SUMS 7
#define FACTORS 4
// Keeps quotients of centres from being those of zeros.
#define SMALL 1e-8
// 4 over the square of pi.
#define ANGLE 0.40528473456935109

__device__ inline double sigmoid(float z) { return 1.0 / (1.0 + exp(-(double)z)); }

// Of a frame: shared, marked, wanted; centres of what is marked and of what is wanted. One frame a block.
extern "C" __global__ void __launch_bounds__(THREADS)
    mask_loss_sums(MaskGeometry g, const float *z, const float *t, double *sums) {
    __shared__ double shared[THREADS];
    double own[SUMS] = {};
    u32 pixels = g.h * g.w;
    size_t start = (size_t)blockIdx.x * pixels;
    for (u32 i = threadIdx.x; i < pixels; i += THREADS) {
        double p = sigmoid(z[start + i]), m = (double)t[start + i];
        double row = (double)(i / g.w) / (double)g.h, column = (double)(i % g.w) / (double)g.w;
        own[0] += p * m;
        own[1] += p;
        own[2] += m;
        own[3] += p * row / (double)pixels;
        own[4] += p * column / (double)pixels;
        own[5] += m * row / (double)pixels;
        own[6] += m * column / (double)pixels;
    }
    for (u32 k = 0; k < SUMS; k++) {
        double sum = block_sum(own[k], shared);
        if (threadIdx.x == 0) {
            sums[(size_t)blockIdx.x * SUMS + k] = sum;
        }
        __syncthreads();
    }
}

// (shared + smooth) / (union + smooth), and the first two factors of its slope.
__device__ inline double overlap(const double *sums, double smooth, double *slope) {
    double part = sums[0] + smooth, whole = sums[1] + sums[2] - sums[0] + smooth;
    slope[0] = -part / (whole * whole);
    slope[1] = (whole + part) / (whole * whole);
    return part / whole;
}

// How far the centres are apart, and the slopes by row and column.
__device__ inline double location(const double *sums, double *slope) {
    double row = sums[3], column = sums[4];
    double own = sqrt(row * row + column * column + SMALL);
    double other = sqrt(sums[5] * sums[5] + sums[6] * sums[6] + SMALL);
    double larger = (own < other ? other : own) + SMALL;
    double share = (own < other ? own : other) / larger;
    double by_length = own < other ? 1.0 / larger : -other / (larger * larger);
    double reach = column + SMALL;
    double turn = atan(row / reach) - atan(sums[5] / (sums[6] + SMALL));
    double by_turn = 2.0 * ANGLE * turn / (reach * reach + row * row);
    slope[0] = by_turn * reach - by_length * row / own;
    slope[1] = -by_turn * row - by_length * column / own;
    return 1.0 - share + ANGLE * turn * turn;
}

// The loss of one frame, and the factors of its slope.
__device__ inline double sensitive(const double *sums, double pixels, double *slope) {
    double by_overlap[2], by_centre[2];
    double share = overlap(sums, 0.0, by_overlap), apart = location(sums, by_centre);
    double more = sums[1] - sums[2], d = 0.25 * more * more, half = 0.5 * more;
    double marked = sums[1] + d, wanted = sums[2] + d, weight, by_marked;
    if (more < 0.0) {
        weight = marked / wanted;
        by_marked = ((1.0 + half) * wanted - half * marked) / (wanted * wanted);
    } else {
        weight = wanted / marked;
        by_marked = (half * marked - (1.0 + half) * wanted) / (marked * marked);
    }
    slope[0] = -by_marked * share - weight * by_overlap[0];
    slope[1] = -weight * by_overlap[1];
    slope[2] = by_centre[0] / pixels;
    slope[3] = by_centre[1] / pixels;
    return 1.0 - weight * share + apart;
}

// All frames as one, and the same slope for each.
__device__ inline double soft(MaskGeometry g, const double *sums, double *slopes, double *shared) {
    double all[3] = {};
    for (u32 k = 0; k < 3; k++) {
        double own = 0.0;
        for (u32 n = threadIdx.x; n < g.n; n += THREADS) {
            own += sums[(size_t)n * SUMS + k];
        }
        all[k] = block_sum(own, shared);
        __syncthreads();
    }
    double slope[2];
    double share = overlap(all, 1.0, slope);
    for (u32 n = threadIdx.x; n < g.n; n += THREADS) {
        double *factors = slopes + (size_t)n * FACTORS;
        factors[0] = -slope[0];
        factors[1] = -slope[1];
        factors[2] = 0.0;
        factors[3] = 0.0;
    }
    return 1.0 - share;
}

// The loss, and the factors of every frame's slope; one block.
extern "C" __global__ void __launch_bounds__(THREADS)
    mask_loss_frames(MaskGeometry g, const double *sums, double *slopes, float *loss) {
    __shared__ double shared[THREADS];
    double value = 0.0;
    if (g.overlap == OVERLAP_SOFT) {
        value = soft(g, sums, slopes, shared);
    } else {
        for (u32 n = threadIdx.x; n < g.n; n += THREADS) {
            double *factors = slopes + (size_t)n * FACTORS;
            double pixels = (double)(g.h * g.w);
            value += sensitive(sums + (size_t)n * SUMS, pixels, factors);
            for (u32 k = 0; k < FACTORS; k++) {
                factors[k] /= (double)g.n;
            }
        }
        value = block_sum(value, shared) / (double)g.n;
    }
    if (threadIdx.x == 0) {
        loss[0] = (float)value;
    }
}

extern "C" __global__ void __launch_bounds__(THREADS)
    mask_loss_gradient(MaskGeometry g, const double *slopes, const float *z, const float *t,
                       const float *dy, float *dz) {
    u32 pixels = g.h * g.w, len = g.n * pixels;
    FOR_EACH(i, len) {
        const double *factors = slopes + (size_t)(i / pixels) * FACTORS;
        u32 at = i % pixels;
        double row = (double)(at / g.w) / (double)g.h, column = (double)(at % g.w) / (double)g.w;
        double p = sigmoid(z[i]);
        double by_p =
            factors[0] + factors[1] * (double)t[i] + factors[2] * row + factors[3] * column;
        dz[i] = (float)((double)dy[0] * p * (1.0 - p) * by_p);
    }
}
