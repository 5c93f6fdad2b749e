//! Trace ids: each request sends one of its own, so that the slowest can be looked up in a trace
//! store.

use tonic::metadata::{Ascii, MetadataValue};

use crate::random::Random;

/// Makes the ids of a run. An id follows from the run and the request's number, so none has to be
/// remembered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Tracing {
    salt: u64,
    /// Share of requests whose flag asks the servers to keep the trace.
    sampled: f64,
}

/// Keeps the ids apart from what a request draws for its contents.
const SPANS: u64 = 0x7370_616e;

impl Tracing {
    /// Ids of the run called `run`.
    pub(crate) fn of(run: &str, sampled: f64) -> Self {
        // FNV-1a: any hash would do that tells two runs apart.
        let salt = run.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self { salt, sampled }
    }

    /// The trace id of a request, as 32 hexadecimal digits.
    pub(crate) fn id(self, request: u64) -> String {
        let mut random = Random::of(self.salt, request);
        format!("{:016x}{:016x}", random.next(), random.next())
    }

    /// Whether the request asks for its trace to be kept.
    pub(crate) fn sampled(self, request: u64) -> bool {
        Random::of(self.salt ^ SPANS, request).unit() < self.sampled
    }

    /// The header of the W3C recommendation "Trace Context", version 00.
    pub(crate) fn traceparent(self, request: u64) -> Option<MetadataValue<Ascii>> {
        let span = Random::of(self.salt ^ SPANS, !request).next() | 1;
        let flags = u8::from(self.sampled(request));
        let text = format!("00-{}-{span:016x}-{flags:02x}", self.id(request));
        let mut value = MetadataValue::try_from(text).ok()?;
        // No two are the same: in the table of header compression they would only push others out.
        value.set_sensitive(true);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_one_id_and_its_header_carries_it() {
        let tracing = Tracing::of("1-1700000000000-0", 1.0);
        let id = tracing.id(7);
        assert_eq!(id.len(), 32);
        assert_eq!(id, tracing.id(7));
        assert_ne!(id, tracing.id(8));
        assert_ne!(id, Tracing::of("1-1700000000000-1", 1.0).id(7));
        let header = tracing.traceparent(7).unwrap();
        let parts: Vec<&str> = header.to_str().unwrap().split('-').collect();
        assert_eq!((parts[0], parts[1], parts[3]), ("00", id.as_str(), "01"));
        assert_eq!(parts[2].len(), 16);
    }

    #[test]
    fn the_sampled_share_is_kept() {
        let sampled = |share| {
            let tracing = Tracing::of("run", share);
            (0..100_000).filter(|n| tracing.sampled(*n)).count()
        };
        assert_eq!(sampled(0.0), 0);
        assert_eq!(sampled(1.0), 100_000);
        assert!(sampled(0.01).abs_diff(1_000) < 100, "{}", sampled(0.01));
    }
}
