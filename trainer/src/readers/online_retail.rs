//! UCI Online Retail: invoice lines, each a purchase in GBP at a time taken as UTC.
//!
//! Cleaned as the literature does: no cancelled invoices, no lines without a customer, none whose
//! quantity or price is not above 0. That leaves 397,884 lines; postage and other codes that are no
//! goods stay in, as they do there.

use feature_store::{Event, EventKind};

use super::decimal::price_minor;
use super::error::{BadLine, ReadError};
use super::rows::{Row, Rows, event};
use super::source::Source;
use super::{ItemHint, Lines, Parsed, times};

const REQUIRED: [&str; 7] = [
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
];
const CURRENCY: &str = "GBP";

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
                row.get(2).clone_into(&mut item.name);
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
    let [invoice, stock_code, _name, quantity, date, price, customer] =
        std::array::from_fn(|column| row.get(column));
    if invoice.starts_with(['C', 'c']) {
        return Err(format!("InvoiceNo {invoice} is a cancelled invoice"));
    }
    if customer.is_empty() {
        return Err("CustomerID is missing".to_owned());
    }
    if stock_code.is_empty() {
        return Err("StockCode is missing".to_owned());
    }
    let quantity = positive_quantity(quantity)?;
    let price_minor = price_minor(price)
        .filter(|price| *price > 0)
        .ok_or_else(|| format!("UnitPrice is {price:?}, a decimal above 0 needed"))?;
    let occurred_at = times::utc(date)
        .ok_or_else(|| format!("InvoiceDate is {date:?}, YYYY-MM-DD hh:mm:ss needed"))?;
    let customer = customer.strip_suffix(".0").unwrap_or(customer);
    Ok(Event {
        quantity,
        price_minor,
        currency: CURRENCY.to_owned(),
        order_id: invoice.to_owned(),
        ..event(
            row.event_id(),
            EventKind::Purchase,
            customer,
            stock_code,
            occurred_at,
        )
    })
}

fn positive_quantity(text: &str) -> Result<u32, String> {
    let quantity = text.parse::<u32>().ok().filter(|quantity| *quantity > 0);
    quantity.ok_or_else(|| format!("Quantity is {text:?}, a whole number above 0 needed"))
}
