//! How sure a measured difference is: clusters are drawn again, with replacement.
//!
//! What is drawn are whole sessions, baskets or shoppers, because the predictions of one are not
//! independent; and both methods are measured on the same draws, so that what is hard for both
//! does not widen the interval (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993,
//! chapter 13: the percentile interval).

use rayon::prelude::*;
pub use snapshot::Bounds;

use crate::metrics::real;
use crate::prng::SplitMix64;

pub const RESAMPLES: usize = 2_000;
const SEED: u64 = 1;

/// The statistic of all clusters, and the bounds that hold 95 % of its values over resamples of
/// them. `statistic` gets the numbers of the clusters, 0 to `clusters`, some more than once; where
/// it has no value, as the area under a curve of one class, it says NaN, which is left out.
///
/// `None` when there are no clusters, or no value.
pub fn interval(clusters: usize, statistic: impl Fn(&[usize]) -> f64 + Sync) -> Option<Bounds> {
    let all: Vec<usize> = (0..clusters).collect();
    let mean = statistic(&all);
    if clusters == 0 || !mean.is_finite() {
        return None;
    }
    // Each resample has a seed of its own, so that threads do not decide what is drawn.
    let mut seeds = SplitMix64::new(SEED);
    let seeds: Vec<u64> = (0..RESAMPLES).map(|_| seeds.next()).collect();
    let mut values: Vec<f64> = seeds
        .into_par_iter()
        .map_init(
            || vec![0; clusters],
            |drawn, seed| {
                let mut random = SplitMix64::new(seed);
                drawn.fill_with(|| draw(&mut random, clusters));
                statistic(drawn)
            },
        )
        .filter(|value| value.is_finite())
        .collect();
    values.sort_by(f64::total_cmp);
    let tail = values.len() / 40;
    Some(Bounds {
        mean,
        low: values.get(tail).copied().unwrap_or(mean),
        high: values.iter().rev().nth(tail).copied().unwrap_or(mean),
    })
}

/// [`interval`] of a mean over predictions: of each cluster the sum of its differences, and how
/// many there are.
#[must_use]
pub fn paired(clusters: &[(f64, usize)]) -> Option<Bounds> {
    interval(clusters.len(), |drawn| {
        let add = |(sum, count): (f64, usize), at: &usize| {
            let (d, n) = clusters.get(*at).copied().unwrap_or_default();
            (sum + d, count + n)
        };
        let (sum, count) = drawn.iter().fold((0.0, 0), add);
        // Clusters without a prediction can be drawn alone.
        if count == 0 {
            f64::NAN
        } else {
            sum / real(count)
        }
    })
}

/// [`paired`] of `ours` − `theirs`, prediction by prediction, each in the cluster of that number.
#[must_use]
pub fn difference(ours: &[f64], theirs: &[f64], clusters: &[usize]) -> Option<Bounds> {
    let count = clusters.iter().max().map_or(0, |most| most + 1);
    let mut sums = vec![(0.0, 0); count];
    for ((a, b), cluster) in ours.iter().zip(theirs).zip(clusters) {
        sums[*cluster].0 += a - b;
        sums[*cluster].1 += 1;
    }
    sums.retain(|(_, count)| *count > 0);
    paired(&sums)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a length is an index below it"
)]
fn draw(random: &mut SplitMix64, below: usize) -> usize {
    ((random.unit() * real(below)) as usize).min(below.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_does_not_differ_from_itself() {
        let same = [0.5, 0.1, 1.0];
        let found = difference(&same, &same, &[0, 1, 2]).unwrap();
        assert_eq!(found, Bounds::default());
    }

    #[test]
    fn the_bounds_of_noise_hold_the_normal_approximation() {
        // Differences of ±1 in turn: mean 0, standard error 1 / √400 = 0.05.
        let noise: Vec<(f64, usize)> = (0..400)
            .map(|at| (f64::from(at % 2) * 2.0 - 1.0, 1))
            .collect();
        let found = paired(&noise).unwrap();
        assert!(found.mean.abs() < 1e-12);
        assert!((found.low + 0.098).abs() < 0.01 && (found.high - 0.098).abs() < 0.01);
    }

    #[test]
    fn predictions_of_one_cluster_are_drawn_together() {
        let ours: Vec<f64> = (0..400).map(|at| f64::from(at / 10 % 2) * 2.0).collect();
        let alone: Vec<usize> = (0..400).collect();
        let together: Vec<usize> = (0..400).map(|at| at / 10).collect();
        let width = |clusters| {
            let found = difference(&ours, &[1.0; 400], clusters).unwrap();
            found.high - found.low
        };
        let ratio = width(&together) / width(&alone);
        assert!((ratio - 10_f64.sqrt()).abs() < 0.5, "{ratio}");
    }

    #[test]
    fn nothing_has_no_interval_and_the_number_of_threads_has_no_say() {
        assert_eq!(difference(&[], &[], &[]), None);
        assert_eq!(interval(3, |_| f64::NAN), None);
        let clusters: Vec<(f64, usize)> = (0..50_u32)
            .map(|at| (f64::from(at), [1, 2, 3][at as usize % 3]))
            .collect();
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.unwrap().install(|| paired(&clusters))
        };
        assert_eq!(on(1), on(3));
    }
}
