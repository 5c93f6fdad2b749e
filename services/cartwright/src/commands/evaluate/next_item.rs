//! `evaluate retrieval --valid`: session neighbours, their settings chosen on sessions of their own.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use trainer::next_item::{AXES, NextItemReport, evaluate_next_item, most_tried};
use trainer::readers::Format;

use super::read;
use crate::failure::OrFail as _;
use crate::output;

/// The three parts of the split.
pub(super) struct Files<'a> {
    pub(super) train: &'a Path,
    pub(super) valid: &'a Path,
    pub(super) test: &'a Path,
}

pub(super) fn measure(
    files: &Files<'_>,
    format: Option<Format>,
    k: usize,
) -> anyhow::Result<NextItemReport> {
    let [train, valid, test] = [files.train, files.valid, files.test];
    let (train, valid, test) = (
        read(train, format)?,
        read(valid, format)?,
        read(test, format)?,
    );
    output::note(format!(
        "learning from {}, choosing settings on {}, asking about {}",
        output::counted(train.events.len(), "event"),
        output::counted(valid.events.len(), "event"),
        output::counted(test.events.len(), "event")
    ));
    let bar = output::count_bar(Some(most_tried() as u64), "choosing settings");
    let mut told = |tried: usize| bar.set_position(tried as u64);
    let report = evaluate_next_item(
        &train.events,
        Some(&valid.events),
        &test.events,
        k,
        &mut told,
    );
    bar.finish_and_clear();
    report.or_hint("the events to learn from must name items")
}

pub(super) fn print(report: &NextItemReport) {
    let mut table = output::table(["scorer", "hit rate", "MRR"]);
    for (name, score) in [
        ("session neighbours", &report.score),
        ("VMIS-kNN", &report.reference),
    ] {
        let figures = [score.hit_rate(), score.mrr()];
        let mut row = vec![comfy_table::Cell::new(name)];
        row.extend(figures.map(|figure| output::number(format!("{figure:.4}"))));
        table.add_row(row);
    }
    output::result(table);
    chosen(report);
    let difference = &report.difference;
    output::note(format!(
        "MRR is {:+.4} above VMIS-kNN's, 95 % of paired session resamples between {:+.4} and {:+.4}",
        difference.mean, difference.low, difference.high
    ));
    output::note(format!(
        "first {} places, {}: every prefix of a session predicts the next item",
        report.score.k,
        output::counted(report.score.predictions(), "prediction")
    ));
}

/// The grid, and what was chosen of it.
fn chosen(report: &NextItemReport) {
    let mut table = output::table(["setting", "values", "chosen"]);
    for axis in AXES {
        let values: Vec<String> = axis.values.iter().map(ToString::to_string).collect();
        let value = (axis.get)(&report.settings).to_string();
        table.add_row([axis.name, &values.join(", "), &value]);
    }
    output::result(table);
    if let Some(tuned) = &report.tuned {
        output::note(format!(
            "{} settings were tried on the validation sessions; the chosen one has hit rate {:.4} \
             and MRR {:.4} there",
            tuned.tried, tuned.hit_rate, tuned.mrr
        ));
    }
}

pub(super) fn as_json(report: &NextItemReport) -> Value {
    let mut metrics = json!(report.metrics());
    metrics["predictions"] = json!(report.score.predictions());
    let settings: BTreeMap<&str, f32> = (AXES.iter())
        .map(|axis| (axis.name, (axis.get)(&report.settings)))
        .collect();
    let grid: BTreeMap<&str, &[f32]> = AXES.iter().map(|axis| (axis.name, axis.values)).collect();
    json!({ "metrics": metrics, "settings": settings, "grid": grid })
}
