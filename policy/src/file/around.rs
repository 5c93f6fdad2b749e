//! Reads what stands around a decision: holdout, quiet hours, caps, sequences, budget.

use std::collections::BTreeMap;
use std::time::Duration;

use super::problems::Problems;
use super::section::Section;
use super::{MAX_MESSAGES, MAX_MINOR};
use crate::account::{BudgetPlan, Period};
use crate::guard::Limits;
use crate::guard::caps::Cap;
use crate::guard::quiet::{Clocks, QuietHours};
use crate::holdout::Holdout;
use crate::sequence::{Kind, Plan};
use crate::settings::CHANNELS;

const MAX_CAPS: usize = 16;
const WEEK_MS: i64 = 7 * 86_400_000;
const HOLD: Duration = Duration::from_secs(3_600);
const SEQUENCE_KEYS: [&str; 5] = ["prior_gap", "tail", "least", "most", "follow_ups"];

pub(super) fn holdout(top: &Section<'_, '_>, problems: &mut Problems<'_>) -> Option<Holdout> {
    let section = top.table("holdout", &["share", "salt"], problems)?;
    let salt_is = "a text of your own that stays the same; another one is another holdout";
    section.require("salt", salt_is, problems);
    let share = section.share("share", 0.0..=0.5, problems);
    let salt = section.name("salt", problems)?;
    // Both are in range here, so there is no error to report.
    Holdout::new(&salt, share.unwrap_or(Holdout::DEFAULT_SHARE)).ok()
}

/// The cap of the last seven days holds at hand-out as well.
pub(super) fn limits(
    top: &Section<'_, '_>,
    max_messages_7d: u32,
    problems: &mut Problems<'_>,
) -> Limits {
    let (clocks, quiet) = quiet_hours(top, problems);
    let mut caps = vec![Cap {
        channel: None,
        window_ms: WEEK_MS,
        most: usize::try_from(max_messages_7d).unwrap_or(usize::MAX),
    }];
    let sections = top.tables("cap", &["window", "most", "channel"], problems);
    if sections.len() > MAX_CAPS {
        let message = format!(
            "{} caps are too many, at most {MAX_CAPS} are allowed",
            sections.len()
        );
        top.fault("cap", message, problems);
    }
    caps.extend(
        sections
            .iter()
            .take(MAX_CAPS)
            .filter_map(|one| cap(one, problems)),
    );
    Limits {
        clocks,
        quiet,
        caps,
    }
}

fn cap(section: &Section<'_, '_>, problems: &mut Problems<'_>) -> Option<Cap> {
    let window_is = "how long the window is, e.g. \"24h\"";
    section.require("window", window_is, problems);
    section.require("most", "how many messages a window may hold", problems);
    let window = section.duration("window", window_is, problems);
    let most = section.integer("most", 0..=MAX_MESSAGES, problems);
    let channel = section.one_of("channel", &CHANNELS, problems);
    Some(Cap {
        channel,
        window_ms: millis(window?),
        most: usize::try_from(most?).ok()?,
    })
}

fn quiet_hours(
    top: &Section<'_, '_>,
    problems: &mut Problems<'_>,
) -> (Clocks, BTreeMap<String, QuietHours>) {
    let keys = ["zones", "email", "sms", "push", "onsite"];
    let section = top.table("quiet_hours", &keys, problems);
    let mut quiet = BTreeMap::new();
    let mut clocks = None;
    if let Some(section) = section {
        let zones_are = "a list of time zones that the shop serves, e.g. [\"Europe/Berlin\"]";
        section.require("zones", zones_are, problems);
        if let Some(zones) = section.texts("zones", zones_are, problems) {
            match Clocks::serving(zones) {
                Ok(served) => clocks = Some(served),
                Err(error) => section.fault("zones", error.to_string(), problems),
            }
        }
        for channel in CHANNELS {
            if let Some(hours) = hours(&section, channel, problems) {
                quiet.insert(channel.to_owned(), hours);
            }
        }
    }
    (clocks.unwrap_or_else(Clocks::universal), quiet)
}

