//! A breaker in front of another role: while that one does not answer, calls miss at once and the
//! fallback has all the time there is.
//!
//! | state | calls | ends |
//! |---|---|---|
//! | closed | all | after [`IN_A_ROW`] failures on end, or half of at least [`CALLS`] lately: open |
//! | open | none | after a pause: half open. The pause doubles from [`FIRST_PAUSE`] to [`LONGEST_PAUSE`], each time ± a fifth |
//! | half open | one | its answer: ramp; its failure: open |
//! | ramp | a share that grows from a tenth to all in [`RAMP`] | its end: closed; a second failure on end: open |
//!
//! The states are those of Nygard, "Release It!" (2nd edition, "Circuit Breaker"); the ramp is there
//! so that whoever comes back is not met by everybody at once. A failure is no answer in time,
//! UNAVAILABLE, or a fault of the peer's. A refusal by load is none: the peer lives. Nor is silence
//! towards one call of a peer that meanwhile answers others, while this process itself waits for
//! cores: there is too much to do on this machine, and to answer more calls from fallbacks is not
//! what helps.

mod numbers;
mod state;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tonic::{Code, Response, Status};

use crate::Deadline;
use crate::admission::Pressure;

pub use numbers::{PEERS_GROUP, STORE_GROUP, register, watch_store};
pub use state::Phase;
use state::{Pass, State};

/// Failures on end that open it.
pub const IN_A_ROW: u32 = 5;
/// Calls of late, the last ten seconds or so, from which a share says something.
pub const CALLS: f64 = 20.0;
/// The first pause before a probe.
pub const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest: whoever comes back is found soon, and two probes a second are no burden.
pub const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// In how long all calls get through again.
pub const RAMP: Duration = Duration::from_millis(500);

/// How long a peer is waited for that was given up a moment ago: a machine with too much to do
/// makes everybody wait as long as they are willing to.
const WARY: Duration = Duration::from_millis(25);
/// A call that was given less than this and came to nothing says little of the peer.
const SHORT: Duration = Duration::from_millis(10);

/// Why there is no answer.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// Not asked: the breaker has been open for so long.
    Open(Duration),
    /// Not asked: so much was left, and such a call takes so much.
    Unaffordable {
        /// What was left for it.
        left: Duration,
        /// What it usually takes.
        takes: Duration,
    },
    /// No answer in this time.
    Late(Duration),
    /// It said so.
    Answered(Status),
}

/// A breaker. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Breaker {
    peer: &'static str,
    state: Arc<Mutex<State>>,
    /// Calls that missed because it was open.
    missed: Arc<AtomicU64>,
    pressure: Pressure,
}

impl Breaker {
    /// A closed breaker in front of the role `peer`, which tells `pressure` of refusals by load.
    #[must_use]
    pub fn new(peer: &'static str, pressure: Pressure) -> Self {
        Self {
            peer,
            state: Arc::default(),
            missed: Arc::default(),
            pressure,
        }
    }

    /// The role behind it.
    #[must_use]
    pub fn peer(&self) -> &'static str {
        self.peer
    }

    /// What it does now.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.lock().phase(Instant::now())
    }

    /// How long to wait for an answer: `longest`, and little while the peer is in trouble.
    #[must_use]
    pub fn patience(&self, longest: Duration) -> Duration {
        if self.lock().is_wary(Instant::now()) {
            longest.min(WARY)
        } else {
            longest
        }
    }

    /// Calls that missed because it was open, so far.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    /// Makes the call, unless that makes no sense, and learns from what becomes of it.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn ask<T>(
        &self,
        deadline: Deadline,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Trouble> {
        let given = deadline.remaining();
        let pass = self.pass(given)?;
        let under_way = UnderWay {
            breaker: self,
            given,
            pass: Some(pass),
        };
        let answer = deadline.bound(call).await;
        let now = Instant::now();
        match answer {
            None => {
                under_way.end(now, Outcome::Late);
                Err(Trouble::Late(given))
            }
            Some(Ok(answer)) => {
                under_way.end(now, Outcome::Answer);
                Ok(answer.into_inner())
            }
            Some(Err(status)) => {
                let outcome = self.judge(&status);
                under_way.end(now, outcome);
                Err(match outcome {
                    Outcome::Late => Trouble::Late(given),
                    Outcome::Answer | Outcome::Lives | Outcome::Fault | Outcome::Dropped => {
                        Trouble::Answered(status)
                    }
                })
            }
        }
    }

    fn pass(&self, given: Duration) -> Result<Pass, Trouble> {
        let now = Instant::now();
        let mut state = self.lock();
        let takes = state.usual(now);
        if given < takes || given.is_zero() {
            return Err(Trouble::Unaffordable { left: given, takes });
        }
        let before = state.phase(now);
        let pass = state.admit(now);
        let after = state.phase(now);
        drop(state);
        self.say(before, after);
        pass.map_err(|open_for| {
            self.missed.fetch_add(1, Ordering::Relaxed);
            Trouble::Open(open_for)
        })
    }

    fn judge(&self, status: &Status) -> Outcome {
        match status.code() {
            Code::DeadlineExceeded | Code::Cancelled => Outcome::Late,
            Code::Unavailable | Code::Internal | Code::Unknown | Code::DataLoss => Outcome::Fault,
            Code::ResourceExhausted => {
                self.pressure.felt();
                Outcome::Lives
            }
            Code::Ok
            | Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Unauthenticated => Outcome::Lives,
        }
    }

    fn learn(&self, pass: Pass, given: Duration, now: Instant, outcome: Outcome) {
        let mut state = self.lock();
        let before = state.phase(now);
        match outcome {
            Outcome::Answer => state.answered(pass, now, true),
            Outcome::Lives => state.answered(pass, now, false),
            Outcome::Fault => state.failed(pass, now),
            Outcome::Late if self.is_crowded(&state, pass) => {
                self.pressure.felt();
                state.forget(pass, now);
            }
            Outcome::Late if given >= SHORT => state.failed(pass, now),
            Outcome::Late | Outcome::Dropped => state.forget(pass, now),
        }
        let after = state.phase(now);
        drop(state);
        self.say(before, after);
    }

    /// Whether a late answer is for want of cores, which all roles of a machine share: the peer has
    /// answered others since it was asked.
    fn is_crowded(&self, state: &State, pass: Pass) -> bool {
        self.pressure.is_starved() && state.has_answered_since(pass)
    }

    fn say(&self, before: Phase, after: Phase) {
        let peer = self.peer;
        match (before, after) {
            (Phase::Closed | Phase::Ramp, Phase::Open) => {
                tracing::warn!(peer, "does not answer; asking nothing of it for a while");
            }
            (Phase::HalfOpen, Phase::Ramp) => tracing::info!(peer, "answers again"),
            _ => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone, Copy, Debug)]
enum Outcome {
    /// What was asked for.
    Answer,
    /// A refusal: the peer lives.
    Lives,
    /// It cannot be reached, or is broken.
    Fault,
    /// No answer in time.
    Late,
    /// The caller went away.
    Dropped,
}

/// A call on its way; one that is dropped must not keep the probe's place.
struct UnderWay<'a> {
    breaker: &'a Breaker,
    given: Duration,
    pass: Option<Pass>,
}

impl UnderWay<'_> {
    fn end(mut self, now: Instant, outcome: Outcome) {
        if let Some(pass) = self.pass.take() {
            self.breaker.learn(pass, self.given, now, outcome);
        }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(pass) = self.pass.take() {
            let now = Instant::now();
            self.breaker.learn(pass, self.given, now, Outcome::Dropped);
        }
    }
}

#[cfg(test)]
mod tests;
