//! The command line and what its `--help` says.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::compare::Against;
use crate::measured::SLOWEST;
use crate::period;
use crate::plan::{Chosen, parse_rate};
use crate::schedule::Arrival;
use crate::slo::Slo;
use crate::swap::SwapArgs;
use crate::targets::{Role, parse_url};

/// Measures whether Cartwright's latency objectives hold
///
/// Requests leave on a schedule made before the run, whatever the server does, and latency counts
/// from the intended start: a stalled server is seen as its callers see it. Answers are checked,
/// not only timed. A run in which this tool was the bottleneck is declared invalid.
///
/// Scenarios: features (GetFeatures of 50 features), retrieve, rank, decide (PREVIEW),
/// decide-commit, events (PushEvents), mixed (events and decisions as in a real shop), freshness
/// (push, then read until it can be seen), health (gRPC health Check: the path itself), fault (decide, while --fault-cmd makes something fail),
/// and any FILE.toml with operations and their weights. A scenario may carry its own rate:
/// decide@1500.
///
/// The table goes to stdout, all else to stderr. Exit code 0: every run is valid and every
/// objective holds; 1: not so, or a server cannot be reached; 64: bad usage.
#[derive(Debug, Parser)]
#[command(
    name = "cartwright-loadtest",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Examples:
  cartwright-loadtest features --rate 2000 --duration 30s --slo 'p99<10ms' 'errors<0.01%'
  cartwright-loadtest decide decide-commit --find-max --json report.json --html report.html
  cartwright-loadtest features@2000 retrieve@500 decide@1000 --item-ids model/items.jsonl
  cartwright-loadtest mixed --arrival replay:2019-Oct.csv.zst --speed 100
  cartwright-loadtest fault --rate 500 --duration 30 --fault-cmd 'kill -STOP 4711' \\
      --fault-for 10 --fault-undo 'kill -CONT 4711'
  cartwright-loadtest decide --rate 800 --compare recovery=http://127.0.0.1:8103
  cartwright-loadtest diff before.json after.json"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Diff(DiffArgs),
    Shop(ShopFileArgs),
    Swap(Box<SwapArgs>),
}

/// Names what got worse from one report to another, beyond the noise
///
/// The noise is that of the slices of time which each report holds. Exit code 0: nothing got
/// worse; 1: something did, or a run was not valid; 64: bad usage.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  cartwright-loadtest diff before.json after.json --threshold 10%")]
pub(crate) struct DiffArgs {
    /// Report before the change, made by --json.
    #[arg(value_name = "A.json")]
    pub(crate) before: PathBuf,
    /// Report after it.
    #[arg(value_name = "B.json")]
    pub(crate) after: PathBuf,
    /// Changes smaller than this are none, however sure.
    #[arg(long, value_name = "SHARE", value_parser = parse_share, default_value = "5%")]
    pub(crate) threshold: f64,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Writes events of a made-up shop, to train a snapshot that knows the items of a run
///
/// The same --items, --shoppers and --seed as in the run give the same items. Most shoppers look
/// around, fill a cart and buy or leave; their visits lie in the fortnight before now.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  cartwright-loadtest shop --items 5000 --shoppers 20000 --events shop.jsonl
  cartwright train --events shop.jsonl --out model")]
pub(crate) struct ShopFileArgs {
    /// File to write: one event a line, with the field names of the contract.
    #[arg(long, value_name = "FILE")]
    pub(crate) events: PathBuf,
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) shoppers: u32,
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(10..=1_000_000))]
    pub(crate) items: u32,
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// What to send: one or more scenarios or .toml files, run one after the other.
    #[arg(required = true, value_name = "SCENARIO")]
    pub(crate) scenarios: Vec<Chosen>,
    /// Server of events, features and items.
    #[arg(long, value_name = "URL", value_parser = parse_url, default_value = "http://127.0.0.1:7101")]
    pub(crate) features: String,
    /// Server of candidates.
    #[arg(long, value_name = "URL", value_parser = parse_url, default_value = "http://127.0.0.1:7102")]
    pub(crate) candidates: String,
    /// Server of decisions.
    #[arg(long, value_name = "URL", value_parser = parse_url, default_value = "http://127.0.0.1:7103")]
    pub(crate) recovery: String,
    #[command(flatten)]
    pub(crate) load: LoadArgs,
    #[command(flatten)]
    pub(crate) shop: ShopArgs,
    #[command(flatten)]
    pub(crate) generator: GeneratorArgs,
    #[command(flatten)]
    pub(crate) fault: FaultArgs,
    /// Objectives: p50…p99.999, mean, max, lag (durations), errors, degraded (shares), rate. The
    /// fault scenario is judged by its own: every request is answered inside its deadline.
    #[arg(long, value_name = "EXPR", num_args = 1.., value_delimiter = ',')]
    pub(crate) slo: Vec<Slo>,
    /// Search the highest rate of which 99 % is achieved with p99 below --find-max-p99; without
    /// --rate the entry is that of the middle one of three runs at 70 % of it. Of all scenarios, or
    /// of those named: --find-max=decide,features.
    #[arg(long, value_name = "NAME,…", num_args = 0.., require_equals = true, value_delimiter = ',')]
    pub(crate) find_max: Option<Vec<String>>,
    /// Also measure what an empty call (gRPC health Check) of the same server reaches over the same
    /// connections, and which share of that rate the scenario reaches: both as fast as they can, in
    /// turns.
    #[arg(long)]
    pub(crate) ceiling: bool,
    /// Time of each of the four windows of a ceiling.
    #[arg(long, value_name = "TIME", value_parser = period::positive, default_value = "1s")]
    pub(crate) ceiling_window: Duration,
    /// Run the same against other servers, in windows that take turns (ABBA), and state the ratio
    /// with its interval. Servers that are not named stay the same.
    #[arg(long, value_name = "ROLE=URL,…", conflicts_with_all = ["find_max", "fault_cmd"])]
    pub(crate) compare: Option<Against>,
    /// Measured time of each window of a comparison.
    #[arg(long, value_name = "TIME", value_parser = period::positive, default_value = "2s")]
    pub(crate) compare_window: Duration,
    /// Measured time of each step of the search.
    #[arg(long, value_name = "TIME", value_parser = period::positive, default_value = "5s")]
    pub(crate) find_max_step: Duration,
    /// What p99 has to stay below in the search.
    #[arg(long, value_name = "TIME", value_parser = period::positive, default_value = "25ms")]
    pub(crate) find_max_p99: Duration,
    /// Write the results as JSON, one entry per scenario.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write a report to look at: one file, nothing else needed.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Load")]
