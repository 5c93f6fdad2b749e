use std::collections::HashSet;

use snapshot::Catalogue;

use crate::{Kind, Query, Recent, weights};

/// An item that the shopper dealt with, and how much that says.
#[derive(Copy, Clone, Debug, PartialEq)]
pub(crate) struct Interest {
    pub(crate) ordinal: u32,
    /// Kind, age and position in one number above 0.
    pub(crate) weight: f32,
    /// The newest interaction with it.
    pub(crate) newest: Kind,
    /// Whether it was bought.
    pub(crate) bought: bool,
    /// How often and how lately it was bought; 0 when it was not.
    pub(crate) rebuy: f32,
}

/// The known items among the recent ones, each once, newest first; and the unknown ones.
pub(crate) fn of(query: &Query, catalogue: &Catalogue) -> (Vec<Interest>, Vec<String>) {
    let mut newest_first: Vec<&Recent> = query.recent.iter().collect();
    newest_first.sort_by_key(|recent| recent.age);
    let mut interests: Vec<Interest> = Vec::new();
    for recent in newest_first {
        if let Some(ordinal) = catalogue.ordinal(&recent.item_id) {
            note(&mut interests, ordinal, recent);
        }
    }
    (interests, unknown(query, catalogue))
}

fn note(interests: &mut Vec<Interest>, ordinal: u32, recent: &Recent) {
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
