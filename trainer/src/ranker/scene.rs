//! The rows of a moment, from a shopper's state, the catalogue and the item statistics: what
//! serving makes of the same state.

use std::time::Duration;

use feature_store::{
    EntityKind, EventKind, FeatureValue, ItemRow, ItemStats, Plan, Registry, ShopperView, Status,
};
use ranking::{CartSummary, Columns, ItemFacts, Matrix, Scene, Touch, TouchKind, assemble};
use retrieval::{Candidate, Kind, Query, Recent, interactions};
use snapshot::{Catalogue, CatalogueItem};

use crate::Error;

/// Columns with the features that they read.
#[derive(Clone, Debug)]
pub struct Reader {
    columns: Columns,
    shopper: Plan,
    item: Plan,
}

impl Reader {
    /// Refuses a feature that the registry does not have, or has for another kind of entity.
    pub fn new(columns: &Columns) -> Result<Self, Error> {
        Ok(Self {
            columns: columns.clone(),
            shopper: plan(columns.shopper_features(), EntityKind::Shopper)?,
            item: plan(columns.item_features(), EntityKind::Item)?,
        })
    }

    pub(crate) fn columns(&self) -> &Columns {
        &self.columns
    }
}

fn plan(names: &[String], entity: EntityKind) -> Result<Plan, Error> {
    let plan = Registry::standard().plan(names);
    let plan = plan.map_err(|unknown| Error::Feature { name: unknown.name })?;
    let other = plan.features().iter().find(|one| one.entity != entity);
    match other {
        None => Ok(plan),
        Some(other) => Err(Error::Feature {
            name: other.name.to_owned(),
        }),
    }
}

/// What the catalogue says of items.
#[derive(Debug)]
pub struct Shelf<'a> {
    catalogue: &'a Catalogue,
    /// Category paths with dots, by ordinal.
    categories: Vec<String>,
}

impl<'a> Shelf<'a> {
    #[must_use]
    pub fn new(catalogue: &'a Catalogue) -> Self {
        let items = catalogue.items().iter();
        Self {
            catalogue,
            categories: items.map(|item| item.category_path.join(".")).collect(),
        }
    }

    fn find(&self, item_id: &str) -> Option<(&CatalogueItem, &str)> {
        let ordinal = self.catalogue.ordinal(item_id)?;
        let category = self.categories.get(usize::try_from(ordinal).ok()?)?;
        Some((self.catalogue.get(ordinal)?, category))
    }

    /// Price of one unit, category and brand; 0 and empty where unknown.
    fn facts(&self, item_id: &str) -> (i64, &str, &str) {
        self.find(item_id).map_or((0, "", ""), |(item, category)| {
            (item.price_minor, category, &item.brand)
        })
    }
}

/// The question that serving asks for a shopper in this state, `exclude` aside.
#[must_use]
pub fn question(view: &ShopperView, exclude: Vec<String>, k: usize) -> Query {
    let age = |at: feature_store::Millis| {
        let elapsed = view.now.0.saturating_sub(at.0);
        Duration::from_millis(u64::try_from(elapsed).unwrap_or_default())
    };
    let recent = view.recent.iter().filter_map(|one| {
        Some(Recent {
            item_id: one.item_id.to_string(),
            kind: kind(one.kind)?,
            age: age(one.occurred_at),
        })
    });
    let lines = view.cart.lines.iter();
    let lines = lines.map(|line| (line.item_id.as_str(), age(line.added_at)));
    Query {
        recent: interactions(lines, recent.collect()),
        exclude,
        k,
        ..Query::default()
    }
}

fn kind(kind: EventKind) -> Option<Kind> {
    match kind {
        EventKind::View => Some(Kind::View),
        EventKind::AddToCart => Some(Kind::Add),
        EventKind::RemoveFromCart => Some(Kind::Remove),
        EventKind::CheckoutStart => Some(Kind::Checkout),
        EventKind::Purchase => Some(Kind::Purchase),
        EventKind::MessageSent
        | EventKind::MessageDelivered
        | EventKind::MessageOpened
        | EventKind::MessageClicked
        | EventKind::MessageUnsubscribed => None,
    }
}

