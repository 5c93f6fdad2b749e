//! One person from the states of several ids. Every part of it is a function of the set of states:
//! neither which id was there first nor which one holds the value makes a difference.

use std::collections::BTreeMap;

use crate::Text;
use crate::state::ConsentRecord;
use crate::state::cart::{CartState, Line, MAX_LINES, Take};
use crate::state::history::{History, MAX_DEVICES, MAX_RECENT};
use crate::state::{MAX_MESSAGES, Shopper, profile, reading};
use crate::time::Millis;
use crate::view::{AddIntervals, Cart, CartLine, Profile, Session};

/// The union of carts. Of each item as many units as the id with the most holds, after what the
/// other ids took out: an id's removal takes as many from each, a purchase takes them all.
pub(crate) fn cart(carts: &[CartState]) -> Cart {
    let mut lines: BTreeMap<&Text, Vec<Held<'_>>> = BTreeMap::new();
    for (place, cart) in carts.iter().enumerate() {
        let others = || carts.iter().enumerate().filter(move |(p, _)| *p != place);
        for line in &cart.lines {
            let takes = others().flat_map(|(_, other)| &other.takes);
            let mut takes: Vec<&Take> = takes.filter(|take| take.item == line.item).collect();
            takes.sort_by_key(|take| (take.at, take.units));
            let until = others().filter_map(|(_, other)| other.taken_until).max();
            if let Some(held) = left(line, &takes, until) {
                lines.entry(&line.item).or_default().push(held);
            }
        }
    }
    let mut lines: Vec<CartLine> = lines.into_values().filter_map(|held| one(&held)).collect();
    lines.sort_by(|a, b| (a.added_at, &a.item_id).cmp(&(b.added_at, &b.item_id)));
    let over = lines.len().saturating_sub(MAX_LINES);
    lines.drain(..over);
    Cart {
        lines,
        version: carts
            .iter()
            .map(|cart| cart.version)
            .fold(0, u64::saturating_add),
        updated_at: carts.iter().filter_map(|cart| cart.updated_at).max(),
    }
}

/// What an id still holds of an item.
struct Held<'a> {
    units: u32,
    /// When the first of them came in.
    since: Millis,
    line: &'a Line,
}

/// Units of a line that nobody took. A take takes the newest units that were there.
fn left<'a>(line: &'a Line, takes: &[&Take], until: Option<Millis>) -> Option<Held<'a>> {
    let later: u32 = line.later.iter().map(|add| add.units).sum();
    let first = (line.added_at, line.quantity.saturating_sub(later));
    let adds = std::iter::once(first).chain(line.later.iter().map(|add| (add.at, add.units)));
    let mut adds: Vec<(Millis, u32)> = adds
        .filter(|(at, _)| until.is_none_or(|until| *at > until))
        .collect();
    for take in takes {
        let mut left = take.units;
        let there = adds.iter_mut().rev().filter(|(at, _)| *at <= take.at);
        for (_, units) in there {
            let taken = left.min(*units);
            *units -= taken;
            left -= taken;
        }
    }
    let (since, _) = adds.iter().find(|(_, units)| *units > 0).copied()?;
    Some(Held {
        units: adds.iter().map(|(_, units)| units).sum(),
        since,
        line,
    })
}

