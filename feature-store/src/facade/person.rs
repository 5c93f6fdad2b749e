//! A person's change: value, decision, outbox and deadline in one commit.

use bytes::Bytes;

use super::FeatureStore;
use super::deadlines::Wake;
use super::decisions::decision_key;
use super::shoppers::{commit_one, decode, read_one};
use crate::store::{Commit, CommitOutcome, Error, Key, Kind, Log, Op, Partition, Versioned};
use crate::{ConsentRecord, Millis, Shopper};

/// What lies under the id of a report that was taken: the version of its layout.
const TAKEN: &[u8] = &[1];

/// A shopper's value as it was read.
#[derive(Clone, Debug, Default)]
pub struct StoredShopper {
    /// 0 for somebody never seen.
    pub version: u64,
    /// All that is known of them.
    pub shopper: Shopper,
    /// The id that the value is under, when it is another of the person's ids.
    pub under: Option<String>,
}

/// When somebody is to be looked at again.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum Look {
    /// As it stands.
    #[default]
    Keep,
    /// At this moment.
    At(Millis),
    /// Not until they act.
    Never,
}

/// A report about a decision.
#[derive(Clone, Debug)]
pub struct NewOutcome {
    /// Names it among those of its shopper.
    pub id: String,
    /// The entry of the log.
    pub entry: Bytes,
}

/// What changes together.
#[derive(Clone, Debug, Default)]
pub struct ShopperChange {
    /// The new recovery section; the rest of the value stays. `None` leaves the section as it is.
    pub recovery: Option<Vec<u8>>,
    /// A decision's id and record, for its log and to be found by its id.
    pub decision: Option<(String, Bytes)>,
    /// Rows for the outbox.
    pub outbox: Vec<Bytes>,
    /// What the shopper withdraws or agrees to.
    pub consents: Vec<ConsentRecord>,
    /// Reports, for their log. If one of them is there already, the change conflicts.
    pub outcomes: Vec<NewOutcome>,
    /// When to look again.
    pub look: Look,
}

/// What became of a change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Changed {
    /// All of it is stored.
    Done,
    /// The value changed since it was read; nothing was written.
    Conflict,
    /// A decision with this id was made before, and its record is this; nothing was written.
    Decided(Bytes),
}

impl FeatureStore {
    /// Shoppers with the versions of their values, in the order asked. One round trip, and more for
    /// those that are linked to another id.
    pub async fn stored_shoppers(&self, ids: &[&str]) -> Result<Vec<StoredShopper>, Error> {
        let mut read = self.read_values(ids).await?;
        for (id, stored) in ids.iter().zip(&mut read) {
            self.follow_one(id, stored).await?;
        }
        Ok(read)
    }

    /// A shopper with the version of the value, and the record of a decision about them. One round
    /// trip, and more for one that is linked to another id.
    pub async fn stored_shopper_and_decision(
        &self,
        shopper: &str,
        decision_id: &str,
    ) -> Result<(StoredShopper, Option<Bytes>), Error> {
        let wanted = [(Kind::Decision, decision_id)];
        let (stored, mut values) = self.stored_shopper_and(shopper, &wanted).await?;
        let decision = values.pop().flatten();
        Ok((stored, decision.map(|decision| decision.value)))
    }

    /// A shopper with the version of the value, and what lies with them under these kinds and ids,
    /// in the order asked. One round trip, and more for one that is linked to another id: what is
    /// not with the id that it was asked for may be with the person.
    pub async fn stored_shopper_and(
        &self,
        shopper: &str,
        wanted: &[(Kind, &str)],
    ) -> Result<(StoredShopper, Vec<Option<Versioned>>), Error> {
        let own = Key::shopper(shopper);
        let with = |partition| {
            let key = move |(kind, id): &(Kind, &str)| Key::new(partition, *kind, *id);
            wanted.iter().map(key)
        };
        let keys: Vec<Key> = std::iter::once(own.clone())
            .chain(with(own.partition))
            .collect();
        let mut values = self.store().get_many(&keys).await?.into_iter();
        let mut stored = match values.next().flatten() {
            Some(value) => StoredShopper {
                version: value.version,
                shopper: decode(&own, &value)?,
                under: None,
            },
            None => StoredShopper::default(),
        };
        let mut found: Vec<Option<Versioned>> = values.collect();
        self.follow_one(shopper, &mut stored).await?;
        let missing = found.iter().any(Option::is_none);
        if let Some(person) = stored.under.as_deref().filter(|_| missing) {
            let keys: Vec<Key> = with(Partition::of(person)).collect();
            let theirs = self.store().get_many(&keys).await?;
            for (found, theirs) in found.iter_mut().zip(theirs) {
                *found = found.take().or(theirs);
            }
        }
        Ok((stored, found))
    }

