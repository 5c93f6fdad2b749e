//! What can be done about a cart.

use serde::{Deserialize, Serialize};

/// A kind of action. An arm of the policy file is one action with its settings.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Leave the shopper alone. Always possible, costs nothing, is worth nothing.
    Nothing,
    /// A message about the cart, without an offer.
    Reminder,
    /// A percentage off, up to a maximum in money.
    PercentCoupon,
    /// An amount of money off.
    FixedCoupon,
    /// The shop pays for shipping.
    FreeShipping,
    /// A percentage off that ends soon.
    LimitedTimeOffer,
}

impl Action {
    /// Every action, in the order of the wire contract.
    pub const ALL: [Action; 6] = [
        Action::Nothing,
        Action::Reminder,
        Action::PercentCoupon,
        Action::FixedCoupon,
        Action::FreeShipping,
        Action::LimitedTimeOffer,
    ];

    /// The action's name in policy files, logs and rules.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Action::Nothing => "nothing",
            Action::Reminder => "reminder",
            Action::PercentCoupon => "percent_coupon",
            Action::FixedCoupon => "fixed_coupon",
            Action::FreeShipping => "free_shipping",
            Action::LimitedTimeOffer => "limited_time_offer",
        }
    }

    /// The action of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == name)
    }

    /// Whether the action reaches the shopper through a channel, and so needs consent.
    #[must_use]
    pub fn sends_message(self) -> bool {
        self != Action::Nothing
    }

    /// The action in a sentence: "a reminder is worth …".
    pub(crate) fn phrase(self) -> &'static str {
        match self {
            Action::Nothing => "doing nothing",
            Action::Reminder => "a reminder",
            Action::PercentCoupon => "a percentage coupon",
            Action::FixedCoupon => "a fixed coupon",
            Action::FreeShipping => "free shipping",
            Action::LimitedTimeOffer => "a limited-time offer",
        }
    }
}
