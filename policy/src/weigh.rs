//! What each arm is worth on this cart: the value formula.
//!
//! Let `a` be the risk, the probability that the cart is left for good if nothing is done, `ρ` the
//! share of such carts that the arm wins back, `M` the margin of the cart, `D` what the arm gives
//! away, `c` the cost of contact and `f` the goodwill that one more message costs.
//!
//! Without the arm the cart is bought with probability `1 − a` and brings `(1 − a)·M`. With the arm
//! it is bought with probability `1 − a + a·ρ`, and everybody who buys takes the offer, those
//! included who would have bought anyway; that errs high on cost, never low. The arm brings
//! `(1 − a + a·ρ)·(M − D) − c − f`. The difference is what the arm is worth:
//!
//! > value = a·ρ·M − (1 − a + a·ρ)·D − c − f − λ·C
//!
//! where `λ` is the price of a minor unit of the budget and `C` the most that the arm may cost it,
//! which is what the budget holds for it: the ceiling of the offer and the contact.
//!
//! Doing nothing is worth exactly 0. The operations run in the order written, on `f64`, without
//! fused multiplication, so the result has the same bits on every machine. Every input is finite
//! and at most about 10^19, so no operation overflows or gives NaN.

use crate::cart::CartMoney;
use crate::discount::Discount;
use crate::money::{as_f64, round_half_away};
use crate::settings::Arm;

/// What the value of every arm depends on.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Situation {
    /// From 0 to 1, never NaN.
    pub(crate) risk: f64,
    pub(crate) margin: i64,
    pub(crate) contact_cost: i64,
    pub(crate) fatigue: i64,
    /// 0 or more, finite.
    pub(crate) lambda: f64,
}

/// An arm with its worth.
#[derive(Clone, Debug)]
pub(crate) struct Weighed<'p> {
    pub(crate) arm: &'p Arm,
    pub(crate) discount: Discount,
    pub(crate) uplift: f64,
    pub(crate) value: f64,
    pub(crate) value_minor: i64,
    /// What is spent when the shopper takes the offer: discount and contact.
    pub(crate) cost_minor: i64,
    /// The most that the budget may have to pay.
    pub(crate) max_cost_minor: i64,
    pub(crate) eligible: Result<(), String>,
}

impl Situation {
    pub(crate) fn weigh<'p>(&self, arm: &'p Arm, cart: &CartMoney) -> Weighed<'p> {
        let discount = Discount::of(arm.terms, cart);
        let uplift = self.risk * arm.recovery;
        let value = self
            .terms(arm, &discount)
            .value(self.risk, as_f64(self.margin));
        let contact_cost = if arm.action.sends_message() {
            self.contact_cost
        } else {
            0
        };
        Weighed {
            arm,
            uplift,
            value,
            value_minor: round_half_away(value),
            cost_minor: discount.total.saturating_add(contact_cost),
            max_cost_minor: discount.ceiling.saturating_add(contact_cost),
            discount,
            eligible: Ok(()),
        }
    }

    /// What the value is made of, apart from risk and margin.
    pub(crate) fn terms(&self, arm: &Arm, discount: &Discount) -> ValueTerms {
        let sends = arm.action.sends_message();
        let fixed = self.contact_cost.saturating_add(self.fatigue);
        let budget = self.lambda * as_f64(discount.ceiling.saturating_add(self.contact_cost));
        ValueTerms {
            recovery: arm.recovery,
            discount: as_f64(discount.total),
            fixed: if sends { as_f64(fixed) + budget } else { 0.0 },
        }
    }
}

/// The coefficients of the value formula.
#[derive(Copy, Clone, Debug)]
pub(crate) struct ValueTerms {
    pub(crate) recovery: f64,
    pub(crate) discount: f64,
    /// Contact cost, fatigue, and the price of the budget.
    pub(crate) fixed: f64,
}

impl ValueTerms {
    pub(crate) fn value(&self, risk: f64, margin: f64) -> f64 {
        let uplift = risk * self.recovery;
        uplift * margin - self.taken(risk) * self.discount - self.fixed
    }

    /// Probability that the shopper buys, and so takes what is given.
    pub(crate) fn taken(&self, risk: f64) -> f64 {
        (1.0 - risk) + risk * self.recovery
    }
}
