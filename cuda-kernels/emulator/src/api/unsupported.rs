//! What `cust` can call and the emulator refuses, by name.

use crate::error::{Code, Fault, report};

fn refused(name: &str) -> Code {
    let fault = Fault::new(Code::NOT_SUPPORTED, format!("{name} is not emulated"));
    report(&fault);
    fault.code
}

/// Callers may pass any arguments: the callee takes none off the stack.
macro_rules! refuse {
    ($($name:ident)*) => {
        $(
            #[unsafe(no_mangle)]
            pub extern "C" fn $name() -> Code {
                refused(stringify!($name))
            }
        )*
    };
}

refuse! {
    cuArray3DCreate_v2
    cuArray3DGetDescriptor_v2
    cuArrayDestroy
    cuCtxCreate_v2
    cuCtxDestroy_v2
    cuCtxGetCacheConfig
    cuCtxGetFlags
    cuCtxGetLimit
    cuCtxGetSharedMemConfig
    cuCtxPopCurrent_v2
    cuCtxPushCurrent_v2
    cuCtxSetCacheConfig
    cuCtxSetLimit
    cuCtxSetSharedMemConfig
    cuDestroyExternalMemory
    cuDevicePrimaryCtxReset_v2
    cuExternalMemoryGetMappedBuffer
    cuFuncSetSharedMemConfig
    cuGraphAddKernelNode
    cuGraphCreate
    cuGraphDebugDotPrint
    cuGraphGetEdges
    cuGraphGetNodes
    cuGraphKernelNodeGetParams
    cuGraphNodeGetType
    cuImportExternalMemory
    cuLinkAddData_v2
    cuLinkComplete
    cuLinkCreate_v2
    cuLinkDestroy
    cuMemAdvise
    cuMemAllocManaged
    cuMemPrefetchAsync
    cuMemcpy2D_v2
    cuMemcpyAtoH_v2
    cuMemcpyHtoA_v2
    cuModuleLoad
    cuOccupancyAvailableDynamicSMemPerBlock
    cuOccupancyMaxPotentialBlockSize
    cuSurfObjectCreate
    cuSurfObjectDestroy
    cuSurfObjectGetResourceDesc
    cuTexObjectCreate
    cuTexObjectDestroy
    cuTexObjectGetResourceDesc
    cuTexObjectGetResourceViewDesc
}
