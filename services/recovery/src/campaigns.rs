//! Campaigns: an overlay over the policy that lies in the store as one value, and is looked at twice a
//! second by every process.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use feature_store::store::Kind;
use feature_store::{FeatureStore, Issued, Swapped};
use futures::future::try_join_all;
use kit::{Clock, Live, Problem};
use policy::campaign::{Campaign, Draft, LineOffer};
use policy::ledger::{Claim, Ledger, Refused};
use policy::{Inputs, Policy};
use serde::{Deserialize, Serialize};

use crate::commit::{damaged, unavailable};
use crate::decide::Decided;

/// The format that this version writes. Readers accept every format up to theirs.
const FORMAT: u32 = 1;
/// The name of the one value.
const ALL: &str = "campaigns";
/// The period of a campaign's ledger: all of it.
const WHOLE: &str = "whole";
const MOST: usize = 200;
/// How often every process looks.
const REFRESH: Duration = Duration::from_millis(500);
/// Writes that may lose against others, one after the other.
const ATTEMPTS: u32 = 100;
/// How long money waits between its reservation and the answer.
const HOLD_MS: i64 = 60_000;

/// The stored value.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Stored {
    format: u32,
    /// By id.
    campaigns: Vec<Draft>,
}

/// What this process saw last.
#[derive(Debug, Default)]
struct Overlay {
    campaigns: Vec<Campaign>,
    /// What is free of the budgets of those that run.
    free_minor: BTreeMap<String, i64>,
}

/// A campaign, and how it stands.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) draft: Draft,
    pub(crate) running: bool,
    pub(crate) spent_minor: i64,
}

/// The campaigns of the shop. Cloning shares them.
#[derive(Clone, Debug)]
pub(crate) struct Campaigns {
    store: FeatureStore,
    clock: Clock,
    overlay: Arc<Live<Overlay>>,
}

impl Campaigns {
    pub(crate) fn over(store: FeatureStore, clock: Clock) -> Self {
        let overlay = Arc::new(Live::new(Overlay::default()));
        Self {
            store,
            clock,
            overlay,
        }
    }

    /// Looks again and again, for as long as the role lives. What cannot be read leaves what was.
    pub(crate) async fn refresh(self) {
        loop {
            if let Err(problem) = self.look().await {
                tracing::warn!(%problem, "the campaigns cannot be read; those seen last go on");
            }
            tokio::time::sleep(REFRESH).await;
        }
    }

    async fn look(&self) -> Result<(), Problem> {
        let (_, stored) = self.read().await?;
        let now_ms = self.clock.now_ms();
        let drafts = stored.campaigns.into_iter();
        let checked = drafts.map(|draft| Campaign::check(draft).map_err(|_| damaged("a campaign")));
        let campaigns: Vec<Campaign> = checked.collect::<Result<_, _>>()?;
        let running = campaigns.iter().filter(|one| one.runs_at(now_ms));
        let free_minor = try_join_all(running.map(async |campaign| {
            let (_, ledger) = self.ledger(campaign.draft()).await?;
            Ok::<_, Problem>((campaign.draft().id.clone(), ledger.free_minor()))
        }));
        let free_minor = free_minor.await?.into_iter().collect();
        self.overlay.store(Arc::new(Overlay {
            campaigns,
            free_minor,
        }));
        Ok(())
    }

    /// Sets a campaign up or changes it; says whether it is new.
    pub(crate) async fn upsert(&self, draft: Draft) -> Result<bool, Problem> {
        for attempt in 0..ATTEMPTS {
            let (version, mut stored) = self.read().await?;
            let place = stored
                .campaigns
                .binary_search_by(|one| one.id.cmp(&draft.id));
            match place {
                Ok(at) => {
                    if let Some(one) = stored.campaigns.get_mut(at) {
                        one.clone_from(&draft);
                    }
                }
                Err(_) if stored.campaigns.len() >= MOST => {
                    let why = format!("there are {MOST} campaigns, at most so many are allowed");
                    return Err(Problem::Precondition(why));
                }
                Err(at) => stored.campaigns.insert(at, draft.clone()),
            }
            stored.format = FORMAT;
            let value = serde_json::to_vec(&stored).map_err(damaged)?;
            let issued = Issued {
                kind: Kind::Campaigns,
                id: ALL.to_owned(),
                value: value.into(),
                of: None,
            };
            let swapped = self.store.reissue(issued, version).await;
            match swapped.map_err(|error| away(&error))? {
                Swapped::Done => {
                    self.look().await?;
                    return Ok(place.is_err());
                }
                Swapped::Conflict => wait(attempt).await,
            }
        }
        Err(lost())
    }

