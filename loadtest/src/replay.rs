//! A real event file as a schedule: its events leave in its own rhythm.
//!
//! Besides its events a file implies decisions: a shopper who has had a full cart and been quiet for
//! `IDLE` is one to decide about. So one file gives the times of both.

mod lines;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use proto::v1 as pb;

/// An event as the file has it, with its time in milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) at_ms: i64,
    pub(crate) event: pb::Event,
}

/// What leaves at a time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// Without an id or a time, which it gets when it leaves.
    Event(Box<pb::Event>),
    /// About a cart that was left.
    Decision { shopper: String, cart: Vec<String> },
}

/// A file's steps, in the order of their times, which begin at 0.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Replay {
    steps: Vec<(Duration, Step)>,
    /// Lines that are no event a server would take.
    pub(crate) skipped: u64,
    pub(crate) first_skipped: Option<String>,
}

/// Quiet of this length, in the file's time, makes a full cart an abandoned one.
const IDLE: Duration = Duration::from_secs(30 * 60);

impl Replay {
    /// Reads a file. `decisions` adds those that it implies.
    pub(crate) fn read(path: &Path, decisions: bool) -> anyhow::Result<Self> {
        let read = lines::read(path).with_context(|| format!("replay {}", path.display()))?;
        let mut events = read.lines;
        ensure!(
            !events.is_empty(),
            "{} has no event; the first line that is none: {}",
            path.display(),
            read.first_bad.unwrap_or_default()
        );
        // Of equal times the order of the file.
        events.sort_by_key(|line| line.at_ms);
        let left = if decisions {
            abandoned(&events)
        } else {
            Vec::new()
        };
        Ok(Self {
            steps: steps(events, left),
            skipped: read.bad,
            first_skipped: read.first_bad,
        })
    }

    /// What request number `request` does; the file begins again after its end.
    pub(crate) fn step(&self, request: u64) -> Option<&Step> {
        let count = self.steps.len().max(1);
        let at = usize::try_from(request).unwrap_or(0) % count;
        self.steps.get(at).map(|(_, step)| step)
    }

    /// When each step leaves when the file's time runs `speed` times as fast.
    pub(crate) fn offsets(&self, speed: f64) -> Vec<Duration> {
        let steps = self.steps.iter();
        steps.map(|(at, _)| at.div_f64(speed)).collect()
    }

    /// Whether it asks for decisions.
    pub(crate) fn decides(&self) -> bool {
        let mut steps = self.steps.iter();
        steps.any(|(_, step)| matches!(step, Step::Decision { .. }))
    }
}

fn steps(events: Vec<Line>, left: Vec<(i64, Step)>) -> Vec<(Duration, Step)> {
    let first = events.first().map_or(0, |line| line.at_ms);
    let last = events.last().map_or(0, |line| line.at_ms);
    let events = events
        .into_iter()
        .map(|line| (line.at_ms, Step::Event(Box::new(line.event))));
    // The file's end is no quiet of a shopper.
    let left = left.into_iter().filter(|(at, _)| *at <= last);
    let mut steps: Vec<(i64, Step)> = events.chain(left).collect();
    steps.sort_by_key(|(at, _)| *at);
    let since = |at: i64| Duration::from_millis(u64::try_from(at - first).unwrap_or(0));
    steps
        .into_iter()
        .map(|(at, step)| (since(at), step))
        .collect()
}

/// A shopper's cart as the file shows it.
#[derive(Default)]
struct Cart {
    items: BTreeSet<String>,
    quiet_since: i64,
}

impl Cart {
    fn apply(&mut self, line: &Line) {
        use pb::event::Type;
        self.quiet_since = line.at_ms;
        let item = &line.event.item_id;
        match line.event.r#type() {
            Type::AddToCart => {
                self.items.insert(item.clone());
            }
            Type::RemoveFromCart => {
                self.items.remove(item);
            }
            // Any order ends a sequence.
            Type::Purchase => self.items.clear(),
            Type::Unspecified
            | Type::View
            | Type::CheckoutStart
            | Type::MessageSent
            | Type::MessageDelivered
            | Type::MessageOpened
            | Type::MessageClicked
            | Type::MessageUnsubscribed => {}
        }
    }

    fn decision(&self, shopper: &str) -> Option<(i64, Step)> {
        if self.items.is_empty() {
            return None;
        }
        let idle = i64::try_from(IDLE.as_millis()).unwrap_or(i64::MAX);
        let step = Step::Decision {
            shopper: shopper.to_owned(),
            cart: self.items.iter().cloned().collect(),
        };
        Some((self.quiet_since + idle, step))
    }
}

/// A decision for each time that a full cart was left alone.
fn abandoned(events: &[Line]) -> Vec<(i64, Step)> {
    let mut carts: BTreeMap<&str, Cart> = BTreeMap::new();
    let mut decisions = Vec::new();
    for line in events {
        let cart = carts.entry(&line.event.shopper_id).or_default();
        let due = cart.decision(&line.event.shopper_id);
        decisions.extend(due.filter(|(due, _)| *due <= line.at_ms));
        cart.apply(line);
    }
    let at_the_end = carts.iter().filter_map(|(id, cart)| cart.decision(id));
    decisions.extend(at_the_end);
    decisions.sort_by_key(|(at, _)| *at);
    decisions
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSV: &str = "event_id,shopper_id,type,item_id,occurred_at,price_minor,currency\n\
        1,a,view,x,2026-01-01T00:00:00Z,100,EUR\n\
        2,a,add_to_cart,x,2026-01-01T00:01:00Z,100,EUR\n\
        3,b,add_to_cart,y,2026-01-01T00:02:00Z,200,EUR\n\
        4,b,purchase,y,2026-01-01T00:03:00Z,200,EUR\n\
        5,c,view,z,2026-01-01T01:00:00Z,300,EUR\n";

    fn read(name: &str, text: &str, decisions: bool) -> anyhow::Result<Replay> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        Replay::read(&path, decisions)
    }

    #[test]
    fn events_leave_in_the_rhythm_of_the_file_times_its_speed() {
        let replay = read("events.csv", CSV, false).unwrap();
        let seconds: Vec<u64> = replay.offsets(60.0).iter().map(Duration::as_secs).collect();
        assert_eq!(seconds, [0, 1, 2, 3, 60]);
        assert!(!replay.decides());
        assert_eq!(replay.step(0), replay.step(5), "the file begins again");
    }

    #[test]
    fn a_cart_left_for_half_an_hour_is_decided_about_and_a_bought_one_is_not() {
        let replay = read("events.csv", CSV, true).unwrap();
        let seconds: Vec<u64> = replay.offsets(60.0).iter().map(Duration::as_secs).collect();
        assert_eq!(seconds, [0, 1, 2, 3, 31, 60]);
        let decision = Step::Decision {
            shopper: "a".into(),
            cart: vec!["x".into()],
        };
        assert_eq!(replay.step(4), Some(&decision));
    }

    #[test]
    fn a_file_without_events_is_refused_with_its_first_line() {
        let header = CSV.lines().next().unwrap();
        let text = format!("{header}\n1,a,sneeze,x,2026-01-01T00:00:00Z,,\n");
        let error = format!("{:#}", read("e.csv", &text, false).unwrap_err());
        assert!(error.contains("line 2: type is \"sneeze\""), "{error}");
        let error = format!("{:#}", read("e.csv", "a,b\n1,2\n", false).unwrap_err());
        assert!(error.contains("columns"), "{error}");
    }
}