    async fn follow_one(&self, id: &str, stored: &mut StoredShopper) -> Result<(), Error> {
        if stored.shopper.moved_to().is_none() {
            return Ok(());
        }
        // Large, and seldom: nobody else's future is to carry it.
        let (person, read) = Box::pin(self.person(id)).await?;
        *stored = read;
        stored.under = Some(person).filter(|person| person != id);
        Ok(())
    }

    /// Moves the looks at many, each on the version of the value that was read. Says of each whether
    /// it was moved; one whose value changed since is left as it is. One round trip.
    pub async fn look_again(&self, looks: &[(&str, u64, Look)]) -> Result<Vec<bool>, Error> {
        let commits = looks.iter().map(|(id, expected, look)| {
            let key = Key::shopper(id);
            let partition = key.partition;
            let mut ops = vec![Op::Expect {
                expected: *expected,
                key,
            }];
            ops.extend(look_op(id, *look));
            Commit { partition, ops }
        });
        let outcomes = self.store().commit(commits.collect()).await?;
        let moved = |outcome: &CommitOutcome| *outcome == CommitOutcome::Done;
        Ok(outcomes.iter().map(moved).collect())
    }

    /// Makes a change that rests on a value as it was read: all of it or nothing. Whoever commits
    /// first wins, an event like a decision.
    ///
    /// # Errors
    /// The store, or a recovery section that is too large. After [`Error::Unavailable`] it may or
    /// may not have happened.
    pub async fn change(
        &self,
        id: &str,
        read: StoredShopper,
        change: ShopperChange,
    ) -> Result<Changed, Error> {
        let key = Key::shopper(read.under.as_deref().unwrap_or(id));
        let decision = change.decision.as_ref().map(|(id, _)| id.clone());
        let ops = ops(&key, read, change)?;
        let _lane = self.lanes(std::iter::once(key.partition)).await;
        let conflict = match commit_one(self, key.partition, ops).await? {
            CommitOutcome::Done => return Ok(Changed::Done),
            CommitOutcome::Conflict { key } => key,
        };
        match decision {
            Some(decision) if conflict.kind == Kind::Decision => {
                let existing = read_one(self, &decision_key(&key.id, &decision)).await?;
                let gone = || Error::corrupt(&conflict, "it came and went");
                Ok(Changed::Decided(existing.ok_or_else(gone)?.value))
            }
            Some(_) | None => Ok(Changed::Conflict),
        }
    }
}

/// The decision goes first: that it was made before says more than that the value changed since.
fn ops(key: &Key, read: StoredShopper, change: ShopperChange) -> Result<Vec<Op>, Error> {
    let mut ops = Vec::new();
    let (partition, shopper_id) = (key.partition, key.id.clone());
    if let Some((id, record)) = change.decision {
        ops.push(Op::Put {
            key: Key::new(key.partition, Kind::Decision, id),
            expected: 0,
            value: record.clone(),
        });
        ops.push(Op::Append {
            log: Log::Decisions,
            value: record,
        });
    }
    let StoredShopper {
        version: expected,
        mut shopper,
        ..
    } = read;
    let is_same = change.recovery.is_none() && change.consents.is_empty();
    if let Some(section) = change.recovery {
        let set = shopper.set_recovery(section);
        set.map_err(|error| Error::corrupt(key, error))?;
    }
    for record in change.consents {
        shopper.set_consent(record);
    }
    let key = key.clone();
    ops.push(match is_same {
        true => Op::Expect { key, expected },
        false => Op::Put {
            key,
            expected,
            value: Bytes::from(shopper.encode()),
        },
    });
    ops.extend(change.outbox.into_iter().map(|value| Op::Append {
        log: Log::Outbox,
        value,
    }));
    for NewOutcome { id, entry } in change.outcomes {
        ops.push(Op::Put {
            key: Key::new(partition, Kind::Outcome, id),
            expected: 0,
            value: Bytes::from_static(TAKEN),
        });
        ops.push(Op::Append {
            log: Log::Outcomes,
            value: entry,
        });
    }
    ops.extend(look_op(&shopper_id, change.look));
    Ok(ops)
}

fn look_op(shopper: &str, look: Look) -> Option<Op> {
    let id = Wake::Shopper(shopper.to_owned()).to_string();
    match look {
        Look::Keep => None,
        Look::At(due_at) => Some(Op::Schedule { id, due_at }),
        Look::Never => Some(Op::Cancel { id }),
    }
}
