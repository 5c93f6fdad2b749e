//! Event files: canonical JSON lines and CSV with the field names of the contract, and the public
//! REES46 logs; plain or compressed with zstd.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use jiff::Timestamp;
use proto::v1 as pb;
use serde::Deserialize;

use super::Line;

/// What a file holds.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) lines: Vec<Line>,
    pub(super) bad: u64,
    pub(super) first_bad: Option<String>,
}

impl Contents {
    fn add(&mut self, number: usize, line: Result<Line, String>) {
        match line {
            Ok(line) => self.lines.push(line),
            Err(why) => {
                self.bad += 1;
                self.first_bad
                    .get_or_insert_with(|| format!("line {number}: {why}"));
            }
        }
    }
}

/// A time is text in RFC 3339 or a number of milliseconds; ids may be written as numbers.
#[derive(Deserialize)]
#[serde(untagged)]
enum TextOrNumber {
    Text(String),
    Number(i64),
}

impl From<TextOrNumber> for String {
    fn from(value: TextOrNumber) -> Self {
        match value {
            TextOrNumber::Text(text) => text,
            TextOrNumber::Number(number) => number.to_string(),
        }
    }
}

/// The fields that are sent on. Others are no concern of a load tester.
#[derive(Deserialize)]
struct Canonical {
    shopper_id: TextOrNumber,
    r#type: TextOrNumber,
    occurred_at: TextOrNumber,
    item_id: Option<TextOrNumber>,
    #[serde(default)]
    quantity: Option<u32>,
    #[serde(default)]
    price_minor: Option<i64>,
    #[serde(default)]
    currency: Option<String>,
    #[serde(default)]
    category: Option<String>,
    #[serde(default)]
    brand: Option<String>,
}

#[derive(Deserialize)]
struct Rees46 {
    event_time: String,
    event_type: String,
    product_id: String,
    category_code: String,
    brand: String,
    price: String,
    user_id: String,
}

pub(super) fn read(path: &Path) -> anyhow::Result<Contents> {
    let mut reader = open(path)?;
    let begins = reader.fill_buf().context("read the first line")?;
    if begins.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{') {
        return json_lines(reader);
    }
    let mut reader = csv::Reader::from_reader(reader);
    let header = reader.headers().context("read the header")?.clone();
    let has = |name: &str| header.iter().any(|column| column == name);
    if has("event_time") && has("product_id") {
        return Ok(rows(reader, rees46));
    }
    if has("shopper_id") && has("type") && has("occurred_at") {
        return Ok(rows(reader, canonical));
    }
    bail!(
        "the columns are {}; needed are shopper_id, type, item_id and occurred_at, or those of \
         REES46 (event_time, event_type, product_id, …), or JSON lines",
        header.iter().collect::<Vec<_>>().join(", ")
    )
}

fn open(path: &Path) -> anyhow::Result<Box<dyn BufRead>> {
    let file = File::open(path).context("open it")?;
    let packed = path.extension().is_some_and(|e| e == "zst");
    let plain: Box<dyn Read> = if packed {
        Box::new(zstd::Decoder::new(file)?)
    } else {
        Box::new(file)
    };
    Ok(Box::new(BufReader::new(plain)))
}

fn json_lines(reader: Box<dyn BufRead>) -> anyhow::Result<Contents> {
    let mut read = Contents::default();
    for (number, line) in (1..).zip(reader.lines()) {
        let line = line.with_context(|| format!("read line {number}"))?;
        if line.trim().is_empty() {
            continue;
        }
        let parsed = serde_json::from_str(&line).map_err(|e| e.to_string());
        read.add(number, parsed.and_then(canonical));
    }
    ensure!(!read.lines.is_empty() || read.bad > 0, "the file is empty");
    Ok(read)
}

fn rows<T: for<'a> Deserialize<'a>>(
    reader: csv::Reader<Box<dyn BufRead>>,
    parse: impl Fn(T) -> Result<Line, String>,
) -> Contents {
    let mut read = Contents::default();
    for (number, row) in (2..).zip(reader.into_deserialize::<T>()) {
        let row = row.map_err(|e| e.to_string());
        read.add(number, row.and_then(&parse));
    }
    read
}

