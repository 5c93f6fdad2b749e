use std::time::Duration;

use crate::Error;

const MAX_K: usize = 1_000;
pub(crate) const MAX_RECENT: usize = 200;
const MAX_EXCLUDE: usize = 1_000;
const MAX_SCORE: usize = 200;
const MAX_ALLOW: usize = 100_000;
const MAX_VALUES: usize = 1_000;

/// What a shopper did with an item.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    View,
    Add,
    Remove,
    Checkout,
    Purchase,
}

/// An item that the shopper dealt with, and how long ago.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recent {
    pub item_id: String,
    pub kind: Kind,
    pub age: Duration,
}

/// What to find candidates for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// In any order; age decides. At most 200.
    pub recent: Vec<Recent>,
    /// Never returned. At most 1,000.
    pub exclude: Vec<String>,
    /// Items whose score is wanted although they may not be returned, such as the cart's lines:
    /// [`Answer::scored`](crate::Answer::scored) has one entry for each. At most 200.
    pub score: Vec<String>,
    /// Whether items bought before may be returned, named by how often and how lately they were
    /// bought. When `false` what `recent` says was bought never appears.
    pub rebuy: bool,
    /// 1 to 1,000.
    pub k: usize,
    pub filter: Filter,
}

/// Which items may be candidates. Every part given must hold; a list holds when one entry does.
/// Names that the generation does not know match nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only these items; empty = any.
    pub allow: Vec<String>,
    /// A category or any below it: `electronics` covers `electronics.smartphone`.
    pub categories: Vec<String>,
    pub brands: Vec<String>,
    /// Inclusive. An item of unknown price fails either bound.
    pub min_price_minor: Option<i64>,
    /// Inclusive.
    pub max_price_minor: Option<i64>,
}

impl Filter {
    /// # Errors
    /// Too long a list, an empty name, a negative price, bounds that cross.
    pub fn validate(&self) -> Result<(), Error> {
        at_most("filter.allow_item_ids", self.allow.len(), MAX_ALLOW)?;
        at_most("filter.categories", self.categories.len(), MAX_VALUES)?;
        at_most("filter.brands", self.brands.len(), MAX_VALUES)?;
        no_empty("filter.categories", &self.categories)?;
        no_empty("filter.brands", &self.brands)?;
        not_negative("filter.min_price_minor", self.min_price_minor)?;
        not_negative("filter.max_price_minor", self.max_price_minor)?;
        match (self.min_price_minor, self.max_price_minor) {
            (Some(min), Some(max)) if min > max => Err(Error::Invalid {
                field: "filter.min_price_minor",
                value: min.to_string(),
                allowed: format!("at most max_price_minor, which is {max}"),
            }),
            _ => Ok(()),
        }
    }

    pub(crate) fn has_price(&self) -> bool {
        self.min_price_minor.is_some() || self.max_price_minor.is_some()
    }

    /// Whether a known price is inside the bounds.
    #[inline]
    pub(crate) fn covers_price(&self, minor: i64) -> bool {
        minor > 0
            && self.min_price_minor.is_none_or(|min| minor >= min)
            && self.max_price_minor.is_none_or(|max| minor <= max)
    }
}

impl Query {
    /// # Errors
    /// A `k` or a list outside the limits, or a bad filter.
    pub fn validate(&self) -> Result<(), Error> {
        check_k(self.k)?;
        at_most("recent_items", self.recent.len(), MAX_RECENT)?;
        at_most("exclude", self.exclude.len(), MAX_EXCLUDE)?;
        at_most("score", self.score.len(), MAX_SCORE)?;
        no_empty("score", &self.score)?;
        self.filter.validate()
    }
}

pub(crate) fn check_k(k: usize) -> Result<(), Error> {
    if (1..=MAX_K).contains(&k) {
        return Ok(());
    }
    let allowed = format!("from 1 to {MAX_K}");
    Err(Error::Invalid {
        field: "k",
        value: k.to_string(),
        allowed,
    })
}

fn at_most(field: &'static str, len: usize, most: usize) -> Result<(), Error> {
    if len <= most {
        return Ok(());
    }
    let value = format!("{len} entries long");
    Err(Error::Invalid {
        field,
        value,
        allowed: format!("at most {most} are allowed"),
    })
}

fn no_empty(field: &'static str, values: &[String]) -> Result<(), Error> {
    if values.iter().all(|value| !value.is_empty()) {
        return Ok(());
    }
    let value = "empty in one entry".to_owned();
    Err(Error::Invalid {
        field,
        value,
        allowed: "each must be a name".to_owned(),
    })
}

fn not_negative(field: &'static str, value: Option<i64>) -> Result<(), Error> {
    match value {
        Some(minor) if minor < 0 => {
            let allowed = "0 or more".to_owned();
            Err(Error::Invalid {
                field,
                value: minor.to_string(),
                allowed,
            })
        }
        Some(_) | None => Ok(()),
    }
}
