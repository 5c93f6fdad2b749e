//! The one place where everything that a decision depends on comes together.

use policy::Inputs;
use policy::sequence::Kind;
use ranking::Standing;

use super::candidates::age;
use crate::cart::PricedCart;
use crate::generation::Generation;
use crate::request::{Occasion, Request};
use crate::shopper::Shopper;

/// The inputs of the policy: cart, risk, what the shopper allows, and the features that rules read.
pub(crate) fn assemble(
    request: &Request,
    (shopper, cart, standing): (&Shopper, &PricedCart, &Standing),
    generation: &Generation,
    (lambda, budget_free_minor): (f64, Option<i64>),
    now_ms: i64,
) -> Inputs {
    let values = values(request, shopper, cart, generation);
    let features = generation.features();
    let holdout = generation.policy.holdout();
    Inputs {
        lines: cart.lines.clone(),
        currency: cart.currency.clone(),
        risk: generation.risk.risk(&features.of_risk(&values, standing)),
        channel: request.context.channel.clone(),
        channels: shopper.profile.channels.clone(),
        consented_channels: shopper.profile.consented_channels.clone(),
        messages_7d: shopper.profile.messages_7d,
        jurisdiction: shopper.profile.jurisdiction.clone(),
        idle: age(shopper.cart.last_active_ms.unwrap_or(now_ms), now_ms),
        shopper: features.of_rules(&values).collect(),
        attributes: request.context.attributes.clone(),
        now_ms,
        lambda,
        budget_free_minor,
        held_out: holdout.is_some_and(|holdout| holdout.holds(&request.shopper_id)),
        // Told by the commit, which reads what was sent.
        capped: false,
        left: match request.occasion {
            Occasion::Asked => Kind::default(),
            Occasion::Due { left, .. } => left,
        },
    }
}

/// Feature values, with those of the cart computed anew when the request brings its own cart: the
/// stored ones describe another cart.
fn values(
    request: &Request,
    shopper: &Shopper,
    cart: &PricedCart,
    generation: &Generation,
) -> Vec<Option<f64>> {
    let given = !request.cart.is_empty();
    let stored = |at: usize| shopper.values.get(at).copied().flatten();
    let names = generation.features().names().iter().enumerate();
    names
        .map(|(at, name)| match CartFeature::named(name) {
            Some(feature) if given => feature.of(cart),
            Some(_) | None => stored(at),
        })
        .collect()
}

/// A feature that is a function of the cart's lines alone.
#[derive(Copy, Clone, Debug)]
enum CartFeature {
    Lines,
    Units,
    Value,
    MaxPrice,
}

impl CartFeature {
    fn named(name: &str) -> Option<Self> {
        match name {
            "shopper.cart_line_count" => Some(Self::Lines),
            "shopper.cart_units" => Some(Self::Units),
            "shopper.cart_value_minor" => Some(Self::Value),
            "shopper.cart_max_price_minor" => Some(Self::MaxPrice),
            _ => None,
        }
    }

    fn of(self, cart: &PricedCart) -> Option<f64> {
        let lines = cart.lines.iter();
        match self {
            Self::Lines => Some(lines.map(|_| 1.0).sum()),
            Self::Units => Some(lines.map(|line| f64::from(line.quantity)).sum()),
            Self::Value => Some(money(cart.value_minor)),
            Self::MaxPrice => lines
                .map(|line| line.price_minor)
                .filter(|price| *price > 0)
                .max()
                .map(money),
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "models read money as floats; below 2^53 nothing is lost"
)]
fn money(minor: i64) -> f64 {
    minor as f64
}

#[cfg(test)]
mod tests {
    use policy::Line;

    use super::*;

    #[test]
    fn every_cart_feature_is_one_that_the_registry_knows() {
        let names = [
            "shopper.cart_line_count",
            "shopper.cart_units",
            "shopper.cart_value_minor",
            "shopper.cart_max_price_minor",
        ];
        assert!(feature_store::Registry::standard().plan(&names).is_ok());
        assert!(
            names
                .into_iter()
                .all(|name| CartFeature::named(name).is_some())
        );
    }

    #[test]
    fn a_cart_without_prices_has_no_highest_price() {
        let line = |quantity, price_minor| Line {
            quantity,
            price_minor,
            ..Line::default()
        };
        let cart = PricedCart {
            lines: vec![line(2, 0), line(3, 500)],
            value_minor: 1_500,
            ..PricedCart::default()
        };
        let of = |feature: CartFeature| feature.of(&cart).map(f64::to_bits);
        assert_eq!(of(CartFeature::Lines), Some(2_f64.to_bits()));
        assert_eq!(of(CartFeature::Units), Some(5_f64.to_bits()));
        assert_eq!(of(CartFeature::Value), Some(1_500_f64.to_bits()));
        assert_eq!(of(CartFeature::MaxPrice), Some(500_f64.to_bits()));
        assert_eq!(CartFeature::MaxPrice.of(&PricedCart::default()), None);
    }
}
