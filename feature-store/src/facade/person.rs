//! A person's change: value, decision, outbox and deadline in one commit.

use bytes::Bytes;

use super::FeatureStore;
use super::deadlines::Wake;
use super::decisions::decision_key;
use super::opening::readable;
use super::shoppers::{commit_one, decode};
use super::tombstones::Begins;
use crate::seal::{Opened, Opener, RowKey, Sealed, day};
use crate::store::{Commit, CommitOutcome, Error, Key, Kind, Log, Op, Partition, Versioned};
use crate::{ConsentRecord, Millis, Shopper};

/// What lay under the id of a report that was taken, before the day was kept.
pub(super) const TAKEN: &[u8] = &[1];
/// The layout that is written: it, and the day.
const TAKEN_ON: u8 = 2;

/// What lies under the id of a report that was taken at this time.
pub(super) fn taken(at: Millis) -> Bytes {
    let [high, low] = day(Some(at)).to_be_bytes();
    Bytes::copy_from_slice(&[TAKEN_ON, high, low])
}

/// The day on which a report was taken, where that is told.
pub(super) fn taken_on(value: &[u8]) -> Option<Millis> {
    match value {
        [TAKEN_ON, high, low] => {
            let day = u16::from_be_bytes([*high, *low]);
            Some(Millis(i64::from(day) * Millis::DAY))
        }
        _ => None,
    }
}

/// A shopper's value as it was read.
#[derive(Clone, Debug, Default)]
pub struct StoredShopper {
    /// 0 for somebody never seen.
    pub version: u64,
    /// All that is known of them.
    pub shopper: Shopper,
    /// The id that the value is under, when it is another of the person's ids.
    pub under: Option<String>,
    /// How the value begins where there is none.
    pub(super) begins: Begins,
}

impl StoredShopper {
    /// What is kept beside the value is sealed with this, so that nobody reads it once the shopper is
    /// erased. `None` before anything was sealed.
    #[must_use]
    pub fn row_key(&self) -> Option<RowKey> {
        self.shopper.row_key.clone()
    }

    /// Puts `shopper` in the place of the value that was read.
    pub(super) fn put(&self, key: &Key, shopper: &Shopper) -> Vec<Op> {
        let value = Bytes::from(shopper.encode());
        self.begins.put(key, self.version, value)
    }
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
    /// The clock; what is written keeps the day, for whoever ends what is old.
    pub at: Millis,
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
    /// A decision with this id was made before, and erased with its shopper; nothing was written.
    Erased,
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
                ..StoredShopper::default()
            },
            None => StoredShopper::default(),
        };
        let values: Vec<Option<Versioned>> = values.collect();
        let known = Opener::knowing(stored.shopper.row_keys());
        let wanted_keys: Vec<Key> = with(own.partition).collect();
        let mut found = readable(self.open_values(known, &wanted_keys, values).await?);
        self.follow_one(shopper, &mut stored).await?;
        let missing = found.iter().any(Option::is_none);
        if let Some(person) = stored.under.as_deref().filter(|_| missing) {
            let keys: Vec<Key> = with(Partition::of(person)).collect();
            let theirs = self.store().get_many(&keys).await?;
            let known = Opener::knowing(stored.shopper.row_keys());
            let theirs = readable(self.open_values(known, &keys, theirs).await?);
            for (found, theirs) in found.iter_mut().zip(theirs) {
                *found = found.take().or(theirs);
            }
        }
        Ok((stored, found))
    }

    async fn follow_one(&self, id: &str, stored: &mut StoredShopper) -> Result<(), Error> {
        let is_here = stored.version > 0 && stored.shopper.erasing.is_none();
        if is_here && stored.shopper.moved_to().is_none() {
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
        let known = Opener::knowing(read.shopper.row_keys());
        let ops = ops(&key, read, change)?;
        let _lane = self.lanes(std::iter::once(key.id.as_str())).await;
        let conflict = match commit_one(self, key.partition, ops).await? {
            CommitOutcome::Done => return Ok(Changed::Done),
            CommitOutcome::Conflict { key } => key,
        };
        match decision {
            Some(decision) if conflict.kind == Kind::Decision => {
                let keys = [decision_key(&key.id, &decision)];
                let existing = self.store().get_many(&keys).await?;
                let mut opened = self.open_values(known, &keys, existing).await?;
                let gone = || Error::corrupt(&conflict, "it came and went");
                Ok(match opened.pop().flatten().ok_or_else(gone)?.1 {
                    Opened::Row(record) => Changed::Decided(record),
                    Opened::Erased => Changed::Erased,
                })
            }
            Some(_) | None => Ok(Changed::Conflict),
        }
    }
}

