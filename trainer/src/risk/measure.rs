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

/// Distance between mean risk and share of positives, over ten bins of equal width weighted by
/// their size.
pub fn expected_calibration_error(risks: &[f64], labels: &[f64]) -> f64 {
    let mut bins = [(0.0, 0.0); BINS];
    for (risk, label) in risks.iter().zip(labels) {
        let bin = (1..BINS)
            .take_while(|bin| *risk >= real(*bin) / real(BINS))
            .count();
        bins[bin].0 += risk;
        bins[bin].1 += label;
    }
    let distance: f64 = bins.iter().map(|(risk, label)| (risk - label).abs()).sum();
    distance / real(risks.len().max(1))
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
        // Bins: {.9: 1}, {.6, .6: 1 of 2}, {.2: 0}.
        let expected = (0.1 + 0.2 + 0.2) / 4.0;
        assert!((expected_calibration_error(&RISKS, &LABELS) - expected).abs() < 1e-12);
    }

    #[test]
    fn one_kind_alone_has_no_order() {
        assert!((auc(&[0.1, 0.9], &[1.0, 1.0]) - 0.5).abs() < 1e-12);
    }
}
