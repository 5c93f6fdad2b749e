//! Dead letters: actions that their receiver did not take, listed and redriven.

use feature_store::Millis;
use feature_store::store::Partition;
use kit::Problem;
use prost::Message as _;

use super::super::Actions;
use crate::commit::unavailable;
use crate::row::Row;

/// The format that this version writes. Readers accept every format up to theirs.
pub(super) const FORMAT: u32 = 1;

/// An action that its receiver did not take.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct DeadLetter {
    #[prost(uint32, tag = "1")]
    pub(super) format: u32,
    #[prost(string, tag = "2")]
    pub(crate) shopper_id: String,
    #[prost(string, tag = "3")]
    pub(crate) decision_id: String,
    #[prost(string, tag = "4")]
    pub(crate) channel: String,
    #[prost(string, tag = "5")]
    pub(crate) idempotency_key: String,
    #[prost(uint32, tag = "6")]
    pub(crate) attempts: u32,
    /// What the last attempt came to.
    #[prost(string, tag = "7")]
    pub(crate) why: String,
    #[prost(int64, tag = "8")]
    pub(crate) died_at_ms: i64,
}

impl DeadLetter {
    /// `None` for what this version cannot read.
    fn read(bytes: &[u8]) -> Option<Self> {
        let letter = Self::decode(bytes).ok()?;
        (1..=FORMAT).contains(&letter.format).then_some(letter)
    }
}

impl Actions {
    pub(super) async fn bury(
        &self,
        partition: Partition,
        letter: &DeadLetter,
    ) -> Result<(), Problem> {
        let (store, id) = (&self.books.store, &letter.decision_id);
        let value = letter.encode_to_vec().into();
        let (shopper, at) = (&letter.shopper_id, Millis(letter.died_at_ms));
        let kept = store
            .put_dead_letter(shopper, (partition, id), value, at)
            .await;
        kept.map_err(|error| unavailable("the dead letters", &error))
    }

    /// Up to so many dead letters, the longest dead first.
    pub(crate) async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, Problem> {
        let mut letters: Vec<DeadLetter> = self
            .letters(limit)
            .await?
            .into_iter()
            .map(|(_, letter)| letter)
            .collect();
        letters.sort_by(|a, b| {
            let order = |one: &DeadLetter| (one.died_at_ms, one.decision_id.clone());
            order(a).cmp(&order(b))
        });
        Ok(letters)
    }

    /// Puts dead letters back on their way: those of these decisions, or all when none is named.
    /// Answers how many.
    pub(crate) async fn redrive(&self, decisions: &[String]) -> Result<usize, Problem> {
        let mut redriven = 0;
        for (stored, letter) in self.letters(usize::MAX).await? {
            if !decisions.is_empty() && !decisions.contains(&letter.decision_id) {
                continue;
            }
            let row = Row::new(&letter.shopper_id, &letter.decision_id, &letter.channel);
            let row = row.encode_to_vec().into();
            let did = self.books.store.redrive(&stored, row).await;
            let did = did.map_err(|error| unavailable("the dead letters", &error))?;
            redriven += usize::from(did);
        }
        Ok(redriven)
    }

    async fn letters(
        &self,
        limit: usize,
    ) -> Result<Vec<(feature_store::DeadLetter, DeadLetter)>, Problem> {
        let read = self.books.store.dead_letters(limit).await;
        let read = read.map_err(|error| unavailable("the dead letters", &error))?;
        let letters = read.into_iter().filter_map(|stored| {
            let letter = DeadLetter::read(&stored.value);
            if letter.is_none() {
                tracing::error!("left a dead letter that this version cannot read");
            }
            Some((stored, letter?))
        });
        Ok(letters.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_of_the_first_format_loads() {
        let letter = DeadLetter {
            format: 1,
            shopper_id: "ann".to_owned(),
            decision_id: "d1".to_owned(),
            channel: "email".to_owned(),
            idempotency_key: "ann/1/0".to_owned(),
            attempts: 8,
            why: "500".to_owned(),
            died_at_ms: 5,
        };
        let golden =
            b"\x08\x01\x12\x03ann\x1a\x02d1\x22\x05email\x2a\x07ann/1/0\x30\x08\x3a\x03500\x40\x05";
        assert_eq!(letter.encode_to_vec(), golden);
        assert_eq!(DeadLetter::read(golden), Some(letter));
        assert_eq!(DeadLetter::read(b"\x08\x02"), None);
    }
}
