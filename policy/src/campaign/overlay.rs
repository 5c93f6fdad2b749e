//! What the lines of one cart get from the campaigns that run.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

use super::{Campaign, Stacking};
use crate::cart::{CartMoney, LineMoney};
use crate::discount::Discount;
use crate::money::format;
use crate::settings::Terms;
use crate::{Inputs, Line};

/// The offers of one cart line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineOffer {
    /// The best offer first, then what stacks on it; empty when the line gets nothing.
    pub given: Vec<Given>,
    /// The best of those that give nothing on this line.
    pub runner_up: Option<Passed>,
}

/// What a campaign takes off a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    pub campaign: String,
    pub discount_minor: i64,
}

/// A campaign that chose the line and gives nothing on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    pub campaign: String,
    /// What it would have taken off by itself.
    pub discount_minor: i64,
    /// In plain words.
    pub why: String,
}

/// A campaign on one line.
#[derive(Copy, Clone, Debug)]
struct Candidate<'a> {
    campaign: &'a Campaign,
    discount_minor: i64,
    /// Whether its budget, and not the line's margin, left nothing.
    used_up: bool,
}

impl Candidate<'_> {
    /// The order of preference on a line; ids differ, so it is total.
    fn order(&self, other: &Self) -> Ordering {
        let rank = |one: &Self| {
            let draft = &one.campaign.draft;
            let gives_nothing = one.discount_minor == 0;
            let best_first = (Reverse(draft.priority), Reverse(one.discount_minor));
            (gives_nothing, best_first, draft.ends_at_ms)
        };
        let ids = || self.campaign.draft.id.cmp(&other.campaign.draft.id);
        rank(self).cmp(&rank(other)).then_with(ids)
    }

    fn stacks(&self) -> bool {
        self.campaign.draft.stacking == Stacking::WithOthers
    }
}

/// The offers per line, in the order of the lines. `free_minor` says what is free of each
/// campaign's budget; one that it does not name has nothing.
pub(crate) fn offers(
    campaigns: &[Campaign],
    inputs: &Inputs,
    cart: &CartMoney,
    free_minor: &BTreeMap<String, i64>,
) -> Vec<LineOffer> {
    let running = campaigns.iter().filter(|one| one.runs_at(inputs.now_ms));
    let mut by_line: Vec<Vec<Candidate<'_>>> = vec![Vec::new(); inputs.lines.len()];
    for campaign in running {
        let free = free_minor.get(&campaign.draft.id).copied().unwrap_or(0);
        let chosen = |line: &Line| {
            let selector = &campaign.draft.selector;
            selector.chooses(&line.item_id, &line.category, &line.brand)
        };
        let discounts = alone(campaign, &chosen, inputs, cart, free);
        for ((line, discount_minor), candidates) in
            inputs.lines.iter().zip(discounts).zip(&mut by_line)
        {
            if chosen(line) {
                candidates.push(Candidate {
                    campaign,
                    discount_minor,
                    used_up: free <= 0,
                });
            }
        }
    }
    by_line
        .into_iter()
        .zip(&cart.lines)
        .map(|(candidates, money)| settle(candidates, money.cap, &inputs.currency))
        .collect()
}

/// What a campaign takes off each line if it gives on all that it chooses. What it then gives on
/// fewer is less, so its maximum and its budget hold.
fn alone(
    campaign: &Campaign,
    chosen: &dyn Fn(&Line) -> bool,
    inputs: &Inputs,
    cart: &CartMoney,
    free: i64,
) -> Vec<i64> {
    let pairs = inputs.lines.iter().zip(&cart.lines);
    let lines: Vec<LineMoney> = pairs
        .map(|(line, money)| {
            if chosen(line) {
                *money
            } else {
                LineMoney::default()
            }
        })
        .collect();
    let part = CartMoney {
        value: 0,
        margin: 0,
        lines,
    };
    let free = free.max(0);
    let terms = match campaign.terms {
        Terms::Percent { off, max_minor } => Terms::Percent {
            off,
            max_minor: max_minor.min(free),
        },
        Terms::Fixed { amount_minor } => Terms::Fixed {
            amount_minor: amount_minor.min(free),
        },
        other @ (Terms::None | Terms::Shipping { .. }) => other,
    };
    Discount::of(terms, &part).lines
}

fn settle(mut candidates: Vec<Candidate<'_>>, cap: i64, currency: &str) -> LineOffer {
    candidates.sort_by(Candidate::order);
    let mut offer = LineOffer::default();
    let Some(best) = candidates.first().copied() else {
        return offer;
    };
    let mut left = cap;
    for candidate in &candidates {
        let first = offer.given.is_empty();
        let takes_part = first || (best.stacks() && candidate.stacks());
        let discount_minor = candidate.discount_minor.min(left);
        if takes_part && discount_minor > 0 {
            left -= discount_minor;
            offer.given.push(Given {
                campaign: candidate.campaign.draft.id.clone(),
                discount_minor,
            });
        } else if offer.runner_up.is_none() {
            offer.runner_up = Some(Passed {
                campaign: candidate.campaign.draft.id.clone(),
                discount_minor: candidate.discount_minor,
                why: why(candidate, &best, takes_part, currency),
            });
        }
    }
    offer
}

fn why(passed: &Candidate<'_>, best: &Candidate<'_>, takes_part: bool, currency: &str) -> String {
    let (mine, first) = (&passed.campaign.draft, &best.campaign.draft);
    if passed.used_up {
        return "its budget is used up".to_owned();
    }
    if passed.discount_minor == 0 {
        return "it would take nothing off this line".to_owned();
    }
    if takes_part {
        return "the line's margin is given away already".to_owned();
    }
    if mine.priority != first.priority {
        return format!(
            "its priority is {}, {} has {}",
            mine.priority, first.id, first.priority
        );
    }
    let behind = best.discount_minor.saturating_sub(passed.discount_minor);
    match behind {
        0 => format!(
            "it takes off the same as {}, which ends sooner or comes first",
            first.id
        ),
        behind => format!("it takes {} less off", format(behind, currency)),
    }
}
