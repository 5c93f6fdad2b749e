//! How long a shopper is usually idle, and so when they have left.
//!
//! Gaps between two acts of one person are taken as exponential with a rate that differs from
//! person to person as a gamma distribution; the next gap of somebody of whom `n` gaps are known
//! that sum to `S` then follows a Lomax distribution (Hardie and Fader, *Applied Probability
//! Models in Marketing Research*, and the counting models of Fader, Hardie, Lee, Marketing Science
//! 24, 2005):
//!
//! > P(gap > t) = (β / (β + t))^α  with  α = w + 1 + n,  β = w · prior gap + S
//!
//! where the prior weighs as much as `w` gaps. They have left when a gap this long would be as
//! rare as `tail`:
//!
//! > idle = β · (tail^(−1/α) − 1), held between the least and the most
//!
//! The same formula tells a cart that is left, with the gaps between the acts of a visit, and a
//! buyer who lapsed, with the gaps between their purchases.

/// What is known of a person's gaps.
#[derive(Copy, Clone, Debug, Default, PartialEq)]
pub struct Pace {
    pub gaps: u32,
    pub sum_ms: f64,
}

impl Pace {
    /// From a count and a mean in seconds, as the features have them.
    #[must_use]
    pub fn of_mean(gaps: u32, mean_s: f64) -> Self {
        Self {
            gaps,
            sum_ms: mean_s * 1_000.0 * f64::from(gaps),
        }
    }
}

/// How the idle time is found.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Rhythm {
    /// Mean gap of somebody of whom nothing is known.
    pub prior_gap_ms: i64,
    /// How many gaps of their own weigh as much as the prior.
    pub prior_weight: f64,
    /// How rare a gap must be to count as leaving, between 0 and 1.
    pub tail: f64,
    pub least_ms: i64,
    pub most_ms: i64,
}

impl Rhythm {
    /// How long without an act means that the shopper has left. A pace that makes no sense counts
    /// as none; the answer always lies between the least and the most.
    #[must_use]
    pub fn idle_ms(&self, pace: Pace) -> i64 {
        let sane = pace.sum_ms.is_finite() && pace.sum_ms >= 0.0;
        let known = if sane { pace } else { Pace::default() };
        let shape = self.prior_weight + 1.0 + f64::from(known.gaps);
        let scale = self.prior_weight * crate::money::as_f64(self.prior_gap_ms) + known.sum_ms;
        let idle = scale * (self.tail.powf(-1.0 / shape) - 1.0);
        let idle = crate::money::round_half_away(idle);
        idle.min(self.most_ms).max(self.least_ms)
    }
}
