// Negative log-likelihood of the targets under what the offset head claims, in f64; one window a
// block. Answers (windows, 11, 11, 3, 3, 7): presence, row and column offset, raw deviations of
// both, intensity, raw deviation of it.
#include "common.cuh"

#define RATIO 3
#define FRAME_SIDE 11
#define MAP_SIDE 33
#define CELLS (MAP_SIDE * MAP_SIDE)
#define CHANNELS 7

// Row, column, intensity.
struct Target {
    double at[3];
};

__device__ inline double logistic(double x) { return 1.0 / (1.0 + exp(-x)); }

__device__ inline double cell_centre(int cell) {
    return ((double)cell - (RATIO - 1) / 2.0) / (double)RATIO;
}

__device__ inline int own_cell(double x) {
    double cell = rint(x * RATIO + (RATIO - 1) / 2.0);
    return (int)fmin(fmax(cell, 0.0), (double)(MAP_SIDE - 1));
}

// Adds `weight` times the gradient of one axis, at `mean` and `deviation`, and gives its loss.
__device__ inline double axis_loss(double mean, double mean_slope, float raw, double low,
                                   double high, double value, double weight, float *by_mean,
                                   float *by_deviation) {
    double s = logistic((double)raw);
    double log_deviation = low + (high - low) * s, log_slope = (high - low) * s * (1.0 - s);
    double scale = exp(-log_deviation), error = (value - mean) * scale;
    *by_mean -= (float)(weight * (error * scale) * mean_slope);
    *by_deviation -= (float)(weight * (error * error - 1.0) * log_slope);
    return 0.5 * error * error + log_deviation;
}

extern "C" __global__ void __launch_bounds__(THREADS)
    offset_likelihood_forward(OffsetGeometry g, const u32 *starts, const Target *targets,
                              const float *answers, float *gradients, double *part) {
    __shared__ double shared[THREADS];
    u32 first = starts[blockIdx.x], last = starts[blockIdx.x + 1];
    double loss = 0.0;
    for (u32 cell = threadIdx.x; cell < CELLS; cell += THREADS) {
        u32 pixel = cell / (RATIO * RATIO), inside = cell - pixel * RATIO * RATIO;
        int row = (int)(pixel / FRAME_SIDE * RATIO + inside / RATIO);
        int column = (int)(pixel % FRAME_SIDE * RATIO + inside % RATIO);
        const float *raw = answers + ((size_t)blockIdx.x * CELLS + cell) * CHANNELS;
        bool occupied = false;
        u32 nearest = last;
        double square = 0.0;
        for (u32 k = first; k < last; k++) {
            int down = row - own_cell(targets[k].at[0]), right = column - own_cell(targets[k].at[1]);
            occupied = occupied || (down == 0 && right == 0);
            if (down < -1 || down > 1 || right < -1 || right > 1) {
                continue;
            }
            double dx = targets[k].at[0] - cell_centre(row);
            double dy = targets[k].at[1] - cell_centre(column);
            double here = dx * dx + dy * dy;
            if (nearest == last || here < square) {
                nearest = k;
                square = here;
            }
        }
        double presence = (double)raw[0], wanted = occupied ? 1.0 : 0.0;
        loss += fmax(presence, 0.0) + log1p(exp(-fabs(presence))) - wanted * presence;
        float grad[CHANNELS] = {(float)(logistic(presence) - wanted)};
        if (nearest != last) {
            const double *at = targets[nearest].at;
            double weight = exp(-0.5 * square / (g.nearness * g.nearness)), step = 1.0 / RATIO;
            double places = 0.0;
            places += axis_loss(cell_centre(row) + step * (double)raw[1], step, raw[3], g.low[0],
                                g.high[0], at[0], weight, &grad[1], &grad[3]);
            places += axis_loss(cell_centre(column) + step * (double)raw[2], step, raw[4],
                                g.low[0], g.high[0], at[1], weight, &grad[2], &grad[4]);
            places += axis_loss((double)raw[5], 1.0, raw[6], g.low[1], g.high[1], at[2], weight,
                                &grad[5], &grad[6]);
            loss += weight * places;
        }
        for (int c = 0; c < CHANNELS; c++) {
            gradients[((size_t)blockIdx.x * CELLS + cell) * CHANNELS + c] = grad[c];
        }
    }
    loss = block_sum(loss, shared);
    if (threadIdx.x == 0) {
        part[blockIdx.x] = loss;
    }
}
