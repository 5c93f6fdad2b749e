//! `server-timing`: a caller that sends `cartwright-timing: 1` is told the stages of its request.
//!
//! The answer's initial metadata then carries `server-timing: features;dur=1.204,
//! features.hop;dur=1.151, …` (the syntax of the W3C's Server Timing) in milliseconds: `total`, then
//! every stage under the path of those it is part of. Stages that ran several times are added up.
//! `hop` is a call to another role, and what that role said of itself follows under the hop.

use std::fmt::Write as _;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::recording::{Kind, Recording};

/// The request's header.
pub const ASK: &str = "cartwright-timing";
pub(super) const ANSWER: HeaderName = HeaderName::from_static("server-timing");

/// Stages named in one answer; headers are bounded.
const NAMED: usize = 64;
/// Longest text of a called role that is passed on.
const HEARD: usize = 4_096;

pub(super) fn is_asked(headers: &HeaderMap) -> bool {
    headers.get(ASK).is_some_and(|value| value == "1")
}

/// The stages so far, as the header says them.
pub(super) fn header(recording: &Recording) -> Option<HeaderValue> {
    let mut told: Vec<(String, Duration)> = Vec::new();
    let mut add = |path: String, took: Duration| {
        if let Some((_, sum)) = told.iter_mut().find(|(known, _)| *known == path) {
            *sum += took;
        } else if told.len() < NAMED {
            told.push((path, took));
        }
    };
    add("total".to_owned(), recording.took());
    for (position, span) in recording.spans.iter().enumerate().skip(1) {
        // A hop's answer is being read while its trailers are still on their way.
        let ended = span.ended.unwrap_or_else(|| recording.ended());
        let path = path(recording, position);
        add(path.clone(), ended.saturating_duration_since(span.started));
        if span.kind == Kind::Hop {
            let heard = recording.heard.iter();
            for (_, text) in heard.filter(|(hop, _)| *hop == position) {
                for (name, took) in parse(text) {
                    add(format!("{path}.{name}"), took);
                }
            }
        }
    }
    let mut text = String::with_capacity(told.len() * 24);
    for (path, took) in told {
        let comma = if text.is_empty() { "" } else { ", " };
        let ms = took.as_secs_f64() * 1_000.0;
        write!(text, "{comma}{path};dur={ms:.3}").ok()?;
    }
    HeaderValue::from_str(&text).ok()
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
