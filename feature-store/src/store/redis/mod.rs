//! The production store: Redis 7, or what speaks its protocol.
//!
//! | file | what it does |
//! |---|---|
//! | `settings.rs`, `connection.rs`, `writers.rs` | reach Redis, and reach it again |
//! | `breaker.rs` | wait for it no longer once it does not answer |
//! | `names.rs` | key names, one hash tag for each partition |
//! | `scripts.rs`, `*.lua` | what must happen atomically runs as a script on the server |
//! | `commit.rs` | a commit as arguments of its script |
//! | `walking.rs` | going over keys in the background |
//! | `answers.rs` | Redis values to ours |
//! | `health.rs` | is this Redis set up to keep what it acknowledges |
//!
//! Logs are streams whose ids are `<n>-0`, with `n` from a counter of the partition, so that an
//! entry's sequence is the same kind of number in both stores.

mod answers;
mod breaker;
mod commit;
mod connection;
mod health;
mod names;
mod scripts;
mod settings;
mod walking;
mod writers;

use std::fmt::Display;
use std::time::Duration;

use async_trait::async_trait;
use redis::Pipeline;

use self::connection::{Connection, Patience};
use self::names::Names;
use self::scripts::{Call, Scripts};
use super::{Commit, CommitOutcome, Due, Error, GroupPlace, Health, Key, Kind, Log, LogEntry};
use super::{Partition, Place, Store, Versioned};
use crate::Millis;

pub use settings::RedisSettings;

const NAME: &str = "redis";
/// Values that one request may ask for before it counts as bulk.
const MANY: usize = 2_048;

/// The Redis store; all callers share its connections.
#[derive(Debug)]
pub struct Redis {
    connection: Connection,
    names: Names,
    scripts: Scripts,
}

impl Redis {
    /// Connects. When the connection breaks later it is made again, with growing pauses, while
    /// requests fail with [`Error::Unavailable`]: the first within their timeout, and once it is
    /// known that Redis does not answer, at once.
    pub async fn connect(settings: RedisSettings) -> Result<Self, Error> {
        let connection = Connection::open(&settings).await?;
        Ok(Self::over(connection, &settings))
    }

    /// For a service that has something to do without its store: the first request connects, and
    /// until Redis can be reached every request fails with [`Error::Unavailable`].
    pub fn connect_lazily(settings: &RedisSettings) -> Result<Self, Error> {
        Ok(Self::over(Connection::open_lazily(settings)?, settings))
    }

    fn over(connection: Connection, settings: &RedisSettings) -> Self {
        Self {
            connection,
            names: Names::new(&settings.key_prefix),
            scripts: Scripts::new(),
        }
    }

    /// What is due in these partitions, the longest due first.
    async fn due(
        &self,
        partitions: &[Partition],
        now: Millis,
        limit: usize,
    ) -> Result<Vec<Due>, Error> {
        let mut pipeline = Pipeline::new();
        for partition in partitions {
            let deadlines = self.names.deadlines(*partition);
            pipeline
                .cmd("ZRANGEBYSCORE")
                .arg(deadlines)
                .arg("-inf")
                .arg(now.0);
            pipeline.arg("WITHSCORES").arg("LIMIT").arg(0).arg(limit);
        }
        let answers = self.connection.ask(&pipeline, Patience::Request).await?;
        let mut due = Vec::new();
        for (partition, answer) in partitions.iter().zip(answers) {
            due.extend(answers::due(*partition, answer)?);
        }
        due.sort_unstable_by(|a, b| (a.due_at, a).cmp(&(b.due_at, b)));
        due.truncate(limit);
        Ok(due)
    }
}

#[async_trait]
impl Store for Redis {
    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>, Error> {
        let mut pipeline = Pipeline::with_capacity(keys.len());
        for key in keys {
            pipeline.cmd("GET").arg(self.names.value(key));
        }
        let large = |key: &Key| key.kind == Kind::ItemTiles;
        let patience = if keys.len() > MANY || keys.iter().any(large) {
            Patience::Bulk
        } else {
            Patience::Request
        };
        let answers = self.connection.ask(&pipeline, patience).await?;
        keys.iter()
            .zip(answers)
            .map(|(key, answer)| answers::versioned(key, answer))
            .collect()
    }

