//! The report to look at: one HTML file with its charts and style in it.

mod besides;
mod charts;
mod slowest;

use std::fmt::Write as _;

use super::chart::{self, Labels};
use super::{Entry, Latency, RunInfo};

const STYLE: &str = include_str!("page.css");

/// Renders all entries as one page.
pub(crate) fn render(entries: &[Entry]) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <title>Cartwright under load</title>\n<style>\n{STYLE}</style></head>\n<body>\n\
         <h1>Cartwright under load</h1>\n"
    );
    let Some(first) = entries.first().map(|entry| &entry.run) else {
        return page + "<p>No scenario was run.</p></body></html>\n";
    };
    page.push_str(&origin(first));
    page.push_str(&summary(entries));
    for entry in entries {
        page.push_str(&section(entry, first));
    }
    page + "</body></html>\n"
}

fn origin(run: &RunInfo) -> String {
    let machine = &run.machine;
    format!(
        "<p class=\"soft\">{} · {} cores, {} · {} MiB · {} · cartwright-loadtest {}</p>\n\
         <p><code>{}</code></p>\n\
         <p class=\"soft\">How to read this: requests left on a schedule made before the run, whether or not the \
         server kept up (an open loop), and a latency counts from the moment a request was to leave. So a \
         server that stalls shows the wait of everybody who came meanwhile. Each answer was checked; \
         <b>got/s</b> counts right ones only. <b>p99</b> is the time within which 99 of 100 answers came. A run is \
         <b>invalid</b> when this tool and not the server was the bottleneck: its figures mean nothing.</p>\n",
        escape(&run.at),
        machine.cores,
        escape(&machine.cpu),
        machine.memory_mib,
        escape(&machine.system),
        escape(&run.version),
        escape(&run.command),
    )
}

fn summary(entries: &[Entry]) -> String {
    let mut html = "<div class=\"wide\"><table><tr><th>scenario</th><th class=\"n\">wanted/s</th>\
         <th class=\"n\">got/s</th><th class=\"n\">p50 ms</th><th class=\"n\">p90 ms</th>\
         <th class=\"n\">p99 ms</th><th class=\"n\">p99.9 ms</th><th class=\"n\">max ms</th>\
         <th class=\"n\">errors</th><th class=\"n\">degraded</th><th class=\"n\">highest rate held</th><th>verdict</th></tr>\n"
        .to_owned();
    for entry in entries {
        let (class, verdict) = verdict(entry);
        let _ = writeln!(
            html,
            "<tr><td><a href=\"#{0}\">{0}</a></td><td class=\"n\">{1:.0}</td><td class=\"n\">{2:.0}</td>{3}\
             <td class=\"n\">{4}</td><td class=\"n\">{5:.1} %</td><td class=\"n\">{6}</td><td class=\"{class}\">{verdict}</td></tr>",
            escape(&entry.scenario),
            entry.rate.wanted,
            entry.rate.got,
            latency_cells(&entry.latency_ms),
            entry.errors,
            entry.degraded_share * 100.0,
            entry
                .find_max
                .as_ref()
                .map_or_else(|| "–".to_owned(), |found| format!("{:.0}/s", found.rate)),
        );
    }
    html + "</table></div>\n"
}

fn verdict(entry: &Entry) -> (&'static str, &'static str) {
    match (entry.valid, entry.passes(), entry.slo.is_empty()) {
        (false, _, _) => ("bad", "invalid"),
        (true, false, _) => ("bad", "objectives missed"),
        (true, true, false) => ("good", "objectives held"),
        (true, true, true) => ("soft", "no objectives given"),
    }
}

fn latency_cells(latency: &Latency) -> String {
    let values = [
        latency.p50,
        latency.p90,
        latency.p99,
        latency.p999,
        latency.max,
    ];
    values
        .map(|value| format!("<td class=\"n\">{}</td>", millis(value)))
        .concat()
}

fn millis(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |ms| format!("{ms:.2}"))
}

