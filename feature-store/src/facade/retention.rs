//! Ending what is old: logs are cut at their beginning; records, codes and the values of shoppers whom
//! nobody has seen for long are removed.
//!
//! | file | what it ends |
//! |---|---|
//! | `notes.rs`, `logs.rs` | entries of logs, by notes of where each log ended when |
//! | `records.rs` | what lies under an id of its own |
//! | `idle.rs` | shoppers whom nobody has seen |

mod idle;
mod logs;
mod notes;
mod records;

use std::collections::BTreeMap;
use std::time::Duration;

use super::FeatureStore;
use crate::Millis;
use crate::store::{Error, Kind, Log, Partition};

/// Parts that the partitions are in; of records by an id one is looked at each hour.
const PARTS: i64 = 24;

/// For how long each kind of data is kept; `None` for good.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Retention {
    /// Entries of the event logs. None that is not counted into item statistics yet is cut.
    pub events: Option<Duration>,
    /// Entries of the decision logs, and decisions by their id.
    pub decisions: Option<Duration>,
    /// Entries of the logs of outcomes.
    pub outcomes: Option<Duration>,
    /// Rows of the outbox that every group which ever read it has acknowledged, and dead letters.
    pub outbox: Option<Duration>,
    /// Rows of the outbox that some group has not acknowledged: no less than `outbox`. Who has not
    /// taken one by then does not get it any more.
    pub unread: Option<Duration>,
    /// Values of shoppers since they were last seen. All that is known of them goes, and the keys of
    /// their rows with it.
    pub shoppers: Option<Duration>,
    /// What coupon codes and cart links stand for, since they expired.
    pub codes: Option<Duration>,
    /// That a report was taken: the same one is taken again after that.
    pub reports: Option<Duration>,
}

impl Retention {
    /// Whether anything is ever ended.
    #[must_use]
    pub fn ends_anything(&self) -> bool {
        *self != Self::default()
    }

    /// For how long entries of a log are kept.
    #[must_use]
    pub fn of(&self, log: Log) -> Option<Duration> {
        match log {
            Log::Events => self.events,
            Log::Decisions => self.decisions,
            Log::Outcomes => self.outcomes,
            Log::Outbox | Log::Redriven => self.outbox,
            Log::Catalog | Log::Policies | Log::Erasures => None,
        }
    }

    /// Of logs.
    fn spans(&self) -> impl Iterator<Item = Duration> {
        let logs = [self.events, self.decisions, self.outcomes, self.outbox];
        logs.into_iter().chain([self.unread]).flatten()
    }
}

/// How old is what others write here: the feature store keeps it whole and does not read it.
#[derive(Copy, Clone, Debug)]
pub struct Ages {
    /// The newest moment that a recovery section tells of, one to come included; `None` for one that
    /// cannot be read, whose shopper is kept.
    pub section: fn(&[u8]) -> Option<Millis>,
    /// When what a code ([`Kind::Coupon`]) or a link ([`Kind::StoredCart`]) stands for expires; `None`
    /// for what cannot be read, which is kept.
    pub expiry: fn(Kind, &[u8]) -> Option<Millis>,
}

/// What one run ended, and what it found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ended {
    /// Entries of logs.
    pub entries: BTreeMap<Log, u64>,
    /// Those among them from the first on that a consumer group had not acknowledged.
    pub unread: BTreeMap<Log, u64>,
    /// Entries that are old enough and stay, since a group has not acknowledged them.
    pub held: BTreeMap<Log, u64>,
    /// The groups that they stay for, or were cut in spite of, sorted.
    pub behind: Vec<String>,
    /// At least so old is the oldest entry of each log that is ever cut, the last one of a partition
    /// aside, which always stays.
    pub oldest: BTreeMap<Log, Duration>,
    /// Values under an id; persons for [`Kind::Shopper`].
    pub records: BTreeMap<Kind, u64>,
}

impl Ended {
    /// Entries and values together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.entries.values().chain(self.records.values()).sum()
    }
}

/// Ends what is older than it is to be kept, again and again. Several processes may do so: what one has
/// ended the others find ended.
#[derive(Debug)]
pub struct Ender {
    features: FeatureStore,
    keep: Retention,
    ages: Ages,
    /// The hour of the last run.
    ran_in: Option<i64>,
    walked_at: Option<Millis>,
}

impl FeatureStore {
    /// What ends what is older than it is to be kept.
    #[must_use]
    pub fn ender(&self, keep: Retention, ages: Ages) -> Ender {
        Ender {
            features: self.clone(),
            keep,
            ages,
            ran_in: None,
            walked_at: None,
        }
    }
}

impl Ender {
    /// Ends what is old at `now`. Of decisions and dead letters by an id a 24th of the partitions is
    /// looked at for each hour since the last run, the first time for this one; codes, reports and
    /// shoppers are gone over once a day. What failed is done by the next run.
    pub async fn run(&mut self, now: Millis) -> Result<Ended, Error> {
        let mut ended = self.features.cut_logs(&self.keep, now).await?;
        let hour = now.0.div_euclid(Millis::HOUR);
        let since = self.ran_in.map_or(hour, |ran| ran.saturating_add(1));
        let first = since.max(hour.saturating_sub(PARTS - 1));
        for hour in first..=hour {
            let part = hour.rem_euclid(PARTS);
            let part = Partition::all().filter(|one| i64::from(one.number()) % PARTS == part);
            for partition in part {
                self.end_listed(partition, now, &mut ended).await?;
            }
        }
        self.ran_in = Some(hour);
        let yesterday = now.saturating_sub(Duration::from_hours(24));
        if self.walked_at.is_none_or(|at| at <= yesterday) {
            self.end_codes(now, &mut ended).await?;
            self.end_reports(now, &mut ended).await?;
            self.end_idle(now, &mut ended).await?;
            self.walked_at = Some(now);
        }
        Ok(ended)
    }
}
