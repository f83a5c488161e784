// Batch normalisation of x (pixels, channels): moments (mean, variance; each channels) and what is
// done with them, y = γ (x - mean) / √(variance + ε) + β. Sums over pixels are carried in f64.
#include "column_sums.cuh"

// A slab's share of Σ x, or of Σ (x - mean)² where there is a mean.
extern "C" __global__ void __launch_bounds__(THREADS)
    normalise_moment_partials(GroupGeometry g, SlabGeometry slab, const float *x,
                              const double *mean, double *part) {
    auto term = [=](u32 p, u32 c) {
        double v = (double)x[(size_t)p * g.channels + c];
        return mean ? (v - mean[c]) * (v - mean[c]) : v;
    };
    column_sums(g.pixels, g.channels, slab, term, part);
}

// The shares' sum over the pixels, in both precisions.
extern "C" __global__ void __launch_bounds__(THREADS)
    normalise_moment(GroupGeometry g, SlabGeometry slab, const double *part, double *wide,
                     float *out) {
    FOR_EACH(c, g.channels) {
        double moment = slab_sum(g.channels, c, slab, part) / (double)g.pixels;
        wide[c] = moment;
        out[c] = (float)moment;
    }
}

extern "C" __global__ void __launch_bounds__(THREADS)
    normalise_moment_gradient(GroupGeometry g, const float *x, const float *moments,
                              const float *dmoments, float *dx) {
    u32 len = g.pixels * g.channels;
    FOR_EACH(i, len) {
        u32 c = i % g.channels;
        float by_variance = 2.0f * dmoments[g.channels + c] * (x[i] - moments[c]);
        dx[i] = (dmoments[c] + by_variance) / (float)g.pixels;
    }
}

// 1 / √(variance + ε).
__device__ inline float inverse_deviation(const GroupGeometry &g, float epsilon,
                                          const float *moments, u32 c) {
    return 1.0f / sqrtf(moments[g.channels + c] + epsilon);
}

extern "C" __global__ void __launch_bounds__(THREADS)
    normalise_forward(GroupGeometry g, float epsilon, const float *x, const float *moments,
                      const float *gamma, const float *beta, float *y) {
    u32 len = g.pixels * g.channels;
    FOR_EACH(i, len) {
        u32 c = i % g.channels;
        float factor = gamma[c] * inverse_deviation(g, epsilon, moments, c);
        y[i] = factor * (x[i] - moments[c]) + beta[c];
    }
}

extern "C" __global__ void __launch_bounds__(THREADS)
    normalise_input_gradient(GroupGeometry g, float epsilon, const float *moments,
                             const float *gamma, const float *dy, float *dx) {
    u32 len = g.pixels * g.channels;
    FOR_EACH(i, len) {
        u32 c = i % g.channels;
        dx[i] = gamma[c] * inverse_deviation(g, epsilon, moments, c) * dy[i];
    }
}

// A slab's share of Σ dy, and in the second plane of the grid of Σ dy (x - mean).
extern "C" __global__ void __launch_bounds__(THREADS)
    normalise_partials(GroupGeometry g, SlabGeometry slab, const float *x, const float *moments,
                       const float *dy, double *part) {
    bool centred = blockIdx.z == 1;
    auto term = [=](u32 p, u32 c) {
        size_t at = (size_t)p * g.channels + c;
        return (double)dy[at] * (centred ? (double)(x[at] - moments[c]) : 1.0);
    };
    column_sums(g.pixels, g.channels, slab, term,
                part + (size_t)blockIdx.z * slab.count * g.channels);
}

// Gradients by moments, γ and β; each may be null.
extern "C" __global__ void __launch_bounds__(THREADS)
    normalise_gradients(GroupGeometry g, SlabGeometry slab, float epsilon, const double *part,
                        const float *moments, const float *gamma, float *dmoments, float *dgamma,
                        float *dbeta) {
    FOR_EACH(c, g.channels) {
        double plain = slab_sum(g.channels, c, slab, part);
        double centred = slab_sum(g.channels, c, slab, part + (size_t)slab.count * g.channels);
        double factor = (double)gamma[c], s = (double)inverse_deviation(g, epsilon, moments, c);
        if (dmoments) {
            dmoments[c] = (float)(-factor * s * plain);
            dmoments[g.channels + c] = (float)(-0.5 * factor * s * s * s * centred);
        }
        if (dgamma) {
            dgamma[c] = (float)(s * centred);
        }
        if (dbeta) {
            dbeta[c] = (float)plain;
        }
    }
}
