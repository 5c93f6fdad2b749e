//! Who agreed to what. Without a record there is no consent.
//!
//! A grant counts for its own purpose, channel and jurisdiction, from its time on, and only with
//! the wording that was agreed to. A revocation counts at once, whatever its clock says, for what
//! it names; a field that it leaves empty means all of them. Of a grant and a revocation the newer
//! counts, of the same moment the revocation. The answer rests on the set of records, not on the
//! order in which they came.

/// One grant or revocation.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConsentRecord {
    /// E.g. `marketing`. Empty in a revocation: every purpose.
    pub purpose: String,
    /// Empty in a revocation: every channel.
    pub channel: String,
    /// E.g. `DE`. Empty in a revocation: everywhere.
    pub jurisdiction: String,
    pub granted: bool,
    /// Version of the text agreed to.
    pub wording: String,
    pub at_ms: i64,
}

/// The records of one alias of a person, in any order.
pub type Consents = Vec<ConsentRecord>;

/// What a message needs consent for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Wanted<'a> {
    pub purpose: &'a str,
    pub channel: &'a str,
    pub jurisdiction: &'a str,
}

/// Why there is no consent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    #[error("the shopper has not agreed to {purpose} by {channel} in {jurisdiction}")]
    NeverGiven {
        purpose: String,
        channel: String,
        jurisdiction: String,
    },
    #[error("the shopper withdrew consent to {purpose} by {channel} at {at_ms}")]
    Revoked {
        purpose: String,
        channel: String,
        at_ms: i64,
    },
}

/// Whether a person agreed, who has one or more aliases: at least one agreed, and none withdrew.
///
/// # Errors
/// Why not; a revocation is named before a missing grant.
pub fn allowed(aliases: &[Consents], wanted: Wanted<'_>, now_ms: i64) -> Result<(), Denied> {
    let mut agreed = false;
    let mut revoked: Option<i64> = None;
    for records in aliases {
        match standing(records, wanted, now_ms) {
            Standing::Granted => agreed = true,
            Standing::Revoked { at_ms } => {
                revoked = Some(revoked.map_or(at_ms, |other| other.max(at_ms)));
            }
            Standing::Silent => {}
        }
    }
    let (purpose, channel) = (wanted.purpose.to_owned(), wanted.channel.to_owned());
    match revoked {
        Some(at_ms) => Err(Denied::Revoked {
            purpose,
            channel,
            at_ms,
        }),
        None if agreed => Ok(()),
        None => Err(Denied::NeverGiven {
            purpose,
            channel,
            jurisdiction: wanted.jurisdiction.to_owned(),
        }),
    }
}

enum Standing {
    Granted,
    Revoked { at_ms: i64 },
    Silent,
}

fn standing(records: &[ConsentRecord], wanted: Wanted<'_>, now_ms: i64) -> Standing {
    let grants = records.iter().filter(|record| grants(record, wanted));
    let granted = grants
        .map(|record| record.at_ms)
        .filter(|at_ms| *at_ms <= now_ms)
        .max();
    let revocations = records.iter().filter(|record| revokes(record, wanted));
    let revoked = revocations.map(|record| record.at_ms).max();
    match (granted, revoked) {
        (Some(granted), Some(at_ms)) if granted <= at_ms => Standing::Revoked { at_ms },
        (Some(_), _) => Standing::Granted,
        (None, Some(at_ms)) => Standing::Revoked { at_ms },
        (None, None) => Standing::Silent,
    }
}

fn grants(record: &ConsentRecord, wanted: Wanted<'_>) -> bool {
    record.granted
        && !record.wording.is_empty()
        && record.purpose == wanted.purpose
        && record.channel == wanted.channel
        && record.jurisdiction == wanted.jurisdiction
}

fn revokes(record: &ConsentRecord, wanted: Wanted<'_>) -> bool {
    let covers = |named: &str, wanted: &str| named.is_empty() || named == wanted;
    !record.granted
        && covers(&record.purpose, wanted.purpose)
        && covers(&record.channel, wanted.channel)
        && covers(&record.jurisdiction, wanted.jurisdiction)
}
