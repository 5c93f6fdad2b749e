//! What an export made, as tables and as JSON.

use std::path::Path;

use comfy_table::Cell;
use feature_store::Millis;
use serde_json::{Value, json};
use trainer::export::{ExportReport, FeatureShare};

use crate::output;

type Span = Option<(Millis, Millis)>;

pub(super) fn as_json(report: &ExportReport, bad_lines: u64, out: &Path) -> Value {
    json!({
        "out": out,
        "rows": report.rows,
        "before_log": report.before_log,
        "after_log": report.after_log,
        "erased_rows": report.erased_rows,
        "events": report.events,
        "bad_lines": bad_lines,
        "features": report.features,
    })
}

pub(super) fn print(report: &ExportReport, bad_lines: u64) {
    let events = &report.events;
    let rejected: u64 = events.rejected.values().sum();
    let mut table = output::table(["export", ""]);
    let rows = [
        ("rows", count(report.rows)),
        ("of them before the log", count(report.before_log)),
        ("of them after the log", count(report.after_log)),
        ("left out, of erased shoppers", count(report.erased_rows)),
        ("features", report.features.len().to_string()),
        (
            "events",
            format!(
                "{} accepted, {} duplicate, {} rejected, {} after the last label",
                count(events.accepted),
                count(events.duplicate),
                count(rejected),
                count(events.after_last_label)
            ),
        ),
        ("bad lines", count(bad_lines)),
    ];
    for (name, value) in rows {
        table.add_row([name, &value]);
    }
    output::result(table);
    let mut table = output::table(["feature", "type", "present", "null", "not found", "too old"]);
    for feature in &report.features {
        table.add_row(row(feature, report.rows));
    }
    output::result(table);
}

fn row(feature: &FeatureShare, rows: u64) -> [Cell; 6] {
    let share = |count| output::number(share(count, rows));
    [
        Cell::new(feature.name),
        Cell::new(feature.value_type),
        share(feature.present),
        share(feature.null),
        share(feature.not_found),
        share(feature.outside_max_age),
    ]
}

/// In tenths of a percent; nothing for none, so that what is there stands out.
fn share(count: u64, of: u64) -> String {
    if count == 0 {
        return String::new();
    }
    let tenths = count.saturating_mul(1_000) / of.max(1);
    format!("{}.{} %", tenths / 10, tenths % 10)
}

/// Labels that all lie outside the log are mostly a mistake of units or zones.
pub(super) fn warn(report: &ExportReport, labels: Span, log: Span) {
    let (Some(labels), Some(log)) = (labels, log) else {
        return;
    };
    if report.before_log + report.after_log < report.rows {
        return;
    }
    let span = |(from, to): (Millis, Millis)| {
        format!("{} to {}", output::time(from.0), output::time(to.0))
    };
    output::note(format!(
        "note: every label lies outside the log: labels {}, log {}; whole numbers are read as \
         milliseconds since 1970",
        span(labels),
        span(log)
    ));
}

fn count(count: u64) -> String {
    output::thousands(usize::try_from(count).unwrap_or(usize::MAX))
}
