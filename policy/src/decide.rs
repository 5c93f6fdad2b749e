//! Weighs every arm and takes the best that may be taken.

use std::cmp::Reverse;

use crate::Inputs;
use crate::cart::CartMoney;
use crate::decision::{Considered, Decision, Offer, RunnerUp};
use crate::eligibility::Gate;
use crate::flips::flips_when;
use crate::money::as_f64;
use crate::propensity::Drawn;
use crate::reasons::Story;
use crate::rules::{Moment, Rules};
use crate::settings::{Settings, Terms};
use crate::weigh::{Situation, Weighed};

pub(crate) fn decide(settings: &Settings, rules: &Rules, inputs: &Inputs, seed: u64) -> Decision {
    let channel = match inputs.channel.as_str() {
        "" => settings.default_channel.as_str(),
        given => given,
    };
    let risk = clamp_risk(inputs.risk);
    let cart = CartMoney::assess(&inputs.lines, settings.unknown_cost);
    let verdicts = rules.evaluate(inputs, Moment { risk, channel });
    let situation = Situation {
        risk,
        margin: cart.margin,
        contact_cost: settings
            .contact_cost_minor
            .get(channel)
            .copied()
            .unwrap_or(0),
        fatigue: settings
            .fatigue_minor_per_message
            .saturating_mul(inputs.messages_7d.into()),
        lambda: clamp_lambda(inputs.lambda),
    };
    let gate = Gate {
        settings,
        inputs,
        channel,
        cart: &cart,
        rules: &verdicts,
    };
    let weighed = weigh(&situation, &gate);
    let story = Story {
        settings,
        inputs,
        situation: &situation,
        cart: &cart,
    };
    conclude(&weighed, &story, channel, seed)
}

/// From 0 to 1 without a negative zero; a risk that is not a number is no risk, for which nothing
/// is worth doing.
fn clamp_risk(risk: f64) -> f64 {
    if risk > 0.0 { risk.min(1.0) } else { 0.0 }
}

/// A price that is no number, or below zero, is none.
fn clamp_lambda(lambda: f64) -> f64 {
    if lambda > 0.0 { lambda.min(1e9) } else { 0.0 }
}

fn weigh<'p>(situation: &Situation, gate: &Gate<'p>) -> Vec<Weighed<'p>> {
    let weigh = |arm| {
        let mut weighed = situation.weigh(arm, gate.cart);
        weighed.eligible = gate.check(&weighed);
        weighed
    };
    gate.settings.arms.iter().map(weigh).collect()
}

/// The order of preference: what may be done before what may not, then the highest value in whole
/// minor units, then the cheaper action, then the order of the file.
fn preferred(weighed: &[Weighed<'_>]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..weighed.len()).collect();
    order.sort_by_key(|&place| {
        weighed.get(place).map(|arm| {
            (
                arm.eligible.is_err(),
                Reverse(arm.value_minor),
                arm.cost_minor,
                place,
            )
        })
    });
    order
}

/// Draws among the arms in the order of preference, so that without exploring the first is taken.
fn draw(ranked: &[&Weighed<'_>], story: &Story<'_>, seed: u64) -> Option<Drawn> {
    let value = |arm: &&Weighed<'_>| arm.eligible.is_ok().then(|| as_f64(arm.value_minor));
    let values: Vec<Option<f64>> = ranked.iter().map(value).collect();
    story.settings.exploration.draw(&values, seed)
}

fn conclude(weighed: &[Weighed<'_>], story: &Story<'_>, channel: &str, seed: u64) -> Decision {
    let order = preferred(weighed);
    let ranked: Vec<&Weighed<'_>> = order.iter().filter_map(|at| weighed.get(*at)).collect();
    let drawn = draw(&ranked, story, seed).unwrap_or_default();
    let Some(chosen) = ranked.get(drawn.chosen).copied() else {
        return no_arms(story);
    };
    let next = if drawn.chosen == 0 { 1 } else { 0 };
    let runner_up = ranked.get(next).copied();
    let propensity = |arm: &Weighed<'_>| {
        let rank = ranked.iter().position(|other| std::ptr::eq(*other, arm));
        rank.and_then(|rank| drawn.propensities.get(rank))
            .copied()
            .unwrap_or(0.0)
    };
    let currency = &story.inputs.currency;
    Decision {
        action: chosen.arm.action,
        arm: chosen.arm.name.clone(),
        channel: if chosen.arm.action.sends_message() {
            channel.to_owned()
        } else {
            String::new()
        },
        offer: offer(chosen),
        max_cost_minor: chosen.max_cost_minor,
        value_minor: chosen.value_minor,
        value: chosen.value,
        propensity: propensity(chosen),
        risk: story.situation.risk,
        currency: currency.clone(),
        reasons: story.reasons(chosen, runner_up),
        runner_up: runner_up.map(|next| RunnerUp {
            action: next.arm.action,
            arm: next.arm.name.clone(),
            value_minor: next.value_minor,
            flips_when: match drawn.explored {
                true => "wins whenever the decision does not explore".to_owned(),
                false => flips_when(chosen, next, story.situation, currency),
            },
        }),
        considered: weighed
            .iter()
            .map(|arm| considered(arm, chosen, propensity(arm), story))
            .collect(),
        items_shown: story.settings.items_shown,
    }
}

fn considered(
    weighed: &Weighed<'_>,
    chosen: &Weighed<'_>,
    propensity: f64,
    story: &Story<'_>,
) -> Considered {
    let is_chosen = std::ptr::eq(weighed, chosen);
    Considered {
        arm: weighed.arm.name.clone(),
        action: weighed.arm.action,
        eligible: weighed.eligible.clone(),
        why_not: if is_chosen {
            String::new()
        } else {
            story.why_not(weighed, chosen)
        },
        value_minor: weighed.value_minor,
        propensity,
        uplift: weighed.uplift,
        cost_minor: weighed.cost_minor,
    }
}

fn offer(chosen: &Weighed<'_>) -> Option<Offer> {
    let percent_off = match chosen.arm.terms {
        Terms::None => return None,
        Terms::Percent { off, .. } => off.as_f64(),
        Terms::Fixed { .. } | Terms::Shipping { .. } => 0.0,
    };
    Some(Offer {
        percent_off,
        discount_minor: chosen.discount.total,
        max_discount_minor: chosen.discount.ceiling,
        valid_for: chosen.arm.valid_for,
        line_discounts_minor: chosen.discount.lines.clone(),
    })
}

/// A checked policy always has `nothing`; without any arm nothing is done.
fn no_arms(story: &Story<'_>) -> Decision {
    Decision {
        action: crate::Action::Nothing,
        arm: crate::Action::Nothing.as_str().to_owned(),
        channel: String::new(),
        offer: None,
        max_cost_minor: 0,
        value_minor: 0,
        value: 0.0,
        propensity: 1.0,
        risk: story.situation.risk,
        currency: story.inputs.currency.clone(),
        reasons: vec!["the policy has no arms".to_owned()],
        runner_up: None,
        considered: Vec::new(),
        items_shown: story.settings.items_shown,
    }
}
