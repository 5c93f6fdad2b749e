//! `recover`: one cart, one answer, no server.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use retrieval::{Gate, Kind, Model, Query, Recent};
use snapshot::Snapshot;
use trainer::readers::Format;

use crate::failure::{Failure, OrFail as _};
use crate::output;
use crate::reading::{self, FORMATS, Log};
use crate::training::{self, Settings};

/// Recommends items for a cart and prints the recovered cart, without a server
///
/// Trains on the events, or takes a trained snapshot. The cart's items are the query. The recovered
/// cart is a proposal: nothing enters a cart unasked.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  cartwright recover --events examples/article.csv --shopper 1 --cart 1,2,3
  # Recommended items: [4, 6, 9]
  # Recovered cart: [1, 2, 3, 4, 6, 9]")]
pub(crate) struct Args {
    /// Event file to learn from, plain or compressed with zstd
    #[arg(long, value_name = "FILE", required_unless_present = "snapshot")]
    events: Option<PathBuf>,
    #[arg(long, value_name = "FORMAT", value_parser = reading::parse_format, help = FORMATS)]
    format: Option<Format>,
    /// A trained snapshot, instead of training
    #[arg(long, value_name = "DIR", conflicts_with = "events")]
    snapshot: Option<PathBuf>,
    /// Shopper whose cart it is
    #[arg(long, value_name = "ID")]
    shopper: String,
    /// Items in the cart
    #[arg(long, value_name = "ID,…", value_delimiter = ',', required = true)]
    cart: Vec<String>,
    /// How many items to recommend
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=1000))]
    k: u16,
    /// Items never to recommend
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    exclude: Vec<String>,
    /// Say which sources named each item, on stderr
    #[arg(long)]
    why: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let scratch = tempfile::tempdir().context("make a folder for the snapshot")?;
    let snapshot = match (&args.snapshot, &args.events) {
        (Some(dir), _) => Snapshot::open(dir).or_hint("`cartwright train` makes a snapshot")?,
        (None, Some(events)) => trained(args, events, &scratch.path().join("snapshot"))?,
        (None, None) => return Err(Failure::usage("neither --events nor --snapshot").into()),
    };
    let model = Model::load(&snapshot)?;
    let gate = Gate::open(model.catalogue().len());
    let answer = model.retrieve(&query(args), &gate)?;
    if args.why {
        explain(args, &answer);
    }
    print(args, &answer);
    Ok(())
}

fn trained(args: &Args, events: &PathBuf, out: &std::path::Path) -> anyhow::Result<Snapshot> {
    let log = Log::read(std::slice::from_ref(events), args.format, None)?;
    let mut settings = Settings::default();
    // Nothing is published: the snapshot is gone when this ends.
    settings.options.min_people = Some(1);
    let report = training::train(&log, &settings, out)?;
    if args.why {
        for note in &report.notes {
            output::note(format!("note: {note}"));
        }
    }
    Ok(report.snapshot)
}

fn query(args: &Args) -> Query {
    let recent = |item_id: &String| Recent {
        item_id: item_id.clone(),
        kind: Kind::Add,
        age: Duration::ZERO,
    };
    Query {
        recent: args.cart.iter().map(recent).collect(),
        exclude: args.cart.iter().chain(&args.exclude).cloned().collect(),
        k: usize::from(args.k),
        ..Query::default()
    }
}

fn print(args: &Args, answer: &retrieval::Answer) {
    let recommended: Vec<&str> = answer
        .candidates
        .iter()
        .map(|c| c.item_id.as_str())
        .collect();
    let mut recovered: Vec<&str> = args.cart.iter().map(String::as_str).collect();
    recovered.extend(&recommended);
    output::result(format!("Recommended items: [{}]", recommended.join(", ")));
    output::result(format!("Recovered cart: [{}]", recovered.join(", ")));
}

fn explain(args: &Args, answer: &retrieval::Answer) {
    output::note(format!(
        "shopper {}: {} of the items are eligible",
        args.shopper, answer.plan.eligible
    ));
    for candidate in &answer.candidates {
        let sources: Vec<String> = candidate
            .sources
            .iter()
            .map(|s| format!("{} (place {})", s.source.as_str(), s.rank + 1))
            .collect();
        output::note(format!(
            "{}: score {:.4} from {}",
            candidate.item_id,
            candidate.score,
            sources.join(", ")
        ));
    }
    for unknown in &answer.unknown {
        output::note(format!("{unknown}: not in the events, so it says nothing"));
    }
}
