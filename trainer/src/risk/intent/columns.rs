//! What is made of a session: columns in groups.

use crate::readers::{Pages, ShopperSession};

/// Columns that are left out together in an ablation.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Group {
    /// How many pages of which kind, and for how long.
    Pages,
    /// Time per page, shares of kinds.
    Pace,
    /// Bounce and exit rates, alone and together.
    Leaving,
    /// Month, weekend, nearness of a day of gifts.
    Calendar,
    /// New or returning.
    Visitor,
    /// Codes of system, browser, region and traffic.
    Origin,
    /// The column that knows of the outcome.
    PageValues,
}

impl Group {
    pub const ALL: [Self; 7] = [
        Self::Pages,
        Self::Pace,
        Self::Leaving,
        Self::Calendar,
        Self::Visitor,
        Self::Origin,
        Self::PageValues,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pages => "pages",
            Self::Pace => "pace",
            Self::Leaving => "leaving",
            Self::Calendar => "calendar",
            Self::Visitor => "visitor",
            Self::Origin => "origin",
            Self::PageValues => "page_values",
        }
    }
}

type Column = (&'static str, Group, fn(&ShopperSession) -> f64);

#[rustfmt::skip]
const COLUMNS: &[Column] = &[
    ("administrative", Group::Pages, |s| s.administrative.count),
    ("administrative_s", Group::Pages, |s| s.administrative.seconds),
    ("informational", Group::Pages, |s| s.informational.count),
    ("informational_s", Group::Pages, |s| s.informational.seconds),
    ("products", Group::Pages, |s| s.products.count),
    ("products_s", Group::Pages, |s| s.products.seconds),
    ("pages", Group::Pages, count),
    ("seconds", Group::Pages, seconds),
    ("seconds_per_page", Group::Pace, |s| seconds(s) / count(s).max(1.0)),
    ("seconds_per_product", Group::Pace, |s| pace(s.products)),
    ("seconds_per_administrative", Group::Pace, |s| pace(s.administrative)),
    ("seconds_per_informational", Group::Pace, |s| pace(s.informational)),
    ("product_share", Group::Pace, |s| s.products.count / count(s).max(1.0)),
    ("product_time_share", Group::Pace, |s| s.products.seconds / seconds(s).max(1e-9)),
    ("bounce_rate", Group::Leaving, |s| s.bounce_rate),
    ("exit_rate", Group::Leaving, |s| s.exit_rate),
    ("exits", Group::Leaving, |s| s.exit_rate * count(s)),
    ("bounces", Group::Leaving, |s| s.bounce_rate * count(s)),
    ("exit_over_bounce", Group::Leaving, |s| s.exit_rate - s.bounce_rate),
    ("bounce_share", Group::Leaving, |s| s.bounce_rate / s.exit_rate.max(1e-9)),
    ("special_day", Group::Calendar, |s| s.special_day),
    ("month", Group::Calendar, |s| s.month),
    ("weekend", Group::Calendar, |s| flag(s.is_weekend)),
    ("returning", Group::Visitor, |s| flag(s.is_returning)),
    ("new", Group::Visitor, |s| flag(s.is_new)),
    ("system", Group::Origin, |s| s.codes[0]),
    ("browser", Group::Origin, |s| s.codes[1]),
    ("region", Group::Origin, |s| s.codes[2]),
    ("traffic", Group::Origin, |s| s.codes[3]),
    ("page_value", Group::PageValues, |s| s.page_value),
    ("page_value_sum", Group::PageValues, |s| s.page_value * count(s)),
];

fn count(session: &ShopperSession) -> f64 {
    session.administrative.count + session.informational.count + session.products.count
}

fn seconds(session: &ShopperSession) -> f64 {
    session.administrative.seconds + session.informational.seconds + session.products.seconds
}

fn pace(pages: Pages) -> f64 {
    pages.seconds / pages.count.max(1.0)
}

fn flag(is_set: bool) -> f64 {
    f64::from(u8::from(is_set))
}

/// Sessions as rows of numbers.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) names: Vec<String>,
    pub(super) rows: Vec<Vec<Option<f64>>>,
}

/// All columns but those of the groups `without`.
pub(super) fn table(sessions: &[ShopperSession], without: &[Group]) -> Table {
    let columns = || COLUMNS.iter().filter(|column| !without.contains(&column.1));
    let row = |session| columns().map(|column| Some(column.2(session))).collect();
    Table {
        names: columns().map(|column| column.0.to_owned()).collect(),
        rows: sessions.iter().map(row).collect(),
    }
}
