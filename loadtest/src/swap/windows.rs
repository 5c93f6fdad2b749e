//! The p99 of the swaps beside that of the quiet windows around them.

use std::time::{Duration, Instant};

use super::load::Sample;

/// A time in which requests were to leave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    from: Instant,
    to: Instant,
}

impl Window {
    pub(crate) fn since(from: Instant) -> Self {
        Self {
            from,
            to: Instant::now(),
        }
    }

    pub(crate) fn took(&self) -> Duration {
        self.to.duration_since(self.from)
    }

    /// In milliseconds; `None` without requests.
    pub(crate) fn p99_ms(&self, samples: &[Sample]) -> Option<f64> {
        let inside = |sample: &&Sample| self.from <= sample.intended && sample.intended < self.to;
        let mut times: Vec<f64> = samples
            .iter()
            .filter(inside)
            .map(|sample| sample.latency.as_secs_f64() * 1_000.0)
            .collect();
        quantile(&mut times, 0.99)
    }
}

/// Quiet windows, and a swap between each two of them.
#[derive(Debug)]
pub(crate) struct Windows {
    first: Window,
    /// Each swap, and the quiet window after it.
    rest: Vec<(Window, Window)>,
}

impl Windows {
    pub(crate) fn begin(quiet: Window) -> Self {
        Self {
            first: quiet,
            rest: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, swap: Window, quiet: Window) {
        self.rest.push((swap, quiet));
    }

    pub(crate) fn swaps(&self) -> impl ExactSizeIterator<Item = &Window> {
        self.rest.iter().map(|(swap, _)| swap)
    }

    /// Of each swap the quiet p99 and its own, in milliseconds. One generation answers before a swap
    /// and another after it, at different costs; the swap's own window has both. So the quiet p99 is
    /// the geometric mean of the windows on its two sides.
    pub(crate) fn p99_pairs_ms(&self, samples: &[Sample]) -> Vec<(f64, f64)> {
        let p99 = |window: &Window| window.p99_ms(samples).unwrap_or_default();
        let mut before = p99(&self.first);
        let pair = |(swap, quiet)| {
            let after = p99(quiet);
            let quiet = (before * after).sqrt();
            before = after;
            (quiet, p99(swap))
        };
        self.rest
            .iter()
            .map(|(swap, quiet)| (swap, quiet))
            .map(pair)
            .collect()
    }
}

/// The value that a share of all lies at or below.
pub(crate) fn quantile(values: &mut [f64], share: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let count = values.len();
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place among at most some millions"
    )]
    let place = ((count as f64 * share).ceil() as usize).saturating_sub(1);
    values.get(place.min(count.checked_sub(1)?)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_a_value_that_was_measured() {
        let mut values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert_eq!(quantile(&mut values, 0.99), Some(198.0));
        assert_eq!(quantile(&mut values, 0.5), Some(100.0));
        assert_eq!(quantile(&mut [7.0], 0.99), Some(7.0));
        assert_eq!(quantile(&mut [], 0.5), None);
    }

    #[test]
    fn a_swap_is_compared_with_the_quiet_windows_on_both_sides() {
        let begin = Instant::now();
        let second = |number: u64| Window {
            from: begin + Duration::from_secs(number),
            to: begin + Duration::from_secs(number + 1),
        };
        let samples: Vec<Sample> = [4, 7, 9, 8, 1]
            .into_iter()
            .zip(0..)
            .map(|(ms, at)| Sample {
                intended: begin + Duration::from_secs(at),
                latency: Duration::from_millis(ms),
            })
            .collect();
        let mut windows = Windows::begin(second(0));
        windows.push(second(1), second(2));
        windows.push(second(3), second(4));
        assert_eq!(windows.p99_pairs_ms(&samples), [(6.0, 7.0), (3.0, 8.0)]);
        assert_eq!(windows.swaps().len(), 2);
    }

    #[test]
    fn a_request_belongs_to_the_window_in_which_it_was_to_leave() {
        let from = Instant::now();
        let window = Window {
            from,
            to: from + Duration::from_secs(1),
        };
        let sample = |at_ms, ms| Sample {
            intended: from + Duration::from_millis(at_ms),
            latency: Duration::from_millis(ms),
        };
        let samples = [sample(0, 5), sample(999, 7), sample(1_000, 100)];
        assert_eq!(window.p99_ms(&samples), Some(7.0));
    }
}
