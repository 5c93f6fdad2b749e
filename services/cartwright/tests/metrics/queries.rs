//! What a PromQL expression reads, checked against what is exposed. Whether it is PromQL at all is
//! for promtool to say.

use std::collections::{BTreeMap, BTreeSet};

use kit::metrics::{Declaration, Kind, Values};

use crate::catalogue::exposed;

/// Labels that Prometheus adds to what it scrapes.
const OF_THE_TARGET: [&str; 3] = ["instance", "job", "role"];
/// Words that are no metric, besides functions, which a bracket follows.
const WORDS: [&str; 8] = [
    "by", "without", "on", "ignoring", "and", "or", "unless", "bool",
];

/// Everything that an expression may read.
pub(crate) struct Known {
    metrics: BTreeMap<String, &'static Declaration>,
    recorded: BTreeSet<String>,
}

/// A series that an expression reads: its name, the labels that it has, and where it stands.
struct Selected {
    name: String,
    labels: BTreeSet<String>,
    at: usize,
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

fn tokens(expression: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = expression;
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '.' | '$');
        let length = if first == '"' {
            rest[1..].find('"').expect("a closing quote") + 2
        } else if is_word(first) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (token, after) = rest.split_at(length);
        rest = after;
        if first == '"' {
            tokens.push(Token::Text(token.trim_matches('"').to_owned()));
        } else if is_word(first) {
            tokens.push(Token::Word(token.to_owned()));
        } else if !first.is_whitespace() {
            tokens.push(Token::Sign(first));
        }
    }
    tokens
}

