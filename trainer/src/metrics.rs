//! Measures of one ranked list against what was wanted, and their means.

/// Whether one of `targets` is among the first `k`.
pub fn hit(ranked: &[u32], targets: &[u32], k: usize) -> f64 {
    if ranked.iter().take(k).any(|item| targets.contains(item)) {
        1.0
    } else {
        0.0
    }
}

/// 1 / place of the first of `targets` among the first `k`, else 0.
pub fn reciprocal_rank(ranked: &[u32], targets: &[u32], k: usize) -> f64 {
    let place = ranked
        .iter()
        .take(k)
        .position(|item| targets.contains(item));
    place.map_or(0.0, |place| 1.0 / real(place + 1))
}

/// Normalised discounted cumulative gain with gain 1 for each wanted item (Järvelin and
/// Kekäläinen, 2002): Σ 1 / log2(place + 1), divided by that of the best order. `wanted` holds
/// each item once.
pub fn ndcg(ranked: &[u32], wanted: &[u32], k: usize) -> f64 {
    let discount = |place: usize| 1.0 / real(place + 2).log2();
    let gained: f64 = (ranked.iter().take(k).enumerate())
        .filter(|(_, item)| wanted.contains(item))
        .map(|(place, _)| discount(place))
        .sum();
    let best: f64 = (0..wanted.len().min(k)).map(discount).sum();
    // A sum of nothing is -0, which reads badly in a table.
    if best > 0.0 { gained / best + 0.0 } else { 0.0 }
}

/// Share of the wanted items among the first `k`. `wanted` holds each item once.
pub fn recall(ranked: &[u32], wanted: &[u32], k: usize) -> f64 {
    if wanted.is_empty() {
        return 0.0;
    }
    let found = ranked
        .iter()
        .take(k)
        .filter(|item| wanted.contains(item))
        .count();
    real(found) / real(wanted.len())
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub(crate) fn real(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANKED: [u32; 5] = [7, 3, 9, 1, 4];

    fn close(found: f64, expected: f64) -> bool {
        (found - expected).abs() < 1e-12
    }

    #[test]
    fn a_hit_depends_on_how_far_one_looks() {
        assert!(close(hit(&RANKED, &[9], 3), 1.0));
        assert!(close(hit(&RANKED, &[9], 2), 0.0));
        assert!(close(hit(&[], &[9], 2), 0.0));
    }

    #[test]
    fn reciprocal_rank_is_one_over_the_place() {
        assert!(close(reciprocal_rank(&RANKED, &[4, 7], 5), 1.0));
        assert!(close(reciprocal_rank(&RANKED, &[1], 5), 0.25));
        assert!(close(reciprocal_rank(&RANKED, &[1], 3), 0.0));
    }

    #[test]
    fn ndcg_matches_a_sum_by_hand() {
        // Wanted at places 1 and 4: (1/log2(2) + 1/log2(5)) / (1/log2(2) + 1/log2(3)).
        let expected = (1.0 + 1.0 / 5_f64.log2()) / (1.0 + 1.0 / 3_f64.log2());
        assert!(close(ndcg(&RANKED, &[7, 1], 5), expected));
        assert!(close(ndcg(&RANKED, &[7], 5), 1.0));
        assert!(close(ndcg(&RANKED, &[], 5), 0.0));
        assert!(close(ndcg(&RANKED, &[8, 6], 5), 0.0));
    }

    #[test]
    fn recall_counts_what_was_found_of_what_was_wanted() {
        assert!(close(recall(&RANKED, &[3, 4, 8, 7], 2), 0.5));
        assert!(close(recall(&RANKED, &[3, 4, 8, 7], 5), 0.75));
    }
}
