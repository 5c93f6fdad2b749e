//! `evaluate ranking`: in which order candidates are best shown.

use std::path::PathBuf;

use comfy_table::Cell;
use serde_json::{Value, json};
use trainer::ranker::Comparison;
use trainer::readers::Format;
use trainer::{EvaluationOptions, RankingEvaluation};

use super::{answer, read};
use crate::commands::train;
use crate::failure::OrFail as _;
use crate::output;
use crate::reading::{self, FORMATS};
use crate::training::{self, Settings};

/// Columns shown of those that the forest gains by.
const SHOWN: usize = 15;

/// Measures in which order candidates are best shown
///
/// The log is split by time. Models learn from the first 80 % of the events; what the next 10 %
/// turned to, among the candidates of those models, teaches a linear order and a forest; the last
/// 10 % compare both with the order of retrieval.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright evaluate ranking --events events.jsonl.zst
  cartwright evaluate ranking --events OnlineRetail.csv --format online-retail --json ranking.json")]
pub(super) struct Args {
    /// The log to split by time
    #[arg(long, value_name = "FILE")]
    events: PathBuf,
    #[arg(long, value_name = "FORMAT", value_parser = reading::parse_format, help = FORMATS)]
    format: Option<Format>,
    /// Places that count
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=100))]
    k: u16,
    /// Predictions at most, spread evenly; all when absent
    #[arg(long, value_name = "N")]
    most: Option<usize>,
    #[command(flatten)]
    options: train::Options,
    /// Print as JSON, or write it to a file
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    json: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let log = read(&args.events, args.format)?;
    let settings = Settings {
        options: args.options.clone(),
        ..Settings::default()
    };
    let asked = EvaluationOptions {
        k: usize::from(args.k),
        most: args.most.unwrap_or(usize::MAX),
    };
    let bar = output::count_bar(None, "training");
    let evaluation = trainer::evaluate_ranking(
        &log.events,
        &log.items,
        &training::options(&settings),
        &asked,
        &mut |iteration, loss| {
            bar.set_message(format!("iteration {iteration}: loss {loss:.1}"));
            bar.tick();
        },
    );
    bar.finish_and_clear();
    let evaluation = evaluation.or_hint("the log must hold events that name items")?;
    answer(
        args.json.as_deref(),
        || as_json(&evaluation),
        || print(&evaluation),
    )
}

fn print(evaluation: &RankingEvaluation) {
    let [past, fit, judge] = evaluation.events;
    output::note(format!(
        "models from {}, orders from {}, compared on {}",
        output::counted(past, "event"),
        output::counted(fit, "event"),
        output::counted(judge, "event")
    ));
    for note in &evaluation.notes {
        output::note(format!("note: {note}"));
    }
    if let Some(comparison) = &evaluation.comparison {
        print_orders(comparison);
        print_differences(comparison);
        print_gains(comparison);
        output::note(format!("best: the order of {}", comparison.chosen.as_str()));
    }
}

fn print_orders(comparison: &Comparison) {
    let mut table = output::table(["examples", "order", "hit rate", "MRR", "nDCG", "recall"]);
    for row in &comparison.rows {
        let slice = format!("{}: {}", row.slice.replace('_', " "), row.predictions);
        let mut cells = vec![Cell::new(slice), Cell::new(&row.method)];
        let figures = [row.hit_rate, row.mrr, row.ndcg, row.recall];
        cells.extend(figures.map(|figure| output::number(format!("{figure:.4}"))));
        table.add_row(cells);
    }
    output::result(table);
}

fn print_differences(comparison: &Comparison) {
    let mut table = output::table(["order", "against", "+nDCG", "95 %", "+MRR", "95 %"]);
    for versus in &comparison.versus {
        let mut cells = vec![
            Cell::new(versus.order.as_str()),
            Cell::new(versus.against.as_str()),
        ];
        for bounds in [versus.ndcg, versus.mrr] {
            cells.push(output::number(format!("{:+.4}", bounds.mean)));
            let range = format!("{:+.4} to {:+.4}", bounds.low, bounds.high);
            cells.push(output::number(range));
        }
        table.add_row(cells);
    }
    output::result(table);
    output::note(format!(
        "first {} places; 95 % of paired resamples of shoppers",
        comparison.k
    ));
}

fn print_gains(comparison: &Comparison) {
    let mut table = output::table(["column", "share of the forest's gain"]);
    for (column, share) in comparison.gains.iter().take(SHOWN) {
        let share = output::number(format!("{:.1} %", share * 100.0));
        table.add_row([Cell::new(column), share]);
    }
    output::result(table);
}

fn as_json(evaluation: &RankingEvaluation) -> Value {
    let [past, fit, judge] = evaluation.events;
    json!({
        "events": {"models": past, "orders": fit, "compared": judge},
        "comparison": evaluation.comparison,
        "notes": evaluation.notes,
    })
}
