//! Graphs: work captured from streams, to be queued again and again.

use std::collections::HashSet;

use crate::driver::{Driver, Handle, no_handle};
use crate::error::{Code, Fault, Result};
use crate::queue::{Work, default};

/// Work captured from streams.
#[derive(Clone, Default)]
pub struct Graph {
    works: Vec<Work>,
    origin: Handle,
    /// Streams that took part and were not joined to the first again.
    apart: HashSet<Handle>,
}

impl Graph {
    /// Adds work of `stream`.
    pub(crate) fn push(&mut self, stream: Handle, work: Work) {
        if self.origin != stream {
            self.apart.insert(stream);
        }
        self.works.push(work);
    }

    /// Notes that another stream waits for `stream`.
    pub(crate) fn join(&mut self, stream: Handle) {
        self.apart.remove(&stream);
    }
}

impl Driver {
    pub(crate) fn begin_capture(&mut self, stream: Handle) -> Result<()> {
        let origin = default(stream);
        if origin == 0 || self.stream(origin)?.capture.is_some() {
            return Err(Fault::new(
                Code::CAPTURE_UNSUPPORTED,
                "capturing the default stream, or one that is being captured",
            ));
        }
        let graph = self.handle();
        self.graphs.insert(
            graph,
            Graph {
                origin,
                ..Graph::default()
            },
        );
        self.stream(origin)?.capture = Some(graph);
        Ok(())
    }

    pub(crate) fn capturing(&mut self, stream: Handle) -> Result<bool> {
        Ok(self.stream(stream)?.capture.is_some())
    }

    pub(crate) fn end_capture(&mut self, stream: Handle) -> Result<Handle> {
        let stream = default(stream);
        let invalid = |why| Fault::new(Code::CAPTURE_INVALIDATED, why);
        let capture = self.stream(stream)?.capture;
        let handle = capture.ok_or_else(|| invalid("a stream that is not captured"))?;
        for stream in self.streams.values_mut() {
            stream.capture = stream.capture.filter(|own| *own != handle);
        }
        match self.graphs.get(&handle) {
            Some(graph) if graph.origin == stream && graph.apart.is_empty() => Ok(handle),
            _ => Err(invalid(
                "a stream that took part was not joined by an event",
            )),
        }
    }

    /// Queues all works of a graph.
    pub(crate) fn launch_graph(&mut self, ready: Handle, stream: Handle) -> Result<()> {
        let graph = self.ready.get(&ready).cloned();
        let graph = graph.ok_or_else(|| no_handle("graph to launch", ready))?;
        for work in graph.works {
            self.queue(stream, work)?;
        }
        Ok(())
    }
}
