//! `evaluate`: how good models are on what they have not seen. Candidates here, the ranker and risk
//! in files of their own.

mod lift;
mod next_basket;
mod next_item;
mod ranking;
mod risk;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};
use trainer::readers::Format;
use trainer::{Evaluation, EvaluationOptions};

use feature_store::{Event, Item, Millis};

use super::train;
use crate::failure::{Failure, OrFail as _};
use crate::leaderboard;
use crate::output;
use crate::reading::{self, FORMATS, Log};
use crate::training::{self, Settings};

/// Measures the models on events that they have not seen
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  cartwright evaluate retrieval --events events.jsonl.zst
  cartwright evaluate ranking --events events.jsonl.zst
  cartwright evaluate risk --events events.jsonl.zst --ablation
  cartwright evaluate lift --seeds 100")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Retrieval(Retrieval),
    Ranking(ranking::Args),
    Risk(risk::Args),
    Lift(lift::Args),
}

/// Measures whether retrieval finds what shoppers turn to next
///
/// With --events the log is split by time: the models learn from what came before and are asked
/// about what came after. With --train and --test the split is yours; with --valid besides, session
/// neighbours alone are measured, their settings chosen on the sessions of that file. The task
/// next-basket asks for each shopper's first basket after a cut.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright evaluate retrieval --events OnlineRetail.csv --format online-retail
  cartwright evaluate retrieval --train train.txt --test test.txt --format session-clicks --json
  cartwright evaluate retrieval --train train.txt --valid valid.txt --test test.txt \\
      --format session-clicks --json next-item.json
  cartwright evaluate retrieval --task next-basket --events online_retail.csv.zst \\
      --format online-retail --cut 2011-11-01")]
struct Retrieval {
    /// The log to split by time
    #[arg(long, value_name = "FILE", required_unless_present = "train", conflicts_with_all = ["train", "test"])]
    events: Option<PathBuf>,
    /// Events to learn from
    #[arg(long, value_name = "FILE", requires = "test")]
    train: Option<PathBuf>,
    /// Events to be asked about
    #[arg(long, value_name = "FILE", requires = "train")]
    test: Option<PathBuf>,
    /// Sessions to choose the settings of session neighbours on
    #[arg(long, value_name = "FILE", requires = "test")]
    valid: Option<PathBuf>,
    #[arg(long, value_name = "FORMAT", value_parser = reading::parse_format, help = FORMATS)]
    format: Option<Format>,
    /// With --events: the share of the events to learn from, the earliest ones
    #[arg(long, value_name = "0-1", default_value_t = 0.8, value_parser = parse_share)]
    share: f64,
    /// Places that count
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    k: u16,
    /// Predictions at most, spread evenly; all when absent
    #[arg(long, value_name = "N")]
    most: Option<usize>,
    /// What is predicted: the next item of a session, or the next basket of a shopper
    #[arg(long, value_enum, default_value_t = Task::NextItem)]
    task: Task,
    /// Next basket: the day (UTC) before which is learned, and from which is predicted
    #[arg(long, value_name = "DAY", value_parser = next_basket::parse_day)]
    cut: Option<Millis>,
    /// Next basket: the day from which settings are tuned; 31 days before the cut when absent
    #[arg(long, value_name = "DAY", value_parser = next_basket::parse_day, requires = "cut")]
    valid_from: Option<Millis>,
    /// Next basket: a folder for the split, the questions and our answers, as JSON lines
    #[arg(long, value_name = "DIR", requires = "cut")]
    split_out: Option<PathBuf>,
    #[command(flatten)]
    options: train::Options,
    /// Print as JSON, or write it to a file
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    json: Option<PathBuf>,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Task {
    NextItem,
    NextBasket,
}

/// What to learn from, what to ask about, and what is known of the items.
struct Split {
    train: Vec<Event>,
    test: Vec<Event>,
    items: Vec<Item>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    match &args.command {
        Command::Retrieval(args) => retrieval(args),
        Command::Ranking(args) => ranking::run(args),
        Command::Risk(args) => risk::run(args),
        Command::Lift(args) => lift::run(args),
    }
}

fn retrieval(args: &Retrieval) -> anyhow::Result<()> {
    let json = args.json.as_deref();
    if args.task == Task::NextBasket {
        let report = next_basket::measure(args)?;
        return answer(
            json,
            || next_basket::as_json(&report),
            || next_basket::print(&report),
        );
    }
    if let (Some(train), Some(valid), Some(test)) = (&args.train, &args.valid, &args.test) {
        let files = next_item::Files { train, valid, test };
        let report = next_item::measure(&files, args.format, usize::from(args.k))?;
        return answer(
            json,
            || next_item::as_json(&report),
            || next_item::print(&report),
        );
    }
    let split = split(args)?;
    output::note(format!(
        "learning from {}, asking about {}",
        output::counted(split.train.len(), "event"),
        output::counted(split.test.len(), "event")
    ));
    let evaluation = evaluate(args, &split)?;
    answer(json, || as_json(&split, &evaluation), || print(&evaluation))
}

/// A table for people; JSON where it was asked for.
fn answer(
    json: Option<&Path>,
    value: impl FnOnce() -> Value,
    print: impl FnOnce(),
) -> anyhow::Result<()> {
    match json {
        None => print(),
        Some(file) if file == Path::new("-") => output::json(&value())?,
        Some(file) => {
            print();
            let text = serde_json::to_string_pretty(&value())?;
            std::fs::write(file, text).or_hint(format!(
                "{} must be a file that can be written",
                file.display()
            ))?;
        }
    }
    Ok(())
}

fn parse_share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if share > 0.0 && share < 1.0 => Ok(share),
        Ok(_) | Err(_) => Err("a number above 0 and below 1 is needed".to_owned()),
    }
}

