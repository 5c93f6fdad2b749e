//! The connections, shared by all callers and made again when they break: one for requests, some
//! that writes take in turns, and one for much data in the background, so that nobody waits behind it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Pipeline, RedisError, RedisResult, Value};
use tracing::{Instrument as _, Span};

use super::breaker::{Breaker, UnderWay};
use super::writers::{self, WRITERS, Writers};
use super::{RedisSettings, unavailable};
use crate::store::Error;

/// A connection on which sent bytes stay unacknowledged for this long is given up.
pub(super) const DEAD_AFTER: Duration = Duration::from_secs(5);

/// Attempts to connect that a request may wait for; the wait between them grows to the longest.
const ATTEMPTS: usize = 4;
const FIRST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_millis(500);
/// Requests under way at once before callers wait.
const REQUESTS: usize = 4_096;

/// How much longer than a read a write may take, or a read in the background.
const LONGER: u32 = 20;

/// Who waited this long for a read and went away has waited in vain.
const IN_VAIN: Duration = Duration::from_millis(25);

/// How long an answer may take.
#[derive(Copy, Clone, Debug)]
pub(super) enum Patience {
    /// Somebody waits for what it reads.
    Request,
    /// Redis may have to wait for its disk, and giving up would not undo the write.
    Write,
    /// Much data, in the background.
    Bulk,
}

#[derive(Clone)]
pub(super) struct Connection {
    requests: ConnectionManager,
    writers: Arc<Writers>,
    bulk: ConnectionManager,
    /// Of requests and writes. What runs in the background waits for as long as it takes.
    breaker: Arc<Breaker>,
    address: String,
    timeout: Duration,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects.
    pub(super) async fn open(settings: &RedisSettings) -> Result<Self, Error> {
        let connection = Self::open_lazily(settings)?;
        let others = [&connection.requests, &connection.bulk];
        for manager in connection.writers.all().iter().chain(others) {
            let answered = writers::ping().exec_async(&mut manager.clone()).await;
            answered.map_err(|error| unreachable_at(&connection.address, &error))?;
        }
        Ok(connection)
    }

    /// Connects with the first request, and again with a later one where that fails.
    pub(super) fn open_lazily(settings: &RedisSettings) -> Result<Self, Error> {
        let address = settings.address();
        let failed = |error: RedisError| unreachable_at(&address, &error);
        let client = Client::open(settings.connection_info()?).map_err(failed)?;
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(ATTEMPTS)
            .set_min_delay(FIRST_WAIT)
            .set_max_delay(LONGEST_WAIT)
            .set_connection_timeout(Some(settings.connect_timeout))
            // Each request brings its own.
            .set_response_timeout(None)
            .set_pipeline_buffer_size(REQUESTS);
        let connect = || ConnectionManager::new_lazy_with_config(client.clone(), config.clone());
        let writers: RedisResult<_> = (0..WRITERS).map(|_| connect()).collect();
        Ok(Self {
            requests: connect().map_err(failed)?,
            writers: Arc::new(Writers::new(writers.map_err(failed)?)),
            bulk: connect().map_err(failed)?,
            breaker: Arc::default(),
            address,
            timeout: settings.response_timeout,
        })
    }

    /// Sends a pipeline in one round trip. An answer may be an error of its own.
    pub(super) async fn send(
        &self,
        pipeline: &Pipeline,
        patience: Patience,
    ) -> Result<Vec<Value>, Error> {
        if pipeline.is_empty() {
            return Ok(Vec::new());
        }
        let (mut manager, timeout) = match patience {
            Patience::Request => (self.requests.clone(), self.timeout),
            Patience::Write => (self.writer(), self.timeout * LONGER),
            Patience::Bulk => (self.bulk.clone(), self.timeout * LONGER),
        };
        let under_way = self.enter(patience)?;
        let sent = manager.send_packed_commands(pipeline, 0, pipeline.len());
        let sent = sent.instrument(self.round_trip(pipeline));
        self.within(timeout, under_way, sent).await
    }

    /// Sends a pipeline of which every answer must be a success.
    pub(super) async fn ask(
        &self,
        pipeline: &Pipeline,
        patience: Patience,
    ) -> Result<Vec<Value>, Error> {
        let answers = self.send(pipeline, patience).await?;
        answers
            .into_iter()
            .map(|answer| self.success(answer))
            .collect()
    }

    /// Sends a pipeline as a transaction and waits for its end.
    pub(super) async fn transact(&self, pipeline: &Pipeline) -> Result<(), Error> {
        let mut manager = self.writer();
        let under_way = self.enter(Patience::Write)?;
        let sent = pipeline.exec_async(&mut manager);
        let sent = sent.instrument(self.round_trip(pipeline));
        self.within(self.timeout * LONGER, under_way, sent).await
    }

    fn writer(&self) -> ConnectionManager {
        let next = self.writers.next();
        next.unwrap_or_else(|| self.requests.clone())
    }

    /// Whether requests fail at once because Redis does not answer.
    pub(super) fn is_away(&self) -> bool {
        self.breaker.is_open()
    }

    /// Lets a request through, unless Redis is known to be away.
    fn enter(&self, patience: Patience) -> Result<Option<UnderWay<'_>>, Error> {
        let enough = match patience {
            Patience::Request => IN_VAIN.min(self.timeout),
            Patience::Write => self.timeout,
            Patience::Bulk => return Ok(None),
        };
        let entered = self.breaker.enter(enough, Instant::now());
        entered.map(Some).map_err(|away| {
            let (address, away) = (&self.address, away.as_secs_f64());
            unavailable(format_args!(
                "{address} has not answered for {away:.1} s and is not asked for a moment"
            ))
        })
    }

    async fn within<T>(
        &self,
        timeout: Duration,
        under_way: Option<UnderWay<'_>>,
        sent: impl Future<Output = RedisResult<T>>,
    ) -> Result<T, Error> {
        let answer = tokio::time::timeout(timeout, sent).await;
        // An error with a code is an answer, such as LOADING or OOM.
        let answered = match &answer {
            Ok(Ok(_)) => true,
            Ok(Err(error)) => error.code().is_some(),
            Err(_) => false,
        };
        if let Ok(Err(_)) = &answer
            && !answered
        {
            self.writers.broke(self.timeout);
        }
        match under_way {
            Some(under_way) if answered => under_way.answered(),
            Some(under_way) => under_way.unanswered(Instant::now()),
            None => {}
        }
        match answer {
            Ok(answer) => answer.map_err(|error| self.failed(&error)),
            Err(_) => Err(self.late(timeout)),
        }
    }

    /// The stage of one pipeline, there and back.
    fn round_trip(&self, pipeline: &Pipeline) -> Span {
        tracing::info_span!(
            target: crate::STAGE, "redis",
            db.system.name = "redis",
            db.operation.batch.size = pipeline.len(),
            server.address = self.address,
        )
    }

    pub(super) fn success(&self, answer: Value) -> Result<Value, Error> {
        answer.extract_error().map_err(|error| self.failed(&error))
    }

    fn late(&self, timeout: Duration) -> Error {
        let (address, timeout) = (&self.address, timeout.as_millis());
        unavailable(format_args!("no answer from {address} within {timeout} ms"))
    }

    fn failed(&self, error: &RedisError) -> Error {
        unavailable(format_args!("{}: {error}", self.address))
    }
}

fn unreachable_at(address: &str, error: &RedisError) -> Error {
    unavailable(format_args!("{address} cannot be connected to: {error}"))
}
