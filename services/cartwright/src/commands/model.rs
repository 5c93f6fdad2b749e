//! `model inspect|score|bench`: what a team wants to know of a model before it is published.

mod bench;
mod inspect;
mod rows;

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Subcommand, ValueEnum};
use ranking::Model;
use ranking::model::{Format, load};
use serde::Serialize;

use crate::failure::OrFail as _;
use crate::output;
use rows::Rows;

/// Looks into a model of LightGBM, XGBoost, ONNX or our trainer, scores rows with it, times it
///
/// What is printed is what a server that has the model in its snapshot would compute.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright model inspect --model model.txt                  what it is, and which features it reads
  cartwright model score --model model.txt --csv rows.csv     one score a row
  cartwright model bench --model model.onnx --format onnx     what scoring costs on one thread")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Shows what a model is, and whether a ranker could read its features
    ///
    /// A feature is a column that ranking computes (docs/ranking.md), or one of the registry
    /// (`cartwright features list`). For others, names that are near are shown.
    #[command(after_help = "Example:
  cartwright model inspect --model model.json --format xgboost")]
    Inspect {
        #[command(flatten)]
        file: File,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Scores the rows of a CSV file, one line a row, as the model's library would
    ///
    /// The header names the features, in any order; columns that the model does not read are passed
    /// over. A value is a number; empty, NA, null or nan is a missing one.
    #[command(after_help = "Examples:
  cartwright model score --model model.txt --csv rows.csv
  cartwright model score --model model.txt --csv rows.csv --by-position
  head -100 rows.csv | cartwright model score --model model.json --csv - --json")]
    Score {
        #[command(flatten)]
        file: File,
        /// The rows, with a header; - reads standard input
        #[arg(long, value_name = "FILE")]
        csv: PathBuf,
        /// Take columns in their order, whatever their names are
        #[arg(long)]
        by_position: bool,
        /// Before the last function that makes the sum of trees a probability or a count
        #[arg(long)]
        raw: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Times scoring on one thread, for 1, 100 and 500 rows
    #[command(after_help = "Examples:
  cartwright model bench --model model.txt                    on made-up rows
  cartwright model bench --model model.txt --csv rows.csv     on real ones")]
    Bench {
        #[command(flatten)]
        file: File,
        /// Rows to score, with a header; without, numbers are drawn, a tenth of them missing
        #[arg(long, value_name = "FILE")]
        csv: Option<PathBuf>,
        /// How long each size is timed
        #[arg(long, value_name = "MS", default_value_t = 500)]
        millis: u64,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Args)]
struct File {
    /// The model: LightGBM's text, XGBoost's JSON, ONNX, or a file of our trainer
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// What it is; without, the file is looked at
    #[arg(long, value_enum)]
    format: Option<Kind>,
}

#[derive(Copy, Clone, Debug, ValueEnum)]
#[value(rename_all = "lower")]
enum Kind {
    LightGbm,
    XgBoost,
    Onnx,
    Cartwright,
}

impl Kind {
    fn format(self) -> Format {
        match self {
            Self::LightGbm => Format::LightGbm,
            Self::XgBoost => Format::XgBoost,
            Self::Onnx => Format::Onnx,
            Self::Cartwright => Format::Cartwright,
        }
    }
}

impl File {
    fn load(&self) -> anyhow::Result<Box<dyn Model>> {
        let name = self.model.display();
        let bytes = fs::read(&self.model)
            .with_context(|| format!("read {name}"))
            .or_usage("--model names the file of a model")?;
        load(&bytes, self.format.map(Kind::format))
            .with_context(|| format!("{name} cannot be read"))
            .or_usage("docs/models.md says which formats are read, and what of each")
    }
}

#[derive(Debug, Serialize)]
struct Scores {
    features: Vec<String>,
    scores: Vec<f64>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    match &args.command {
        Command::Inspect { file, json } => inspect::run(&*file.load()?, *json),
        Command::Score {
            file,
            csv,
            by_position,
            raw,
            json,
        } => {
            let model = file.load()?;
            let rows = Rows::read(csv, model.features(), *by_position)?;
            let scores = score(&*model, &rows, *raw)?;
            if *json {
                let features = model.features().to_vec();
                return output::json(&Scores { features, scores });
            }
            scores.iter().for_each(output::result);
            Ok(())
        }
        Command::Bench {
            file,
            csv,
            millis,
            json,
        } => {
            let model = file.load()?;
            let rows = match csv {
                Some(csv) => Rows::read(csv, model.features(), false)?,
                None => Rows::drawn(model.features().len()),
            };
            bench::run(&*model, &rows, *millis, *json)
        }
    }
}

fn score(model: &dyn Model, rows: &Rows, raw: bool) -> anyhow::Result<Vec<f64>> {
    let mut scores = vec![0.0; rows.len()];
    let scored = if raw {
        model.raw(rows.values(), &mut scores)
    } else {
        model.score(rows.values(), &mut scores)
    };
    scored.or_hint("`cartwright model inspect` shows what the model reads")?;
    Ok(scores)
}
