//! Features of a shopper, apart from the plain counts.

use std::time::Duration;

use super::registry::{Compute, EntityKind, FeatureDef, Reading};
use super::value::{Value, ValueType};
use crate::Text;
use crate::event::EventKind::{self, AddToCart, CheckoutStart, Purchase, RemoveFromCart, View};
use crate::time::Millis;
use crate::view::ShopperView;

const HALF_HOUR: Option<Duration> = Some(Duration::from_secs(30 * 60));
const MONTH: Option<Duration> = Some(Duration::from_secs(30 * 24 * 60 * 60));
const YEAR: Option<Duration> = Some(Duration::from_secs(365 * 24 * 60 * 60));

const CART: &[EventKind] = &[AddToCart, RemoveFromCart, Purchase];
const ACTIVITY: &[EventKind] = &[View, AddToCart, RemoveFromCart, CheckoutStart, Purchase];
const TASTE: &[EventKind] = &[View, AddToCart, Purchase];
const ITEMS: &[EventKind] = &[View, AddToCart, RemoveFromCart, Purchase];

/// How many of the last items are listed.
const RECENT_ITEMS: usize = 20;
/// How many shares of interest are listed.
const TOP: usize = 5;
const NEW_FOR_MS: i64 = Millis::DAY;

type Read = fn(&ShopperView) -> Reading;
type Row = (
    &'static str,
    ValueType,
    Option<Duration>,
    &'static [EventKind],
    &'static str,
    Read,
);

pub(super) fn features() -> Vec<FeatureDef> {
    let rows = CART_ROWS
        .iter()
        .chain(PACE_ROWS)
        .chain(TASTE_ROWS)
        .chain(MONEY_ROWS);
    rows.chain(PERSON_ROWS).map(feature).collect()
}

