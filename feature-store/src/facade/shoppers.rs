//! Reading shoppers, and writing what they say of themselves.

use bytes::Bytes;
use tracing::Instrument as _;

use super::FeatureStore;
use super::ingest::Attempts;
use crate::store::{Commit, CommitOutcome, Error, Key, Op, Versioned};
use crate::{ConsentRecord, Millis, ProfileUpdate, Rejection, Shopper, ShopperView};

impl FeatureStore {
    /// What can be read of these shoppers at `now`, in their order; `None` for one never seen.
    /// One round trip.
    pub async fn shoppers(
        &self,
        ids: &[&str],
        now: Millis,
    ) -> Result<Vec<Option<ShopperView>>, Error> {
        let keys: Vec<_> = ids.iter().map(|id| Key::shopper(id)).collect();
        let read = self.store().get_many(&keys).instrument(self.reading(&keys));
        let values = read.await?;
        let _decode = tracing::info_span!(target: crate::STAGE, "decode").entered();
        let views = keys.iter().zip(values).map(|(key, value)| {
            let shopper = value.map(|value| decode(key, &value)).transpose()?;
            Ok(shopper.map(|shopper| shopper.into_view(now)))
        });
        views.collect()
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
        let key = Key::shopper(shopper);
        let _lane = self.lanes(std::iter::once(key.partition)).await;
        let mut attempts = Attempts::default();
        loop {
            let stored = read_one(self, &key).await?;
            let mut state = stored
                .as_ref()
                .map_or_else(|| Ok(Shopper::empty()), |value| decode(&key, value))?;
            change(&mut state);
            let put = Op::Put {
                key: key.clone(),
                expected: stored.map_or(0, |value| value.version),
                value: Bytes::from(state.encode()),
            };
            if commit_one(self, key.partition, vec![put]).await? == CommitOutcome::Done {
                return Ok(());
            }
            attempts.wait(self.store().name()).await?;
        }
    }
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
