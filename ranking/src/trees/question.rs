//! What the nodes of a tree ask, whichever library grew it.

use std::collections::BTreeMap;

use crate::error::Error;
use crate::forest::check_most;

/// LightGBM takes what is no farther from 0 for 0.
pub(crate) const NEARLY_ZERO: f32 = 1e-35;
/// Sets of categories that differ, of all trees together: each is looked up once for every row.
const MOST_SETS: usize = 100_000;
/// Words of all sets that differ: 64 MiB.
const MOST_WORDS: usize = 1 << 24;

/// Sorts as numbers do; what sorts equal is equal. Not for NaN.
pub(crate) fn key(value: f32) -> u32 {
    // −0 and 0 are one number: adding 0 leaves only the latter.
    let bits = (value + 0.0).to_bits();
    if bits >> 31 == 0 {
        bits | 1 << 31
    } else {
        !bits
    }
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    Left,
    Right,
}

impl Way {
    pub(crate) fn left_if(is_left: bool) -> Self {
        if is_left { Self::Left } else { Self::Right }
    }

    pub(crate) fn other(self) -> Self {
        Self::left_if(self == Self::Right)
    }
}

/// Where values that are no ordinary numbers go.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Gaps {
    pub(crate) nan: Way,
    /// When 0, and what is nearly 0, says as little as NaN.
    pub(crate) zero: Option<Way>,
}

#[derive(Copy, Clone, Debug)]
pub(crate) enum Question {
    /// A value whose [`key`] is above `limit` goes right.
    Number {
        feature: u32,
        limit: u32,
        gaps: Gaps,
    },
    /// By its number in [`Sets`].
    Category { set: u32 },
}

/// A node of a tree; the root is node 0, and children come after their parents.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Node {
    Ask {
        question: Question,
        left: u32,
        right: u32,
    },
    Leaf(f64),
}

/// A question about a category: the whole part of a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Set {
    pub(crate) feature: u32,
    /// Category c is bit c mod 32 of word c / 32.
    pub(crate) words: Box<[u32]>,
    /// Where members go; others go the other way.
    pub(crate) inside: Way,
    pub(crate) nan: Way,
    /// Whether what lies between −1 and 0 is category 0, as a cast to a whole number says.
    pub(crate) cuts_negatives: bool,
}

impl Set {
    pub(crate) fn way(&self, value: f32) -> Way {
        if value.is_nan() {
            return self.nan;
        }
        let is_category = value >= 0.0 || self.cuts_negatives && value > -1.0;
        if is_category && self.has(value) {
            self.inside
        } else {
            self.inside.other()
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the whole part is meant; what is too large for it is beyond all words"
    )]
    fn has(&self, value: f32) -> bool {
        let category = value as u32;
        let word = self.words.get((category / 32) as usize);
        word.is_some_and(|word| word >> (category % 32) & 1 == 1)
    }
}

/// Sets, each once.
#[derive(Debug, Default)]
pub(crate) struct Sets {
    numbers: BTreeMap<Set, u32>,
    words: usize,
}

impl Sets {
    pub(crate) fn number(&mut self, set: Set) -> Result<u32, Error> {
        if let Some(number) = self.numbers.get(&set) {
            return Ok(*number);
        }
        let number = self.numbers.len();
        self.words += set.words.len();
        check_most("sets of categories", number + 1, MOST_SETS)?;
        check_most(
            "32 categories in a row, of all sets",
            self.words,
            MOST_WORDS,
        )?;
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        self.numbers.insert(set, number);
        Ok(number)
    }

    pub(crate) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// By number.
    pub(crate) fn into_list(self) -> Vec<Set> {
        let mut list: Vec<(u32, Set)> = self.numbers.into_iter().map(|(s, n)| (n, s)).collect();
        list.sort_unstable_by_key(|(number, _)| *number);
        list.into_iter().map(|(_, set)| set).collect()
    }
}
