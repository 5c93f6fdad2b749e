//! How likely each kind of shopper reacts to each arm.
//!
//! The figures are made up and only their order is meant: who buys anyway gains nothing from a
//! message and takes the discount all the same; who is annoyed buys less; a coupon farmer reacts to
//! coupons alone. Everything fades with the delay and with every message that came before.

use crate::shopper::ShopperKind;

const HOUR_MS: i64 = 3_600_000;

/// What a shopper can be sent.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Arm {
    Reminder,
    PercentCoupon,
    FixedCoupon,
    FreeShipping,
    LimitedTimeOffer,
}

impl Arm {
    /// Every arm that sends a message.
    pub const ALL: [Self; 5] = [
        Self::Reminder,
        Self::PercentCoupon,
        Self::FixedCoupon,
        Self::FreeShipping,
        Self::LimitedTimeOffer,
    ];

    /// The name in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reminder => "reminder",
            Self::PercentCoupon => "percent_coupon",
            Self::FixedCoupon => "fixed_coupon",
            Self::FreeShipping => "free_shipping",
            Self::LimitedTimeOffer => "limited_time_offer",
        }
    }

    /// The arm of that name; `None` for doing nothing, and for what is no arm.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|arm| arm.as_str() == name)
    }
}

/// Probabilities of what one message does to one shopper.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Response {
    /// That it makes them come back and order.
    pub orders: f64,
    /// That somebody who would have come back by themselves, and has not yet, no longer does.
    pub repels: f64,
    pub opens: f64,
    /// Of those who open.
    pub clicks: f64,
    pub unsubscribes: f64,
    pub complains: f64,
    /// "No thanks": nothing more about this cart.
    pub dismisses: f64,
}

impl ShopperKind {
    /// That a cart which was left is bought later by itself.
    #[must_use]
    pub fn returns(self) -> f64 {
        match self {
            ShopperKind::Sure => 0.55,
            ShopperKind::Persuadable => 0.15,
            ShopperKind::Lost => 0.03,
            ShopperKind::Annoyed => 0.3,
            ShopperKind::CouponFarmer => 0.2,
        }
    }

    /// That an order is sent back.
    #[must_use]
    pub fn refunds(self) -> f64 {
        match self {
            ShopperKind::CouponFarmer => 0.12,
            ShopperKind::Sure
            | ShopperKind::Persuadable
            | ShopperKind::Lost
            | ShopperKind::Annoyed => 0.06,
        }
    }

    /// What a message of this arm does, sent so long after the cart was left, to somebody who got
    /// so many before.
    #[must_use]
    pub fn response(self, arm: Arm, delay_ms: i64, messages_before: usize) -> Response {
        let fades = freshness(delay_ms) * patience(messages_before);
        let weary = f64::from(u32::try_from(messages_before.min(10)).unwrap_or(10));
        let is_annoyed = self == ShopperKind::Annoyed;
        let pick = |annoyed: f64, other: f64| if is_annoyed { annoyed } else { other };
        Response {
            orders: self.persuaded(arm) * fades,
            repels: pick(0.35, 0.0),
            opens: pick(0.25, 0.45) * patience(messages_before),
            clicks: pick(0.1, 0.3),
            unsubscribes: pick(0.05, 0.004) * (1.0 + weary),
            complains: pick(0.012, 0.0006) * (1.0 + weary),
            dismisses: pick(0.04, 0.01),
        }
    }

    /// The probability at its highest: at once, and as the first message.
    fn persuaded(self, arm: Arm) -> f64 {
        match self {
            ShopperKind::Sure => 0.02,
            ShopperKind::Lost => 0.01,
            ShopperKind::Annoyed => 0.005,
            ShopperKind::Persuadable => match arm {
                Arm::Reminder => 0.2,
                Arm::FreeShipping => 0.26,
                Arm::FixedCoupon => 0.29,
                Arm::PercentCoupon => 0.31,
                Arm::LimitedTimeOffer => 0.33,
            },
            ShopperKind::CouponFarmer => match arm {
                Arm::Reminder => 0.01,
                Arm::FreeShipping => 0.15,
                Arm::FixedCoupon | Arm::PercentCoupon | Arm::LimitedTimeOffer => 0.45,
            },
        }
    }
}

/// What is left of an effect after that delay.
fn freshness(delay_ms: i64) -> f64 {
    match delay_ms / HOUR_MS {
        ..1 => 1.0,
        1..6 => 0.9,
        6..24 => 0.75,
        24..72 => 0.55,
        _ => 0.35,
    }
}

/// What is left of it after so many messages.
fn patience(messages_before: usize) -> f64 {
    match messages_before {
        0 => 1.0,
        1 => 0.7,
        2 => 0.45,
        _ => 0.3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arms_have_names_and_names_arms() {
        for arm in Arm::ALL {
            assert_eq!(Arm::from_name(arm.as_str()), Some(arm));
        }
        assert_eq!(Arm::from_name("nothing"), None);
    }

    #[test]
    fn every_probability_is_one_and_fades_with_delay_and_messages() {
        for kind in ShopperKind::ALL {
            for arm in Arm::ALL {
                let mut before = f64::INFINITY;
                for messages in 0..4 {
                    let first = kind.response(arm, 0, messages);
                    let late = kind.response(arm, 100 * HOUR_MS, messages);
                    assert!(late.orders < first.orders && first.orders < before);
                    before = first.orders;
                    for share in [
                        first.orders,
                        first.repels,
                        first.opens,
                        first.clicks,
                        first.unsubscribes,
                        first.complains,
                        first.dismisses,
                    ] {
                        assert!((0.0..=1.0).contains(&share), "{kind:?} {arm:?}: {share}");
                    }
                }
            }
        }
    }
}
