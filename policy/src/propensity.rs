//! Exploration: now and then another arm than the best, with a probability that is logged.
//!
//! With ε of the probability every arm that may be explored is drawn alike, with the rest the best
//! is taken (ε-greedy; Sutton and Barto, *Reinforcement Learning*, 2018, section 2.2):
//!
//! > propensity = ε / k, and 1 − ε + ε / k for the best of `k` arms
//!
//! The probabilities are those after all filters: an arm that may not be chosen has 0 and is not
//! counted in `k`. An arm that is worth much less than the best is not explored either, so what
//! exploring costs is at most ε × `max_regret` a decision. The draw is a function of the seed.

/// How much is explored.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Exploration {
    epsilon: f64,
    max_regret: f64,
}

/// An exploration that makes no sense.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ExplorationError {
    #[error("epsilon is {0}, it has to be a probability, 0 to 1")]
    Epsilon(f64),
    #[error("max_regret is {0}, it has to be an amount in minor units of 0 or more")]
    MaxRegret(f64),
}

/// What was drawn, with the probabilities it was drawn by.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drawn {
    /// Position of the arm.
    pub chosen: usize,
    /// Whether it is another arm than the best.
    pub explored: bool,
    /// For every arm, in their order; they sum to 1.
    pub propensities: Vec<f64>,
}

impl Exploration {
    /// Always the best arm.
    pub const NONE: Exploration = Exploration {
        epsilon: 0.0,
        max_regret: 0.0,
    };

    /// `max_regret` is in minor units, and may be infinite.
    ///
    /// # Errors
    /// A probability outside 0 to 1, an amount below zero or that is not a number.
    pub fn new(epsilon: f64, max_regret: f64) -> Result<Self, ExplorationError> {
        if !(0.0..=1.0).contains(&epsilon) {
            return Err(ExplorationError::Epsilon(epsilon));
        }
        if max_regret.is_nan() || max_regret < 0.0 {
            return Err(ExplorationError::MaxRegret(max_regret));
        }
        Ok(Self {
            epsilon,
            max_regret,
        })
    }

    #[must_use]
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// Draws one of the arms: for each its value, or `None` when it may not be chosen. Of equal
    /// values the first is the best. `None` when no arm may be chosen.
    #[must_use]
    pub fn draw(&self, arms: &[Option<f64>], seed: u64) -> Option<Drawn> {
        let best = best(arms)?;
        let most = arms.get(best).copied().flatten()?;
        let near = |value: f64| value.is_finite() && most - value <= self.max_regret;
        let explorable = |value: &Option<f64>| value.is_some_and(near);
        let count = arms.iter().filter(|value| explorable(value)).count();
        let share = self.epsilon / f64::from(u32::try_from(count.max(1)).unwrap_or(u32::MAX));
        let propensity = |(place, value): (usize, &Option<f64>)| match (place == best, value) {
            (true, _) => 1.0 - self.epsilon + share,
            (false, value) if explorable(value) => share,
            (false, _) => 0.0,
        };
        let propensities: Vec<f64> = arms.iter().enumerate().map(propensity).collect();
        let chosen = self.pick(arms, best, &explorable, count, seed);
        Some(Drawn {
            chosen,
            explored: chosen != best,
            propensities,
        })
    }

    /// Two draws: whether to explore, and then what.
    fn pick(
        &self,
        arms: &[Option<f64>],
        best: usize,
        explorable: &dyn Fn(&Option<f64>) -> bool,
        count: usize,
        seed: u64,
    ) -> usize {
        if crate::draw::unit(seed, 0) >= self.epsilon {
            return best;
        }
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let place = (crate::draw::unit(seed, 1) * f64::from(count)).floor();
        let place = usize::try_from(crate::money::round_half_away(place)).unwrap_or(0);
        let open = arms
            .iter()
            .enumerate()
            .filter(|(_, value)| explorable(value));
        open.map(|(arm, _)| arm).nth(place).unwrap_or(best)
    }
}

fn best(arms: &[Option<f64>]) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for (place, value) in arms.iter().enumerate() {
        let Some(value) = value.filter(|value| value.is_finite()) else {
            continue;
        };
        if best.is_none_or(|(_, most)| value > most) {
            best = Some((place, value));
        }
    }
    best.map(|(place, _)| place)
}
