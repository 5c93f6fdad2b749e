//! The load under the swaps, and what makes an answer wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use proto::v1 as pb;
use proto::v1::candidate_service_client::CandidateServiceClient;
use proto::v1::recovery_service_client::RecoveryServiceClient;
use serde::Deserialize;
use tokio::runtime::Handle;
use tonic::{Request, Status};

use super::args::SwapArgs;
use crate::pacer::Pacer;
use crate::population::{Population, Shopper};
use crate::random::Random;
use crate::targets::{Role, Targets};

/// One request in so many goes to candidates and has their answer ranked.
const RANKED: u64 = 10;
const RANKED_ITEMS: u32 = 20;
/// Messages kept of what went wrong.
const EXAMPLES: usize = 5;
/// How long after the end answers are waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// The items of each snapshot that were told.
#[derive(Debug, Default)]
pub(crate) struct Catalogues(BTreeMap<String, BTreeSet<String>>);

#[derive(Deserialize)]
struct Item {
    item_id: String,
}

impl Catalogues {
    pub(crate) fn read(files: &[(String, PathBuf)]) -> anyhow::Result<Self> {
        let mut all = BTreeMap::new();
        for (id, path) in files {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("read {}", path.display()))?;
            let items = text.lines().map(serde_json::from_str::<Item>);
            let items: Result<BTreeSet<String>, _> =
                items.map(|item| item.map(|item| item.item_id)).collect();
            let items = items.with_context(|| format!("items of {}", path.display()))?;
            all.insert(id.clone(), items);
        }
        Ok(Self(all))
    }

    /// An item that is not of the generation, when its items are known.
    fn foreign<'a>(
        &self,
        generation: &str,
        mut items: impl Iterator<Item = &'a String>,
    ) -> Option<&'a String> {
        let own = self.0.get(generation)?;
        items.find(|item| !own.contains(*item))
    }

    /// How many items are in only one of the snapshots.
    pub(crate) fn exclusive(&self) -> usize {
        let mut seen = BTreeMap::<&String, usize>::new();
        for item in self.0.values().flatten() {
            *seen.entry(item).or_default() += 1;
        }
        seen.values().filter(|count| **count == 1).count()
    }
}

/// One request that came back right.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// When it was to leave.
    pub(crate) intended: Instant,
    /// From then to its answer.
    pub(crate) latency: Duration,
}

#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) samples: Vec<Sample>,
    pub(crate) failed: u64,
    pub(crate) mixed: u64,
    pub(crate) degraded: u64,
    pub(crate) requests: u64,
    pub(crate) ranked: u64,
    /// Answers by generation.
    pub(crate) generations: BTreeMap<String, u64>,
    pub(crate) examples: Vec<String>,
}

/// Why an answer is not right.
enum Wrong {
    Failed(String),
    Mixed(String),
}

impl From<Status> for Wrong {
    fn from(status: Status) -> Self {
        Self::Failed(format!("{:?}: {}", status.code(), status.message()))
    }
}

/// What is sent and what came of it.
#[derive(Debug)]
pub(crate) struct Load {
    rate: f64,
    timeout: Duration,
    seed: u64,
    targets: Targets,
    population: Population,
    catalogues: Catalogues,
    seen: Mutex<Seen>,
    stopped: AtomicBool,
    in_flight: AtomicU64,
}

impl Load {
    pub(crate) fn new(
        args: &SwapArgs,
        targets: Targets,
        population: Population,
        catalogues: Catalogues,
    ) -> anyhow::Result<Self> {
        targets.need(Role::Recovery)?;
        Ok(Self {
            rate: args.rate,
            timeout: args.timeout,
            seed: args.seed,
            targets,
            population,
            catalogues,
            seen: Mutex::default(),
            stopped: AtomicBool::new(false),
            in_flight: AtomicU64::new(0),
        })
    }

    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn exclusive_items(&self) -> usize {
        self.catalogues.exclusive()
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(self.timeout);
        request
    }

    async fn one(self: Arc<Self>, number: u64, intended: Instant) {
        let outcome = if number.is_multiple_of(RANKED) {
            self.retrieve_and_rank(number).await
        } else {
            self.decide(number).await
        };
        let latency = intended.elapsed();
        self.in_flight.fetch_sub(1, Ordering::AcqRel);
        let mut seen = self.seen();
        seen.requests += 1;
        let said = match outcome {
            Ok((generation, degraded)) => {
                *seen.generations.entry(generation).or_default() += 1;
                seen.degraded += u64::from(degraded);
                seen.samples.push(Sample { intended, latency });
                return;
            }
            Err(Wrong::Failed(said)) => {
                seen.failed += 1;
                said
            }
            Err(Wrong::Mixed(said)) => {
                seen.mixed += 1;
                said
            }
        };
        if seen.examples.len() < EXAMPLES {
            seen.examples.push(said);
        }
    }

