//! Requests that may still be kept after they ended.
//!
//! Whether a decision was slow or degraded is known at its caller's last, when the roles that it
//! called have long answered. So a role leaves the recordings of requests that came as part of an
//! unrecorded trace in a ring for a moment. A caller that keeps its trace after all names it in a
//! header of its next call to that role, which takes it from the ring. That costs a push and a pop a
//! request, and no call of its own.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};

use super::context::TraceId;
use super::recording::Recording;

/// Trace ids, joined by commas, that the called role is to keep as well.
pub(super) const KEEP: HeaderName = HeaderName::from_static("cartwright-keep-traces");

/// Requests that are remembered: about a fifth of a second at the highest rate. More would not stay in the cache.
const REMEMBERED: usize = 512;
/// Traces named in one call, and waiting for one.
const NAMED: usize = 16;
const WAITING: usize = 64;

/// Ended requests, the oldest first.
#[derive(Debug)]
pub(super) struct Ring(Mutex<VecDeque<Box<Recording>>>);

impl Ring {
    pub(super) fn new() -> Self {
        Self(Mutex::new(VecDeque::with_capacity(REMEMBERED)))
    }

    /// Remembers a request; returns the one that is forgotten for it.
    pub(super) fn push(&self, recording: Box<Recording>) -> Option<Box<Recording>> {
        let Ok(mut ring) = self.0.lock() else {
            return Some(recording);
        };
        let oldest = if ring.len() >= REMEMBERED {
            ring.pop_front()
        } else {
            None
        };
        ring.push_back(recording);
        oldest
    }

    /// Forgets all.
    pub(super) fn clear(&self) {
        if let Ok(mut ring) = self.0.lock() {
            ring.clear();
        }
    }

    /// Takes out what belongs to these traces.
    #[expect(clippy::vec_box, reason = "they came in boxes and go on in them")]
    pub(super) fn take(&self, wanted: &[TraceId]) -> Vec<Box<Recording>> {
        let mut taken = Vec::new();
        let Ok(mut ring) = self.0.lock() else {
            return taken;
        };
        let mut at = 0;
        while let Some(recording) = ring.get(at) {
            if wanted.contains(&recording.context.trace_id) {
                taken.extend(ring.remove(at));
            } else {
                at += 1;
            }
        }
        taken
    }
}

/// The traces that a header names.
pub(super) fn named(headers: &HeaderMap) -> Vec<TraceId> {
    let text = headers.get(KEEP).and_then(|value| value.to_str().ok());
    let ids = text.into_iter().flat_map(|text| text.split(','));
    ids.take(NAMED).filter_map(TraceId::parse).collect()
}

/// Traces that one called role is to be asked for, with the next call.
#[derive(Debug, Default)]
pub(super) struct Asks {
    any: AtomicBool,
    waiting: Mutex<Vec<TraceId>>,
}

impl Asks {
    pub(super) fn add(&self, id: TraceId) {
        if let Ok(mut waiting) = self.waiting.lock()
            && waiting.len() < WAITING
        {
            waiting.push(id);
            self.any.store(true, Ordering::Release);
        }
    }

    /// The header of the next call; `None`, at the price of one read, when nothing waits.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        let mut waiting = self.waiting.lock().ok()?;
        let count = waiting.len().min(NAMED);
        let mut text = String::with_capacity(count * 33);
        for id in waiting.drain(..count) {
            let comma = if text.is_empty() { "" } else { "," };
            write!(text, "{comma}{id}").ok()?;
        }
        self.any.store(!waiting.is_empty(), Ordering::Release);
        HeaderValue::from_str(&text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trace_waiting_is_asked_for_once() {
        let asks = Asks::default();
        assert_eq!(asks.header(), None);
        let ids: Vec<_> = (0..20).map(|_| TraceId::random()).collect();
        ids.iter().for_each(|id| asks.add(*id));
        let mut heard = Vec::new();
        while let Some(value) = asks.header() {
            let mut headers = HeaderMap::new();
            headers.insert(KEEP, value);
            heard.extend(named(&headers));
        }
        assert_eq!(heard, ids);
    }
}
