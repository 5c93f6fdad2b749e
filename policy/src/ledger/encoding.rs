//! The ledger's value in the store: protobuf, one entry a decision, in the order of their ids, so
//! that equal ledgers have equal bytes.

use std::collections::BTreeMap;

use prost::Message;

use super::{Entry, Ledger, Standing};

/// Raised with every change that an older reader would misread.
const VERSION: u32 = 1;
const RESERVED: u32 = 1;
const COMMITTED: u32 = 2;
const RELEASED: u32 = 3;

/// A value that is no ledger.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerDecodeError {
    #[error("the ledger is not readable: {0}")]
    Malformed(String),
    #[error("the ledger has version {0}, this build reads 1 to {VERSION}")]
    Version(u32),
    #[error("the ledger's sums do not hold: {0}")]
    Sums(String),
}

#[derive(Clone, PartialEq, Message)]
struct LedgerMessage {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(string, tag = "2")]
    campaign: String,
    #[prost(string, tag = "3")]
    period: String,
    #[prost(int64, tag = "4")]
    budget_minor: i64,
    #[prost(int64, tag = "5")]
    spent_minor: i64,
    #[prost(int64, optional, tag = "6")]
    forgotten_before_ms: Option<i64>,
    #[prost(message, repeated, tag = "7")]
    entries: Vec<EntryMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct EntryMessage {
    #[prost(string, tag = "1")]
    decision_id: String,
    #[prost(int64, tag = "2")]
    decided_at_ms: i64,
    #[prost(uint32, tag = "3")]
    standing: u32,
    /// The maximum of a reservation, the cost of a commit.
    #[prost(int64, tag = "4")]
    amount_minor: i64,
    #[prost(int64, tag = "5")]
    expires_at_ms: i64,
}

impl Ledger {
    /// The value to store. About 40 bytes a decision that is remembered.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let known = self.forgotten_before_ms != i64::MIN;
        LedgerMessage {
            version: VERSION,
            campaign: self.campaign.clone(),
            period: self.period.clone(),
            budget_minor: self.budget_minor,
            spent_minor: self.spent_minor,
            forgotten_before_ms: known.then_some(self.forgotten_before_ms),
            entries: self.entries.iter().map(entry_message).collect(),
        }
        .encode_to_vec()
    }

    /// Reads what [`Ledger::encode`] wrote. What is promised is summed anew from the entries.
    ///
    /// # Errors
    /// Bytes that are no ledger, one of a newer version, or one whose sums cannot be: a ledger that
    /// was tampered with must not free money.
    pub fn decode(bytes: &[u8]) -> Result<Self, LedgerDecodeError> {
        let message = LedgerMessage::decode(bytes)
            .map_err(|error| LedgerDecodeError::Malformed(error.to_string()))?;
        if message.version == 0 || message.version > VERSION {
            return Err(LedgerDecodeError::Version(message.version));
        }
        let mut entries = BTreeMap::new();
        for message in message.entries {
            let (id, entry) = entry(message)?;
            if let Some(twice) = entries.insert(id, entry) {
                return Err(LedgerDecodeError::Sums(format!("{twice:?} is there twice")));
            }
        }
        let ledger = Self {
            campaign: message.campaign,
            period: message.period,
            budget_minor: message.budget_minor,
            spent_minor: message.spent_minor,
            promised_minor: 0,
            forgotten_before_ms: message.forgotten_before_ms.unwrap_or(i64::MIN),
            entries,
        };
        ledger.summed()
    }

    fn summed(mut self) -> Result<Self, LedgerDecodeError> {
        let (mut promised, mut spent) = (0_i64, 0_i64);
        for entry in self.entries.values() {
            let (sum, amount) = match entry.standing {
                Standing::Reserved { max_cost_minor, .. } => (&mut promised, max_cost_minor),
                Standing::Committed { actual_minor } => (&mut spent, actual_minor),
                Standing::Released => continue,
            };
            *sum = sum.saturating_add(amount);
        }
        let used = self.spent_minor.saturating_add(promised);
        let below_zero = self.budget_minor < 0 || self.spent_minor < 0;
        if below_zero || spent > self.spent_minor || used > self.budget_minor {
            let budget = self.budget_minor;
            return Err(LedgerDecodeError::Sums(format!(
                "{} spent, of which {spent} by remembered decisions, and {promised} promised of {budget}",
                self.spent_minor
            )));
        }
        self.promised_minor = promised;
        Ok(self)
    }
}

fn entry_message((id, entry): (&String, &Entry)) -> EntryMessage {
    let (standing, amount_minor, expires_at_ms) = match entry.standing {
        Standing::Reserved {
            max_cost_minor,
            expires_at_ms,
        } => (RESERVED, max_cost_minor, expires_at_ms),
        Standing::Committed { actual_minor } => (COMMITTED, actual_minor, 0),
        Standing::Released => (RELEASED, 0, 0),
    };
    EntryMessage {
        decision_id: id.clone(),
        decided_at_ms: entry.decided_at_ms,
        standing,
        amount_minor,
        expires_at_ms,
    }
}

fn entry(message: EntryMessage) -> Result<(String, Entry), LedgerDecodeError> {
    let amount = message.amount_minor;
    if amount < 0 {
        let why = format!("{} has an amount of {amount}", message.decision_id);
        return Err(LedgerDecodeError::Sums(why));
    }
    let standing = match message.standing {
        RESERVED => Standing::Reserved {
            max_cost_minor: amount,
            expires_at_ms: message.expires_at_ms,
        },
        COMMITTED => Standing::Committed {
            actual_minor: amount,
        },
        RELEASED => Standing::Released,
        other => {
            let why = format!("{} has the unknown standing {other}", message.decision_id);
            return Err(LedgerDecodeError::Malformed(why));
        }
    };
    let entry = Entry {
        decided_at_ms: message.decided_at_ms,
        standing,
    };
    Ok((message.decision_id, entry))
}
