//! Small statistics: means with their spread, and intervals by Student's t.

/// Mean and spread of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) count: f64,
    pub(crate) mean: f64,
    /// Of the mean, not of one value.
    pub(crate) variance: f64,
}

/// t at 97.5 % for 1 to 30 degrees of freedom (any table of Student's distribution).
const T: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
];
/// At infinity, and how it gets there: `1.960 + 2.4 / f` is right to 0.002 beyond the table.
const NORMAL: f64 = 1.960;
const TOWARDS_NORMAL: f64 = 2.4;

/// How many spreads of the mean a 95 % interval reaches to each side.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "degrees of freedom rounded down, from 1 to 30"
)]
pub(crate) fn t_95(freedom: f64) -> f64 {
    let row = (freedom.max(1.0) as usize).checked_sub(1);
    let listed = row.and_then(|row| T.get(row));
    listed.map_or_else(|| NORMAL + TOWARDS_NORMAL / freedom, |t| *t)
}

/// A sample of independent values; nothing of fewer than two.
#[expect(clippy::cast_precision_loss, reason = "a count of windows")]
pub(crate) fn independent(values: &[f64]) -> Option<Sample> {
    let count = values.len() as f64;
    if values.len() < 2 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some(Sample {
        count,
        mean,
        variance: squares / (count - 1.0) / count,
    })
}

/// The same for values in the order of time, of which one resembles the next: they count as fewer,
/// by the correlation of neighbours (Bartlett's formula for a first-order process).
pub(crate) fn in_time(values: &[f64]) -> Option<Sample> {
    let plain = independent(values)?;
    let deviation: Vec<f64> = values.iter().map(|value| value - plain.mean).collect();
    let all: f64 = deviation.iter().map(|d| d * d).sum();
    let neighbours: f64 = deviation
        .windows(2)
        .filter_map(|pair| Some(pair.first()? * pair.last()?))
        .sum();
    let correlation = if all > 0.0 { neighbours / all } else { 0.0 };
    let correlation = correlation.clamp(0.0, 0.9);
    let inflation = (1.0 + correlation) / (1.0 - correlation);
    Some(Sample {
        count: (plain.count / inflation).max(2.0),
        mean: plain.mean,
        variance: plain.variance * inflation,
    })
}

/// An interval that holds the truth 19 times of 20.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Interval {
    pub(crate) middle: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Sample {
    pub(crate) fn interval(self) -> Interval {
        let reach = t_95(self.count - 1.0) * self.variance.sqrt();
        Interval {
            middle: self.mean,
            low: self.mean - reach,
            high: self.mean + reach,
        }
    }

    /// Of the other's mean less this one's (Welch, "The generalization of Student's problem", 1947).
    pub(crate) fn to(self, other: Self) -> Interval {
        let variance = self.variance + other.variance;
        let part = |s: Self| s.variance.powi(2) / (s.count - 1.0).max(1.0);
        let parts = part(self) + part(other);
        let freedom = if parts > 0.0 {
            variance.powi(2) / parts
        } else {
            self.count + other.count - 2.0
        };
        let middle = other.mean - self.mean;
        let reach = t_95(freedom) * variance.sqrt();
        Interval {
            middle,
            low: middle - reach,
            high: middle + reach,
        }
    }
}

impl Interval {
    /// Of logarithms, as ratios.
    pub(crate) fn exp(self) -> Self {
        Self {
            middle: self.middle.exp(),
            low: self.low.exp(),
            high: self.high.exp(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn t_falls_towards_the_normal_distribution() {
        assert!((t_95(1.0) - 12.706).abs() < 1e-9);
        assert!((t_95(9.4) - 2.262).abs() < 1e-9);
        assert!((t_95(60.0) - 2.000).abs() < 0.002);
        assert!((t_95(1e9) - 1.960).abs() < 1e-6);
    }

    #[test]
    fn an_interval_holds_the_mean_nineteen_times_of_twenty() {
        let mut random = Random::new(11);
        let mut normal = || (0..12).map(|_| random.unit()).sum::<f64>() - 6.0;
        let mut held = 0;
        for _ in 0..2_000 {
            let values: Vec<f64> = (0..6).map(|_| normal()).collect();
            let interval = independent(&values).unwrap().interval();
            held += u32::from(interval.low <= 0.0 && 0.0 <= interval.high);
        }
        assert!((1_870..=1_930).contains(&held), "{held} of 2000");
    }

    #[test]
    fn neighbours_that_resemble_each_other_widen_the_interval() {
        let steps: Vec<f64> = (0..40).map(|n| f64::from(n / 10)).collect();
        let shuffled: Vec<f64> = (0..40).map(|n| f64::from(n % 4)).collect();
        let wide = in_time(&steps).unwrap();
        let plain = in_time(&shuffled).unwrap();
        assert!(wide.variance > 5.0 * plain.variance, "{wide:?} {plain:?}");
        assert!(independent(&[1.0]).is_none());
    }

    #[test]
    fn two_samples_differ_by_the_difference_of_their_means() {
        let sample = |mean: f64| Sample {
            count: 10.0,
            mean,
            variance: 0.01,
        };
        let interval = sample(1.0).to(sample(2.0));
        assert!((interval.middle - 1.0).abs() < 1e-12);
        // Welch's freedom of two such samples is 18.
        assert!((interval.high - 1.0 - 2.101 * 0.02_f64.sqrt()).abs() < 1e-9);
    }
}
