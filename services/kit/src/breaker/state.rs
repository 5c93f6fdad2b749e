//! The states of a breaker. Time is an argument.

use std::time::{Duration, Instant};

use super::{CALLS, FIRST_PAUSE, IN_A_ROW, LONGEST_PAUSE, RAMP};
use crate::admission::unit;

/// Failures on end that open it again during the ramp.
const IN_A_ROW_IN_RAMP: u32 = 2;
const FAILED_SHARE: f64 = 0.5;
/// How often what is counted is halved.
const HALVED_EVERY: Duration = Duration::from_secs(5);
const FIRST_SHARE: f64 = 0.1;
/// By how much of itself a pause may differ from the rule.
const JITTER: f64 = 0.2;
/// What a call usually takes goes down quickly and up slowly: near what a quick one takes.
const QUICKER: f64 = 0.2;
const SLOWER: f64 = 0.01;
/// For this long after it was given up, a peer is not waited for as long as on a calm day.
const WARY_FOR: Duration = Duration::from_secs(5);
/// Without an answer for this long, what calls take is not known.
const USUAL_LASTS: Duration = Duration::from_secs(1);

/// What a breaker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Lets all calls through.
    Closed,
    /// Lets none through.
    Open,
    /// Waits for the answer to one, or for one to ask.
    HalfOpen,
    /// Lets a growing share through.
    Ramp,
}

impl Phase {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Closed, Self::Open, Self::HalfOpen, Self::Ramp];

    /// The name in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::Ramp => "ramp",
        }
    }
}

/// A call that was let through.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pass {
    since: Instant,
    /// How often the breaker had opened: what a call from before says is old news.
    openings: u64,
    probe: bool,
}

#[derive(Clone, Copy, Debug, Default)]
enum Now {
    #[default]
    Closed,
    Open {
        until: Instant,
    },
    /// The probe is out.
    Probing,
    Ramp {
        since: Instant,
    },
}

#[derive(Debug, Default)]
pub(super) struct State {
    now: Now,
    /// When the peer was given up, until it answers again.
    opened: Option<Instant>,
    in_a_row: u32,
    /// Halved every now and then.
    calls: f64,
    failures: f64,
    halved: Option<Instant>,
    /// Pauses on end: the next is as many times doubled.
    pauses: u32,
    openings: u64,
    /// Calls that asked to be let through the ramp.
    asked: u64,
    /// When the peer was last given up.
    given_up: Option<Instant>,
    /// Seconds, and when that was last moved: with the last whole answer.
    usual: Option<(f64, Instant)>,
}

impl State {
    /// Lets a call through; or says for how long the peer has been away.
    pub(super) fn admit(&mut self, now: Instant) -> Result<Pass, Duration> {
        let probe = match self.now {
            Now::Closed => false,
            Now::Open { until } if now >= until => {
                self.now = Now::Probing;
                true
            }
            Now::Open { .. } | Now::Probing => return Err(self.away(now)),
            Now::Ramp { since } => {
                let run = now.saturating_duration_since(since);
                if run >= RAMP {
                    self.close();
                } else if !self.ramps(run) {
                    return Err(self.away(now));
                }
                false
            }
        };
        Ok(Pass {
            since: now,
            openings: self.openings,
            probe,
        })
    }

    /// The peer answered; `whole` when that tells what a call takes.
    pub(super) fn answered(&mut self, pass: Pass, now: Instant, whole: bool) {
        if whole {
            self.took(now.saturating_duration_since(pass.since), now);
        }
        if pass.openings != self.openings {
            return;
        }
        self.in_a_row = 0;
        self.count(0.0, now);
        if pass.probe {
            (self.calls, self.failures, self.pauses) = (0.0, 0.0, 0);
            self.now = Now::Ramp { since: now };
        }
    }

    /// The peer did not answer.
    pub(super) fn failed(&mut self, pass: Pass, now: Instant) {
        if pass.openings != self.openings {
            return;
        }
        self.in_a_row += 1;
        self.count(1.0, now);
        let opens = match self.now {
            Now::Closed => {
                let share = self.failures >= self.calls * FAILED_SHARE;
                self.in_a_row >= IN_A_ROW || (self.calls >= CALLS && share)
            }
            Now::Ramp { .. } => self.in_a_row >= IN_A_ROW_IN_RAMP,
            Now::Probing => pass.probe,
            Now::Open { .. } => false,
        };
        if opens {
            self.open(now);
        }
    }

    /// What became of the call says nothing.
    pub(super) fn forget(&mut self, pass: Pass, now: Instant) {
        if pass.probe && pass.openings == self.openings && matches!(self.now, Now::Probing) {
            self.now = Now::Open { until: now };
        }
    }

    pub(super) fn phase(&self, now: Instant) -> Phase {
        match self.now {
            Now::Closed => Phase::Closed,
            Now::Open { until } if now < until => Phase::Open,
            Now::Open { .. } | Now::Probing => Phase::HalfOpen,
            Now::Ramp { since } if now.saturating_duration_since(since) < RAMP => Phase::Ramp,
            Now::Ramp { .. } => Phase::Closed,
        }
    }

    /// What a quick call takes; zero when that is not known.
    pub(super) fn usual(&self, now: Instant) -> Duration {
        match self.usual {
            Some((usual, at)) if now.saturating_duration_since(at) < USUAL_LASTS => {
                Duration::from_secs_f64(usual)
            }
            Some(_) | None => Duration::ZERO,
        }
    }

    /// Whether the peer gave anybody a whole answer since this call was let through.
    pub(super) fn has_answered_since(&self, pass: Pass) -> bool {
        self.usual.is_some_and(|(_, at)| at >= pass.since)
    }

    /// Whether the peer was given up a moment ago.
    pub(super) fn is_wary(&self, now: Instant) -> bool {
        let since = |at: Instant| now.saturating_duration_since(at);
        self.given_up.is_some_and(|at| since(at) < WARY_FOR)
    }

    fn took(&mut self, time: Duration, now: Instant) {
        let time = time.as_secs_f64();
        let usual = self.usual.map_or(time, |(usual, _)| {
            let follow = if time < usual { QUICKER } else { SLOWER };
            usual + (time - usual) * follow
        });
        self.usual = Some((usual, now));
    }

    fn count(&mut self, failure: f64, now: Instant) {
        let halved = *self.halved.get_or_insert(now);
        if now.saturating_duration_since(halved) >= HALVED_EVERY {
            self.halved = Some(now);
            self.calls /= 2.0;
            self.failures /= 2.0;
        }
        self.calls += 1.0;
        self.failures += failure;
    }

    fn ramps(&mut self, run: Duration) -> bool {
        let grown = run.as_secs_f64() / RAMP.as_secs_f64();
        let share = FIRST_SHARE + (1.0 - FIRST_SHARE) * grown;
        self.asked += 1;
        unit(self.asked) < share
    }

    fn open(&mut self, now: Instant) {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.pauses.min(10));
        let jitter = 1.0 - JITTER + 2.0 * JITTER * unit(self.openings);
        let until = now + pause.min(LONGEST_PAUSE).mul_f64(jitter);
        self.now = Now::Open { until };
        self.opened.get_or_insert(now);
        self.given_up = Some(now);
        self.pauses += 1;
        self.openings += 1;
        self.in_a_row = 0;
    }

    fn close(&mut self) {
        self.now = Now::Closed;
        self.opened = None;
    }

    fn away(&self, now: Instant) -> Duration {
        self.opened.map_or(Duration::ZERO, |opened| {
            now.saturating_duration_since(opened)
        })
    }
}

#[cfg(test)]
mod tests;
