//! `server-timing`: a caller that sends `cartwright-timing: 1` is told the stages of its request; one
//! that sends `cartwright-timing: over=2.5` is told them when that took more than 2.5 ms. To tell takes
//! more than to record: texts that are made, compressed, sent and read at every hop.
//!
//! The answer's initial metadata then carries `server-timing: features;dur=1.204,
//! features.hop;dur=1.151, …` (the syntax of the W3C's Server Timing) in milliseconds: `total`, then
//! every stage under the path of those it is part of, each with its own time, without that of the
//! stages inside it: all together they are the total, but for what is in no stage. Stages that ran
//! several times are added up. `hop` is a call to another role; what that role says of itself stands
//! below it, the rest of its time as `other`, so that what is left to the hop is the way there and back.

use std::fmt::Write as _;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::recording::{Recording, Span};

/// The request's header.
pub const ASK: &str = "cartwright-timing";
pub(super) const ANSWER: HeaderName = HeaderName::from_static("server-timing");

const TOTAL: &str = "total";
const OTHER: &str = "other";
/// Stages named in one answer; headers are bounded.
const NAMED: usize = 64;
/// Longest text of a called role that is passed on.
const HEARD: usize = 4_096;

/// What a caller asked with, and what it means. Called roles are asked with the same.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) header: HeaderValue,
    over: Duration,
}

impl Asked {
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let header = headers.get(ASK)?;
        let over = match header.to_str().ok()? {
            "1" => Duration::ZERO,
            text => over(text)?,
        };
        Some(Self {
            header: header.clone(),
            over,
        })
    }

    /// Whether a request that took so long is worth telling of.
    pub(super) fn wants(&self, took: Duration) -> bool {
        took > self.over
    }
}

fn over(text: &str) -> Option<Duration> {
    let ms: f64 = text.strip_prefix("over=")?.parse().ok()?;
    Duration::try_from_secs_f64(ms / 1_000.0).ok()
}

/// The stages so far, as the header says them.
pub(super) fn header(recording: &Recording) -> Option<HeaderValue> {
    let mut told = vec![(TOTAL.to_owned(), recording.took())];
    let mut add = |path: String, took: Duration| {
        if let Some((_, sum)) = told.iter_mut().find(|(known, _)| *known == path) {
            *sum += took;
        } else if told.len() < NAMED {
            told.push((path, took));
        }
    };
    for (position, span) in recording.spans.iter().enumerate().skip(1) {
        let path = path(recording, position);
        let mut own = took(recording, span).saturating_sub(within(recording, position));
        let heard = recording.heard.iter().filter(|(hop, _)| *hop == position);
        for (name, took) in heard.flat_map(|(_, text)| said(text)) {
            own = own.saturating_sub(took);
            add(format!("{path}.{name}"), took);
        }
        add(path, own);
    }
    let mut text = String::with_capacity(told.len() * 24);
    for (path, took) in told {
        let comma = if text.is_empty() { "" } else { ", " };
        let ms = took.as_secs_f64() * 1_000.0;
        write!(text, "{comma}{path};dur={ms:.3}").ok()?;
    }
    HeaderValue::from_str(&text).ok()
}

/// A hop's answer is being read while its trailers are still on their way.
fn took(recording: &Recording, span: &Span) -> Duration {
    let ended = span.ended.unwrap_or_else(|| recording.ended());
    ended.saturating_duration_since(span.started)
}

/// Time of the stages right inside this one.
fn within(recording: &Recording, position: usize) -> Duration {
    let spans = recording.spans.iter().enumerate().skip(1);
    let inside = spans.filter(|(at, span)| span.parent == position && *at != position);
    inside.map(|(_, span)| took(recording, span)).sum()
}

/// What a called role says of its stages, with the rest of its time as `other`.
fn said(text: &HeaderValue) -> Vec<(String, Duration)> {
    let mut all = parse(text);
    let whole = all.iter().find(|(name, _)| name == TOTAL).map(|(_, t)| *t);
    all.retain(|(name, _)| name != TOTAL);
    if let Some(whole) = whole {
        let named = all.iter().map(|(_, took)| *took).sum();
        all.push((OTHER.to_owned(), whole.saturating_sub(named)));
    }
    all
}

/// Names from the outermost stage inward, joined by dots.
fn path(recording: &Recording, position: usize) -> String {
    let mut names = Vec::new();
    let mut at = position;
    while at > 0
        && let Some(span) = recording.spans.get(at)
    {
        names.push(span.name);
        at = span.parent.min(at - 1);
    }
    names.reverse();
    names.join(".")
}

/// Reads `name;dur=ms, …`; what does not read so is left out.
fn parse(text: &HeaderValue) -> Vec<(String, Duration)> {
    let text = text.to_str().unwrap_or_default();
    let text = text.get(..text.len().min(HEARD)).unwrap_or_default();
    let entry = |entry: &str| {
        let (name, ms) = entry.trim().split_once(";dur=")?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        let ms: f64 = ms.parse().ok()?;
        let took = Duration::try_from_secs_f64(ms / 1_000.0).ok()?;
        (!name.is_empty() && name.bytes().all(plain)).then(|| (name.to_owned(), took))
    };
    text.split(',').filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_may_ask_for_slow_answers_only() {
        let asks = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ASK, HeaderValue::from_static(value));
            Asked::of(&headers).map(|asked| asked.over)
        };
        assert_eq!(asks("1"), Some(Duration::ZERO));
        assert_eq!(asks("over=2.5"), Some(Duration::from_micros(2_500)));
        for none in ["", "0", "over=", "over=-1", "over=NaN", "over=1e300", "2.5"] {
            assert_eq!(asks(none), None, "{none}");
        }
    }

    #[test]
    fn reads_what_a_role_says_and_leaves_out_nonsense() {
        let text = HeaderValue::from_static(
            "total;dur=1.500, read.redis;dur=0.25, x y;dur=1, z;dur=-1, a;dur=, b",
        );
        let read = parse(&text);
        assert_eq!(read[0], ("total".to_owned(), Duration::from_micros(1_500)));
        assert_eq!(
            read[1],
            ("read.redis".to_owned(), Duration::from_micros(250))
        );
        assert_eq!(read.len(), 2);
    }
}
