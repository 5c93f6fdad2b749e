use std::cmp::Ordering;

use crate::Hit;

/// Best first; ties by id.
pub(crate) fn best_first(a: &Hit, b: &Hit) -> Ordering {
    b.score.total_cmp(&a.score).then(a.id.cmp(&b.id))
}

/// Keeps the k best of many hits: collects up to twice as many, then throws the worse half away.
/// A heap would do the same work with a worse memory pattern.
#[derive(Debug)]
pub(crate) struct Top<'a> {
    hits: &'a mut Vec<Hit>,
    k: usize,
    /// The k-th best of those seen up to the last cut; nothing behind it can get in.
    bar: Option<Hit>,
}

impl<'a> Top<'a> {
    pub(crate) fn new(k: usize, hits: &'a mut Vec<Hit>) -> Self {
        hits.clear();
        Self { hits, k, bar: None }
    }

    #[inline]
    pub(crate) fn push(&mut self, hit: Hit) {
        if self.bar.is_some_and(|bar| best_first(&hit, &bar).is_ge()) {
            return;
        }
        self.hits.push(hit);
        if self.hits.len() >= self.k.saturating_mul(2).saturating_add(64) {
            self.cut();
        }
    }

    pub(crate) fn finish(mut self) {
        self.cut();
        self.hits.sort_unstable_by(best_first);
    }

    fn cut(&mut self) {
        if self.hits.len() > self.k && self.k > 0 {
            let (_, bar, _) = self.hits.select_nth_unstable_by(self.k - 1, best_first);
            self.bar = Some(*bar);
        }
        self.hits.truncate(self.k);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keeps_what_sorting_everything_would_keep(
            scores in prop::collection::vec(-3i8..3, 0..600),
            k in 1usize..40,
        ) {
            let all: Vec<Hit> = (0u32..).zip(&scores)
                .map(|(id, &score)| Hit { id, score: f32::from(score) })
                .collect();
            let mut kept = Vec::new();
            let mut top = Top::new(k, &mut kept);
            all.iter().for_each(|&hit| top.push(hit));
            top.finish();
            let mut sorted = all;
            sorted.sort_by(best_first);
            sorted.truncate(k);
            prop_assert_eq!(kept, sorted);
        }
    }
}
