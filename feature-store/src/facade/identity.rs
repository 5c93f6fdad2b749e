//! Linking the ids of one person: a saga over two values, resumed by whoever meets it half done.
//!
//! 1. The value of the id that stays *expects* the other, so that it will not move itself; in the
//!    same commit a deadline is set that brings the saga back.
//! 2. The other value says where it moves, and still holds its state.
//! 3. The state is taken in where it moves, under the link's id: never twice.
//! 4. The other value keeps nothing but where it moved. The deadline goes.
//!
//! Between any two steps readers see the whole person, and writers finish the saga first.

mod steps;

use super::ingest::Attempts;
use super::shoppers::{commit_one, decode};
use super::{FeatureStore, StoredShopper};
use crate::event::text;
use crate::store::{CommitOutcome, Error, Key, Op};
use crate::{Millis, Rejection};
use bytes::Bytes;
use steps::{Pair, Step, parse_wake, schedule, stands};

pub(super) use steps::wake;

const MAX_ID: usize = 128;

/// A link or an unlinking that was not made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LinkRefusal {
    /// The request can never be right.
    Invalid(Rejection),
    /// What is linked already stands against it.
    Stands(Rejection),
}

/// The person that ids are linked to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Linked {
    /// The id that the person's value is under.
    pub person_id: String,
    /// The other ids whose events count for the person, sorted.
    pub other_ids: Vec<String>,
    /// Whether this call changed anything.
    pub changed: bool,
}

impl FeatureStore {
    /// Makes the ids one person, whose value is under `shopper` or under whoever that is linked to.
    /// The same again changes nothing.
    pub async fn link(
        &self,
        shopper: &str,
        alias: &str,
        link_id: &str,
        now: Millis,
    ) -> Result<Result<Linked, LinkRefusal>, Error> {
        if let Err(refused) = check_ids(shopper, alias, link_id) {
            return Ok(Err(LinkRefusal::Invalid(refused)));
        }
        let mut changed = false;
        let mut attempts = Attempts::default();
        loop {
            let root_id = self.person(shopper).await?.0;
            let pair = self.pair(&root_id, alias).await?;
            let other = pair.alias.shopper.moved_to();
            if root_id == alias || other == Some(root_id.as_str()) {
                changed |= self.settle(&root_id, alias).await?.is_ok_and(|did| did);
                return Ok(Ok(self.linked(shopper, changed).await?));
            }
            if let Some(refused) = pair.stands_against(link_id) {
                // The opposite link may have come in between: then what stands against it is itself.
                let (person, read) = self.person(shopper).await?;
                if person == root_id && read.version == pair.root.version {
                    return Ok(Err(LinkRefusal::Stands(refused)));
                }
                attempts.wait(self.store().name()).await?;
                continue;
            }
            if pair.root.shopper.links.expects(alias).is_some() {
                match self.settle(&root_id, alias).await? {
                    Ok(did) => changed |= did,
                    Err(refused) => return Ok(Err(refused)),
                }
            } else {
                let (key, ops) = pair.expect(link_id, now);
                self.commit_step(&key, ops).await?;
            }
            attempts.wait(self.store().name()).await?;
        }
    }

    /// Ends the link of an id: what happens from `now` on counts for the id alone. What happened
    /// before stays the person's. For an id that is linked to nobody nothing changes.
    pub async fn unlink(
        &self,
        alias: &str,
        now: Millis,
    ) -> Result<Result<Linked, LinkRefusal>, Error> {
        if let Err(refused) = check_id("alias_id", alias) {
            return Ok(Err(LinkRefusal::Invalid(refused)));
        }
        let mut attempts = Attempts::default();
        loop {
            let (root_id, read) = self.person(alias).await?;
            if root_id == alias {
                let ids = read.shopper.linked_ids();
                if let [_, ..] = *ids {
                    let detail = format!(
                        "alias_id is {alias:?}, which others are linked to; unlink those: {}",
                        ids.join(", ")
                    );
                    return Ok(Err(stands("alias_id", detail)));
                }
                return Ok(Ok(self.linked(alias, false).await?));
            }
            let (key, expected) = (Key::shopper(&root_id), read.version);
            let mut shopper = read.shopper.clone();
            if shopper.close_part(alias, now) {
                let id = wake(&root_id, alias);
                let mut ops = read
                    .begins
                    .put(&key, expected, Bytes::from(shopper.encode()));
                ops.push(schedule(id, now));
                if self.commit_step(&key, ops).await? {
                    self.settle(&root_id, alias).await?.ok();
                    return Ok(Ok(self.linked(&root_id, true).await?));
                }
            }
            attempts.wait(self.store().name()).await?;
        }
    }

    /// The id that a shopper's value is under, and the value. A link that is half done is done
    /// first. One round trip unless the shopper is linked to another.
    pub(super) async fn person(&self, shopper: &str) -> Result<(String, StoredShopper), Error> {
        let mut attempts = Attempts::default();
        loop {
            let own = self
                .read_values(&[shopper])
                .await?
                .pop()
                .unwrap_or_default();
            let Some(moved) = own.shopper.links.moved.clone() else {
                return Ok((shopper.to_owned(), own));
            };
            let root = self.read_values(&[&moved.to]).await?.pop();
            let root = root.unwrap_or_default();
            let part = root.shopper.links.part(shopper, &moved.link_id);
            if part.is_some_and(|part| part.closed_at.is_none()) && !moved.pending {
                return Ok((moved.to, root));
            }
            self.settle(&moved.to, shopper).await?.ok();
            attempts.wait(self.store().name()).await?;
        }
    }