    /// All campaigns as they are stored, by id.
    pub(crate) async fn list(&self) -> Result<Vec<State>, Problem> {
        let (_, stored) = self.read().await?;
        try_join_all(stored.campaigns.into_iter().map(|draft| self.state(draft))).await
    }

    /// One of them.
    pub(crate) async fn get(&self, id: &str) -> Result<State, Problem> {
        let (_, stored) = self.read().await?;
        let draft = stored.campaigns.into_iter().find(|one| one.id == id);
        let none = || Problem::NotFound(format!("there is no campaign {id:?}"));
        self.state(draft.ok_or_else(none)?).await
    }

    async fn state(&self, draft: Draft) -> Result<State, Problem> {
        let (_, ledger) = self.ledger(&draft).await?;
        let now_ms = self.clock.now_ms();
        Ok(State {
            running: Campaign::check(draft.clone()).is_ok_and(|one| one.runs_at(now_ms)),
            draft,
            spent_minor: ledger.spent_minor() + ledger.promised_minor(),
        })
    }

    /// What each line gets; none while no campaign chooses any.
    pub(crate) fn offers(&self, policy: &Policy, inputs: &Inputs) -> Vec<LineOffer> {
        self.overlay.load().offers(policy, inputs, &BTreeMap::new())
    }

    /// Spends what the decision shows; where there is not enough, less is shown.
    pub(crate) async fn promise(
        &self,
        decided: &mut Decided,
        policy: &Policy,
    ) -> Result<(), Problem> {
        let overlay = self.overlay.load();
        let mut known = BTreeMap::new();
        // Each round learns of a campaign that has less than was thought.
        for round in 0..=overlay.campaigns.len() {
            let shown = totals(&decided.line_offers);
            if shown.is_empty() {
                return Ok(());
            }
            let claim = format!("{}/{round}", decided.decision_id);
            let mut short = None;
            let mut held = Vec::new();
            for (id, total) in &shown {
                let Some(draft) = overlay.draft(id) else {
                    continue;
                };
                match self
                    .settle(draft, |ledger, now| reserve(ledger, &claim, *total, now))
                    .await?
                {
                    Ok(()) => held.push((draft, *total)),
                    Err(free) => {
                        short = Some((id.clone(), free));
                        break;
                    }
                }
            }
            for (draft, total) in held {
                let is_over = short.is_none();
                let spent = self.settle(draft, |ledger, now| match is_over {
                    true => told(ledger.commit(&claim, total, now), ledger),
                    false => told(ledger.release(&claim, now), ledger),
                });
                if let Err(free) = spent.await? {
                    tracing::debug!(
                        free,
                        campaign = draft.id,
                        "a campaign's money was not settled"
                    );
                }
            }
            let Some((id, free)) = short else {
                return Ok(());
            };
            known.insert(id, free);
            decided.line_offers = overlay.offers(policy, &decided.inputs, &known);
        }
        decided.line_offers.clear();
        Ok(())
    }

    /// Changes a campaign's ledger; the inner error is what is free.
    async fn settle(
        &self,
        draft: &Draft,
        change: impl Fn(&mut Ledger, i64) -> Result<(), i64>,
    ) -> Result<Result<(), i64>, Problem> {
        for attempt in 0..ATTEMPTS {
            let (version, mut ledger) = self.ledger(draft).await?;
            if let Err(free) = change(&mut ledger, self.clock.now_ms()) {
                return Ok(Err(free));
            }
            let value = ledger.encode().into();
            let swap = self
                .store
                .swap_budget(&draft.id, WHOLE, version, value)
                .await;
            match swap.map_err(|error| away(&error))? {
                Swapped::Done => return Ok(Ok(())),
                Swapped::Conflict => wait(attempt).await,
            }
        }
        Err(lost())
    }

    async fn ledger(&self, draft: &Draft) -> Result<(u64, Ledger), Problem> {
        let stored = self.store.budget(&draft.id, WHOLE).await;
        let (version, mut ledger) = match stored.map_err(|error| away(&error))? {
            Some(stored) => (
                stored.version,
                Ledger::decode(&stored.value).map_err(damaged)?,
            ),
            None => (0, Ledger::new(&draft.id, WHOLE, draft.budget_minor)),
        };
        let now_ms = self.clock.now_ms();
        ledger.expire(now_ms);
        ledger.forget(now_ms.saturating_sub(2 * HOLD_MS));
        ledger.set_budget(draft.budget_minor);
        Ok((version, ledger))
    }

