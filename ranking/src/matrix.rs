//! The numbers a ranker scores: one row per candidate item.

use crate::error::Error;

/// A number that is computed from the candidates and the moment at which they were found.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// Score after fusing all sources.
    Fused,
    /// Place in the order of that score, 0 for the first; equal scores by item id.
    Place,
    /// How many sources named it.
    Sources,
    /// Score from a source, by its place in [`SOURCES`]; missing where it did not name the item.
    Score(usize),
    /// Place in that source's own order, 0 for its best; missing where it did not name the item.
    Rank(usize),
    /// ln(item price / mean line price of the cart); 0 when either is unknown.
    LogPriceRatio,
    /// ln(item price in minor units); missing when unknown.
    LogPrice,
    /// Share of the cart's lines in the item's category, 0 to 1.
    SameCategory,
    /// Share of the cart's lines of the item's brand, 0 to 1.
    SameBrand,
    /// Lines of the cart.
    CartLines,
    /// Whether it is in the cart, 0 or 1.
    InCart,
    /// Interactions of the shopper with the item, of those that the query holds.
    Touches,
    /// Of these, additions to the cart.
    TouchedAdds,
    /// Of these, purchases.
    TouchedPurchases,
    /// ln(1 + seconds) from the last interaction with the item to the last one with any; missing
    /// without one.
    TouchedAge,
    /// How many other items the shopper dealt with since; missing without an interaction.
    TouchedPlace,
    /// Share of the latest interactions with items of its category, 0 to 1.
    RecentCategory,
    /// Share of the latest interactions with items of its brand, 0 to 1.
    RecentBrand,
    /// Whether the last item was of its category, 0 or 1.
    LastCategory,
    /// Whether the last item was of its brand, 0 or 1.
    LastBrand,
    /// ln(item price / price of the last item); missing when either is unknown.
    LastPriceRatio,
}

/// Sources whose scores are columns, by the names that they have in an answer.
pub const SOURCES: [&str; 7] = [
    "revisit",
    "sessions",
    "covisitation",
    "collaborative",
    "popularity",
    "content",
    "rebuy",
];

const NAMED: [(&str, Column); 19] = [
    ("fused", Column::Fused),
    ("place", Column::Place),
    ("sources", Column::Sources),
    ("log_price_ratio", Column::LogPriceRatio),
    ("log_price", Column::LogPrice),
    ("same_category", Column::SameCategory),
    ("same_brand", Column::SameBrand),
    ("cart_lines", Column::CartLines),
    ("in_cart", Column::InCart),
    ("touches", Column::Touches),
    ("touched_adds", Column::TouchedAdds),
    ("touched_purchases", Column::TouchedPurchases),
    ("touched_age", Column::TouchedAge),
    ("touched_place", Column::TouchedPlace),
    ("recent_category", Column::RecentCategory),
    ("recent_brand", Column::RecentBrand),
    ("last_category", Column::LastCategory),
    ("last_brand", Column::LastBrand),
    ("last_price_ratio", Column::LastPriceRatio),
];

/// Before the name of a source, its rank instead of its score.
const RANK: &str = "rank_";
/// What the names of features of the two kinds begin with.
const SHOPPER: &str = "shopper.";
const ITEM: &str = "item.";

impl Column {
    /// The column of a name.
    pub fn named(name: &str) -> Option<Self> {
        let source = |name: &str| SOURCES.iter().position(|source| *source == name);
        let plain = NAMED.iter().find(|(known, _)| *known == name);
        plain
            .map(|(_, column)| *column)
            .or_else(|| source(name).map(Self::Score))
            .or_else(|| source(name.strip_prefix(RANK)?).map(Self::Rank))
    }

    /// Every name there is.
    pub fn names() -> Vec<String> {
        let plain = NAMED.iter().map(|(name, _)| (*name).to_owned());
        let scores = SOURCES.iter().map(|source| (*source).to_owned());
        let ranks = SOURCES.iter().map(|source| format!("{RANK}{source}"));
        plain.chain(scores).chain(ranks).collect()
    }
}

/// Where the number of a column comes from.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Column(Column),
    /// A feature of the shopper, by its place among those.
    Shopper(usize),
    /// A feature of the item, by its place among those.
    Item(usize),
}

/// The columns that a ranker reads, by name and in its order: its own list, so that columns added
/// later change nothing for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    names: Vec<String>,
    cells: Vec<Cell>,
    shopper: Vec<String>,
    item: Vec<String>,
}

impl Columns {
    /// Names of [`Column`]s, and of features as the registry has them: `shopper.…` and `item.…`.
    /// Whether there are such features is for the caller to check.
    pub fn resolve(names: &[String]) -> Result<Self, Error> {
        let mut columns = Self::default();
        for name in names {
            let cell = columns.cell(name).ok_or_else(|| unknown(name))?;
            if columns.names.contains(name) {
                return Err(Error::Name {
                    field: "columns",
                    name: name.clone(),
                    allowed: "each is allowed once".to_owned(),
                });
            }
            columns.cells.push(cell);
            columns.names.push(name.clone());
        }
        Ok(columns)
    }