    fn shopper(&self, number: u64) -> Option<&Shopper> {
        let mut random = Random::of(self.seed, number);
        self.population.shopper(&mut random)
    }

    /// The generation of the answer, and whether a fallback helped.
    async fn decide(&self, number: u64) -> Result<(String, bool), Wrong> {
        let shopper = self.shopper(number).map(|one| one.id.clone());
        let channel = self.recovery(number)?;
        let message = pb::DecideRequest {
            shopper_id: shopper.unwrap_or_default(),
            ..pb::DecideRequest::default()
        };
        let answer = RecoveryServiceClient::new(channel)
            .decide(self.request(message))
            .await?
            .into_inner();
        let items = answer.items.iter().map(|item| &item.item_id);
        self.of_one(&answer.generation, items)?;
        Ok((answer.generation, !answer.degraded.is_empty()))
    }

    /// Candidates of whatever is live there, ranked with the generation that they came from.
    async fn retrieve_and_rank(&self, number: u64) -> Result<(String, bool), Wrong> {
        let shopper = self.shopper(number);
        let id = shopper.map(|one| one.id.clone()).unwrap_or_default();
        let candidates = self.targets.need(Role::Candidates).map_err(unreached)?;
        let message = pb::RetrieveRequest {
            shopper_id: id.clone(),
            k: RANKED_ITEMS,
            ..pb::RetrieveRequest::default()
        };
        let found = CandidateServiceClient::new(candidates.pick(number))
            .retrieve(self.request(message))
            .await?
            .into_inner();
        let items: Vec<String> = found
            .candidates
            .into_iter()
            .map(|one| one.item_id)
            .collect();
        self.of_one(&found.generation, items.iter())?;
        if items.is_empty() {
            return Ok((found.generation, false));
        }
        let message = pb::RankRequest {
            shopper_id: id,
            item_ids: items,
            generation: found.generation.clone(),
            ..pb::RankRequest::default()
        };
        let ranked = RecoveryServiceClient::new(self.recovery(number)?)
            .rank(self.request(message))
            .await?
            .into_inner();
        if ranked.generation != found.generation {
            let (asked, got) = (found.generation, ranked.generation);
            return Err(Wrong::Mixed(format!(
                "candidates of {asked} ranked by {got}"
            )));
        }
        self.of_one(
            &ranked.generation,
            ranked.items.iter().map(|one| &one.item_id),
        )?;
        self.seen().ranked += 1;
        Ok((ranked.generation, !ranked.degraded.is_empty()))
    }

    fn recovery(&self, number: u64) -> Result<tonic::transport::Channel, Wrong> {
        let pool = self.targets.need(Role::Recovery).map_err(unreached)?;
        Ok(pool.pick(number))
    }

    fn of_one<'a>(
        &self,
        generation: &str,
        items: impl Iterator<Item = &'a String>,
    ) -> Result<(), Wrong> {
        if generation.is_empty() {
            return Err(Wrong::Mixed("an answer names no generation".to_owned()));
        }
        match self.catalogues.foreign(generation, items) {
            Some(item) => Err(Wrong::Mixed(format!(
                "item {item} is not of generation {generation}"
            ))),
            None => Ok(()),
        }
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err takes"
)]
fn unreached(error: anyhow::Error) -> Wrong {
    Wrong::Failed(error.to_string())
}

/// Sends on schedule until the load is stopped, then waits for what is still out.
pub(crate) async fn send(load: Arc<Load>) {
    let pacer = Pacer::new(&Handle::current());
    let started = Instant::now();
    let gap = Duration::from_secs_f64(1.0 / load.rate);
    let mut intended = started;
    let mut number = 0;
    while !load.stopped.load(Ordering::Acquire) {
        pacer.wait_until(intended).await;
        load.in_flight.fetch_add(1, Ordering::AcqRel);
        tokio::spawn(load.clone().one(number, intended));
        number += 1;
        intended += gap;
    }
    let give_up = Instant::now() + PATIENCE;
    while load.in_flight.load(Ordering::Acquire) > 0 && Instant::now() < give_up {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let lost = load.in_flight.load(Ordering::Acquire);
    load.seen().failed += lost;
}