pub(crate) struct LoadArgs {
    /// Requests a second [default: 100, and where the search starts].
    #[arg(long, value_parser = parse_rate)]
    pub(crate) rate: Option<f64>,
    /// Measured time; a number alone is one of seconds, here and below.
    #[arg(long, value_name = "TIME", value_parser = period::positive, default_value = "10s")]
    pub(crate) duration: Duration,
    /// Sent before it and not measured.
    #[arg(long, value_name = "TIME", value_parser = period::parse, default_value = "2s")]
    pub(crate) warmup: Duration,
    /// constant, poisson, ramp (a tenth of the rate up to it), step:N (N equal steps up to it), or
    /// replay:FILE: as the events of a file came (JSON lines or CSV with the contract's fields, or
    /// REES46; .zst too). With events or mixed also what the file holds is sent.
    #[arg(long, value_name = "SHAPE", default_value = "constant")]
    pub(crate) arrival: Arrival,
    /// How many times as fast as in the file a replay runs.
    #[arg(long, value_name = "X", value_parser = parse_speed, default_value = "1")]
    pub(crate) speed: f64,
    /// Deadline of a request; the server is told.
    #[arg(long, value_name = "TIME", value_parser = period::positive, default_value = "1s")]
    pub(crate) timeout: Duration,
    /// Seed of arrivals, shoppers and requests.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Shop")]
pub(crate) struct ShopArgs {
    /// Shoppers with carts, pushed before the run.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) shoppers: u32,
    /// Items made up and pushed before the run.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(10..=1_000_000))]
    pub(crate) items: u32,
    /// Items to use instead: ids one a line, or a snapshot's items.jsonl. Not pushed.
    #[arg(long, value_name = "FILE", conflicts_with = "items")]
    pub(crate) item_ids: Option<PathBuf>,
    /// Decide with COMMIT instead of PREVIEW.
    #[arg(long)]
    pub(crate) commit: bool,
    /// Generation to pin requests to [default: the live one].
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    pub(crate) generation: String,
    /// Candidates asked for by retrieve.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) k: u32,
    /// Shoppers in one request of features.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) entities: u16,
    /// Events in one request of events.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub(crate) batch: u16,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Generator")]
pub(crate) struct GeneratorArgs {
    /// Connections to each server.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub(crate) connections: u16,
    /// Threads that send and receive [default: half the cores].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) threads: Option<u16>,
    /// Requests in flight at a time; a run that reaches it is invalid.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) in_flight: u32,
    /// Slowest requests that are kept, each with its trace id and where its time went.
    #[arg(long, value_name = "N", default_value_t = SLOWEST, value_parser = parse_slowest)]
    pub(crate) slowest: usize,
    /// Share of requests whose traceparent asks the servers to keep their trace.
    #[arg(long, value_name = "SHARE", value_parser = parse_share, default_value = "0.1%")]
    pub(crate) trace_share: f64,
    /// Do not ask the servers what their time went to (metadata cartwright-timing).
    #[arg(long)]
    pub(crate) no_timing: bool,
    /// p99 of actual send less intended start above which a run is invalid.
    #[arg(long, value_name = "TIME", value_parser = period::positive, default_value = "10ms")]
    pub(crate) max_lag: Duration,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Fault")]
pub(crate) struct FaultArgs {
    /// Command line for the shell, run while the load goes on: it pauses, kills or slows a process.
    #[arg(long, value_name = "CMD")]
    pub(crate) fault_cmd: Option<String>,
    /// When, from the end of the warm-up [default: after a third of the measured time].
    #[arg(long, value_name = "TIME", value_parser = period::parse, requires = "fault_cmd")]
    pub(crate) fault_after: Option<Duration>,
    /// How long until --fault-undo is run [default: a third of the measured time].
    #[arg(long, value_name = "TIME", value_parser = period::parse, requires = "fault_undo")]
    pub(crate) fault_for: Option<Duration>,
    /// Command line that ends it; also run when the load is interrupted.
    #[arg(long, value_name = "CMD", requires = "fault_cmd")]
    pub(crate) fault_undo: Option<String>,
}

fn parse_share(text: &str) -> Result<f64, String> {
    let percent = text.strip_suffix('%').and_then(|t| t.trim().parse().ok());
    let percent = percent.filter(|p| (0.0..=100.0).contains(p));
    percent
        .map(|percent: f64| percent / 100.0)
        .ok_or_else(|| format!("share is {text:?}, 0% to 100% are allowed"))
}

fn parse_speed(text: &str) -> Result<f64, String> {
    let speed = text.parse().ok().filter(|s| (0.01..=1e6).contains(s));
    speed.ok_or_else(|| format!("speed is {text:?}, 0.01 to 1000000 are allowed"))
}

fn parse_slowest(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|n| *n <= 1_000);
    count.ok_or_else(|| format!("slowest is {text:?}, 0 to 1000 are allowed"))
}

impl RunArgs {
    /// The scenarios; `--commit` turns PREVIEW into COMMIT.
    pub(crate) fn chosen(&self) -> Vec<Chosen> {
        let chosen = self.scenarios.iter();
        let committed = |one: &Chosen| Chosen {
            plan: std::sync::Arc::new(one.plan.committed()),
            rate: one.rate,
        };
        if self.shop.commit {
            return chosen.map(committed).collect();
        }
        chosen.cloned().collect()
    }

