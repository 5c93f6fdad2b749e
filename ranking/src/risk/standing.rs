//! What the recommender says of a cart, as features of risk.

/// How the cart's lines stand among what the recommender would offer.
#[derive(Copy, Clone, Debug, Default, PartialEq)]
pub struct Standing {
    mean: Option<f64>,
    least: Option<f64>,
    margin: Option<f64>,
}

impl Standing {
    /// Mean of the fused scores of the cart's lines.
    pub const MEAN: &'static str = "retrieval.cart_score_mean";
    /// Least of the fused scores of the cart's lines.
    pub const LEAST: &'static str = "retrieval.cart_score_least";
    /// How far the best item outside of the cart is above the mean of the lines.
    pub const MARGIN: &'static str = "retrieval.best_margin";
    pub const NAMES: [&'static str; 3] = [Self::MEAN, Self::LEAST, Self::MARGIN];

    /// `lines`: the scores of the cart's lines that the recommender knows. `best`: that of the best
    /// item that it would offer instead. What cannot be said is missing, and not 0.
    pub fn new(lines: impl IntoIterator<Item = f64>, best: Option<f64>) -> Self {
        let (mut sum, mut count, mut least) = (0.0, 0.0, f64::INFINITY);
        for score in lines {
            sum += score;
            count += 1.0;
            least = least.min(score);
        }
        if count < 1.0 {
            return Self::default();
        }
        let mean = sum / count;
        Self {
            mean: Some(mean),
            least: Some(least),
            margin: best.map(|best| best - mean),
        }
    }

    /// The value of one of [`Self::NAMES`].
    pub fn value(&self, name: &str) -> Option<f64> {
        match name {
            Self::MEAN => self.mean,
            Self::LEAST => self.least,
            Self::MARGIN => self.margin,
            _ => None,
        }
    }

    pub fn is_name(name: &str) -> bool {
        Self::NAMES.contains(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(standing: Standing) -> [Option<u64>; 3] {
        Standing::NAMES.map(|name| standing.value(name).map(f64::to_bits))
    }

    #[test]
    fn lines_stand_against_each_other_and_against_the_best_other_item() {
        let expected = [0.5, 0.25, 0.5].map(|value: f64| Some(value.to_bits()));
        assert_eq!(values(Standing::new([0.75, 0.25], Some(1.0))), expected);
    }

    #[test]
    fn what_the_recommender_does_not_know_is_missing() {
        assert_eq!(values(Standing::new([], Some(1.0))), [None; 3]);
        let alone = Standing::new([0.5], None);
        assert_eq!(alone.value(Standing::MARGIN), None);
        assert!(alone.value(Standing::MEAN).is_some());
        assert_eq!(alone.value("shopper.idle_s"), None);
    }
}
