//! A moment and its candidates become a matrix. Training and serving both call this one function.

use std::collections::{BTreeMap, HashMap};

use crate::matrix::{Cell, Column, Columns, Matrix, SOURCES};

/// Interactions that speak of what a shopper is after right now.
const LATEST: usize = 20;

/// What of a cart matters for ranking items to go with it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CartSummary {
    lines: f64,
    mean_price_minor: Option<f64>,
    categories: BTreeMap<String, f64>,
    brands: BTreeMap<String, f64>,
}

impl CartSummary {
    /// Sums up lines of (price of one unit in minor units with 0 = unknown, category, brand).
    /// Every line counts once, whatever its quantity: ten of one thing is still one taste.
    pub fn new<'a>(lines: impl IntoIterator<Item = (i64, &'a str, &'a str)>) -> Self {
        let mut summary = Self::default();
        let (mut priced, mut total) = (0.0, 0.0);
        for (price_minor, category, brand) in lines {
            summary.lines += 1.0;
            if let Some(price) = known_price(price_minor) {
                priced += 1.0;
                total += price;
            }
            add_one(&mut summary.categories, category);
            add_one(&mut summary.brands, brand);
        }
        let shares = summary.categories.values_mut();
        for share in shares.chain(summary.brands.values_mut()) {
            *share /= summary.lines;
        }
        summary.mean_price_minor = (priced > 0.0).then(|| total / priced);
        summary
    }
}

/// What a shopper did with an item.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum TouchKind {
    View,
    Add,
    Remove,
    Checkout,
    Purchase,
}

/// One interaction of the shopper.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Touch<'a> {
    pub item_id: &'a str,
    pub kind: TouchKind,
    /// Seconds ago.
    pub age_s: f64,
    /// 0 when unknown.
    pub price_minor: i64,
    pub category: &'a str,
    pub brand: &'a str,
}

/// A moment at which items are to be ranked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scene<'a> {
    pub cart: CartSummary,
    /// Items of the cart, each once.
    pub in_cart: Vec<&'a str>,
    /// Newest first.
    pub touches: Vec<Touch<'a>>,
    /// Values of [`Columns::shopper_features`]; what is absent at the end is missing.
    pub shopper: Vec<Option<f64>>,
}

/// What a source said of a candidate.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Said {
    pub score: f64,
    /// 0 for the source's best.
    pub rank: u32,
}

/// What is known of one candidate.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ItemFacts<'a> {
    pub item_id: &'a str,
    pub fused: f64,
    /// By place in [`SOURCES`]; `None` where a source did not name it.
    pub sources: [Option<Said>; SOURCES.len()],
    /// 0 when unknown.
    pub price_minor: i64,
    /// Category path with dots, as events carry it.
    pub category: &'a str,
    pub brand: &'a str,
    /// Values of [`Columns::item_features`]; what is absent at the end is missing.
    pub features: Vec<Option<f64>>,
}

impl ItemFacts<'_> {
    /// Takes what a source said; one that is no column is passed over.
    pub fn hear(&mut self, source: &str, score: f64, rank: u32) {
        let said = SOURCES.iter().zip(&mut self.sources);
        for (_, said) in said.filter(|(name, _)| **name == source) {
            *said = Some(Said { score, rank });
        }
    }
}

/// One row per item, in the given order.
pub fn assemble(columns: &Columns, scene: &Scene<'_>, items: &[ItemFacts<'_>]) -> Matrix {
    let mut matrix = Matrix::with_capacity(columns.len(), items.len());
    let view = View::new(scene, items);
    for (item, place) in items.iter().zip(&view.places) {
        let row = Row::new(&view, item, *place);
        matrix.push(columns.cells().iter().map(|cell| row.value(*cell)));
    }
    matrix
}

/// What the shopper did with one item.
#[derive(Copy, Clone, Debug, Default)]
struct Interest {
    touches: f64,
    adds: f64,
    purchases: f64,
    age_s: f64,
    place: f64,
}

/// A scene, prepared for looking items up.
struct View<'a> {
    scene: &'a Scene<'a>,
    /// Looked up only, never walked through.
    interests: HashMap<&'a str, Interest>,
    categories: BTreeMap<&'a str, f64>,
    brands: BTreeMap<&'a str, f64>,
    last: Option<&'a Touch<'a>>,
    places: Vec<f64>,
}