fn touched(kind: Kind) -> TouchKind {
    match kind {
        Kind::View => TouchKind::View,
        Kind::Add => TouchKind::Add,
        Kind::Remove => TouchKind::Remove,
        Kind::Checkout => TouchKind::Checkout,
        Kind::Purchase => TouchKind::Purchase,
    }
}

/// One row for each candidate. `recent` is that of the question; `stats` are those of an item as
/// of the last closed minute.
#[must_use]
pub fn rows(
    reader: &Reader,
    shelf: &Shelf<'_>,
    view: &ShopperView,
    recent: &[Recent],
    candidates: &[Candidate],
    stats: &dyn Fn(&str) -> ItemStats,
) -> Matrix {
    let scene = scene(reader, shelf, view, recent);
    let items: Vec<ItemFacts<'_>> = candidates
        .iter()
        .map(|candidate| {
            let features = if reader.item.is_empty() {
                Vec::new()
            } else {
                let row = ItemRow {
                    stats: stats(&candidate.item_id),
                    ..ItemRow::default()
                };
                present(reader.item.item(Some(&row), view.now))
            };
            ItemFacts {
                features,
                ..facts(shelf, candidate)
            }
        })
        .collect();
    assemble(&reader.columns, &scene, &items)
}

fn scene<'a>(
    reader: &Reader,
    shelf: &'a Shelf<'_>,
    view: &'a ShopperView,
    recent: &'a [Recent],
) -> Scene<'a> {
    let touch = |one: &'a Recent| {
        let (price_minor, category, brand) = shelf.facts(&one.item_id);
        Touch {
            item_id: &one.item_id,
            kind: touched(one.kind),
            age_s: one.age.as_secs_f64(),
            price_minor,
            category,
            brand,
        }
    };
    Scene {
        cart: CartSummary::new(lines(shelf, view)),
        in_cart: (view.cart.lines.iter().map(|line| line.item_id.as_str())).collect(),
        touches: recent.iter().map(touch).collect(),
        shopper: present(reader.shopper.shopper(Some(view))),
    }
}

/// The cart's lines as serving prices them: at the price of the addition, else at the catalogue's;
/// one in another currency than the first priced line counts without a price.
fn lines<'a>(shelf: &'a Shelf<'_>, view: &'a ShopperView) -> Vec<(i64, &'a str, &'a str)> {
    let known = |line: &'a feature_store::CartLine| {
        let (item, category) = shelf.find(&line.item_id).unzip();
        let of_item = item.map_or((0, ""), |item| (item.price_minor, item.currency.as_str()));
        let priced = if line.price_minor > 0 {
            (line.price_minor, line.currency.as_str())
        } else {
            of_item
        };
        let or = |own: &'a str, other: Option<&'a str>| {
            if own.is_empty() {
                other.unwrap_or_default()
            } else {
                own
            }
        };
        let brand = item.map(|item| item.brand.as_str());
        (priced, or(&line.category, category), or(&line.brand, brand))
    };
    let lines: Vec<_> = view.cart.lines.iter().map(known).collect();
    let first = lines.iter().find(|((price, _), ..)| *price > 0);
    let currency = first.map_or("", |((_, currency), ..)| currency);
    let price = |(price, of): (i64, &str)| if of == currency { price } else { 0 };
    let lines = lines.into_iter();
    lines
        .map(|(priced, category, brand)| (price(priced), category, brand))
        .collect()
}

fn facts<'a>(shelf: &'a Shelf<'_>, candidate: &'a Candidate) -> ItemFacts<'a> {
    let (price_minor, category, brand) = shelf.facts(&candidate.item_id);
    let mut facts = ItemFacts {
        item_id: &candidate.item_id,
        fused: candidate.score,
        price_minor,
        category,
        brand,
        ..ItemFacts::default()
    };
    for said in &candidate.sources {
        facts.hear(said.source.as_str(), said.score, said.rank);
    }
    facts
}

/// A value that is present, as a number; one past its allowed age counts as missing.
fn present(values: Vec<FeatureValue>) -> Vec<Option<f64>> {
    let number = |feature: FeatureValue| match feature.status {
        Status::Present => feature.value.and_then(|value| value.as_f64()),
        Status::Null | Status::NotFound | Status::OutsideMaxAge => None,
    };
    values.into_iter().map(number).collect()
}
