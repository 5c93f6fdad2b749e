//! The price of the budget through a period: dearer when spending runs ahead of the plan, cheaper
//! when it lags.
//!
//! Who arrives later is not known, so the price cannot be solved for once. At each tick the plan
//! says what may be spent until the next one: what is left of the budget, times the tick's share
//! of the demand still expected. The price is then moved against what was spent:
//!
//! > λ ← clamp(λ · exp(gain · (spent − planned) / planned))
//!
//! That is dual mirror descent with the entropy as its mirror, which keeps λ above zero and moves
//! it by factors, whatever the currency (Balseiro, Lu, Mirrokni, *The Best of Many Worlds: Dual
//! Mirror Descent for Online Allocation Problems*, Operations Research 71, 2023; the additive form
//! is adaptive pacing of Balseiro and Gur, Management Science 65, 2019). The error of one tick counts at
//! most ±1, so that one odd tick moves the price by at most a factor of e^gain.
//!
//! The price only steers. That no cent too much is spent is the business of [`crate::ledger`]. A
//! good first price is the λ of [`crate::allocate`] over the carts of a recent period.

/// How a budget is meant to be spent over its period.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    budget_minor: i64,
    start_ms: i64,
    end_ms: i64,
    /// Demand expected in each of equally long slots of the period, summed up; starts at 0.
    summed: Vec<f64>,
}

/// A plan or pacer that makes no sense.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PaceError {
    #[error("budget_minor is {0}, it has to be 0 or more")]
    Budget(i64),
    #[error("the period ends at {end_ms}, it has to end after its start at {start_ms}")]
    Period { start_ms: i64, end_ms: i64 },
    #[error("demand[{slot}] is {demand}, it has to be a finite number of 0 or more")]
    Demand { slot: usize, demand: f64 },
    #[error("demand has to be above 0 in some slot")]
    NoDemand,
    #[error("{name} is {value}, it has to be {allowed}")]
    Setting {
        name: &'static str,
        value: f64,
        allowed: &'static str,
    },
}

impl Plan {
    /// A plan over `[start_ms, end_ms)` with the demand expected in equally long slots, in any
    /// unit, e.g. carts per hour of the day.
    ///
    /// # Errors
    /// A budget below zero, a period that does not end after it starts, a demand below zero, or
    /// none at all.
    pub fn new(
        budget_minor: i64,
        start_ms: i64,
        end_ms: i64,
        demand: &[f64],
    ) -> Result<Self, PaceError> {
        if budget_minor < 0 {
            return Err(PaceError::Budget(budget_minor));
        }
        if end_ms <= start_ms {
            return Err(PaceError::Period { start_ms, end_ms });
        }
        let mut summed = vec![0.0];
        let mut sum = 0.0;
        for (slot, &demand) in demand.iter().enumerate() {
            if !demand.is_finite() || demand < 0.0 {
                return Err(PaceError::Demand { slot, demand });
            }
            sum += demand;
            summed.push(sum);
        }
        if sum <= 0.0 || !sum.is_finite() {
            return Err(PaceError::NoDemand);
        }
        Ok(Self {
            budget_minor,
            start_ms,
            end_ms,
            summed,
        })
    }

    /// Share of the period's demand that is expected up to a moment, 0 to 1.
    #[must_use]
    pub fn share_by(&self, at_ms: i64) -> f64 {
        let last = self.summed.len().saturating_sub(1);
        let total = self.summed.last().copied().unwrap_or(1.0);
        if at_ms <= self.start_ms {
            return 0.0;
        }
        if at_ms >= self.end_ms {
            return 1.0;
        }
        let length = i128::from(self.end_ms) - i128::from(self.start_ms);
        let past = (i128::from(at_ms) - i128::from(self.start_ms)) * wide(last);
        let slot = usize::try_from(past / length).unwrap_or(last);
        let within = ratio(past % length, length);
        let before = self.summed.get(slot).copied().unwrap_or(total);
        let after = self.summed.get(slot + 1).copied().unwrap_or(total);
        (before + (after - before) * within) / total
    }

