//! Reads one `[[arm]]`.

use std::time::Duration;

use super::MAX_MINOR;
use super::problems::Problems;
use super::section::Section;
use crate::Action;
use crate::money::Share;
use crate::rules::Rules;
use crate::sequence::Kind;
use crate::settings::{Arm, CHANNELS, Terms};

pub(super) const KEYS: [&str; 11] = [
    "name",
    "action",
    "percent_off",
    "amount_minor",
    "max_discount_minor",
    "shipping_cost_minor",
    "valid_for",
    "channels",
    "left",
    "recovery",
    "when",
];
/// Keys that only some actions have.
const TERMS: [&str; 5] = [
    "percent_off",
    "amount_minor",
    "max_discount_minor",
    "shipping_cost_minor",
    "valid_for",
];
const MOST_OFF: f64 = 0.9;
const LEAST_OFF: f64 = 0.001;

/// Reports every mistake of the arm; `None` when its action is not known, and so what it needs.
pub(super) fn read(
    section: &Section<'_, '_>,
    rules: &mut Rules,
    problems: &mut Problems<'_>,
) -> Option<Arm> {
    section.require("name", "a name of its own", problems);
    section.require("action", "what the arm does, e.g. \"reminder\"", problems);
    let name = section.name("name", problems).unwrap_or_default();
    let names = Action::ALL.map(Action::as_str);
    let action = section
        .one_of("action", &names, problems)
        .and_then(|action| Action::from_name(&action));
    let rule = rule(section, rules, problems);
    let recovery = section.share("recovery", 0.0..=1.0, problems);
    let channels = section.list_of("channels", &CHANNELS, problems);
    let left = left(section, problems);
    let action = action?;
    refuse_foreign_keys(section, action, problems);
    if action == Action::Nothing {
        return Some(Arm::nothing(&name));
    }
    section.require(
        "recovery",
        "the share of carts that would be left for good which the arm wins back, 0 to 1",
        problems,
    );
    let terms = terms(section, action, problems);
    let valid_for = valid_for(section, action, problems);
    let recovery = recovery.unwrap_or(0.0);
    Some(Arm {
        name,
        action,
        terms,
        valid_for,
        channels,
        left,
        recovery,
        rule,
    })
}

/// Somebody who only looked, or has not come for long, gets nothing that was meant for a cart.
fn left(section: &Section<'_, '_>, problems: &mut Problems<'_>) -> Vec<Kind> {
    if !section.has("left") {
        return vec![Kind::Cart, Kind::Checkout];
    }
    let names = section.list_of("left", &Kind::ALL.map(Kind::as_str), problems);
    names
        .iter()
        .filter_map(|name| Kind::from_name(name))
        .collect()
}

fn terms_of(action: Action) -> &'static [&'static str] {
    match action {
        Action::Nothing | Action::Reminder => &[],
        Action::PercentCoupon | Action::LimitedTimeOffer => {
            &["percent_off", "max_discount_minor", "valid_for"]
        }
        Action::FixedCoupon => &["amount_minor", "valid_for"],
        Action::FreeShipping => &["shipping_cost_minor", "valid_for"],
    }
}

/// A key that the action ignores is a mistake: the writer expects it to do something.
fn refuse_foreign_keys(section: &Section<'_, '_>, action: Action, problems: &mut Problems<'_>) {
    let own = terms_of(action);
    let always_refused: &[&str] = if action == Action::Nothing {
        &["channels", "left", "recovery", "when"]
    } else {
        &[]
    };
    let foreign = TERMS
        .iter()
        .filter(|key| !own.contains(key))
        .chain(always_refused);
    for key in foreign.filter(|key| section.has(key)) {
        let allowed = match own {
            [] => "only name and action say what it does".to_owned(),
            own => format!("it has {}", own.join(", ")),
        };
        let message = format!(
            "does not apply to the action \"{}\"; {allowed}",
            action.as_str()
        );
        section.fault(key, message, problems);
    }
}

fn terms(section: &Section<'_, '_>, action: Action, problems: &mut Problems<'_>) -> Terms {
    let money = |key: &str, problems: &mut Problems<'_>| {
        section.integer(key, 1..=MAX_MINOR, problems).unwrap_or(1)
    };
    match action {
        Action::Nothing | Action::Reminder => Terms::None,
        Action::PercentCoupon | Action::LimitedTimeOffer => {
            section.require(
                "percent_off",
                "the share taken off, e.g. 0.10 for ten per cent",
                problems,
            );
            section.require(
                "max_discount_minor",
                "the most the offer may come to in money: a percentage without it has no limit",
                problems,
            );
            let off = section.share("percent_off", LEAST_OFF..=MOST_OFF, problems);
            let max_minor = money("max_discount_minor", problems);
            Terms::Percent {
                off: Share::nearest(off.unwrap_or(0.0)),
                max_minor,
            }
        }
        Action::FixedCoupon => {
            section.require(
                "amount_minor",
                "the amount taken off, in minor units",
                problems,
            );
            Terms::Fixed {
                amount_minor: money("amount_minor", problems),
            }
        }
        Action::FreeShipping => {
            section.require(
                "shipping_cost_minor",
                "what shipping costs the shop, in minor units",
                problems,
            );
            Terms::Shipping {
                cost_minor: money("shipping_cost_minor", problems),
            }
        }
    }
}

fn valid_for(section: &Section<'_, '_>, action: Action, problems: &mut Problems<'_>) -> Duration {
    if !terms_of(action).contains(&"valid_for") {
        return Duration::ZERO;
    }
    let what = "how long the offer holds, from \"1m\" to \"365d\" with the units m, h or d";
    section.require("valid_for", what, problems);
    section
        .duration("valid_for", what, problems)
        .unwrap_or_default()
}

fn rule(
    section: &Section<'_, '_>,
    rules: &mut Rules,
    problems: &mut Problems<'_>,
) -> Option<usize> {
    let source = section.text(
        "when",
        "a rule in CEL, e.g. \"cart.value_minor >= 5000\"",
        problems,
    )?;
    match rules.add(source) {
        Ok(rule) => Some(rule),
        Err(why) => {
            section.fault("when", format!("the rule {why}"), problems);
            None
        }
    }
}
