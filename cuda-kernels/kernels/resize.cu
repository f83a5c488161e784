// Maps resized along rows and columns: y[i, j] = Σ R[i, k] C[j, l] x[k, l], where every row of R and C
// has one or two entries. The host computes them.
#include "common.cuh"

extern "C" __global__ void __launch_bounds__(THREADS)
    resize_forward(ResizeGeometry g, const Blend *rows, const Blend *columns, const float *x,
                   float *y) {
    u32 len = g.n * g.to_h * g.to_w * g.c;
    FOR_EACH(i, len) {
        u32 c = i % g.c, pixel = i / g.c, line = pixel / g.to_w;
        Blend row = rows[line % g.to_h], column = columns[pixel % g.to_w];
        const float *map = x + (size_t)(line / g.to_h) * g.h * g.w * g.c + c;
        const float *upper = map + (size_t)row.first * g.w * g.c;
        const float *lower = map + (size_t)row.second * g.w * g.c;
        u32 left = column.first * g.c, right = column.second * g.c;
        float first = row.share[0] * upper[left] + row.share[1] * lower[left];
        float second = row.share[0] * upper[right] + row.share[1] * lower[right];
        y[i] = column.share[0] * first + column.share[1] * second;
    }
}

// Every input collects from the rows `row_readers[row_starts[k]] ..` and the columns that read it, in
// order.
extern "C" __global__ void __launch_bounds__(THREADS)
    resize_gradient(ResizeGeometry g, const u32 *row_starts, const Reader *row_readers,
                    const u32 *column_starts, const Reader *column_readers, const float *dy,
                    float *dx) {
    u32 len = g.n * g.h * g.w * g.c;
    FOR_EACH(i, len) {
        u32 c = i % g.c, pixel = i / g.c, l = pixel % g.w, line = pixel / g.w, k = line % g.h;
        const float *map = dy + (size_t)(line / g.h) * g.to_h * g.to_w * g.c + c;
        float sum = 0.0f;
        for (u32 r = row_starts[k]; r < row_starts[k + 1]; r++) {
            const float *from = map + (size_t)row_readers[r].index * g.to_w * g.c;
            float between = 0.0f;
            for (u32 s = column_starts[l]; s < column_starts[l + 1]; s++) {
                between += column_readers[s].share * from[column_readers[s].index * g.c];
            }
            sum += row_readers[r].share * between;
        }
        dx[i] = sum;
    }
}
