//! `events push` and `events import`: event files in.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::json;
use trainer::readers::Format;

use crate::failure::Failure;
use crate::push::{self, News, Settings};
use crate::reading::{self, FORMATS, Lines, Rejects};
use crate::writing::Out;
use crate::{output, remote, wire};

/// Sends event files to a running server, or turns public data sets into canonical ones
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright events push --events events.jsonl
  cartwright events import --events 2019-Oct.csv --format rees46 --out events.jsonl.zst")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Push(Push),
    Import(Import),
}

/// Sends an event file to a running server
///
/// Pushing is idempotent: a server that is away is asked again, and a file can be pushed again
/// after a failure; what was taken already counts as duplicate.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright events push --events events.csv.zst --format rees46
  cartwright events push --events events.jsonl --rate 2000 --rejects bad.jsonl --json")]
struct Push {
    /// The event file, plain or compressed with zstd
    #[arg(long, value_name = "FILE")]
    events: PathBuf,
    #[arg(long, value_name = "FORMAT", value_parser = reading::parse_format, help = FORMATS)]
    format: Option<Format>,
    /// The features role
    #[arg(long, value_name = "URL", default_value = remote::FEATURES)]
    to: String,
    #[command(flatten)]
    access: remote::Access,
    /// Events per second; as fast as the server takes them when absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Where to write lines that are no event and events that the server refused, as JSON lines
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Seconds to try again while the server is away
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    patience: u64,
    /// Print the totals as JSON
    #[arg(long)]
    json: bool,
}

/// Reads a public data set and writes canonical events
///
/// The output is one event per line in JSON, with the field names of the contract. Lines that are
/// no event are counted and go to the reject file; they do not stop the import.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  cartwright events import --events 2019-Oct.csv --format rees46 --out events.jsonl.zst --rejects bad.jsonl")]
struct Import {
    /// The file to read, plain or compressed with zstd
    #[arg(long, value_name = "FILE")]
    events: PathBuf,
    #[arg(long, value_name = "FORMAT", value_parser = reading::parse_format, help = FORMATS)]
    format: Option<Format>,
    /// The file to write; compressed when it ends in .zst
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Where to write lines that are no event, as JSON lines
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    match &args.command {
        Command::Push(push) => super::block_on(push_file(push)),
        Command::Import(import) => import_file(import),
    }
}

async fn push_file(args: &Push) -> anyhow::Result<()> {
    let lines = Lines::open(&args.events, args.format)?;
    let mut rejects = Rejects::to(args.rejects.as_ref())?;
    let mut unwritten = Ok(());
    let started = Instant::now();
    let settings = Settings {
        url: args.to.clone(),
        access: args.access.clone(),
        rate: args.rate,
        patience: Duration::from_secs(args.patience),
    };
    let report = push::push(&settings, lines, &mut |news| match news {
        News::Answered(_) => {}
        News::BadLine(bad) | News::Refused(bad) => {
            if let Err(error) = rejects.add(bad.line, &bad.reason, &bad.raw) {
                unwritten = Err(error);
            }
        }
    })
    .await;
    rejects.finish()?;
    // The totals of a push that failed half way are worth knowing too.
    print(args.json, &report, started.elapsed())?;
    report.result.and(unwritten)
}

fn print(as_json: bool, report: &push::Report, took: Duration) -> anyhow::Result<()> {
    let totals = &report.totals;
    if as_json {
        return output::json(&json!({
            "pushed": totals.pushed,
            "accepted": totals.accepted,
            "duplicate": totals.duplicate,
            "rejected": totals.rejected,
            "bad_lines": report.bad_lines,
            "seconds": took.as_secs_f64(),
        }));
    }
    output::result(format!(
        "{} pushed: {} accepted, {} duplicate, {} rejected; {} bad lines; {}",
        totals.pushed,
        totals.accepted,
        totals.duplicate,
        totals.rejected,
        report.bad_lines,
        output::duration(took)
    ));
    Ok(())
}

fn import_file(args: &Import) -> anyhow::Result<()> {
    let mut lines = Lines::open(&args.events, args.format)?;
    let mut rejects = Rejects::to(args.rejects.as_ref())?;
    let mut out = Out::create(&args.out)?;
    let mut written = 0_usize;
    for line in &mut lines {
        match line {
            Err(bad) => rejects.add(bad.line, &bad.reason, &bad.raw)?,
            Ok(parsed) => {
                let row = wire::json_line(&parsed.event);
                out.line(&row)
                    .with_context(|| format!("write {}", args.out.display()))?;
                written += 1;
            }
        }
    }
    lines.end()?;
    out.finish()
        .with_context(|| format!("write {}", args.out.display()))?;
    let bad = rejects.finish()?;
    if written == 0 {
        return Err(
            Failure::new(format!("no events in {}", args.events.display()))
                .hint(format!("is the format right? --format is one of {FORMATS}"))
                .into(),
        );
    }
    output::result(format!(
        "{} written, {bad} bad lines",
        output::counted(written, "event")
    ));
    Ok(())
}
