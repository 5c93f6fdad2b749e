//! A store that tells how each of its calls went.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::{
    Commit, CommitOutcome, Due, Error, GroupPlace, Health, Key, Kind, Log, LogEntry, Partition,
    Place, Store, Versioned,
};
use crate::Millis;

/// A kind of call to a store. Each is one round trip, except that a claim of deadlines is two, and
/// that a script the server has forgotten is sent again.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Call {
    GetMany,
    Commit,
    List,
    ReadLogs,
    LogEnds,
    ClaimDue,
    ReadGroup,
    ExtendGroup,
    AckGroup,
    Check,
}

impl Call {
    pub const ALL: [Self; 10] = [
        Self::GetMany,
        Self::Commit,
        Self::List,
        Self::ReadLogs,
        Self::LogEnds,
        Self::ClaimDue,
        Self::ReadGroup,
        Self::ExtendGroup,
        Self::AckGroup,
        Self::Check,
    ];

    /// Its name in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GetMany => "get_many",
            Self::Commit => "commit",
            Self::List => "list",
            Self::ReadLogs => "read_logs",
            Self::LogEnds => "log_ends",
            Self::ClaimDue => "claim_due",
            Self::ReadGroup => "read_group",
            Self::ExtendGroup => "extend_group",
            Self::AckGroup => "ack_group",
            Self::Check => "check",
        }
    }
}

/// Is told of every call, on the task that made it: it must not wait.
pub trait Observer: Send + Sync + Debug + 'static {
    /// A call that was answered, whatever the answer, or given up: those whose caller went away are
    /// not told. `error` is what it failed with.
    fn called(&self, call: Call, took: Duration, error: Option<&Error>);

    /// So many commits of one call lost against another process; their caller tries them again.
    fn conflicted(&self, commits: usize);
}

/// A store, and who is told of its calls.
#[derive(Debug)]
pub(crate) struct Observed {
    store: Arc<dyn Store>,
    observer: Arc<dyn Observer>,
}

impl Observed {
    pub(crate) fn new(store: Arc<dyn Store>, observer: Arc<dyn Observer>) -> Self {
        Self { store, observer }
    }

    async fn tell<T>(
        &self,
        call: Call,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let started = Instant::now();
        let answer = answer.await;
        self.observer
            .called(call, started.elapsed(), answer.as_ref().err());
        answer
    }
}

#[async_trait]
impl Store for Observed {
    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>, Error> {
        self.tell(Call::GetMany, self.store.get_many(keys)).await
    }

    async fn commit(&self, commits: Vec<Commit>) -> Result<Vec<CommitOutcome>, Error> {
        let outcomes = self.tell(Call::Commit, self.store.commit(commits)).await?;
        let lost = |outcome: &&CommitOutcome| matches!(outcome, CommitOutcome::Conflict { .. });
        match outcomes.iter().filter(lost).count() {
            0 => {}
            lost => self.observer.conflicted(lost),
        }
        Ok(outcomes)
    }

    async fn list(&self, partition: Partition, kind: Kind) -> Result<Vec<String>, Error> {
        self.tell(Call::List, self.store.list(partition, kind))
            .await
    }

    async fn read_logs(
        &self,
        from: &[(Partition, Log, u64)],
        limit_each: usize,
    ) -> Result<Vec<Vec<LogEntry>>, Error> {
        self.tell(Call::ReadLogs, self.store.read_logs(from, limit_each))
            .await
    }

    async fn log_ends(&self, logs: &[(Partition, Log)]) -> Result<Vec<u64>, Error> {
        self.tell(Call::LogEnds, self.store.log_ends(logs)).await
    }

    /// Nobody waits for it, so nobody is told.
    async fn trim_logs(&self, up_to: &[(Partition, Log, u64)]) -> Result<u64, Error> {
        self.store.trim_logs(up_to).await
    }

    /// Nobody waits for it, as for the two after it.
    async fn walk(
        &self,
        kind: Kind,
        from: &Place,
        limit: usize,
    ) -> Result<(Vec<Key>, Option<Place>), Error> {
        self.store.walk(kind, from, limit).await
    }

    async fn deadlines(&self, asked: &[(Partition, String)]) -> Result<Vec<Option<Millis>>, Error> {
        self.store.deadlines(asked).await
    }

    async fn group_places(&self, log: Log) -> Result<Vec<GroupPlace>, Error> {
        self.store.group_places(log).await
    }

    async fn claim_due(
        &self,
        partitions: &[Partition],
        now: Millis,
        lease: Duration,
        limit: usize,
    ) -> Result<Vec<Due>, Error> {
        let claimed = self.store.claim_due(partitions, now, lease, limit);
        self.tell(Call::ClaimDue, claimed).await
    }

    async fn read_group(
        &self,
        partition: Partition,
        log: Log,
        group: &str,
        consumer: &str,
        lease: Duration,
        now: Millis,
        limit: usize,
    ) -> Result<Vec<LogEntry>, Error> {
        let store = &self.store;
        let read = store.read_group(partition, log, group, consumer, lease, now, limit);
        self.tell(Call::ReadGroup, read).await
    }

    async fn extend_group(
        &self,
        partition: Partition,
        log: Log,
        group: &str,
        held: &[(u64, Millis)],
        until: Millis,
    ) -> Result<Vec<u64>, Error> {
        let store = &self.store;
        let extended = store.extend_group(partition, log, group, held, until);
        self.tell(Call::ExtendGroup, extended).await
    }

    async fn ack_group(
        &self,
        partition: Partition,
        log: Log,
        group: &str,
        sequences: &[u64],
    ) -> Result<(), Error> {
        let acknowledged = self.store.ack_group(partition, log, group, sequences);
        self.tell(Call::AckGroup, acknowledged).await
    }

    fn name(&self) -> &'static str {
        self.store.name()
    }

    fn is_away(&self) -> bool {
        self.store.is_away()
    }

    async fn check(&self) -> Result<Health, Error> {
        self.tell(Call::Check, self.store.check()).await
    }
}
