//! Canonical JSON lines: the fields of the proto Event in snake_case.

use std::io::BufRead;

use feature_store::{Event, Millis};
use serde::Deserialize;

use super::error::BadLine;
use super::source::Source;
use super::{ItemHint, Lines, Parsed, names, times};

pub(crate) struct Reader {
    reader: Box<dyn BufRead + Send>,
    line: u64,
    failure: Option<std::io::Error>,
    buffer: Vec<u8>,
}

/// A time is text in RFC 3339 or a number of milliseconds; ids may be written as numbers.
#[derive(Deserialize)]
#[serde(untagged)]
enum TextOrNumber {
    Text(String),
    Number(i64),
}

impl TextOrNumber {
    fn text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Number(number) => number.to_string(),
        }
    }

    fn time(&self) -> Result<Millis, String> {
        match self {
            Self::Number(millis) => Ok(Millis(*millis)),
            Self::Text(text) => times::canonical(text)
                .ok_or_else(|| format!("occurred_at is {text:?}, RFC 3339 or milliseconds needed")),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    event_id: TextOrNumber,
    shopper_id: TextOrNumber,
    #[serde(default)]
    device_id: String,
    r#type: String,
    #[serde(default)]
    item_id: Option<TextOrNumber>,
    #[serde(default = "one")]
    quantity: u32,
    #[serde(default)]
    price_minor: i64,
    #[serde(default)]
    currency: String,
    occurred_at: TextOrNumber,
    #[serde(default)]
    session_id: String,
    #[serde(default)]
    order_id: String,
    #[serde(default)]
    category: String,
    #[serde(default)]
    brand: String,
}

fn one() -> u32 {
    1
}

impl Line {
    fn event(self) -> Result<Event, String> {
        Ok(Event {
            kind: names::kind(&self.r#type)?,
            occurred_at: self.occurred_at.time()?,
            event_id: self.event_id.text(),
            shopper_id: self.shopper_id.text(),
            device_id: self.device_id,
            item_id: self.item_id.map(TextOrNumber::text).unwrap_or_default(),
            quantity: self.quantity.max(1),
            price_minor: self.price_minor,
            currency: self.currency,
            session_id: self.session_id,
            order_id: self.order_id,
            category: self.category,
            brand: self.brand,
        })
    }
}

impl Reader {
    pub(crate) fn new(source: Source) -> Self {
        Self {
            reader: source.into_reader(),
            line: 0,
            failure: None,
            buffer: Vec::new(),
        }
    }

    /// The next line that is not blank.
    fn advance(&mut self) -> bool {
        loop {
            self.buffer.clear();
            self.line += 1;
            match self.reader.read_until(b'\n', &mut self.buffer) {
                Ok(0) => return false,
                Ok(_) if self.buffer.iter().all(u8::is_ascii_whitespace) => {}
                Ok(_) => return true,
                Err(problem) => {
                    self.failure = Some(problem);
                    return false;
                }
            }
        }
    }

    fn parse(&self) -> Result<Event, String> {
        let text = std::str::from_utf8(&self.buffer).map_err(|_| "the line is not UTF-8")?;
        let line: Line = serde_json::from_str(text).map_err(|problem| problem.to_string())?;
        line.event()
    }
}

impl Lines for Reader {
    fn next_line(&mut self) -> Option<Result<Parsed, BadLine>> {
        if self.failure.is_some() || !self.advance() {
            return None;
        }
        let line = self.line;
        Some(match self.parse() {
            Ok(event) => Ok(Parsed {
                line,
                item: ItemHint::of_event(&event),
                event,
            }),
            Err(reason) => {
                let raw = String::from_utf8_lossy(&self.buffer).trim_end().to_owned();
                Err(BadLine { line, reason, raw })
            }
        })
    }

    fn failure(&mut self) -> Option<std::io::Error> {
        self.failure.take()
    }
}
