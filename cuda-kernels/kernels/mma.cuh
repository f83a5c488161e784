// Matrix products on tensor cores, with the precision of f32.
//
// A tf32 has 11 significant bits, an f32 24. Each factor is split into two tf32, and three of the
// four products of the parts are summed up: what is left out is below 2^-22 of the product.
#pragma once

#include "geometry.cuh"

#ifdef __CUDACC__

// Nearest tf32, ties away from zero.
__device__ inline u32 round_tf32(float x) {
    u32 bits;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
    return bits;
}

// d (16, 8) += a (16, 8) b (8, 8), spread over a warp as PTX has it for m16n8k8.
__device__ inline void mma_tf32(float d[4], const u32 a[4], const u32 b[2]) {
    asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
        "{%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

#else

// Where a processor runs the kernels, its shim says what the two instructions do:
// `u32 round_tf32(float)` and `void mma_tf32(float[4], const u32[4], const u32[2])`.

#endif

// The two parts of `count` factors.
template <int count> struct Split {
    u32 high[count], low[count];

    Split() = default;

    __device__ inline explicit Split(const float (&x)[count]) {
#pragma unroll
        for (int i = 0; i < count; i++) {
            high[i] = round_tf32(x[i]);
            low[i] = round_tf32(x[i] - __uint_as_float(high[i]));
        }
    }
};

// d += a b with the small products first.
__device__ inline void mma_f32(float d[4], const Split<4> &a, const Split<2> &b) {
    mma_tf32(d, a.low, b.high);
    mma_tf32(d, a.high, b.low);
    mma_tf32(d, a.high, b.high);
}
