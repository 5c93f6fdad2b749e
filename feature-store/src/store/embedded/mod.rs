//! The store of a single process: `fjall`, in a folder.
//!
//! | file | what it does |
//! |---|---|
//! | `layout.rs` | turns names into the bytes under which they are stored |
//! | `engine.rs` | opens the folder; reads |
//! | `writer.rs` | the one thread that writes, in groups that are made durable together |
//! | `change.rs` | one commit: checks versions, then one batch |
//! | `due.rs`, `groups.rs` | deadlines and consumer groups |
//!
//! Only the writer thread checks versions and hands out sequences, so it needs no lock. `fjall`
//! appends a batch to its journal through a buffer inside the process; the writer flushes that
//! buffer (and syncs the file, if asked to) before it answers, which is what makes an
//! acknowledged commit survive. A value may be read an instant before that; a log entry may not.

mod change;
mod due;
mod engine;
mod groups;
mod layout;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use self::engine::Engine;
use self::writer::{Request, Work, Writer};
use super::{Commit, CommitOutcome, Due, Error, GroupPlace, Health, Key, Kind, Log, LogEntry};
use super::{Partition, Place, Store, Versioned};
use crate::Millis;

const NAME: &str = "embedded";
/// Requests that wait for the writer before callers do.
const QUEUE: usize = 1_024;

/// What an acknowledged commit survives.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum Durability {
    /// The death of the process: the journal was handed to the operating system.
    #[default]
    Process,
    /// A power failure: the journal was synced to the disk. Waiting commits share one sync.
    Power,
}

/// Where the store lies and what it promises.
#[derive(Clone, Debug)]
pub struct EmbeddedSettings {
    /// The folder; created if it is not there. It has one owner at a time.
    pub path: PathBuf,
    /// What an acknowledged commit survives.
    pub durability: Durability,
}

/// The embedded store. Dropping it waits until what was handed in is written.
#[derive(Debug)]
pub struct Embedded {
    engine: Arc<Engine>,
    requests: Option<mpsc::Sender<Request>>,
    writer: Option<JoinHandle<()>>,
}

impl Embedded {
    /// Opens the folder, or creates it.
    pub fn open(settings: EmbeddedSettings) -> Result<Self, Error> {
        let EmbeddedSettings { path, durability } = settings;
        let engine = Arc::new(Engine::open(&path)?);
        let (requests, received) = mpsc::channel(QUEUE);
        let writer = Writer::new(Arc::clone(&engine), durability)?;
        let thread = std::thread::Builder::new().name("embedded-store".to_owned());
        let writer = thread
            .spawn(move || writer.run(received))
            .map_err(unavailable)?;
        Ok(Self {
            engine,
            requests: Some(requests),
            writer: Some(writer),
        })
    }

    /// Hands work to the writer and waits until it is durable.
    async fn write<T: Send + 'static>(&self, work: impl Work<T>) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let request = Request::new(work, reply);
        let requests = self.requests.as_ref().ok_or_else(stopped)?;
        requests.send(request).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    /// Runs a read that may touch the disk off the async threads.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Engine) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let engine = Arc::clone(&self.engine);
        let reading = tokio::task::spawn_blocking(move || read(&engine));
        reading.await.map_err(unavailable)?
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        // The writer ends when nobody can hand it work any more; the folder is free after that.
        self.requests = None;
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the embedded store's writer had failed");
        }
    }
}

#[async_trait]
impl Store for Embedded {
    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>, Error> {
        // Point reads of a hot set: a hop to another thread would cost more than they do.
        keys.iter().map(|key| self.engine.get(key)).collect()
    }

    async fn commit(&self, commits: Vec<Commit>) -> Result<Vec<CommitOutcome>, Error> {
        if commits.is_empty() {
            return Ok(Vec::new());
        }
        self.write(move |writer: &mut Writer| {
            commits.iter().map(|commit| writer.commit(commit)).collect()
        })
        .await
    }

    async fn list(&self, partition: Partition, kind: Kind) -> Result<Vec<String>, Error> {
        self.read(move |engine| engine.list(partition, kind)).await
    }

