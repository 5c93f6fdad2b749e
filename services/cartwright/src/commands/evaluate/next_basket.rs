//! `evaluate retrieval --task next-basket`: what shoppers buy after a cut in time.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::Context as _;
use feature_store::{Event, Millis};
use serde_json::{Value, json};
use trainer::next_basket::{
    Basket, NextBasketOptions, NextBasketReport, Protocol, baskets, cleaned, evaluate_next_basket,
    questions,
};

use super::Retrieval;
use crate::failure::{Failure, OrFail as _};
use crate::training::{self, Settings};
use crate::{leaderboard, output};

/// Tuning predicts the baskets of so long before the cut.
const WINDOW_MS: i64 = 31 * 86_400_000;

/// Turns the argument of `--cut` into a moment.
pub(super) fn parse_day(text: &str) -> Result<Millis, String> {
    let day = text
        .parse::<jiff::civil::Date>()
        .map_err(|_| "a day such as 2011-11-01 is needed")?;
    let start = jiff::tz::TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0));
    let start = start.map_err(|error| error.to_string())?;
    Ok(Millis(start.as_millisecond()))
}

pub(super) fn measure(args: &Retrieval) -> anyhow::Result<NextBasketReport> {
    let (Some(file), Some(cut)) = (&args.events, args.cut) else {
        let usage = "--task next-basket needs --events and --cut";
        return Err(Failure::usage(usage).into());
    };
    let log = super::read(file, args.format)?;
    let events = cleaned(&log.events);
    let asked = NextBasketOptions {
        cut,
        valid_from: args
            .valid_from
            .unwrap_or(Millis(cut.0.saturating_sub(WINDOW_MS))),
        k: usize::from(args.k),
        tune: args.options.alpha.is_none()
            && args.options.regularisation.is_none()
            && args.options.dimension.is_none(),
    };
    let settings = Settings {
        options: args.options.clone(),
        ..Settings::default()
    };
    let bar = output::count_bar(None, "reading");
    let report = evaluate_next_basket(
        &events,
        &log.items,
        &training::options(&settings),
        &asked,
        &mut |step| {
            bar.set_message(step.to_owned());
            bar.tick();
        },
    );
    bar.finish_and_clear();
    let report = report.or_hint("--cut must leave events before it, and a month to tune on")?;
    if let Some(folder) = &args.split_out {
        export(folder, &events, &asked, &report)
            .with_context(|| format!("write the split to {}", folder.display()))
            .or_hint("--split-out must be a folder that can be written")?;
    }
    Ok(report)
}

pub(super) fn print(report: &NextBasketReport) {
    for note in &report.notes {
        output::note(format!("note: {note}"));
    }
    for trial in &report.trials {
        output::note(format!(
            "tried {} dimensions, alpha {}, regularisation {}: (recall + nDCG) / 2 of the vectors \
             alone is {:.4}",
            trial.dimension, trial.alpha, trial.regularisation, trial.objective
        ));
    }
    leaderboard::print(&report.leaderboard);
}

pub(super) fn as_json(report: &NextBasketReport) -> Value {
    let trials: Vec<Value> = report
        .trials
        .iter()
        .map(|trial| {
            json!({
                "dimension": trial.dimension,
                "alpha": trial.alpha,
                "regularisation": trial.regularisation,
                "objective": trial.objective,
            })
        })
        .collect();
    let options = &report.options;
    json!({
        "leaderboard": report.leaderboard,
        "trials": trials,
        "chosen": {
            "dimension": options.dimension,
            "alpha": options.alpha,
            "regularisation": options.regularisation,
        },
        "notes": report.notes,
    })
}

/// The exact split and our answers, for programs of others: `train.jsonl` holds what is before the
/// cut (so that what is before `valid_from` in it belongs to tuning), `valid.jsonl` and
/// `test.jsonl` a question a line, `lists.jsonl` our answers to those of the test.
fn export(
    folder: &Path,
    events: &[Event],
    asked: &NextBasketOptions,
    report: &NextBasketReport,
) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    let mut train = writer(folder, "train.jsonl")?;
    let named = events.iter().filter(|event| !event.item_id.is_empty());
    for event in named.filter(|event| event.occurred_at < asked.cut) {
        let line = json!({
            "shopper_id": event.shopper_id,
            "item_id": event.item_id,
            "kind": event.kind.as_str(),
            "order_id": event.order_id,
            "occurred_at_ms": event.occurred_at.0,
        });
        writeln!(train, "{line}")?;
    }
    train.flush()?;
    write_questions(
        folder,
        "valid.jsonl",
        &baskets(events, asked.valid_from, asked.cut),
    )?;
    write_questions(
        folder,
        "test.jsonl",
        &baskets(events, asked.cut, Millis(i64::MAX)),
    )?;
    let mut lists = writer(folder, "lists.jsonl")?;
    for answered in &report.answered {
        for (shopper, list) in &answered.lists {
            let line = json!({
                "protocol": answered.protocol.as_str(),
                "method": answered.method,
                "shopper_id": shopper,
                "items": list,
            });
            writeln!(lists, "{line}")?;
        }
    }
    lists.flush()?;
    let about = json!({
        "cut_ms": asked.cut.0,
        "valid_from_ms": asked.valid_from.0,
        "k": asked.k,
        "leaderboard": report.leaderboard,
    });
    fs::write(
        folder.join("about.json"),
        serde_json::to_string_pretty(&about)?,
    )?;
    Ok(())
}

fn write_questions(folder: &Path, name: &str, baskets: &[Basket<'_>]) -> anyhow::Result<()> {
    let mut out = writer(folder, name)?;
    for protocol in Protocol::ALL {
        for question in questions(baskets, protocol) {
            let line = json!({
                "protocol": protocol.as_str(),
                "shopper_id": question.shopper,
                "given": question.given,
                "wanted": question.wanted,
            });
            writeln!(out, "{line}")?;
        }
    }
    out.flush()?;
    Ok(())
}

fn writer(folder: &Path, name: &str) -> anyhow::Result<BufWriter<File>> {
    Ok(BufWriter::new(File::create(folder.join(name))?))
}
