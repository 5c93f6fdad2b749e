//! What would have to change for the runner-up to win. With the discounts held, every value is
//! linear in the risk, in the margin and in each discount, so the points are solved exactly.

use crate::money::{as_f64, format, percent, round_half_away};
use crate::weigh::{Situation, ValueTerms, Weighed};

/// Steps that a risk is stated in.
const STEPS: f64 = 1000.0;

/// In plain words, when the runner-up would be worth more than the winner.
pub(crate) fn flips_when(
    winner: &Weighed<'_>,
    runner_up: &Weighed<'_>,
    situation: &Situation,
    currency: &str,
) -> String {
    if let Err(why) = &runner_up.eligible {
        return format!("never, it is not eligible: {why}");
    }
    let duel = Duel {
        winner: situation.terms(winner.arm, &winner.discount),
        runner_up: situation.terms(runner_up.arm, &runner_up.discount),
        risk: situation.risk,
        margin: as_f64(situation.margin),
    };
    duel.by_risk()
        .or_else(|| duel.by_margin(situation.margin, currency))
        .or_else(|| duel.by_discount(currency))
        .unwrap_or_else(|| "never, whatever the risk, the margin or the discount".to_owned())
}

struct Duel {
    winner: ValueTerms,
    runner_up: ValueTerms,
    risk: f64,
    margin: f64,
}

impl Duel {
    /// `value = risk·(ρM + (1 − ρ)D) − (D + fixed)`: this is the slope in risk.
    fn slope(&self, terms: &ValueTerms) -> f64 {
        terms.recovery * self.margin + (1.0 - terms.recovery) * terms.discount
    }

    fn by_risk(&self) -> Option<String> {
        let gain = self.slope(&self.runner_up) - self.slope(&self.winner);
        let handicap = (self.runner_up.discount + self.runner_up.fixed)
            - (self.winner.discount + self.winner.fixed);
        let even = handicap / gain;
        if !even.is_finite() {
            return None;
        }
        // Rounded away from where the winner leads, so that the risk stated is enough.
        let now = percent(self.risk);
        if gain > 0.0 {
            let stated = (even * STEPS).ceil() / STEPS;
            (self.risk..1.0)
                .contains(&stated)
                .then(|| format!("wins if risk were above {stated} (now {now})"))
        } else {
            let stated = (even * STEPS).floor() / STEPS;
            (stated > 0.0 && stated <= self.risk)
                .then(|| format!("wins if risk were below {stated} (now {now})"))
        }
    }

    fn by_margin(&self, now: i64, currency: &str) -> Option<String> {
        let gain = self.risk * (self.runner_up.recovery - self.winner.recovery);
        let handicap = self.cost(&self.runner_up) - self.cost(&self.winner);
        let even = handicap / gain;
        let side = if gain > 0.0 { "above" } else { "below" };
        let stated = outward(even, gain > 0.0)?;
        let leads = if gain > 0.0 {
            stated >= now
        } else {
            stated <= now
        };
        (stated > 0 && leads).then(|| {
            let (stated, now) = (format(stated, currency), format(now, currency));
            format!("wins if the cart's margin were {side} {stated} (now {now})")
        })
    }

    fn cost(&self, terms: &ValueTerms) -> f64 {
        terms.taken(self.risk) * terms.discount + terms.fixed
    }

    fn by_discount(&self, currency: &str) -> Option<String> {
        let (winner, runner_up) = (&self.winner, &self.runner_up);
        let cheaper = self
            .even_discount(runner_up, winner)
            .and_then(|even| outward(even, false));
        if let Some(stated) = cheaper.filter(|stated| *stated > 0) {
            return Some(format!(
                "wins if it gave less than {} away (now {})",
                format(stated, currency),
                format(round_half_away(runner_up.discount), currency)
            ));
        }
        let even = self.even_discount(winner, runner_up)?;
        Some(format!(
            "wins if the chosen one gave more than {} away (now {})",
            format(outward(even, true)?, currency),
            format(round_half_away(winner.discount), currency)
        ))
    }

    /// The discount of `of` at which both are worth the same; `None` when it gives no discount.
    fn even_discount(&self, of: &ValueTerms, other: &ValueTerms) -> Option<f64> {
        let target = other.value(self.risk, self.margin);
        let before = self.risk * of.recovery * self.margin - of.fixed;
        let even = (before - target) / of.taken(self.risk);
        (of.discount > 0.0 && even >= 0.0 && even.is_finite()).then_some(even)
    }
}

/// Whole minor units at or beyond the even point, up or down; `None` out of any sensible range.
fn outward(even: f64, up: bool) -> Option<i64> {
    let nearest = even.round();
    let rounded = match up {
        // What the last bits of the arithmetic add is not a whole minor unit.
        _ if (even - nearest).abs() < 1e-6 => nearest,
        true => even.ceil(),
        false => even.floor(),
    };
    (rounded.abs() < 1e15).then(|| round_half_away(rounded))
}
