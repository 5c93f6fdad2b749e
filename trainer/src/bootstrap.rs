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

/// The statistics of all clusters, and the bounds that hold 95 % of their values over resamples of
/// them. `statistics` gets the numbers of the clusters, 0 to `clusters`, some more than once; where
/// one has no value, as the area under a curve of one class, it says NaN, which is left out.
///
/// `None` when there are no clusters, or a statistic of all has no value.
pub fn intervals<const N: usize>(
    clusters: usize,
    statistics: impl Fn(&[usize]) -> [f64; N] + Sync,
) -> Option<[Bounds; N]> {
    let all: Vec<usize> = (0..clusters).collect();
    let means = statistics(&all);
    if clusters == 0 || means.iter().any(|mean| !mean.is_finite()) {
        return None;
    }
    // Each resample has a seed of its own, so that threads do not decide what is drawn.
    let mut seeds = SplitMix64::new(SEED);
    let seeds: Vec<u64> = (0..RESAMPLES).map(|_| seeds.next()).collect();
    let resampled: Vec<[f64; N]> = seeds
        .into_par_iter()
        .map_init(
            || vec![0; clusters],
            |drawn, seed| {
                let mut random = SplitMix64::new(seed);
                drawn.fill_with(|| draw(&mut random, clusters));
                statistics(drawn)
            },
        )
        .collect();
    Some(std::array::from_fn(|at| {
        bounds(means[at], resampled.iter().map(|values| values[at]))
    }))
}

/// [`intervals`] of one statistic.
pub fn interval(clusters: usize, statistic: impl Fn(&[usize]) -> f64 + Sync) -> Option<Bounds> {
    intervals(clusters, |drawn| [statistic(drawn)]).map(|[bounds]| bounds)
}

fn bounds(mean: f64, values: impl Iterator<Item = f64>) -> Bounds {
    let mut values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    let tail = values.len() / 40;
    Bounds {
        mean,
        low: values.get(tail).copied().unwrap_or(mean),
        high: values.iter().rev().nth(tail).copied().unwrap_or(mean),
    }
}

/// [`intervals`] of means over predictions: of each cluster the sums of its differences, and how
/// many predictions there are.
#[must_use]
pub fn paired<const N: usize>(clusters: &[([f64; N], usize)]) -> Option<[Bounds; N]> {
    intervals(clusters.len(), |drawn| {
        let (mut sums, mut count) = ([0.0; N], 0);
        for (differences, predictions) in drawn.iter().filter_map(|at| clusters.get(*at)) {
            count += predictions;
            for (sum, difference) in sums.iter_mut().zip(differences) {
                *sum += difference;
            }
        }
        // Clusters without a prediction can be drawn alone.
        let count = if count == 0 { f64::NAN } else { real(count) };
        sums.map(|sum| sum / count)
    })
}

/// [`paired`] of `ours` − `theirs`, prediction by prediction, each in the cluster of that number.
#[must_use]
pub fn difference<const N: usize>(
    ours: &[[f64; N]],
    theirs: &[[f64; N]],
    clusters: &[usize],
) -> Option<[Bounds; N]> {
    let count = clusters.iter().max().map_or(0, |most| most + 1);
    let mut sums = vec![([0.0; N], 0); count];
    for ((a, b), cluster) in ours.iter().zip(theirs).zip(clusters) {
        let (sum, predictions) = &mut sums[*cluster];
        *predictions += 1;
        for (at, place) in sum.iter_mut().enumerate() {
            *place += a[at] - b[at];
        }
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
        let same = [[0.5], [0.1], [1.0]];
        let found = difference(&same, &same, &[0, 1, 2]).unwrap();
        assert_eq!(found, [Bounds::default()]);
    }

    #[test]
    fn the_bounds_of_noise_hold_the_normal_approximation() {
        // Differences of ±1 in turn: mean 0, standard error 1 / √400 = 0.05.
        let noise = |at: i32| ([f64::from(at % 2) * 2.0 - 1.0], 1);
        let [found] = paired(&(0..400).map(noise).collect::<Vec<_>>()).unwrap();
        assert!(found.mean.abs() < 1e-12);
        assert!((found.low + 0.098).abs() < 0.01 && (found.high - 0.098).abs() < 0.01);
    }

    #[test]
    fn predictions_of_one_cluster_are_drawn_together() {
        let ours: Vec<[f64; 1]> = (0..400).map(|at| [f64::from(at / 10 % 2) * 2.0]).collect();
        let alone: Vec<usize> = (0..400).collect();
        let together: Vec<usize> = (0..400).map(|at| at / 10).collect();
        let width = |clusters| {
            let [found] = difference(&ours, &[[1.0]; 400], clusters).unwrap();
            found.high - found.low
        };
        let ratio = width(&together) / width(&alone);
        assert!((ratio - 10_f64.sqrt()).abs() < 0.5, "{ratio}");
    }

    #[test]
    fn nothing_has_no_interval_and_the_number_of_threads_has_no_say() {
        assert_eq!(difference::<1>(&[], &[], &[]), None);
        assert_eq!(interval(3, |_| f64::NAN), None);
        let cluster = |at: u32| ([f64::from(at), 1.0], [1, 2, 3][at as usize % 3]);
        let clusters: Vec<([f64; 2], usize)> = (0..50).map(cluster).collect();
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.unwrap().install(|| paired(&clusters))
        };
        assert_eq!(on(1), on(3));
    }
}
