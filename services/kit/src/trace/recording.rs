//! The spans of one request in one process.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::HeaderValue;
use tonic::Code;

use super::attribute::{Attribute, Note, Value};
use super::context::{Context, SpanId};
use super::ring::Asks;
use super::timing::Asked;
use super::tracer::Tracer;

/// Spans that one request may have open or keep.
const SPANS: usize = 192;
/// Stages beyond these are timed and then forgotten: a batch of hundreds of decisions, or a stream
/// that is open for days, has its first ones in its trace and all of them in the metrics.
const STAGES: usize = 128;
/// Attributes that the spans of one request may have.
const ATTRIBUTES: usize = 1_024;
/// Bytes of texts that the attributes of one request may have.
const TEXT: usize = 16 * 1024;

/// What a span is to the one it is called from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The request itself.
    Server,
    /// A part of the work in this process.
    Stage,
    /// A call to another role.
    Hop,
}

#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Position of the span it is part of; its own for the first.
    pub(super) parent: usize,
    pub(super) started: Instant,
    pub(super) ended: Option<Instant>,
    /// Known once another process was told of it.
    pub(super) id: Option<SpanId>,
    /// gRPC code that a hop ended with.
    pub(super) code: Option<Code>,
    /// How often the span is held.
    holds: u32,
}

/// Names a span of a recording, from outside of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SpanRef {
    /// Of the recording; random, so one of an earlier request does not fit a later one.
    pub(super) recording: u64,
    pub(super) span: usize,
}

/// Everything noted of a request. It is owned by the request's future and lies in the thread's
/// slot while that is polled, so recording takes no lock.
pub(super) struct Recording {
    pub(super) tracer: Arc<Tracer>,
    /// Without, its stages are timed, and nothing else is noted or told to anybody.
    pub(super) is_traced: bool,
    /// Trace id and the request's own span.
    pub(super) context: Context,
    /// The caller's span.
    pub(super) parent: Option<SpanId>,
    pub(super) state: Option<HeaderValue>,
    pub(super) deadline: Option<Instant>,
    pub(super) spans: Vec<Span>,
    pub(super) attributes: Vec<Attribute>,
    pub(super) text: String,
    /// Full name of the method, in `text`.
    pub(super) method: Range<usize>,
    /// Positions of the spans that are entered, outermost first.
    entered: Vec<usize>,
    pub(super) is_degraded: bool,
    /// The caller wants to know the stages.
    pub(super) timing: Option<Asked>,
    /// What called roles said of their stages, by the position of the hop.
    pub(super) heard: Vec<(usize, HeaderValue)>,
    /// Whom to ask for their part when the trace is kept after all.
    pub(super) asks: Vec<Arc<Asks>>,
    /// Spans that found no place.
    pub(super) lost: u32,
}

impl Recording {
    pub(super) fn new(tracer: Arc<Tracer>, context: Context) -> Self {
        Self {
            tracer,
            is_traced: true,
            context,
            parent: None,
            state: None,
            deadline: None,
            spans: Vec::with_capacity(16),
            attributes: Vec::with_capacity(32),
            text: String::with_capacity(256),
            method: 0..0,
            entered: Vec::with_capacity(8),
            is_degraded: false,
            timing: None,
            heard: Vec::new(),
            asks: Vec::new(),
            lost: 0,
        }
    }

    /// Makes a used one new, and keeps its memory.
    pub(super) fn reset(&mut self, tracer: Arc<Tracer>, context: Context) {
        self.tracer = tracer;
        self.context = context;
        self.parent = None;
        self.state = None;
        self.deadline = None;
        self.spans.clear();
        self.attributes.clear();
        self.text.clear();
        self.method = 0..0;
        self.entered.clear();
        self.is_degraded = false;
        self.timing = None;
        self.heard.clear();
        self.asks.clear();
        self.lost = 0;
    }

    /// Opens the request's own span.
    pub(super) fn begin(&mut self, method: &str, now: Instant) {
        self.method = self.keep(method);
        let id = Some(self.context.span_id);
        self.spans.push(Span {
            name: "total",
            kind: Kind::Server,
            parent: 0,
            started: now,
            ended: None,
            id,
            code: None,
            holds: 1,
        });
    }

    fn number(&self) -> u64 {
        self.context.span_id.get()
    }

    pub(super) fn reference(&self, span: usize) -> SpanRef {
        SpanRef {
            recording: self.number(),
            span,
        }
    }

    fn at(&mut self, span: SpanRef) -> Option<&mut Span> {
        if span.recording == self.number() {
            self.spans.get_mut(span.span)
        } else {
            None
        }
    }

    /// Opens a span inside the one that is entered.
    pub(super) fn open(&mut self, name: &'static str, kind: Kind) -> Option<SpanRef> {
        let span = self.spans.len();
        if span >= SPANS {
            self.lost += 1;
            return None;
        }
        let parent = self.entered.last().copied().unwrap_or_default();
        self.spans.push(Span {
            name,
            kind,
            parent,
            started: Instant::now(),
            ended: None,
            id: None,
            code: None,
            holds: 1,
        });
        Some(self.reference(span))
    }

