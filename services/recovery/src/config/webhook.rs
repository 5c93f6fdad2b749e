//! Settings of the webhook.

use std::path::PathBuf;
use std::time::Duration;

use kit::config::{Period, Report, Secret};
use serde::{Deserialize, Serialize};

const CHANNELS: [&str; 4] = ["email", "sms", "push", "onsite"];
/// All attempts of an action together may take so long: what it says is of its time.
const LONGEST: Duration = Duration::from_secs(3_600);

/// Where actions are posted to, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Webhook {
    /// `http://` or `https://`; nothing is posted without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<Secret>,
    /// Keys that sign, with spaces or commas between them; each signs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<Secret>,
    /// More keys, in a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys_file: Option<PathBuf>,
    /// Time for one attempt.
    pub timeout: Period,
    /// Attempts before an action goes to the dead letters.
    pub attempts: u32,
    /// The longest wait after the first attempt; twice that after the second, and so on.
    pub backoff: Period,
    /// No wait is longer.
    pub backoff_most: Period,
    /// Actions on their way at once, those that wait to be tried again included.
    pub at_once: usize,
    /// Channels whose actions are posted; all when empty.
    pub channels: Vec<String>,
}

impl Default for Webhook {
    fn default() -> Self {
        Self {
            url: None,
            keys: None,
            keys_file: None,
            timeout: Period::seconds(5),
            attempts: 8,
            backoff: Period::seconds(1),
            backoff_most: Period::seconds(60),
            at_once: 64,
            channels: Vec::new(),
        }
    }
}

impl Webhook {
    /// A shorter key can be guessed.
    pub(crate) const KEY_BYTES: usize = 16;

    /// The longest wait after an attempt, counted from 1.
    pub(crate) fn wait(&self, attempt: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(attempt.saturating_sub(1));
        self.backoff
            .0
            .saturating_mul(doubled)
            .min(self.backoff_most.0)
    }

    /// The longest that all attempts of an action may take together.
    pub(crate) fn longest(&self) -> Duration {
        let waits = (1..self.attempts).map(|attempt| self.wait(attempt));
        let waits = waits.fold(Duration::ZERO, Duration::saturating_add);
        self.timeout
            .0
            .saturating_mul(self.attempts)
            .saturating_add(waits)
    }

    pub(super) fn check(&self, report: &mut Report) {
        let (shortest, longest) = (Duration::from_millis(10), Duration::from_secs(60));
        if !(shortest..=longest).contains(&self.timeout.0) {
            report.add("timeout", self.timeout, "10ms to 1m");
        }
        if !(1..=20).contains(&self.attempts) {
            return report.add("attempts", self.attempts, "1 to 20");
        }
        for (key, period) in [
            ("backoff", self.backoff),
            ("backoff_most", self.backoff_most),
        ] {
            if !(Duration::from_millis(1)..=LONGEST).contains(&period.0) {
                report.add(key, period, "1ms to 1h");
            }
        }
        if self.longest() > LONGEST {
            let allowed = "so few that all of them, with the waits between them, take at most 1h";
            report.add("attempts", self.attempts, allowed);
        }
        if !(1..=10_000).contains(&self.at_once) {
            report.add("at_once", self.at_once, "1 to 10000");
        }
        for channel in self
            .channels
            .iter()
            .filter(|one| !CHANNELS.contains(&one.as_str()))
        {
            report.add("channels", channel, "email, sms, push and onsite");
        }
        let Some(url) = &self.url else { return };
        let schemes = ["http://", "https://"];
        if !schemes
            .iter()
            .any(|scheme| url.expose().starts_with(scheme))
        {
            report.add("url", url, "http://host/path or https://host/path");
        }
        if self.keys.is_none() && self.keys_file.is_none() {
            report.add(
                "keys",
                "absent",
                "keys of 16 characters or more, or keys_file, with url",
            );
        }
    }
}
