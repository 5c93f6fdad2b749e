//! The two online stores behind one trait.
//!
//! Everything known of a shopper lies in one of 256 partitions, and so do the logs, deadlines and
//! decisions that change together with it: [`Store::commit`] changes one partition, whole or not
//! at all. `tests/conformance.rs` holds both stores to the same behaviour.

mod commit;
#[cfg(feature = "embedded")]
mod embedded;
mod error;
mod key;
mod observed;
#[cfg(feature = "redis")]
mod redis;

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;

pub use commit::{Commit, CommitOutcome, Due, GroupPlace, Health, LogEntry, Op, Place, Versioned};
#[cfg(feature = "embedded")]
pub use embedded::{Durability, Embedded, EmbeddedSettings};
pub use error::Error;
pub use key::{Key, Kind, Log, PARTITIONS, Partition};
pub(crate) use observed::Observed;
pub use observed::{Call, Observer};
#[cfg(feature = "redis")]
pub use redis::{Redis, RedisSettings};

use crate::Millis;

/// An online store: versioned values, logs and deadlines, changed by one kind of write.
#[async_trait]
pub trait Store: Send + Sync + Debug + 'static {
    /// Reads the values of `keys`, in their order. One round trip per store node.
    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>, Error>;

    /// Applies each commit whole or not at all, and answers in the order given. They share a
    /// round trip but not their fate: one may conflict while its neighbours are done.
    ///
    /// After [`Error::Unavailable`] any of them may or may not have happened.
    async fn commit(&self, commits: Vec<Commit>) -> Result<Vec<CommitOutcome>, Error>;

    /// The ids under `kind` in a partition, sorted. For the kinds of which [`Kind::is_listed`].
    async fn list(&self, partition: Partition, kind: Kind) -> Result<Vec<String>, Error>;

    /// Some keys of a kind, in no order, and where the next ones begin; `None` after the last. Of any
    /// kind: what is there all the while comes at least once. A walk goes over all that the store
    /// has, `limit` keys of it at a time, so it is for the background.
    async fn walk(
        &self,
        kind: Kind,
        from: &Place,
        limit: usize,
    ) -> Result<(Vec<Key>, Option<Place>), Error>;

    /// When these deadlines come due, in their order; `None` where there is none.
    async fn deadlines(&self, asked: &[(Partition, String)]) -> Result<Vec<Option<Millis>>, Error>;

    /// How far each group has come that ever read this log, in each partition where it did. In the
    /// background: it goes over all that the store has.
    async fn group_places(&self, log: Log) -> Result<Vec<GroupPlace>, Error>;

    /// Entries with a sequence above the given one, oldest first, for each log asked for.
    async fn read_logs(
        &self,
        from: &[(Partition, Log, u64)],
        limit_each: usize,
    ) -> Result<Vec<Vec<LogEntry>>, Error>;

    /// The sequence of the last entry ever appended to each log; 0 for an empty one.
    async fn log_ends(&self, logs: &[(Partition, Log)]) -> Result<Vec<u64>, Error>;

    /// Removes the entries of these logs up to and with the sequences given; answers how many there
    /// were. The last entry of a log is never to be named: numbering goes on from it.
    async fn trim_logs(&self, up_to: &[(Partition, Log, u64)]) -> Result<u64, Error>;

    /// Takes up to `limit` deadlines that are due, the longest due first, and moves each to
    /// `now + lease`: those of a claimer that dies come due again. [`Op::Cancel`] is what ends one.
    async fn claim_due(
        &self,
        partitions: &[Partition],
        now: Millis,
        lease: Duration,
        limit: usize,
    ) -> Result<Vec<Due>, Error>;

    /// Hands `consumer` entries of a log that nobody in `group` has acknowledged: those whose
    /// lease ran out first, then new ones.
    #[expect(
        clippy::too_many_arguments,
        reason = "a log, who reads it, until when and how much: each is a value of its own"
    )]
    async fn read_group(
        &self,
        partition: Partition,
        log: Log,
        group: &str,
        consumer: &str,
        lease: Duration,
        now: Millis,
        limit: usize,
    ) -> Result<Vec<LogEntry>, Error>;

    /// Moves the ends of leases to `until`, each given with its sequence as it was: what was
    /// acknowledged, or handed out again since, is left alone. Answers the sequences that were
    /// moved, in the order given.
    async fn extend_group(
        &self,
        partition: Partition,
        log: Log,
        group: &str,
        held: &[(u64, Millis)],
        until: Millis,
    ) -> Result<Vec<u64>, Error>;

    /// Ends the delivery of these entries to `group`.
    async fn ack_group(
        &self,
        partition: Partition,
        log: Log,
        group: &str,
        sequences: &[u64],
    ) -> Result<(), Error>;

    /// `redis` or `embedded`.
    fn name(&self) -> &'static str;

    /// True while the store is known not to answer, so that requests fail at once.
    fn is_away(&self) -> bool {
        false
    }

    /// Whether the store keeps what it acknowledges, as far as it can tell.
    async fn check(&self) -> Result<Health, Error>;
}
