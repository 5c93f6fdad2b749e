//! The Prometheus text format, version 0.0.4.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use super::declaration::{Declaration, Kind};
use super::instrument::{Buckets, Reading, float};
use super::registry::{Gathered, Registry, Sample};

/// The media type of [`encode`]'s text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics of these registries. A name that two of them share is written once, the first's.
#[must_use]
pub fn encode(registries: &[&Registry]) -> String {
    let mut text = String::new();
    let mut written = BTreeSet::new();
    for metric in registries.iter().flat_map(|registry| registry.gather()) {
        if written.insert(metric.name.clone()) {
            write_metric(&mut text, &metric);
        }
    }
    text
}

fn write_metric(text: &mut String, metric: &Gathered) {
    let (name, help) = (&metric.name, escaped(metric.declaration.help, false));
    let kind = match metric.declaration.kind {
        Kind::Counter => "counter",
        Kind::Gauge | Kind::Info => "gauge",
        Kind::Histogram(_) => "histogram",
    };
    line(text, format_args!("# HELP {name} {help}"));
    line(text, format_args!("# TYPE {name} {kind}"));
    for sample in &metric.samples {
        let labels = labels(metric.declaration, sample);
        match &sample.reading {
            Reading::Number(number) => {
                let labels = braced(&labels);
                line(text, format_args!("{name}{labels} {number}"));
            }
            Reading::Buckets(buckets) => write_buckets(text, name, &labels, buckets),
        }
    }
}

fn write_buckets(text: &mut String, name: &str, labels: &str, buckets: &Buckets) {
    let comma = if labels.is_empty() { "" } else { "," };
    let mut below = 0;
    let bounds = buckets.bounds.iter().map(f64::to_string);
    let bounds = bounds.chain(["+Inf".to_owned()]);
    for (bound, count) in bounds.zip(&buckets.counts) {
        below += count;
        line(
            text,
            format_args!("{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {below}"),
        );
    }
    let labels = braced(labels);
    line(text, format_args!("{name}_sum{labels} {}", buckets.sum));
    line(text, format_args!("{name}_count{labels} {}", float(below)));
}

fn labels(declaration: &Declaration, sample: &Sample) -> String {
    let pair = |(label, value): (&super::Label, &Arc<str>)| {
        format!("{}=\"{}\"", label.name, escaped(value, true))
    };
    let pairs = declaration.labels.iter().zip(&sample.labels).map(pair);
    pairs.collect::<Vec<_>>().join(",")
}

fn braced(labels: &str) -> String {
    if labels.is_empty() {
        String::new()
    } else {
        format!("{{{labels}}}")
    }
}

fn escaped(text: &str, quoted: bool) -> String {
    let text = text.replace('\\', "\\\\").replace('\n', "\\n");
    if quoted {
        text.replace('"', "\\\"")
    } else {
        text
    }
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Counter, Declared, Gauge, Histogram, Info, Label};
    use super::*;

    static ANSWERS: Declared<Counter> = Declared::counter("answers", "Answers.").labels(&[
        Label::closed("plan", &["exact", "short"]),
        Label::closed("mode", &["a", "b"]),
    ]);
    static RARE: Declared<Counter> = Declared::counter("rare", "Rare.")
        .labels(&[
            Label::bounded("method", "as told"),
            Label::closed("code", &["OK", "INTERNAL"]),
        ])
        .when_counted();
    static TIMES: Declared<Histogram> = Declared::latency("time", "Times.");
    static SAID: Declared<Info> =
        Declared::info("said", "Words.").labels(&[Label::bounded("word", "one at a time")]);
    static DEPTH: Declared<Gauge> = Declared::gauge("depth", "Depth.");

    #[test]
    fn every_combination_is_there_from_the_start() {
        let mut registry = Registry::new("toy");
        let answers = registry.family(&ANSWERS);
        answers.with(["short", "a"]).add(3);
        answers.with(["made up", "a"]).inc();
        answers.with(["short"]).inc();
        assert_eq!(
            encode(&[&registry]),
            "# HELP cartwright_toy_answers_total Answers.\n\
             # TYPE cartwright_toy_answers_total counter\n\
             cartwright_toy_answers_total{plan=\"exact\",mode=\"a\"} 0\n\
             cartwright_toy_answers_total{plan=\"exact\",mode=\"b\"} 0\n\
             cartwright_toy_answers_total{plan=\"short\",mode=\"a\"} 3\n\
             cartwright_toy_answers_total{plan=\"short\",mode=\"b\"} 0\n"
        );
    }

    #[test]
    fn what_is_hardly_used_appears_with_its_first_count() {
        let mut registry = Registry::new("toy");
        let methods = ["one".to_owned(), "two".to_owned()];
        let rare = registry.family_of(&RARE, &[&methods]);
        assert!(!encode(&[&registry]).contains("method"));
        rare.with(["two", "OK"]).inc();
        let text = encode(&[&registry]);
        assert!(!text.contains("one"), "{text}");
        assert!(text.contains("{method=\"two\",code=\"INTERNAL\"} 0"));
    }

    #[test]
    fn buckets_add_up_and_words_are_escaped() {
        let mut registry = Registry::new("toy");
        registry.one(&TIMES).observe(Duration::from_micros(300));
        registry.info(&SAID).say(&[&["a \"b\"\\\n"]]);
        let text = encode(&[&registry]);
        for line in [
            "cartwright_toy_time_seconds_bucket{le=\"0.0002\"} 0",
            "cartwright_toy_time_seconds_bucket{le=\"0.00035\"} 1",
            "cartwright_toy_time_seconds_bucket{le=\"+Inf\"} 1",
            "cartwright_toy_time_seconds_sum 0.0003",
            "cartwright_toy_time_seconds_count 1",
            "cartwright_toy_said_info{word=\"a \\\"b\\\"\\\\\\n\"} 1",
        ] {
            assert!(text.lines().any(|one| one == line), "{line}\n{text}");
        }
    }

    #[test]
    fn a_name_that_two_registries_share_is_written_once() {
        let registries = [(); 2].map(|()| {
            let mut registry = Registry::new("toy");
            registry.watch(&DEPTH, || Some(2.5));
            registry
        });
        let text = encode(&[&registries[0], &registries[1]]);
        assert_eq!(text.matches("# HELP").count(), 1);
        assert!(text.ends_with("cartwright_toy_depth 2.5\n"), "{text}");
    }
}
