//! What one run measured. Only requests whose intended start lies in the measured window count.

mod join;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::server_timing::ServerTiming;
use crate::slowest::{SlowRequest, Slowest};
use crate::timings::Timings;

/// What became of one request.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// Which call it was; a scenario may mix several.
    pub(crate) operation: &'static str,
    pub(crate) failure: Option<Failure>,
    /// Answered from a fallback, and said so.
    pub(crate) degraded: bool,
    /// Generation that answered; empty where the method names none.
    pub(crate) generation: String,
    /// What the server says its time went to.
    pub(crate) timing: ServerTiming,
}

/// Why a request counts as an error.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// A gRPC code, `wrong: …` for an answer that fails its check, `rejected: …` for an event.
    pub(crate) code: Cow<'static, str>,
    pub(crate) detail: String,
    /// Refused before it was answered: its time would flatter the latencies, so it is left out.
    /// A timeout is not: it took at least that long.
    pub(crate) refused: bool,
}

impl Failure {
    /// An answer that is not right.
    pub(crate) fn wrong(what: &str, detail: impl Into<String>) -> Self {
        Self {
            code: Cow::Owned(format!("wrong: {what}")),
            detail: detail.into(),
            refused: false,
        }
    }
}

/// When a request was to leave, left and was answered, from the start of the run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// Its number.
    pub(crate) request: u64,
    pub(crate) intended: Duration,
    pub(crate) sent: Duration,
    pub(crate) done: Duration,
}

/// Errors of one code, with the first one's words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Errors {
    pub(crate) count: u64,
    pub(crate) first: String,
}

/// One kind of call within a scenario.
#[derive(Clone, Debug)]
pub(crate) struct Calls {
    pub(crate) latency: Timings,
    pub(crate) requests: u64,
    pub(crate) errors: u64,
}

/// A slice of the measured time.
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    /// Of requests that were to leave in it.
    pub(crate) latency: Timings,
    /// Good answers that came in it.
    pub(crate) good: u64,
    /// Requests that were to leave in it, and those of them that failed or were degraded.
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    pub(crate) degraded: u64,
}

/// Another generation answered for the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// From the end of the warm-up.
    pub(crate) at: Duration,
    pub(crate) generation: String,
}

/// A run's measurements. Its slices are those of the measured time, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    from: Duration,
    duration: Duration,
    slice: Duration,
    wanted: f64,
    latency: Timings,
    from_send: Timings,
    lag: Timings,
    slices: Vec<Slice>,
    operations: BTreeMap<&'static str, Calls>,
    errors: BTreeMap<String, Errors>,
    generations: BTreeMap<String, u64>,
    changes: Vec<Change>,
    slowest: Slowest,
    requests: u64,
    failed: u64,
    degraded: u64,
    unsent: u64,
    good_in_window: u64,
    /// CPU time of this whole process, and how many requests it was spent on.
    cpu: Duration,
    sent: u64,
}

/// How many of the slowest requests are kept unless said otherwise.
pub(crate) const SLOWEST: usize = 10;
const SLICES: u32 = 120;
const SHORTEST_SLICE: Duration = Duration::from_millis(500);

impl Measured {
    /// Measures `duration` after a warm-up, during which `wanted` requests a second are to leave.
    pub(crate) fn new(warmup: Duration, duration: Duration, wanted: f64) -> Self {
        Self {
            from: warmup,
            duration,
            slice: (duration / SLICES).max(SHORTEST_SLICE),
            wanted,
            latency: Timings::new(),
            from_send: Timings::new(),
            lag: Timings::new(),
            slices: Vec::new(),
            operations: BTreeMap::new(),
            errors: BTreeMap::new(),
            generations: BTreeMap::new(),
            changes: Vec::new(),
            slowest: Slowest::new(SLOWEST),
            requests: 0,
            failed: 0,
            degraded: 0,
            unsent: 0,
            good_in_window: 0,
            cpu: Duration::ZERO,
            sent: 0,
        }
    }

    /// Keeps this many of the slowest requests.
    pub(crate) fn keeping(self, slowest: usize) -> Self {
        Self {
            slowest: Slowest::new(slowest),
            ..self
        }
    }

    /// Counts an answered request. Latency runs from the intended start: a request that had to
    /// wait for the generator or behind a stalled server waited as a shopper would have.
    pub(crate) fn record(&mut self, timing: &Timing, answer: Answer) {
        if answer.failure.is_none()
            && self.slice_at(timing.done).is_some_and(|s| {
                s.good += 1;
                true
            })
        {
            self.good_in_window += 1;
        }
        let latency = timing.done.saturating_sub(timing.intended);
        let refused = answer.failure.as_ref().is_some_and(|f| f.refused);
        let failed = answer.failure.is_some();
        let Some(slice) = self.slice_at(timing.intended) else {
            return;
        };
        slice.requests += 1;
        slice.errors += u64::from(failed);
        slice.degraded += u64::from(answer.degraded);
        if !refused {
            slice.latency.record(latency);
            self.latency.record(latency);
            self.from_send
                .record(timing.done.saturating_sub(timing.sent));
            self.keep_if_slow(timing, &answer);
        }
        self.lag.record(timing.sent.saturating_sub(timing.intended));
        self.requests += 1;
        self.degraded += u64::from(answer.degraded);
        let calls = self
            .operations
            .entry(answer.operation)
            .or_insert_with(Calls::new);
        calls.requests += 1;
        calls.errors += u64::from(failed);
        if !refused {
            calls.latency.record(latency);
        }
        self.count_generation(timing.done, answer.generation);
        if let Some(failure) = answer.failure {
            self.count_error(&failure.code, failure.detail);
        }
    }

