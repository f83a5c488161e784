// One value per window and channel: x (n, h, w, c), y (n, h / rows, w / columns, c).
#include "common.cuh"

extern "C" __global__ void __launch_bounds__(THREADS)
    pool_forward(PoolGeometry g, const float *x, float *y) {
    u32 across = g.w / g.columns, down = g.h / g.rows;
    u32 len = g.n * down * across * g.c;
    FOR_EACH(i, len) {
        u32 c = i % g.c, number = i / g.c, j = number % across, line = number / across;
        u32 first = (line / down * g.h + line % down * g.rows) * g.w + j * g.columns;
        float sum = 0.0f, most = -INFINITY;
        for (u32 a = 0; a < g.rows; a++) {
            for (u32 b = 0; b < g.columns; b++) {
                float v = x[(size_t)(first + a * g.w + b) * g.c + c];
                sum += v;
                most = v > most ? v : most;
            }
        }
        y[i] = g.take == TAKE_MAX ? most : sum * (1.0f / (float)(g.rows * g.columns));
    }
}

// Every input asks its window: of a maximum, whether it is the first pixel that attains it.
extern "C" __global__ void __launch_bounds__(THREADS)
    pool_gradient(PoolGeometry g, const float *x, const float *y, const float *dy, float *dx) {
    u32 across = g.w / g.columns, down = g.h / g.rows;
    u32 len = g.n * g.h * g.w * g.c;
    FOR_EACH(i, len) {
        u32 c = i % g.c, pixel = i / g.c, column = pixel % g.w, line = pixel / g.w;
        u32 row = line % g.h, n = line / g.h;
        if (row / g.rows >= down || column / g.columns >= across) {
            dx[i] = 0.0f;
            continue;
        }
        size_t own = (size_t)((n * down + row / g.rows) * across + column / g.columns) * g.c + c;
        if (g.take == TAKE_MEAN) {
            dx[i] = dy[own] * (1.0f / (float)(g.rows * g.columns));
            continue;
        }
        u32 place = row % g.rows * g.columns + column % g.columns;
        u32 first = pixel - row % g.rows * g.w - column % g.columns;
        float most = y[own];
        bool is_first = x[i] == most;
        for (u32 k = 0; is_first && k < place; k++) {
            u32 before = first + k / g.columns * g.w + k % g.columns;
            is_first = x[(size_t)before * g.c + c] != most;
        }
        dx[i] = is_first ? dy[own] : 0.0f;
    }
}