    async fn commit(&self, commits: Vec<Commit>) -> Result<Vec<CommitOutcome>, Error> {
        let calls: Vec<_> = commits
            .iter()
            .map(|commit| self.names.call(commit))
            .collect();
        let answers = scripts::run(&self.connection, &self.scripts.commit, &calls).await?;
        let outcomes = commits.iter().zip(answers);
        outcomes
            .map(|(commit, answer)| commit::outcome(commit, &answer))
            .collect()
    }

    async fn list(&self, partition: Partition, kind: Kind) -> Result<Vec<String>, Error> {
        if !kind.is_listed() {
            return Ok(Vec::new());
        }
        let mut pipeline = Pipeline::new();
        pipeline
            .cmd("SMEMBERS")
            .arg(self.names.index(partition, kind));
        let answers = self.connection.ask(&pipeline, Patience::Bulk).await?;
        let ids = answers
            .into_iter()
            .map(|answer| answers::texts(partition, answer));
        let mut ids = ids.collect::<Result<Vec<_>, _>>()?.concat();
        ids.sort_unstable();
        Ok(ids)
    }

    async fn walk(
        &self,
        kind: Kind,
        from: &Place,
        limit: usize,
    ) -> Result<(Vec<Key>, Option<Place>), Error> {
        let matching = self.names.any_value(kind);
        let (names, next) = self.scan(&matching, from, limit).await?;
        let keys = names.iter().filter_map(|name| {
            let (partition, id) = self.names.parse_value(kind, name)?;
            Some(Key::new(partition, kind, id))
        });
        Ok((keys.collect(), next))
    }

    async fn deadlines(&self, asked: &[(Partition, String)]) -> Result<Vec<Option<Millis>>, Error> {
        let mut pipeline = Pipeline::with_capacity(asked.len());
        for (partition, id) in asked {
            let deadlines = self.names.deadlines(*partition);
            pipeline.cmd("ZSCORE").arg(deadlines).arg(id);
        }
        let answers = self.connection.ask(&pipeline, Patience::Bulk).await?;
        let scores = asked.iter().zip(answers);
        scores
            .map(|((partition, _), answer)| answers::score(*partition, answer))
            .collect()
    }

    async fn group_places(&self, log: Log) -> Result<Vec<GroupPlace>, Error> {
        self.places(log).await
    }

    async fn read_logs(
        &self,
        from: &[(Partition, Log, u64)],
        limit_each: usize,
    ) -> Result<Vec<Vec<LogEntry>>, Error> {
        let mut pipeline = Pipeline::with_capacity(from.len());
        for (partition, log, after) in from {
            pipeline.cmd("XRANGE").arg(self.names.log(*partition, *log));
            pipeline
                .arg(format!("({after}-0"))
                .arg("+")
                .arg("COUNT")
                .arg(limit_each);
        }
        let answers = self.connection.ask(&pipeline, Patience::Bulk).await?;
        let logs = from.iter().zip(answers);
        logs.map(|((partition, _, _), answer)| answers::entries(*partition, answer))
            .collect()
    }

    async fn log_ends(&self, logs: &[(Partition, Log)]) -> Result<Vec<u64>, Error> {
        let mut pipeline = Pipeline::with_capacity(logs.len());
        for (partition, log) in logs {
            pipeline
                .cmd("HGET")
                .arg(self.names.counters(*partition))
                .arg(log.code());
        }
        let answers = self.connection.ask(&pipeline, Patience::Request).await?;
        let ends = logs.iter().zip(answers);
        ends.map(|((partition, _), answer)| answers::count(*partition, answer))
            .collect()
    }

    async fn trim_logs(&self, up_to: &[(Partition, Log, u64)]) -> Result<u64, Error> {
        let mut pipeline = Pipeline::with_capacity(up_to.len());
        for (partition, log, sequence) in up_to {
            pipeline.cmd("XTRIM").arg(self.names.log(*partition, *log));
            pipeline
                .arg("MINID")
                .arg(format!("{}-0", sequence.saturating_add(1)));
        }
        let answers = self.connection.ask(&pipeline, Patience::Bulk).await?;
        let removed = up_to.iter().zip(answers);
        let removed = removed.map(|((partition, _, _), answer)| answers::count(*partition, answer));
        removed.sum()
    }

