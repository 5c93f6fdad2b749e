use std::collections::HashMap;

use crate::Error;
use crate::files::SESSIONS;

/// By the MAC of a shopper the second, since the Unix epoch, until which all that is theirs is erased.
pub type Erased = HashMap<u64, u64>;

/// Past sessions, newest first, as compressed rows: session i holds `items[offsets[i]..offsets[i +
/// 1]]` in the order in which the shopper came to them. Whose sessions they were is not kept, but as
/// a MAC that only the holder of a key can make of an id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionTable {
    pub offsets: Vec<u64>,
    /// Ordinals of the catalogue.
    pub items: Vec<u32>,
    /// Seconds since the Unix epoch at which each ended; never rising.
    pub ended: Vec<u64>,
    /// The first 8 bytes, little-endian, of a keyed MAC of each session's shopper; empty where there
    /// was no key.
    pub shoppers: Vec<u64>,
}

impl SessionTable {
    /// A table without sessions.
    #[must_use]
    pub fn new() -> Self {
        Self {
            offsets: vec![0],
            ..Self::default()
        }
    }

    /// Appends a session that ended no later than the one before.
    pub fn push(&mut self, items: &[u32], ended: u64) {
        self.items.extend_from_slice(items);
        self.offsets.push(self.items.len() as u64);
        self.ended.push(ended);
    }

    /// The same with a MAC of the shopper. A table has one for every session or for none.
    pub fn push_of(&mut self, shopper: u64, items: &[u32], ended: u64) {
        self.push(items, ended);
        self.shoppers.push(shopper);
    }

    /// Whether it is known of each session whose it was, to whoever has the key.
    #[must_use]
    pub fn is_keyed(&self) -> bool {
        !self.is_empty() && self.shoppers.len() == self.len()
    }

    /// The table without the sessions that these shoppers ended at their time or before, and how many
    /// they were; `None` when it has none of them.
    #[must_use]
    pub fn without(&self, erased: &Erased) -> Option<(Self, usize)> {
        let is_left_out = |at: usize| {
            let pair = self.shoppers.get(at).zip(self.ended.get(at));
            pair.is_some_and(|(shopper, ended)| {
                erased.get(shopper).is_some_and(|until| ended <= until)
            })
        };
        let left_out = (0..self.len()).filter(|at| is_left_out(*at)).count();
        if left_out == 0 {
            return None;
        }
        let mut kept = Self::new();
        for at in (0..self.len()).filter(|at| !is_left_out(*at)) {
            let (Some(shopper), Some(ended)) = (self.shoppers.get(at), self.ended.get(at)) else {
                continue;
            };
            kept.push_of(*shopper, self.row(at), *ended);
        }
        Some((kept, left_out))
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.ended.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ended.is_empty()
    }

    pub(crate) fn row(&self, session: usize) -> &[u32] {
        row(&self.offsets, &self.items, session)
    }

    /// What is checked here need not be checked for every query.
    pub(crate) fn check(&self, items: usize) -> Result<(), Error> {
        self.fault(items).map_or(Ok(()), |detail| {
            Err(Error::Misfit {
                file: SESSIONS,
                detail,
            })
        })
    }

    fn fault(&self, items: usize) -> Option<String> {
        if self.offsets.len() != self.len() + 1 {
            let (offsets, sessions) = (self.offsets.len(), self.len());
            return Some(format!("{offsets} offsets for {sessions} sessions"));
        }
        if u32::try_from(self.len()).is_err() {
            return Some(format!("{} sessions, allowed are 2^32 - 1", self.len()));
        }
        if !self.shoppers.is_empty() && !self.is_keyed() {
            let (shoppers, sessions) = (self.shoppers.len(), self.len());
            return Some(format!("{shoppers} shoppers for {sessions} sessions"));
        }
        let ends = (self.offsets.first(), self.offsets.last());
        let rising = self.offsets.windows(2).all(|pair| pair[0] <= pair[1]);
        if !rising || ends != (Some(&0), Some(&(self.items.len() as u64))) {
            return Some("offsets do not rise from 0 to the number of items".to_owned());
        }
        if self.ended.windows(2).any(|pair| pair[0] < pair[1]) {
            return Some("sessions are not newest first".to_owned());
        }
        let bad = self.items.iter().find(|&&item| item as usize >= items);
        bad.map(|item| format!("item {item} of {items}"))
    }
}

