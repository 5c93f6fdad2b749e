//! What an arm takes off a cart, line by line.

use crate::cart::CartMoney;
use crate::money::Share;
use crate::settings::Terms;

/// What an arm gives away on this cart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Discount {
    pub(crate) total: i64,
    /// Per cart line; empty unless the arm takes money off lines.
    pub(crate) lines: Vec<i64>,
    /// Most that the offer may come to, once it is tightened to what the margins allow.
    pub(crate) ceiling: i64,
}

impl Discount {
    pub(crate) fn of(terms: Terms, cart: &CartMoney) -> Self {
        match terms {
            Terms::None => Self::default(),
            Terms::Shipping { cost_minor } => Self {
                total: cost_minor,
                lines: Vec::new(),
                ceiling: cost_minor,
            },
            Terms::Percent { off, max_minor } => Self::percent(off, max_minor, cart),
            Terms::Fixed { amount_minor } => Self::fixed(amount_minor, cart),
        }
    }

    fn percent(off: Share, max_minor: i64, cart: &CartMoney) -> Self {
        let lines: Vec<i64> = cart
            .lines
            .iter()
            .map(|line| off.of(line.value).min(line.cap))
            .collect();
        let tightened = cart.lines.iter().any(|line| off.of(line.value) > line.cap);
        let lines = shrink_to(lines, max_minor);
        let total = total(&lines);
        // A line that allows less than the percentage makes the percentage too much for the whole
        // cart, so the ceiling that the shop's checkout enforces is what the lines allow together.
        let ceiling = if tightened { total } else { max_minor };
        Self {
            total,
            lines,
            ceiling,
        }
    }

    fn fixed(amount_minor: i64, cart: &CartMoney) -> Self {
        let caps: Vec<i64> = cart.lines.iter().map(|line| line.cap).collect();
        let lines = shrink_to(caps, amount_minor);
        let total = total(&lines);
        Self {
            total,
            lines,
            ceiling: total,
        }
    }
}

fn total(lines: &[i64]) -> i64 {
    lines
        .iter()
        .fold(0, |sum: i64, line| sum.saturating_add(*line))
}

/// Lowers the amounts in proportion until they sum to at most `most`; none is ever raised. What
/// rounding leaves over goes to the first lines that have room.
fn shrink_to(mut amounts: Vec<i64>, most: i64) -> Vec<i64> {
    let sum: i128 = amounts.iter().map(|amount| i128::from(*amount)).sum();
    if sum <= i128::from(most) {
        return amounts;
    }
    let mut left = most;
    let full = amounts.clone();
    for amount in &mut amounts {
        let part = i128::from(*amount) * i128::from(most) / sum;
        *amount = i64::try_from(part).unwrap_or(0);
        left -= *amount;
    }
    for (amount, full) in amounts.iter_mut().zip(full) {
        if left > 0 && *amount < full {
            *amount += 1;
            left -= 1;
        }
    }
    amounts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cart::LineMoney;

    fn cart(lines: &[(i64, i64)]) -> CartMoney {
        let lines: Vec<_> = lines
            .iter()
            .map(|&(value, cap)| LineMoney {
                value,
                margin: cap,
                cap,
                cost_known: true,
            })
            .collect();
        CartMoney {
            value: 0,
            margin: 0,
            lines,
        }
    }

    fn percent(off: f64, max_minor: i64) -> Terms {
        Terms::Percent {
            off: Share::nearest(off),
            max_minor,
        }
    }

    #[test]
    fn a_percentage_stops_at_each_lines_margin_and_says_so_in_its_ceiling() {
        let discount = Discount::of(percent(0.1, 5000), &cart(&[(10_000, 500), (10_000, 5000)]));
        assert_eq!(
            discount,
            Discount {
                total: 1500,
                lines: vec![500, 1000],
                ceiling: 1500
            }
        );
    }

    #[test]
    fn a_percentage_stops_at_its_maximum_in_money() {
        let discount = Discount::of(percent(0.1, 1000), &cart(&[(10_000, 9000), (20_000, 9000)]));
        assert_eq!(
            discount,
            Discount {
                total: 1000,
                lines: vec![334, 666],
                ceiling: 1000
            }
        );
    }

    #[test]
    fn a_fixed_amount_is_never_more_than_the_margins_together() {
        let discount = Discount::of(
            Terms::Fixed { amount_minor: 500 },
            &cart(&[(900, 120), (900, 0)]),
        );
        assert_eq!(
            discount,
            Discount {
                total: 120,
                lines: vec![120, 0],
                ceiling: 120
            }
        );
    }

    proptest! {
        #[test]
        fn shrinking_reaches_the_target_and_raises_no_line(
            amounts in proptest::collection::vec(0..1_000_000_i64, 0..30), most in 0..2_000_000_i64,
        ) {
            let sum: i64 = amounts.iter().sum();
            let shrunk = shrink_to(amounts.clone(), most);
            prop_assert_eq!(shrunk.iter().sum::<i64>(), sum.min(most));
            prop_assert!(shrunk.iter().zip(&amounts).all(|(new, old)| new <= old && *new >= 0));
        }
    }
}
