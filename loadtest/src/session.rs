//! One scenario from preparation to its entry in the report.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::engine::{self, Limits};
use crate::find_max::{self, Bar, Found, Step};
use crate::live::Line;
use crate::measured::Measured;
use crate::scenario::Scenario;
use crate::schedule::{Load, Schedule, Shape};

/// A scenario against its servers. Runs in it never repeat a request number.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) name: String,
    scenario: Arc<Scenario>,
    limits: Limits,
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
}

/// Lets a server that was driven too hard come back before the next step.
const REST: Duration = Duration::from_secs(1);
/// A step's warm-up is this part of its measured time.
const STEP_WARMUP: u32 = 5;

impl Session {
    pub(crate) fn new(name: String, scenario: Scenario, limits: Limits) -> Self {
        Self {
            name,
            scenario: Arc::new(scenario),
            limits,
            next: 0,
        }
    }

    /// Runs one load.
    pub(crate) fn run(&mut self, runtime: &Runtime, load: &Load) -> Outcome {
        let schedule = Schedule::new(load);
        let measured = Measured::new(load.warmup, load.duration, schedule.rate());
        let shared = Arc::new(Mutex::new(measured));
        let line = Line::watch(runtime.handle(), self.name.clone(), &shared);
        let first = self.next;
        self.next += schedule.offsets().len() as u64;
        let handle = runtime.handle();
        let measured = engine::run(
            handle,
            &self.scenario,
            &schedule,
            first,
            &self.limits,
            &shared,
        );
        drop(line);
        let invalid_because = engine::invalid_because(&measured, &self.limits);
        Outcome {
            measured,
            invalid_because,
        }
    }

    /// Searches the highest rate that holds; the outcome is that of the run at 70 % of it, or of
    /// the last run when none holds.
    pub(crate) fn find_max(
        &mut self,
        runtime: &Runtime,
        search: &Search,
        mut say: impl FnMut(&Step),
    ) -> (Found, Option<Outcome>) {
        let bar = Bar {
            p99_ms: search.p99.as_secs_f64() * 1_000.0,
        };
        let mut last = None;
        let found = find_max::search(search.start, bar, |rate| {
            let outcome = self.run(runtime, &constant(rate, search));
            let step = Step::judge(&outcome.measured, outcome.invalid_because.clone(), bar);
            say(&step);
            if !step.holds() {
                // The timer has to be made inside the runtime.
                runtime.block_on(async { tokio::time::sleep(REST).await });
            }
            last = Some(outcome);
            step
        });
        (found, last)
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