/// What the newest add says of the item counts.
fn one(held: &[Held<'_>]) -> Option<CartLine> {
    let details = |line: &Line| {
        let [_, currency, category, brand] = line.texts().map(Text::clone);
        (line.last_add(), line.price_minor, currency, category, brand)
    };
    let newest = held.iter().max_by_key(|one| details(one.line))?;
    Some(CartLine {
        quantity: held.iter().map(|one| one.units).max()?,
        added_at: held.iter().map(|one| one.since).min()?,
        ..newest.line.view()
    })
}

/// What happened under any of the ids. Gaps are those within each id; the visit is the latest one.
pub(crate) fn history(all: &[History]) -> History {
    let mut united = History::default();
    for one in all {
        united.first_seen_at = earliest(united.first_seen_at, one.first_seen_at);
        united.last_active_at = united.last_active_at.max(one.last_active_at);
        united.last_times = united.last_times.latest(&one.last_times);
        united.recent.extend(one.recent.iter().cloned());
        united.messages.extend(&one.messages);
        united.intervals = intervals(united.intervals, one.intervals);
        united.devices.extend(&one.devices);
        united.carted_units = united.carted_units.saturating_add(one.carted_units);
        united.bought_units = united.bought_units.saturating_add(one.bought_units);
        united.bought_minor = united.bought_minor.saturating_add(one.bought_minor);
        let gaps = &mut united.order_gaps;
        gaps.count = gaps.count.saturating_add(one.order_gaps.count);
        gaps.sum_ms = gaps.sum_ms.saturating_add(one.order_gaps.sum_ms);
    }
    united.session = session(all);
    let recent = &mut united.recent;
    recent.sort_by(|a, b| (a.at, a.kind, &a.item).cmp(&(b.at, b.kind, &b.item)));
    recent.drain(..recent.len().saturating_sub(MAX_RECENT));
    let messages = &mut united.messages;
    messages.sort_by_key(|message| (message.at, message.kind));
    messages.drain(..messages.len().saturating_sub(MAX_MESSAGES));
    united.devices.sort_unstable();
    united.devices.dedup();
    united.devices.truncate(MAX_DEVICES);
    united
}

fn earliest(a: Option<Millis>, b: Option<Millis>) -> Option<Millis> {
    a.into_iter().chain(b).min()
}

fn intervals(a: AddIntervals, b: AddIntervals) -> AddIntervals {
    let min = [a, b]
        .iter()
        .filter(|one| one.count > 0)
        .map(|one| one.min_ms)
        .min();
    let last = |one: &AddIntervals| (one.last_at, one.last_ms);
    let last = if last(&a) >= last(&b) { a } else { b };
    AddIntervals {
        count: a.count.saturating_add(b.count),
        sum_ms: a.sum_ms.saturating_add(b.sum_ms),
        min_ms: min.unwrap_or(0),
        max_ms: a.max_ms.max(b.max_ms),
        last_ms: last.last_ms,
        last_at: last.last_at,
    }
}

fn session(all: &[History]) -> Session {
    let rank = |one: &&History| {
        let session = one.session;
        let size = (session.events, session.views);
        (one.last_active_at, session.started_at, size)
    };
    let latest = all.iter().max_by_key(rank).map(|one| one.session);
    let visits = all.iter().map(|one| one.session.visits);
    Session {
        visits: visits.fold(0, u32::saturating_add),
        ..latest.unwrap_or_default()
    }
}

/// Settings of the person: where two ids disagree, none counts, and whoever reads them takes the
/// safe choice. The channels are those of any id.
pub(crate) fn settings(states: &[&Shopper]) -> Profile {
    let agreed = |text: fn(&Profile) -> &String| {
        let mut texts = states.iter().map(|state| text(&state.profile));
        let mut known = texts.by_ref().filter(|text| !text.is_empty());
        let first = known.next().cloned().unwrap_or_default();
        let agree = known.all(|text| *text == first);
        if agree { first } else { String::new() }
    };
    let channels = states
        .iter()
        .flat_map(|state| state.profile.channels.iter());
    let mut channels: Vec<String> = channels.cloned().collect();
    channels.sort_unstable();
    channels.dedup();
    Profile {
        time_zone: agreed(|profile| &profile.time_zone),
        channels,
        jurisdiction: agreed(|profile| &profile.jurisdiction),
    }
}

/// Of each purpose and channel the strictest record of any id: a revocation before a grant, then
/// the newest. An id that says nothing of it has no say.
pub(crate) fn consents(states: &[&Shopper]) -> Vec<ConsentRecord> {
    let of_each = states
        .iter()
        .flat_map(|state| reading::in_force(state.consents.clone(), &state.profile));
    let mut all: Vec<ConsentRecord> = of_each.collect();
    all.sort_by(profile::by_subject_and_strictness);
    all.dedup_by(|later, first| profile::same_subject(later, first));
    all
}
