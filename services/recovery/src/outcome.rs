//! What became of a decision: one entry of the log of outcomes.

use prost::Message as _;
use xxhash_rust::xxh3::xxh3_128;

/// The format that this version writes. Readers accept every format up to theirs.
pub const FORMAT: u32 = 1;

/// Keeps joined texts apart.
const SEPARATOR: u8 = 0x1f;

/// What happened. The numbers are those of the wire and of the log.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Given to whoever carries it.
    Sent,
    /// It arrived.
    Delivered,
    /// It was opened.
    Opened,
    /// A link of it was followed.
    Clicked,
    /// An order that came of it.
    Recovered,
    /// Money given back of such an order.
    Refund,
    /// "This is spam."
    Complaint,
    /// "No more messages."
    Unsubscribe,
}

impl Kind {
    /// Every kind, by its number.
    pub const ALL: [Self; 8] = [
        Self::Sent,
        Self::Delivered,
        Self::Opened,
        Self::Clicked,
        Self::Recovered,
        Self::Refund,
        Self::Complaint,
        Self::Unsubscribe,
    ];

    /// The number in the log, from 1 on. It never changes.
    #[must_use]
    pub const fn code(self) -> u32 {
        match self {
            Self::Sent => 1,
            Self::Delivered => 2,
            Self::Opened => 3,
            Self::Clicked => 4,
            Self::Recovered => 5,
            Self::Refund => 6,
            Self::Complaint => 7,
            Self::Unsubscribe => 8,
        }
    }

    /// The kind of that number.
    #[must_use]
    pub fn from_code(code: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// The name on the wire and in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "SENT",
            Self::Delivered => "DELIVERED",
            Self::Opened => "OPENED",
            Self::Clicked => "CLICKED",
            Self::Recovered => "RECOVERED",
            Self::Refund => "REFUND",
            Self::Complaint => "COMPLAINT",
            Self::Unsubscribe => "UNSUBSCRIBE",
        }
    }

    /// Whether it is about the message itself.
    #[must_use]
    pub const fn is_of_message(self) -> bool {
        match self {
            Self::Sent | Self::Delivered | Self::Opened | Self::Clicked => true,
            Self::Recovered | Self::Refund | Self::Complaint | Self::Unsubscribe => false,
        }
    }

    /// Whether it is about an order, and so has a value.
    #[must_use]
    pub const fn is_of_order(self) -> bool {
        matches!(self, Self::Recovered | Self::Refund)
    }

    /// Whether it withdraws consent.
    #[must_use]
    pub const fn withdraws(self) -> bool {
        matches!(self, Self::Complaint | Self::Unsubscribe)
    }
}

/// One entry of the log of outcomes.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Entry {
    /// Version of this layout.
    #[prost(uint32, tag = "1")]
    pub format: u32,
    /// 32 hexadecimal digits: names the report among those of its shopper.
    #[prost(string, tag = "2")]
    pub id: String,
    /// [`Kind::code`].
    #[prost(uint32, tag = "3")]
    pub kind: u32,
    /// As reported; another id of the person than the decision's when they are linked.
    #[prost(string, tag = "4")]
    pub shopper_id: String,
    /// The decision that it is about.
    #[prost(string, tag = "5")]
    pub decision_id: String,
    /// When it happened, as reported.
    #[prost(int64, tag = "6")]
    pub occurred_at_ms: i64,
    /// When it was taken, by the role's clock.
    #[prost(int64, tag = "7")]
    pub reported_at_ms: i64,
    /// Of an order or a refund.
    #[prost(string, tag = "8")]
    pub order_id: String,
    /// Paid, or given back.
    #[prost(int64, tag = "9")]
    pub value_minor: i64,
    /// What the offer took off the order.
    #[prost(int64, tag = "10")]
    pub discount_minor: i64,
    /// Of both amounts; empty without any.
    #[prost(string, tag = "11")]
    pub currency: String,
    /// The purpose whose consent was withdrawn; empty when none was.
    #[prost(string, tag = "12")]
    pub purpose: String,
    /// The channels whose consent was withdrawn, sorted; none when none was.
    #[prost(string, repeated, tag = "13")]
    pub channels: Vec<String>,
}

/// Why an entry cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// It is no entry.
    #[error("the logged outcome cannot be read: {0}")]
    Malformed(String),
    /// Written by a later version.
    #[error("the logged outcome has format {0}, 1 to {FORMAT} can be read")]
    Format(u32),
    /// Of a kind that this version does not know.
    #[error("the logged outcome is of kind {0}, 1 to 8 are known")]
    Kind(u32),
}

impl Entry {
    /// Reads one, and what it is of.
    ///
    /// # Errors
    /// Bytes that are no entry, or one of a later version.
    pub fn read(bytes: &[u8]) -> Result<(Self, Kind), EntryError> {
        let entry =
            Self::decode(bytes).map_err(|error| EntryError::Malformed(error.to_string()))?;
        if !(1..=FORMAT).contains(&entry.format) {
            return Err(EntryError::Format(entry.format));
        }
        let kind = Kind::from_code(entry.kind).ok_or(EntryError::Kind(entry.kind))?;
        Ok((entry, kind))
    }
}

