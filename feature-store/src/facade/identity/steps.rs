//! What is between two values, and the commit that brings their link further.

use super::LinkRefusal;
use crate::facade::StoredShopper;
use crate::facade::deadlines::Wake;
use crate::state::{MAX_PARTS, Moved};
use crate::store::{Key, Op};
use crate::{Millis, Rejection, Shopper};

/// What is between two ids, and the next commit that brings it further.
pub(super) enum Step {
    /// Nothing is left to do.
    Done,
    Refused(LinkRefusal),
    /// The other direction was asked for as well, and goes first.
    Opposite,
    Commit(Key, Vec<Op>),
}

/// Two values as they were read, and who they are.
pub(super) struct Pair<'a> {
    pub(super) root_id: &'a str,
    pub(super) alias_id: &'a str,
    pub(super) root: StoredShopper,
    pub(super) alias: StoredShopper,
}

impl Pair<'_> {
    /// Why the ids cannot be linked, as they stand.
    pub(super) fn stands_against(&self, link_id: &str) -> Option<Rejection> {
        let (alias, links) = (self.alias_id, &self.alias.shopper.links);
        let root = &self.root.shopper.links;
        let (field, detail) = if let Some(moved) = &links.moved {
            let detail = format!(
                "alias_id is {alias:?}, which is linked to {:?}; an id that is linked to nobody is \
                 needed: unlink it first, or link the others to {:?}",
                moved.to, moved.to
            );
            ("alias_id", detail)
        } else if !links.parts.is_empty() {
            let detail = format!(
                "alias_id is {alias:?}, which {} other ids were linked to; an id without any is \
                 needed: link {:?} to it instead",
                links.parts.len(),
                self.root_id
            );
            ("alias_id", detail)
        } else if root.part(alias, link_id).is_some() {
            let detail = format!("link_id is {link_id:?}, which was unlinked; a new one is needed");
            ("link_id", detail)
        } else if root.parts.len() + root.expected.len() >= MAX_PARTS
            && root.expects(alias).is_none()
        {
            let detail = format!(
                "shopper_id is {:?}, at most {MAX_PARTS} ids can ever be linked to one",
                self.root_id
            );
            ("shopper_id", detail)
        } else {
            return None;
        };
        Some(Rejection::invalid(field, detail))
    }

    pub(super) fn root_key(&self) -> Key {
        Key::shopper(self.root_id)
    }

    /// The end: the deadline goes, if the value is what was read.
    pub(super) fn over(&self) -> Vec<Op> {
        let key = self.root_key();
        let expected = self.root.version;
        vec![Op::Expect { key, expected }, self.cancel()]
    }

    /// The end of a link that is refused: nothing of it stays.
    pub(super) fn retract(&self) -> Vec<Op> {
        let mut root = self.root.shopper.clone();
        if !root.links.retract(self.alias_id) {
            return self.over();
        }
        let mut ops = self.root.put(&self.root_key(), &root);
        ops.push(self.cancel());
        ops
    }

    fn cancel(&self) -> Op {
        let id = wake(self.root_id, self.alias_id);
        Op::Cancel { id }
    }

    /// Step 1.
    pub(super) fn expect(&self, link_id: &str, now: Millis) -> (Key, Vec<Op>) {
        let key = self.root_key();
        let mut root = self.root.shopper.clone();
        root.links.expect(self.alias_id, link_id, now);
        let mut ops = self.root.put(&key, &root);
        ops.push(schedule(wake(self.root_id, self.alias_id), now));
        (key, ops)
    }

    pub(super) fn next_step(&self, idle: std::time::Duration) -> Step {
        let (root, alias) = (&self.root.shopper, &self.alias.shopper);
        if let Some(moved) = alias.links.moved.as_ref() {
            if moved.to != self.root_id {
                return match self.stands_against("") {
                    Some(refused) => Step::Refused(LinkRefusal::Stands(refused)),
                    None => Step::Done,
                };
            }
            return self.after_the_move(moved, idle);
        }
        let Some(expected) = root.links.expects(self.alias_id) else {
            return Step::Done;
        };
        if root.moved_to().is_some() {
            return Step::Done;
        }
        let opposite = alias.links.expects(self.root_id).is_some();
        if opposite && self.root_id > self.alias_id {
            return Step::Opposite;
        }
        let others = alias.links.expected.len() > usize::from(opposite);
        if others || !alias.links.parts.is_empty() {
            let detail = format!(
                "alias_id is {:?}, which other ids are being linked to; an id without any is needed",
                self.alias_id
            );
            return Step::Refused(stands("alias_id", detail));
        }
        let moved = Moved {
            to: self.root_id.to_owned(),
            link_id: expected.link_id.clone(),
            pending: true,
        };
        self.move_alias(moved)
    }

    /// Step 2. Nobody looks at the id by itself any more, and it waits for no other.
    fn move_alias(&self, moved: Moved) -> Step {
        let key = Key::shopper(self.alias_id);
        let mut alias = self.alias.shopper.clone();
        let waits = std::mem::take(&mut alias.links.expected).into_iter();
        alias.links.moved = Some(moved);
        let look = Wake::Shopper(self.alias_id.to_owned()).to_string();
        let mut ops = self.alias.put(&key, &alias);
        let over = waits.map(|waits| wake(self.alias_id, &waits.id));
        ops.extend(over.chain([look]).map(|id| Op::Cancel { id }));
        Step::Commit(key, ops)
    }

    /// Steps 3 and 4, and the end of an unlinking.
    fn after_the_move(&self, moved: &Moved, idle: std::time::Duration) -> Step {
        let root = &self.root.shopper;
        let alias_key = Key::shopper(self.alias_id);
        let Some(part) = root.links.part(self.alias_id, &moved.link_id) else {
            let key = self.root_key();
            let expected = root.links.expects(self.alias_id);
            let at = expected.map_or(Millis(0), |expected| expected.at);
            let mut whole = root.clone();
            whole.absorb(self.alias_id, moved, &self.alias.shopper, at);
            let look = Wake::Shopper(self.root_id.to_owned()).to_string();
            let mut ops = self.root.put(&key, &whole);
            ops.extend(whole.earliest_look(idle).0.map(|at| schedule(look, at)));
            return Step::Commit(key, ops);
        };
        let left = match part.closed_at {
            Some(since) => Shopper::apart_since(since),
            None if moved.pending => Shopper::forwarding(moved),
            None => return Step::Done,
        };
        let ops = self.alias.put(&alias_key, &left);
        Step::Commit(alias_key, ops)
    }
}

pub(super) fn schedule(id: String, due_at: Millis) -> Op {
    Op::Schedule { id, due_at }
}

pub(super) fn stands(field: &'static str, detail: String) -> LinkRefusal {
    LinkRefusal::Stands(Rejection::invalid(field, detail))
}

const LINK: &str = "link:";
/// No id holds it.
const BETWEEN: char = '\u{1f}';

/// The deadline of a link lies with the value that the other moves to.
pub(in crate::facade) fn wake(root_id: &str, alias_id: &str) -> String {
    format!("{LINK}{root_id}{BETWEEN}{alias_id}")
}

pub(super) fn parse_wake(id: &str) -> Option<(&str, &str)> {
    id.strip_prefix(LINK)?.split_once(BETWEEN)
}
