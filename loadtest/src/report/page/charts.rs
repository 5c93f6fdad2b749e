//! What a run looks like over its time, and how latency grows with the rate.

use std::fmt::Write as _;

use super::super::chart::{self, Event, Labels, Series};
use super::super::{Entry, FindMax, Point, StepResult};
use super::{escape, millis};

pub(super) fn over_time(entry: &Entry) -> String {
    let events: Vec<Event> = entry
        .marks
        .iter()
        .map(|mark| Event {
            at: mark.at_s,
            text: match mark.kind.as_str() {
                "generation" => format!("generation {}", shortened(&mark.what)),
                _ => mark.what.clone(),
            },
        })
        .collect();
    let line = |name, class, of: fn(&Point) -> Option<f64>| Series {
        name,
        class,
        points: entry
            .series
            .iter()
            .filter_map(|p| Some((p.at_s, of(p)?)))
            .collect(),
        dots: false,
    };
    let labels = Labels {
        title: "Percentiles over time",
        x: "seconds since the warm-up",
        y: "latency, ms",
    };
    let percentiles = [
        line("p50", "a", |p| p.latency_ms.p50),
        line("p90", "b", |p| p.latency_ms.p90),
        line("p99", "c", |p| p.latency_ms.p99),
    ];
    let answers = Labels {
        title: "Answers over time",
        x: "seconds since the warm-up",
        y: "right answers a second; of each slice:",
    };
    let counts = [
        line("right/s", "a", |p| Some(p.got)),
        line("degraded", "b", |p| Some(count(p.degraded))),
        line("errors", "c", |p| Some(count(p.errors))),
    ];
    format!(
        "<h3>Percentiles over time</h3>\n{}<h3>Answers over time</h3>\n{}",
        chart::lines(&labels, &percentiles, None, &events),
        chart::lines(&answers, &counts, None, &events),
    )
}

/// A generation is named by a hash: its beginning tells two apart.
fn shortened(generation: &str) -> String {
    generation.chars().take(12).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a count of a slice")]
fn count(requests: u64) -> f64 {
    requests as f64
}

/// Latencies far above the bound would flatten all others: they are drawn at its double.
const CEILING: f64 = 2.0;

pub(super) fn find_max(found: &FindMax) -> String {
    let bound = found.p99_bound_ms;
    let dots = |name, class, of: fn(&StepResult) -> Option<f64>| Series {
        name,
        class,
        points: found
            .steps
            .iter()
            .filter_map(|step| Some((step.wanted, of(step)?.min(bound * CEILING))))
            .collect(),
        dots: true,
    };
    let labels = Labels {
        title: "Latency against rate",
        x: "rate wanted, requests a second",
        y: "latency, ms, cut at twice the bound",
    };
    let series = [
        dots("p50", "a", |s| s.p50_ms),
        dots("p99", "c", |s| s.p99_ms),
    ];
    let mut html = format!(
        "<h3>Highest rate</h3>\n<p>{:.0} requests a second were held with p99 below {bound} ms. At \
         70 % of it p99 is {} ms, the middle of three runs.</p>\n{}<div class=\"wide\"><table><tr><th class=\"n\">wanted/s</th>\
         <th class=\"n\">got/s</th><th class=\"n\">p50 ms</th><th class=\"n\">p99 ms</th><th></th></tr>\n",
        found.rate,
        millis(found.p99_ms_at_70_percent),
        chart::lines(&labels, &series, Some(bound), &[]),
    );
    for step in &found.steps {
        let word = step.why_not.as_deref().unwrap_or("holds");
        let _ = writeln!(
            html,
            "<tr><td class=\"n\">{:.0}</td><td class=\"n\">{:.0}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td></tr>",
            step.wanted,
            step.got,
            millis(step.p50_ms),
            millis(step.p99_ms),
            escape(word),
        );
    }
    html + "</table></div>\n"
}
