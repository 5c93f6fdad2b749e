//! `train`: event files in, a snapshot out.

use std::path::PathBuf;

use serde_json::json;
use trainer::readers::Format;
use trainer::{GivenVectors, People, TrainReport};

use super::{block_on_threads, policy};
use crate::leaderboard;
use crate::output;
use crate::privacy;
use crate::reading::{self, FORMATS, Log};
use crate::stores;
use crate::training::{self, Settings};

/// Learns from event files, or from the log of a store, and writes a snapshot
///
/// The snapshot holds the item vectors with their index, co-visitation, popularity, the ranker, the
/// risk model and the policy: all that `serve --snapshot` needs, in one immutable folder. The same
/// events, options and seed give the same snapshot.
///
/// Of a store the events of people who were erased are left out, and each past session carries a MAC of
/// its shopper, by which it is taken out of a snapshot that is served when they are erased later. For
/// files, --erased and --privacy-key do the same.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright train --events events.jsonl.zst --out model
  cartwright train --events 2019-Oct.csv --format rees46 --out model --dimension 32 --json
  cartwright train --redis redis://127.0.0.1 --out model
  cartwright train --events events.jsonl --vectors image=image.safetensors --out model

Vectors are a safetensors file with one tensor, `vectors` (f32, one row an item), and the item ids as
a JSON list in its metadata. In Python:
  from safetensors.numpy import save_file
  import json
  save_file({\"vectors\": rows}, \"image.safetensors\", metadata={\"ids\": json.dumps(ids)})")]
pub(crate) struct Args {
    #[command(flatten)]
    source: Source,
    /// Separates shops that share one Redis
    #[arg(long, value_name = "TEXT", requires = "redis", default_value = "")]
    key_prefix: String,
    #[command(flatten)]
    people: privacy::Files,
    #[arg(long, value_name = "FORMAT", requires = "events", value_parser = reading::parse_format, help = FORMATS)]
    format: Option<Format>,
    /// The folder to write; a snapshot that is there is replaced
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Items as JSON lines, instead of what the events say about them
    #[arg(long, value_name = "FILE")]
    items: Option<PathBuf>,
    /// Vectors of items made elsewhere, such as of their images, as NAME=FILE.safetensors; may be
    /// given again for other names
    #[arg(long, value_name = "NAME=FILE", value_parser = parse_vectors)]
    vectors: Vec<(String, PathBuf)>,
    /// The policy to ship; the built-in one when absent
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Where to write lines that are no event, as JSON lines
    #[arg(long, value_name = "FILE", requires = "events")]
    rejects: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// Where the events are.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Source {
    /// Event files, plain or compressed with zstd
    #[arg(long, value_name = "FILE", num_args = 1..)]
    events: Vec<PathBuf>,
    /// The folder of an embedded store that no server is using
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// The Redis of a features role
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
}

/// What training can be told; the trainer's defaults where absent.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// Seed of everything random
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Dimensions of the item vectors
    #[arg(long, value_name = "N")]
    pub(crate) dimension: Option<usize>,
    /// Sweeps of the factorisation
    #[arg(long, value_name = "N")]
    pub(crate) iterations: Option<usize>,
    /// Weight of the factorisation's penalty
    #[arg(long, value_name = "X")]
    pub(crate) regularisation: Option<f64>,
    /// How much an interaction counts against none
    #[arg(long, value_name = "X")]
    pub(crate) alpha: Option<f64>,
    /// Different shoppers below which nothing of what they did together is published: pairs of items,
    /// an item's vector. 5 when absent; 1 publishes what a single person did, for public data and tests
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) min_people: Option<u32>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let policy = policy::load(args.policy.as_deref())?;
    let (mut log, people) = read(args)?;
    if let Some(items) = &args.items {
        log.items = reading::items(items)?;
    }
    let settings = Settings {
        options: args.options.clone(),
        policy,
        people,
        vectors: args
            .vectors
            .iter()
            .map(|(name, file)| GivenVectors::read(name, file))
            .collect::<Result<_, _>>()?,
        ..Settings::default()
    };
    let report = training::train(&log, &settings, &args.out)?;
    if args.json {
        return output::json(&as_json(&report, log.bad_lines));
    }
    print(&report, log.bad_lines);
    output::note(format!(
        "next: cartwright serve all --snapshot {}",
        args.out.display()
    ));
    Ok(())
}

/// The events, and what is known of the people in them.
fn read(args: &Args) -> anyhow::Result<(Log, People)> {
    let Source {
        events,
        store,
        redis,
    } = &args.source;
    if !events.is_empty() {
        let log = Log::read(events, args.format, args.rejects.as_ref())?;
        return Ok((log, args.people.read()?));
    }
    privacy::refuse_both(&args.people)?;
    block_on_threads(None, async {
        let store = stores::open(redis.as_deref(), &args.key_prefix, store.as_deref()).await?;
        let people = privacy::people(&store).await?;
        let log = Log::of(&store).await?;
        let people = people.with_unreadable(log.unreadable);
        Ok((log, people))
    })
}

fn parse_vectors(given: &str) -> Result<(String, PathBuf), String> {
    let (name, file) = given
        .split_once('=')
        .ok_or("give a name and a file, such as image=image.safetensors")?;
    Ok((name.to_owned(), PathBuf::from(file)))
}

fn print(report: &TrainReport, bad_lines: u64) {
    let manifest = report.snapshot.manifest();
    let counts = &report.counts;
    let loss: Vec<String> = report
        .als_loss
        .iter()
        .map(|loss| format!("{loss:.1}"))
        .collect();
    let mut table = output::table(["snapshot", report.snapshot.id()]);
    let rows = [
        (
            "events",
            format!(
                "{} accepted, {} duplicate",
                counts.accepted, counts.duplicates
            ),
        ),
        ("rejected", rejected(report)),
        ("bad lines", bad_lines.to_string()),
        ("factorisation loss", loss.join(" → ")),
        ("ranker", report.ranker.clone()),
        ("risk model", report.risk.clone()),
    ];
    for (name, value) in rows.into_iter().chain(privacy::in_words(manifest)) {
        table.add_row([name, &value]);
    }
    output::result(table);
    leaderboard::print_quality(manifest);
    for note in &report.notes {
        output::note(format!("note: {note}"));
    }
    if let Some(board) = &manifest.leaderboard {
        leaderboard::print(board);
    }
}

fn rejected(report: &TrainReport) -> String {
    let reasons: Vec<String> = report
        .counts
        .rejected
        .iter()
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    if reasons.is_empty() {
        "none".to_owned()
    } else {
        reasons.join(", ")
    }
}

fn as_json(report: &TrainReport, bad_lines: u64) -> serde_json::Value {
    let manifest = report.snapshot.manifest();
    json!({
        "id": report.snapshot.id(),
        "accepted": report.counts.accepted,
        "duplicate": report.counts.duplicates,
        "rejected": report.counts.rejected,
        "bad_lines": bad_lines,
        "als_loss": report.als_loss,
        "ranker": report.ranker,
        "risk": report.risk,
        "privacy": manifest.privacy,
        "quality": manifest.quality,
        "leaderboard": manifest.leaderboard,
        "notes": report.notes,
    })
}
