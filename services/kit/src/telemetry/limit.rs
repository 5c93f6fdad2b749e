//! How many lines one place in the code may write.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::{Level, Metadata};

const WINDOW: Duration = Duration::from_secs(1);

thread_local! {
    /// What the line that is written now leaves out before it.
    static LEFT_OUT: Cell<u64> = const { Cell::new(0) };
}

/// Lines that the place of the current line did not write before it.
pub(super) fn left_out() -> u64 {
    LEFT_OUT.get()
}

/// Bounds the lines of each place.
#[derive(Debug)]
pub(crate) struct Limit {
    a_second: u32,
    places: Mutex<HashMap<Identifier, Place>>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    since: Instant,
    written: u32,
    left_out: u64,
}

impl Limit {
    /// 0 = no limit.
    pub(crate) fn new(a_second: u32) -> Self {
        Self {
            a_second,
            places: Mutex::default(),
        }
    }

    /// Writes the line, or counts it among those left out.
    pub(crate) fn write(&self, metadata: &'static Metadata<'static>, line: impl FnOnce()) {
        match self.pass(metadata, Instant::now()) {
            None => {}
            Some(0) => line(),
            Some(left_out) => {
                LEFT_OUT.set(left_out);
                line();
                LEFT_OUT.set(0);
            }
        }
    }

    /// How many lines were left out before this one; `None` when this is one of them.
    fn pass(&self, metadata: &'static Metadata<'static>, now: Instant) -> Option<u64> {
        if self.a_second == 0 || *metadata.level() > Level::INFO {
            return Some(0);
        }
        let Ok(mut places) = self.places.lock() else {
            return Some(0);
        };
        let fresh = Place {
            since: now,
            written: 0,
            left_out: 0,
        };
        let place = places.entry(metadata.callsite()).or_insert(fresh);
        if now.saturating_duration_since(place.since) >= WINDOW {
            place.since = now;
            place.written = 0;
        }
        if place.written >= self.a_second {
            place.left_out += 1;
            return None;
        }
        place.written += 1;
        Some(std::mem::take(&mut place.left_out))
    }
}

#[cfg(test)]
mod tests {
    use tracing::callsite::Callsite as _;

    use super::*;

    fn place() -> &'static Metadata<'static> {
        tracing::callsite!(name: "line", kind: tracing::metadata::Kind::EVENT, target: "test",
            level: Level::WARN, fields: message)
        .metadata()
    }

    #[test]
    fn a_flood_is_cut_and_the_next_line_says_by_how_much() {
        let limit = Limit::new(3);
        let start = Instant::now();
        let here = place();
        let passed: Vec<_> = (0..10).map(|_| limit.pass(here, start)).collect();
        assert_eq!(passed[..4], [Some(0), Some(0), Some(0), None]);
        assert_eq!(limit.pass(here, start + WINDOW), Some(7));
        assert_eq!(limit.pass(here, start + WINDOW), Some(0));
    }

    #[test]
    fn places_do_not_share_a_limit() {
        let limit = Limit::new(1);
        let now = Instant::now();
        let other = tracing::callsite!(name: "other", kind: tracing::metadata::Kind::EVENT,
            target: "test", level: Level::WARN, fields: message)
        .metadata();
        assert_eq!(limit.pass(place(), now), Some(0));
        assert_eq!(limit.pass(other, now), Some(0));
        assert_eq!(limit.pass(other, now), None);
    }

    #[test]
    fn lines_for_developers_are_not_limited() {
        let limit = Limit::new(1);
        let debug = tracing::callsite!(name: "debug", kind: tracing::metadata::Kind::EVENT,
            target: "test", level: Level::DEBUG, fields: message)
        .metadata();
        let now = Instant::now();
        assert!((0..100).all(|_| limit.pass(debug, now) == Some(0)));
    }
}