    async fn read(&self) -> Result<(u64, Stored), Problem> {
        let found = self.store.issued(&[(Kind::Campaigns, ALL)]).await;
        let found = found.map_err(|error| away(&error))?;
        let Some(value) = found.into_iter().next().flatten() else {
            return Ok((0, Stored::default()));
        };
        let stored: Stored = serde_json::from_slice(&value.value).map_err(damaged)?;
        match stored.format {
            1..=FORMAT => Ok((value.version, stored)),
            later => Err(damaged(format!("campaigns of format {later}"))),
        }
    }
}

impl Overlay {
    fn offers(
        &self,
        policy: &Policy,
        inputs: &Inputs,
        known: &BTreeMap<String, i64>,
    ) -> Vec<LineOffer> {
        if self.campaigns.is_empty() || inputs.held_out {
            return Vec::new();
        }
        let mut free = Cow::Borrowed(&self.free_minor);
        if !known.is_empty() {
            free.to_mut().extend(known.clone());
        }
        let offers = policy.campaign_offers(&self.campaigns, inputs, &free);
        let is_any = |offer: &LineOffer| !offer.given.is_empty() || offer.runner_up.is_some();
        match offers.iter().any(is_any) {
            true => offers,
            false => Vec::new(),
        }
    }

    fn draft(&self, id: &str) -> Option<&Draft> {
        let mut drafts = self.campaigns.iter().map(Campaign::draft);
        drafts.find(|draft| draft.id == id)
    }
}

/// What is shown of each campaign.
fn totals(offers: &[LineOffer]) -> BTreeMap<String, i64> {
    let mut totals: BTreeMap<String, i64> = BTreeMap::new();
    for given in offers.iter().flat_map(|offer| &offer.given) {
        let total = totals.entry(given.campaign.clone()).or_default();
        *total = total.saturating_add(given.discount_minor);
    }
    totals
}

fn reserve(ledger: &mut Ledger, claim: &str, max_cost_minor: i64, now_ms: i64) -> Result<(), i64> {
    let reserved = ledger.reserve(
        Claim {
            decision_id: claim,
            max_cost_minor,
            decided_at_ms: now_ms,
            expires_at_ms: now_ms.saturating_add(HOLD_MS),
        },
        now_ms,
    );
    told(reserved, ledger)
}

fn told(settled: Result<(), Refused>, ledger: &Ledger) -> Result<(), i64> {
    settled.map_err(|_| ledger.free_minor())
}

async fn wait(attempt: u32) {
    tokio::time::sleep(Duration::from_millis(u64::from(attempt.min(20)))).await;
}

fn away(error: &feature_store::store::Error) -> Problem {
    unavailable("the campaigns", error)
}

fn lost() -> Problem {
    Problem::Unavailable(format!(
        "the campaigns: other processes won {ATTEMPTS} writes in a row"
    ))
}

#[cfg(test)]
mod tests {
    use policy::campaign::{CampaignOffer, Selector, Stacking};

    use super::*;

    #[test]
    fn campaigns_of_the_first_format_load() {
        let stored = Stored {
            format: 1,
            campaigns: vec![Draft {
                id: "spring".to_owned(),
                name: "Spring".to_owned(),
                starts_at_ms: 1,
                ends_at_ms: 2,
                selector: Selector {
                    brands: vec!["north".to_owned()],
                    ..Selector::default()
                },
                offer: CampaignOffer::Percent {
                    percent_off: 0.1,
                    max_discount_minor: Some(500),
                },
                budget_minor: 1_000,
                stacking: Stacking::WithOthers,
                priority: 3,
                stopped: true,
            }],
        };
        let golden = r#"{"format":1,"campaigns":[{"id":"spring","name":"Spring","starts_at_ms":1,"ends_at_ms":2,"selector":{"items":[],"categories":[],"brands":["north"],"except_items":[],"except_categories":[],"except_brands":[]},"offer":{"percent":{"percent_off":0.1,"max_discount_minor":500}},"budget_minor":1000,"stacking":"with_others","priority":3,"stopped":true}]}"#;
        assert_eq!(serde_json::to_string(&stored).unwrap(), golden);
        assert_eq!(serde_json::from_str::<Stored>(golden).unwrap(), stored);
    }
}
