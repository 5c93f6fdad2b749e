//! From the command line to the report.

use std::fmt::Display;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::runtime::Runtime;

use crate::cli::{Chosen, RunArgs};
use crate::engine::Limits;
use crate::find_max::Step;
use crate::machine::Machine;
use crate::population::{self, Population};
use crate::prepare;
use crate::report::{self, Entry, FindMax, RunInfo};
use crate::scenario::{Scenario, Shop};
use crate::schedule::{Load, Shape};
use crate::session::{Outcome, Search, Session};
use crate::targets::{Pool, Role, Targets};

/// Where a run or a search starts when no rate is given.
const RATE: f64 = 100.0;
/// Beyond the deadline of the last request.
const GRACE: Duration = Duration::from_secs(2);

/// Prints a result. A reader that went away (`| head`) is not an error.
fn result(text: impl Display) {
    drop(writeln!(std::io::stdout().lock(), "{text}"));
}

/// Says something about the work, on stderr.
fn note(text: impl Display) {
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}

/// Runs the scenarios; true when every run is valid and every objective holds.
pub(crate) fn run(args: &RunArgs) -> anyhow::Result<bool> {
    let runtime = runtime(args)?;
    let chosen = args.chosen();
    let shop = runtime.block_on(shop(args, &chosen))?;
    let mut entries = Vec::new();
    for (position, one) in chosen.iter().enumerate() {
        entries.push(scenario(
            args,
            *one,
            &shop.for_scenario(position),
            &runtime,
        )?);
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

/// Few threads: the servers often share the machine, and one thread sends some ten thousand
/// requests a second.
fn runtime(args: &RunArgs) -> anyhow::Result<Runtime> {
    let half = std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2));
    let threads = args.generator.threads.map_or(half, usize::from);
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder
        .worker_threads(threads)
        .enable_all()
        .build()
        .context("start the runtime")
}

async fn shop(args: &RunArgs, chosen: &[Chosen]) -> anyhow::Result<Shop> {
    let targets = connect(args, chosen).await?;
    let mut population = population(args)?;
    if let Some(features) = targets.features.as_ref()
        && chosen.iter().any(|one| one.kind.needs_population())
    {
        note(format_args!(
            "preparing {} shoppers and {} items",
            population.shoppers.len(),
            population.items.len()
        ));
        prepare::push(&mut population, features).await?;
    }
    let seed = args.load.seed;
    Ok(Shop {
        targets,
        population: Arc::new(population),
        seed,
        run: format!("{seed}-{}", Timestamp::now().as_millisecond()),
        timeout: args.load.timeout,
        k: args.shop.k,
        entities: usize::from(args.shop.entities),
        batch: usize::from(args.shop.batch),
        generation: args.shop.generation.clone(),
    })
}

async fn connect(args: &RunArgs, chosen: &[Chosen]) -> anyhow::Result<Targets> {
    let connect = async |role| {
        if !chosen.iter().any(|one| one.kind.needs().contains(&role)) {
            return Ok(None);
        }
        let connections = usize::from(args.generator.connections);
        Pool::connect(role, args.url(role), connections)
            .await
            .map(Some)
    };
    anyhow::Ok(Targets {
        features: connect(Role::Features).await?,
        candidates: connect(Role::Candidates).await?,
        recovery: connect(Role::Recovery).await?,
    })
}

fn population(args: &RunArgs) -> anyhow::Result<Population> {
    let (shop, seed) = (&args.shop, args.load.seed);
    let (items, made_up) = match &shop.item_ids {
        Some(path) => (population::read_items(path, seed)?, false),
        None => (population::items(usize::try_from(shop.items)?, seed), true),
    };
    Ok(Population::new(
        items,
        made_up,
        usize::try_from(shop.shoppers)?,
        seed,
    ))
}

/// Runs one scenario, its search included.
fn scenario(
    args: &RunArgs,
    chosen: Chosen,
    shop: &Arc<Shop>,
    runtime: &Runtime,
) -> anyhow::Result<Entry> {
    let rate = chosen.rate.or(args.load.rate);
    let limits = Limits {
        in_flight: usize::try_from(args.generator.in_flight)?,
        lag: args.generator.max_lag,
        patience: args.load.timeout + GRACE,
    };
    let mut session = Session::new(
        chosen.kind.to_string(),
        Scenario::new(chosen.kind, shop)?,
        limits,
    );
    let plain = (rate.is_some() || !args.find_max).then(|| {
        let load = load_of(args, rate.unwrap_or(RATE));
        (
            session.run(runtime, &load),
            run_info(args, load.shape, load.warmup, load.duration),
        )
    });
    if !args.find_max {
        let (outcome, info) = plain.context("a run without a search has a rate")?;
        return Ok(entry(args, &session.name, &outcome, info));
    }
    let search = Search {
        start: rate.unwrap_or(RATE),
        step: args.find_max_step,
        p99: args.find_max_p99,
        seed: args.load.seed,
    };
    let (found, last) = session.find_max(runtime, &search, say);
    let of_search = last.map(|outcome| {
        let info = run_info(args, Shape::Constant, search.warmup(), search.step);
        (outcome, info)
    });
    let (outcome, info) = plain
        .or(of_search)
        .context("a search tries at least one rate")?;
    let mut entry = entry(args, &session.name, &outcome, info);
    entry.find_max = Some(FindMax::from(&found));
    Ok(entry)
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

fn load_of(args: &RunArgs, rate: f64) -> Load {
    Load {
        shape: args.load.arrival,
        rate,
        warmup: args.load.warmup,
        duration: args.load.duration,
        seed: args.load.seed,
    }
}

fn entry(args: &RunArgs, name: &str, outcome: &Outcome, info: RunInfo) -> Entry {
    let invalid = outcome.invalid_because.clone();
    Entry::new(name.to_owned(), &outcome.measured, invalid, &args.slo, info)
}

fn run_info(args: &RunArgs, shape: Shape, warmup: Duration, duration: Duration) -> RunInfo {
    RunInfo {
        at: Timestamp::now().to_string(),
        command: command_line(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        seed: args.load.seed,
        arrival: shape.to_string(),
        warmup_s: warmup.as_secs_f64(),
        duration_s: duration.as_secs_f64(),
        connections: usize::from(args.generator.connections),
        machine: Machine::this(),
    }
}

/// The command as it can be typed again, without the path of the binary.
fn command_line() -> String {
    let arguments = std::env::args_os().skip(1).map(|argument| {
        let text = argument.to_string_lossy().into_owned();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%".contains(c);
        if !text.is_empty() && text.chars().all(plain) {
            return text;
        }
        format!("'{}'", text.replace('\'', r"'\''"))
    });
    let words = std::iter::once("cartwright-loadtest".to_owned()).chain(arguments);
    words.collect::<Vec<_>>().join(" ")
}
