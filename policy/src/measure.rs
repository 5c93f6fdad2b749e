//! What acting is worth: net margin per person, treated against held out, as intended.
//!
//! Everybody counts on the side they were assigned to, whether or not anything reached them, and
//! whether or not they opened it (intention to treat): people who open messages buy more, so
//! counting by opens would count them twice. The outcome of a person is their net margin over the
//! period, [`Outcome::net_minor`].
//!
//! | | |
//! |---|---|
//! | [`Sides`] | sums per side, in any order and merged from any split; the estimate, with CUPED |
//! | [`bounds`] | intervals that stay right however often one looks |
//! | [`ratio`] | an alarm when the sides are not split as they were meant to be |
//!
//! **CUPED** (Deng, Xu, Kohavi, Walker, *Improving the Sensitivity of Online Controlled Experiments by
//! Utilizing Pre-Experiment Data*, WSDM 2013): with a covariate `x` from before the period, e.g. the
//! margin of the weeks before, `y − θ(x − x̄)` has the same expected difference and less variance:
//!
//! > θ = cov(y, x) / var(x),  pooled within the sides

pub mod bounds;
pub mod ratio;
mod special;

use bounds::Boundary;

/// What one person brought over the period, in minor units.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Margin of their orders at list prices.
    pub margin_minor: i64,
    /// What offers took off.
    pub discount_minor: i64,
    /// Margin of what came back.
    pub refunded_margin_minor: i64,
    /// What messages cost.
    pub contact_minor: i64,
}

impl Outcome {
    #[must_use]
    pub fn net_minor(&self) -> i64 {
        self.margin_minor
            .saturating_sub(self.discount_minor)
            .saturating_sub(self.refunded_margin_minor)
            .saturating_sub(self.contact_minor)
    }
}

/// Which side a person was assigned to.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Side {
    Treated,
    Holdout,
}

/// Moments of outcome and covariate of one side (Welford; merged after Chan, Golub, LeVeque 1979).
#[derive(Copy, Clone, Debug, Default, PartialEq)]
struct Moments {
    people: f64,
    mean_y: f64,
    mean_x: f64,
    /// Sums of squared distances from the means, and of their products.
    yy: f64,
    xx: f64,
    xy: f64,
}

impl Moments {
    fn one(y: f64, x: f64) -> Self {
        Self {
            people: 1.0,
            mean_y: y,
            mean_x: x,
            ..Self::default()
        }
    }

    fn merge(self, other: Self) -> Self {
        let people = self.people + other.people;
        if people <= 0.0 {
            return self;
        }
        let (dy, dx) = (other.mean_y - self.mean_y, other.mean_x - self.mean_x);
        let share = other.people / people;
        let between = self.people * share;
        Self {
            people,
            mean_y: self.mean_y + dy * share,
            mean_x: self.mean_x + dx * share,
            yy: self.yy + other.yy + dy * dy * between,
            xx: self.xx + other.xx + dx * dx * between,
            xy: self.xy + other.xy + dx * dy * between,
        }
    }

    /// Variance of the mean of `y − θx`.
    fn variance_of_mean(&self, theta: f64) -> f64 {
        let spread = self.yy - 2.0 * theta * self.xy + theta * theta * self.xx;
        spread.max(0.0) / (self.people - 1.0) / self.people
    }
}

/// Both sides of the comparison.
#[derive(Copy, Clone, Debug, Default, PartialEq)]
pub struct Sides {
    treated: Moments,
    holdout: Moments,
}

/// What acting is worth per person, against leaving them alone.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Lift {
    pub people_treated: u64,
    pub people_holdout: u64,
    /// Minor units per person.
    pub estimate: f64,
    pub standard_error: f64,
    /// Share of the variance that the covariate took away, 0 without one.
    pub variance_explained: f64,
}

/// An interval around a lift.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

impl Interval {
    fn around(estimate: f64, half: f64) -> Self {
        Self {
            low: estimate - half,
            high: estimate + half,
        }
    }

    #[must_use]
    pub fn holds(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    #[must_use]
    pub fn width(&self) -> f64 {
        self.high - self.low
    }
}

impl Sides {
    /// Counts a person, once, with their outcome and, from before the period, a covariate that the
    /// assignment cannot have changed; 0 for everybody where there is none.
    pub fn add(&mut self, side: Side, outcome: f64, covariate: f64) {
        let moments = match side {
            Side::Treated => &mut self.treated,
            Side::Holdout => &mut self.holdout,
        };
        *moments = moments.merge(Moments::one(outcome, covariate));
    }

    /// Joins what was counted elsewhere, of other people.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self {
            treated: self.treated.merge(other.treated),
            holdout: self.holdout.merge(other.holdout),
        }
    }

    /// The lift per person; `None` with fewer than two people on a side.
    #[must_use]
    pub fn lift(&self) -> Option<Lift> {
        let (treated, holdout) = (&self.treated, &self.holdout);
        if treated.people < 2.0 || holdout.people < 2.0 {
            return None;
        }
        let spread = treated.xx + holdout.xx;
        let theta = match spread > 0.0 {
            true => (treated.xy + holdout.xy) / spread,
            false => 0.0,
        };
        let variance = |theta| treated.variance_of_mean(theta) + holdout.variance_of_mean(theta);
        let (plain, adjusted) = (variance(0.0), variance(theta));
        Some(Lift {
            people_treated: count(treated.people),
            people_holdout: count(holdout.people),
            estimate: (treated.mean_y - holdout.mean_y) - theta * (treated.mean_x - holdout.mean_x),
            standard_error: adjusted.sqrt(),
            variance_explained: match plain > 0.0 {
                true => (1.0 - adjusted / plain).max(0.0),
                false => 0.0,
            },
        })
    }
}

impl Lift {
    /// The interval of a look that was planned beforehand and is the only one.
    #[must_use]
    pub fn fixed(&self, alpha: f64) -> Interval {
        let z = special::normal_quantile_above(alpha / 2.0);
        Interval::around(self.estimate, z * self.standard_error)
    }

    /// The interval that stays right however often one looks; `None` before the boundary's first
    /// look.
    #[must_use]
    pub fn always_valid(&self, boundary: &Boundary) -> Option<Interval> {
        let people = self.people_treated.saturating_add(self.people_holdout);
        let factor = boundary.factor(people)?;
        Some(Interval::around(
            self.estimate,
            factor * self.standard_error,
        ))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count of people, kept as a float"
)]
fn count(people: f64) -> u64 {
    people as u64
}
