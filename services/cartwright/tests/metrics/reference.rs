//! `docs/metrics.md` is written from the declarations, so that it cannot say anything else.

use std::collections::BTreeSet;

use kit::metrics::reference::page;
use kit::metrics::{Kind, Values};

use crate::catalogue::{OF_PROCESS, ROLES, SHARED, exposed};
use crate::support::root;

const HEAD: &str = "# Metrics

What the admin port's `/metrics` shows (Prometheus text): 7111 of features, 7112 of candidates, 7113
of recovery, 7100 of all three in one process. Names are `cartwright_<role>_<noun>_<unit>[_total]`.
Every combination of a metric's labels is shown from the start, unless the label says otherwise, so
a rate is known from the first count on. Labels take their values from fixed sets: nothing that a
caller sends becomes a label.

Histograms of times have buckets from 50 µs; those of ages go up to a day.
[`deploy/`](../deploy) has a dashboard and alerts made of these.
This page is written by a test: `UPDATE_DOCS=1 cargo test -p cartwright --test metrics reference`.
";

#[test]
fn the_reference_says_what_the_declarations_do() {
    let file = root().join("docs/metrics.md");
    let mut sections = vec![SHARED];
    sections.extend(ROLES);
    sections.push(OF_PROCESS);
    let wanted = page(HEAD, &sections);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, &wanted).expect("docs/metrics.md can be written");
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        found == wanted,
        "docs/metrics.md is out of date: UPDATE_DOCS=1 cargo test -p cartwright --test metrics reference"
    );
}

#[test]
fn names_labels_and_values_are_words_that_prometheus_takes() {
    let is_word = |text: &str| {
        !text.is_empty()
            && text
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    for (name, metric) in exposed() {
        assert!(is_word(&name), "{name}");
        assert!(metric.help.ends_with('.'), "{name}: {}", metric.help);
        assert!(
            !metric.labels.is_empty() || metric.kind != Kind::Info,
            "{name} says nothing"
        );
        for label in metric.labels {
            assert!(is_word(label.name), "{name}: {}", label.name);
            if let Values::Closed(values) = label.values {
                let different: BTreeSet<_> = values.iter().collect();
                assert_eq!(different.len(), values.len(), "{name}: {}", label.name);
                assert!(!values.contains(&""), "{name}: {}", label.name);
            }
        }
    }
}
