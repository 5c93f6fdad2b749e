use std::borrow::Cow;
use std::collections::HashSet;
use std::time::Duration;

use snapshot::Catalogue;

use crate::{Kind, Query, Recent, weights};

/// An item that the shopper dealt with, and how much that says.
#[derive(Copy, Clone, Debug, PartialEq)]
pub(crate) struct Interest {
    pub(crate) ordinal: u32,
    /// Kind, age and position in one number above 0.
    pub(crate) weight: f32,
    /// Whether the newest interaction with it was in an earlier visit than the current one.
    pub(crate) earlier: bool,
    /// The newest interaction with it.
    pub(crate) newest: Kind,
    /// Whether it was bought.
    pub(crate) bought: bool,
    /// How often and how lately it was bought; 0 when it was not.
    pub(crate) rebuy: f32,
}

/// The known items among the recent ones, each once, newest first; and the unknown ones.
///
/// The current visit reaches from the newest interaction back to the first longer pause. Where it
/// names no known item, the interests of all visits count as its.
pub(crate) fn of(query: &Query, catalogue: &Catalogue) -> (Vec<Interest>, Vec<String>) {
    let mut newest_first: Vec<&Recent> = query.recent.iter().collect();
    newest_first.sort_by_key(|recent| recent.age);
    let mut interests: Vec<Interest> = Vec::new();
    let (mut earlier, mut newer) = (false, Duration::MAX);
    for recent in newest_first {
        earlier |= recent.age.saturating_sub(newer) > weights::PAUSE;
        newer = recent.age;
        if let Some(ordinal) = catalogue.ordinal(&recent.item_id) {
            note(&mut interests, ordinal, recent, earlier);
        }
    }
    if interests.iter().all(|interest| interest.earlier) {
        let all = interests.iter_mut();
        all.for_each(|interest| interest.earlier = false);
    }
    (interests, unknown(query, catalogue))
}

/// The interests as a source sees them that gives those of earlier visits a share of their weight;
/// at 0 it does not see them.
pub(crate) fn with_earlier(interests: &[Interest], share: f32) -> Cow<'_, [Interest]> {
    if share >= 1.0 || !interests.iter().any(|interest| interest.earlier) {
        return Cow::Borrowed(interests);
    }
    let seen = interests.iter().map(|interest| Interest {
        weight: interest.weight * if interest.earlier { share } else { 1.0 },
        ..*interest
    });
    Cow::Owned(seen.filter(|interest| interest.weight > 0.0).collect())
}

fn note(interests: &mut Vec<Interest>, ordinal: u32, recent: &Recent, earlier: bool) {
    let known = interests
        .iter_mut()
        .find(|interest| interest.ordinal == ordinal);
    match known {
        Some(interest) => strengthen(interest, recent),
        None => {
            let position = weights::of_position(interests.len());
            interests.push(Interest {
                ordinal,
                weight: strength(recent) * position,
                earlier,
                newest: recent.kind,
                bought: recent.kind == Kind::Purchase,
                rebuy: rebuy(recent),
            });
        }
    }
}

/// An older interaction can show that the item matters more, unless it has been put back since.
fn strengthen(interest: &mut Interest, recent: &Recent) {
    if interest.newest != Kind::Remove {
        interest.weight = interest.weight.max(strength(recent));
    }
    interest.bought |= recent.kind == Kind::Purchase;
    interest.rebuy += rebuy(recent);
}

/// What one purchase says of buying the item again.
fn rebuy(recent: &Recent) -> f32 {
    if recent.kind == Kind::Purchase {
        weights::of_rebuy(recent.age)
    } else {
        0.0
    }
}

fn strength(recent: &Recent) -> f32 {
    weights::of_kind(recent.kind) * weights::of_age(recent.age)
}

fn unknown(query: &Query, catalogue: &Catalogue) -> Vec<String> {
    let mut seen = HashSet::new();
    let ids = query.recent.iter().map(|recent| recent.item_id.as_str());
    ids.filter(|id| catalogue.ordinal(id).is_none() && seen.insert(*id))
        .map(str::to_owned)
        .collect()
}
