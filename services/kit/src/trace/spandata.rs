//! A recording as OpenTelemetry spans, with the names of its semantic conventions for RPC.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use tonic::Code;

use super::attribute::Value;
use super::context;
use super::keep::{Why, is_failure};
use super::recording::{Kind, Recording, Span};
use crate::metrics::code_name;

/// A moment on both clocks, to tell the time of what was measured on the one that only runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) wall: SystemTime,
    pub(super) running: std::time::Instant,
}

impl Now {
    fn wall(&self, at: std::time::Instant) -> SystemTime {
        let ago: Duration = self.running.saturating_duration_since(at);
        self.wall.checked_sub(ago).unwrap_or(self.wall)
    }
}

/// Every span of the recording.
pub(super) fn spans(
    recording: &Recording,
    why: Why,
    now: Now,
    scope: &InstrumentationScope,
) -> Vec<SpanData> {
    let ids: Vec<u64> = recording
        .spans
        .iter()
        .map(|span| span.id.unwrap_or_else(context::SpanId::random).get())
        .collect();
    let id = |position: usize| {
        let id = ids.get(position).copied().unwrap_or_default();
        SpanId::from(id)
    };
    let state = state(recording);
    let place = |position| {
        SpanContext::new(
            TraceId::from(recording.context.trace_id.get()),
            id(position),
            TraceFlags::SAMPLED,
            false,
            state.clone(),
        )
    };
    let mut all = Vec::with_capacity(recording.spans.len());
    for (position, span) in recording.spans.iter().enumerate() {
        let is_first = position == 0;
        let callers = recording.parent.map_or(0, context::SpanId::get);
        all.push(SpanData {
            span_context: place(position),
            parent_span_id: if is_first {
                SpanId::from(callers)
            } else {
                id(span.parent)
            },
            parent_span_is_remote: is_first && recording.parent.is_some(),
            span_kind: kind(recording, position, span),
            name: name(recording, position, span),
            start_time: now.wall(span.started),
            end_time: now.wall(span.ended.unwrap_or_else(|| recording.ended())),
            attributes: attributes(recording, position, span, why),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: status(span),
            instrumentation_scope: scope.clone(),
        });
    }
    all
}

fn state(recording: &Recording) -> TraceState {
    let given = recording
        .state
        .as_ref()
        .and_then(|value| value.to_str().ok());
    given.and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// A stage that talks to a server which sends no spans itself is a client's span.
fn kind(recording: &Recording, position: usize, span: &Span) -> SpanKind {
    match span.kind {
        Kind::Server => SpanKind::Server,
        Kind::Hop => SpanKind::Client,
        Kind::Stage => {
            let mut own = recording.attributes.iter();
            if own.any(|one| one.span == position && one.key == "db.system.name") {
                SpanKind::Client
            } else {
                SpanKind::Internal
            }
        }
    }
}

fn name(recording: &Recording, position: usize, span: &Span) -> Cow<'static, str> {
    match span.kind {
        Kind::Server => Cow::Owned(recording.text_of(&recording.method).to_owned()),
        Kind::Stage => Cow::Borrowed(span.name),
        Kind::Hop => {
            let mut own = recording.attributes.iter();
            let method = own.find(|one| one.span == position && one.key == "rpc.method");
            let text = method.and_then(|method| match &method.value {
                Value::Text(range) => Some(recording.text_of(range).to_owned()),
                Value::Shopper(_) | Value::Int(_) | Value::Float(_) | Value::Bool(_) => None,
            });
            text.map_or(Cow::Borrowed(span.name), Cow::Owned)
        }
    }
}

fn attributes(recording: &Recording, position: usize, span: &Span, why: Why) -> Vec<KeyValue> {
    let mut all = Vec::with_capacity(16);
    if span.kind == Kind::Server {
        let (host, port) = &recording.tracer.server;
        let method = recording.text_of(&recording.method).to_owned();
        all.push(KeyValue::new("rpc.method", method));
        all.push(KeyValue::new("server.address", host.clone()));
        all.push(KeyValue::new("server.port", i64::from(*port)));
        all.push(KeyValue::new("cartwright.kept", why.as_str()));
        all.push(KeyValue::new("cartwright.degraded", recording.is_degraded));
        if recording.lost > 0 {
            let lost = i64::from(recording.lost);
            all.push(KeyValue::new("cartwright.spans_lost", lost));
        }
    }
    if span.kind != Kind::Stage {
        all.push(KeyValue::new("rpc.system.name", "grpc"));
        if let Some(code) = span.code {
            let name = code_name(code);
            all.push(KeyValue::new("rpc.response.status_code", name));
            if is_error(span.kind, code) {
                all.push(KeyValue::new("error.type", name));
            }
        }
    }
    if let Some(deadline) = recording.deadline {
        let left = deadline.saturating_duration_since(span.started);
        let left_ms = left.as_secs_f64() * 1_000.0;
        all.push(KeyValue::new("cartwright.budget_left_ms", left_ms));
    }
    let own = recording
        .attributes
        .iter()
        .filter(|one| one.span == position);
    all.extend(own.map(|one| KeyValue::new(key(one.key), value(recording, &one.value))));
    all
}

/// What is ours has our prefix; what a convention names keeps its name.
fn key(key: &'static str) -> Cow<'static, str> {
    let foreign = ["rpc.", "db.", "server.", "error."];
    if foreign.iter().any(|prefix| key.starts_with(prefix)) {
        Cow::Borrowed(key)
    } else {
        Cow::Owned(format!("cartwright.{key}"))
    }
}

fn value(recording: &Recording, value: &Value) -> opentelemetry::Value {
    match value {
        Value::Text(range) => recording.text_of(range).to_owned().into(),
        Value::Shopper(range) => {
            let id = recording.text_of(range);
            recording.tracer.shopper_key.hash(id).into()
        }
        Value::Int(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::Bool(truth) => (*truth).into(),
    }
}

/// A server's fault on the server's span; anything but OK on the caller's.
fn is_error(kind: Kind, code: Code) -> bool {
    match kind {
        Kind::Server => is_failure(code),
        Kind::Hop => code != Code::Ok,
        Kind::Stage => false,
    }
}

fn status(span: &Span) -> Status {
    match span.code {
        Some(code) if is_error(span.kind, code) => Status::error(code_name(code)),
        Some(_) | None => Status::Unset,
    }
}