    async fn claim_due(
        &self,
        partitions: &[Partition],
        now: Millis,
        lease: Duration,
        limit: usize,
    ) -> Result<Vec<Due>, Error> {
        let mut found = self.due(partitions, now, limit).await?;
        let until = now.saturating_add(lease);
        let mut taken: Vec<_> = found.iter().map(|due| due.partition).collect();
        taken.sort_unstable();
        taken.dedup();
        let calls = taken.iter().map(|partition| {
            let of_it = found.iter().filter(|due| due.partition == *partition);
            let times = of_it.map(|due| (due.id.clone(), due.due_at));
            moving(self.names.deadlines(*partition), times, until)
        });
        let calls: Vec<_> = calls.collect();
        let answers = scripts::run(&self.connection, &self.scripts.shift, &calls).await?;
        let mut claimed = std::collections::BTreeSet::new();
        for (partition, answer) in taken.into_iter().zip(answers) {
            let ids = answers::texts(partition, answer)?;
            claimed.extend(ids.into_iter().map(|id| (partition, id)));
        }
        found.retain(|due| claimed.contains(&(due.partition, due.id.clone())));
        Ok(found)
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
        let mut call = Call::default();
        call.keys.push(self.names.log(partition, log));
        call.keys.extend(self.names.group(partition, log, group));
        call.arg(now.0.to_string());
        call.arg(now.saturating_add(lease).0.to_string());
        call.arg(limit.to_string());
        call.arg(consumer);
        let answers = scripts::run(&self.connection, &self.scripts.deliver, &[call]).await?;
        let answer = answers.into_iter().next().unwrap_or_default();
        answers::entries(partition, answer)
    }

    async fn extend_group(
        &self,
        partition: Partition,
        log: Log,
        group: &str,
        held: &[(u64, Millis)],
        until: Millis,
    ) -> Result<Vec<u64>, Error> {
        if held.is_empty() {
            return Ok(Vec::new());
        }
        let [deliveries, ..] = self.names.group(partition, log, group);
        let times = held
            .iter()
            .map(|(sequence, end)| (sequence.to_string(), *end));
        let call = moving(deliveries, times, until);
        let answers = scripts::run(&self.connection, &self.scripts.shift, &[call]).await?;
        let answer = answers.into_iter().next().unwrap_or_default();
        let moved = answers::texts(partition, answer)?;
        let sequence = |text: String| {
            let read = text.parse();
            read.map_err(|error| Error::corrupt(partition, error))
        };
        moved.into_iter().map(sequence).collect()
    }

    async fn ack_group(
        &self,
        partition: Partition,
        log: Log,
        group: &str,
        sequences: &[u64],
    ) -> Result<(), Error> {
        if sequences.is_empty() {
            return Ok(());
        }
        let [deliveries, holders, _] = self.names.group(partition, log, group);
        let mut pipeline = Pipeline::new();
        pipeline.atomic();
        pipeline.cmd("ZREM").arg(deliveries).arg(sequences);
        pipeline.cmd("HDEL").arg(holders).arg(sequences);
        self.connection.transact(&pipeline).await
    }

    fn name(&self) -> &'static str {
        NAME
    }

    fn is_away(&self) -> bool {
        self.connection.is_away()
    }

    async fn check(&self) -> Result<Health, Error> {
        health::check(&self.connection).await
    }
}

/// Moves those of the times under `key` that are still as given.
fn moving(key: String, times: impl Iterator<Item = (String, Millis)>, to: Millis) -> Call {
    let mut call = Call::default();
    call.keys.push(key);
    call.arg(to.0.to_string());
    for (member, time) in times {
        call.arg(member);
        call.arg(time.0.to_string());
    }
    call
}

fn unavailable(detail: impl Display) -> Error {
    Error::Unavailable {
        store: NAME,
        detail: detail.to_string(),
    }
}
