//! The cart decided on, with what each line costs and earns as far as anyone knows.

use policy::Line;

use crate::generation::Generation;
use crate::items::{Facts, Items};
use crate::request::CartLine;

/// A cart in one currency.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct PricedCart {
    pub(crate) lines: Vec<Line>,
    /// ISO 4217; empty when no line has a price.
    pub(crate) currency: String,
    /// Over the lines with a price in `currency`.
    pub(crate) value_minor: i64,
    /// Lines priced in another currency: they count as lines without a price.
    pub(crate) other_currency: usize,
}

/// Prices the lines, in their order. The first line with a price sets the currency.
pub(crate) fn price(cart: &[CartLine], generation: &Generation, items: &Items) -> PricedCart {
    let facts: Vec<_> = cart
        .iter()
        .map(|line| items.facts(generation, &line.item_id))
        .collect();
    price_with(cart, &facts)
}

fn price_with(cart: &[CartLine], facts: &[Facts<'_>]) -> PricedCart {
    let offered: Vec<_> = cart
        .iter()
        .zip(facts)
        .map(|(line, facts)| unit_price(line, facts))
        .collect();
    let first = offered.iter().flatten().next();
    let currency = first
        .map(|(_, currency)| (*currency).to_owned())
        .unwrap_or_default();
    let mut priced = PricedCart::default();
    for ((line, facts), offer) in cart.iter().zip(facts).zip(&offered) {
        let unit = match offer {
            Some((price, of)) if *of == currency => *price,
            Some(_) => {
                priced.other_currency += 1;
                0
            }
            None => 0,
        };
        priced.value_minor = priced
            .value_minor
            .saturating_add(unit.saturating_mul(i64::from(line.quantity)));
        priced.lines.push(priced_line(line, facts, unit, &currency));
    }
    priced.currency = currency;
    priced
}

/// The price at which the line was added; today's where that is not known.
fn unit_price<'a>(line: &'a CartLine, facts: &'a Facts<'_>) -> Option<(i64, &'a str)> {
    if line.price_minor > 0 {
        Some((line.price_minor, &line.currency))
    } else {
        facts.price()
    }
}

fn priced_line(line: &CartLine, facts: &Facts<'_>, unit: i64, currency: &str) -> Line {
    let (cost_minor, margin_rate) = margin_left(facts, unit, currency);
    let category = if line.category.is_empty() {
        facts.category().into_owned()
    } else {
        line.category.clone()
    };
    let brand = if line.brand.is_empty() {
        facts.brand()
    } else {
        &line.brand
    };
    Line {
        item_id: line.item_id.clone(),
        quantity: line.quantity,
        price_minor: unit,
        cost_minor,
        margin_rate,
        category,
        brand: brand.to_owned(),
    }
}

/// Cost and margin rate against `unit`, the line's price. When the shop has lowered the price
/// since, only today's margin is left to give away, so the difference counts as cost.
fn margin_left(facts: &Facts<'_>, unit: i64, currency: &str) -> (Option<i64>, Option<f64>) {
    let (cost, rate) = facts.margin();
    let today = facts.live_price().filter(|(_, of)| *of == currency);
    match today {
        Some((today, _)) if today < unit => (
            cost.map(|cost| cost.saturating_add(unit - today)),
            rate.map(|rate| rate * share(today, unit)),
        ),
        Some(_) | None => (cost, rate),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "prices are at most 10^12, far below 2^53"
)]
fn share(part: i64, whole: i64) -> f64 {
    part as f64 / whole as f64
}

#[cfg(test)]
mod tests {
    use feature_store::Item;

    use super::*;

    fn line(price_minor: i64, currency: &str) -> CartLine {
        CartLine {
            item_id: "1".to_owned(),
            quantity: 2,
            price_minor,
            currency: currency.to_owned(),
            ..CartLine::default()
        }
    }

    fn live(price_minor: i64, cost_minor: Option<i64>, margin_rate: Option<f64>) -> Facts<'static> {
        Facts::of(Item {
            price_minor,
            currency: "EUR".to_owned(),
            cost_minor,
            margin_rate,
            brand: "acme".to_owned(),
            category_path: vec!["a".to_owned(), "b".to_owned()],
            ..Item::default()
        })
    }

    #[test]
    fn the_lines_own_price_counts_and_gaps_are_filled() {
        let lines = [line(1_000, "EUR"), line(0, "")];
        let facts = [live(1_200, Some(400), None), live(300, None, Some(0.5))];
        let cart = price_with(&lines, &facts);
        assert_eq!((cart.value_minor, cart.currency.as_str()), (2_600, "EUR"));
        assert_eq!(cart.lines[0].cost_minor, Some(400));
        assert_eq!(cart.lines[1].price_minor, 300);
        assert_eq!(
            (
                cart.lines[1].category.as_str(),
                cart.lines[1].brand.as_str()
            ),
            ("a.b", "acme")
        );
    }

    #[test]
    fn a_lowered_price_leaves_only_todays_margin() {
        let cost = price_with(&[line(1_000, "EUR")], &[live(700, Some(600), None)]);
        assert_eq!(
            cost.lines[0].cost_minor,
            Some(900),
            "1000 - 900 = 700 - 600"
        );
        let rate = price_with(&[line(1_000, "EUR")], &[live(500, None, Some(0.2))]);
        assert!((rate.lines[0].margin_rate.unwrap() - 0.1).abs() < 1e-12);
    }

    #[test]
    fn another_currency_counts_as_no_price() {
        let cart = price_with(
            &[line(1_000, "EUR"), line(9_000, "JPY")],
            &[Facts::default(), Facts::default()],
        );
        assert_eq!((cart.value_minor, cart.other_currency), (2_000, 1));
        assert_eq!(cart.lines[1].price_minor, 0);
    }

    #[test]
    fn absurd_amounts_do_not_overflow() {
        let mut huge = line(i64::MAX, "EUR");
        huge.quantity = u32::MAX;
        let cart = price_with(&[huge], &[Facts::default()]);
        assert_eq!(cart.value_minor, i64::MAX);
    }
}
