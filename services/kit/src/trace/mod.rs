//! Traces: what a request did, stage by stage, across processes. `docs/tracing.md` says how to read
//! one.
//!
//! | module | what it holds |
//! |---|---|
//! | [`context`] | the W3C trace context on the wire |
//! | `recording`, `attribute`, `current` | the spans of one request, in one buffer that travels with its future |
//! | [`spans`] | makes `tracing` spans of the target [`STAGE`] part of the current request |
//! | [`server`], [`client`] | one tower layer at each end of a call |
//! | `timing` | `server-timing`: the stages of an answer, told to its caller |
//! | `tracer`, `keep`, `ring`, `metrics` | a role's tracer: which requests are kept, those kept later, and counts of both |
//! | `export`, `spandata` | kept ones leave over OTLP, on a thread of their own |
//! | `settings`, `shopper` | `[telemetry]`; ids of shoppers as keyed hashes |
//!
//! Nothing here is shared between requests while they run: no lock, no atomic, no channel. A stage
//! costs two readings of the clock and two entries in a buffer that was used before.

mod attribute;
pub mod client;
pub mod context;
mod current;
mod export;
mod keep;
pub(crate) mod metrics;
mod recording;
mod ring;
pub mod server;
mod settings;
mod shopper;
mod spandata;
pub mod spans;
mod timing;
mod tracer;

use std::time::Duration;

pub use attribute::Note;
pub use settings::{Protocol, Settings};
pub use timing::ASK as ASK_FOR_TIMING;
pub use tracer::{ObserveStage, Tracer};

/// The target of `tracing` spans that are stages of a request.
pub const STAGE: &str = "stage";

/// Notes an attribute of the request that runs here; nothing outside of one.
pub fn note<'a>(key: &'static str, value: impl Into<Note<'a>>) {
    current::with(|recording| recording.note_request(key, value.into()));
}

/// Notes that the request is answered from a fallback, which keeps its trace. The first reason is
/// an attribute.
pub fn degraded(why: &str) {
    current::with(|recording| recording.degrade(why));
}

/// Notes whom the request is about. What leaves is a keyed hash.
pub fn shopper(id: &str) {
    current::with(|recording| recording.note_shopper(id));
}

/// Notes what is left of the caller's time, where the caller did not say it himself.
pub fn budget(left: Duration) {
    current::with(|recording| recording.budget(left));
}

/// The trace id of the request that runs here, 32 hexadecimal digits.
#[must_use]
pub fn current_id() -> Option<String> {
    current::with(|recording| {
        let id = recording.context.trace_id;
        recording.is_traced.then(|| id.to_string())
    })
    .flatten()
}

/// Does the work as part of a request; returns the request's trace id.
#[cfg(test)]
pub(crate) fn in_a_request(work: impl FnOnce()) -> String {
    use std::net::{Ipv4Addr, SocketAddr};
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let tracer = Tracer::start("toy", &Settings::default(), server);
    let request = http::Request::builder().uri("/s.S/Get").body(()).unwrap();
    let mut recording = tracer.begin(&request);
    current::within(&mut recording, work);
    recording.unwrap().context.trace_id.to_string()
}
