//! A store at which somebody else is quicker.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use feature_store::Millis;
use feature_store::store::{
    Commit, CommitOutcome, Due, Error, GroupPlace, Health, Key, Kind, Log, LogEntry, Op, Partition,
    Place, Store, Versioned,
};

type Act = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Just before the next write of a shopper's value, something else happens.
pub(crate) struct Overtaken {
    store: Arc<dyn Store>,
    armed: Mutex<Option<(Key, Act)>>,
}

impl Overtaken {
    pub(crate) fn over(store: Arc<dyn Store>) -> Arc<Self> {
        let armed = Mutex::new(None);
        Arc::new(Self { store, armed })
    }

    pub(crate) fn before_a_write_of(
        &self,
        shopper: &str,
        act: impl Future<Output = ()> + Send + 'static,
    ) {
        *self.armed.lock().unwrap() = Some((Key::shopper(shopper), Box::pin(act)));
    }

    pub(crate) fn happened(&self) -> bool {
        self.armed.lock().unwrap().is_none()
    }

    fn act(&self, commits: &[Commit]) -> Option<Act> {
        let writes = |key: &Key| {
            let mut ops = commits.iter().flat_map(|commit| &commit.ops);
            ops.any(|op| matches!(op, Op::Put { key: put, .. } if put == key))
        };
        let mut armed = self.armed.lock().unwrap();
        let armed = armed.take_if(|(key, _)| writes(key));
        armed.map(|(_, act)| act)
    }
}

impl fmt::Debug for Overtaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Overtaken(..)")
    }
}

#[tonic::async_trait]
impl Store for Overtaken {
    async fn commit(&self, commits: Vec<Commit>) -> Result<Vec<CommitOutcome>, Error> {
        if let Some(act) = self.act(&commits) {
            act.await;
        }
        self.store.commit(commits).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>, Error> {
        self.store.get_many(keys).await
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
        "overtaken"
    }

    async fn check(&self) -> Result<Health, Error> {
        self.store.check().await
    }
}