    fn cell(&mut self, name: &str) -> Option<Cell> {
        let next = |features: &mut Vec<String>| {
            features.push(name.to_owned());
            features.len() - 1
        };
        if name.starts_with(SHOPPER) {
            Some(Cell::Shopper(next(&mut self.shopper)))
        } else if name.starts_with(ITEM) {
            Some(Cell::Item(next(&mut self.item)))
        } else {
            Column::named(name).map(Cell::Column)
        }
    }

    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Features of the shopper, in the order in which a scene holds their values.
    pub fn shopper_features(&self) -> &[String] {
        &self.shopper
    }

    /// Features of an item, in the order in which its facts hold their values.
    pub fn item_features(&self) -> &[String] {
        &self.item
    }

    pub(crate) fn cells(&self) -> &[Cell] {
        &self.cells
    }

    pub fn len(&self) -> usize {
        self.names.len()
    }

    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

fn unknown(name: &str) -> Error {
    Error::Name {
        field: "columns",
        name: name.to_owned(),
        allowed: format!(
            "{}this version ranks by {}, and by features of the registry, shopper.… and item.…",
            near(name),
            Column::names().join(", ")
        ),
    }
}

/// Columns that may have been meant.
fn near(name: &str) -> String {
    let likeness = |column: &String| strsim::jaro_winkler(column, &name.to_lowercase());
    let mut columns = Column::names();
    columns.retain(|column| likeness(column) > 0.85);
    columns.sort_by(|a, b| likeness(b).total_cmp(&likeness(a)));
    columns.truncate(3);
    match columns.as_slice() {
        [] => String::new(),
        near => format!("near are {}; ", near.join(", ")),
    }
}

/// Row-major values: row `i` belongs to candidate `i`. NaN is a missing value; all others are
/// finite.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matrix {
    columns: usize,
    values: Vec<f32>,
}

impl Matrix {
    pub fn with_capacity(columns: usize, rows: usize) -> Self {
        Self {
            columns,
            values: Vec::with_capacity(rows * columns),
        }
    }

    /// Takes whole rows; what is infinite reads as the last number on its side.
    pub fn from_values(columns: usize, mut values: Vec<f32>) -> Result<Self, Error> {
        if columns == 0 || !values.len().is_multiple_of(columns) {
            return Err(Error::Shape {
                got: values.len(),
                columns,
            });
        }
        for value in &mut values {
            *value = value.clamp(f32::MIN, f32::MAX);
        }
        Ok(Self { columns, values })
    }

    /// A row of as many values as there are columns.
    pub(crate) fn push(&mut self, row: impl Iterator<Item = f64>) {
        self.values.extend(row.map(narrow));
    }

    pub fn columns(&self) -> usize {
        self.columns
    }

    pub fn len(&self) -> usize {
        self.values.len().checked_div(self.columns).unwrap_or(0)
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.columns.max(1))
    }

    pub fn row(&self, index: usize) -> Option<&[f32]> {
        self.rows().nth(index)
    }

    pub fn values(&self) -> &[f32] {
        &self.values
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the matrix holds f32; ranking needs no more"
)]
fn narrow(value: f64) -> f32 {
    value.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn every_column_has_one_name() {
        let all = Column::names();
        let mut found: Vec<Column> = Vec::new();
        for name in &all {
            let column = Column::named(name).unwrap();
            assert!(!found.contains(&column), "{name}");
            found.push(column);
        }
        assert_eq!(found.len(), NAMED.len() + 2 * SOURCES.len());
        assert!(Columns::resolve(&all).is_ok());
    }

    #[test]
    fn features_are_told_from_columns_by_their_names() {
        let all = names(&["item.a", "fused", "shopper.b", "rank_revisit", "item.c"]);
        let columns = Columns::resolve(&all).unwrap();
        assert_eq!(columns.names(), all);
        assert_eq!(columns.shopper_features(), ["shopper.b"]);
        assert_eq!(columns.item_features(), ["item.a", "item.c"]);
    }

    #[test]
    fn refuses_a_name_that_is_unknown_or_given_twice() {
        let problem = |list: &[&str]| Columns::resolve(&names(list)).unwrap_err().to_string();
        assert!(
            problem(&["colour"]).starts_with("columns names \"colour\", this version ranks by")
        );
        assert!(
            problem(&["log_prise"]).starts_with(
                "columns names \"log_prise\", near are log_price, log_price_ratio; this"
            )
        );
        assert_eq!(
            problem(&["fused", "fused"]),
            "columns names \"fused\", each is allowed once"
        );
    }

    #[test]
    fn refuses_half_a_row() {
        let problem = Matrix::from_values(8, vec![0.0; 9]).unwrap_err();
        assert_eq!(
            problem.to_string(),
            "a matrix of 9 values is not made of rows of 8"
        );
        assert!(Matrix::from_values(0, Vec::new()).is_err());
    }

    #[test]
    fn holds_numbers_and_gaps_and_nothing_infinite() {
        let mut matrix = Matrix::with_capacity(5, 1);
        matrix.push([f64::NAN, f64::INFINITY, 1e300, -1e300, 0.5].into_iter());
        assert_eq!(
            matrix.values()[1..],
            [f32::MAX, f32::MAX, f32::MIN, 0.5],
            "{matrix:?}"
        );
        assert!(matrix.values()[0].is_nan());
        assert_eq!(matrix.len(), 1);
    }
}
