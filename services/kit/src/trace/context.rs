//! The W3C trace context (Trace Context Level 2): `traceparent` and `tracestate`.

use std::fmt;
use std::num::{NonZeroU64, NonZeroU128};

use http::{HeaderMap, HeaderValue};
use opentelemetry_sdk::trace::{IdGenerator as _, RandomIdGenerator};

/// Header of the trace id, the caller's span id and the flags.
pub const TRACEPARENT: &str = "traceparent";
/// Header of what tracing systems add for themselves.
pub const TRACESTATE: &str = "tracestate";
/// Header of an answer: the trace it is part of, and the span that answered.
pub(super) const TRACERESPONSE: &str = "traceresponse";

/// The caller, or whoever began the trace, records it.
const SAMPLED: u8 = 1;
/// The low seven bytes of the trace id are random.
const RANDOM: u8 = 2;
/// Length of a version 00 `traceparent`.
const LENGTH: usize = 55;
/// Most members of a `tracestate`, and most bytes that are passed on.
const MEMBERS: usize = 32;
const STATE_BYTES: usize = 512;

/// Names a trace: 16 bytes, not all zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceId(NonZeroU128);

/// Names a span of a trace: 8 bytes, not all zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SpanId(NonZeroU64);

impl TraceId {
    /// A new trace.
    #[must_use]
    pub fn random() -> Self {
        let id = u128::from_be_bytes(RandomIdGenerator::default().new_trace_id().to_bytes());
        Self(NonZeroU128::new(id).unwrap_or(NonZeroU128::MIN))
    }

    /// 32 lower-case hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits: &[u8; 32] = text.as_bytes().try_into().ok()?;
        NonZeroU128::new(hex(digits)?).map(Self)
    }

    /// As a number.
    #[must_use]
    pub fn get(self) -> u128 {
        self.0.get()
    }
}

impl SpanId {
    /// A new span.
    #[must_use]
    pub fn random() -> Self {
        let id = u64::from_be_bytes(RandomIdGenerator::default().new_span_id().to_bytes());
        Self(NonZeroU64::new(id).unwrap_or(NonZeroU64::MIN))
    }

    /// As a number.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A place in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// The trace.
    pub trace_id: TraceId,
    /// The span that what follows is a child of.
    pub span_id: SpanId,
    /// `sampled` and `random`; other flags are not passed on, as the recommendation asks.
    flags: u8,
}

impl Context {
    /// A place in a trace of our own making.
    #[must_use]
    pub fn new(trace_id: TraceId, span_id: SpanId, sampled: bool) -> Self {
        Self {
            trace_id,
            span_id,
            flags: RANDOM | u8::from(sampled),
        }
    }

    /// A `traceparent`; `None` when it is not one, and then a new trace begins.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let field = |from: usize, to: usize| bytes.get(from..to);
        let version: u8 = hex::<2>(field(0, 2)?.try_into().ok()?)?.try_into().ok()?;
        let fits = match version {
            0 => bytes.len() == LENGTH,
            0xff => false,
            // A later version may go on after a dash.
            _ => bytes.len() == LENGTH || bytes.get(LENGTH) == Some(&b'-'),
        };
        let dashed = [2, 35, 52].iter().all(|at| bytes.get(*at) == Some(&b'-'));
        if !(fits && dashed) {
            return None;
        }
        let trace_id = NonZeroU128::new(hex::<32>(field(3, 35)?.try_into().ok()?)?)?;
        let span_id: u64 = hex::<16>(field(36, 52)?.try_into().ok()?)?
            .try_into()
            .ok()?;
        let flags: u8 = hex::<2>(field(53, 55)?.try_into().ok()?)?.try_into().ok()?;
        Some(Self {
            trace_id: TraceId(trace_id),
            span_id: SpanId(NonZeroU64::new(span_id)?),
            flags: flags & (SAMPLED | RANDOM),
        })
    }

    /// The caller's place, from the headers of its request.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let mut given = headers.get_all(TRACEPARENT).iter();
        let first = given.next()?.to_str().ok()?;
        // Two of them contradict each other.
        if given.next().is_some() {
            return None;
        }
        Self::parse(first)
    }

    /// Whether the trace is recorded by whoever began it.
    #[must_use]
    pub fn sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The same trace, at another span.
    #[must_use]
    pub fn at(self, span_id: SpanId) -> Self {
        Self { span_id, ..self }
    }

    /// The same place, recorded.
    #[must_use]
    pub fn kept(self) -> Self {
        Self {
            flags: self.flags | SAMPLED,
            ..self
        }
    }

    /// As a header.
    #[must_use]
    pub fn header(&self) -> Option<HeaderValue> {
        let mut bytes = *b"00-................................-................-..";
        write_hex(bytes.get_mut(3..35)?, &self.trace_id.get().to_be_bytes());
        write_hex(bytes.get_mut(36..52)?, &self.span_id.get().to_be_bytes());
        write_hex(bytes.get_mut(53..)?, &[self.flags]);
        let mut value = HeaderValue::from_bytes(&bytes).ok()?;
        // No two are the same: in the table of header compression they would only push others out.
        value.set_sensitive(true);
        Some(value)
    }
}

