//! What was decided, and why.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Action;

/// The answer for one cart. All money is in minor units of [`Decision::currency`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    pub action: Action,
    /// Name of the arm in the policy file.
    pub arm: String,
    /// The channel the message goes out on; empty when nothing is sent.
    pub channel: String,
    /// What is promised to the shopper; absent for `nothing` and `reminder`.
    pub offer: Option<Offer>,
    /// The most that the budget may have to pay for it: what is to be reserved.
    #[serde(default)]
    pub max_cost_minor: i64,
    /// Incremental margin expected against doing nothing.
    pub value_minor: i64,
    /// The same before rounding, for logs and replay.
    pub value: f64,
    /// Probability with which this arm was chosen, after all filters.
    pub propensity: f64,
    /// Risk the decision was made at, after clamping to 0 to 1.
    pub risk: f64,
    pub currency: String,
    /// In plain words, most important first.
    pub reasons: Vec<String>,
    /// The best of the others; absent when the policy has no other arm.
    pub runner_up: Option<RunnerUp>,
    /// Every arm of the policy, in the order of the file, `nothing` first unless the file places it.
    pub considered: Vec<Considered>,
    /// How many items to show with the action.
    pub items_shown: usize,
}

/// What is promised to the shopper.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// Share of the price taken off, 0 to 1; 0 unless the offer is a percentage.
    pub percent_off: f64,
    /// What the offer takes off this cart, shipping included when that is what is given.
    pub discount_minor: i64,
    /// Ceiling of the discount in money; never below `discount_minor`.
    pub max_discount_minor: i64,
    /// How long the offer holds once sent.
    pub valid_for: Duration,
    /// The discount per cart line, in the order of the inputs; never above the line's margin. Empty
    /// for free shipping, which is taken off no line.
    pub line_discounts_minor: Vec<i64>,
}

/// The best arm that was not chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunnerUp {
    pub action: Action,
    pub arm: String,
    pub value_minor: i64,
    /// What would have to change for it to be worth more than the chosen arm.
    pub flips_when: String,
}

/// One arm, as it was looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Considered {
    pub arm: String,
    pub action: Action,
    /// `Err` holds why the arm could not be chosen.
    pub eligible: Result<(), String>,
    /// Why the arm was not chosen, in plain words; empty for the chosen one.
    pub why_not: String,
    pub value_minor: i64,
    /// Probability with which the arm was to be chosen, after all filters; 0 when it could not be.
    #[serde(default)]
    pub propensity: f64,
    /// Probability that the arm wins the cart back and that nothing else would have.
    pub uplift: f64,
    /// What the arm costs when the shopper takes it: discount or shipping, and contact.
    pub cost_minor: i64,
}
