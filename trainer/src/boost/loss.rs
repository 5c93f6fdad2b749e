//! Losses: where they start, how steep they are, how great.

use ranking::sigmoid;
use rayon::prelude::*;

use super::{Examples, Objective};
use crate::metrics::real;

/// Places of an order that count.
pub(super) const PLACES: usize = 20;
/// No log-odds of a mean go beyond this.
const FURTHEST: f64 = 12.0;

/// First and second derivative of the loss by a row's score.
#[derive(Copy, Clone, Debug, Default, PartialEq)]
pub(super) struct Slope {
    pub(super) first: f64,
    pub(super) second: f64,
}

/// The best score that is the same for all rows.
pub(super) fn base(objective: Objective, labels: &[f64]) -> f64 {
    let mean = labels.iter().sum::<f64>() / real(labels.len().max(1));
    match objective {
        Objective::Logistic => (mean / (1.0 - mean)).ln().clamp(-FURTHEST, FURTHEST),
        Objective::Squared => mean,
        Objective::ListNet | Objective::LambdaRank => 0.0,
    }
}

pub(super) fn slopes(objective: Objective, examples: &Examples, scores: &[f64]) -> Vec<Slope> {
    match objective {
        Objective::Logistic => by_row(examples, scores, |label, score| {
            let p = sigmoid(score);
            Slope {
                first: p - label,
                second: p * (1.0 - p),
            }
        }),
        Objective::Squared => by_row(examples, scores, |label, score| Slope {
            first: score - label,
            second: 1.0,
        }),
        Objective::ListNet => by_group(examples, scores, listnet),
        Objective::LambdaRank => by_group(examples, scores, lambdarank),
    }
}

/// The mean over rows, or over the groups that have something to show.
pub(super) fn loss(objective: Objective, examples: &Examples, scores: &[f64]) -> f64 {
    let rows = || examples.labels.iter().zip(scores);
    let mean = |sum: f64| sum / real(examples.len().max(1));
    match objective {
        Objective::Logistic => mean(rows().map(|(y, z)| soft_plus(*z) - y * z).sum()),
        Objective::Squared => mean(rows().map(|(y, z)| (z - y).powi(2)).sum()),
        Objective::ListNet => mean_by_group(examples, scores, |labels, scores| {
            let shares = softmax(scores);
            let total: f64 = labels.iter().sum();
            let terms = labels.iter().zip(shares);
            terms
                .filter(|(label, _)| **label > 0.0)
                .map(|(label, share)| -label / total * share.max(f64::MIN_POSITIVE).ln())
                .sum()
        }),
        Objective::LambdaRank => mean_by_group(examples, scores, |labels, scores| {
            1.0 - gained(labels, &order(scores)) / best_gain(labels)
        }),
    }
}

/// ln(1 + e^z), without overflow.
fn soft_plus(z: f64) -> f64 {
    z.max(0.0) + (-z.abs()).exp().ln_1p()
}

fn by_row(
    examples: &Examples,
    scores: &[f64],
    slope: impl Fn(f64, f64) -> Slope + Sync,
) -> Vec<Slope> {
    let rows = examples.labels.par_iter().zip(scores);
    rows.with_min_len(1_024)
        .map(|(label, score)| slope(*label, *score))
        .collect()
}

fn groups<'a>(examples: &'a Examples, scores: &'a [f64]) -> Vec<(&'a [f64], &'a [f64])> {
    let mut from = 0;
    let sizes = examples.groups.iter();
    sizes
        .map(|size| {
            let rows = from..from + size;
            from = rows.end;
            (&examples.labels[rows.clone()], &scores[rows])
        })
        .collect()
}

fn by_group(
    examples: &Examples,
    scores: &[f64],
    slopes: fn(&[f64], &[f64]) -> Vec<Slope>,
) -> Vec<Slope> {
    let found: Vec<Vec<Slope>> = groups(examples, scores)
        .into_par_iter()
        .map(|(labels, scores)| {
            if has_something(labels) {
                slopes(labels, scores)
            } else {
                vec![Slope::default(); labels.len()]
            }
        })
        .collect();
    found.concat()
}

fn mean_by_group(
    examples: &Examples,
    scores: &[f64],
    loss: impl Fn(&[f64], &[f64]) -> f64 + Sync,
) -> f64 {
    let losses: Vec<f64> = groups(examples, scores)
        .into_par_iter()
        .filter(|(labels, _)| has_something(labels))
        .map(|(labels, scores)| loss(labels, scores))
        .collect();
    losses.iter().sum::<f64>() / real(losses.len().max(1))
}

fn has_something(labels: &[f64]) -> bool {
    labels.iter().any(|label| *label > 0.0)
}

