//! The final table on stdout.

use comfy_table::{Cell, CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

use super::{Entry, Latency};

/// One line below the header: what stands in columns needs no boxes, and copies better without.
pub(crate) const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// Renders the entries, then what has to be said in words.
pub(crate) fn render(entries: &[Entry]) -> String {
    let mut table = Table::new();
    table
        .load_style(STYLE)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header([
        "scenario", "wanted/s", "got/s", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "max ms",
        "errors", "degraded", "lag ms", "valid",
    ]);
    for entry in entries {
        table.add_row(row(entry));
    }
    let mut text = table.to_string();
    for entry in entries {
        for line in words(entry) {
            text.push_str(&format!("\n{}: {line}", entry.scenario));
        }
    }
    text
}

fn row(entry: &Entry) -> Vec<Cell> {
    let number = |value: String| Cell::new(value).set_alignment(CellAlignment::Right);
    let mut cells = vec![
        Cell::new(&entry.scenario),
        number(format!("{:.0}", entry.rate.wanted)),
        number(format!("{:.0}", entry.rate.got)),
    ];
    cells.extend(latencies(&entry.latency_ms).into_iter().map(number));
    cells.extend([
        number(entry.errors.to_string()),
        number(format!("{:.1} %", entry.degraded_share * 100.0)),
        number(format!("{:.2}", entry.generator_lag_ms)),
        Cell::new(if entry.valid { "yes" } else { "NO" }),
    ]);
    cells
}

fn latencies(latency: &Latency) -> [String; 5] {
    [
        latency.p50,
        latency.p90,
        latency.p99,
        latency.p999,
        latency.max,
    ]
    .map(millis)
}

fn millis(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |ms| format!("{ms:.2}"))
}

/// Verdicts, errors and the highest rate.
pub(crate) fn words(entry: &Entry) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(why) = &entry.invalid_because {
        lines.push(format!("INVALID: {why}"));
    }
    for verdict in &entry.slo {
        let word = if verdict.ok { "holds" } else { "DOES NOT HOLD" };
        lines.push(format!("{} {word}", verdict.expr));
    }
    for (code, errors) in &entry.errors_by_code {
        lines.push(format!(
            "{} × {code}, first: {}",
            errors.count, errors.first
        ));
    }
    if let Some(found) = &entry.find_max {
        let relaxed = millis(found.p99_ms_at_70_percent);
        lines.push(format!(
            "highest rate held {:.0}/s, p99 at 70 % of it {relaxed} ms",
            found.rate
        ));
        let limit = found
            .steps
            .iter()
            .filter(|s| !s.holds)
            .min_by(|a, b| a.wanted.total_cmp(&b.wanted));
        if let Some(step) = limit {
            let why = step.why_not.as_deref().unwrap_or_default();
            lines.push(format!(
                "the lowest rate that did not hold was {:.0}/s: {why}",
                step.wanted
            ));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_holds_and_what_failed() {
        let text = render(&[crate::report::tests::entry()]);
        for words in [
            "p99.9 ms",
            "decide: p99<10ms holds",
            "decide: errors<0.01% DOES NOT HOLD",
            "1 × wrong: k, first: 9, 10 were <asked> for",
            "highest rate held 200/s, p99 at 70 % of it 1.40 ms",
            "did not hold was 400/s: p99 was 30.0 ms",
        ] {
            assert!(text.contains(words), "{words} is not in:\n{text}");
        }
    }
}
