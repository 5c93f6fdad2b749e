//! The slowest requests, each as a bar of where its time went.

use std::fmt::Write as _;

use super::super::{Entry, Slow};
use super::escape;

/// Parts of a bar in turn; more stages than that share the last.
const CLASSES: [&str; 7] = ["p0", "p1", "p2", "p3", "p4", "p5", "p6"];

pub(super) fn table(entry: &Entry) -> String {
    let Some(slowest) = entry.slowest.first() else {
        return String::new();
    };
    let silent = entry.slowest.iter().all(|slow| slow.stages.is_none());
    let words = if silent {
        "The server did not say what its time went to."
    } else {
        "Stages are what the server said of these very requests; network and queue is the rest."
    };
    let mut html = format!(
        "<h3>Slowest requests</h3>\n<p class=\"soft\">{words} A trace id can be looked up in a trace store when the \
         trace was kept there.</p>\n<div class=\"wide\"><table><tr><th class=\"n\">at s</th><th>call</th>\
         <th class=\"n\">ms</th><th>where the time went</th><th>trace id</th></tr>\n"
    );
    for slow in &entry.slowest {
        let error = slow.error.as_deref().map_or(String::new(), |error| {
            format!(" <span class=\"bad\">{}</span>", escape(error))
        });
        let _ = writeln!(
            html,
            "<tr><td class=\"n\">{:.2}</td><td>{}{error}</td><td class=\"n\">{:.2}</td><td>{}</td>\
             <td><code class=\"id\">{}</code></td></tr>",
            slow.at_s,
            escape(&slow.operation),
            slow.latency_ms,
            bar(slow, slowest.latency_ms),
            escape(&slow.trace_id),
        );
    }
    html + "</table></div>\n"
}

/// Its length is that of the slowest at 100 %.
fn bar(slow: &Slow, longest_ms: f64) -> String {
    let mut parts = vec![("generator lag", slow.generator_lag_ms)];
    parts.push(("network and queue", slow.network_and_queue_ms));
    let stages = slow.stages.iter().flatten();
    parts.extend(stages.map(|stage| (stage.stage.as_str(), stage.ms)));
    let (mut html, mut words) = ("<div class=\"parts\">".to_owned(), Vec::new());
    for (index, (name, ms)) in parts.into_iter().enumerate() {
        let class = CLASSES.get(index.min(CLASSES.len() - 1)).unwrap_or(&"p0");
        let width = 100.0 * ms / longest_ms.max(f64::MIN_POSITIVE);
        let name = escape(name);
        let _ = write!(
            html,
            "<span class=\"{class}\" style=\"width:{width:.2}%\" title=\"{name} {ms:.2} ms\"></span>"
        );
        if ms >= 0.005 {
            words.push(format!("<i class=\"{class}\"></i>{name} {ms:.2}"));
        }
    }
    let most = slow.within.iter().max_by(|a, b| a.ms.total_cmp(&b.ms));
    if let Some(part) = most {
        words.push(format!("· most in {} {:.2}", escape(&part.stage), part.ms));
    }
    format!(
        "{html}</div><div class=\"soft words\">{}</div>",
        words.join(" ")
    )
}
