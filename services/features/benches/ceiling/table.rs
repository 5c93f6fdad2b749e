//! What was found, as a table.

use std::fmt::Write as _;

use crate::Plan;
use crate::drive::{Target, Windows};

/// Of a paired ratio over rounds: its geometric mean with 95 % bounds (Student's t on logarithms).
fn ratio(windows: &Windows, of: Target, to: Target) -> (f64, f64, f64) {
    let logs: Vec<f64> = windows
        .iter()
        .map(|rates| (rates[of as usize] / rates[to as usize]).ln())
        .collect();
    let count = logs.len() as f64;
    let mean = logs.iter().sum::<f64>() / count;
    let spread = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    // Of 8 to 20 rounds; a few thousandths too wide above.
    let half = 2.36 * (spread / count).sqrt();
    (mean.exp(), (mean - half).exp(), (mean + half).exp())
}

fn median(windows: &Windows, of: Target) -> f64 {
    let mut rates: Vec<f64> = windows.iter().map(|rates| rates[of as usize]).collect();
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

pub(crate) fn render(entities: usize, plan: &Plan, windows: &Windows) -> String {
    let mut text = format!(
        "{entities} × 50 features, {} in flight, {} windows of {:?} each\n",
        plan.in_flight, plan.rounds, plan.window
    );
    for target in Target::ALL {
        let (mean, low, high) = ratio(windows, Target::GetFeatures, target);
        let (name, rate) = (target.describe(), median(windows, target));
        let _ = writeln!(
            text,
            "  {name:<30} {rate:>9.0}/s   GetFeatures reaches {mean:.3} of it ({low:.3} to {high:.3})"
        );
    }
    text
}
