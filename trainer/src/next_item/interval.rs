use super::Score;
use crate::metrics::real;
use crate::prng::SplitMix64;

/// A difference of means with the bounds that hold 95 % of its resampled values.
#[derive(Copy, Clone, Debug, Default, PartialEq)]
pub struct Interval {
    pub mean: f64,
    pub low: f64,
    pub high: f64,
}

const RESAMPLES: usize = 2_000;
const SEED: u64 = 1;

/// How much MRR `ours` has over `theirs` on the same sessions. Whole sessions are drawn again
/// (with replacement), because the predictions of one are not independent.
#[must_use]
pub fn paired(ours: &Score, theirs: &Score) -> Interval {
    let pairs: Vec<(f64, usize)> = (ours.sessions.iter())
        .zip(&theirs.sessions)
        .map(|(a, b)| (a.reciprocal_ranks - b.reciprocal_ranks, a.predictions))
        .collect();
    if pairs.is_empty() {
        return Interval::default();
    }
    let mut random = SplitMix64::new(SEED);
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| mean((0..pairs.len()).map(|_| pairs[draw(&mut random, pairs.len())])))
        .collect();
    means.sort_by(f64::total_cmp);
    Interval {
        mean: mean(pairs.iter().copied()),
        low: means[RESAMPLES / 40],
        high: means[RESAMPLES - 1 - RESAMPLES / 40],
    }
}

fn mean(pairs: impl Iterator<Item = (f64, usize)>) -> f64 {
    let (sum, count) = pairs.fold((0.0, 0), |(sum, count), (d, n)| (sum + d, count + n));
    sum / real(count.max(1))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a length is an index below it"
)]
fn draw(random: &mut SplitMix64, below: usize) -> usize {
    ((random.unit() * real(below)) as usize).min(below - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::next_item::SessionScore;

    fn score(values: &[f64]) -> Score {
        let one = |&reciprocal_ranks: &f64| SessionScore {
            predictions: 1,
            hits: 1.0,
            reciprocal_ranks,
        };
        Score {
            k: 20,
            sessions: values.iter().map(one).collect(),
        }
    }

    #[test]
    fn a_method_does_not_differ_from_itself() {
        let same = score(&[0.5, 0.1, 1.0]);
        assert_eq!(paired(&same, &same), Interval::default());
    }

    #[test]
    fn the_bounds_of_noise_hold_the_normal_approximation() {
        // Differences of ±1 in turn: mean 0, standard error 1 / √400 = 0.05.
        let ours: Vec<f64> = (0..400).map(|at| f64::from(at % 2) * 2.0).collect();
        let found = paired(&score(&ours), &score(&[1.0; 400]));
        assert!(found.mean.abs() < 1e-12);
        assert!((found.low + 0.098).abs() < 0.015 && (found.high - 0.098).abs() < 0.015);
    }
}
