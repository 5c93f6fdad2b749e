/// How many allowed rows a walk over lists looks at before it ends.
///
/// A filter that leaves much the same share of every list, as stock does, needs less than one that
/// takes whole lists and leaves others, as a category does. Which one it is shows while walking.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// When the filter takes evenly from the lists met so far.
    pub even: u64,
    /// When it does not, or when that cannot be told yet; not less than `even`.
    pub uneven: u64,
}

impl Budget {
    pub(super) fn at_least(self, k: usize) -> Self {
        let even = self.even.max(k as u64);
        Self {
            even,
            uneven: self.uneven.max(even),
        }
    }
}

impl From<u64> for Budget {
    fn from(rows: u64) -> Self {
        Self {
            even: rows,
            uneven: rows,
        }
    }
}

/// Fewer lists than this say nothing of a filter.
const ENOUGH: u32 = 16;
/// What the mean below may come to.
const LIMIT: f64 = 2.0;

/// Whether the allowed rows of the lists met are as many as even draws would leave: the mean over
/// lists of (found - expected)² ÷ variance, which is 1 for even draws.
#[derive(Copy, Clone, Debug)]
pub(super) struct Evenness {
    share: f64,
    lists: u32,
    sum: f64,
}

impl Evenness {
    pub(super) fn new(eligible: u64, rows: u64) -> Self {
        Self {
            share: float(eligible) / float(rows.max(1)),
            lists: 0,
            sum: 0.0,
        }
    }

    pub(super) fn add(&mut self, rows: u64, eligible: u64) {
        let expected = self.share * float(rows);
        let variance = expected * (1.0 - self.share);
        if variance > 0.0 {
            self.sum += (float(eligible) - expected).powi(2) / variance;
            self.lists += 1;
        }
    }

    pub(super) fn holds(&self) -> bool {
        self.lists >= ENOUGH && self.sum <= LIMIT * f64::from(self.lists)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of rows are far below 2^52"
)]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(counts: impl IntoIterator<Item = u64>) -> bool {
        let mut evenness = Evenness::new(10, 100);
        counts.into_iter().for_each(|found| evenness.add(40, found));
        evenness.holds()
    }

    #[test]
    fn a_tenth_of_each_list_is_even_and_all_or_nothing_is_not() {
        assert!(after([4, 3, 6, 2, 5, 4, 4, 7, 1, 4, 3, 5, 4, 4, 2, 6]));
        assert!(!after([4; 10]), "too few lists");
        assert!(!after([0, 0, 0, 0, 0, 0, 0, 0, 0, 40, 0, 0, 0, 0, 0, 0]));
        assert!(!after([40; 16]));
        assert!(!after([0; 16]), "lists that a category left out");
    }
}
