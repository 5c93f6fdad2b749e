//! Canonical CSV: the fields of the proto Event as columns, in any order.

use feature_store::Event;

use super::error::{BadLine, ReadError};
use super::rows::{Row, Rows};
use super::source::Source;
use super::{ItemHint, Lines, Parsed, names, times};

const REQUIRED: [&str; 4] = ["event_id", "shopper_id", "type", "occurred_at"];
const OPTIONAL: [&str; 9] = [
    "item_id",
    "device_id",
    "quantity",
    "price_minor",
    "currency",
    "session_id",
    "order_id",
    "category",
    "brand",
];

pub(crate) struct Reader {
    rows: Rows,
}

impl Reader {
    pub(crate) fn new(source: Source) -> Result<Self, ReadError> {
        Ok(Self {
            rows: Rows::with_header(source, b',', &REQUIRED, &OPTIONAL)?,
        })
    }
}

impl Lines for Reader {
    fn next_line(&mut self) -> Option<Result<Parsed, BadLine>> {
        self.rows.next(|row| {
            let event = event(row).map_err(|reason| row.bad(reason))?;
            Ok(Parsed {
                line: row.line,
                item: ItemHint::of_event(&event),
                event,
            })
        })
    }

    fn failure(&mut self) -> Option<std::io::Error> {
        self.rows.failure()
    }
}

fn event(row: &Row<'_>) -> Result<Event, String> {
    let [
        id,
        shopper,
        kind,
        time,
        item,
        device,
        quantity,
        price,
        currency,
        session,
        order,
        category,
        brand,
    ] = std::array::from_fn(|column| row.get(column));
    Ok(Event {
        event_id: id.to_owned(),
        shopper_id: shopper.to_owned(),
        device_id: device.to_owned(),
        kind: names::kind(kind)?,
        item_id: item.to_owned(),
        quantity: number("quantity", quantity, 1)?.max(1),
        price_minor: number("price_minor", price, 0)?,
        currency: currency.to_owned(),
        occurred_at: times::canonical(time)
            .ok_or_else(|| format!("occurred_at is {time:?}, RFC 3339 or milliseconds needed"))?,
        session_id: session.to_owned(),
        order_id: order.to_owned(),
        category: category.to_owned(),
        brand: brand.to_owned(),
    })
}

fn number<T: std::str::FromStr>(field: &str, text: &str, absent: T) -> Result<T, String> {
    if text.is_empty() {
        return Ok(absent);
    }
    text.parse()
        .map_err(|_| format!("{field} is {text:?}, a whole number needed"))
}
