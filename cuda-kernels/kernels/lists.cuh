// Gradients of samples: of their offsets, and of the map they were read from, which is a scatter,
// turned into a gather by lists of the samples that read each place.
#pragma once

#include "columns.cuh"

// Threads of a block that makes lists.
#define LIST_THREADS 32
// End of a list.
#define NOBODY 0xffffffffu

// Offsets (n, h, w, groups, taps, 2) of samples. Each map and group has a set of lists of its own,
// number map * groups + group; its samples are numbered pixel * TAPS + tap.
struct Offsets {
    const float *offsets;
    u32 h, w, groups;

    __device__ inline Sample sample(u32 set, u32 number) const {
        u32 p = number / TAPS, tap = number - p * TAPS, row = p / w;
        u32 map = set / groups, group = set - map * groups;
        size_t at = (((size_t)map * h * w + p) * groups + group) * TAPS + tap;
        return sample_at((int)row, (int)(p - row * w), tap, offsets + 2 * at, h, w);
    }
};

// Gradient of the offset of a sample, whose channels `first` to before `end` have the gradient `d`.
// Slopes at whole positions are those towards larger ones; a sample off the map has none.
__device__ inline void offset_gradient(const Sample &s, const Corners &corners, u32 first, u32 end,
                                       const float *d, float *doffset) {
    float by_row = 0.0f, by_column = 0.0f;
    if (s.inside) {
        for (u32 c = first; c < end; c++) {
            float a = corners.value(0, c), b = corners.value(1, c);
            float e = corners.value(2, c), f = corners.value(3, c);
            by_row += d[c] * ((1.0f - s.column) * (e - a) + s.column * (f - b));
            by_column += d[c] * ((1.0f - s.row) * (b - a) + s.row * (f - e));
        }
    }
    doffset[0] = by_row;
    doffset[1] = by_column;
}

// Which samples read a place: per set and top left neighbour, which lies in (h + 1, w + 1) places
// from one row and column outside on, a list of samples. `heads` (sets, h + 1, w + 1) holds the last
// sample of each list, `before` (sets, pixels * taps) the one before each. One warp makes a set's
// lists, 32 samples at a time in order, so that they are always the same.
__device__ inline void make_lists(const Offsets &offsets, u32 *heads, u32 *before) {
    __shared__ u32 places[LIST_THREADS];
    u32 samples = offsets.h * offsets.w * TAPS, t = threadIdx.x;
    u32 count = (offsets.h + 1) * (offsets.w + 1);
    u32 *head = heads + (size_t)blockIdx.x * count;
    for (u32 i = t; i < count; i += LIST_THREADS) {
        head[i] = NOBODY;
    }
    __syncthreads();
    for (u32 first = 0; first < samples; first += LIST_THREADS) {
        u32 i = first + t, place = NOBODY;
        if (i < samples) {
            Sample s = offsets.sample(blockIdx.x, i);
            if (s.inside) {
                place = (u32)(s.top + 1) * (offsets.w + 1) + (u32)(s.left + 1);
            }
        }
        places[t] = place;
        __syncthreads();
        u32 previous = NOBODY;
        bool last = true;
        if (place != NOBODY) {
            previous = head[place];
            for (u32 other = 0; other < LIST_THREADS; other++) {
                if (places[other] == place) {
                    previous = other < t ? first + other : previous;
                    last = last && other <= t;
                }
            }
            before[(size_t)blockIdx.x * samples + i] = previous;
        }
        __syncthreads();
        if (place != NOBODY && last) {
            head[place] = i;
        }
        __syncthreads();
    }
}

// What value `channel` of pixel `q` over the whole batch collects from the samples of its group that
// read it, which are in four lists; dsamples (pixels, taps, c).
__device__ inline float collect(const Offsets &offsets, u32 q, u32 channel, u32 c, u32 group,
                                const float *dsamples, const u32 *heads, const u32 *before) {
    u32 pixels = offsets.h * offsets.w, samples = pixels * TAPS;
    u32 map = q / pixels, inside = q - map * pixels, set = map * offsets.groups + group;
    u32 row = inside / offsets.w, column = inside - row * offsets.w;
    const u32 *head = heads + (size_t)set * (offsets.h + 1) * (offsets.w + 1);
    float sum = 0.0f;
    for (u32 corner = 0; corner < 4; corner++) {
        // The sample's neighbour number `corner` is this pixel.
        u32 at = head[(row + 1 - corner / 2) * (offsets.w + 1) + column + 1 - corner % 2];
        while (at != NOBODY) {
            Sample s = offsets.sample(set, at);
            float by_row = corner / 2 ? s.row : 1.0f - s.row;
            float by_column = corner % 2 ? s.column : 1.0f - s.column;
            sum += by_row * by_column * dsamples[((size_t)map * samples + at) * c + channel];
            at = before[(size_t)set * samples + at];
        }
    }
    return sum;
}
