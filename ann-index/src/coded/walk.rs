use std::cmp::Reverse;

/// Lists in order of what they promise, best first; ties by number. Only as many are sorted as are
/// asked for, because most searches look at a few of thousands.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    scratch: &'a mut Order,
    /// Next of the sorted ones.
    at: usize,
    /// How many are sorted.
    sorted: usize,
}

/// Memory that searches of one thread share.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// What each list promises.
    pub(super) scores: Vec<f32>,
    keys: Vec<Reverse<u64>>,
    sample: Vec<f32>,
}

/// One in so many lists is looked at to guess which score the wanted ones reach.
const SAMPLE: usize = 16;

impl<'a> Walk<'a> {
    /// `wanted` is a guess of how many will be asked for.
    pub(super) fn new(order: &'a mut Order, wanted: usize) -> Self {
        let mut walk = Self {
            scratch: order,
            at: 0,
            sorted: 0,
        };
        walk.sort_first(wanted.max(1));
        walk
    }

    /// Sorts those that reach a score which about `wanted` do.
    fn sort_first(&mut self, wanted: usize) {
        let Order {
            scores,
            keys,
            sample,
        } = &mut *self.scratch;
        sample.clear();
        sample.extend(scores.iter().step_by(SAMPLE));
        keys.clear();
        let rank = wanted / SAMPLE + 2;
        if rank < sample.len() {
            let (_, bar, _) = sample.select_nth_unstable_by(rank, |a, b| b.total_cmp(a));
            let bar = *bar;
            let lists = (0u32..).zip(scores.iter());
            keys.extend(
                lists
                    .filter(|(_, score)| **score >= bar)
                    .map(|(list, score)| key(*score, list)),
            );
        }
        if keys.len() < wanted.min(scores.len()) {
            self.sort_all();
            return;
        }
        keys.sort_unstable();
        self.sorted = keys.len();
    }

    fn sort_all(&mut self) {
        let Order { scores, keys, .. } = &mut *self.scratch;
        keys.clear();
        keys.extend(
            (0u32..)
                .zip(scores.iter())
                .map(|(list, score)| key(*score, list)),
        );
        keys.sort_unstable();
        self.sorted = keys.len();
    }
}

impl Iterator for Walk<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.at == self.sorted && self.sorted < self.scratch.scores.len() {
            // The guess was too low. What was sorted is the beginning of the whole order.
            self.sort_all();
        }
        let Reverse(key) = *self.scratch.keys.get(self.at)?;
        self.at += 1;
        Some(usize::try_from(!key & u64::from(u32::MAX)).unwrap_or(usize::MAX))
    }
}

/// Greater for a higher score, then for a lower number.
fn key(score: f32, list: u32) -> Reverse<u64> {
    let bits = score.to_bits();
    let ordered = if bits >> 31 == 1 {
        !bits
    } else {
        bits | 1 << 31
    };
    Reverse(u64::from(ordered) << 32 | u64::from(!list))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn goes_through_all_lists_from_the_best(
            scores in prop::collection::vec(-4i8..4, 0..300),
            wanted in 0usize..400,
        ) {
            let scores: Vec<f32> = scores.into_iter().map(|x| f32::from(x) / 3.0).collect();
            let mut expected: Vec<usize> = (0..scores.len()).collect();
            expected.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
            let mut order = Order { scores, ..Order::default() };
            prop_assert_eq!(Walk::new(&mut order, wanted).collect::<Vec<_>>(), expected);
        }
    }
}
