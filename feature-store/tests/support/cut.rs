//! A process that dies at a commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use feature_store::Millis;
use feature_store::store::{
    Commit, CommitOutcome, Due, Error, GroupPlace, Health, Key, Kind, Log, LogEntry, Partition,
    Place, Store, Versioned,
};

/// A store whose client dies: so many commits are made, and of the next one nobody hears.
#[derive(Debug)]
pub struct Cut {
    store: Arc<dyn Store>,
    left: AtomicUsize,
    /// Whether the last commit is made, and only its answer is lost.
    made: bool,
}

impl Cut {
    /// Dies at the commit of this number, counted from 1.
    pub fn after(store: Arc<dyn Store>, commits: usize, made: bool) -> Self {
        Self {
            store,
            left: AtomicUsize::new(commits),
            made,
        }
    }

    fn dead<T>() -> Result<T, Error> {
        Err(Error::Unavailable {
            store: "cut",
            detail: "the process is dead".to_owned(),
        })
    }

    fn is_dead(&self) -> bool {
        self.left.load(Ordering::SeqCst) == 0
    }
}

#[async_trait]
impl Store for Cut {
    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>, Error> {
        match self.is_dead() {
            true => Self::dead(),
            false => self.store.get_many(keys).await,
        }
    }

    async fn commit(&self, commits: Vec<Commit>) -> Result<Vec<CommitOutcome>, Error> {
        if self.is_dead() {
            return Self::dead();
        }
        if self.left.fetch_sub(1, Ordering::SeqCst) > 1 {
            return self.store.commit(commits).await;
        }
        if self.made {
            self.store.commit(commits).await?;
        }
        Self::dead()
    }

    async fn list(&self, partition: Partition, kind: Kind) -> Result<Vec<String>, Error> {
        self.store.list(partition, kind).await
    }

    async fn read_logs(
        &self,
        from: &[(Partition, Log, u64)],
        limit_each: usize,
    ) -> Result<Vec<Vec<LogEntry>>, Error> {
        self.store.read_logs(from, limit_each).await
    }

    async fn log_ends(&self, logs: &[(Partition, Log)]) -> Result<Vec<u64>, Error> {
        self.store.log_ends(logs).await
    }

    async fn trim_logs(&self, up_to: &[(Partition, Log, u64)]) -> Result<u64, Error> {
        self.store.trim_logs(up_to).await
    }

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
        self.store.claim_due(partitions, now, lease, limit).await
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
        read.await
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
        extended.await
    }

    async fn ack_group(
        &self,
        partition: Partition,
        log: Log,
        group: &str,
        sequences: &[u64],
    ) -> Result<(), Error> {
        self.store.ack_group(partition, log, group, sequences).await
    }

    fn name(&self) -> &'static str {
        "cut"
    }

    async fn check(&self) -> Result<Health, Error> {
        self.store.check().await
    }
}
