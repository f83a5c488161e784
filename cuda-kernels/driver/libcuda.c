/* The CUDA driver, loaded when it is first called.
 *
 * A program that links libcuda does not start without a driver. This one starts, and every call
 * then fails with CUDA_ERROR_NO_DEVICE; where libcuda.so.1 can be loaded, calls go there. The list
 * is what the backend and the parts of cust that it uses call. */
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>

enum { NO_DEVICE = 100, SYMBOL_NOT_FOUND = 302 };

typedef int Result;
typedef void *Handle;
typedef unsigned long long Address;
typedef unsigned int u32;

static void *library(void) {
    static void *loaded;
    void *found = __atomic_load_n(&loaded, __ATOMIC_ACQUIRE);
    if (!found) {
        found = dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL);
        __atomic_store_n(&loaded, found, __ATOMIC_RELEASE);
    }
    return found;
}

static void *symbol(void **known, const char *name) {
    void *found = __atomic_load_n(known, __ATOMIC_ACQUIRE);
    if (!found && library()) {
        found = dlsym(library(), name);
        __atomic_store_n(known, found, __ATOMIC_RELEASE);
    }
    return found;
}

#define FORWARD(name, parameters, arguments)                                                       \
    Result name parameters {                                                                       \
        static void *known;                                                                        \
        void *real = symbol(&known, #name);                                                        \
        if (!real) {                                                                               \
            return library() ? SYMBOL_NOT_FOUND : NO_DEVICE;                                       \
        }                                                                                          \
        return ((Result(*) parameters)(uintptr_t)real)arguments;                                   \
    }

FORWARD(cuInit, (u32 flags), (flags))
FORWARD(cuDriverGetVersion, (int *version), (version))
FORWARD(cuGetErrorString, (int error, const char **text), (error, text))
FORWARD(cuDeviceGet, (int *device, int ordinal), (device, ordinal))
FORWARD(cuDeviceGetCount, (int *count), (count))
FORWARD(cuDeviceGetName, (char *name, int len, int device), (name, len, device))
FORWARD(cuDeviceGetAttribute, (int *value, int attribute, int device), (value, attribute, device))
FORWARD(cuDevicePrimaryCtxRetain, (Handle *context, int device), (context, device))
FORWARD(cuDevicePrimaryCtxRelease_v2, (int device), (device))
FORWARD(cuDevicePrimaryCtxSetFlags_v2, (int device, u32 flags), (device, flags))
FORWARD(cuCtxSetCurrent, (Handle context), (context))
FORWARD(cuCtxSynchronize, (void), ())
FORWARD(cuModuleLoadDataEx,
        (Handle * module, const void *image, u32 count, void *options, void **values),
        (module, image, count, options, values))
FORWARD(cuModuleGetFunction, (Handle * function, Handle module, const char *name),
        (function, module, name))
FORWARD(cuModuleUnload, (Handle module), (module))
FORWARD(cuFuncSetAttribute, (Handle function, int attribute, int value),
        (function, attribute, value))
FORWARD(cuMemAlloc_v2, (Address * address, size_t bytes), (address, bytes))
FORWARD(cuMemFree_v2, (Address address), (address))
FORWARD(cuMemAllocHost_v2, (void **memory, size_t bytes), (memory, bytes))
FORWARD(cuMemFreeHost, (void *memory), (memory))
FORWARD(cuMemcpyHtoDAsync_v2, (Address to, const void *from, size_t bytes, Handle stream),
        (to, from, bytes, stream))
FORWARD(cuMemcpyDtoHAsync_v2, (void *to, Address from, size_t bytes, Handle stream),
        (to, from, bytes, stream))
FORWARD(cuMemcpyDtoDAsync_v2, (Address to, Address from, size_t bytes, Handle stream),
        (to, from, bytes, stream))
FORWARD(cuMemsetD32Async, (Address to, u32 value, size_t count, Handle stream),
        (to, value, count, stream))
FORWARD(cuStreamCreateWithPriority, (Handle * stream, u32 flags, int priority),
        (stream, flags, priority))
FORWARD(cuStreamSynchronize, (Handle stream), (stream))
FORWARD(cuStreamWaitEvent, (Handle stream, Handle event, u32 flags), (stream, event, flags))
FORWARD(cuStreamDestroy_v2, (Handle stream), (stream))
FORWARD(cuEventCreate, (Handle * event, u32 flags), (event, flags))
FORWARD(cuEventRecord, (Handle event, Handle stream), (event, stream))
FORWARD(cuEventSynchronize, (Handle event), (event))
FORWARD(cuEventDestroy_v2, (Handle event), (event))
FORWARD(cuLaunchKernel,
        (Handle function, u32 grid_x, u32 grid_y, u32 grid_z, u32 block_x, u32 block_y, u32 block_z,
         u32 shared, Handle stream, void **parameters, void **extra),
        (function, grid_x, grid_y, grid_z, block_x, block_y, block_z, shared, stream, parameters,
         extra))
