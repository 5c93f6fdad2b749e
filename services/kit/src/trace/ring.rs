//! Requests that may still be kept after they ended.
//!
//! Whether a decision was slow or degraded is known at its caller's last, when the roles that it
//! called have long answered. So a role leaves the recordings of requests that came as part of an
//! unrecorded trace in a ring for a moment. A caller that keeps its trace after all names it in a
//! header of its next call to that role, which takes it from the ring. That costs a copy of what was
//! noted of a request, and no call of its own.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::attribute::Attribute;
use super::context::{Context, SpanId, TraceId};
use super::recording::{Recording, Span};
use super::tracer::Tracer;

/// Trace ids, joined by commas, that the called role is to keep as well.
pub(super) const KEEP: HeaderName = HeaderName::from_static("cartwright-keep-traces");

/// Requests that are remembered: about a fifth of a second at the highest rate. More would not stay in the cache.
const REMEMBERED: usize = 512;
/// Traces named in one call, and waiting for one.
const NAMED: usize = 16;
const WAITING: usize = 64;

/// Ended requests, the oldest first. Only what was noted of them lies here, one request behind the
/// other; the recordings themselves go back to their threads, whose caches hold them.
#[derive(Debug, Default)]
pub(super) struct Ring(Mutex<Ended>);

#[derive(Debug, Default)]
struct Ended {
    requests: VecDeque<Request>,
    spans: VecDeque<Span>,
    attributes: VecDeque<Attribute>,
    text: VecDeque<u8>,
}

/// One of them, and how much of the queues is its own.
#[derive(Debug)]
struct Request {
    is_taken: bool,
    context: Context,
    parent: Option<SpanId>,
    state: Option<HeaderValue>,
    deadline: Option<Instant>,
    method: Range<usize>,
    lost: u32,
    spans: usize,
    attributes: usize,
    text: usize,
}

impl Ring {
    /// Remembers a request, and forgets the oldest when there are too many. The recording keeps none of it.
    pub(super) fn push(&self, recording: &mut Recording) {
        if let Ok(mut ended) = self.0.lock() {
            if ended.requests.len() >= REMEMBERED {
                ended.forget_oldest();
            }
            ended.push(recording);
        }
    }

    /// Forgets all.
    pub(super) fn clear(&self) {
        if let Ok(mut ended) = self.0.lock() {
            *ended = Ended::default();
        }
    }

    /// Takes out what belongs to these traces.
    pub(super) fn take(&self, wanted: &[TraceId], tracer: &Arc<Tracer>) -> Vec<Recording> {
        let Ok(mut ended) = self.0.lock() else {
            return Vec::new();
        };
        ended.take(wanted, tracer)
    }
}

impl Ended {
    fn push(&mut self, recording: &mut Recording) {
        self.requests.push_back(Request {
            is_taken: false,
            context: recording.context,
            parent: recording.parent,
            state: recording.state.take(),
            deadline: recording.deadline,
            method: recording.method.clone(),
            lost: recording.lost,
            spans: recording.spans.len(),
            attributes: recording.attributes.len(),
            text: recording.text.len(),
        });
        self.spans.extend(recording.spans.drain(..));
        self.attributes.extend(recording.attributes.drain(..));
        self.text.extend(recording.text.as_bytes());
    }

    fn forget_oldest(&mut self) {
        if let Some(oldest) = self.requests.pop_front() {
            self.spans.drain(..oldest.spans);
            self.attributes.drain(..oldest.attributes);
            self.text.drain(..oldest.text);
        }
    }

    fn take(&mut self, wanted: &[TraceId], tracer: &Arc<Tracer>) -> Vec<Recording> {
        let mut taken = Vec::new();
        let (mut spans, mut attributes, mut text) = (0, 0, 0);
        for request in &mut self.requests {
            if !request.is_taken && wanted.contains(&request.context.trace_id) {
                request.is_taken = true;
                let mut recording = Recording::new(tracer.clone(), request.context);
                recording.parent = request.parent;
                recording.state = request.state.take();
                recording.deadline = request.deadline;
                recording.method = request.method.clone();
                recording.lost = request.lost;
                let own = self.spans.range(spans..spans + request.spans);
                recording.spans.extend(own.cloned());
                let own = self
                    .attributes
                    .range(attributes..attributes + request.attributes);
                recording.attributes.extend(own.cloned());
                let own = self.text.range(text..text + request.text);
                recording.text = String::from_utf8(own.copied().collect()).unwrap_or_default();
                taken.push(recording);
            }
            spans += request.spans;
            attributes += request.attributes;
            text += request.text;
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
    use std::net::{Ipv4Addr, SocketAddr};

    use super::super::attribute::Value;
    use super::super::recording::Kind;
    use super::super::settings::Settings;
    use super::*;

    #[test]
    fn a_request_is_remembered_whole_until_too_many_came_after_it_and_taken_once() {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let tracer = Tracer::start("test", &Settings::default(), address);
        let ring = Ring::default();
        let told = |recording: &Recording| {
            let texts = recording.attributes.iter().filter_map(|one| {
                let Value::Text(range) = &one.value else {
                    return None;
                };
                Some(recording.text_of(range).to_owned())
            });
            let spans: Vec<_> = recording.spans.iter().map(|span| span.name).collect();
            let method = recording.text_of(&recording.method).to_owned();
            (recording.parent, method, spans, texts.collect::<Vec<_>>())
        };
        let all: Vec<_> = (0..REMEMBERED + 9)
            .map(|number| {
                let id = TraceId::random();
                let context = Context::new(id, SpanId::random(), false);
                let mut recording = Recording::new(tracer.clone(), context);
                recording.parent = Some(SpanId::random());
                recording.begin(&format!("service/Méthode{number}"), Instant::now());
                for place in 0..number % 5 {
                    recording.open("read", Kind::Stage);
                    recording.add_text(place, "key", &format!("value {number}.{place}"));
                }
                let was = told(&recording);
                ring.push(&mut recording);
                (id, was)
            })
            .collect();
        for (number, (id, was)) in all.iter().enumerate().rev() {
            let taken = ring.take(&[*id], &tracer);
            let found: Vec<_> = taken.iter().map(told).collect();
            let expected = if number < 9 {
                &[]
            } else {
                std::slice::from_ref(was)
            };
            assert_eq!(found, expected, "request {number}");
            assert!(ring.take(&[*id], &tracer).is_empty(), "taken once");
        }
    }

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
