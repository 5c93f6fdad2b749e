//! Dealing sessions into folds that hold the same share of buyers.

use crate::prng::SplitMix64;

/// The fold of each label, 0 to `folds`: those of one kind are shuffled, then dealt one by one; the
/// next kind goes on where the last one stopped, so that folds are equal in size as well.
pub(super) fn stratified(labels: &[f64], folds: usize, seed: u64) -> Vec<usize> {
    let mut random = SplitMix64::new(seed);
    let mut dealt = vec![0; labels.len()];
    let mut next = 0;
    for is_positive in [true, false] {
        let mut places: Vec<usize> = (0..labels.len())
            .filter(|at| (labels[*at] > 0.5) == is_positive)
            .collect();
        // Fisher and Yates, in Durstenfeld's order.
        for last in (1..places.len()).rev() {
            places.swap(last, below(&mut random, last + 1));
        }
        for place in places {
            dealt[place] = next;
            next = (next + 1) % folds.max(1);
        }
    }
    dealt
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a length is an index below it"
)]
fn below(random: &mut SplitMix64, count: usize) -> usize {
    ((random.unit() * crate::metrics::real(count)) as usize).min(count - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_hold_as_many_sessions_and_as_many_buyers() {
        let labels: Vec<f64> = (0..1_003)
            .map(|at| f64::from(u8::from(at % 7 == 0)))
            .collect();
        let folds = stratified(&labels, 5, 1);
        for fold in 0..5 {
            let members: Vec<usize> = (0..labels.len()).filter(|at| folds[*at] == fold).collect();
            let buyers = members.iter().filter(|at| labels[**at] > 0.5).count();
            assert!((200..=201).contains(&members.len()), "{}", members.len());
            assert!((28..=29).contains(&buyers), "{buyers}");
        }
        assert_eq!(folds, stratified(&labels, 5, 1));
        assert_ne!(folds, stratified(&labels, 5, 2));
    }
}
