//! Streams, events, graphs.

use std::ffi::{c_char, c_void};

use super::answer;
use crate::driver::{Handle, call, no_handle};
use crate::error::{Code, Fault};
use crate::event::Event;
use crate::queue::{Stream, Work};

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuStreamCreateWithPriority(
    stream: *mut Handle,
    flags: u32,
    priority: i32,
) -> Code {
    call("cuStreamCreate", |driver| {
        let handle = driver.handle();
        driver.streams.insert(handle, Stream::new(flags, priority));
        // SAFETY: by the caller.
        unsafe { answer(stream, handle) }
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuStreamCreate(stream: *mut Handle, flags: u32) -> Code {
    // SAFETY: by the caller.
    unsafe { cuStreamCreateWithPriority(stream, flags, 0) }
}

/// Its work still runs.
#[unsafe(no_mangle)]
pub extern "C" fn cuStreamDestroy_v2(stream: Handle) -> Code {
    call("cuStreamDestroy", |driver| {
        driver.stream(stream)?.gone = true;
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuStreamGetFlags(stream: Handle, flags: *mut u32) -> Code {
    call("cuStreamGetFlags", |driver| {
        let value = driver.stream(stream)?.flags;
        // SAFETY: by the caller.
        unsafe { answer(flags, value) }
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuStreamGetPriority(stream: Handle, priority: *mut i32) -> Code {
    call("cuStreamGetPriority", |driver| {
        let value = driver.stream(stream)?.priority;
        // SAFETY: by the caller.
        unsafe { answer(priority, value) }
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamSynchronize(stream: Handle) -> Code {
    call("cuStreamSynchronize", |driver| {
        driver.stream(stream)?;
        driver.settle(stream, u64::MAX)
    })
}

/// Every question lets one piece of work run, so that polling ends.
#[unsafe(no_mangle)]
pub extern "C" fn cuStreamQuery(stream: Handle) -> Code {
    call("cuStreamQuery", |driver| match driver.poll(stream)? {
        true => Ok(()),
        false => Err(Fault::new(Code::NOT_READY, "work is pending")),
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamWaitEvent(stream: Handle, event: Handle, _flags: u32) -> Code {
    call("cuStreamWaitEvent", |driver| driver.wait_for(stream, event))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuLaunchHostFunc(
    stream: Handle,
    function: unsafe extern "C" fn(*mut c_void),
    data: *mut c_void,
) -> Code {
    call("cuLaunchHostFunc", |driver| {
        let data = data as u64;
        driver
            .queue(stream, Work::Call { function, data })
            .map(drop)
    })
}

/// `CU_EVENT_DISABLE_TIMING`.
const UNTIMED: u32 = 2;

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuEventCreate(event: *mut Handle, flags: u32) -> Code {
    call("cuEventCreate", |driver| {
        let handle = driver.handle();
        let made = Event::new(flags & UNTIMED == 0);
        driver.events.insert(handle, made);
        // SAFETY: by the caller.
        unsafe { answer(event, handle) }
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuEventDestroy_v2(event: Handle) -> Code {
    call("cuEventDestroy", |driver| {
        let found = driver.events.remove(&event);
        found.map(drop).ok_or_else(|| no_handle("event", event))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuEventRecord(event: Handle, stream: Handle) -> Code {
    call("cuEventRecord", |driver| driver.record(event, stream))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuEventSynchronize(event: Handle) -> Code {
    call("cuEventSynchronize", |driver| {
        let (stream, serial) = driver.event_place(event)?;
        driver.settle(stream, serial)
    })
}

/// As [`cuStreamQuery`].
#[unsafe(no_mangle)]
pub extern "C" fn cuEventQuery(event: Handle) -> Code {
    call("cuEventQuery", |driver| {
        if driver.event_done(event)? {
            return Ok(());
        }
        let (stream, _) = driver.event_place(event)?;
        driver.poll(stream)?;
        Err(Fault::new(Code::NOT_READY, "work is pending"))
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuEventElapsedTime(ms: *mut f32, from: Handle, to: Handle) -> Code {
    call("cuEventElapsedTime", |driver| {
        let elapsed = driver.elapsed(from, to)?;
        // SAFETY: by the caller.
        unsafe { answer(ms, elapsed) }
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamBeginCapture_v2(stream: Handle, _mode: u32) -> Code {
    call("cuStreamBeginCapture", |driver| {
        driver.begin_capture(stream)
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuStreamEndCapture(stream: Handle, graph: *mut Handle) -> Code {
    call("cuStreamEndCapture", |driver| {
        let handle = driver.end_capture(stream)?;
        // SAFETY: by the caller.
        unsafe { answer(graph, handle) }
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuStreamIsCapturing(stream: Handle, status: *mut u32) -> Code {
    call("cuStreamIsCapturing", |driver| {
        let capturing = driver.capturing(stream)?;
        // SAFETY: by the caller.
        unsafe { answer(status, capturing.into()) }
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGraphInstantiateWithFlags(
    ready: *mut Handle,
    graph: Handle,
    _flags: u64,
) -> Code {
    call("cuGraphInstantiate", |driver| {
        let found = driver.graphs.get(&graph).cloned();
        let found = found.ok_or_else(|| no_handle("graph", graph))?;
        let handle = driver.handle();
        driver.ready.insert(handle, found);
        // SAFETY: by the caller.
        unsafe { answer(ready, handle) }
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGraphInstantiate_v2(
    ready: *mut Handle,
    graph: Handle,
    _node: *mut Handle,
    _log: *mut c_char,
    _bytes: usize,
) -> Code {
    // SAFETY: by the caller.
    unsafe { cuGraphInstantiateWithFlags(ready, graph, 0) }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphLaunch(ready: Handle, stream: Handle) -> Code {
    call("cuGraphLaunch", |driver| driver.launch_graph(ready, stream))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphExecDestroy(ready: Handle) -> Code {
    call("cuGraphExecDestroy", |driver| {
        let found = driver.ready.remove(&ready);
        found
            .map(drop)
            .ok_or_else(|| no_handle("graph to launch", ready))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphDestroy(graph: Handle) -> Code {
    call("cuGraphDestroy", |driver| {
        let found = driver.graphs.remove(&graph);
        found.map(drop).ok_or_else(|| no_handle("graph", graph))
    })
}