    pub(super) fn enter(&mut self, span: SpanRef) {
        if self.at(span).is_some() {
            self.entered.push(span.span);
        }
    }

    pub(super) fn exit(&mut self, span: SpanRef) {
        if span.recording == self.number() && self.entered.last() == Some(&span.span) {
            self.entered.pop();
        }
    }

    pub(super) fn hold(&mut self, span: SpanRef) {
        if let Some(span) = self.at(span) {
            span.holds += 1;
        }
    }

    /// Lets go of a span; ends it when nobody holds it any more, and tells who watches stages.
    pub(super) fn release(&mut self, span: SpanRef) -> bool {
        let Some(found) = self.at(span) else {
            return false;
        };
        found.holds = found.holds.saturating_sub(1);
        if found.holds > 0 || found.ended.is_some() {
            return false;
        }
        let now = Instant::now();
        found.ended = Some(now);
        let (name, kind) = (found.name, found.kind);
        let took = now.saturating_duration_since(found.started);
        if kind == Kind::Stage {
            self.tracer.observe(name, took);
        }
        if span.span >= STAGES && span.span + 1 == self.spans.len() {
            self.forget_last();
        }
        true
    }

    fn forget_last(&mut self) {
        self.spans.pop();
        self.lost += 1;
        let gone = self.spans.len();
        while let Some(last) = self.attributes.pop_if(|last| last.span == gone) {
            if let Value::Text(range) = last.value {
                self.text.truncate(range.start);
            }
        }
    }

    /// Ends a hop with the code it was answered with.
    pub(super) fn end_hop(&mut self, hop: SpanRef, code: Code) {
        if let Some(span) = self.at(hop)
            && span.ended.is_none()
        {
            span.ended = Some(Instant::now());
            span.code = Some(code);
        }
    }

    /// Notes the code that the request is answered with; the first one holds, and is returned.
    pub(super) fn answered(&mut self, code: Code) -> Code {
        let Some(own) = self.spans.first_mut() else {
            return code;
        };
        own.ended.get_or_insert_with(Instant::now);
        *own.code.get_or_insert(code)
    }

    /// Puts a text into the buffer, cut where that is full.
    pub(super) fn keep(&mut self, text: &str) -> Range<usize> {
        let start = self.text.len();
        if !self.is_traced {
            return start..start;
        }
        let room = TEXT.saturating_sub(start).min(text.len());
        let end = (0..=room)
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(0);
        self.text.push_str(text.get(..end).unwrap_or_default());
        start..self.text.len()
    }

    pub(super) fn text_of(&self, range: &Range<usize>) -> &str {
        self.text.get(range.clone()).unwrap_or_default()
    }

    pub(super) fn add(&mut self, span: usize, key: &'static str, value: Value) {
        if self.is_traced && self.attributes.len() < ATTRIBUTES {
            self.attributes.push(Attribute { span, key, value });
        }
    }

    pub(super) fn add_text(&mut self, span: usize, key: &'static str, text: &str) {
        let value = Value::Text(self.keep(text));
        self.add(span, key, value);
    }

    /// An attribute of the request itself; the last value holds.
    fn set(&mut self, key: &'static str, value: Value) {
        let mut known = self.attributes.iter_mut();
        match known.find(|one| one.span == 0 && one.key == key) {
            Some(one) => one.value = value,
            None => self.add(0, key, value),
        }
    }

    pub(super) fn note_request(&mut self, key: &'static str, note: Note<'_>) {
        let value = match note {
            Note::Text(text) => Value::Text(self.keep(text)),
            Note::Int(number) => Value::Int(number),
            Note::Float(number) => Value::Float(number),
            Note::Bool(truth) => Value::Bool(truth),
        };
        self.set(key, value);
    }

    pub(super) fn degrade(&mut self, why: &str) {
        if !self.is_degraded {
            self.is_degraded = true;
            self.add_text(0, "degraded.reason", why);
        }
    }

    pub(super) fn note_shopper(&mut self, id: &str) {
        let value = Value::Shopper(self.keep(id));
        self.set("shopper", value);
    }

    pub(super) fn budget(&mut self, left: Duration) {
        if self.deadline.is_none() {
            self.deadline = Instant::now().checked_add(left);
        }
    }

    /// When the request's own span ended; now, while it has not.
    pub(super) fn ended(&self) -> Instant {
        let own = self.spans.first().and_then(|span| span.ended);
        own.unwrap_or_else(Instant::now)
    }

    pub(super) fn took(&self) -> Duration {
        let started = self.spans.first().map(|span| span.started);
        started.map_or(Duration::ZERO, |at| {
            self.ended().saturating_duration_since(at)
        })
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording")
            .field("context", &self.context)
            .field("spans", &self.spans.len())
            .finish_non_exhaustive()
    }
}