fn hours(
    section: &Section<'_, '_>,
    channel: &str,
    problems: &mut Problems<'_>,
) -> Option<QuietHours> {
    let hours = section.table(channel, &["from", "to"], problems)?;
    hours.require("from", "when quiet begins, e.g. \"21:00\"", problems);
    hours.require("to", "when quiet ends, e.g. \"08:00\"", problems);
    let (from, to) = (hours.minute("from", problems), hours.minute("to", problems));
    match QuietHours::between(from?, to?) {
        Ok(hours) => Some(hours),
        Err(error) => {
            hours.fault("to", error.to_string(), problems);
            None
        }
    }
}

pub(super) fn plans(top: &Section<'_, '_>, problems: &mut Problems<'_>) -> BTreeMap<Kind, Plan> {
    let names = Kind::ALL.map(Kind::as_str);
    let mut keys = vec!["kinds"];
    keys.extend(names);
    let section = top.table("sequence", &keys, problems);
    let mut kinds = vec![Kind::Cart, Kind::Checkout];
    if let Some(section) = section.as_ref().filter(|section| section.has("kinds")) {
        let named = section.list_of("kinds", &names, problems);
        kinds = named
            .iter()
            .filter_map(|name| Kind::from_name(name))
            .collect();
    }
    let mut plans = BTreeMap::new();
    for kind in Kind::ALL {
        let tuned = section
            .as_ref()
            .and_then(|section| section.table(kind.as_str(), &SEQUENCE_KEYS, problems));
        let plan = plan(kind, tuned.as_ref(), problems);
        if kinds.contains(&kind) {
            plans.insert(kind, plan);
        }
    }
    plans
}

fn plan(kind: Kind, tuned: Option<&Section<'_, '_>>, problems: &mut Problems<'_>) -> Plan {
    let mut plan = Plan::usual(kind);
    let Some(section) = tuned else {
        return plan;
    };
    let what = "a time from \"1m\" to \"365d\" with the units m, h or d";
    let mut time = |key: &str, into: &mut i64| {
        if let Some(time) = section.duration(key, what, problems) {
            *into = millis(time);
        }
    };
    time("prior_gap", &mut plan.rhythm.prior_gap_ms);
    time("least", &mut plan.rhythm.least_ms);
    time("most", &mut plan.rhythm.most_ms);
    if let Some(tail) = section.share("tail", 0.001..=0.5, problems) {
        plan.rhythm.tail = tail;
    }
    if let Some(times) = section.rising("follow_ups", problems) {
        plan.follow_ups_ms = times.into_iter().map(millis).collect();
    }
    if plan.rhythm.least_ms > plan.rhythm.most_ms {
        let message = "is longer than `most`, it has to be at most as long".to_owned();
        section.fault("least", message, problems);
    }
    plan
}

pub(super) fn budget(top: &Section<'_, '_>, problems: &mut Problems<'_>) -> Option<BudgetPlan> {
    let keys = ["amount_minor", "period", "hold", "pacing"];
    let section = top.table("budget", &keys, problems)?;
    let amount_is = "what may be spent in a period, in minor units";
    section.require("amount_minor", amount_is, problems);
    let amount = section.integer("amount_minor", 0..=MAX_MINOR, problems);
    let period = section.one_of("period", &Period::ALL.map(Period::as_str), problems);
    let hold_is = "how long money is held for an action that waits, e.g. \"1h\"";
    let hold = section.duration("hold", hold_is, problems).unwrap_or(HOLD);
    let pacing = section.truth("pacing", problems).unwrap_or(true);
    Some(BudgetPlan {
        amount_minor: amount?,
        period: period
            .and_then(|name| Period::from_name(&name))
            .unwrap_or(Period::Day),
        hold_ms: millis(hold),
        pacing,
    })
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
