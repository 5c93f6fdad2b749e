//! The candidates stage: what could be shown, from the candidates role or from our own tables.

use std::borrow::Cow;
use std::time::Duration;

use kit::Deadline;
use kit::breaker::Breaker;
use kit::client::PeerChannel;
use proto::v1::candidate_service_client::CandidateServiceClient;
use ranking::Standing;
use retrieval::{Gate, Kind, Query};

use super::miss::Miss;
use crate::convert;
use crate::generation::Generation;
use crate::request::CartLine;
use crate::shopper::Recent;

/// Rows that the ranker scores: more cost time and hardly ever change what is shown.
pub(crate) const CANDIDATES: usize = 100;

/// An item that could be shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) item_id: String,
    /// Its place in the generation's catalogue, where that is known already.
    pub(crate) ordinal: Option<u32>,
    /// Fused over the sources.
    pub(crate) score: f64,
    /// Strongest first.
    pub(crate) sources: Vec<SourceScore>,
}

/// What the stage found.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Found {
    /// Best first.
    pub(crate) candidates: Vec<Candidate>,
    /// The cart's lines that the generation knows, with what the sources say of them: comparable
    /// with the candidates.
    pub(crate) scored: Vec<Candidate>,
}

impl Found {
    /// How the cart's lines stand against what would be offered.
    pub(crate) fn standing(&self) -> Standing {
        let best = self.candidates.first().map(|best| best.score);
        Standing::new(self.scored.iter().map(|line| line.score), best)
    }
}

/// What one source said of a candidate.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SourceScore {
    pub(crate) source: Cow<'static, str>,
    pub(crate) score: f64,
    pub(crate) rank: u32,
}

/// Asks the candidates role.
#[derive(Clone, Debug)]
pub(crate) struct CandidatesClient {
    client: CandidateServiceClient<PeerChannel>,
    breaker: Breaker,
}

impl CandidatesClient {
    pub(crate) fn new(channel: PeerChannel, breaker: Breaker) -> Self {
        let client = CandidateServiceClient::new(channel);
        Self {
            client: client.max_decoding_message_size(kit::MAX_MESSAGE_BYTES),
            breaker,
        }
    }

    /// How long to wait for the role; `longest` on a calm day.
    pub(crate) fn patience(&self, longest: Duration) -> Duration {
        self.breaker.patience(longest)
    }

    /// Candidates of exactly this generation.
    pub(crate) async fn retrieve(
        &self,
        query: &Query,
        generation: &Generation,
        now_ms: i64,
        deadline: Deadline,
    ) -> Result<Found, Miss> {
        let message = convert::retrieve_request(query, generation.id(), now_ms);
        let mut request = tonic::Request::new(message);
        deadline.apply(&mut request);
        let mut client = self.client.clone();
        let call = client.retrieve(request);
        let answer = self.breaker.ask(deadline, call).await?;
        if answer.generation == generation.id() {
            convert::found(answer, generation)
        } else {
            Err(Miss::Generation(answer.generation))
        }
    }
}

/// Co-visitation and popularity, from the tables in this process.
pub(crate) fn from_own_tables(query: &Query, generation: &Generation) -> Result<Found, Miss> {
    let gate = Gate::open(generation.catalogue().len());
    let answer = generation.fallback.retrieve(query, &gate);
    let answer = answer.map_err(|error| Miss::Odd(error.to_string()))?;
    Ok(convert::own_found(answer))
}

/// What to look for: items that go with the recent ones and the cart's, and are neither in the
/// cart nor bought a moment ago; and how the cart's own lines compare with them.
pub(crate) fn query(cart: &[CartLine], recent: &[Recent], now_ms: i64) -> Query {
    let bought = recent.iter().filter(|one| one.kind == Kind::Purchase);
    let mut exclude: Vec<String> = cart
        .iter()
        .map(|line| line.item_id.clone())
        .chain(bought.map(|one| one.item_id.clone()))
        .collect();
    exclude.sort_unstable();
    exclude.dedup();
    let mut score: Vec<String> = cart.iter().map(|line| line.item_id.clone()).collect();
    score.sort_unstable();
    score.dedup();
    Query {
        recent: interactions(cart, recent, now_ms),
        exclude,
        score,
        k: CANDIDATES,
        ..Query::default()
    }
}

/// What the shopper did lately, the cart's lines among it.
pub(crate) fn interactions(
    cart: &[CartLine],
    recent: &[Recent],
    now_ms: i64,
) -> Vec<retrieval::Recent> {
    let lines = cart.iter().map(|line| {
        let added = age(line.added_at_ms.unwrap_or(now_ms), now_ms);
        (line.item_id.as_str(), added)
    });
    let seen = recent.iter().map(|one| retrieval::Recent {
        item_id: one.item_id.clone(),
        kind: one.kind,
        age: age(one.at_ms, now_ms),
    });
    retrieval::interactions(lines, seen.collect())
}

/// Zero for what lies ahead.
pub(crate) fn age(at_ms: i64, now_ms: i64) -> Duration {
    let elapsed = now_ms.saturating_sub(at_ms);
    Duration::from_millis(u64::try_from(elapsed).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(item_id: &str, added_at_ms: Option<i64>) -> CartLine {
        CartLine {
            item_id: item_id.to_owned(),
            added_at_ms,
            ..CartLine::default()
        }
    }

    fn seen(item_id: &str, kind: Kind, at_ms: i64) -> Recent {
        Recent {
            item_id: item_id.to_owned(),
            kind,
            at_ms,
        }
    }

    #[test]
    fn excludes_the_cart_and_what_was_bought() {
        let recent = [
            seen("b", Kind::Purchase, 9),
            seen("v", Kind::View, 8),
            seen("c", Kind::Add, 7),
        ];
        let query = query(&[line("c", None), line("a", None)], &recent, 10);
        assert_eq!(query.exclude, ["a", "b", "c"]);
        assert_eq!(
            query.score,
            ["a", "c"],
            "the cart's lines are compared with the rest"
        );
    }

    #[test]
    fn the_newest_interaction_comes_first_and_a_line_counts_once() {
        let recent = [seen("v", Kind::View, 900), seen("a", Kind::Add, 500)];
        let cart = [
            line("a", Some(400)),
            line("old", Some(100)),
            line("given", None),
        ];
        let found = interactions(&cart, &recent, 1_000);
        let order: Vec<_> = found.iter().map(|one| one.item_id.as_str()).collect();
        assert_eq!(order, ["given", "v", "a", "old"]);
        assert_eq!(found[1].age, Duration::from_millis(100));
        assert_eq!(
            found[2].age,
            Duration::from_millis(500),
            "the add's own time counts"
        );
    }

    #[test]
    fn asks_for_no_more_than_the_contract_takes() {
        let cart: Vec<_> = (0..200)
            .map(|at| line(&format!("c{at}"), Some(1)))
            .collect();
        let recent: Vec<_> = (0..50)
            .map(|at| seen(&format!("v{at}"), Kind::View, 5))
            .collect();
        assert_eq!(interactions(&cart, &recent, 10).len(), 200);
    }

    #[test]
    fn what_lies_ahead_has_no_age() {
        assert_eq!(age(5, 1), Duration::ZERO);
        assert_eq!(
            age(i64::MIN, i64::MAX),
            Duration::from_millis(i64::MAX.unsigned_abs())
        );
    }
}
