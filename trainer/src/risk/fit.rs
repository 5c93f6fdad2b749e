//! L2-regularised logistic regression by Newton's method (iteratively reweighted least squares).

use ranking::sigmoid;

use super::learner::Case;
use crate::cholesky;
use crate::metrics::real;

/// λ on every weight but the intercept, on standardised values.
const PENALTY: f64 = 5.0;
const STEPS: usize = 50;
const TOLERANCE: f64 = 1e-8;
/// As the model in serving does: further out reads as this.
const FURTHEST: f64 = 8.0;

/// Weights over standardised values; an absent value reads as the mean and adds its own weight.
#[derive(Clone, Debug)]
pub(super) struct Fitted {
    pub(super) means: Vec<f64>,
    pub(super) scales: Vec<f64>,
    pub(super) weights: Vec<f64>,
    pub(super) missing_weights: Vec<f64>,
    pub(super) intercept: f64,
}

impl Fitted {
    pub(super) fn raw(&self, values: &[Option<f64>]) -> f64 {
        let row = row(values, &self.means, &self.scales);
        let weights = self.weights.iter().chain(&self.missing_weights);
        self.intercept + row.iter().zip(weights).map(|(x, w)| x * w).sum::<f64>()
    }
}

pub(super) fn fit(cases: &[Case<'_>], features: usize) -> Fitted {
    let (means, scales): (Vec<f64>, Vec<f64>) = (0..features)
        .map(|at| moments(cases.iter().filter_map(|case| case.values[at])))
        .unzip();
    let rows: Vec<Vec<f64>> = cases
        .iter()
        .map(|case| row(case.values, &means, &scales))
        .collect();
    let labels: Vec<f64> = cases.iter().map(|case| case.label).collect();
    let solution = newton(&rows, &labels, 2 * features);
    Fitted {
        means,
        scales,
        weights: solution[..features].to_vec(),
        missing_weights: solution[features..2 * features].to_vec(),
        intercept: solution[2 * features],
    }
}

/// Mean and standard deviation; a constant has scale 1, so that it adds nothing.
fn moments(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let count = real(values.clone().count());
    if count < 1.0 {
        return (0.0, 1.0);
    }
    let mean = values.clone().sum::<f64>() / count;
    let variance = values.map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    let scale = variance.sqrt();
    (mean, if scale > 1e-9 { scale } else { 1.0 })
}

/// Standardised values, then one indicator for each that is missing.
fn row(values: &[Option<f64>], means: &[f64], scales: &[f64]) -> Vec<f64> {
    let scaled = values
        .iter()
        .zip(means.iter().zip(scales))
        .map(|(value, (mean, scale))| {
            value.map_or(0.0, |value| {
                ((value - mean) / scale).clamp(-FURTHEST, FURTHEST)
            })
        });
    let missing = values
        .iter()
        .map(|value| if value.is_none() { 1.0 } else { 0.0 });
    scaled.chain(missing).collect()
}

/// Minimises −Σ log-likelihood + λ/2 Σ w², the intercept last and free.
fn newton(rows: &[Vec<f64>], labels: &[f64], width: usize) -> Vec<f64> {
    let size = width + 1;
    let mut weights = vec![0.0; size];
    for _ in 0..STEPS {
        let (mut hessian, mut gradient) = derivatives(rows, labels, &weights);
        if !cholesky::solve(&mut hessian, &mut gradient, size) {
            break;
        }
        // Newton's step halves until the objective falls, so that separable data cannot diverge.
        let before = objective(rows, labels, &weights);
        let mut step = 1.0;
        let mut moved = after(&weights, &gradient, step);
        while objective(rows, labels, &moved) > before && step > 1e-4 {
            step /= 2.0;
            moved = after(&weights, &gradient, step);
        }
        weights = moved;
        if gradient.iter().all(|part| part.abs() < TOLERANCE) {
            break;
        }
    }
    weights
}

fn after(weights: &[f64], direction: &[f64], step: f64) -> Vec<f64> {
    weights
        .iter()
        .zip(direction)
        .map(|(weight, part)| weight - step * part)
        .collect()
}

fn score(row: &[f64], weights: &[f64]) -> f64 {
    let intercept = weights[row.len()];
    intercept + row.iter().zip(weights).map(|(x, w)| x * w).sum::<f64>()
}

fn objective(rows: &[Vec<f64>], labels: &[f64], weights: &[f64]) -> f64 {
    let loss: f64 = rows
        .iter()
        .zip(labels)
        .map(|(row, label)| {
            let z = score(row, weights);
            // ln(1 + e^z) − label · z, without overflow.
            z.max(0.0) + (-z.abs()).exp().ln_1p() - label * z
        })
        .sum();
    let (_, penalised) = weights.split_last().unwrap_or((&0.0, &[]));
    loss + PENALTY / 2.0 * penalised.iter().map(|weight| weight * weight).sum::<f64>()
}

/// Hessian (lower triangle) and gradient.
fn derivatives(rows: &[Vec<f64>], labels: &[f64], weights: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let size = weights.len();
    let mut hessian = vec![0.0; size * size];
    let mut gradient = vec![0.0; size];
    for (row, label) in rows.iter().zip(labels) {
        let p = sigmoid(score(row, weights));
        let curvature = (p * (1.0 - p)).max(1e-9);
        let with_one = row.iter().copied().chain(std::iter::once(1.0));
        for (i, xi) in with_one.enumerate().filter(|(_, xi)| *xi != 0.0) {
            gradient[i] += (p - label) * xi;
            let line = &mut hessian[i * size..=i * size + i];
            for (cell, xj) in line
                .iter_mut()
                .zip(row.iter().copied().chain(std::iter::once(1.0)))
            {
                *cell += curvature * xi * xj;
            }
        }
    }
    for i in 0..size - 1 {
        gradient[i] += PENALTY * weights[i];
        hessian[i * size + i] += PENALTY;
    }
    (hessian, gradient)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_vanishes_at_the_solution() {
        let rows: Vec<Vec<f64>> = (0..40)
            .map(|at| vec![real(at % 7) - 3.0, real(at % 3) - 1.0])
            .collect();
        let labels: Vec<f64> = (0..40).map(|at| real(usize::from(at % 5 < 2))).collect();
        let weights = newton(&rows, &labels, 2);
        let (_, gradient) = derivatives(&rows, &labels, &weights);
        assert!(
            gradient.iter().all(|part| part.abs() < 1e-6),
            "{gradient:?}"
        );
    }

    #[test]
    fn separable_labels_stay_finite() {
        let rows: Vec<Vec<f64>> = (0..20).map(|at| vec![real(at) - 9.5]).collect();
        let labels: Vec<f64> = (0..20).map(|at| real(usize::from(at >= 10))).collect();
        let weights = newton(&rows, &labels, 1);
        assert!(weights.iter().all(|weight| weight.is_finite()) && weights[0] > 0.0);
    }
}
