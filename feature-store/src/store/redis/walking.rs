//! Going over keys, in the background: a page of `SCAN` at a time, so that nobody waits behind it.

use redis::{FromRedisValue as _, Pipeline};

use super::answers;
use super::connection::Patience;
use super::{Redis, unavailable};
use crate::store::{Error, GroupPlace, Log, Place};

/// Keys that the server looks at for a page of groups.
const KEYS: usize = 1_000;
/// Groups whose deliveries are asked for at once.
const GROUPS: usize = 64;

impl Redis {
    /// A page of the names that match, and where the next page begins.
    pub(super) async fn scan(
        &self,
        matching: &str,
        from: &Place,
        limit: usize,
    ) -> Result<(Vec<String>, Option<Place>), Error> {
        let start = match from.0.is_empty() {
            true => b"0".as_slice(),
            false => &from.0,
        };
        let mut pipeline = Pipeline::new();
        pipeline.cmd("SCAN").arg(start);
        pipeline.arg("MATCH").arg(matching).arg("COUNT").arg(limit);
        let answers = self.connection.ask(&pipeline, Patience::Bulk).await?;
        let answer = answers.into_iter().next().unwrap_or_default();
        let (next, names) = <(String, Vec<Vec<u8>>)>::from_redis_value(answer)
            .map_err(|error| unavailable(format_args!("a walk was answered with {error}")))?;
        // Another program's key may match and be no text.
        let names = names.into_iter();
        let names = names.filter_map(|name| String::from_utf8(name).ok());
        let next = (next != "0").then(|| Place(next.into_bytes()));
        Ok((names.collect(), next))
    }

    /// The place of each group of a log, in each partition that it ever read.
    pub(super) async fn places(&self, log: Log) -> Result<Vec<GroupPlace>, Error> {
        let matching = self.names.any_group(log);
        let (mut groups, mut from) = (Vec::new(), Place::default());
        loop {
            let (names, next) = self.scan(&matching, &from, KEYS).await?;
            let found = names.iter();
            groups.extend(found.filter_map(|name| self.names.parse_group(log, name)));
            match next {
                Some(next) => from = next,
                None => break,
            }
        }
        groups.sort_unstable();
        groups.dedup();
        let mut places = Vec::with_capacity(groups.len());
        for some in groups.chunks(GROUPS) {
            let mut pipeline = Pipeline::new();
            for (partition, group) in some {
                let [deliveries, _, cursor] = self.names.group(*partition, log, group);
                pipeline.cmd("ZRANGE").arg(deliveries).arg(0).arg(-1);
                pipeline.cmd("GET").arg(cursor);
            }
            let answers = self.connection.ask(&pipeline, Patience::Bulk).await?;
            let mut answers = answers.into_iter();
            for (partition, group) in some {
                let waiting = answers.next().unwrap_or_default();
                let waiting = answers::least(*partition, waiting)?;
                let cursor = answers.next().unwrap_or_default();
                let delivered = answers::count(*partition, cursor)?;
                places.push(GroupPlace {
                    partition: *partition,
                    group: group.clone(),
                    open: waiting.unwrap_or_else(|| delivered.saturating_add(1)),
                });
            }
        }
        Ok(places)
    }
}