/// A report that was made, once its fields are known to be good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// Empty when the rest names it.
    pub(crate) report_id: String,
    pub(crate) shopper_id: String,
    pub(crate) decision_id: String,
    pub(crate) kind: Kind,
    pub(crate) occurred_at_ms: i64,
    pub(crate) order_id: String,
    pub(crate) value_minor: i64,
    pub(crate) discount_minor: i64,
    pub(crate) currency: String,
    pub(crate) purpose: String,
    /// That of the message when empty.
    pub(crate) channel: String,
}

impl Report {
    /// xxh3-128, in hexadecimal, over the shopper and what names the report: its own id, or else
    /// decision, kind and order.
    pub(crate) fn id(&self) -> String {
        let Self {
            report_id,
            shopper_id,
            decision_id,
            ..
        } = self;
        let (kind, order_id) = (self.kind.as_str(), &self.order_id);
        let parts: &[&str] = match report_id.is_empty() {
            false => &["id", shopper_id, report_id],
            true => &["of", shopper_id, decision_id, kind, order_id],
        };
        let bytes: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
        format!("{:032x}", xxh3_128(&bytes.join(&SEPARATOR)))
    }

    /// What is logged of it. `channels` are those whose consent it withdraws.
    pub(crate) fn entry(&self, id: &str, channels: Vec<String>, now_ms: i64) -> Entry {
        let report = self.clone();
        Entry {
            format: FORMAT,
            id: id.to_owned(),
            kind: self.kind.code(),
            shopper_id: report.shopper_id,
            decision_id: report.decision_id,
            occurred_at_ms: report.occurred_at_ms,
            reported_at_ms: now_ms,
            order_id: report.order_id,
            value_minor: report.value_minor,
            discount_minor: report.discount_minor,
            currency: report.currency,
            purpose: report.purpose,
            channels,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
            report_id: String::new(),
            shopper_id: "ann".to_owned(),
            decision_id: "d1".to_owned(),
            kind: Kind::Recovered,
            occurred_at_ms: 1_760_000_000_000,
            order_id: "o1".to_owned(),
            value_minor: 4_900,
            discount_minor: 500,
            currency: "EUR".to_owned(),
            purpose: String::new(),
            channel: String::new(),
        }
    }

    #[test]
    fn an_entry_of_the_first_format_loads() {
        let golden = b"\x08\x01\x12\x01i\x18\x05\x22\x03ann\x2a\x02d1\x30\x80\x80\xb3\xc1\x9c\x33\
            \x38\x81\x80\xb3\xc1\x9c\x33\x42\x02o1\x48\xa4\x26\x50\xf4\x03\x5a\x03EUR\
            \x62\x09marketing\x6a\x05email\x6a\x03sms";
        let entry = Entry {
            format: 1,
            id: "i".to_owned(),
            kind: 5,
            shopper_id: "ann".to_owned(),
            decision_id: "d1".to_owned(),
            occurred_at_ms: 1_760_000_000_000,
            reported_at_ms: 1_760_000_000_001,
            order_id: "o1".to_owned(),
            value_minor: 4_900,
            discount_minor: 500,
            currency: "EUR".to_owned(),
            purpose: "marketing".to_owned(),
            channels: vec!["email".to_owned(), "sms".to_owned()],
        };
        assert_eq!(entry.encode_to_vec(), golden);
        assert_eq!(Entry::read(golden), Ok((entry, Kind::Recovered)));
        assert_eq!(Entry::read(b"\x08\x02\x18\x05"), Err(EntryError::Format(2)));
        assert_eq!(Entry::read(b"\x08\x01\x18\x09"), Err(EntryError::Kind(9)));
        assert!(Entry::read(b"\xff").is_err());
    }

    #[test]
    fn the_own_id_of_a_report_names_it_and_without_one_decision_kind_and_order_do() {
        let first = report();
        assert_eq!(first.id(), "2c98d5e29be2de886d8ff2e2540766b4");
        let mut later = report();
        later.occurred_at_ms += 1;
        assert_eq!(later.id(), first.id());
        let mut other = report();
        other.order_id = "o2".to_owned();
        assert_ne!(other.id(), first.id());
        let named = |id: &str, order: &str| Report {
            report_id: id.to_owned(),
            order_id: order.to_owned(),
            ..report()
        };
        assert_eq!(named("r", "o1").id(), named("r", "o2").id());
        assert_ne!(named("r", "o1").id(), named("s", "o1").id());
    }

    #[test]
    fn numbers_of_kinds_never_change() {
        let codes = Kind::ALL.map(Kind::code);
        assert_eq!(codes, [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(codes.map(Kind::from_code), Kind::ALL.map(Some));
        assert_eq!(Kind::from_code(0), None);
    }
}
