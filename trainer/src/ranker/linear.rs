//! Weights of columns, fitted pair by pair: what came next against each other candidate (Bradley
//! and Terry 1952).

use ranking::linear::present;
use ranking::{Columns, Linear, Ranker, sigmoid};

use super::asked::Shown;
use crate::metrics::real;
use crate::{Error, cholesky};

/// Columns that a weight can make sense of: the more, the better, or the less.
const COLUMNS: [&str; 10] = [
    "fused",
    "revisit",
    "sessions",
    "covisitation",
    "collaborative",
    "popularity",
    "content",
    "log_price_ratio",
    "same_category",
    "same_brand",
];
/// λ on standardised columns, for each example.
const PENALTY: f64 = 1e-3;
const STEPS: usize = 30;
/// Pairs at most: a few weights need no more.
const MOST: usize = 100_000;

/// A moment's rows of the columns above, and which of them came next.
struct Example {
    rows: Vec<Vec<f64>>,
    chosen: usize,
}

/// Minimises the mean over examples of the mean over rivals of ln(1 + e^−w·(chosen − rival)), plus
/// λ/2 |w|², by Newton's method.
pub(super) fn fit(columns: &Columns, shown: &[Shown<'_>]) -> Result<Ranker, Error> {
    let names = COLUMNS.map(str::to_owned);
    let examples = examples(columns, shown);
    let (means, scales) = moments_of_columns(&examples);
    let pairs = pairs(&examples, &scales);
    let mut weights = vec![0.0; names.len()];
    for _ in 0..STEPS {
        let (mut hessian, mut gradient) = derivatives(&pairs, &weights);
        if !cholesky::solve(&mut hessian, &mut gradient, names.len()) {
            break;
        }
        for (weight, step) in weights.iter_mut().zip(&gradient) {
            *weight -= step.clamp(-1.0, 1.0);
        }
        if gradient.iter().all(|step| step.abs() < 1e-9) {
            break;
        }
    }
    let linear = Linear {
        means,
        scales,
        weights,
    };
    Ok(Ranker::linear(&names, linear, "")?)
}

/// A column that was not computed is a gap in every row.
fn examples(columns: &Columns, shown: &[Shown<'_>]) -> Vec<Example> {
    let place = |name: &&str| columns.names().iter().position(|known| known == name);
    let places: Vec<Option<usize>> = COLUMNS.iter().map(place).collect();
    let value = |row: &[f32], place: &Option<usize>| {
        let value = place.and_then(|place| row.get(place).copied());
        value.map_or(0.0, present)
    };
    let rows = |one: &Shown<'_>| {
        let rows = one.rows.rows();
        rows.map(|row| places.iter().map(|place| value(row, place)).collect())
            .collect()
    };
    let examples = shown.iter().filter_map(|one| {
        Some(Example {
            chosen: one.next?,
            rows: rows(one),
        })
    });
    let rows = shown.iter().map(|one| one.rows.len()).sum::<usize>();
    // Evenly spread, so that the pairs are of the whole time.
    let step = rows.div_ceil(MOST).max(1);
    examples.step_by(step).collect()
}

fn moments_of_columns(examples: &[Example]) -> (Vec<f64>, Vec<f64>) {
    let column = |at: usize| {
        let rows = examples.iter().flat_map(|example| &example.rows);
        rows.map(move |row| row[at])
    };
    let count = real(column(0).count().max(1));
    (0..COLUMNS.len())
        .map(|at| {
            let mean = column(at).sum::<f64>() / count;
            let variance = column(at).map(|value| (value - mean).powi(2)).sum::<f64>() / count;
            let is_constant = variance <= 1e-12;
            (mean, if is_constant { 1.0 } else { variance.sqrt() })
        })
        .unzip()
}

/// (share of its example, chosen − rival), on standardised columns. Every other candidate is a
/// rival: against the best of them alone, being far down the list would look like a virtue.
fn pairs(examples: &[Example], scales: &[f64]) -> Vec<(f64, Vec<f64>)> {
    let mut pairs = Vec::new();
    let examples_in_all = real(examples.len().max(1));
    for Example { rows, chosen } in examples {
        let share = 1.0 / real(rows.len().max(2) - 1) / examples_in_all;
        let rivals = rows.iter().enumerate().filter(|(at, _)| at != chosen);
        for (_, rival) in rivals {
            let apart = rows[*chosen].iter().zip(rival).zip(scales);
            let apart = apart.map(|((chosen, rival), scale)| (chosen - rival) / scale);
            pairs.push((share, apart.collect()));
        }
    }
    pairs
}

fn derivatives(pairs: &[(f64, Vec<f64>)], weights: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let size = weights.len();
    let mut hessian = vec![0.0; size * size];
    let mut gradient = vec![0.0; size];
    for (share, difference) in pairs {
        let z: f64 = difference.iter().zip(weights).map(|(x, w)| x * w).sum();
        let p = sigmoid(z);
        for i in 0..size {
            gradient[i] -= share * (1.0 - p) * difference[i];
            for j in 0..=i {
                hessian[i * size + j] += share * p * (1.0 - p) * difference[i] * difference[j];
            }
        }
    }
    for i in 0..size {
        gradient[i] += PENALTY * weights[i];
        hessian[i * size + i] += PENALTY;
    }
    (hessian, gradient)
}
