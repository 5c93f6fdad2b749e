//! From the command line to the report.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::Runtime;

use crate::cli::RunArgs;
use crate::compare;
use crate::engine::Limits;
use crate::fault::{self, Fault};
use crate::find_max::Step;
use crate::plan::{Chosen, Plan};
use crate::replay::Replay;
use crate::report::{self, Compared, Entry, FindMax, Origin, RunInfo};
use crate::say::{note, result};
use crate::scenario::{Kind, Scenario, Shop};
use crate::schedule::{Arrival, Load, Schedule, Shape};
use crate::session::{Outcome, Search, Session};
use crate::setup::{self, Shops};

/// Where a run or a search starts when no rate is given.
const RATE: f64 = 100.0;
/// Beyond the deadline of the last request.
const GRACE: Duration = Duration::from_secs(2);
/// A fault begins after this part of the measured time, and lasts as long.
const FAULT_PART: u32 = 3;
/// What a shell says of a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Runs the scenarios; true when every run is valid and every objective holds.
pub(crate) fn run(args: &RunArgs) -> anyhow::Result<bool> {
    let runtime = setup::runtime(args)?;
    let chosen = args.chosen();
    let shops = runtime.block_on(setup::shops(args, &chosen))?;
    if let Some(undo) = args.fault.fault_undo.clone() {
        runtime.spawn(undo_when_interrupted(undo));
    }
    let mut entries = Vec::new();
    for (position, one) in chosen.iter().enumerate() {
        let case = Case::new(args, one, &shops, position);
        entries.push(case.entry(&runtime)?);
    }
    result(report::table::render(&entries));
    if let Some(path) = &args.json {
        report::write_json(path, &entries)?;
    }
    if let Some(path) = &args.html {
        let page = report::page::render(&entries);
        std::fs::write(path, page).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(entries.iter().all(Entry::passes))
}

/// Nobody is to be left paused by a load that was given up.
async fn undo_when_interrupted(undo: String) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    if let Err(error) = fault::sh(&undo) {
        note(error);
    }
    std::process::exit(INTERRUPTED);
}

/// One scenario of a command, with what its file says before what the command line says.
struct Case<'a> {
    args: &'a RunArgs,
    plan: &'a Plan,
    rate: Option<f64>,
    shop: Arc<Shop>,
    other: Option<Arc<Shop>>,
    timeout: Duration,
    warmup: Duration,
    duration: Duration,
    arrival: &'a Arrival,
}

impl<'a> Case<'a> {
    fn new(args: &'a RunArgs, chosen: &'a Chosen, shops: &Shops, position: usize) -> Self {
        let plan = chosen.plan.as_ref();
        let timeout = plan.timeout.unwrap_or(args.load.timeout);
        let own = |shop: &Shop| {
            let shop = Shop {
                timeout,
                ..shop.clone()
            };
            shop.for_scenario(position, args.generator.trace_share)
        };
        Self {
            args,
            plan,
            rate: chosen.rate.or(args.load.rate),
            shop: own(&shops.a),
            other: shops.b.as_ref().map(own),
            timeout,
            warmup: plan.warmup.unwrap_or(args.load.warmup),
            duration: plan.duration.unwrap_or(args.load.duration),
            arrival: plan.arrival.as_ref().unwrap_or(&args.load.arrival),
        }
    }

    /// Runs it, search, comparison and ceiling included.
    fn entry(&self, runtime: &Runtime) -> anyhow::Result<Entry> {
        let replay = self.replay()?;
        let mut session = self.session(&self.shop, replay.as_ref())?;
        // Before the load: after it a server may still be busy with what it was left.
        let ceiling = match self.pool() {
            Some(pool) if self.args.ceiling => {
                session.ceiling(runtime, &pool, self.args.ceiling_window)
            }
            Some(_) | None => None,
        };
        let mut entry = match (&self.other, self.searches()) {
            (Some(other), _) => self.compared(runtime, &mut session, other)?,
            (None, true) => self.searched(runtime, &mut session)?,
            (None, false) => {
                let schedule = self.schedule(replay.as_deref());
                let outcome = self.outcome(runtime, &mut session, &schedule);
                let arrival = self.arrival.to_string();
                self.report(&outcome, self.info(arrival, &schedule))
            }
        };
        entry.ceiling = ceiling.as_ref().map(report::Ceiling::from);
        Ok(entry)
    }

    fn searches(&self) -> bool {
        let named = self.args.find_max.as_ref();
        named.is_some_and(|named| named.is_empty() || named.contains(&self.plan.name))
    }

    fn session(&self, shop: &Arc<Shop>, replay: Option<&Arc<Replay>>) -> anyhow::Result<Session> {
        let scenario = match replay.filter(|_| self.replays_contents()) {
            Some(replay) => Scenario::replayed(replay, shop)?,
            None => Scenario::new(self.plan, shop)?,
        };
        let limits = Limits {
            in_flight: usize::try_from(self.args.generator.in_flight)?,
            lag: self.args.generator.max_lag,
            patience: self.timeout + GRACE,
        };
        let slowest = self.args.generator.slowest;
        Ok(Session::new(
            self.plan.name.clone(),
            scenario,
            limits,
            slowest,
        ))
    }

    /// The server that is measured, unless the scenario waits between calls or makes them fail.
    fn pool(&self) -> Option<crate::targets::Pool> {
        let waits = self
            .plan
            .mix
            .iter()
            .any(|share| share.kind == Kind::Freshness);
        let role = self.plan.needs().first().copied();
        let role = role.filter(|_| !waits && !self.plan.fault)?;
        self.shop.targets.need(role).ok()
    }

    /// A file of events fills events and mixed; other scenarios take only its times.
    fn replays_contents(&self) -> bool {
        self.plan.name == "mixed" || self.plan.name == "events"
    }

