//! A row of the outbox: which decision of whom is to be handed out. What it says is read where it
//! was committed.

use prost::Message;

/// The format that this version writes. Readers accept every format up to theirs.
const FORMAT: u32 = 1;

/// One action that waits to be handed out.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Row {
    #[prost(uint32, tag = "1")]
    format: u32,
    #[prost(string, tag = "2")]
    pub(crate) shopper_id: String,
    #[prost(string, tag = "3")]
    pub(crate) decision_id: String,
    #[prost(string, tag = "4")]
    pub(crate) channel: String,
}

impl Row {
    pub(crate) fn new(shopper_id: &str, decision_id: &str, channel: &str) -> Self {
        Self {
            format: FORMAT,
            shopper_id: shopper_id.to_owned(),
            decision_id: decision_id.to_owned(),
            channel: channel.to_owned(),
        }
    }

    /// `None` for what this version cannot read.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let row = Self::decode(bytes).ok()?;
        (1..=FORMAT).contains(&row.format).then_some(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_the_first_format_loads() {
        let row = Row::new("ann", "d1", "email");
        let golden = b"\x08\x01\x12\x03ann\x1a\x02d1\x22\x05email";
        assert_eq!(row.encode_to_vec(), golden);
        assert_eq!(Row::read(golden), Some(row));
        assert_eq!(Row::read(b"\x08\x02"), None);
        assert_eq!(Row::read(b"\xff"), None);
    }
}
