//! The differences for people.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};

use super::{Change, Diff, Word};
use crate::report::table::STYLE;

pub(super) fn render(diff: &Diff) -> String {
    let mut table = Table::new();
    table
        .load_style(STYLE)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["scenario", "figure", "before", "after", "ratio", "95 %", ""]);
    for change in &diff.changes {
        table.add_row(row(change));
    }
    let mut text = table.to_string();
    for warning in &diff.warnings {
        text.push_str(&format!("\nwarning: {warning}"));
    }
    for broken in &diff.broken {
        text.push_str(&format!("\nWORSE: {broken}"));
    }
    let worse = diff.changes.iter().filter(|c| c.verdict == Word::Worse);
    for change in worse {
        text.push_str(&format!("\nWORSE: {}", sentence(change)));
    }
    if diff.passes() {
        text.push_str("\nnothing got worse beyond the noise");
    }
    text
}

fn row(change: &Change) -> Vec<Cell> {
    let number = |value: String| Cell::new(value).set_alignment(CellAlignment::Right);
    let ratio = change.ratio.map(|ratio| format!("{ratio:.3}"));
    let range = change.low.zip(change.high);
    let range = range.map(|(low, high)| format!("{low:.3} to {high:.3}"));
    vec![
        Cell::new(&change.scenario),
        Cell::new(&change.metric),
        number(short(change.before)),
        number(short(change.after)),
        number(ratio.unwrap_or_else(|| "–".to_owned())),
        number(range.unwrap_or_else(|| "–".to_owned())),
        Cell::new(match change.verdict {
            Word::Worse => "WORSE",
            Word::Better => "better",
            Word::Same => "same",
            Word::Unknown => "too few slices to say",
        }),
    ]
}

fn sentence(change: &Change) -> String {
    format!(
        "{} {} went from {} to {}",
        change.scenario,
        change.metric,
        short(change.before),
        short(change.after)
    )
}

/// Shares need more digits than rates.
fn short(value: f64) -> String {
    if value.abs() >= 100.0 {
        format!("{value:.0}")
    } else if value.abs() < 1e-9 || value.abs() >= 0.1 {
        format!("{value:.2}")
    } else {
        format!("{value:.4}")
    }
}
