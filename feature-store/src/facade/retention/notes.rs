//! Notes of where the logs of a partition ended at a time.
//!
//! A log does not tell when an entry was written, and of an erased shopper nothing of an entry can be
//! read. So it is noted from time to time where each log ends: whatever stands before a note is no
//! younger than the note. What is older than it was to be kept by up to a 32nd of that time is kept as
//! well.

use std::time::Duration;

use bytes::Bytes;
use prost::Message;

use super::Retention;
use crate::Millis;
use crate::store::{Error, Key, Log, Versioned};

/// The layout written; older ones stay readable for ever.
const FORMAT: u32 = 1;
/// In the order in which notes name their ends: append only.
pub(super) const LOGS: [Log; 5] = [
    Log::Events,
    Log::Decisions,
    Log::Outcomes,
    Log::Outbox,
    Log::Redriven,
];
/// Notes in the time that something is kept for.
const NOTES: u32 = 32;

/// Hand-written protobuf; field numbers are for ever.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Notes {
    #[prost(uint32, tag = "1")]
    format: u32,
    /// The oldest first.
    #[prost(message, repeated, tag = "2")]
    notes: Vec<Note>,
}

/// Where the logs of a partition ended at a time.
#[derive(Clone, PartialEq, Message)]
struct Note {
    #[prost(int64, tag = "1")]
    at: i64,
    #[prost(uint64, repeated, tag = "2")]
    ends: Vec<u64>,
}

impl Note {
    fn end(&self, place: usize) -> u64 {
        self.ends.get(place).copied().unwrap_or(0)
    }
}

impl Notes {
    pub(super) fn decode(key: &Key, stored: Option<&Versioned>) -> Result<Self, Error> {
        let Some(stored) = stored else {
            return Ok(Self {
                format: FORMAT,
                notes: Vec::new(),
            });
        };
        let read = Self::decode_bytes(&stored.value);
        read.ok_or_else(|| Error::corrupt(key, "the notes of log ends cannot be read"))
    }

    fn decode_bytes(bytes: &Bytes) -> Option<Self> {
        let notes = <Self as Message>::decode(bytes.clone()).ok()?;
        (notes.format == FORMAT).then_some(notes)
    }

    /// The end that the newest note tells of that is no younger than `before`; 0 without one.
    pub(super) fn end_before(&self, place: usize, before: Millis) -> u64 {
        let old = self.notes.iter().rev().find(|note| note.at <= before.0);
        old.map_or(0, |note| note.end(place))
    }

    /// At least so old is the entry of this number; nothing for one that is younger than every note.
    pub(super) fn age_of(&self, place: usize, sequence: u64, now: Millis) -> Duration {
        let mut before = self.notes.iter();
        let first = before.find(|note| note.end(place) >= sequence);
        let age = first.map_or(0, |note| now.0.saturating_sub(note.at).max(0));
        Duration::from_millis(age.unsigned_abs())
    }

    /// Notes where the logs end, unless that was done lately, and forgets what no span reaches any
    /// more but the newest of those. Says whether anything changed.
    pub(super) fn note(&mut self, ends: &[u64], keep: &Retention, now: Millis) -> bool {
        let (Some(shortest), Some(longest)) = (keep.spans().min(), keep.spans().max()) else {
            return false;
        };
        let last = self.notes.last().map_or(i64::MIN, |note| note.at);
        if Millis(last).saturating_add(shortest / NOTES) > now {
            return false;
        }
        let before = now.saturating_sub(longest);
        let old = self.notes.partition_point(|note| note.at <= before.0);
        self.notes.drain(..old.saturating_sub(1));
        self.notes.push(Note {
            at: now.0,
            ends: ends.to_vec(),
        });
        true
    }
}
