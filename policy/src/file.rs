//! Reads a policy file. Every mistake is found in one run, with its place.

mod arm;
mod around;
pub(crate) mod near;
mod problems;
mod section;
mod value;

use std::collections::BTreeMap;

use toml::de::DeTable;

use crate::Problem;
use crate::money::{Share, as_f64};
use crate::propensity::Exploration;
use crate::rules::Rules;
use crate::settings::{Arm, CHANNELS, Settings, UnknownCost};
use problems::Problems;
use section::Section;

const KEYS: [&str; 14] = [
    "version",
    "items_shown",
    "default_channel",
    "fatigue_minor_per_message",
    "unknown_cost",
    "contact_cost_minor",
    "caps",
    "exploration",
    "holdout",
    "quiet_hours",
    "cap",
    "sequence",
    "budget",
    "arm",
];
/// No amount of a policy file is meant to be larger.
pub(crate) const MAX_MINOR: i64 = 1_000_000_000_000;
const MAX_ITEMS: i64 = 20;
const MAX_MESSAGES: i64 = 1000;
const MAX_ARMS: usize = 64;
const DEFAULT_ITEMS: usize = 3;
const DEFAULT_CHANNEL: &str = "email";
const DEFAULT_MARGIN_RATE: f64 = 0.25;
const DEFAULT_MAX_DISCOUNT_RATE: f64 = 0.10;
const DEFAULT_MAX_MESSAGES: u32 = 3;

/// Reads and checks the whole file.
pub(crate) fn read(source: &str) -> Result<(Settings, Rules), Vec<Problem>> {
    let (document, errors) = DeTable::parse_recoverable(source);
    let mut problems = Problems::new(source);
    for error in &errors {
        let at = error.span().map_or(source.len(), |span| span.start);
        problems.syntax(at, error.message());
    }
    let mut rules = Rules::new();
    let top = Section::open(String::new(), document.get_ref(), 0, &KEYS, &mut problems);
    let settings = settings(&top, &mut rules, &mut problems);
    problems.finish().map(|()| (settings, rules))
}

fn settings(top: &Section<'_, '_>, rules: &mut Rules, problems: &mut Problems<'_>) -> Settings {
    let version = top.name("version", problems).unwrap_or_default();
    top.require(
        "version",
        "a name for this file, e.g. \"spring-2\"",
        problems,
    );
    let items_shown = top
        .integer("items_shown", 0..=MAX_ITEMS, problems)
        .and_then(|items| usize::try_from(items).ok())
        .unwrap_or(DEFAULT_ITEMS);
    let default_channel = top
        .one_of("default_channel", &CHANNELS, problems)
        .unwrap_or_else(|| DEFAULT_CHANNEL.to_owned());
    let fatigue = top.integer("fatigue_minor_per_message", 0..=MAX_MINOR, problems);
    let max_messages_7d = max_messages(top, problems);
    Settings {
        version,
        items_shown,
        default_channel,
        fatigue_minor_per_message: fatigue.unwrap_or(0),
        unknown_cost: unknown_cost(top, problems),
        contact_cost_minor: contact_cost(top, problems),
        max_messages_7d,
        exploration: exploration(top, problems),
        holdout: around::holdout(top, problems),
        limits: around::limits(top, max_messages_7d, problems),
        plans: around::plans(top, problems),
        budget: around::budget(top, problems),
        arms: arms(top, rules, problems),
    }
}

fn unknown_cost(top: &Section<'_, '_>, problems: &mut Problems<'_>) -> UnknownCost {
    let section = top.table(
        "unknown_cost",
        &["margin_rate", "max_discount_rate"],
        problems,
    );
    let mut rate = |key, default: f64| {
        let given = section
            .as_ref()
            .and_then(|section| section.share(key, 0.0..=1.0, problems));
        Share::nearest(given.unwrap_or(default))
    };
    UnknownCost {
        margin_rate: rate("margin_rate", DEFAULT_MARGIN_RATE),
        max_discount_rate: rate("max_discount_rate", DEFAULT_MAX_DISCOUNT_RATE),
    }
}

fn contact_cost(top: &Section<'_, '_>, problems: &mut Problems<'_>) -> BTreeMap<String, i64> {
    let Some(section) = top.table("contact_cost_minor", &CHANNELS, problems) else {
        return BTreeMap::new();
    };
    let mut cost = |channel: &str| {
        let cost = section.integer(channel, 0..=MAX_MINOR, problems)?;
        Some((channel.to_owned(), cost))
    };
    CHANNELS
        .iter()
        .filter_map(|channel| cost(channel))
        .collect()
}

fn max_messages(top: &Section<'_, '_>, problems: &mut Problems<'_>) -> u32 {
    top.table("caps", &["max_messages_7d"], problems)
        .and_then(|section| section.integer("max_messages_7d", 0..=MAX_MESSAGES, problems))
        .and_then(|most| u32::try_from(most).ok())
        .unwrap_or(DEFAULT_MAX_MESSAGES)
}

fn exploration(top: &Section<'_, '_>, problems: &mut Problems<'_>) -> Exploration {
    let Some(section) = top.table("exploration", &["epsilon", "max_regret_minor"], problems) else {
        return Exploration::NONE;
    };
    let epsilon_is = "the share of decisions that explore, e.g. 0.05";
    section.require("epsilon", epsilon_is, problems);
    let regret_is = "how much less than the best an arm may be worth to be explored";
    section.require("max_regret_minor", regret_is, problems);
    let epsilon = section.share("epsilon", 0.0..=1.0, problems).unwrap_or(0.0);
    let regret = section.integer("max_regret_minor", 0..=MAX_MINOR, problems);
    // Both are in range here, so there is no error to report.
    Exploration::new(epsilon, as_f64(regret.unwrap_or(0))).unwrap_or(Exploration::NONE)
}

fn arms(top: &Section<'_, '_>, rules: &mut Rules, problems: &mut Problems<'_>) -> Vec<Arm> {
    let sections = top.tables("arm", &arm::KEYS, problems);
    if sections.len() > MAX_ARMS {
        let message = format!(
            "{} arms are too many, at most {MAX_ARMS} are allowed",
            sections.len()
        );
        top.fault("arm", message, problems);
    }
    let mut arms: Vec<Arm> = Vec::new();
    for section in sections.iter().take(MAX_ARMS) {
        let Some(arm) = arm::read(section, rules, problems) else {
            continue;
        };
        if !arm.name.is_empty() && arms.iter().any(|other| other.name == arm.name) {
            let message = format!(
                "\"{}\" is taken by an arm above, names must differ",
                arm.name
            );
            section.fault("name", message, problems);
        }
        let is_nothing = arm.action == crate::Action::Nothing;
        if is_nothing && arms.iter().any(|other| other.action == arm.action) {
            let message = "\"nothing\" is the action of an arm above, one is allowed".to_owned();
            section.fault("action", message, problems);
        }
        arms.push(arm);
    }
    add_nothing(&mut arms);
    arms
}

/// Doing nothing is always possible; a file that does not name it has it first.
fn add_nothing(arms: &mut Vec<Arm>) {
    if arms.iter().any(|arm| arm.action == crate::Action::Nothing) {
        return;
    }
    let free = ["nothing", "do_nothing", "no_action"]
        .into_iter()
        .find(|name| arms.iter().all(|arm| arm.name != *name));
    arms.insert(0, Arm::nothing(free.unwrap_or("leave_alone")));
}
