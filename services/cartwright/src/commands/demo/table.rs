//! The demo's table: one row a cart, in plain words.

use std::collections::{BTreeMap, HashMap};

use feature_store::Item;
use proto::v1 as pb;

use super::json::percentile;
use super::run::Outcome;
use super::shop::Decided;
use crate::commands::decide;
use crate::{output, wire};

/// Rows that fit a screen.
const ROWS: usize = 15;
/// Names in one cell; the rest is counted.
const NAMES: usize = 2;
const LONGEST_NAME: usize = 26;

/// What people call an item.
#[derive(Debug)]
pub(super) struct Names<'a>(HashMap<&'a str, &'a Item>);

impl<'a> Names<'a> {
    pub(super) fn new(items: &'a [Item]) -> Self {
        Self(
            items
                .iter()
                .map(|item| (item.item_id.as_str(), item))
                .collect(),
        )
    }

    /// Its name; else brand and kind; else its id.
    fn of(&self, item_id: &str) -> String {
        let Some(item) = self.0.get(item_id) else {
            return item_id.to_owned();
        };
        if !item.name.is_empty() {
            return shorten(&item.name);
        }
        let kind = item
            .category_path
            .last()
            .map_or("", String::as_str)
            .replace('_', " ");
        let words = [item.brand.as_str(), kind.as_str()].join(" ");
        match words.trim() {
            "" => item_id.to_owned(),
            words => format!("{} {item_id}", shorten(words)),
        }
    }

    fn list<'b>(&self, ids: impl Iterator<Item = &'b str>) -> String {
        let ids: Vec<&str> = ids.collect();
        let mut text: Vec<String> = ids.iter().take(NAMES).map(|id| self.of(id)).collect();
        if ids.len() > NAMES {
            text.push(format!("+{}", ids.len() - NAMES));
        }
        text.join(", ")
    }
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= LONGEST_NAME {
        return text.to_owned();
    }
    let kept: String = text.chars().take(LONGEST_NAME - 1).collect();
    format!("{}…", kept.trim_end())
}

/// Prints the carts worth most, and how many more there are.
pub(super) fn print(outcome: &Outcome, names: &Names<'_>) {
    if outcome.decided.is_empty() {
        output::result(match outcome.counts.total() {
            0 => "no carts: the log has no add_to_cart events, so there is nothing to decide",
            _ => "no cart was left, so there is nothing to decide",
        });
        return;
    }
    let mut rows: Vec<(&pb::Cart, &Decided)> = outcome.left.iter().zip(&outcome.decided).collect();
    rows.sort_by(|(_, a), (_, b)| {
        let worth = |decided: &Decided| decided.decision.expected_value_minor;
        let by_worth = worth(b).cmp(&worth(a));
        by_worth.then_with(|| a.decision.shopper_id.cmp(&b.decision.shopper_id))
    });
    let header = [
        "shopper", "cart", "value", "risk", "action", "show", "why", "worth", "ms",
    ];
    let mut table = output::table(header);
    for (cart, decided) in rows.iter().take(ROWS) {
        table.add_row(row(cart, decided, names));
    }
    output::result(table);
    if rows.len() > ROWS {
        output::result(format!(
            "… and {} more",
            output::thousands(rows.len() - ROWS)
        ));
    }
}

fn row(cart: &pb::Cart, decided: &Decided, names: &Names<'_>) -> [comfy_table::Cell; 9] {
    let decision = &decided.decision;
    let text = |text: String| comfy_table::Cell::new(text);
    [
        text(shorten(&decision.shopper_id)),
        text(names.list(cart.lines.iter().map(|line| line.item_id.as_str()))),
        output::number(output::money(decision.cart_value_minor, &decision.currency)),
        output::number(format!("{:.0} %", decision.risk * 100.0)),
        text(decide::action(decision)),
        text(names.list(decision.items.iter().map(|item| item.item_id.as_str()))),
        text(why(decision)),
        output::number(output::money(
            decision.expected_value_minor,
            &decision.currency,
        )),
        output::number(format!("{:.1}", decided.took.as_secs_f64() * 1_000.0)),
    ]
}

/// The main reason. What it says before the colon stands in the columns for action and worth.
fn why(decision: &pb::Decision) -> String {
    let reason = decision.reasons.first().map_or("", String::as_str);
    reason
        .split_once(": ")
        .map_or(reason, |(_, because)| because)
        .to_owned()
}

/// Prints what it all came to.
pub(super) fn summary(outcome: &Outcome) {
    counted(outcome);
    if !outcome.decided.is_empty() {
        decided(outcome);
    }
}

fn counted(outcome: &Outcome) {
    let events = &outcome.events;
    output::result(format!(
        "events     {} pushed: {} accepted, {} duplicate, {} rejected",
        count(events.pushed),
        count(events.accepted),
        count(events.duplicate),
        count(events.rejected)
    ));
    let counts = &outcome.counts;
    output::result(format!(
        "carts      {}: {} bought, {} left, {} in use or emptied",
        counts.total(),
        counts.purchased,
        counts.abandoned,
        counts.open
    ));
}

fn decided(outcome: &Outcome) {
    output::result(format!("decisions  {}", actions(&outcome.decided)));
    output::result(format!(
        "worth      {} expected, against doing nothing",
        worth(outcome)
    ));
    output::result(format!(
        "latency    Decide p50 {:.1} ms, p99 {:.1} ms, one call at a time",
        percentile(&outcome.decided, 50).as_secs_f64() * 1_000.0,
        percentile(&outcome.decided, 99).as_secs_f64() * 1_000.0
    ));
    let degraded = outcome
        .decided
        .iter()
        .filter(|d| !d.decision.degraded.is_empty())
        .count();
    if degraded > 0 {
        output::result(format!("degraded   {degraded} decisions used a fallback"));
    }
}

fn count(count: u64) -> String {
    output::thousands(usize::try_from(count).unwrap_or(usize::MAX))
}

fn actions(decided: &[Decided]) -> String {
    let mut counts: BTreeMap<i32, usize> = BTreeMap::new();
    for decided in decided {
        *counts.entry(decided.decision.action).or_default() += 1;
    }
    let parts: Vec<String> = counts
        .iter()
        .filter_map(|(action, count)| {
            let action = pb::decision::Action::try_from(*action).ok()?;
            Some(format!(
                "{count} {}",
                wire::action(action).replace('_', " ")
            ))
        })
        .collect();
    format!("{}: {}", decided.len(), parts.join(", "))
}

fn worth(outcome: &Outcome) -> String {
    let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
    for decided in &outcome.decided {
        let decision = &decided.decision;
        *sums.entry(&decision.currency).or_default() += decision.expected_value_minor;
    }
    let parts: Vec<String> = sums
        .iter()
        .map(|(currency, sum)| output::money(*sum, currency))
        .collect();
    parts.join(" + ")
}
