//! Carts, requests and scores that stand in for those that a team did not give: evenly drawn, and the
//! same each time.

use std::time::Duration;

use ann_index::Vectors;
use ranking::{Matrix, Ranker};
use retrieval::files::Embeddings;
use retrieval::{Kind, Query, Recent};
use serde::{Deserialize, Serialize};
use snapshot::{Catalogue, files};

use crate::Error;
use crate::golden::TOLERANCE;

const CARTS: usize = 300;
const REQUESTS: usize = 20;
const ROWS: usize = 50;

/// Row-major vectors of carts of one to three items.
pub(super) fn carts(embeddings: &Embeddings) -> Result<Vec<f32>, Error> {
    let fold_in = embeddings.fold_in()?;
    let items = embeddings.vectors.len() / embeddings.dimension.max(1);
    let of = |at: usize| u32::try_from((at * 7_919 + 13) % items.max(1)).unwrap_or(0);
    let carts = (0..CARTS).filter_map(|at| {
        let lines = (0..1 + at % 3).map(|line| (of(at * 3 + line), 1.0));
        fold_in.vector(lines)
    });
    Ok(carts.flatten().collect())
}

/// Rows that are themselves asked about.
pub(super) fn rows(vectors: &Vectors) -> Vec<f32> {
    let step = vectors.len().div_ceil(CARTS / 2).max(1);
    let rows = vectors
        .as_slice()
        .chunks_exact(vectors.dimension())
        .step_by(step);
    rows.filter(|row| row.iter().any(|x| *x != 0.0))
        .flatten()
        .copied()
        .collect()
}

/// One to four items each, looked at a minute apart.
pub(super) fn queries(catalogue: &Catalogue) -> Vec<Query> {
    let items = catalogue.items();
    let seen = |at: usize, line: u64| {
        let place = (at * 7_919 + usize::try_from(line).unwrap_or(0) * 31) % items.len().max(1);
        Recent {
            item_id: items
                .get(place)
                .map_or_else(String::new, |item| item.item_id.clone()),
            kind: if line == 0 { Kind::Add } else { Kind::View },
            age: Duration::from_secs(60 * line),
        }
    };
    let query = |at: usize| {
        let recent: Vec<Recent> = (0..=u64::try_from(at % 4).unwrap_or(0))
            .map(|line| seen(at, line))
            .collect();
        Query {
            exclude: recent.iter().map(|one| one.item_id.clone()).collect(),
            recent,
            k: 20,
            ..Query::default()
        }
    };
    (0..REQUESTS).map(query).collect()
}

/// A line of `golden/rank.jsonl`.
#[derive(Debug, Serialize, Deserialize)]
struct Block {
    rows: Vec<Vec<Option<f32>>>,
    scores: Vec<f64>,
    #[serde(default = "tolerance")]
    tolerance: f64,
}

fn tolerance() -> f64 {
    1e-5
}

/// Scores of this build for rows of many sizes, some with gaps.
pub(super) fn ranked(ranker: &Ranker) -> Result<Vec<u8>, Error> {
    let columns = ranker.columns().len();
    let value = |at: usize| {
        let mixed = u16::try_from(at.wrapping_mul(40_503) % 65_536).unwrap_or(0);
        let unit = f32::from(mixed) / f32::from(u16::MAX);
        (at % 11 != 10).then(|| (unit * 12.0 - 2.0).exp2() - 1.0)
    };
    let rows: Vec<Vec<Option<f32>>> = (0..ROWS)
        .map(|row| {
            (0..columns)
                .map(|column| value(row * columns + column))
                .collect()
        })
        .collect();
    let block = Block {
        scores: score(ranker, &rows)?,
        rows,
        tolerance: TOLERANCE,
    };
    let mut line = serde_json::to_vec(&block).map_err(|source| Error::Json {
        what: files::GOLDEN_RANK,
        source,
    })?;
    line.push(b'\n');
    Ok(line)
}

fn score(ranker: &Ranker, rows: &[Vec<Option<f32>>]) -> Result<Vec<f64>, Error> {
    let values = rows.iter().flatten().map(|value| value.unwrap_or(f32::NAN));
    let matrix = Matrix::from_values(ranker.columns().len(), values.collect())?;
    let mut scores = Vec::new();
    ranker.score(&matrix, &mut scores)?;
    Ok(scores)
}

/// Refuses golden scores that this build does not give: they would only be refused later.
pub(super) fn check_ranked(ranker: &Ranker, golden: &[u8]) -> Result<(), Error> {
    let lines = golden.split(|&byte| byte == b'\n').zip(1..);
    for (line, at) in lines.filter(|(line, _)| !line.trim_ascii().is_empty()) {
        let block: Block = serde_json::from_slice(line).map_err(|source| Error::Json {
            what: "golden scores: {\"rows\": [[1.5, null]], \"scores\": [0.25]}",
            source,
        })?;
        let scores = score(ranker, &block.rows)?;
        let near = |(found, given): (&f64, &f64)| (found - given).abs() <= block.tolerance;
        let same = scores.len() == block.scores.len();
        if !same || !scores.iter().zip(&block.scores).all(near) {
            return Err(Error::Golden {
                file: files::GOLDEN_RANK,
                line: at,
            });
        }
    }
    Ok(())
}
