// Samples of a deformable convolution of any number of offset groups: y (pixels, taps, c), each group
// of channels with offsets of its own.
#include "lists.cuh"

// Group, and sample of that group, by set of lists and number.
struct Where {
    u32 set, number, pixel;

    // Of tap `tap` of pixel `p` over the whole batch.
    __device__ Where(const SampleGeometry &g, u32 p, u32 tap, u32 group) {
        u32 pixels = g.h * g.w, map = p / pixels;
        set = map * g.groups + group;
        pixel = map * pixels;
        number = (p - pixel) * TAPS + tap;
    }
};

extern "C" __global__ void __launch_bounds__(THREADS)
    deform_sample_forward(SampleGeometry g, const float *x, const float *offsets, float *y) {
    u32 span = g.c / g.groups, len = g.n * g.h * g.w * TAPS * g.c;
    FOR_EACH(i, len) {
        u32 at = i / g.c, channel = i - at * g.c, p = at / TAPS;
        Where where(g, p, at - p * TAPS, channel / span);
        Sample s = Offsets{offsets, g.h, g.w, g.groups}.sample(where.set, where.number);
        Corners corners(x + (size_t)where.pixel * g.c, s, g.h, g.w, g.c);
        float top = 1.0f - s.row, left = 1.0f - s.column;
        float sum = top * left * corners.value(0, channel) +
                    top * s.column * corners.value(1, channel) +
                    s.row * left * corners.value(2, channel) +
                    s.row * s.column * corners.value(3, channel);
        // Shares of positions that no integer holds are no numbers.
        y[i] = s.inside ? sum : 0.0f;
    }
}

// Gradient of the offsets, one sample of a group a thread.
extern "C" __global__ void __launch_bounds__(THREADS)
    deform_sample_offset_gradient(SampleGeometry g, const float *x, const float *offsets,
                                  const float *dy, float *doffsets) {
    u32 span = g.c / g.groups, len = g.n * g.h * g.w * g.groups * TAPS;
    FOR_EACH(i, len) {
        u32 at = i / TAPS, tap = i - at * TAPS, p = at / g.groups, group = at - p * g.groups;
        Where where(g, p, tap, group);
        Sample s = Offsets{offsets, g.h, g.w, g.groups}.sample(where.set, where.number);
        Corners corners(x + (size_t)where.pixel * g.c, s, g.h, g.w, g.c);
        offset_gradient(s, corners, group * span, (group + 1) * span,
                        dy + ((size_t)p * TAPS + tap) * g.c, doffsets + 2 * (size_t)i);
    }
}

extern "C" __global__ void __launch_bounds__(LIST_THREADS)
    deform_sample_lists(SampleGeometry g, const float *offsets, u32 *heads, u32 *before) {
    make_lists(Offsets{offsets, g.h, g.w, g.groups}, heads, before);
}

extern "C" __global__ void __launch_bounds__(THREADS)
    deform_sample_input_gradient(SampleGeometry g, const float *offsets, const float *dy,
                                 const u32 *heads, const u32 *before, float *dx) {
    u32 span = g.c / g.groups, len = g.n * g.h * g.w * g.c;
    FOR_EACH(i, len) {
        u32 q = i / g.c, channel = i - q * g.c;
        dx[i] = collect(Offsets{offsets, g.h, g.w, g.groups}, q, channel, g.c, channel / span, dy,
                        heads, before);
    }
}