    fn replay(&self) -> anyhow::Result<Option<Arc<Replay>>> {
        let Arrival::Replay(file) = self.arrival else {
            return Ok(None);
        };
        let replay = Replay::read(file, self.plan.name == "mixed")?;
        if replay.skipped > 0 {
            let first = replay.first_skipped.as_deref().unwrap_or_default();
            let (skipped, file) = (replay.skipped, file.display());
            note(format_args!(
                "{file}: {skipped} lines are left out; first {first}"
            ));
        }
        Ok(Some(Arc::new(replay)))
    }

    fn schedule(&self, replay: Option<&Replay>) -> Schedule {
        match (replay, self.arrival) {
            (Some(replay), _) => {
                let offsets = replay.offsets(self.args.load.speed);
                Schedule::replay(offsets, self.warmup, self.duration)
            }
            (None, Arrival::Shape(shape)) => Schedule::new(&self.load(*shape)),
            (None, Arrival::Replay(_)) => Schedule::new(&self.load(Shape::Constant)),
        }
    }

    fn load(&self, shape: Shape) -> Load {
        Load {
            shape,
            rate: self.rate.unwrap_or(RATE),
            warmup: self.warmup,
            duration: self.duration,
            seed: self.args.load.seed,
        }
    }

    /// The run itself, with the fault if there is to be one.
    fn outcome(&self, runtime: &Runtime, session: &mut Session, schedule: &Schedule) -> Outcome {
        let given = &self.args.fault;
        let Some(command) = given.fault_cmd.clone().filter(|_| self.has_fault()) else {
            return session.run(runtime, schedule);
        };
        let part = schedule.duration() / FAULT_PART;
        let fault = Fault {
            command,
            after: schedule.warmup() + given.fault_after.unwrap_or(part),
            lasts: given.fault_for.unwrap_or(part),
            undo: given.fault_undo.clone(),
        };
        session.run_with(runtime, schedule, &fault)
    }

    /// The command meets the scenarios made for it, or all when there is none of those.
    fn has_fault(&self) -> bool {
        self.plan.fault || !self.args.scenarios.iter().any(|one| one.plan.fault)
    }

    fn searched(&self, runtime: &Runtime, session: &mut Session) -> anyhow::Result<Entry> {
        let plain = self.rate.map(|_| {
            let schedule = self.schedule(None);
            let outcome = self.outcome(runtime, session, &schedule);
            (outcome, self.info(self.arrival.to_string(), &schedule))
        });
        let search = Search {
            start: self.rate.unwrap_or(RATE),
            step: self.args.find_max_step,
            p99: self.args.find_max_p99,
            seed: self.args.load.seed,
        };
        let (found, last) = session.find_max(runtime, &search, say);
        let of_search = last.map(|outcome| {
            let times = (search.warmup(), search.step);
            (outcome, self.info_of(Shape::Constant.to_string(), times))
        });
        let (outcome, info) = plain
            .or(of_search)
            .context("a search tries at least one rate")?;
        let mut entry = self.report(&outcome, info);
        entry.find_max = Some(FindMax::from(&found));
        Ok(entry)
    }

    fn compared(
        &self,
        runtime: &Runtime,
        a: &mut Session,
        other: &Arc<Shop>,
    ) -> anyhow::Result<Entry> {
        let shape = match self.arrival {
            Arrival::Shape(shape) if compare::comparable(*shape) => *shape,
            Arrival::Shape(_) | Arrival::Replay(_) => {
                anyhow::bail!("--compare needs --arrival constant or poisson: windows take turns")
            }
        };
        let mut b = self.session(other, None)?;
        let window = self.args.compare_window;
        let comparison = compare::run(runtime, a, &mut b, &self.load(shape), window);
        let arrival = format!("{shape}, in turns with the other target");
        let times = (Duration::ZERO, comparison.a.measured.duration());
        let mut entry = self.report(&comparison.a, self.info_of(arrival, times));
        let against = self.args.compare.as_ref().map_or("", |c| c.text());
        entry.compare = Some(Compared::new(against, window, &comparison));
        if entry.invalid_because.is_none() {
            entry.invalid_because = comparison.b.invalid_because;
            entry.valid = entry.invalid_because.is_none();
        }
        Ok(entry)
    }

    fn report(&self, outcome: &Outcome, run: RunInfo) -> Entry {
        let mut slos = self.plan.slo.clone();
        // What holds in health is not what is asked of a server that is made to fail.
        if !self.plan.fault {
            slos.extend(self.args.slo.iter().cloned());
        }
        let origin = Origin {
            scenario: self.plan.name.clone(),
            tracing: self.shop.tracing,
            judges_fault: self.plan.fault,
            run,
        };
        Entry::new(origin, outcome, &slos)
    }

    fn info(&self, arrival: String, schedule: &Schedule) -> RunInfo {
        self.info_of(arrival, (schedule.warmup(), schedule.duration()))
    }

    fn info_of(&self, arrival: String, (warmup, duration): (Duration, Duration)) -> RunInfo {
        RunInfo {
            arrival,
            seed: self.args.load.seed,
            warmup_s: warmup.as_secs_f64(),
            duration_s: duration.as_secs_f64(),
            connections: usize::from(self.args.generator.connections),
            ..RunInfo::here()
        }
    }
}

fn say(step: &Step) {
    let p99 = step
        .p99_ms
        .map_or_else(|| "–".to_owned(), |ms| format!("{ms:.2}"));
    let verdict = step.why_not.as_deref().unwrap_or("holds");
    note(format_args!(
        "  {:>7.0}/s wanted  {:>7.0}/s got  p99 {p99} ms  {verdict}",
        step.wanted, step.got
    ));
}