    /// Brings what is between two ids to its end, whatever step it is at. Says whether this call
    /// did anything; refused is what another link came before.
    pub(super) async fn settle(
        &self,
        root_id: &str,
        alias_id: &str,
    ) -> Result<Result<bool, LinkRefusal>, Error> {
        let mut names = (root_id, alias_id);
        let mut did = false;
        let mut attempts = Attempts::default();
        loop {
            let pair = self.pair(names.0, names.1).await?;
            let (key, ops, end) = match pair.next_step(self.inner.settings.idle) {
                Step::Opposite => {
                    names = (names.1, names.0);
                    continue;
                }
                Step::Commit(key, ops) => (key, ops, None),
                Step::Done if !did => return Ok(Ok(false)),
                Step::Done => (pair.root_key(), pair.over(), Some(Ok(true))),
                Step::Refused(refused) => (pair.root_key(), pair.retract(), Some(Err(refused))),
            };
            if !self.commit_step(&key, ops).await? {
                attempts.wait(self.store().name()).await?;
            } else if let Some(end) = end {
                return Ok(end);
            } else {
                did = true;
            }
        }
    }

    /// A deadline of a link came due: whoever began it did not end it.
    pub(super) async fn resume_link(&self, id: &str) -> Result<bool, Error> {
        let Some((root, alias)) = parse_wake(id) else {
            return Ok(false);
        };
        self.settle(root, alias).await?.ok();
        let pair = self.pair(root, alias).await?;
        self.commit_step(&pair.root_key(), pair.over()).await?;
        Ok(true)
    }

    async fn linked(&self, shopper: &str, changed: bool) -> Result<Linked, Error> {
        let (person_id, read) = self.person(shopper).await?;
        let other_ids = read.shopper.linked_ids().into_iter().map(str::to_owned);
        Ok(Linked {
            other_ids: other_ids.collect(),
            person_id,
            changed,
        })
    }

    async fn pair<'a>(&self, root_id: &'a str, alias_id: &'a str) -> Result<Pair<'a>, Error> {
        let mut read = self.read_values(&[root_id, alias_id]).await?.into_iter();
        Ok(Pair {
            root_id,
            alias_id,
            root: read.next().unwrap_or_default(),
            alias: read.next().unwrap_or_default(),
        })
    }

    /// Values as they are, moved or not; an erasure that is half done is done first. One round trip,
    /// and one more for those of whom there is none.
    pub(super) async fn read_values(&self, ids: &[&str]) -> Result<Vec<StoredShopper>, Error> {
        let mut attempts = Attempts::default();
        let mut read = self.values_as_stored(ids).await?;
        while let Some(at) = read.iter().position(|one| one.shopper.erasing.is_some()) {
            if let Some(id) = ids.get(at) {
                Box::pin(self.finish_erasure(id)).await?;
            }
            attempts.wait(self.store().name()).await?;
            read = self.values_as_stored(ids).await?;
        }
        let absent = ids.iter().zip(&read).filter(|(_, one)| one.version == 0);
        let absent: Vec<&str> = absent.map(|(id, _)| *id).collect();
        let begin = read.iter_mut().filter(|one| one.version == 0);
        for (one, begins) in begin.zip(self.begins(&absent).await?) {
            one.shopper = begins.shopper();
            one.begins = begins;
        }
        Ok(read)
    }

    /// Values as they are, moved, half erased or whole. One round trip.
    pub(super) async fn values_as_stored(&self, ids: &[&str]) -> Result<Vec<StoredShopper>, Error> {
        let keys: Vec<_> = ids.iter().map(|id| Key::shopper(id)).collect();
        let values = self.store().get_many(&keys).await?;
        let read = keys.iter().zip(values).map(|(key, value)| {
            let Some(value) = value else {
                return Ok(StoredShopper::default());
            };
            Ok(StoredShopper {
                version: value.version,
                shopper: decode(key, &value)?,
                ..StoredShopper::default()
            })
        });
        read.collect()
    }

    pub(super) async fn commit_step(&self, key: &Key, ops: Vec<Op>) -> Result<bool, Error> {
        let _lane = self.lanes(std::iter::once(key.id.as_str())).await;
        Ok(commit_one(self, key.partition, ops).await? == CommitOutcome::Done)
    }
}

fn check_ids(shopper: &str, alias: &str, link_id: &str) -> Result<(), Rejection> {
    check_id("shopper_id", shopper)?;
    check_id("alias_id", alias)?;
    check_id("link_id", link_id)?;
    if shopper == alias {
        let detail = format!(
            "alias_id is {alias:?}, another id than shopper_id is needed: it is one already"
        );
        return Err(Rejection::invalid("alias_id", detail));
    }
    Ok(())
}

pub(super) fn check_id(field: &'static str, id: &str) -> Result<(), Rejection> {
    if id.is_empty() {
        let detail = format!("{field} is empty, 1 to {MAX_ID} bytes are allowed");
        return Err(Rejection::invalid(field, detail));
    }
    text(field, id, MAX_ID)
}