    fn keep_if_slow(&mut self, timing: &Timing, answer: &Answer) {
        let latency = timing.done.saturating_sub(timing.intended);
        if !self.slowest.wants(latency) {
            return;
        }
        self.slowest.add(SlowRequest {
            request: timing.request,
            operation: answer.operation,
            at: timing.intended.saturating_sub(self.from),
            latency,
            lag: timing.sent.saturating_sub(timing.intended),
            timing: answer.timing.clone(),
            error: answer.failure.as_ref().map(|f| f.code.to_string()),
        });
    }

    /// Counts a request that was never sent, or never came back.
    pub(crate) fn lost(&mut self, intended: Duration, code: &'static str, detail: &str) {
        if let Some(slice) = self.slice_at(intended) {
            slice.requests += 1;
            slice.errors += 1;
            self.requests += 1;
            self.count_error(code, detail.to_owned());
        }
    }

    /// Counts a request that the in-flight limit kept from leaving, also during the warm-up.
    pub(crate) fn unsent(&mut self, intended: Duration) {
        self.unsent += 1;
        self.lost(intended, "UNSENT", "the in-flight limit was reached");
    }

    fn count_error(&mut self, code: &str, detail: String) {
        self.failed += 1;
        if let Some(errors) = self.errors.get_mut(code) {
            errors.count += 1;
        } else {
            let errors = Errors {
                count: 1,
                first: detail,
            };
            self.errors.insert(code.to_owned(), errors);
        }
    }

    fn count_generation(&mut self, done: Duration, generation: String) {
        if generation.is_empty() {
            return;
        }
        if let Some(count) = self.generations.get_mut(&generation) {
            *count += 1;
            return;
        }
        if !self.generations.is_empty() {
            self.changes.push(Change {
                at: done.saturating_sub(self.from),
                generation: generation.clone(),
            });
        }
        self.generations.insert(generation, 1);
    }

    fn slice_at(&mut self, at: Duration) -> Option<&mut Slice> {
        let into = at
            .checked_sub(self.from)
            .filter(|into| *into < self.duration)?;
        let index = usize::try_from(into.as_nanos() / self.slice.as_nanos()).ok()?;
        while self.slices.len() <= index {
            self.slices.push(Slice::new());
        }
        self.slices.get_mut(index)
    }

    pub(crate) fn latency(&self) -> &Timings {
        &self.latency
    }

    /// From the actual send: what a tool that waits for answers would call the latency.
    pub(crate) fn since_send(&self) -> &Timings {
        &self.from_send
    }

    pub(crate) fn lag(&self) -> &Timings {
        &self.lag
    }

    pub(crate) fn slices(&self) -> &[Slice] {
        &self.slices
    }

    pub(crate) fn duration(&self) -> Duration {
        self.duration
    }

    pub(crate) fn slice_length(&self) -> Duration {
        self.slice
    }

    /// How much of the measured time a slice covers: the last one may be cut short.
    pub(crate) fn slice_seconds(&self, index: usize) -> f64 {
        let before = self.slice * u32::try_from(index).unwrap_or(u32::MAX);
        self.slice
            .min(self.duration.saturating_sub(before))
            .as_secs_f64()
    }

    pub(crate) fn operations(&self) -> &BTreeMap<&'static str, Calls> {
        &self.operations
    }

    pub(crate) fn errors(&self) -> &BTreeMap<String, Errors> {
        &self.errors
    }

    pub(crate) fn generations(&self) -> &BTreeMap<String, u64> {
        &self.generations
    }

    pub(crate) fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Slowest first.
    pub(crate) fn slowest(&self) -> &[SlowRequest] {
        self.slowest.requests()
    }

    /// Says what `sent` requests, those of the warm-up included, cost this process.
    pub(crate) fn cost(&mut self, cpu: Duration, sent: u64) {
        self.cpu += cpu;
        self.sent += sent;
    }

    /// CPU time of this process for a request, in microseconds.
    #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
    pub(crate) fn cpu_us_per_request(&self) -> Option<f64> {
        (self.sent > 0).then(|| self.cpu.as_secs_f64() * 1e6 / self.sent as f64)
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failed
    }

    /// Requests that got no answer at all: a wrong answer is one, a refusal is none.
    pub(crate) fn unanswered(&self) -> u64 {
        let answers = |code: &str| code.starts_with("wrong: ") || code.starts_with("rejected: ");
        let failed = self.errors.iter().filter(|(code, _)| !answers(code));
        failed.map(|(_, errors)| errors.count).sum()
    }

    pub(crate) fn unsent_count(&self) -> u64 {
        self.unsent
    }

    pub(crate) fn rate_wanted(&self) -> f64 {
        self.wanted
    }

    /// Good answers a second that came inside the measured window, those to its warm-up's last
    /// requests included: what a server in balance answers.
    #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
    pub(crate) fn rate_got(&self) -> f64 {
        self.good_in_window as f64 / self.duration.as_secs_f64()
    }

    pub(crate) fn error_share(&self) -> Option<f64> {
        share(self.failed, self.requests)
    }

    pub(crate) fn degraded_share(&self) -> Option<f64> {
        share(self.degraded, self.requests)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of requests")]
fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests;