    pub(crate) fn url(&self, role: Role) -> &str {
        match role {
            Role::Features => &self.features,
            Role::Candidates => &self.candidates,
            Role::Recovery => &self.recovery,
        }
    }

    /// What the parser cannot see: a flag that a scenario needs or that two of them contradict.
    pub(crate) fn contradiction(&self) -> Option<String> {
        let replays = |one: &Chosen| {
            let arrival = one.plan.arrival.as_ref().unwrap_or(&self.load.arrival);
            matches!(arrival, Arrival::Replay(_))
        };
        if self.fault.fault_cmd.is_none()
            && let Some(one) = self.scenarios.iter().find(|one| one.plan.fault)
        {
            let name = &one.plan.name;
            return Some(format!(
                "scenario {name} needs --fault-cmd CMD: what is to fail"
            ));
        }
        if (self.find_max.is_some() || self.compare.is_some()) && self.scenarios.iter().any(replays)
        {
            return Some(
                "a replay has its own rate: --find-max and --compare need another --arrival"
                    .to_owned(),
            );
        }
        let names: Vec<&str> = self
            .scenarios
            .iter()
            .map(|s| s.plan.name.as_str())
            .collect();
        let mut searched = self.find_max.iter().flatten();
        searched
            .find(|name| !names.contains(&name.as_str()))
            .map(|name| {
                format!(
                    "--find-max names {name:?}, which is none of {}",
                    names.join(", ")
                )
            })
    }
}

#[cfg(test)]
mod tests;