fn canonical(row: Canonical) -> Result<Line, String> {
    let time = String::from(row.occurred_at);
    let name = String::from(row.r#type).to_ascii_lowercase();
    let kind = pb::event::Type::from_str_name(&name.to_ascii_uppercase())
        .filter(|kind| *kind != pb::event::Type::Unspecified)
        .ok_or_else(|| format!("type is {name:?}, a name such as view or add_to_cart is needed"))?;
    let event = pb::Event {
        shopper_id: row.shopper_id.into(),
        r#type: kind.into(),
        item_id: row.item_id.map(String::from).unwrap_or_default(),
        quantity: row.quantity.unwrap_or(1).max(1),
        price_minor: row.price_minor.unwrap_or(0),
        currency: row.currency.unwrap_or_default(),
        category: row.category.unwrap_or_default(),
        brand: row.brand.unwrap_or_default(),
        ..pb::Event::default()
    };
    line(&time, event)
}

fn rees46(row: Rees46) -> Result<Line, String> {
    use pb::event::Type;
    let kind = match row.event_type.as_str() {
        "view" => Type::View,
        "cart" => Type::AddToCart,
        "remove_from_cart" => Type::RemoveFromCart,
        "purchase" => Type::Purchase,
        other => {
            return Err(format!(
                "event_type is {other:?}, view, cart, remove_from_cart and purchase are known"
            ));
        }
    };
    let price_minor = minor(&row.price)?;
    let event = pb::Event {
        shopper_id: row.user_id,
        r#type: kind.into(),
        item_id: row.product_id,
        quantity: 1,
        price_minor,
        // The set names no currency; its prices read as US dollars.
        currency: if price_minor > 0 { "USD" } else { "" }.to_owned(),
        category: row.category_code,
        brand: row.brand,
        ..pb::Event::default()
    };
    line(&row.event_time.replacen(" UTC", "Z", 1), event)
}

/// Cents of a decimal such as `35.79`, without a detour through a float.
fn minor(price: &str) -> Result<i64, String> {
    let bad = || format!("price is {price:?}, a decimal from 0 is needed");
    let (whole, fraction) = price.split_once('.').unwrap_or((price, ""));
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return Err(bad());
    }
    let cents: String = fraction.chars().chain("00".chars()).take(2).collect();
    let number = |text: &str| text.parse::<i64>().ok().filter(|n| *n >= 0);
    if price.is_empty() {
        return Ok(0);
    }
    let whole = if whole.is_empty() {
        Some(0)
    } else {
        number(whole)
    };
    let all = whole.and_then(|w| w.checked_mul(100)?.checked_add(number(&cents)?));
    all.ok_or_else(bad)
}

fn line(time: &str, event: pb::Event) -> Result<Line, String> {
    let at_ms = time.parse::<i64>().ok().or_else(|| {
        let read: Option<Timestamp> = time.parse().ok();
        read.map(Timestamp::as_millisecond)
    });
    let at_ms = at_ms
        .ok_or_else(|| format!("the time is {time:?}, RFC 3339 or milliseconds are needed"))?;
    if event.shopper_id.is_empty() {
        return Err("the shopper is empty".to_owned());
    }
    // A server refuses a purchase of unknown price, and that would be the file's fault.
    if event.r#type() == pb::event::Type::Purchase && event.price_minor <= 0 {
        return Err("a purchase without a price".to_owned());
    }
    Ok(Line { at_ms, event })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, bytes: &[u8]) -> Contents {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        read(&path).unwrap()
    }

    #[test]
    fn json_lines_hold_the_fields_of_the_contract() {
        let text = r#"{"event_id":1,"shopper_id":7,"type":"ADD_TO_CART","item_id":"x","quantity":2,"price_minor":350,"currency":"EUR","occurred_at":"2026-01-01T00:00:01.5Z"}
{"event_id":"2","shopper_id":"s","type":"view","item_id":"y","occurred_at":1767225602000}
"#;
        let read = of("e.jsonl", text.as_bytes());
        assert_eq!(read.bad, 0, "{:?}", read.first_bad);
        let first = &read.lines[0];
        assert_eq!(first.event.shopper_id, "7");
        assert_eq!((first.event.quantity, first.event.price_minor), (2, 350));
        assert_eq!(read.lines[1].at_ms - first.at_ms, 500);
    }

    #[test]
    fn reads_a_packed_rees46_log_and_counts_what_is_no_event() {
        let text = "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session\n\
            2019-10-01 00:00:00 UTC,view,44600062,1,,shiseido,35.79,541312140,u\n\
            2019-10-01 00:00:05 UTC,cart,3900821,2,appliances.kitchen,aqua,33.2,554748717,v\n\
            2019-10-01 00:00:06 UTC,purchase,3900821,2,,aqua,,554748717,v\n";
        let read = of("e.csv.zst", &zstd::encode_all(text.as_bytes(), 1).unwrap());
        let cart = &read.lines[1].event;
        assert_eq!(read.lines.len(), 2);
        assert_eq!((cart.price_minor, cart.currency.as_str()), (3_320, "USD"));
        assert_eq!(cart.r#type(), pb::event::Type::AddToCart);
        assert_eq!(read.lines[1].at_ms - read.lines[0].at_ms, 5_000);
        assert_eq!(
            read.first_bad.unwrap(),
            "line 4: a purchase without a price"
        );
    }

    #[test]
    fn prices_are_read_exactly() {
        let cents = ["35.79", "0.29", "5", ".5", "1.005", ""].map(|p| minor(p).unwrap());
        assert_eq!(cents, [3_579, 29, 500, 50, 100, 0]);
        for bad in ["-1", "1e3", "x", "1.-5"] {
            assert!(minor(bad).is_err(), "{bad}");
        }
    }
}
