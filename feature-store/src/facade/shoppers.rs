//! Reading shoppers, and writing what they say of themselves.

use bytes::Bytes;
use tracing::Instrument as _;

use super::FeatureStore;
use super::ingest::Attempts;
use crate::store::{Commit, CommitOutcome, Error, Key, Op, Versioned};
use crate::{ConsentRecord, Millis, ProfileUpdate, Rejection, Shopper, ShopperView};

impl FeatureStore {
    /// What can be read of these shoppers at `now`, in their order; `None` for one never seen.
    /// One round trip, and one more if any is linked to another id.
    pub async fn shoppers(
        &self,
        ids: &[&str],
        now: Millis,
    ) -> Result<Vec<Option<ShopperView>>, Error> {
        let mut read = self.read_shoppers(ids).await?;
        self.read_persons(ids, &mut read).await?;
        let _decode = tracing::info_span!(target: crate::STAGE, "decode").entered();
        let views = read.into_iter().map(|shopper| {
            shopper
                .filter(is_known)
                .map(|shopper| shopper.into_view(now))
        });
        Ok(views.collect())
    }

    async fn read_shoppers(&self, ids: &[&str]) -> Result<Vec<Option<Shopper>>, Error> {
        let keys: Vec<_> = ids.iter().map(|id| Key::shopper(id)).collect();
        let read = self.store().get_many(&keys).instrument(self.reading(&keys));
        let values = read.await?;
        let _decode = tracing::info_span!(target: crate::STAGE, "decode").entered();
        let read = keys.iter().zip(values);
        read.map(|(key, value)| value.map(|value| decode(key, &value)).transpose())
            .collect()
    }

    /// Puts the persons in the places of those who are linked to one. Nothing is written: a state
    /// that is on its way is taken in here only.
    async fn read_persons(&self, ids: &[&str], read: &mut [Option<Shopper>]) -> Result<(), Error> {
        let moved = |shopper: &Option<Shopper>| {
            let to = shopper.as_ref().and_then(Shopper::moved_to);
            to.map(str::to_owned)
        };
        let wanted: Vec<_> = read.iter().map(moved).collect();
        let roots: Vec<&str> = wanted.iter().flatten().map(String::as_str).collect();
        if roots.is_empty() {
            return Ok(());
        }
        let mut roots = self.read_shoppers(&roots).await?.into_iter();
        for ((id, shopper), wanted) in ids.iter().zip(read).zip(wanted) {
            if wanted.is_none() {
                continue;
            }
            let root = roots.next().flatten();
            *shopper = shopper
                .take()
                .and_then(|alias| alias.seen_from(id, root.unwrap_or_default()));
        }
        Ok(())
    }

    /// Stores what a shopper's profile is to be. The inner error is the field that was refused.
    pub async fn set_profile(
        &self,
        shopper: &str,
        update: ProfileUpdate,
    ) -> Result<Result<(), Rejection>, Error> {
        if let Err(refused) = update.validate() {
            return Ok(Err(refused));
        }
        let change = |state: &mut Shopper| state.set_profile(update.clone());
        self.change_shopper(shopper, change).await.map(Ok)
    }

    /// Stores what a shopper consented to or withdrew. All records or none.
    pub async fn set_consent(
        &self,
        shopper: &str,
        records: Vec<ConsentRecord>,
    ) -> Result<Result<(), Rejection>, Error> {
        if let Some(refused) = records.iter().find_map(|record| record.validate().err()) {
            return Ok(Err(refused));
        }
        let change = |state: &mut Shopper| {
            for record in &records {
                state.set_consent(record.clone());
            }
        };
        self.change_shopper(shopper, change).await.map(Ok)
    }

    async fn change_shopper(
        &self,
        shopper: &str,
        change: impl Fn(&mut Shopper),
    ) -> Result<(), Error> {
        let mut attempts = Attempts::default();
        loop {
            let (person, read) = self.person(shopper).await?;
            let key = Key::shopper(&person);
            let mut state = read.shopper;
            change(&mut state);
            let put = read
                .begins
                .put(&key, read.version, Bytes::from(state.encode()));
            let _lane = self.lanes(std::iter::once(key.id.as_str())).await;
            if commit_one(self, key.partition, put).await? == CommitOutcome::Done {
                return Ok(());
            }
            attempts.wait(self.store().name()).await?;
        }
    }
}

/// Whether there is anything to read of them.
fn is_known(shopper: &Shopper) -> bool {
    shopper.erasing.is_none() && !shopper.is_blank()
}

pub(super) fn decode(key: &Key, stored: &Versioned) -> Result<Shopper, Error> {
    Shopper::decode(&stored.value).map_err(|error| Error::corrupt(key, error))
}

pub(super) async fn read_one(
    features: &FeatureStore,
    key: &Key,
) -> Result<Option<Versioned>, Error> {
    let keys = std::slice::from_ref(key);
    let read = features.store().get_many(keys);
    let values = read.instrument(features.reading(keys)).await?;
    Ok(values.into_iter().next().flatten())
}

pub(super) async fn commit_one(
    features: &FeatureStore,
    partition: crate::store::Partition,
    ops: Vec<Op>,
) -> Result<CommitOutcome, Error> {
    let commit = features.store().commit(vec![Commit { partition, ops }]);
    let outcomes = commit.instrument(features.writing(1)).await?;
    outcomes
        .into_iter()
        .next()
        .ok_or_else(|| Error::Unavailable {
            store: features.store().name(),
            detail: "a commit was not answered".to_owned(),
        })
}
