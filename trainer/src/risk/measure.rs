//! How good probabilities are. Labels are 0 or 1.

use crate::metrics::real;

const BINS: usize = 10;

/// Mean of −ln of the probability given to what happened.
pub fn log_loss(risks: &[f64], labels: &[f64]) -> f64 {
    mean(risks, labels, |risk, label| {
        let given = if label > 0.5 { risk } else { 1.0 - risk };
        -given.max(1e-15).ln()
    })
}

/// Mean squared distance from what happened (Brier 1950).
pub fn brier(risks: &[f64], labels: &[f64]) -> f64 {
    mean(risks, labels, |risk, label| (risk - label).powi(2))
}

/// Probability that a positive is ranked above a negative, ties counting half; 0.5 when there is
/// only one kind.
pub fn auc(risks: &[f64], labels: &[f64]) -> f64 {
    let mut order: Vec<usize> = (0..risks.len()).collect();
    order.sort_by(|a, b| risks[*a].total_cmp(&risks[*b]));
    let (mut below, mut won) = (0.0, 0.0);
    for ties in order.chunk_by(|a, b| risks[*a].total_cmp(&risks[*b]).is_eq()) {
        let positive: f64 = ties.iter().map(|at| labels[*at]).sum();
        let negative = real(ties.len()) - positive;
        won += positive * (below + negative / 2.0);
        below += negative;
    }
    let positive = labels.iter().sum::<f64>();
    if positive * below > 0.0 {
        won / (positive * below)
    } else {
        0.5
    }
}

/// Mean of the precisions at each recall that is reached, weighed by how much recall grew there
/// (scikit-learn's `average_precision_score`); equal risks are one step. 0 without positives.
pub fn average_precision(risks: &[f64], labels: &[f64]) -> f64 {
    let mut order: Vec<usize> = (0..risks.len()).collect();
    order.sort_by(|a, b| risks[*b].total_cmp(&risks[*a]));
    let positive = labels.iter().sum::<f64>();
    let (mut found, mut seen, mut sum) = (0.0, 0.0, 0.0);
    for ties in order.chunk_by(|a, b| risks[*a].total_cmp(&risks[*b]).is_eq()) {
        let here: f64 = ties.iter().map(|at| labels[*at]).sum();
        found += here;
        seen += real(ties.len());
        sum += here * found / seen;
    }
    if positive > 0.0 { sum / positive } else { 0.0 }
}

/// Distance between mean risk and share of positives, over ten bins of equal width weighted by
/// their size.
pub fn expected_calibration_error(risks: &[f64], labels: &[f64]) -> f64 {
    let of_bin = |bin: &Bin| bin.count * (bin.risk - bin.share).abs();
    let distance: f64 = reliability(risks, labels).iter().map(of_bin).sum();
    distance / real(risks.len().max(1))
}

/// A bin of a reliability diagram.
#[derive(Copy, Clone, Debug, Default, PartialEq)]
pub struct Bin {
    /// Outcomes whose risk is in the bin.
    pub count: f64,
    /// Their mean risk.
    pub risk: f64,
    /// The share of positives among them.
    pub share: f64,
}

/// Ten bins of equal width; the upper edge of one belongs to the next. Empty bins are all 0.
pub fn reliability(risks: &[f64], labels: &[f64]) -> [Bin; BINS] {
    let mut bins = [Bin::default(); BINS];
    for (risk, label) in risks.iter().zip(labels) {
        let place = (1..BINS)
            .take_while(|bin| *risk >= real(*bin) / real(BINS))
            .count();
        let bin = &mut bins[place];
        bin.count += 1.0;
        bin.risk += risk;
        bin.share += label;
    }
    for bin in bins.iter_mut().filter(|bin| bin.count > 0.0) {
        bin.risk /= bin.count;
        bin.share /= bin.count;
    }
    bins
}

/// Everything that is said of probabilities.
#[derive(Copy, Clone, Debug, Default, PartialEq)]
pub struct Measures {
    pub count: usize,
    /// Share of positives.
    pub base_rate: f64,
    pub log_loss: f64,
    pub auc: f64,
    pub average_precision: f64,
    pub brier: f64,
    pub ece: f64,
}

impl Measures {
    pub fn of(risks: &[f64], labels: &[f64]) -> Self {
        Self {
            count: labels.len(),
            base_rate: labels.iter().sum::<f64>() / real(labels.len().max(1)),
            log_loss: log_loss(risks, labels),
            auc: auc(risks, labels),
            average_precision: average_precision(risks, labels),
            brier: brier(risks, labels),
            ece: expected_calibration_error(risks, labels),
        }
    }

    /// Of several runs on the same outcomes; all 0 without any.
    pub fn mean(runs: &[Self]) -> Self {
        let mean =
            |of: fn(&Self) -> f64| runs.iter().map(of).sum::<f64>() / real(runs.len().max(1));
        Self {
            count: runs.first().map_or(0, |run| run.count),
            base_rate: mean(|run| run.base_rate),
            log_loss: mean(|run| run.log_loss),
            auc: mean(|run| run.auc),
            average_precision: mean(|run| run.average_precision),
            brier: mean(|run| run.brier),
            ece: mean(|run| run.ece),
        }
    }
}

fn mean(risks: &[f64], labels: &[f64], of: impl Fn(f64, f64) -> f64) -> f64 {
    let sum: f64 = risks
        .iter()
        .zip(labels)
        .map(|(risk, label)| of(*risk, *label))
        .sum();
    sum / real(risks.len().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RISKS: [f64; 4] = [0.9, 0.6, 0.6, 0.2];
    const LABELS: [f64; 4] = [1.0, 1.0, 0.0, 0.0];

    #[test]
    fn measures_match_sums_by_hand() {
        // Of the four pairs three are in order and one ties.
        assert!((auc(&RISKS, &LABELS) - 3.5 / 4.0).abs() < 1e-12);
        assert!((brier(&RISKS, &LABELS) - (0.01 + 0.16 + 0.36 + 0.04) / 4.0).abs() < 1e-12);
        let expected = -(0.9_f64.ln() + 0.6_f64.ln() + 0.4_f64.ln() + 0.8_f64.ln()) / 4.0;
        assert!((log_loss(&RISKS, &LABELS) - expected).abs() < 1e-12);
        // By falling risk: 1 of 1, then 2 of 3 with half of the recall.
        let expected = (1.0 + 2.0 / 3.0) / 2.0;
        assert!((average_precision(&RISKS, &LABELS) - expected).abs() < 1e-12);
        // Bins: {.9: 1}, {.6, .6: 1 of 2}, {.2: 0}.
        let expected = (0.1 + 0.2 + 0.2) / 4.0;
        assert!((expected_calibration_error(&RISKS, &LABELS) - expected).abs() < 1e-12);
    }

    #[test]
    fn one_kind_alone_has_no_order() {
        assert!((auc(&[0.1, 0.9], &[1.0, 1.0]) - 0.5).abs() < 1e-12);
    }
}
