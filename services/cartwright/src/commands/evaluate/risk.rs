//! `evaluate risk`: how good the probability is that a cart is left, or that a session buys.

mod carts;
mod sessions;

use std::path::PathBuf;

use comfy_table::Cell;
use serde_json::{Value, json};
use trainer::risk::{Bin, Measures};

use crate::failure::Failure;
use crate::output;

/// Measures the probability that a cart is left
///
/// With --events or --simulate, carts are judged by shopper and later in time, after several
/// lengths of quiet. With --data, the same learners are judged on a public table of labelled
/// sessions, in stratified folds, without the column that knows of the outcome and with it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright evaluate risk --events events.jsonl.zst --ablation
  cartwright evaluate risk --simulate 4000
  cartwright evaluate risk --data online_shoppers_intention.csv --format online-shoppers
  cartwright evaluate risk --data online_shoppers_intention.csv --format online-shoppers \\
      --repeats 5 --ablation --json intent.json")]
pub(super) struct Args {
    /// A table of labelled sessions
    #[arg(long, value_name = "FILE", required_unless_present_any = ["events", "simulate"], conflicts_with_all = ["events", "simulate"])]
    data: Option<PathBuf>,
    /// A log of events
    #[arg(long, value_name = "FILE", conflicts_with = "simulate")]
    events: Option<PathBuf>,
    /// The log of a synthetic shop with so many shoppers
    #[arg(long, value_name = "SHOPPERS", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    simulate: Option<u32>,
    /// With --data: online-shoppers; with --events: jsonl, csv, interactions, rees46, online-retail
    /// or session-clicks; guessed when absent
    #[arg(long, value_name = "FORMAT", conflicts_with = "simulate")]
    format: Option<String>,
    /// With --data: folds
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(2..=20))]
    folds: u16,
    /// With --data: run with so many seeds, from --seed on, and report the mean
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=100))]
    repeats: u16,
    /// Deals into folds and draws rows and columns for trees
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Also leave out groups of features, one at a time
    #[arg(long)]
    ablation: bool,
    /// Print as JSON, or write it to a file
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    json: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    match &args.data {
        None => carts::run(args),
        Some(file) => match args.format.as_deref() {
            None | Some("online-shoppers") => sessions::run(args, file),
            Some(other) => Err(Failure::usage(format!(
                "--format is {other:?}, online-shoppers is what --data takes"
            ))
            .hint("a log of events goes to --events")
            .into()),
        },
    }
}

const FIGURES: [&str; 5] = ["log-loss", "AUC", "AP", "Brier", "ECE"];

fn figures(measures: &Measures) -> [f64; 5] {
    [
        measures.log_loss,
        measures.auc,
        measures.average_precision,
        measures.brier,
        measures.ece,
    ]
}

fn cells(measures: &Measures) -> impl Iterator<Item = Cell> {
    let cell = |figure: f64| output::number(format!("{figure:.4}"));
    figures(measures).into_iter().map(cell)
}

fn as_json(measures: &Measures) -> Value {
    json!({
        "n": measures.count,
        "base_rate": measures.base_rate,
        "log_loss": measures.log_loss,
        "auc": measures.auc,
        "average_precision": measures.average_precision,
        "brier": measures.brier,
        "ece": measures.ece,
    })
}

fn bins_as_json(bins: &[Bin]) -> Value {
    let bin = |bin: &Bin| json!({"n": bin.count, "risk": bin.risk, "share": bin.share});
    bins.iter().map(bin).collect()
}

/// A reliability diagram as text: how often it happened, where it was said to be so likely.
fn diagram(bins: &[Bin]) -> comfy_table::Table {
    const WIDTH: f64 = 40.0;
    let mut table = output::table([
        "said",
        "happened",
        "n",
        "0 ─ share that happened (▪ said) ─ 1",
    ]);
    for bin in bins.iter().filter(|bin| bin.count > 0.0) {
        let place = |share: f64| (share * WIDTH).round();
        let (said, happened) = (place(bin.risk), place(bin.share));
        let mut at = 0.0;
        let mut bar = String::new();
        while at <= WIDTH {
            let is_said = (at - said).abs() < 0.5;
            bar.push(match (is_said, at <= happened) {
                (true, _) => '▪',
                (false, true) => '─',
                (false, false) => ' ',
            });
            at += 1.0;
        }
        table.add_row([
            output::number(format!("{:.3}", bin.risk)),
            output::number(format!("{:.3}", bin.share)),
            output::number(format!("{:.0}", bin.count)),
            Cell::new(bar.trim_end()),
        ]);
    }
    table
}

/// A difference with its bounds.
fn bounds(found: Option<trainer::bootstrap::Bounds>) -> Cell {
    output::number(found.map_or_else(
        || "-".to_owned(),
        |found| {
            format!(
                "{:+.4} ({:+.4} to {:+.4})",
                found.mean, found.low, found.high
            )
        },
    ))
}

fn bounds_as_json(found: Option<trainer::bootstrap::Bounds>) -> Value {
    found.map_or(
        Value::Null,
        |found| json!({"mean": found.mean, "low": found.low, "high": found.high}),
    )
}
