//! `evaluate retrieval --valid`: session neighbours, their settings chosen on sessions of their own.

use std::path::Path;

use serde_json::{Value, json};
use trainer::next_item::{NextItemReport, evaluate_next_item};
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
    evaluate_next_item(&train.events, Some(&valid.events), &test.events, k)
        .or_hint("the events to learn from must name items")
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

pub(super) fn as_json(report: &NextItemReport) -> Value {
    let mut metrics = json!(report.metrics());
    metrics["predictions"] = json!(report.score.predictions());
    json!({ "metrics": metrics })
}
