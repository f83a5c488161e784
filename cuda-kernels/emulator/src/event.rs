//! Events: what one stream tells another, or the host.

use std::time::Instant;

use crate::driver::{Driver, Handle, no_handle};
use crate::error::{Code, Fault, Result};
use crate::queue::{Work, default};

/// An event.
#[derive(Default)]
pub struct Event {
    /// Times recorded, and how many of these are done.
    recorded: u64,
    done: u64,
    /// Where the last record is queued.
    place: (Handle, u64),
    /// Recorded in a capture: its graph and stream.
    captured: Option<(Handle, Handle)>,
    time: Option<Instant>,
    /// Whether it takes times.
    pub timed: bool,
}

impl Event {
    /// Notes that record number `version` is done.
    pub(crate) fn done(&mut self, version: u64) {
        self.done = self.done.max(version);
        self.time = Some(Instant::now());
    }

    /// An event that nobody recorded.
    pub fn new(timed: bool) -> Self {
        Self {
            timed,
            ..Self::default()
        }
    }
}

impl Driver {
    pub(crate) fn event(&mut self, handle: Handle) -> Result<&mut Event> {
        self.events
            .get_mut(&handle)
            .ok_or_else(|| no_handle("event", handle))
    }

    pub(crate) fn record(&mut self, event: Handle, stream: Handle) -> Result<()> {
        let stream = default(stream);
        let capture = self.stream(stream)?.capture;
        let made = self.event(event)?;
        if let Some(graph) = capture {
            made.captured = Some((graph, stream));
            return Ok(());
        }
        made.captured = None;
        made.recorded += 1;
        let version = made.recorded;
        let serial = self.queue(stream, Work::Record { event, version })?;
        self.event(event)?.place = (stream, serial);
        Ok(())
    }

    pub(crate) fn wait_for(&mut self, stream: Handle, event: Handle) -> Result<()> {
        let stream = default(stream);
        let made = self.event(event)?;
        let (captured, (place, serial)) = (made.captured, made.place);
        let Some((graph, from)) = captured else {
            let work = Work::Wait {
                stream: place,
                serial,
            };
            // Of an event that was never recorded nobody waits.
            return if serial == 0 {
                Ok(())
            } else {
                self.queue(stream, work).map(drop)
            };
        };
        let waiting = self.stream(stream)?;
        if waiting.capture.is_some_and(|own| own != graph) {
            return Err(Fault::new(
                Code::CAPTURE_INVALIDATED,
                "event of another capture",
            ));
        }
        waiting.capture = Some(graph);
        if let Some(graph) = self.graphs.get_mut(&graph) {
            graph.join(from);
        }
        Ok(())
    }

    pub(crate) fn event_done(&mut self, event: Handle) -> Result<bool> {
        let event = self.event(event)?;
        Ok(event.done == event.recorded)
    }

    pub(crate) fn event_place(&mut self, event: Handle) -> Result<(Handle, u64)> {
        Ok(self.event(event)?.place)
    }

    /// Milliseconds from one event to another.
    pub(crate) fn elapsed(&mut self, from: Handle, to: Handle) -> Result<f32> {
        for event in [from, to] {
            if !self.event(event)?.timed {
                return Err(Fault::new(
                    Code::INVALID_HANDLE,
                    "an event that takes no times",
                ));
            }
            if !self.event_done(event)? {
                return Err(Fault::new(Code::NOT_READY, "an event that is not done"));
            }
        }
        let time = |time: Option<Instant>| {
            time.ok_or_else(|| Fault::new(Code::INVALID_HANDLE, "an event never recorded"))
        };
        let (start, end) = (time(self.event(from)?.time)?, time(self.event(to)?.time)?);
        Ok(end.saturating_duration_since(start).as_secs_f32() * 1e3)
    }
}
