//! The sequence of activation records.

use futures::{StreamExt as _, TryStreamExt as _};

use super::intent::Intent;
use super::{AT_ONCE, Registry, manifest_key};
use crate::{Activation, Error, NewActivation, crash};

impl Registry {
    /// The record that says what is live; `None` before the first.
    ///
    /// # Errors
    /// When the store does not answer, or the record cannot be read.
    pub async fn head(&self) -> Result<Option<Activation>, Error> {
        match self.sequences().await?.last() {
            Some(latest) => self.record(*latest).await,
            None => Ok(None),
        }
    }

    /// The record that came after `sequence`, if one did: one small read, for whoever looks often.
    ///
    /// # Errors
    /// As [`Registry::head`].
    pub async fn next(&self, sequence: u64) -> Result<Option<Activation>, Error> {
        self.record(sequence.saturating_add(1)).await
    }

    /// Every record, oldest first.
    ///
    /// # Errors
    /// As [`Registry::head`].
    pub async fn history(&self) -> Result<Vec<Activation>, Error> {
        let read = self.sequences().await?.into_iter();
        let read = futures::stream::iter(read.map(|sequence| self.record(sequence)));
        let records = read.buffered(AT_ONCE);
        let records = records.try_filter_map(|record| async move { Ok(record) });
        records.try_collect().await
    }

    /// Puts a record behind number `after` (0: none), which the caller has seen as the latest. Of
    /// two who do so at once, one wins.
    ///
    /// # Errors
    /// [`Error::Conflict`] with the record that won; a snapshot that is not published or is
    /// blocked; a number that does not exist; leftovers being collected; a store that does not
    /// answer.
    pub async fn append(&self, after: u64, new: NewActivation) -> Result<Activation, Error> {
        super::check_id(&new.snapshot)?;
        let intent = Intent {
            snapshot: new.snapshot.clone(),
            blobs: Vec::new(),
        };
        let said = self.intend(&intent).await?;
        let appended = self.append_intended(after, new).await;
        self.forget(&said).await;
        appended
    }

    async fn append_intended(&self, after: u64, new: NewActivation) -> Result<Activation, Error> {
        if self.head_of(&manifest_key(&new.snapshot)).await?.is_none() {
            return Err(Error::NotPublished {
                id: new.snapshot,
                url: self.url.clone(),
            });
        }
        let history = self.history().await?;
        let head = history.last().map_or(0, |record| record.sequence);
        if after > head {
            return Err(Error::Ahead { after, head });
        }
        let forced = new.forced.iter().any(|gate| gate == Activation::BLOCKED);
        let blocking = Activation::blocking(&history, &new.snapshot);
        if let Some(record) = blocking.filter(|_| !forced) {
            return Err(Error::Blocked {
                id: new.snapshot,
                record: Box::new(record.clone()),
            });
        }
        let before = history.iter().find(|record| record.sequence == after);
        let record = new.after(before);
        crash::reached("append.record");
        if self
            .create(&key(record.sequence), record.to_json()?)
            .await?
        {
            crash::reached("append.done");
            return Ok(record);
        }
        self.lost_to(record).await
    }

    /// The record of this number is there. It is ours after all when the store had written it and
    /// its answer went missing.
    async fn lost_to(&self, record: Activation) -> Result<Activation, Error> {
        match self.record(record.sequence).await? {
            Some(winner) if winner == record => Ok(record),
            Some(winner) => Err(Error::Conflict {
                winner: Box::new(winner),
            }),
            None => Err(Error::Gone {
                key: key(record.sequence),
                url: self.url.clone(),
            }),
        }
    }

    async fn record(&self, sequence: u64) -> Result<Option<Activation>, Error> {
        let json = self.get(&key(sequence)).await?;
        json.map(|json| Activation::parse(sequence, &json))
            .transpose()
    }

    /// Numbers of the records, ascending.
    async fn sequences(&self) -> Result<Vec<u64>, Error> {
        let found = self.find("activations").await?;
        let names = found.iter().filter_map(|meta| meta.location.filename());
        let mut numbers: Vec<u64> = names
            .filter_map(|name| name.strip_suffix(".json")?.parse().ok())
            .collect();
        numbers.sort_unstable();
        Ok(numbers)
    }
}

fn key(sequence: u64) -> String {
    format!("activations/{sequence:08}.json")
}
