//! One scenario from preparation to what was measured of it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::ceiling::{self, Ceiling};
use crate::engine::{self, Limits};
use crate::fault::{Fault, Verdict};
use crate::find_max::{self, Bar, Found, Step};
use crate::live::Line;
use crate::measured::Measured;
use crate::scenario::Scenario;
use crate::schedule::{Load, Schedule, Shape};
use crate::targets::Pool;

/// A scenario against its servers. Runs in it never repeat a request number.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) name: String,
    scenario: Arc<Scenario>,
    limits: Limits,
    /// How many of the slowest requests are kept.
    slowest: usize,
    next: u64,
}

/// How the highest rate is searched.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Search {
    pub(crate) start: f64,
    /// Measured time of each step.
    pub(crate) step: Duration,
    pub(crate) p99: Duration,
    pub(crate) seed: u64,
}

/// A run and why it does not count, if it does not.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) measured: Measured,
    pub(crate) invalid_because: Option<String>,
    pub(crate) fault: Option<Verdict>,
}

/// Lets a server that was driven too hard come back before the next step.
const REST: Duration = Duration::from_secs(1);
/// A step's warm-up is this part of its measured time.
const STEP_WARMUP: u32 = 5;

impl Session {
    pub(crate) fn new(name: String, scenario: Scenario, limits: Limits, slowest: usize) -> Self {
        Self {
            name,
            scenario: Arc::new(scenario),
            limits,
            slowest,
            next: 0,
        }
    }

    /// Runs one schedule.
    pub(crate) fn run(&mut self, runtime: &Runtime, schedule: &Schedule) -> Outcome {
        let measured = Measured::new(schedule.warmup(), schedule.duration(), schedule.rate());
        let shared = Arc::new(Mutex::new(measured.keeping(self.slowest)));
        let line = Line::watch(runtime.handle(), self.name.clone(), &shared);
        let first = self.next;
        self.next += schedule.offsets().len() as u64;
        let limits = &self.limits;
        let measured = engine::run(runtime, &self.scenario, schedule, first, limits, &shared);
        drop(line);
        let invalid_because = engine::invalid_because(&measured, &self.limits);
        Outcome {
            measured,
            invalid_because,
            fault: None,
        }
    }

    /// Runs one schedule while something fails. A fault that could not be made is no run.
    pub(crate) fn run_with(
        &mut self,
        runtime: &Runtime,
        schedule: &Schedule,
        fault: &Fault,
    ) -> Outcome {
        let running = fault.start();
        let mut outcome = self.run(runtime, schedule);
        if let Some(done) = running.finish() {
            let verdict = Verdict::of(done, &outcome.measured, schedule.warmup());
            outcome.invalid_because = outcome.invalid_because.or(verdict.failed.clone());
            outcome.fault = Some(verdict);
        }
        outcome
    }

    /// Measures which share of an empty call's rate the scenario reaches.
    pub(crate) fn ceiling(
        &mut self,
        runtime: &Runtime,
        pool: &Pool,
        window: Duration,
    ) -> Option<Ceiling> {
        ceiling::measure(runtime, &self.scenario, pool, &mut self.next, window)
    }

    /// Searches the highest rate that holds; the outcome is that of the run that stands for
    /// 70 % of it, or of the last one when none holds.
    pub(crate) fn find_max(
        &mut self,
        runtime: &Runtime,
        search: &Search,
        mut say: impl FnMut(&Step),
    ) -> (Found, Option<Outcome>) {
        let bar = Bar {
            p99_ms: search.p99.as_secs_f64() * 1_000.0,
        };
        let mut outcomes = Vec::new();
        let found = find_max::search(search.start, bar, |rate| {
            let outcome = self.run(runtime, &Schedule::new(&constant(rate, search)));
            let step = Step::judge(&outcome.measured, outcome.invalid_because.clone(), bar);
            say(&step);
            if !step.holds() {
                // The timer has to be made inside the runtime.
                runtime.block_on(async { tokio::time::sleep(REST).await });
            }
            outcomes.push(outcome);
            step
        });
        let shown = found.relaxed.unwrap_or(outcomes.len().saturating_sub(1));
        let outcome = outcomes.into_iter().nth(shown);
        (found, outcome)
    }
}

fn constant(rate: f64, search: &Search) -> Load {
    Load {
        shape: Shape::Constant,
        rate,
        warmup: search.warmup(),
        duration: search.step,
        seed: search.seed,
    }
}

impl Search {
    /// What each step sends before it measures.
    pub(crate) fn warmup(&self) -> Duration {
        self.step / STEP_WARMUP
    }
}
