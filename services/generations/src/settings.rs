//! `[swap]` of a role's config: how a registry is followed, and when the role goes back by itself.

use std::path::PathBuf;
use std::time::Duration;

use kit::config::{Period, Report};
use serde::{Deserialize, Serialize};

/// How a role follows its registry, and what a new generation may not do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How often the registry is asked for a newer record: one small read.
    pub poll: Period,
    /// How long a new generation is compared with the time before it; 0 = never.
    pub watch: Period,
    /// Calls that it must have answered before it is judged.
    pub calls: u64,
    /// The share of failed calls may rise by this much, 0 to 1.
    pub failed_rise: f64,
    /// The share of degraded calls may rise by this much, 0 to 1.
    pub degraded_rise: f64,
    /// The p99 may become this many times what it was, and at least `p99_rise` more.
    pub p99_times: f64,
    /// What the p99 may rise by whatever it was before.
    pub p99_rise: Period,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            poll: Period::millis(500),
            watch: Period::seconds(60),
            calls: 500,
            failed_rise: 0.01,
            degraded_rise: 0.05,
            p99_times: 3.0,
            p99_rise: Period::millis(20),
        }
    }
}

impl Settings {
    /// Reports what is out of range.
    pub fn check(&self, report: &mut Report) {
        let (shortest, longest) = (Duration::from_millis(50), Duration::from_secs(3_600));
        if !(shortest..=longest).contains(&self.poll.0) {
            report.add("poll", self.poll, "50ms to 1h");
        }
        if self.watch.0 > longest {
            report.add("watch", self.watch, "0s (never) to 1h");
        }
        if self.calls == 0 {
            report.add("calls", self.calls, "1 and more");
        }
        for (key, rise) in [
            ("failed_rise", self.failed_rise),
            ("degraded_rise", self.degraded_rise),
        ] {
            if !(0.0..=1.0).contains(&rise) {
                report.add(key, rise, "0 to 1");
            }
        }
        if !(1.0..=1_000.0).contains(&self.p99_times) {
            report.add("p99_times", self.p99_times, "1 to 1000");
        }
    }
}

/// What a role follows, and by which rules.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// URL of the registry; `None` to follow none.
    pub registry: Option<String>,
    /// Where snapshots of the registry are kept on this machine.
    pub cache: PathBuf,
    /// The rules.
    pub settings: Settings,
    /// Fingerprint of the features that the role computes; `None` when it computes none.
    pub fingerprint: Option<String>,
}