fn section(entry: &Entry, first: &RunInfo) -> String {
    let name = escape(&entry.scenario);
    let run = &entry.run;
    let mut html = format!(
        "<section><h2 id=\"{name}\">{name}</h2>\n<p class=\"soft\">{} measured requests in {} s after {} s of \
         warm-up, arrivals {}, {} connections to each server, seed {}. The generator's own lag: \
         p99 {:.2} ms{}.</p>\n",
        entry.requests,
        run.duration_s,
        run.warmup_s,
        escape(&run.arrival),
        run.connections,
        run.seed,
        entry.generator_lag_ms,
        entry
            .generator_cpu_us_per_request
            .map(|us| format!("; its CPU time: {us:.0} µs a request"))
            .unwrap_or_default(),
    );
    if let Some(why) = &entry.invalid_because {
        let _ = writeln!(html, "<p class=\"bad\">Invalid: {}</p>", escape(why));
    }
    if entry.run.command != first.command {
        let _ = writeln!(html, "<p><code>{}</code></p>", escape(&entry.run.command));
    }
    html.push_str(&objectives(entry));
    html.push_str(&besides::fault(entry));
    html.push_str(&charts::over_time(entry));
    html.push_str("<h3>Latencies</h3>\n");
    let labels = Labels {
        title: "Histogram of latencies",
        x: "latency, ms, logarithmic",
        y: "requests",
    };
    html.push_str(&chart::histogram(&labels, &entry.histogram));
    html.push_str(&slowest::table(entry));
    html.push_str(
        &entry
            .find_max
            .as_ref()
            .map(charts::find_max)
            .unwrap_or_default(),
    );
    html.push_str(&besides::ceiling(entry));
    html.push_str(&besides::compare(entry));
    html.push_str(&operations(entry));
    html.push_str(&errors(entry));
    html.push_str(&generations(entry));
    html + "</section>\n"
}

fn objectives(entry: &Entry) -> String {
    if entry.slo.is_empty() {
        return String::new();
    }
    let mut html = "<h3>Objectives</h3>\n<table>".to_owned();
    for verdict in &entry.slo {
        let (class, word) = if verdict.ok {
            ("good", "holds")
        } else {
            ("bad", "does not hold")
        };
        let expression = escape(&verdict.expr);
        let _ = writeln!(
            html,
            "<tr><td><code>{expression}</code></td><td class=\"{class}\">{word}</td></tr>"
        );
    }
    html + "</table>\n"
}

fn operations(entry: &Entry) -> String {
    if entry.operations.len() < 2 {
        return String::new();
    }
    let mut html = "<h3>By call</h3>\n<div class=\"wide\"><table><tr><th>call</th><th class=\"n\">requests</th>\
         <th class=\"n\">errors</th><th class=\"n\">p50 ms</th><th class=\"n\">p90 ms</th>\
         <th class=\"n\">p99 ms</th><th class=\"n\">p99.9 ms</th><th class=\"n\">max ms</th></tr>\n"
        .to_owned();
    for (name, calls) in &entry.operations {
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>{}</tr>",
            escape(name),
            calls.requests,
            calls.errors,
            latency_cells(&calls.latency_ms),
        );
    }
    html + "</table></div>\n"
}

fn errors(entry: &Entry) -> String {
    if entry.errors_by_code.is_empty() {
        return "<h3>Errors</h3>\n<p>None.</p>\n".to_owned();
    }
    let mut html = "<h3>Errors</h3>\n<table><tr><th>code</th><th class=\"n\">count</th><th>the first said</th></tr>\n"
        .to_owned();
    for (code, errors) in &entry.errors_by_code {
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td class=\"n\">{}</td><td>{}</td></tr>",
            escape(code),
            errors.count,
            escape(&errors.first),
        );
    }
    html + "</table>\n"
}

fn generations(entry: &Entry) -> String {
    if entry.generations.is_empty() {
        return String::new();
    }
    let mut html = "<h3>Generations</h3>\n<table>".to_owned();
    for (id, count) in &entry.generations {
        let _ = writeln!(
            html,
            "<tr><td><code>{}</code></td><td class=\"n\">{count}</td></tr>",
            escape(id)
        );
    }
    html + "</table>\n"
}

/// Text of servers and of the command line goes into the page: none of it may become markup.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::entry;

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        let page = render(&[entry()]);
        for outside in [
            "http://", "https://", "src=", "@import", "url(", "<script", "<link",
        ] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains("prefers-color-scheme: dark") && page.contains("@media print"));
    }

    #[test]
    fn what_servers_say_does_not_become_markup() {
        let page = render(&[entry()]);
        assert!(page.contains("&lt;asked&gt;"));
        assert!(!page.contains("<asked>"));
    }

    #[test]
    fn everything_a_reader_asks_for_is_on_it() {
        let page = render(&[entry()]);
        for part in [
            "Percentiles over time",
            "Histogram of latencies",
            "Latency against rate",
            "wrong: k",
            "errors&lt;0.01%",
            "does not hold",
            "a CPU",
            "cartwright-loadtest decide --rate 100",
            "the fault begins",
            "generation g2",
            "grpc health check",
            "Slowest requests",
        ] {
            assert!(page.contains(part), "{part}");
        }
        assert_eq!(page.matches("<svg").count(), 4);
        assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
    }
}
