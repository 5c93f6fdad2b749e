//! The one thread that writes.

use std::collections::BTreeMap;
use std::sync::Arc;

use fjall::PersistMode;
use tokio::sync::{mpsc, oneshot};

use super::engine::Engine;
use super::{Durability, unavailable};
use crate::store::{Error, Log, Partition};

/// Requests that are made durable together at most.
const GROUP: usize = 256;

/// Work for the writer.
pub(super) trait Work<T>: FnOnce(&mut Writer) -> Result<T, Error> + Send + 'static {}

impl<T, F: FnOnce(&mut Writer) -> Result<T, Error> + Send + 'static> Work<T> for F {}

/// Called once it is known whether the work is durable.
type Answer = Box<dyn FnOnce(Result<(), Error>) + Send>;

/// Work whose result goes back to the caller once it is durable.
pub(super) struct Request(Box<dyn FnOnce(&mut Writer) -> Answer + Send>);

impl Request {
    pub(super) fn new<T: Send + 'static>(
        work: impl Work<T>,
        reply: oneshot::Sender<Result<T, Error>>,
    ) -> Self {
        Self(Box::new(move |writer| {
            let result = work(writer);
            Box::new(move |durable| {
                // A caller that has gone away does not want the answer.
                let _ = reply.send(durable.and(result));
            })
        }))
    }
}

/// The state that only the writer thread has.
pub(super) struct Writer {
    pub(super) engine: Arc<Engine>,
    mode: PersistMode,
    /// Sequences handed out in this group, not yet durable.
    ends: BTreeMap<(Partition, Log), u64>,
}

impl Writer {
    pub(super) fn new(engine: Arc<Engine>, durability: Durability) -> Result<Self, Error> {
        let mode = match durability {
            Durability::Process => PersistMode::Buffer,
            Durability::Power => PersistMode::SyncData,
        };
        // What a crash left in the journal was acknowledged by nobody; make it count or not now.
        engine
            .database
            .persist(PersistMode::SyncAll)
            .map_err(unavailable)?;
        Ok(Self {
            engine,
            mode,
            ends: BTreeMap::new(),
        })
    }

    /// Works until nobody can ask any more. While one group is written, the next gathers.
    pub(super) fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        while let Some(first) = requests.blocking_recv() {
            let mut answers = vec![first.0(&mut self)];
            while answers.len() < GROUP
                && let Ok(next) = requests.try_recv()
            {
                answers.push(next.0(&mut self));
            }
            let durable = self.engine.database.persist(self.mode).map_err(unavailable);
            self.publish(durable.is_ok());
            for answer in answers {
                answer(durable.clone());
            }
        }
    }

    /// The end of a log as the next append sees it.
    pub(super) fn end(&self, partition: Partition, log: Log) -> u64 {
        let appended = self.ends.get(&(partition, log)).copied();
        appended.unwrap_or_else(|| self.engine.end(partition, log))
    }

    pub(super) fn set_end(&mut self, partition: Partition, log: Log, sequence: u64) {
        self.ends.insert((partition, log), sequence);
    }

    /// Lets readers see what was appended. After a failure `fjall` refuses all further writes.
    fn publish(&mut self, durable: bool) {
        for ((partition, log), sequence) in std::mem::take(&mut self.ends) {
            if durable {
                self.engine.set_end(partition, log, sequence);
            }
        }
    }

    /// Writes a batch into the journal's buffer and the tables; [`Writer::run`] makes it durable.
    pub(super) fn apply(
        &self,
        fill: impl FnOnce(&mut fjall::OwnedWriteBatch),
    ) -> Result<(), Error> {
        let mut batch = self.engine.database.batch().durability(None);
        fill(&mut batch);
        batch.commit().map_err(unavailable)
    }
}