/// The place after the bracket that closes the one at `open`.
fn close(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token {
            Token::Sign('(' | '{' | '[') => depth += 1,
            Token::Sign(')' | '}' | ']') => depth -= 1,
            Token::Sign(_) | Token::Word(_) | Token::Text(_) => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

impl Known {
    /// The declared metrics, and rules that record under these names.
    pub(crate) fn with(recorded: impl IntoIterator<Item = String>) -> Self {
        Self {
            metrics: exposed(),
            recorded: recorded.into_iter().collect(),
        }
    }

    /// The names of the metrics that `expression` reads. What it reads that is not there, names,
    /// labels and values of labels, is an error.
    pub(crate) fn check(&self, expression: &str) -> Result<BTreeSet<String>, String> {
        let in_it = |error: String| format!("{expression}: {error}");
        let tokens = tokens(expression);
        let selected = self.selected(&tokens).map_err(in_it)?;
        for (at, token) in tokens.iter().enumerate() {
            let Token::Word(word) = token else { continue };
            if word == "by" {
                let end = close(&tokens, at + 1);
                let over = end..close(&tokens, end);
                for label in words(&tokens[at + 1..end]) {
                    has_label(&selected, &over, label).map_err(in_it)?;
                }
            } else if word == "histogram_quantile" {
                let over = at..close(&tokens, at + 1);
                has_label(&selected, &over, "le").map_err(in_it)?;
            }
        }
        Ok(selected.into_iter().map(|one| one.name).collect())
    }

    fn selected(&self, tokens: &[Token]) -> Result<Vec<Selected>, String> {
        let mut selected = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            let next = tokens.get(at + 1);
            match &tokens[at] {
                Token::Word(word) if WORDS.contains(&word.as_str()) => {
                    let names_labels = word != "and" && word != "or" && word != "unless";
                    if names_labels && next == Some(&Token::Sign('(')) {
                        at = close(tokens, at + 1);
                        continue;
                    }
                }
                Token::Sign('[') => {
                    at = close(tokens, at);
                    continue;
                }
                // An aggregation, `sum by (…)`.
                Token::Word(_) if matches!(next, Some(Token::Word(by)) if by == "by") => {}
                Token::Word(word)
                    if next != Some(&Token::Sign('(')) && word.parse::<f64>().is_err() =>
                {
                    let braces = at + 1..close_if(tokens, at + 1, '{');
                    selected.push(self.select(word, &tokens[braces.clone()], at)?);
                    at = braces.end;
                    continue;
                }
                Token::Word(_) | Token::Text(_) | Token::Sign(_) => {}
            }
            at += 1;
        }
        Ok(selected)
    }

    fn select(&self, name: &str, braces: &[Token], at: usize) -> Result<Selected, String> {
        let name = name.to_owned();
        if name == "up" || self.recorded.contains(&name) {
            let labels = BTreeSet::new();
            return Ok(Selected { name, labels, at });
        }
        let (metric, part) = self.declared(&name)?;
        let mut labels: BTreeSet<String> = OF_THE_TARGET.map(str::to_owned).into();
        labels.extend(metric.labels.iter().map(|label| label.name.to_owned()));
        if part == "_bucket" {
            labels.insert("le".to_owned());
        }
        for matcher in braces.split(|token| *token == Token::Sign(',')) {
            let label = words(matcher).next();
            let value = matcher.iter().find_map(|token| match token {
                Token::Text(value) => Some(value.as_str()),
                Token::Word(_) | Token::Sign(_) => None,
            });
            if let (Some(label), Some(value)) = (label, value) {
                let regex = matcher.contains(&Token::Sign('~'));
                matches_something(metric, &labels, label, value, regex)?;
            }
        }
        let name = name.strip_suffix(part).unwrap_or(&name).to_owned();
        Ok(Selected { name, labels, at })
    }

    fn declared(&self, name: &str) -> Result<(&'static Declaration, &'static str), String> {
        let is_histogram =
            |metric: &&'static Declaration| matches!(metric.kind, Kind::Histogram(_));
        if let Some(metric) = self.metrics.get(name) {
            return if is_histogram(metric) {
                Err(format!("{name} is a histogram: name a part of it"))
            } else {
                Ok((metric, ""))
            };
        }
        for part in ["_bucket", "_sum", "_count"] {
            let whole = name.strip_suffix(part);
            let whole = whole.and_then(|whole| self.metrics.get(whole));
            if let Some(metric) = whole.filter(|metric| is_histogram(metric)) {
                return Ok((metric, part));
            }
        }
        Err(format!("{name} is not declared"))
    }
}

/// [`close`] when the bracket is of that kind, else the place itself.
fn close_if(tokens: &[Token], open: usize, bracket: char) -> usize {
    if tokens.get(open) == Some(&Token::Sign(bracket)) {
        close(tokens, open)
    } else {
        open
    }
}

fn words(tokens: &[Token]) -> impl Iterator<Item = &str> {
    tokens.iter().filter_map(|token| match token {
        Token::Word(word) => Some(word.as_str()),
        Token::Text(_) | Token::Sign(_) => None,
    })
}

fn has_label(
    selected: &[Selected],
    over: &std::ops::Range<usize>,
    label: &str,
) -> Result<(), String> {
    let lacks = |one: &&Selected| over.contains(&one.at) && !one.labels.contains(label);
    match selected.iter().find(lacks) {
        Some(one) => Err(format!("{} has no label {label}", one.name)),
        None => Ok(()),
    }
}

/// The label is there, and so are the values that are spelt out.
fn matches_something(
    metric: &Declaration,
    labels: &BTreeSet<String>,
    label: &str,
    value: &str,
    regex: bool,
) -> Result<(), String> {
    if !labels.contains(label) {
        return Err(format!("{} has no label {label}", metric.noun));
    }
    let asked: Vec<&str> = if regex {
        value.split('|').collect()
    } else {
        vec![value]
    };
    let bounds: Vec<String> = match metric.kind {
        Kind::Histogram(bounds) if label == "le" => bounds.iter().map(f64::to_string).collect(),
        Kind::Histogram(_) | Kind::Counter | Kind::Gauge | Kind::Info => Vec::new(),
    };
    let declared = metric.labels.iter().find(|one| one.name == label);
    let known: Vec<&str> = match declared.map(|label| label.values) {
        Some(Values::Closed(values)) => values.to_vec(),
        None if label == "le" => bounds.iter().map(String::as_str).collect(),
        Some(Values::Bounded(_)) | None => return Ok(()),
    };
    match asked.iter().find(|one| !known.contains(one)) {
        Some(one) => Err(format!("{label} of {} is never {one}", metric.noun)),
        None => Ok(()),
    }
}

#[test]
fn what_is_not_there_is_found() {
    let known = Known::with(["a:b".to_owned()]);
    let good = [
        "up",
        "a:b > 2",
        "sum by (code) (rate(cartwright_features_requests_total{code!=\"OK\"}[5m]))",
        "histogram_quantile(0.9, sum by (le) (rate(cartwright_recovery_stage_duration_seconds_bucket[$__rate_interval])))",
        "cartwright_recovery_ready == 0 or cartwright_features_ready{instance=\"a\"} == 0",
        "rate(cartwright_recovery_request_duration_seconds_bucket{le=\"0.025\"}[1m])",
        "time() - cartwright_process_start_time_seconds",
    ];
    for expression in good {
        assert!(!known.check(expression).unwrap().is_empty(), "{expression}");
    }
    let reads = known
        .check("cartwright_recovery_ready / cartwright_features_requests_in_flight")
        .unwrap();
    assert_eq!(reads.len(), 2);
    for (bad, why) in [
        ("cartwright_features_request_total", "is not declared"),
        ("a:c", "is not declared"),
        (
            "cartwright_features_requests_total{kode=\"OK\"}",
            "no label kode",
        ),
        (
            "cartwright_features_requests_total{code=\"FINE\"}",
            "never FINE",
        ),
        (
            "cartwright_features_requests_total{code=~\"OK|FINE\"}",
            "never FINE",
        ),
        (
            "sum by (stage) (cartwright_recovery_decisions_total)",
            "no label stage",
        ),
        ("cartwright_recovery_stage_duration_seconds", "name a part"),
        ("cartwright_recovery_decisions_total_sum", "is not declared"),
        (
            "histogram_quantile(0.9, cartwright_recovery_ready)",
            "no label le",
        ),
        (
            "rate(cartwright_recovery_request_duration_seconds_bucket{le=\"0.03\"}[1m])",
            "never 0.03",
        ),
    ] {
        let said = known.check(bad).unwrap_err();
        assert!(said.contains(why), "{said}");
    }
}
