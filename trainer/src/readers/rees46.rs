//! REES46 multi-category store: views, carts and purchases with price, category and session.
//!
//! The set names no currency; USD is assumed.

use feature_store::{Event, EventKind};

use super::decimal::price_minor;
use super::error::{BadLine, ReadError};
use super::rows::{Row, Rows, event};
use super::source::Source;
use super::{ItemHint, Lines, Parsed, times};

const REQUIRED: [&str; 8] = [
    "event_time",
    "event_type",
    "product_id",
    "category_code",
    "brand",
    "price",
    "user_id",
    "user_session",
];
const CURRENCY: &str = "USD";

pub(crate) struct Reader {
    rows: Rows,
}

impl Reader {
    pub(crate) fn new(source: Source) -> Result<Self, ReadError> {
        Ok(Self {
            rows: Rows::with_header(source, b',', &REQUIRED, &[])?,
        })
    }
}

impl Lines for Reader {
    fn next_line(&mut self) -> Option<Result<Parsed, BadLine>> {
        self.rows.next(|row| {
            let event = parse(row).map_err(|reason| row.bad(reason))?;
            let mut item = ItemHint::of_event(&event);
            if let Some(item) = &mut item {
                item.name = display_name(&event);
            }
            Ok(Parsed {
                line: row.line,
                item,
                event,
            })
        })
    }

    fn failure(&mut self) -> Option<std::io::Error> {
        self.rows.failure()
    }
}

fn parse(row: &Row<'_>) -> Result<Event, String> {
    let [time, kind, product, category, brand, price, user, session] =
        std::array::from_fn(|column| row.get(column));
    let occurred_at = times::utc(time)
        .ok_or_else(|| format!("event_time is {time:?}, YYYY-MM-DD hh:mm:ss UTC needed"))?;
    if product.is_empty() || user.is_empty() {
        return Err("product_id or user_id is empty".to_owned());
    }
    let price_minor = match price {
        "" => 0,
        text => price_minor(text)
            .filter(|price| *price >= 0)
            .ok_or_else(|| format!("price is {text:?}, a decimal from 0 needed"))?,
    };
    let currency = if price_minor > 0 { CURRENCY } else { "" };
    Ok(Event {
        price_minor,
        currency: currency.to_owned(),
        session_id: session.to_owned(),
        category: category.to_owned(),
        brand: brand.to_owned(),
        ..event(row.event_id(), kind_of(kind)?, user, product, occurred_at)
    })
}

fn kind_of(name: &str) -> Result<EventKind, String> {
    match name {
        "view" => Ok(EventKind::View),
        "cart" => Ok(EventKind::AddToCart),
        "remove_from_cart" => Ok(EventKind::RemoveFromCart),
        "purchase" => Ok(EventKind::Purchase),
        _ => Err(format!(
            "event_type is {name:?}, view, cart, remove_from_cart and purchase are known"
        )),
    }
}

/// The set has no product names: brand, last part of the category and id stand in for one.
fn display_name(event: &Event) -> String {
    let kind = event
        .category
        .rsplit('.')
        .next()
        .unwrap_or_default()
        .replace('_', " ");
    let parts = [event.brand.as_str(), &kind, event.item_id.as_str()];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    if parts.len() == 1 {
        format!("item {}", event.item_id)
    } else {
        parts.join(" ")
    }
}
