//! The one write, and what reads return.

use bytes::Bytes;

#[cfg(any(feature = "embedded", feature = "redis"))]
use super::Error;
use super::{Key, Log, Partition};
use crate::Millis;

/// A value and the number of times it was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Versioned {
    /// 1 for a value written once.
    pub version: u64,
    /// The value as it was put.
    pub value: Bytes,
}

#[cfg(any(feature = "embedded", feature = "redis"))]
impl Versioned {
    /// Both stores keep a value behind its version, so that one read gives both.
    pub(crate) fn pack(version: u64, value: &[u8]) -> Vec<u8> {
        let mut packed = Vec::with_capacity(8 + value.len());
        packed.extend_from_slice(&version.to_le_bytes());
        packed.extend_from_slice(value);
        packed
    }

    pub(crate) fn unpack(key: &Key, mut packed: Bytes) -> Result<Self, Error> {
        let Some(version) = packed.first_chunk::<8>().copied() else {
            let detail = format!("{} bytes, too short for a version", packed.len());
            return Err(Error::corrupt(key, detail));
        };
        Ok(Self {
            version: u64::from_le_bytes(version),
            value: packed.split_off(8),
        })
    }
}

/// Changes of one partition that happen together or not at all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Commit {
    /// Every key of `ops` lies in it.
    pub partition: Partition,
    /// Expected versions are compared with what was stored before the commit; then the changes
    /// are made in this order.
    pub ops: Vec<Op>,
}

/// One change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Op {
    /// Writes a value if its version is `expected` (0 = absent); its version is then one more.
    Put {
        /// What to write.
        key: Key,
        /// The version that was read; 0 = there is none.
        expected: u64,
        /// The new value.
        value: Bytes,
    },
    /// Writes a value if there is none, and gives it this version. What took the place of a removed
    /// value begins above its versions, so that nobody takes it for the one that they had read.
    Create {
        /// What to write.
        key: Key,
        /// The first version.
        version: u64,
        /// The new value.
        value: Bytes,
    },
    /// Removes a value if its version is `expected`.
    Delete {
        /// What to remove.
        key: Key,
        /// The version that was read.
        expected: u64,
    },
    /// Changes nothing; the commit conflicts unless the value's version is `expected` (0 =
    /// absent). What rests on a value that was read, and leaves it as it is, names it so.
    Expect {
        /// What was read.
        key: Key,
        /// The version that was read; 0 = there is none.
        expected: u64,
    },
    /// Sets the deadline named `id`, whether it exists or not.
    Schedule {
        /// Names the deadline within the partition.
        id: String,
        /// When it comes due.
        due_at: Millis,
    },
    /// Removes the deadline named `id`, if it exists.
    Cancel {
        /// Names the deadline within the partition.
        id: String,
    },
    /// Adds an entry with the next sequence, 1 for the first.
    Append {
        /// The log of this partition.
        log: Log,
        /// The entry.
        value: Bytes,
    },
}

/// What became of a commit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CommitOutcome {
    /// All of it is stored.
    Done,
    /// Nothing of it is: `key` had another version.
    Conflict {
        /// The first key whose version was not the expected one.
        key: Key,
    },
}

/// One entry of a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogEntry {
    /// 1, 2, 3, … within a partition's log, without gaps.
    pub sequence: u64,
    /// The entry as it was appended.
    pub value: Bytes,
}

/// A deadline that was claimed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Due {
    /// Where it lies.
    pub partition: Partition,
    /// Its name.
    pub id: String,
    /// When it came due, before this claim moved it.
    pub due_at: Millis,
}

/// Where a walk over keys goes on; the default is its beginning.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Place(pub(crate) Vec<u8>);

/// How far a consumer group has come in a partition's log.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct GroupPlace {
    /// Where the log is.
    pub partition: Partition,
    /// The group's name.
    pub group: String,
    /// It has acknowledged every entry before this one.
    pub open: u64,
}

/// What a store says about its own safety.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Health {
    /// Sentences for the operator; none when all is well.
    pub warnings: Vec<String>,
}