/// For each item the sessions that hold it, newest first.
#[derive(Debug)]
pub(crate) struct Postings {
    offsets: Vec<u64>,
    sessions: Vec<u32>,
}

impl Postings {
    /// Of a table that was checked for so many items.
    pub(crate) fn of(table: &SessionTable, items: usize) -> Self {
        let mut lists: Vec<u64> = vec![0; items + 1];
        for_each_holding(table, |item, _| lists[item + 1] += 1);
        for at in 1..lists.len() {
            lists[at] += lists[at - 1];
        }
        let total = table.items.len();
        let mut sessions = vec![0; total];
        let mut next = lists.clone();
        for_each_holding(table, |item, session| {
            if let Some(slot) = usize::try_from(next[item])
                .ok()
                .and_then(|at| sessions.get_mut(at))
            {
                *slot = session;
            }
            next[item] += 1;
        });
        let held = lists.last().and_then(|&held| usize::try_from(held).ok());
        sessions.truncate(held.unwrap_or(0));
        sessions.shrink_to_fit();
        Self {
            offsets: lists,
            sessions,
        }
    }

    pub(crate) fn row(&self, item: u32) -> &[u32] {
        row(&self.offsets, &self.sessions, item as usize)
    }
}

/// Each session's items, each once.
fn for_each_holding(table: &SessionTable, mut note: impl FnMut(usize, u32)) {
    for (number, session) in (0u32..).zip(0..table.len()) {
        let row = table.row(session);
        for (place, &item) in row.iter().enumerate() {
            if !row[..place].contains(&item) {
                note(item as usize, number);
            }
        }
    }
}

fn row<'a>(offsets: &[u64], values: &'a [u32], at: usize) -> &'a [u32] {
    let bound = |at: usize| offsets.get(at).and_then(|&o| usize::try_from(o).ok());
    let range = bound(at).unwrap_or(0)..bound(at + 1).unwrap_or(0);
    values.get(range).unwrap_or(&[])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn postings_name_each_holder_once_and_newest_first(
            rows in prop::collection::vec(prop::collection::vec(0u32..8, 0..6), 0..20),
        ) {
            let mut table = SessionTable::new();
            for (row, age) in rows.iter().zip(0..) {
                table.push(row, 1_000 - age);
            }
            prop_assert!(table.check(8).is_ok());
            let postings = Postings::of(&table, 8);
            for item in 0..8 {
                let holders = (0u32..).zip(&rows).filter(|(_, row)| row.contains(&item));
                let expected: Vec<u32> = holders.map(|(number, _)| number).collect();
                prop_assert_eq!(postings.row(item), expected);
            }
        }
    }

    #[test]
    fn a_table_that_names_the_shoppers_of_some_sessions_only_is_refused() {
        let mut table = SessionTable::new();
        table.push_of(7, &[0, 1], 5);
        assert!(table.check(2).is_ok() && table.is_keyed());
        table.push(&[1, 0], 4);
        let error = table.check(2).unwrap_err().to_string();
        assert!(error.contains("1 shoppers for 2 sessions"), "{error}");
    }

    #[test]
    fn a_table_that_is_not_newest_first_or_names_unknown_items_is_refused() {
        let mut table = SessionTable::new();
        table.push(&[1, 2], 5);
        assert!(table.check(2).is_err());
        assert!(table.check(3).is_ok());
        table.push(&[0], 6);
        let error = table.check(3).unwrap_err().to_string();
        assert!(error.contains("newest first"), "{error}");
    }
}
