//! Why a decision is as it is, for a shop owner to read.

use crate::Inputs;
use crate::cart::CartMoney;
use crate::money::{format, percent};
use crate::settings::{Settings, Terms};
use crate::weigh::{Situation, Weighed};

/// What sentences are made from.
#[derive(Debug)]
pub(crate) struct Story<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) inputs: &'a Inputs,
    pub(crate) situation: &'a Situation,
    pub(crate) cart: &'a CartMoney,
}

impl Story<'_> {
    /// Most important first.
    pub(crate) fn reasons(
        &self,
        chosen: &Weighed<'_>,
        runner_up: Option<&Weighed<'_>>,
    ) -> Vec<String> {
        let mut reasons = vec![self.headline(chosen, runner_up)];
        if chosen.arm.action.sends_message() {
            reasons.extend(self.offer(chosen));
            reasons.push(self.assumption(chosen));
            reasons.extend(self.fatigue());
            reasons.extend(self.budget(chosen));
        }
        reasons.extend(self.guesses());
        reasons.extend(self.next_best(chosen, runner_up));
        reasons
    }

    /// Why an arm that was not chosen was not.
    pub(crate) fn why_not(&self, weighed: &Weighed<'_>, chosen: &Weighed<'_>) -> String {
        match &weighed.eligible {
            Err(why) => why.clone(),
            Ok(()) if weighed.value_minor == chosen.value_minor => {
                "it is worth the same, and the cheaper one goes first".to_owned()
            }
            Ok(()) if weighed.value_minor > chosen.value_minor => {
                let ahead = weighed.value_minor.saturating_sub(chosen.value_minor);
                let ahead = self.money(ahead);
                format!("it is worth {ahead} more, and this decision explores another")
            }
            Ok(()) => {
                let behind = chosen.value_minor.saturating_sub(weighed.value_minor);
                format!("it is worth {} less", self.money(behind))
            }
        }
    }

    fn money(&self, amount: i64) -> String {
        format(amount, &self.inputs.currency)
    }

    fn stake(&self) -> String {
        format!(
            "{} risk of being left, {} margin at stake",
            percent(self.situation.risk),
            self.money(self.cart.margin)
        )
    }

    fn headline(&self, chosen: &Weighed<'_>, runner_up: Option<&Weighed<'_>>) -> String {
        if let Some(best) = runner_up.filter(|next| next.value_minor > chosen.value_minor)
            && best.eligible.is_ok()
        {
            return format!(
                "this decision explores {}: {} is expected to be worth {} more ({})",
                chosen.arm.phrase(),
                best.arm.phrase(),
                self.money(best.value_minor.saturating_sub(chosen.value_minor)),
                self.stake()
            );
        }
        if chosen.arm.action.sends_message() {
            let worth = self.money(chosen.value_minor);
            let arm = chosen.arm.phrase();
            return format!(
                "{arm} is worth {worth} more than doing nothing: {}",
                self.stake()
            );
        }
        match runner_up {
            None => "doing nothing is all that the policy knows".to_owned(),
            Some(Weighed {
                eligible: Err(why), ..
            }) => format!("nothing can be done: {why}"),
            Some(_) if self.cart.value == 0 => {
                "doing nothing is best: no line has a price, so nothing can be gained".to_owned()
            }
            Some(best) => {
                let arm = best.arm.phrase();
                let stake = self.stake();
                match best.value_minor {
                    0 => format!("doing nothing is best: {arm} would bring nothing more ({stake})"),
                    value => {
                        let loss = self.money(value.saturating_neg());
                        format!("doing nothing is best: {arm} would lose {loss} ({stake})")
                    }
                }
            }
        }
    }

    fn offer(&self, chosen: &Weighed<'_>) -> Option<String> {
        let total = self.money(chosen.discount.total);
        let ceiling = self.money(chosen.discount.ceiling);
        match chosen.arm.terms {
            Terms::None => None,
            Terms::Percent { off, .. } => Some(format!(
                "it takes {total} off this cart: {}, at most {ceiling}, and never more than a \
                 line's margin",
                percent(off.as_f64())
            )),
            Terms::Fixed { .. } => Some(format!(
                "it takes {total} off this cart, never more than a line's margin"
            )),
            Terms::Shipping { .. } => Some(format!("it costs {total} of shipping")),
        }
    }

    fn assumption(&self, chosen: &Weighed<'_>) -> String {
        format!(
            "the policy expects it to win back {} of carts that would be left for good",
            percent(chosen.arm.recovery)
        )
    }

    fn budget(&self, chosen: &Weighed<'_>) -> Option<String> {
        let lambda = self.situation.lambda;
        (lambda > 0.0 && chosen.max_cost_minor > 0).then(|| {
            let most = self.money(chosen.max_cost_minor);
            format!("it may cost the budget {most}, each unit of which is priced at {lambda:.3}")
        })
    }

    fn fatigue(&self) -> Option<String> {
        let sent = self.inputs.messages_7d;
        let cost = self.money(self.situation.fatigue);
        (self.situation.fatigue > 0).then(|| {
            format!("{sent} messages in the last 7 days make one more cost {cost} of goodwill")
        })
    }

    fn guesses(&self) -> Option<String> {
        let guessed = self.cart.guessed();
        let rate = percent(self.settings.unknown_cost.margin_rate.as_f64());
        (guessed > 0).then(|| {
            let lines = self.cart.lines.len();
            format!("the cost of {guessed} of {lines} lines is not known: their margin is taken as {rate}")
        })
    }

    fn next_best(&self, chosen: &Weighed<'_>, runner_up: Option<&Weighed<'_>>) -> Option<String> {
        let next = runner_up.filter(|next| next.eligible.is_ok())?;
        if !chosen.arm.action.sends_message() || next.value_minor > chosen.value_minor {
            return None;
        }
        let behind = chosen.value_minor.saturating_sub(next.value_minor);
        Some(format!(
            "{} comes next, {} behind",
            next.arm.phrase(),
            self.money(behind)
        ))
    }
}