impl<'a> View<'a> {
    fn new(scene: &'a Scene<'a>, items: &[ItemFacts<'_>]) -> Self {
        let mut view = Self {
            scene,
            interests: HashMap::new(),
            categories: BTreeMap::new(),
            brands: BTreeMap::new(),
            last: scene.touches.first(),
            places: places(items),
        };
        let newest = view.last.map_or(0.0, |touch| touch.age_s);
        let mut items_seen = 0.0;
        for touch in &scene.touches {
            let interest = view.interests.entry(touch.item_id).or_insert_with(|| {
                let place = items_seen;
                items_seen += 1.0;
                Interest {
                    age_s: (touch.age_s - newest).max(0.0),
                    place,
                    ..Interest::default()
                }
            });
            interest.touches += 1.0;
            match touch.kind {
                TouchKind::Add => interest.adds += 1.0,
                TouchKind::Purchase => interest.purchases += 1.0,
                TouchKind::View | TouchKind::Remove | TouchKind::Checkout => {}
            }
        }
        view.count_latest();
        view
    }

    fn count_latest(&mut self) {
        let latest = &self.scene.touches[..self.scene.touches.len().min(LATEST)];
        let share = latest.iter().map(|_| 1.0).sum::<f64>().recip();
        for touch in latest {
            if !touch.category.is_empty() {
                *self.categories.entry(touch.category).or_default() += share;
            }
            if !touch.brand.is_empty() {
                *self.brands.entry(touch.brand).or_default() += share;
            }
        }
    }
}

/// Of each item, how many have a higher score, or the same and a lesser id.
fn places(items: &[ItemFacts<'_>]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by(|a, b| {
        let (a, b) = (&items[*a], &items[*b]);
        b.fused.total_cmp(&a.fused).then(a.item_id.cmp(b.item_id))
    });
    let mut places = vec![0.0; items.len()];
    let mut place = 0.0;
    for at in order {
        places[at] = place;
        place += 1.0;
    }
    places
}

struct Row<'a> {
    view: &'a View<'a>,
    item: &'a ItemFacts<'a>,
    place: f64,
    interest: Option<Interest>,
    price: Option<f64>,
}

impl<'a> Row<'a> {
    fn new(view: &'a View<'a>, item: &'a ItemFacts<'a>, place: f64) -> Self {
        Self {
            view,
            item,
            place,
            interest: view.interests.get(item.item_id).copied(),
            price: known_price(item.price_minor),
        }
    }

    fn value(&self, cell: Cell) -> f64 {
        let value = match cell {
            Cell::Column(column) => self.column(column),
            Cell::Shopper(at) => self.view.scene.shopper.get(at).copied().flatten(),
            Cell::Item(at) => self.item.features.get(at).copied().flatten(),
        };
        value.unwrap_or(f64::NAN)
    }

    fn column(&self, column: Column) -> Option<f64> {
        let (item, cart) = (self.item, &self.view.scene.cart);
        let said = |at: usize| item.sources.get(at).copied().flatten();
        let share = |shares: &BTreeMap<String, f64>, name| shares.get(name).copied().unwrap_or(0.0);
        let recent = |shares: &BTreeMap<&str, f64>, name| shares.get(name).copied().unwrap_or(0.0);
        let of = |count: fn(Interest) -> f64| self.interest.map_or(0.0, count);
        match column {
            Column::Fused => Some(item.fused),
            Column::Place => Some(self.place),
            Column::Sources => Some(item.sources.iter().flatten().map(|_| 1.0).sum()),
            Column::Score(at) => said(at).map(|said| said.score),
            Column::Rank(at) => said(at).map(|said| f64::from(said.rank)),
            Column::LogPriceRatio => Some(self.against(cart.mean_price_minor).unwrap_or(0.0)),
            Column::LogPrice => self.price.map(f64::ln),
            Column::SameCategory => Some(share(&cart.categories, item.category)),
            Column::SameBrand => Some(share(&cart.brands, item.brand)),
            Column::CartLines => Some(cart.lines),
            Column::InCart => Some(flag(self.view.scene.in_cart.contains(&item.item_id))),
            Column::Touches => Some(of(|interest| interest.touches)),
            Column::TouchedAdds => Some(of(|interest| interest.adds)),
            Column::TouchedPurchases => Some(of(|interest| interest.purchases)),
            Column::TouchedAge => self.interest.map(|interest| interest.age_s.ln_1p()),
            Column::TouchedPlace => self.interest.map(|interest| interest.place),
            Column::RecentCategory => Some(recent(&self.view.categories, item.category)),
            Column::RecentBrand => Some(recent(&self.view.brands, item.brand)),
            Column::LastCategory => Some(self.is_last(item.category, |last| last.category)),
            Column::LastBrand => Some(self.is_last(item.brand, |last| last.brand)),
            Column::LastPriceRatio => self.against(
                self.view
                    .last
                    .and_then(|last| known_price(last.price_minor)),
            ),
        }
    }

    fn against(&self, price: Option<f64>) -> Option<f64> {
        Some((self.price? / price?).ln())
    }

    /// An unknown category or brand must never look like a shared one.
    fn is_last(&self, name: &str, of: fn(&Touch<'a>) -> &'a str) -> f64 {
        let last = self.view.last.map_or("", of);
        flag(!name.is_empty() && last == name)
    }
}

fn flag(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "prices are at most 10^12, far below 2^53"
)]
fn known_price(price_minor: i64) -> Option<f64> {
    (price_minor > 0).then_some(price_minor as f64)
}

/// An unknown category or brand must never look like a shared one.
fn add_one(counts: &mut BTreeMap<String, f64>, name: &str) {
    if !name.is_empty() {
        *counts.entry(name.to_owned()).or_default() += 1.0;
    }
}

#[cfg(test)]
mod tests;