fn feature(&(name, value_type, max_age, sources, doc, read): &Row) -> FeatureDef {
    let (entity, compute) = (EntityKind::Shopper, Compute::Shopper(read));
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
const CART_ROWS: &[Row] = &[
    ("shopper.cart_value_minor", ValueType::Int, None, CART,
        "Sum over the cart's lines with a known price, in minor units.",
        |v| of_cart(v, Some(Value::Int(v.cart.value_minor())))),
    ("shopper.cart_currency", ValueType::Text, None, CART,
        "Currency of the cart; null when no line has a price.",
        |v| of_cart(v, text(v.cart.currency()))),
    ("shopper.cart_line_count", ValueType::Int, None, CART,
        "Lines in the cart.",
        |v| of_cart(v, Some(count(v.cart.lines.len())))),
    ("shopper.cart_units", ValueType::Int, None, CART,
        "Units in the cart.",
        |v| of_cart(v, Some(whole(v.cart.units())))),
    ("shopper.cart_max_price_minor", ValueType::Int, None, CART,
        "Highest known price of one unit in the cart; null when no line has a price.",
        |v| of_cart(v, max_price(v).map(Value::Int))),
    ("shopper.cart_items", ValueType::Texts, None, CART,
        "Items in the cart, in the order of their first add.",
        |v| of_cart(v, Some(Value::Texts(v.cart.lines.iter().map(|l| l.item_id.clone()).collect())))),
    ("shopper.cart_version", ValueType::Int, None, CART,
        "Number of events that ever changed the cart.",
        |v| of_cart(v, Some(whole(v.cart.version)))),
    ("shopper.cart_age_s", ValueType::Int, None, CART,
        "Seconds since the oldest line was added; null while the cart is empty.",
        |v| of_cart(v, age_s(v, v.cart.lines.iter().map(|line| line.added_at).min()))),
    ("shopper.cart_idle_s", ValueType::Int, None, CART,
        "Seconds since the cart changed last; null when it never did.",
        |v| of_cart(v, age_s(v, v.cart.updated_at))),
];

#[rustfmt::skip]
const PACE_ROWS: &[Row] = &[
    ("shopper.idle_s", ValueType::Int, None, ACTIVITY,
        "Seconds since the last event of any kind but messages.",
        |v| active(v, age_s(v, v.last_active_at))),
    ("shopper.add_to_cart_interval_count", ValueType::Int, None, &[AddToCart],
        "Number of gaps between consecutive adds to the cart.",
        |v| pace(v, Some(Value::Int(i64::from(v.intervals.count))))),
    ("shopper.add_to_cart_interval_mean_s", ValueType::Double, MONTH, &[AddToCart],
        "Mean gap between consecutive adds to the cart; null before the second add.",
        |v| pace(v, v.intervals.mean_s().map(Value::Double))),
    ("shopper.add_to_cart_interval_min_s", ValueType::Double, MONTH, &[AddToCart],
        "Shortest gap between consecutive adds to the cart.",
        |v| pace(v, gap_s(v, v.intervals.min_ms))),
    ("shopper.add_to_cart_interval_max_s", ValueType::Double, MONTH, &[AddToCart],
        "Longest gap between consecutive adds to the cart.",
        |v| pace(v, gap_s(v, v.intervals.max_ms))),
    ("shopper.add_to_cart_interval_last_s", ValueType::Double, MONTH, &[AddToCart],
        "Gap between the last two adds to the cart.",
        |v| pace(v, gap_s(v, v.intervals.last_ms))),
    ("shopper.session_age_s", ValueType::Int, HALF_HOUR, ACTIVITY,
        "Seconds since the visit began; a pause of more than 30 minutes ends a visit.",
        |v| active(v, age_s(v, v.session.started_at))),
    ("shopper.session_event_count", ValueType::Int, HALF_HOUR, ACTIVITY,
        "Events of the visit.",
        |v| active(v, Some(Value::Int(i64::from(v.session.events))))),
    ("shopper.session_view_count", ValueType::Int, HALF_HOUR, ACTIVITY,
        "Views of the visit.",
        |v| active(v, Some(Value::Int(i64::from(v.session.views))))),
    ("shopper.visit_count", ValueType::Int, None, ACTIVITY,
        "Visits ever.",
        |v| active(v, Some(Value::Int(i64::from(v.session.visits))))),
];

#[rustfmt::skip]
const TASTE_ROWS: &[Row] = &[
    ("shopper.top_category", ValueType::Text, MONTH, TASTE,
        "Category path with the largest share of decayed interest.",
        |v| taste(v, top_name(&v.portrait.categories))),
    ("shopper.top_category_share", ValueType::Double, MONTH, TASTE,
        "Share of the strongest category path, 0 to 1.",
        |v| taste(v, top_share(&v.portrait.categories))),
    ("shopper.top_category_root", ValueType::Text, MONTH, TASTE,
        "First part of the category path, by the largest share of decayed interest.",
        |v| taste(v, top_name(&v.portrait.category_roots))),
    ("shopper.top_category_root_share", ValueType::Double, MONTH, TASTE,
        "Share of the strongest first part of a category path, 0 to 1.",
        |v| taste(v, top_share(&v.portrait.category_roots))),
    ("shopper.top_categories", ValueType::Texts, MONTH, TASTE,
        "The 5 strongest category paths, strongest first.",
        |v| taste(v, top_names(&v.portrait.categories))),
    ("shopper.top_category_shares", ValueType::Doubles, MONTH, TASTE,
        "The shares of the 5 strongest category paths.",
        |v| taste(v, top_shares(&v.portrait.categories))),
    ("shopper.category_concentration", ValueType::Double, MONTH, TASTE,
        "Sum of the 10 largest squared category shares (Herfindahl): 1 = one category only.",
        |v| taste(v, concentration(&v.portrait.categories))),
    ("shopper.top_brand", ValueType::Text, MONTH, TASTE,
        "Brand with the largest share of decayed interest.",
        |v| taste(v, top_name(&v.portrait.brands))),
    ("shopper.top_brand_share", ValueType::Double, MONTH, TASTE,
        "Share of the strongest brand, 0 to 1.",
        |v| taste(v, top_share(&v.portrait.brands))),
    ("shopper.top_price_band", ValueType::Text, MONTH, TASTE,
        "Price band with the largest share of decayed interest, in whole currency units.",
        |v| taste(v, top_name(&v.portrait.price_bands))),
    ("shopper.top_price_band_share", ValueType::Double, MONTH, TASTE,
        "Share of the strongest price band, 0 to 1.",
        |v| taste(v, top_share(&v.portrait.price_bands))),
    ("shopper.last_item", ValueType::Text, MONTH, ITEMS,
        "Item of the last interaction.",
        |v| recent(v, v.recent.first().and_then(|known| kept(&known.item_id)))),
    ("shopper.last_item_event", ValueType::Text, MONTH, ITEMS,
        "Kind of the last interaction with an item, e.g. `view`.",
        |v| recent(v, v.recent.first().and_then(|known| text(known.kind.as_str())))),
    ("shopper.recent_items", ValueType::Texts, MONTH, ITEMS,
        "Items of the last interactions, newest first, each once, at most 20.",
        |v| recent(v, recent_items(v))),
];

#[rustfmt::skip]
const MONEY_ROWS: &[Row] = &[
    ("shopper.spent_30d_minor", ValueType::Int, None, &[Purchase],
        "Spent in the last 30 days, in minor units.",
        |v| bought(v, Some(Value::Int(v.portrait.spent_30d_minor)))),
    ("shopper.mean_purchase_minor", ValueType::Int, YEAR, &[Purchase],
        "Mean price of one bought unit; null before the first purchase.",
        |v| bought(v, v.portrait.mean_purchase_minor.map(Value::Int))),
    ("shopper.purchase_tendency", ValueType::Double, None, &[AddToCart, Purchase],
        "(bought units + 1) / (carted units + 2), at most as many bought as carted.",
        |v| Reading {
            value: Some(Value::Double(v.portrait.purchase_tendency)),
            at: v.last_time(AddToCart).max(v.last_time(Purchase)),
        }),
    ("shopper.has_purchased", ValueType::Bool, None, &[Purchase],
        "Whether there was ever a purchase.",
        |v| bought(v, Some(Value::Bool(v.last_time(Purchase).is_some())))),
    ("shopper.days_since_purchase", ValueType::Double, None, &[Purchase],
        "Days since the last purchase; null before the first.",
        |v| bought(v, v.last_time(Purchase).map(|at| days(v, at)))),
];

#[rustfmt::skip]
const PERSON_ROWS: &[Row] = &[
    ("shopper.is_new", ValueType::Bool, None, &EventKind::ALL,
        "Whether the shopper was seen first within the last 24 hours.",
        |v| seen(v, v.first_seen_at.map(|at| Value::Bool(v.now.since(at) < NEW_FOR_MS)))),
    ("shopper.days_since_first_seen", ValueType::Double, None, &EventKind::ALL,
        "Days since the first event.",
        |v| seen(v, v.first_seen_at.map(|at| days(v, at)))),
    ("shopper.device_count", ValueType::Int, None, &EventKind::ALL,
        "Devices seen, at most 8 are told apart.",
        |v| seen(v, Some(Value::Int(i64::from(v.device_count))))),
    ("shopper.messages_7d", ValueType::Int, None, &[EventKind::MessageSent],
        "Messages sent in the last 7 days, without the error of a tile.",
        |v| message(v, Some(Value::Int(i64::from(v.messages_7d()))))),
    ("shopper.last_message_age_s", ValueType::Int, None, &[EventKind::MessageSent],
        "Seconds since a message was sent last; null when none was.",
        |v| message(v, age_s(v, v.last_time(EventKind::MessageSent)))),
    ("shopper.consented_channels", ValueType::Texts, None, &[],
        "Channels with a granted, unrevoked consent to marketing.",
        |v| Reading {
            value: Some(Value::Texts(v.consented_channels().into_iter().map(Text::from).collect())),
            at: v.consents.iter().map(|consent| consent.at).max(),
        }),
];

fn of_cart(view: &ShopperView, value: Option<Value>) -> Reading {
    Reading {
        value,
        at: view.cart.updated_at,
    }
}

fn active(view: &ShopperView, value: Option<Value>) -> Reading {
    Reading {
        value,
        at: view.last_active_at,
    }
}

fn pace(view: &ShopperView, value: Option<Value>) -> Reading {
    Reading {
        value,
        at: view.intervals.last_at,
    }
}

fn taste(view: &ShopperView, value: Option<Value>) -> Reading {
    Reading {
        value,
        at: view.portrait.interests_at,
    }
}

fn recent(view: &ShopperView, value: Option<Value>) -> Reading {
    Reading {
        value,
        at: view.recent.first().map(|known| known.occurred_at),
    }
}

fn bought(view: &ShopperView, value: Option<Value>) -> Reading {
    Reading {
        value,
        at: view.last_time(Purchase),
    }
}

fn message(view: &ShopperView, value: Option<Value>) -> Reading {
    Reading {
        value,
        at: view.last_time(EventKind::MessageSent),
    }
}

fn seen(view: &ShopperView, value: Option<Value>) -> Reading {
    let at = EventKind::ALL
        .into_iter()
        .filter_map(|kind| view.last_time(kind))
        .max();
    Reading { value, at }
}

fn text(value: &str) -> Option<Value> {
    (!value.is_empty()).then(|| Value::Text(Text::from(value)))
}

fn kept(value: &Text) -> Option<Value> {
    (!value.is_empty()).then(|| Value::Text(value.clone()))
}

fn count(value: usize) -> Value {
    Value::Int(i64::try_from(value).unwrap_or(i64::MAX))
}

fn whole(value: u64) -> Value {
    Value::Int(i64::try_from(value).unwrap_or(i64::MAX))
}

fn age_s(view: &ShopperView, at: Option<Millis>) -> Option<Value> {
    at.map(|at| Value::Int(view.now.seconds_since(at)))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of a life are exact in 53 bits"
)]
fn days(view: &ShopperView, at: Millis) -> Value {
    Value::Double(view.now.since(at) as f64 / Millis::DAY as f64)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of a life are exact in 53 bits"
)]
fn gap_s(view: &ShopperView, gap_ms: i64) -> Option<Value> {
    (view.intervals.count > 0).then(|| Value::Double(gap_ms as f64 / Millis::SECOND as f64))
}

