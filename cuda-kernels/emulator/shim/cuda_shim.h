// What nvcc brings by itself, for a C++ compiler: kernels become functions that the emulated driver
// calls once per thread. Shared memory, barriers and exchanges between lanes are the driver's
// (src/native/), reached through `emu_hooks`.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(n) alignas(n)
#define CUDART_INF_F INFINITY

struct uint3 { unsigned x, y, z; };
struct dim3 { unsigned x, y, z; };
struct float2 { float x, y; };
struct float3 { float x, y, z; };
struct alignas(16) float4 { float x, y, z, w; };
struct int2 { int x, y; };
struct alignas(16) int4 { int x, y, z, w; };
struct uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
struct alignas(16) double2 { double x, y; };

inline float2 make_float2(float x, float y) { return {x, y}; }
inline float3 make_float3(float x, float y, float z) { return {x, y, z}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline int2 make_int2(int x, int y) { return {x, y}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
inline double2 make_double2(double x, double y) { return {x, y}; }

// Where the running thread is, and what the driver does for it; both filled by the driver.
struct EmuPlace {
    uint3 thread, block;
    dim3 block_dim, grid_dim;
};
struct EmuHooks {
    void (*barrier)(const char *file, unsigned line);
    // Waits for the lanes of `mask`; `all` gets their `size` bytes, lane after lane.
    void (*exchange)(unsigned mask, const void *own, size_t size, void *all, const char *file,
                     unsigned line);
    // d += a b in the fragments of mma.sync.m16n8k8; `factors` is a and b.
    void (*product)(float *d, const unsigned *factors, const char *file, unsigned line);
    void *(*shared)(const void *key, size_t size);
    void *(*dynamic)();
    void (*trap)();
};
extern "C" {
extern EmuPlace emu_place;
extern EmuHooks emu_hooks;
}

#define threadIdx (emu_place.thread)
#define blockIdx (emu_place.block)
#define blockDim (emu_place.block_dim)
#define gridDim (emu_place.grid_dim)
#define warpSize 32

inline unsigned emu_lane() {
    const EmuPlace &p = emu_place;
    unsigned row = p.thread.z * p.block_dim.y + p.thread.y;
    return (row * p.block_dim.x + p.thread.x) % 32;
}

#define __syncthreads() emu_hooks.barrier(__FILE__, __LINE__)
#define __threadfence() ((void)0)
#define __threadfence_block() ((void)0)
#define __trap() emu_hooks.trap()

inline void emu_syncwarp(const char *file, unsigned line, unsigned mask = 0xffffffffu) {
    char all[32], own = 0;
    emu_hooks.exchange(mask, &own, 1, all, file, line);
}
#define __syncwarp(...) emu_syncwarp(__FILE__, __LINE__ __VA_OPT__(, ) __VA_ARGS__)

template <class T>
inline T emu_shuffle(const char *file, unsigned line, unsigned mask, T own, int target) {
    T all[32];
    emu_hooks.exchange(mask, &own, sizeof(T), all, file, line);
    return all[target < 0 || target > 31 ? emu_lane() : (unsigned)target];
}
// A source outside the segment of `width` lanes gives the lane's own value.
inline int emu_up(unsigned by, int width) {
    int lane = (int)emu_lane(), first = lane / width * width;
    return lane - (int)by >= first ? lane - (int)by : lane;
}
inline int emu_down(unsigned by, int width) {
    int lane = (int)emu_lane(), last = lane / width * width + width - 1;
    return lane + (int)by <= last ? lane + (int)by : lane;
}
inline int emu_xor(int by, int width) {
    int lane = (int)emu_lane(), last = lane / width * width + width - 1;
    return (lane ^ by) <= last ? lane ^ by : lane;
}
inline int emu_index(int at, int width) {
    int lane = (int)emu_lane();
    return lane / width * width + (at & (width - 1));
}
#define __shfl_up_sync(m, v, by, ...)                                                              \
    emu_shuffle(__FILE__, __LINE__, m, v, emu_up(by, EMU_LAST(__VA_ARGS__)))
#define __shfl_down_sync(m, v, by, ...)                                                            \
    emu_shuffle(__FILE__, __LINE__, m, v, emu_down(by, EMU_LAST(__VA_ARGS__)))
#define __shfl_xor_sync(m, v, by, ...)                                                             \
    emu_shuffle(__FILE__, __LINE__, m, v, emu_xor(by, EMU_LAST(__VA_ARGS__)))
#define __shfl_sync(m, v, at, ...)                                                                 \
    emu_shuffle(__FILE__, __LINE__, m, v, emu_index(at, EMU_LAST(__VA_ARGS__)))
// The width where there is one, else 32.
#define EMU_LAST(...) (0 __VA_OPT__(+ __VA_ARGS__ - 32) + 32)

inline unsigned emu_ballot(const char *file, unsigned line, unsigned mask, bool yes) {
    unsigned char all[32], own = yes;
    emu_hooks.exchange(mask, &own, 1, all, file, line);
    unsigned bits = 0;
    for (unsigned lane = 0; lane < 32; lane++) {
        bits |= (mask >> lane & 1) && all[lane] ? 1u << lane : 0;
    }
    return bits;
}
#define __ballot_sync(mask, p) emu_ballot(__FILE__, __LINE__, mask, p)
#define __any_sync(mask, p) (emu_ballot(__FILE__, __LINE__, mask, p) != 0)
#define __all_sync(mask, p) (emu_ballot(__FILE__, __LINE__, mask, p) == (mask))

template <class To, class From> inline To emu_bits(From from) {
    static_assert(sizeof(To) == sizeof(From), "");
    To to;
    std::memcpy(&to, &from, sizeof to);
    return to;
}
inline int __float_as_int(float x) { return emu_bits<int>(x); }
inline unsigned __float_as_uint(float x) { return emu_bits<unsigned>(x); }
inline float __int_as_float(int x) { return emu_bits<float>(x); }
inline float __uint_as_float(unsigned x) { return emu_bits<float>(x); }

template <class T> inline T __ldg(const T *at) { return *at; }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline float rsqrtf(float x) { return (float)(1.0 / std::sqrt((double)x)); }
inline float __expf(float x) { return (float)std::exp((double)x); }
inline float __logf(float x) { return (float)std::log((double)x); }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fdividef(float a, float b) { return a / b; }

using std::abs;
using std::exp;
using std::fabs;
using std::fma;
using std::isfinite;
using std::isinf;
using std::isnan;
using std::log;
using std::log1p;
using std::rint;
using std::sqrt;
template <class A, class B> inline auto min(A a, B b) -> std::common_type_t<A, B> {
    return b < a ? b : a;
}
template <class A, class B> inline auto max(A a, B b) -> std::common_type_t<A, B> {
    return a < b ? b : a;
}

template <class T> inline T atomicAdd(T *at, T by) {
    T old = *at;
    *at = old + by;
    return old;
}
template <class T> inline T atomicMax(T *at, T by) {
    T old = *at;
    *at = old < by ? by : old;
    return old;
}
template <class T> inline T atomicExch(T *at, T by) {
    T old = *at;
    *at = by;
    return old;
}

// cvt.rna.tf32.f32 and mma.sync.m16n8k8, as the interpreter has them.
inline unsigned round_tf32(float x) {
    unsigned bits = __float_as_uint(x);
    return std::isfinite(x) ? (bits + 0x1000u) & ~0x1fffu : bits;
}
inline void emu_mma_tf32(const char *file, unsigned line, float d[4], const unsigned a[4],
                         const unsigned b[2]) {
    unsigned factors[6] = {a[0], a[1], a[2], a[3], b[0], b[1]};
    emu_hooks.product(d, factors, file, line);
}
#define mma_tf32(d, a, b) emu_mma_tf32(__FILE__, __LINE__, d, a, b)

// How the driver calls a kernel: `arguments` points to each argument.
template <class... A, size_t... I>
inline void emu_call(void (*kernel)(A...), void **arguments, std::index_sequence<I...>) {
    kernel(*static_cast<std::remove_cv_t<A> *>(arguments[I])...);
}
template <class... A> struct EmuSizes {
    unsigned count = sizeof...(A), bytes[sizeof...(A) + 1] = {sizeof(A)..., 0};
};
template <class... A> constexpr EmuSizes<A...> emu_sizes(void (*)(A...)) { return {}; }
template <class... A> inline void emu_invoke(void (*kernel)(A...), void **arguments) {
    emu_call(kernel, arguments, std::index_sequence_for<A...>{});
}
#define EMU_KERNEL(name)                                                                           \
    extern "C" void emu_entry_##name(void **arguments) { emu_invoke(name, arguments); }            \
    extern "C" const auto emu_sizes_##name = emu_sizes(name);
