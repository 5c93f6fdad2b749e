//! The bytes under which things are stored. Numbers are big-endian, so that they sort.

use crate::Millis;
use crate::store::{Key, Kind, Log, Partition};

/// Of the kinds of value. They are stored: never change one.
fn kind_code(kind: Kind) -> u8 {
    match kind {
        Kind::Shopper => b's',
        Kind::Item => b'i',
        Kind::ItemTiles => b't',
        Kind::Offset => b'o',
        Kind::Decision => b'd',
        Kind::Budget => b'b',
        Kind::Outcome => b'r',
        Kind::Policy => b'p',
        Kind::DeadLetter => b'l',
        Kind::Coupon => b'c',
        Kind::StoredCart => b'k',
        Kind::Campaigns => b'm',
        Kind::Secret => b'z',
        Kind::RowKey => b'y',
        Kind::Tombstone => b'x',
    }
}

/// Of the logs. They are stored: never change one.
pub(super) fn log_code(log: Log) -> u8 {
    match log {
        Log::Events => 0,
        Log::Catalog => 1,
        Log::Outbox => 2,
        Log::Decisions => 3,
        Log::Outcomes => 4,
        Log::Policies => 5,
        Log::Redriven => 6,
        Log::Erasures => 7,
    }
}

/// What all values of a kind in a partition begin with.
pub(super) fn values(partition: Partition, kind: Kind) -> Vec<u8> {
    let mut bytes = vec![kind_code(kind)];
    bytes.extend_from_slice(&partition.number().to_be_bytes());
    bytes
}

/// Between these lie all values of a kind.
pub(super) fn all_values(kind: Kind) -> (Vec<u8>, Vec<u8>) {
    let code = kind_code(kind);
    (vec![code], vec![code.saturating_add(1)])
}

/// Partition and id of a key made by [`value`].
pub(super) fn parse_value(bytes: &[u8]) -> Option<(Partition, String)> {
    let (number, id) = bytes.get(1..)?.split_first_chunk::<2>()?;
    let partition = Partition::new(u16::from_be_bytes(*number))?;
    Some((partition, std::str::from_utf8(id).ok()?.to_owned()))
}

pub(super) fn value(key: &Key) -> Vec<u8> {
    let mut bytes = values(key.partition, key.kind);
    bytes.extend_from_slice(key.id.as_bytes());
    bytes
}

pub(super) fn log_entry(partition: Partition, log: Log, sequence: u64) -> Vec<u8> {
    let mut bytes = vec![log_code(log)];
    bytes.extend_from_slice(&partition.number().to_be_bytes());
    bytes.extend_from_slice(&sequence.to_be_bytes());
    bytes
}

/// Under this lies when the deadline comes due.
pub(super) fn deadline(partition: Partition, id: &str) -> Vec<u8> {
    let mut bytes = vec![b'i'];
    bytes.extend_from_slice(&partition.number().to_be_bytes());
    bytes.extend_from_slice(id.as_bytes());
    bytes
}

/// What the deadlines that come due at this time begin with; nothing lies under them.
pub(super) fn due_at(partition: Partition, at: Millis) -> Vec<u8> {
    let mut bytes = vec![b't'];
    bytes.extend_from_slice(&partition.number().to_be_bytes());
    bytes.extend_from_slice(&time(at));
    bytes
}

pub(super) fn due(partition: Partition, at: Millis, id: &str) -> Vec<u8> {
    let mut bytes = due_at(partition, at);
    bytes.extend_from_slice(id.as_bytes());
    bytes
}

/// Time and id of a key made by [`due`].
pub(super) fn parse_due(bytes: &[u8]) -> Option<(Millis, String)> {
    let (at, id) = bytes.get(3..)?.split_first_chunk::<8>()?;
    Some((parse_time(*at), std::str::from_utf8(id).ok()?.to_owned()))
}

/// Times before 1970 sort before those after it.
pub(super) fn time(at: Millis) -> [u8; 8] {
    (at.0 ^ i64::MIN).to_be_bytes()
}

pub(super) fn parse_time(bytes: [u8; 8]) -> Millis {
    Millis(i64::from_be_bytes(bytes) ^ i64::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_sort_as_they_pass() {
        let times = [i64::MIN, -1, 0, 1, 1_700_000_000_000, i64::MAX].map(Millis);
        assert!(times.map(time).is_sorted());
        assert_eq!(times.map(time).map(parse_time), times);
    }

    #[test]
    fn a_key_survives_its_bytes_and_lies_among_those_of_its_kind() {
        let key = Key::shopper("ü");
        let bytes = value(&key);
        assert_eq!(parse_value(&bytes), Some((key.partition, key.id)));
        let (first, end) = all_values(Kind::Shopper);
        assert!(first < bytes && bytes < end);
    }

    #[test]
    fn a_deadline_survives_its_bytes() {
        let bytes = due(Partition::of("x"), Millis(-5), "cart:ü");
        assert_eq!(parse_due(&bytes), Some((Millis(-5), "cart:ü".to_owned())));
    }
}