    async fn walk(
        &self,
        kind: Kind,
        from: &Place,
        limit: usize,
    ) -> Result<(Vec<Key>, Option<Place>), Error> {
        let from = from.clone();
        self.read(move |engine| engine.walk(kind, &from, limit))
            .await
    }

    async fn deadlines(&self, asked: &[(Partition, String)]) -> Result<Vec<Option<Millis>>, Error> {
        let asked = asked.iter();
        asked
            .map(|(partition, id)| self.engine.deadline(*partition, id))
            .collect()
    }

    async fn group_places(&self, log: Log) -> Result<Vec<GroupPlace>, Error> {
        self.read(move |engine| groups::places(engine, log)).await
    }

    async fn read_logs(
        &self,
        from: &[(Partition, Log, u64)],
        limit_each: usize,
    ) -> Result<Vec<Vec<LogEntry>>, Error> {
        let behind = |(partition, log, after): &(Partition, Log, u64)| {
            self.engine.end(*partition, *log) > *after
        };
        if !from.iter().any(behind) {
            return Ok(vec![Vec::new(); from.len()]);
        }
        let from = from.to_vec();
        self.read(move |engine| {
            let logs = from.iter().map(|(partition, log, after)| {
                engine.read_log(
                    *partition,
                    *log,
                    *after,
                    engine.end(*partition, *log),
                    limit_each,
                )
            });
            logs.collect()
        })
        .await
    }

    async fn log_ends(&self, logs: &[(Partition, Log)]) -> Result<Vec<u64>, Error> {
        Ok(logs
            .iter()
            .map(|(partition, log)| self.engine.end(*partition, *log))
            .collect())
    }

    async fn trim_logs(&self, up_to: &[(Partition, Log, u64)]) -> Result<u64, Error> {
        let mut removed = 0;
        for (partition, log, sequence) in up_to.iter().copied() {
            loop {
                // A few at a time: whoever else writes is not to wait for all of it.
                let trim = move |writer: &mut Writer| writer.trim(partition, log, sequence);
                match self.write(trim).await? {
                    0 => break,
                    some => removed += some,
                }
            }
        }
        Ok(removed)
    }

    async fn claim_due(
        &self,
        partitions: &[Partition],
        now: Millis,
        lease: Duration,
        limit: usize,
    ) -> Result<Vec<Due>, Error> {
        let partitions = partitions.to_vec();
        let due = self
            .read(move |engine| engine.due(&partitions, now, limit))
            .await?;
        if due.is_empty() {
            return Ok(due);
        }
        let until = now.saturating_add(lease);
        self.write(move |writer: &mut Writer| writer.claim(due, until))
            .await
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
        let delivery = groups::Delivery {
            group: groups::Group::new(partition, log, group),
            consumer: consumer.to_owned(),
            now,
            until: now.saturating_add(lease),
            limit,
        };
        self.write(move |writer: &mut Writer| writer.deliver(&delivery))
            .await
    }

    async fn extend_group(
        &self,
        partition: Partition,
        log: Log,
        group: &str,
        held: &[(u64, Millis)],
        until: Millis,
    ) -> Result<Vec<u64>, Error> {
        let group = groups::Group::new(partition, log, group);
        let held = held.to_vec();
        self.write(move |writer: &mut Writer| writer.extend(&group, &held, until))
            .await
    }

    async fn ack_group(
        &self,
        partition: Partition,
        log: Log,
        group: &str,
        sequences: &[u64],
    ) -> Result<(), Error> {
        let group = groups::Group::new(partition, log, group);
        let sequences = sequences.to_vec();
        self.write(move |writer: &mut Writer| writer.acknowledge(&group, &sequences))
            .await
    }

    fn name(&self) -> &'static str {
        NAME
    }

    async fn check(&self) -> Result<Health, Error> {
        Ok(Health::default())
    }
}

fn unavailable(error: impl std::fmt::Display) -> Error {
    Error::Unavailable {
        store: NAME,
        detail: error.to_string(),
    }
}

fn stopped() -> Error {
    unavailable("its writer has stopped, see the log for why")
}

/// A copy: the engine's own slice would keep a whole block alive.
fn copy(slice: &[u8]) -> Bytes {
    Bytes::copy_from_slice(slice)
}
