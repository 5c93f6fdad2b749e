//! Labels: whose features, and as of when.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use feature_store::Millis;
use xxhash_rust::xxh3::Xxh3DefaultBuilder;

use crate::people::People;
use crate::tables::{Table, TableError, Texts, Times, Typed};

/// Columns that are used by name; any other is passed through.
pub const SHOPPER: &str = "shopper_id";
pub const ITEM: &str = "item_id";
pub const AT: &str = "at";

const TYPED: Typed = Typed {
    texts: &[SHOPPER, ITEM],
    times: &[AT],
};
const MAX_ID: usize = 128;
const AN_ID: &str = "a text of 1 to 128 bytes";
const A_TIME: &str = "a point in time";

/// A table of labels, and what is asked in each of its rows.
#[derive(Debug)]
pub struct Labels {
    table: Table,
    rows: Vec<Row>,
    shoppers: Names,
    items: Names,
}

/// Names are kept once each: labels by the million share few shoppers and items.
#[derive(Copy, Clone, Debug)]
struct Row {
    shopper: u32,
    item: Option<u32>,
    at: Millis,
    is_erased: bool,
}

/// What one row asks.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Label<'a> {
    pub(crate) shopper: &'a str,
    pub(crate) item: Option<&'a str>,
    pub(crate) at: Millis,
}

impl Labels {
    /// Reads and checks `shopper_id`, `item_id` where there is one, and `at`.
    pub fn open(path: &Path) -> Result<Self, TableError> {
        let table = Table::open(path, TYPED)?;
        table.require(SHOPPER)?;
        table.require(AT)?;
        let mut labels = Self {
            rows: Vec::new(),
            shoppers: Names::default(),
            items: Names::default(),
            table,
        };
        let batches = labels.table.batches(Some(&[SHOPPER, ITEM, AT]))?;
        for batch in batches {
            labels.read(&batch?)?;
        }
        Ok(labels)
    }

    fn read(&mut self, batch: &arrow_array::RecordBatch) -> Result<(), TableError> {
        let shoppers = Texts::of(&self.table, batch, SHOPPER)?;
        let times = Times::of(&self.table, batch, AT)?;
        let items = match self.has_items() {
            true => Some(Texts::of(&self.table, batch, ITEM)?),
            false => None,
        };
        let mut items = items.iter().flat_map(Texts::iter);
        for (shopper, at) in shoppers.iter().zip(times.iter()) {
            let item = items.next().flatten();
            let shopper = self.id(SHOPPER, shopper)?;
            let item = item.map(|item| self.id(ITEM, Some(item))).transpose()?;
            let at = at.ok_or_else(|| self.wrong(AT, "null".to_owned(), A_TIME))?;
            self.rows.push(Row {
                shopper: self.shoppers.number(shopper),
                item: item.map(|item| self.items.number(item)),
                at,
                is_erased: false,
            });
        }
        Ok(())
    }

    fn id<'t>(&self, column: &str, text: Option<&'t str>) -> Result<&'t str, TableError> {
        match text {
            Some(text) if (1..=MAX_ID).contains(&text.len()) => Ok(text),
            Some("") => Err(self.wrong(column, "empty".to_owned(), AN_ID)),
            Some(text) => {
                let found = format!("{} bytes long", text.len());
                Err(self.wrong(column, found, AN_ID))
            }
            None => Err(self.wrong(column, "null".to_owned(), AN_ID)),
        }
    }

    /// About the row that is being read.
    fn wrong(&self, column: &str, found: String, allowed: &'static str) -> TableError {
        TableError::Value {
            path: self.table.path().to_owned(),
            row: self.rows.len() as u64 + 1,
            column: column.to_owned(),
            found,
            allowed,
        }
    }

    /// Leaves the rows of erased shoppers out: nothing is answered or written for them. Says how many
    /// there are.
    pub fn leave_out(&mut self, people: &People) -> u64 {
        let mut left_out = 0;
        for row in &mut self.rows {
            row.is_erased = people.is_erased(self.shoppers.get(row.shopper), row.at);
            left_out += u64::from(row.is_erased);
        }
        left_out
    }

    /// Whether the row at a position is to be written.
    pub(crate) fn is_kept(&self, position: usize) -> bool {
        self.rows.get(position).is_some_and(|row| !row.is_erased)
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether the labels name items, as features of items need it.
    #[must_use]
    pub fn has_items(&self) -> bool {
        self.table.has(ITEM)
    }

    /// The earliest and the latest label; `None` without any.
    #[must_use]
    pub fn span(&self) -> Option<(Millis, Millis)> {
        let times = || self.rows.iter().map(|row| row.at);
        Some((times().min()?, times().max()?))
    }

    pub(crate) fn table(&self) -> &Table {
        &self.table
    }

    pub(crate) fn get(&self, position: usize) -> Option<Label<'_>> {
        let row = self.rows.get(position)?;
        Some(Label {
            shopper: self.shoppers.get(row.shopper),
            item: row.item.map(|item| self.items.get(item)),
            at: row.at,
        })
    }

    /// Positions of the rows that are kept, in the order of time; those of one moment and shopper are together.
    pub(crate) fn in_time(&self) -> Vec<usize> {
        let positions = (0..self.rows.len()).filter(|at| self.is_kept(*at));
        let mut positions: Vec<usize> = positions.collect();
        positions.sort_by_key(|position| {
            let row = self.rows.get(*position);
            row.map(|row| (row.at, row.shopper))
        });
        positions
    }
}

#[derive(Debug, Default)]
struct Names {
    numbers: HashMap<Arc<str>, u32, Xxh3DefaultBuilder>,
    names: Vec<Arc<str>>,
}

impl Names {
    fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        let name: Arc<str> = Arc::from(name);
        self.names.push(Arc::clone(&name));
        self.numbers.insert(name, number);
        number
    }

    fn get(&self, number: u32) -> &str {
        let position = usize::try_from(number).unwrap_or(usize::MAX);
        self.names.get(position).map_or("", |name| name)
    }
}
