//! What the server says its time went to.
//!
//! Asked with the metadata `cartwright-timing: over=2`, a server whose answer took more than 2 ms adds
//! `server-timing`, in the
//! syntax of the W3C draft "Server Timing": `total;dur=2.1, features;dur=0.2, features.hop;dur=1.1`,
//! in milliseconds. Each name is the time of its own, without that of the parts whose names go on
//! after a dot, so that all but `total` add up to the server's time, and the difference to `total` is
//! in no stage. A decision also carries its stages in itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use proto::v1 as pb;
use tonic::Response;
use tonic::metadata::{Ascii, MetadataValue};

/// Stages of one answer, kept as they came: only those of the slowest requests are ever read.
#[derive(Clone, Debug, Default)]
pub(crate) enum ServerTiming {
    /// The server said nothing.
    #[default]
    Unsaid,
    Header(MetadataValue<Ascii>),
    Stages(Vec<pb::StageLatency>),
}

/// One stage and how long it took.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stage {
    pub(crate) name: String,
    pub(crate) took: Duration,
}

/// Asks for the answer below.
pub(crate) const ASK: &str = "cartwright-timing";
const ANSWER: &str = "server-timing";

/// From which time on servers are asked, in ms. Few values: a header that hardly ever changes is sent
/// as a number.
const LEVELS: [(f64, &str); 13] = [
    (0.125, "over=0.125"),
    (0.25, "over=0.25"),
    (0.5, "over=0.5"),
    (1.0, "over=1"),
    (2.0, "over=2"),
    (4.0, "over=4"),
    (8.0, "over=8"),
    (16.0, "over=16"),
    (32.0, "over=32"),
    (64.0, "over=64"),
    (128.0, "over=128"),
    (256.0, "over=256"),
    (512.0, "over=512"),
];

/// What a slow request takes in this process's run, so that only such are asked where their time went:
/// if all answers told, that would be a load of its own, and not a small one.
static SLOW: Slow = Slow(AtomicU64::new(0));

/// The latency that a twentieth of the requests exceeds, in µs, followed request by request: up by a
/// step when one took longer, down by a nineteenth of it when not.
#[derive(Debug)]
struct Slow(AtomicU64);

impl Slow {
    /// Steps are this share of the value.
    const STEP: u64 = 20;
    const TWENTIETH: u64 = 19;

    fn note(&self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        let slow = self.0.load(Ordering::Relaxed);
        let step = slow / Self::STEP + Self::TWENTIETH;
        let next = if micros > slow {
            slow + step
        } else {
            slow - (step / Self::TWENTIETH).min(slow)
        };
        // Two at once: one of them is not counted.
        self.0.store(next, Ordering::Relaxed);
    }

    /// A server's own time is less than what its client waits.
    fn ask(&self) -> &'static str {
        let micros = u32::try_from(self.0.load(Ordering::Relaxed)).unwrap_or(u32::MAX);
        let half = f64::from(micros) / 2_000.0;
        let level = LEVELS.iter().rev().find(|(ms, _)| *ms <= half);
        level.map_or("1", |(_, ask)| ask)
    }
}

/// A request took this long.
pub(crate) fn note(latency: Duration) {
    SLOW.note(latency);
}

/// What servers are asked with now.
pub(crate) fn ask() -> MetadataValue<Ascii> {
    MetadataValue::from_static(SLOW.ask())
}

impl ServerTiming {
    /// What the metadata of an answer says.
    pub(crate) fn of<T>(response: &Response<T>) -> Self {
        let header = response.metadata().get(ANSWER);
        header.map_or(Self::Unsaid, |value| Self::Header(value.clone()))
    }

    /// What the decision itself says, where its metadata says nothing.
    pub(crate) fn or_stages(self, stages: Vec<pb::StageLatency>) -> Self {
        match self {
            Self::Unsaid if !stages.is_empty() => Self::Stages(stages),
            Self::Unsaid | Self::Header(_) | Self::Stages(_) => self,
        }
    }

    /// The stages in the order said.
    pub(crate) fn stages(&self) -> Vec<Stage> {
        match self {
            Self::Unsaid => Vec::new(),
            Self::Header(value) => value.to_str().map(parse).unwrap_or_default(),
            Self::Stages(stages) => stages.iter().filter_map(stage).collect(),
        }
    }
}

/// A stage of this name is the whole time inside the server that was asked.
const TOTAL: &str = "total";
const OTHER: &str = "other";

/// Where time went, in two grains that add up to the same.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Breakdown {
    /// Stages with their parts, in the order told, and `other` for what is in none.
    pub(crate) stages: Vec<Stage>,
    /// Each part alone, under its path; nothing where no stage has parts.
    pub(crate) within: Vec<Stage>,
}