/// Every request writes a few of these: formatting them costs ten times as much.
fn write_hex(to: &mut [u8], bytes: &[u8]) {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let digit = |bits: u8| DIGITS.get(usize::from(bits & 15)).copied().unwrap_or(b'0');
    for (pair, byte) in to.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(*byte)]);
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            trace_id,
            span_id,
            flags,
        } = self;
        write!(f, "00-{trace_id}-{span_id}-{flags:02x}")
    }
}

/// Reads lower-case hexadecimal digits; upper-case ones are not allowed there.
fn hex<const N: usize>(digits: &[u8; N]) -> Option<u128> {
    digits.iter().try_fold(0u128, |sum, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(sum << 4 | u128::from(value))
    })
}

/// The `tracestate` to pass on unchanged; `None` for none, or one that breaks the format, which is
/// left out whole.
#[must_use]
pub fn state(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut given = headers.get_all(TRACESTATE).iter();
    let first = given.next()?;
    let joined = match given.next() {
        None => first.clone(),
        Some(second) => {
            let mut all = vec![first.as_bytes(), second.as_bytes()];
            all.extend(given.map(HeaderValue::as_bytes));
            HeaderValue::from_bytes(&all.join(&b',')).ok()?
        }
    };
    is_state(joined.to_str().ok()?).then_some(joined)
}

fn is_state(text: &str) -> bool {
    if text.len() > STATE_BYTES {
        return false;
    }
    let mut keys = Vec::new();
    for member in text
        .split(',')
        .map(|member| member.trim_matches([' ', '\t']))
    {
        if member.is_empty() {
            continue;
        }
        let Some((key, value)) = member.split_once('=') else {
            return false;
        };
        if !is_key(key) || !is_value(value) || keys.contains(&key) {
            return false;
        }
        keys.push(key);
    }
    (1..=MEMBERS).contains(&keys.len())
}

fn is_key(key: &str) -> bool {
    let plain =
        |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/' | b'@');
    key.len() <= 256
        && key.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
        && key.bytes().all(plain)
}

fn is_value(value: &str) -> bool {
    !value.is_empty()
        && value.len() <= 256
        && value
            .bytes()
            .all(|byte| matches!(byte, 0x20..=0x7e) && byte != b',' && byte != b'=')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn reads_what_the_recommendation_shows() {
        let context = Context::parse(GIVEN).unwrap();
        assert_eq!(
            context.trace_id.to_string(),
            "4bf92f3577b34da6a3ce929d0e0e4736"
        );
        assert_eq!(context.span_id.to_string(), "00f067aa0ba902b7");
        assert!(context.sampled());
        assert_eq!(context.header().unwrap(), GIVEN);
    }

    #[test]
    fn refuses_what_is_malformed() {
        for text in [
            "",
            "00",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
            "+0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(Context::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        let later = GIVEN.replacen("00", "cc", 1) + "-what-comes-then";
        assert_eq!(Context::parse(&later), Context::parse(GIVEN));
        assert!(Context::parse(&GIVEN.replacen("00", "cc", 1)).is_some());
    }

    #[test]
    fn two_parents_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(TRACEPARENT, HeaderValue::from_static(GIVEN));
        assert!(Context::from_headers(&headers).is_some());
        headers.append(TRACEPARENT, HeaderValue::from_static(GIVEN));
        assert_eq!(Context::from_headers(&headers), None);
    }

    #[test]
    fn a_state_is_passed_on_whole_or_not_at_all() {
        let mut headers = HeaderMap::new();
        assert_eq!(state(&headers), None);
        headers.append(
            TRACESTATE,
            HeaderValue::from_static("rojo=00f067aa0ba902b7"),
        );
        headers.append(TRACESTATE, HeaderValue::from_static("a@b=x y, 1=c"));
        assert_eq!(
            state(&headers).unwrap(),
            "rojo=00f067aa0ba902b7,a@b=x y, 1=c"
        );
        for bad in ["", "novalue", "A=1", "a=1,a=2", "a==", "a=", "é=1"] {
            let mut headers = HeaderMap::new();
            headers.append(TRACESTATE, HeaderValue::from_bytes(bad.as_bytes()).unwrap());
            assert_eq!(state(&headers), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(trace in 1u128.., span in 1u64.., sampled: bool) {
            let trace_id = TraceId(NonZeroU128::new(trace).unwrap());
            let span_id = SpanId(NonZeroU64::new(span).unwrap());
            let context = Context::new(trace_id, span_id, sampled);
            prop_assert_eq!(Context::parse(&context.to_string()), Some(context));
            prop_assert_eq!(context.header().unwrap(), context.to_string());
            prop_assert_eq!(TraceId::parse(&trace_id.to_string()), Some(trace_id));
            prop_assert_eq!(context.sampled(), sampled);
        }

        #[test]
        fn nothing_sent_breaks_the_reader(text in "\\PC{0,80}", version in "[0-9a-f]{2}",
                                          rest in "[0-9a-f-]{50,56}") {
            let _ = (Context::parse(&text), is_state(&text), TraceId::parse(&text));
            let shaped = format!("{version}-{rest}");
            if let Some(context) = Context::parse(&shaped) {
                prop_assert_eq!(Context::parse(&context.to_string()), Some(context));
            }
        }
    }
}
