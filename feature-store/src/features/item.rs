//! Features of an item: its statistics from the event log, and what the catalogue says.

use std::time::Duration;

use super::registry::{Compute, EntityKind, FeatureDef, Reading};
use super::value::{Value, ValueType};
use crate::event::EventKind::{self, AddToCart, Purchase, View};
use crate::items::{Item, ItemRow};
use crate::time::Millis;

/// Statistics older than their window say nothing of it any more.
const DAY: Option<Duration> = Some(Duration::from_secs(24 * 60 * 60));
const MONTH: Option<Duration> = Some(Duration::from_secs(30 * 24 * 60 * 60));

type Read = fn(&ItemRow, Millis) -> Reading;
type Row = (
    &'static str,
    ValueType,
    Option<Duration>,
    &'static [EventKind],
    &'static str,
    Read,
);

pub(super) fn features() -> Vec<FeatureDef> {
    STATISTICS.iter().chain(CATALOGUE).map(feature).collect()
}

fn feature(&(name, value_type, max_age, sources, doc, read): &Row) -> FeatureDef {
    let (entity, compute) = (EntityKind::Item, Compute::Item(read));
    FeatureDef {
        name,
        value_type,
        entity,
        max_age,
        sources,
        doc,
        compute,
    }
}

#[rustfmt::skip]
const STATISTICS: &[Row] = &[
    ("item.view_count_24h", ValueType::Int, DAY, &[View],
        "Views in 24 hours, as of the last closed minute.",
        |row, _| counted(row, row.stats.views_24h)),
    ("item.add_to_cart_count_24h", ValueType::Int, DAY, &[AddToCart],
        "Additions to carts in 24 hours, as of the last closed minute.",
        |row, _| counted(row, row.stats.carts_24h)),
    ("item.purchase_count_24h", ValueType::Int, DAY, &[Purchase],
        "Purchases in 24 hours, as of the last closed minute.",
        |row, _| counted(row, row.stats.purchases_24h)),
    ("item.view_count_30d", ValueType::Int, MONTH, &[View],
        "Views in 30 days, as of the last closed minute.",
        |row, _| counted(row, row.stats.views_30d)),
    ("item.add_to_cart_count_30d", ValueType::Int, MONTH, &[AddToCart],
        "Additions to carts in 30 days, as of the last closed minute.",
        |row, _| counted(row, row.stats.carts_30d)),
    ("item.purchase_count_30d", ValueType::Int, MONTH, &[Purchase],
        "Purchases in 30 days, as of the last closed minute.",
        |row, _| counted(row, row.stats.purchases_30d)),
    ("item.cart_to_view_24h", ValueType::Double, DAY, &[View, AddToCart],
        "Additions to carts per view in 24 hours; null without a view.",
        |row, _| rate(row, row.stats.carts_24h, row.stats.views_24h)),
    ("item.cart_to_view_30d", ValueType::Double, MONTH, &[View, AddToCart],
        "Additions to carts per view in 30 days; null without a view.",
        |row, _| rate(row, row.stats.carts_30d, row.stats.views_30d)),
    ("item.purchase_to_view_30d", ValueType::Double, MONTH, &[View, Purchase],
        "Purchases per view in 30 days; null without a view.",
        |row, _| rate(row, row.stats.purchases_30d, row.stats.views_30d)),
    ("item.purchase_to_cart_30d", ValueType::Double, MONTH, &[AddToCart, Purchase],
        "Purchases per addition to a cart in 30 days; null without an addition.",
        |row, _| rate(row, row.stats.purchases_30d, row.stats.carts_30d)),
];

#[rustfmt::skip]
const CATALOGUE: &[Row] = &[
    ("item.name", ValueType::Text, None, &[],
        "Name in the catalogue.",
        |row, _| listed(row, |item| text(&item.name))),
    ("item.category", ValueType::Text, None, &[],
        "Category path in the catalogue, with dots between its parts.",
        |row, _| listed(row, |item| text(&item.category_path.join(".")))),
    ("item.brand", ValueType::Text, None, &[],
        "Brand in the catalogue.",
        |row, _| listed(row, |item| text(&item.brand))),
    ("item.price_minor", ValueType::Int, None, &[],
        "Price of one unit in minor units; null when unknown.",
        |row, _| listed(row, |item| (item.price_minor > 0).then_some(Value::Int(item.price_minor)))),
    ("item.cost_minor", ValueType::Int, None, &[],
        "Cost of one unit in minor units; null when unknown.",
        |row, _| listed(row, |item| item.cost_minor.map(Value::Int))),
    ("item.margin_rate", ValueType::Double, None, &[],
        "Margin as a share of the price, when the catalogue states it.",
        |row, _| listed(row, |item| item.margin_rate.map(Value::Double))),
    ("item.stock", ValueType::Int, None, &[],
        "Units in stock; null when it is not tracked.",
        |row, _| listed(row, |item| item.stock.map(Value::Int))),
    ("item.is_sellable", ValueType::Bool, None, &[],
        "Whether the item may be sold: not taken off sale, and not known to be out of stock.",
        |row, _| listed(row, |item| {
            Some(Value::Bool(!item.unsellable && item.stock.is_none_or(|stock| stock > 0)))
        })),
];

/// An item that was never counted has no counts yet.
fn counted(row: &ItemRow, count: u64) -> Reading {
    let at = (row.stats.as_of.0 > 0).then_some(row.stats.as_of);
    let value = at.map(|_| Value::Int(i64::try_from(count).unwrap_or(i64::MAX)));
    Reading { value, at }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a rate needs no more than 53 bits"
)]
fn rate(row: &ItemRow, count: u64, of: u64) -> Reading {
    let at = (row.stats.as_of.0 > 0).then_some(row.stats.as_of);
    let value = (of > 0 && at.is_some()).then(|| Value::Double(count as f64 / of as f64));
    Reading { value, at }
}

fn listed(row: &ItemRow, read: impl Fn(&Item) -> Option<Value>) -> Reading {
    Reading {
        value: row.item.as_deref().and_then(read),
        at: None,
    }
}

fn text(value: &str) -> Option<Value> {
    (!value.is_empty()).then(|| Value::Text(value.into()))
}
