//! Everything a decision depends on.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::sequence::Kind;

/// All that a decision is a function of, together with the policy and the seed. What is logged
/// with a decision is [`Inputs::encode`], so that it can be replayed bit for bit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Inputs {
    pub lines: Vec<Line>,
    /// ISO 4217; all amounts are in its minor unit.
    pub currency: String,
    /// Probability that the cart is left for good if nothing is done.
    pub risk: f64,
    /// Where a message would go out; the policy's default when empty.
    pub channel: String,
    /// Channels the shopper can be reached on; no restriction when empty.
    pub channels: Vec<String>,
    /// Channels the shopper consented to. Consent that is not here is denied.
    pub consented_channels: Vec<String>,
    /// Messages sent to the shopper in the last seven days.
    pub messages_7d: u32,
    pub jurisdiction: String,
    /// How long the cart has been left alone.
    pub idle: Duration,
    /// Named features for rules. [`crate::Policy::shopper_features`] says which the rules read;
    /// passing only those keeps the log small.
    pub shopper: BTreeMap<String, f64>,
    /// Free attributes of the request, for rules.
    pub attributes: BTreeMap<String, String>,
    pub now_ms: i64,
    /// The price of a minor unit of the budget; 0 when money is not scarce.
    pub lambda: f64,
    /// What the budget has left to promise; `None` without a budget.
    pub budget_free_minor: Option<i64>,
    /// The person is left alone, to measure against.
    pub held_out: bool,
    /// A cap leaves no room for a message on the channel now.
    pub capped: bool,
    /// What was left: arms may be for some of these only.
    pub left: Kind,
}

/// One line of the cart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Line {
    pub item_id: String,
    pub quantity: u32,
    /// Price of one unit; 0 when unknown.
    pub price_minor: i64,
    /// Cost of one unit, when known. Goes before the margin rate.
    pub cost_minor: Option<i64>,
    /// Share of the price that is margin, 0 to 1, when known.
    pub margin_rate: Option<f64>,
    pub category: String,
    pub brand: String,
}

impl Inputs {
    /// Value of the cart in minor units: lines without a price count as nothing, and a quantity of
    /// 0 as 1.
    #[must_use]
    pub fn value_minor(&self) -> i64 {
        self.lines.iter().fold(0, |sum: i64, line| {
            let quantity = i64::from(line.quantity.max(1));
            sum.saturating_add(line.price_minor.max(0).saturating_mul(quantity))
        })
    }
}