fn read(file: &Path, format: Option<Format>) -> anyhow::Result<Log> {
    Log::read(&[file.to_owned()], format, None)
}

fn split(args: &Retrieval) -> anyhow::Result<Split> {
    match (&args.events, &args.train, &args.test) {
        (Some(file), _, _) => {
            let log = read(file, args.format)?;
            let (train, test) = trainer::split_by_time(&log.events, args.share);
            Ok(Split {
                train,
                test,
                items: log.items,
            })
        }
        (None, Some(train), Some(test)) => {
            let (train, test) = (read(train, args.format)?, read(test, args.format)?);
            Ok(Split {
                train: train.events,
                test: test.events,
                items: train.items,
            })
        }
        (None, _, _) => Err(Failure::usage("neither --events nor --train and --test").into()),
    }
}

fn evaluate(args: &Retrieval, split: &Split) -> anyhow::Result<Evaluation> {
    let settings = Settings {
        options: args.options.clone(),
        ..Settings::default()
    };
    let asked = EvaluationOptions {
        k: usize::from(args.k),
        most: args.most.unwrap_or(usize::MAX),
    };
    let bar = output::count_bar(None, "training");
    let evaluation = trainer::evaluate_retrieval(
        &split.train,
        &split.test,
        &split.items,
        &training::options(&settings),
        &asked,
        &mut |iteration, loss| {
            bar.set_message(format!("iteration {iteration}: loss {loss:.1}"));
            bar.tick();
        },
    );
    bar.finish_and_clear();
    evaluation.or_hint("both parts of the split need events; --share moves the cut")
}

fn print(evaluation: &Evaluation) {
    for note in &evaluation.notes {
        output::note(format!("note: {note}"));
    }
    if let Some(board) = &evaluation.leaderboard {
        leaderboard::print(board);
    }
}

fn as_json(split: &Split, evaluation: &Evaluation) -> Value {
    json!({
        "train_events": split.train.len(),
        "test_events": split.test.len(),
        "leaderboard": evaluation.leaderboard,
        "notes": evaluation.notes,
    })
}