/// The decision goes first: that it was made before says more than that the value changed since.
fn ops(key: &Key, mut read: StoredShopper, change: ShopperChange) -> Result<Vec<Op>, Error> {
    let (partition, shopper_id) = (key.partition, key.id.clone());
    let mut shopper = std::mem::take(&mut read.shopper);
    let rows = Rows::seal(&mut shopper, key, &change)?;
    let mut ops = rows.decision;
    let is_same = change.recovery.is_none() && change.consents.is_empty() && rows.key.is_none();
    if let Some(section) = change.recovery {
        let set = shopper.set_recovery(section);
        set.map_err(|error| Error::corrupt(key, error))?;
    }
    for record in change.consents {
        shopper.set_consent(record);
    }
    match is_same {
        true => ops.push(Op::Expect {
            key: key.clone(),
            expected: read.version,
        }),
        false => ops.extend(read.put(key, &shopper)),
    }
    ops.extend(rows.key);
    ops.extend(rows.outbox);
    for (id, append) in rows.outcomes {
        ops.push(Op::Put {
            key: Key::new(partition, Kind::Outcome, id),
            expected: 0,
            value: taken(change.at),
        });
        ops.push(append);
    }
    ops.extend(look_op(&shopper_id, change.look));
    Ok(ops)
}

/// What a change writes beside the value, sealed with the person's key.
#[derive(Default)]
struct Rows {
    /// Keeps the key, when it is new.
    key: Option<Op>,
    decision: Vec<Op>,
    outbox: Vec<Op>,
    outcomes: Vec<(String, Op)>,
}

impl Rows {
    fn seal(shopper: &mut Shopper, key: &Key, change: &ShopperChange) -> Result<Self, Error> {
        let ShopperChange {
            decision,
            outbox,
            outcomes,
            ..
        } = change;
        if decision.is_none() && outbox.is_empty() && outcomes.is_empty() {
            return Ok(Self::default());
        }
        let (row_key, is_new) = shopper.need_row_key_of(&key.id, key.partition)?;
        let append = |log, what, row: &[u8]| {
            let value = row_key.seal(what, None, row)?;
            Ok::<_, Error>(Op::Append { log, value })
        };
        let mut rows = Self {
            key: row_key.put().filter(|_| is_new),
            ..Self::default()
        };
        if let Some((id, record)) = decision {
            let value = row_key.seal(Sealed::Decision, Some(change.at), record)?;
            let put = Op::Put {
                key: Key::new(key.partition, Kind::Decision, id.clone()),
                expected: 0,
                value,
            };
            rows.decision = vec![put, append(Log::Decisions, Sealed::Decision, record)?];
        }
        for row in outbox {
            rows.outbox.push(append(Log::Outbox, Sealed::Outbox, row)?);
        }
        for NewOutcome { id, entry } in outcomes {
            let append = append(Log::Outcomes, Sealed::Outcome, entry)?;
            rows.outcomes.push((id.clone(), append));
        }
        Ok(rows)
    }
}

fn look_op(shopper: &str, look: Look) -> Option<Op> {
    let id = Wake::Shopper(shopper.to_owned()).to_string();
    match look {
        Look::Keep => None,
        Look::At(due_at) => Some(Op::Schedule { id, due_at }),
        Look::Never => Some(Op::Cancel { id }),
    }
}