fn softmax(scores: &[f64]) -> Vec<f64> {
    let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = scores.iter().map(|z| (z - highest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

fn listnet(labels: &[f64], scores: &[f64]) -> Vec<Slope> {
    let total: f64 = labels.iter().sum();
    let shares = softmax(scores).into_iter().zip(labels);
    shares
        .map(|(share, label)| Slope {
            first: share - label / total,
            second: share * (1.0 - share),
        })
        .collect()
}

/// Rows from the highest score to the lowest; equals in the order given.
fn order(scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    order
}

/// 1 / log2(place + 1), 0 beyond what counts.
fn discount(place: usize) -> f64 {
    if place < PLACES {
        1.0 / real(place + 2).log2()
    } else {
        0.0
    }
}

fn gained(labels: &[f64], order: &[usize]) -> f64 {
    let places = order.iter().take(PLACES).enumerate();
    places
        .map(|(place, row)| labels[*row] * discount(place))
        .sum()
}

fn best_gain(labels: &[f64]) -> f64 {
    gained(labels, &order(labels))
}

fn lambdarank(labels: &[f64], scores: &[f64]) -> Vec<Slope> {
    let mut slopes = vec![Slope::default(); labels.len()];
    let best = best_gain(labels);
    let order = order(scores);
    for (place, row) in order
        .iter()
        .enumerate()
        .filter(|(_, row)| labels[**row] > 0.0)
    {
        for (other_place, other) in order.iter().enumerate() {
            let gain = labels[*row] - labels[*other];
            if gain <= 0.0 {
                continue;
            }
            let swap = (discount(place) - discount(other_place)).abs();
            let weight = gain * swap / best;
            let wrong = sigmoid(scores[*other] - scores[*row]);
            let (first, second) = (weight * wrong, weight * wrong * (1.0 - wrong));
            slopes[*row].first -= first;
            slopes[*other].first += first;
            slopes[*row].second += second;
            slopes[*other].second += second;
        }
    }
    slopes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_groups() -> Examples {
        Examples {
            values: Vec::new(),
            labels: vec![0.0, 3.0, 1.0, 0.0, 0.0, 0.0, 1.0],
            groups: vec![4, 1, 2],
        }
    }

    const SCORES: [f64; 7] = [0.3, -0.2, 0.9, 0.0, 5.0, 0.4, 0.1];

    /// Whether the slopes are those of the loss, by small steps of each score.
    fn check_slopes(objective: Objective, examples: &Examples, scores: &[f64], rows: f64) {
        let slopes = slopes(objective, examples, scores);
        let at = |row: usize, step: f64| {
            let mut moved = scores.to_vec();
            moved[row] += step;
            loss(objective, examples, &moved) * rows
        };
        for (row, slope) in slopes.iter().enumerate() {
            let first = (at(row, 1e-5) - at(row, -1e-5)) / 2e-5;
            let second = (at(row, 1e-4) - 2.0 * at(row, 0.0) + at(row, -1e-4)) / 1e-8;
            assert!((first - slope.first).abs() < 1e-6, "{first} {slope:?}");
            assert!((second - slope.second).abs() < 1e-4, "{second} {slope:?}");
        }
    }

    #[test]
    fn slopes_are_those_of_the_loss() {
        let rows = Examples {
            labels: vec![1.0, 0.0, 1.0],
            ..Examples::default()
        };
        check_slopes(Objective::Logistic, &rows, &SCORES[..3], 3.0);
        check_slopes(Objective::ListNet, &two_groups(), &SCORES, 2.0);
    }

    #[test]
    fn a_group_without_anything_to_show_pulls_nowhere() {
        for objective in [Objective::ListNet, Objective::LambdaRank] {
            assert_eq!(
                slopes(objective, &two_groups(), &SCORES)[4],
                Slope::default()
            );
        }
    }

    #[test]
    fn the_order_loss_is_one_without_the_share_of_the_best_gain() {
        // Group 1 shows labels 1, 0, 0, 3; group 3 shows 0, 1; group 2 has nothing to show.
        let log = |place: f64| 1.0 / (place + 1.0).log2();
        let first = (1.0 + 3.0 * log(4.0)) / (3.0 + log(2.0));
        let expected = 1.0 - (first + log(2.0)) / 2.0;
        let found = loss(Objective::LambdaRank, &two_groups(), &SCORES);
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    }

    #[test]
    fn pairs_push_the_better_up_and_the_worse_down_alike() {
        let slopes = slopes(Objective::LambdaRank, &two_groups(), &SCORES);
        assert!(slopes[1].first < 0.0 && slopes[0].first > 0.0 && slopes[3].first > 0.0);
        for rows in [0..4, 5..7] {
            let sum: f64 = slopes[rows].iter().map(|slope| slope.first).sum();
            assert!(sum.abs() < 1e-12, "{sum}");
        }
    }
}
