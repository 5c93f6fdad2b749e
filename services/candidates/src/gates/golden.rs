//! Requests that the snapshot holds with the answers that it gave when it was made.

use kit::causes::causes;
use std::time::Duration;

use retrieval::{Gate, Kind, Model, Query, Recent};
use serde::Deserialize;
use snapshot::{Snapshot, Verdict, files, gates};

use crate::role::ROLE;

/// A line of `golden/retrieve.jsonl`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Request {
    /// (item, kind, age in ms).
    recent: Vec<(String, String, u64)>,
    exclude: Vec<String>,
    k: usize,
    /// Absent in lines written before what was bought had to be asked for.
    #[serde(default)]
    rebuy: Option<bool>,
    /// (item, score), best first.
    answer: Vec<(String, f64)>,
    tolerance: f64,
}

impl Request {
    /// Items of its answer.
    pub(super) fn answered(&self) -> impl Iterator<Item = &str> {
        self.answer.iter().map(|(item, _)| item.as_str())
    }

    /// `None` when it says nothing about this build.
    pub(super) fn query(&self) -> Option<Query> {
        let kinds: Option<Vec<Kind>> = self.recent.iter().map(|(_, kind, _)| parse(kind)).collect();
        let kinds = kinds?;
        if self.rebuy.is_none() && kinds.contains(&Kind::Purchase) {
            return None;
        }
        let recent = self.recent.iter().zip(kinds);
        Some(Query {
            recent: recent
                .map(|((item, _, age), kind)| Recent {
                    item_id: item.clone(),
                    kind,
                    age: Duration::from_millis(*age),
                })
                .collect(),
            exclude: self.exclude.clone(),
            k: self.k,
            rebuy: self.rebuy.unwrap_or(false),
            ..Query::default()
        })
    }
}

fn parse(kind: &str) -> Option<Kind> {
    match kind {
        "view" => Some(Kind::View),
        "add" => Some(Kind::Add),
        "remove" => Some(Kind::Remove),
        "checkout" => Some(Kind::Checkout),
        "purchase" => Some(Kind::Purchase),
        _ => None,
    }
}

/// The stored requests; none when the snapshot has no such file.
pub(super) fn requests(snapshot: &Snapshot) -> Result<Vec<Request>, String> {
    if !snapshot.has(files::GOLDEN_RETRIEVE) {
        return Ok(Vec::new());
    }
    let bytes = snapshot.read(files::GOLDEN_RETRIEVE);
    let bytes = bytes.map_err(|error| causes(&error))?;
    let lines = bytes.split(|&byte| byte == b'\n').zip(1..);
    let lines = lines.filter(|(line, _)| !line.is_empty());
    lines
        .map(|(line, at)| {
            let parsed = serde_json::from_slice(line);
            parsed.map_err(|error| format!("{} line {at}: {error}", files::GOLDEN_RETRIEVE))
        })
        .collect()
}

/// Asks all of them again.
pub(super) fn golden(model: &Model, requests: &Result<Vec<Request>, String>) -> Verdict {
    let (measured, passed) = match requests {
        Ok(requests) => ask(model, requests),
        Err(bad) => (bad.clone(), false),
    };
    let bar = "the same items in the same order, scores within each line's tolerance";
    Verdict::new(gates::GOLDEN, ROLE, measured, bar, passed)
}

fn ask(model: &Model, requests: &[Request]) -> (String, bool) {
    let gate = Gate::open(model.catalogue().len());
    let (mut asked, mut worst) = (0_usize, 0.0_f64);
    let mut first_other = None;
    for (request, line) in requests.iter().zip(1..) {
        let Some(query) = request.query() else {
            continue;
        };
        asked += 1;
        let outcome = model.retrieve(&query, &gate);
        let other = match outcome {
            Ok(answer) => {
                let found = answer.candidates;
                let found = found.iter().map(|one| (one.item_id.as_str(), one.score));
                difference(request, found, &mut worst)
            }
            Err(error) => Some(causes(&error)),
        };
        if let (None, Some(other)) = (&first_other, other) {
            first_other = Some(format!("{} line {line}: {other}", files::GOLDEN_RETRIEVE));
        }
    }
    match first_other {
        Some(other) => (other, false),
        None => (
            format!("{asked} requests, scores off by at most {worst:.1e}"),
            true,
        ),
    }
}

/// What is other than it was.
fn difference<'a>(
    request: &Request,
    found: impl ExactSizeIterator<Item = (&'a str, f64)>,
    worst: &mut f64,
) -> Option<String> {
    if found.len() != request.answer.len() {
        let (got, was) = (found.len(), request.answer.len());
        return Some(format!("{got} items, {was} when it was made"));
    }
    for ((item, score), (old_item, old_score)) in found.zip(&request.answer) {
        if item != old_item {
            return Some(format!("item {item:?}, {old_item:?} when it was made"));
        }
        let off = (score - old_score).abs();
        *worst = worst.max(off);
        // Written so that a score that is no number is another.
        let same = off <= request.tolerance;
        if !same {
            return Some(format!(
                "{item:?} scores {score}, {old_score} when it was made"
            ));
        }
    }
    None
}