impl Breakdown {
    pub(crate) fn of(told: &[Stage]) -> Self {
        let parts = told.iter().filter(|stage| stage.name != TOTAL);
        let mut stages: Vec<Stage> = Vec::new();
        for part in parts.clone() {
            let name = part.name.split('.').next().unwrap_or_default();
            match stages.iter_mut().find(|stage| stage.name == name) {
                Some(stage) => stage.took += part.took,
                None => stages.push(Stage {
                    name: name.to_owned(),
                    took: part.took,
                }),
            }
        }
        if let Some(total) = told.iter().find(|stage| stage.name == TOTAL) {
            let accounted: Duration = stages.iter().map(|stage| stage.took).sum();
            stages.push(Stage {
                name: OTHER.to_owned(),
                took: total.took.saturating_sub(accounted),
            });
        }
        let is_nested = told.iter().any(|stage| stage.name.contains('.'));
        Self {
            stages,
            within: parts.filter(|_| is_nested).cloned().collect(),
        }
    }

    /// All of the server's time.
    pub(crate) fn inside(&self) -> Duration {
        self.stages.iter().map(|stage| stage.took).sum()
    }
}

fn stage(stage: &pb::StageLatency) -> Option<Stage> {
    let took = Duration::try_from(stage.latency?).ok()?;
    let name = stage.stage.clone();
    Some(Stage { name, took })
}

/// Entries without a duration say nothing about time and are left out.
fn parse(header: &str) -> Vec<Stage> {
    let entry = |entry: &str| {
        let mut parts = entry.split(';').map(str::trim);
        let name = parts.next().filter(|name| !name.is_empty())?;
        let millis = parts.find_map(|part| part.strip_prefix("dur="))?;
        let millis: f64 = millis.trim_matches('"').parse().ok()?;
        let took = Duration::try_from_secs_f64(millis / 1_000.0).ok()?;
        Some(Stage {
            name: name.to_owned(),
            took,
        })
    };
    header.split(',').filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(stages: &[Stage]) -> Vec<(&str, u128)> {
        let stages = stages.iter();
        stages
            .map(|s| (s.name.as_str(), s.took.as_micros()))
            .collect()
    }

    #[test]
    fn about_a_twentieth_is_slow() {
        let slow = Slow(AtomicU64::new(0));
        assert_eq!(slow.ask(), "1", "nothing is known: all are asked");
        for at in 0..40_000_u64 {
            slow.note(Duration::from_micros(at * 7_919 % 10_000));
        }
        let micros = slow.0.load(Ordering::Relaxed);
        assert!((9_000..=10_500).contains(&micros), "{micros}");
        assert_eq!(slow.ask(), "over=4");
    }

    #[test]
    fn reads_stages_and_leaves_out_what_is_no_time() {
        let header =
            "features;dur=1.25, cache;desc=\"hit\", rank;desc=forest;dur=\"0.4\", x;dur=-1, ;dur=3";
        assert_eq!(named(&parse(header)), [("features", 1_250), ("rank", 400)]);
        assert!(parse("").is_empty());
    }

    #[test]
    fn parts_are_added_to_their_stage_and_what_is_in_none_is_other() {
        let header = "total;dur=10, features;dur=1, features.hop;dur=1, \
                      features.hop.store;dur=2, rank;dur=5";
        let breakdown = Breakdown::of(&parse(header));
        assert_eq!(
            named(&breakdown.stages),
            [("features", 4_000), ("rank", 5_000), ("other", 1_000)]
        );
        assert_eq!(
            named(&breakdown.within),
            [
                ("features", 1_000),
                ("features.hop", 1_000),
                ("features.hop.store", 2_000),
                ("rank", 5_000)
            ]
        );
        assert_eq!(breakdown.inside(), Duration::from_millis(10));
        assert!(Breakdown::of(&parse("rank;dur=1")).within.is_empty());
    }

    #[test]
    fn metadata_goes_before_what_the_decision_says() {
        let own = vec![pb::StageLatency {
            stage: "policy".into(),
            latency: Some(prost_types::Duration {
                seconds: 0,
                nanos: 2_000_000,
            }),
        }];
        let mut response = Response::new(());
        let said = ServerTiming::of(&response).or_stages(own.clone());
        assert_eq!(named(&said.stages()), [("policy", 2_000)]);
        response
            .metadata_mut()
            .insert(ANSWER, "rank;dur=3".parse().unwrap());
        let said = ServerTiming::of(&response).or_stages(own);
        assert_eq!(named(&said.stages()), [("rank", 3_000)]);
        assert!(ServerTiming::Unsaid.stages().is_empty());
    }
}
