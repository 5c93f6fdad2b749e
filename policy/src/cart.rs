//! What a cart is worth: price, margin, and how much of each line may be given away.

use crate::Line;
use crate::money::Share;
use crate::settings::UnknownCost;

/// Money of one line, for all of its units.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LineMoney {
    /// 0 when the price is unknown.
    pub(crate) value: i64,
    /// Below zero when the line sells at a loss.
    pub(crate) margin: i64,
    /// The most that may be taken off the line; never above its margin, never below zero.
    pub(crate) cap: i64,
    pub(crate) cost_known: bool,
}

impl LineMoney {
    fn assess(line: &Line, unknown: UnknownCost) -> Self {
        if line.price_minor <= 0 {
            return Self::default();
        }
        // A line in a cart holds at least one unit, as 0 reads as 1 in events.
        let quantity = i64::from(line.quantity.max(1));
        let value = line.price_minor.saturating_mul(quantity);
        if let Some(cost) = line.cost_minor.filter(|cost| *cost >= 0) {
            let margin = line
                .price_minor
                .saturating_sub(cost)
                .saturating_mul(quantity);
            return Self {
                value,
                margin,
                cap: margin.max(0),
                cost_known: true,
            };
        }
        if let Some(rate) = line.margin_rate.filter(|rate| (0.0..=1.0).contains(rate)) {
            let margin = Share::nearest(rate).of(value);
            return Self {
                value,
                margin,
                cap: margin,
                cost_known: true,
            };
        }
        let margin = unknown.margin_rate.of(value);
        let cap = margin.min(unknown.max_discount_rate.of(value));
        Self {
            value,
            margin,
            cap,
            cost_known: false,
        }
    }
}

/// A cart's money.
#[derive(Clone, Debug)]
pub(crate) struct CartMoney {
    pub(crate) lines: Vec<LineMoney>,
    pub(crate) value: i64,
    pub(crate) margin: i64,
}

impl CartMoney {
    pub(crate) fn assess(lines: &[Line], unknown: UnknownCost) -> Self {
        let lines: Vec<_> = lines
            .iter()
            .map(|line| LineMoney::assess(line, unknown))
            .collect();
        let value = lines
            .iter()
            .fold(0_i64, |sum, line| sum.saturating_add(line.value));
        let margin = lines
            .iter()
            .fold(0_i64, |sum, line| sum.saturating_add(line.margin));
        Self {
            lines,
            value,
            margin,
        }
    }

    /// Lines that have a price but no known cost.
    pub(crate) fn guessed(&self) -> usize {
        self.lines
            .iter()
            .filter(|line| line.value > 0 && !line.cost_known)
            .count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown() -> UnknownCost {
        UnknownCost {
            margin_rate: Share::nearest(0.25),
            max_discount_rate: Share::nearest(0.1),
        }
    }

    fn line(price_minor: i64, cost_minor: Option<i64>, margin_rate: Option<f64>) -> Line {
        Line {
            quantity: 2,
            price_minor,
            cost_minor,
            margin_rate,
            ..Line::default()
        }
    }

    #[test]
    fn a_known_cost_goes_before_a_margin_rate() {
        let money = LineMoney::assess(&line(1000, Some(400), Some(0.1)), unknown());
        assert_eq!(
            money,
            LineMoney {
                value: 2000,
                margin: 1200,
                cap: 1200,
                cost_known: true
            }
        );
    }

    #[test]
    fn a_line_sold_at_a_loss_gives_nothing_away() {
        let money = LineMoney::assess(&line(1000, Some(1500), None), unknown());
        assert_eq!((money.margin, money.cap), (-1000, 0));
    }

    #[test]
    fn an_unknown_cost_uses_the_policys_rate_and_its_lower_cap() {
        for rate in [None, Some(f64::NAN), Some(1.5), Some(-0.1)] {
            let money = LineMoney::assess(&line(1000, None, rate), unknown());
            assert_eq!(
                (money.margin, money.cap, money.cost_known),
                (500, 200, false)
            );
        }
    }

    #[test]
    fn a_line_without_a_price_is_no_money() {
        let money = LineMoney::assess(&line(0, Some(100), Some(0.5)), unknown());
        assert_eq!(money, LineMoney::default());
    }
}
