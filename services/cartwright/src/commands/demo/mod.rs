//! `demo`: real events in, decisions out, in one command.

pub(super) mod carts;
pub(super) mod data;
mod here;
mod json;
mod living;
mod processes;
mod run;
pub(super) mod shop;
mod table;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use kit::Clock;
use kit::config::Period;
use tempfile::TempDir;
use trainer::readers::Format;

use crate::output::{self, Steps};
use crate::reading::{self, FORMATS};
use crate::training::{self, Settings};
/// Half of what `train` uses: a quarter of the time, and enough for a log that fits a demo.
const DIMENSION: usize = 32;

/// Shows real decisions: trains on a log, serves it, pushes it, decides for every cart left
///
/// Everything runs for real: the servers, the store, gRPC between them. Without --events a small
/// generated shop is used. The clock is simulated: it starts at the last event plus the idle time.
/// Consent to be contacted is assumed for every shopper with a cart. Without --once the servers
/// stay up until Ctrl-C.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright demo
  cartwright demo --once --json out.json
  cartwright demo --events events.csv.zst --format rees46
  cartwright demo --redis redis://127.0.0.1:6379 --processes 3
  cartwright demo --simulate")]
pub(crate) struct Args {
    /// Event file to use instead of the generated shop, plain or compressed with zstd
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    #[arg(long, value_name = "FORMAT", value_parser = reading::parse_format, help = FORMATS)]
    format: Option<Format>,
    /// Keep state in this Redis, under a key prefix of its own, instead of an embedded store
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
    /// 1 serves everything in this process, 3 starts each role as a process of its own
    #[arg(long, value_name = "1|3", default_value_t = 1, value_parser = processes_value)]
    processes: u8,
    /// Stop after the table, instead of staying up
    #[arg(long)]
    once: bool,
    /// How long a shopper has to be quiet before the cart counts as left
    #[arg(long, value_name = "TIME", default_value = "30m")]
    idle: Period,
    /// Write figures and decisions to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Keep snapshot and store in this folder, instead of a temporary one
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Let simulated shoppers live through five days in a minute, and show what acting adds
    #[arg(long, conflicts_with_all = ["events", "format", "processes", "json"])]
    simulate: bool,
    /// With --simulate: how many shoppers leave a cart
    #[arg(long, value_name = "N", default_value_t = 3_000, requires = "simulate", value_parser = clap::value_parser!(u32).range(100..=100_000))]
    shoppers: u32,
    /// With --simulate: how many simulated seconds pass in one
    #[arg(
        long,
        value_name = "N",
        default_value_t = 6_000.0,
        requires = "simulate"
    )]
    speed: f64,
    /// Seed of the generated shop and of training
    #[arg(long, value_name = "N", default_value_t = 7)]
    seed: u64,
}

fn processes_value(text: &str) -> Result<u8, String> {
    match text {
        "1" => Ok(1),
        "3" => Ok(3),
        _ => Err("1 and 3 are possible".to_owned()),
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    if args.simulate {
        return super::block_on_threads(None, living::run(args));
    }
    let mut steps = Steps::new(5);
    steps.next(data::describe(args));
    let log = data::load(args)?;
    let now = data::end(&log).saturating_add(args.idle.0);
    steps.next(format!(
        "training on {}",
        output::counted(log.events.len(), "event")
    ));
    let folder = Folder::new(args.keep.as_deref())?;
    let mut settings = Settings {
        idle: args.idle.0,
        ..Settings::default()
    };
    settings.options.seed = Some(args.seed);
    settings.options.dimension = Some(DIMENSION);
    let report = training::train(&log, &settings, &folder.snapshot())?;
    for note in &report.notes {
        output::note(format!("  {note}"));
    }
    drop(report);
    super::block_on_threads(None, run::run(args, log, now, &folder, &mut steps))
}

/// Where the snapshot and the embedded store live: gone at the end, unless kept.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
    _scratch: Option<TempDir>,
}

impl Folder {
    fn new(keep: Option<&Path>) -> anyhow::Result<Self> {
        if let Some(path) = keep {
            std::fs::create_dir_all(path).with_context(|| format!("create {}", path.display()))?;
            return Ok(Self {
                path: path.to_owned(),
                _scratch: None,
            });
        }
        let scratch = tempfile::Builder::new()
            .prefix("cartwright-demo-")
            .tempdir()
            .context("make a temporary folder")?;
        Ok(Self {
            path: scratch.path().to_owned(),
            _scratch: Some(scratch),
        })
    }

    fn snapshot(&self) -> PathBuf {
        self.path.join("snapshot")
    }

    fn store(&self) -> PathBuf {
        self.path.join("store")
    }
}

/// A key prefix that no earlier run used, so that each run starts from an empty shop.
fn fresh_prefix() -> String {
    format!("demo-{}-{}", Clock::real().now_ms(), std::process::id())
}