fn max_price(view: &ShopperView) -> Option<i64> {
    view.cart
        .lines
        .iter()
        .map(|line| line.price_minor)
        .filter(|price| *price > 0)
        .max()
}

fn top_name(shares: &[(Text, f64)]) -> Option<Value> {
    shares.first().map(|(name, _)| Value::Text(name.clone()))
}

fn top_share(shares: &[(Text, f64)]) -> Option<Value> {
    shares.first().map(|(_, share)| Value::Double(*share))
}

fn top_names(shares: &[(Text, f64)]) -> Option<Value> {
    let names = shares.iter().take(TOP).map(|(name, _)| name.clone());
    (!shares.is_empty()).then(|| Value::Texts(names.collect()))
}

fn top_shares(shares: &[(Text, f64)]) -> Option<Value> {
    let values = shares.iter().take(TOP).map(|(_, share)| *share);
    (!shares.is_empty()).then(|| Value::Doubles(values.collect()))
}

fn concentration(shares: &[(Text, f64)]) -> Option<Value> {
    let sum = shares.iter().map(|(_, share)| share * share).sum();
    (!shares.is_empty()).then_some(Value::Double(sum))
}

fn recent_items(view: &ShopperView) -> Option<Value> {
    let mut items: Vec<&Text> = Vec::new();
    for known in &view.recent {
        if !items.contains(&&known.item_id) && items.len() < RECENT_ITEMS {
            items.push(&known.item_id);
        }
    }
    (!items.is_empty()).then(|| Value::Texts(items.into_iter().cloned().collect()))
}