    /// What should be spent by a moment, in minor units.
    #[must_use]
    pub fn spent_by(&self, at_ms: i64) -> f64 {
        self.share_by(at_ms) * crate::money::as_f64(self.budget_minor)
    }
}

/// How far and how fast the price may move.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Tuning {
    /// The price never moves by more than a factor of e^gain in one tick.
    pub gain: f64,
    /// Lowest price; above zero, since a factor does not lift a price off zero.
    pub lowest: f64,
    pub highest: f64,
}

impl Default for Tuning {
    /// A gain of 0.2, and prices from 0.001 to 1,000 per minor unit.
    fn default() -> Self {
        Self {
            gain: 0.2,
            lowest: 1e-3,
            highest: 1e3,
        }
    }
}

/// The price through one period. Everything that it goes by is here, so that it can be stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Pacer {
    plan: Plan,
    tuning: Tuning,
    lambda: f64,
    at_ms: i64,
    spent_minor: i64,
}

impl Pacer {
    /// Starts at the plan's start, with a first price.
    ///
    /// # Errors
    /// A tuning or a price that is out of range.
    pub fn new(plan: Plan, tuning: Tuning, lambda: f64) -> Result<Self, PaceError> {
        let wrong = |name, value, allowed| {
            Err(PaceError::Setting {
                name,
                value,
                allowed,
            })
        };
        if !(tuning.gain > 0.0 && tuning.gain <= 2.0) {
            return wrong("gain", tuning.gain, "above 0 and at most 2");
        }
        if !(tuning.lowest > 0.0 && tuning.lowest.is_finite()) {
            return wrong("lowest", tuning.lowest, "above 0");
        }
        if !(tuning.highest >= tuning.lowest && tuning.highest.is_finite()) {
            return wrong("highest", tuning.highest, "at least `lowest`");
        }
        if !(lambda >= 0.0 && lambda.is_finite()) {
            return wrong("lambda", lambda, "0 or more");
        }
        Ok(Self {
            at_ms: plan.start_ms,
            lambda: lambda.clamp(tuning.lowest, tuning.highest),
            plan,
            tuning,
            spent_minor: 0,
        })
    }

    /// The price now.
    #[must_use]
    pub fn lambda(&self) -> f64 {
        self.lambda
    }

    /// Goes on from an earlier tick, as it was stored.
    pub(crate) fn resume(&mut self, at_ms: i64, spent_minor: i64) {
        (self.at_ms, self.spent_minor) = (at_ms, spent_minor);
    }

    /// Moves the price by what has been spent since the last tick. `spent_minor` is the whole
    /// spending of the period so far, as the ledger has it. A tick that is not after the last one,
    /// or in which nothing was expected, moves nothing.
    pub fn tick(&mut self, at_ms: i64, spent_minor: i64) -> f64 {
        let (before, after) = (self.plan.share_by(self.at_ms), self.plan.share_by(at_ms));
        if at_ms <= self.at_ms || after <= before {
            return self.lambda;
        }
        let left = self.plan.budget_minor.saturating_sub(self.spent_minor);
        let planned = crate::money::as_f64(left.max(0)) * (after - before) / (1.0 - before);
        let spent = crate::money::as_f64(spent_minor.saturating_sub(self.spent_minor));
        let error = match planned >= 1.0 {
            true => ((spent - planned) / planned).clamp(-1.0, 1.0),
            // Less than a minor unit is left to spend: whatever the tick cost was too much.
            false => 1.0,
        };
        let moved = self.lambda * (self.tuning.gain * error).exp();
        self.lambda = moved.clamp(self.tuning.lowest, self.tuning.highest);
        (self.at_ms, self.spent_minor) = (at_ms, spent_minor);
        self.lambda
    }
}

fn wide(count: usize) -> i128 {
    i128::try_from(count).unwrap_or(i128::MAX)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a share of a slot needs no more digits"
)]
fn ratio(part: i128, whole: i128) -> f64 {
    part as f64 / whole as f64
}
