//! The final table on stdout.

use comfy_table::{Cell, CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

use super::{Entry, Latency, Slow};

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
    if let Some(slow) = entry.slowest.first() {
        lines.push(slowest(slow));
    }
    lines.extend(besides(entry));
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

/// The slowest request in one line; all of them are in the JSON and on the page.
fn slowest(slow: &Slow) -> String {
    let mut parts = vec![
        format!("generator {:.2}", slow.generator_lag_ms),
        format!("network and queue {:.2}", slow.network_and_queue_ms),
    ];
    let stages = slow.stages.iter().flatten();
    parts.extend(stages.map(|stage| format!("{} {:.2}", stage.stage, stage.ms)));
    if slow.stages.is_none() {
        parts.push("the server told no stages".to_owned());
    }
    format!(
        "slowest {:.2} ms: {}; trace {}",
        slow.latency_ms,
        parts.join(", "),
        slow.trace_id
    )
}

/// The ceiling, the other target and the fault.
fn besides(entry: &Entry) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(ceiling) = &entry.ceiling {
        let (ratio, what) = (ceiling.ratio, &ceiling.what);
        let (rate, most) = (ceiling.rate, ceiling.ceiling_rate);
        lines.push(format!(
            "{ratio:.2} of its ceiling: {rate:.0}/s of {most:.0}/s ({what})"
        ));
    }
    if let Some(compared) = &entry.compare {
        lines.extend(compared.ratios.iter().map(|r| {
            let (metric, a, b) = (&r.metric, r.a, r.b);
            let (ratio, low, high) = (r.ratio, r.low, r.high);
            format!("{metric} A {a:.2}, B {b:.2}, B/A {ratio:.3} ({low:.3} to {high:.3})")
        }));
    }
    if let Some(fault) = &entry.fault {
        let recovered = fault.recovered_after_s.map_or_else(
            || "not recovered while the run lasted".to_owned(),
            |after| format!("recovered {after:.1} s after it was over"),
        );
        let (from, to, none) = (fault.began_s, fault.ended_s, fault.unanswered);
        lines.push(format!(
            "fault from {from:.1} to {to:.1} s: {none} unanswered, {} degraded, {recovered}",
            fault.degraded
        ));
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
            "slowest 8.00 ms: generator 0.20, network and queue 6.90, features 0.90; trace 1704",
            "0.25 of its ceiling: 3000/s of 12000/s",
            "recovered 0.2 s after it was over",
            "highest rate held 200/s, p99 at 70 % of it 1.40 ms",
            "did not hold was 400/s: p99 was 30.0 ms",
        ] {
            assert!(text.contains(words), "{words} is not in:\n{text}");
        }
    }
}
