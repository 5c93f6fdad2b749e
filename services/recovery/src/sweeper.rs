//! The sweeper: claims the people who are due, tells who has left and who has not, and decides.
//!
//! Any number of replicas share the work: a claim is one replica's until its lease ends, and each
//! begins its rounds elsewhere. A replica that dies leaves its claims to the others; what it had
//! decided is found decided, since the step is taken in the commit of the decision.

use std::sync::Arc;
use std::time::Duration;

use feature_store::store::{Due, Error, PARTITIONS, Partition};
use feature_store::{EventKind, FeatureStore, Look, Millis, StoredShopper, Wake};
use generations::Generations;
use kit::{CancellationToken, Deadline, Problem};
use policy::Policy;
use policy::sequence::{Kind, StepKey};

use crate::commit::Books;
use crate::config::Recover;
use crate::decide::Decider;
use crate::generation::Generation;
use crate::metrics::{LoopMetrics, Swept};
use crate::person::Stand;
use crate::request::{Context, Mode, Occasion, Request};

/// Partitions whose deadlines are claimed at once.
const PARTITIONS_AT_ONCE: usize = 16;
/// Time for a batch of decisions.
const DECIDING: Duration = Duration::from_secs(10);
/// Decisions that share one call to the features role.
const DECISIONS_AT_ONCE: usize = 64;
const WEEK_MS: i64 = 7 * Millis::DAY;

/// Claims and decides, for as long as the role lives.
#[derive(Debug)]
pub(crate) struct Sweeper {
    pub(crate) books: Books,
    pub(crate) decider: Arc<Decider>,
    pub(crate) generations: Arc<Generations<Generation>>,
    pub(crate) settings: Recover,
    pub(crate) metrics: LoopMetrics,
    /// Where this replica begins its rounds.
    pub(crate) offset: usize,
}

/// What is to be done about somebody who was claimed.
#[derive(Debug)]
enum Finding {
    Look(Look),
    Decide(Box<Request>),
}

impl Sweeper {
    pub(crate) async fn run(self, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.sweep_for_ever() => {}
        }
    }

    async fn sweep_for_ever(&self) {
        let all: Vec<Partition> = self.partitions();
        loop {
            let mut claimed = 0;
            for partitions in all.chunks(PARTITIONS_AT_ONCE) {
                match self.sweep(partitions).await {
                    Ok(some) => claimed += some,
                    Err(problem) => {
                        tracing::warn!(%problem, "cannot sweep now");
                        tokio::time::sleep(self.settings.every.0.max(WAIT)).await;
                    }
                }
            }
            if claimed == 0 {
                tokio::time::sleep(self.settings.every.0).await;
            }
        }
    }

    /// All partitions, from this replica's own on.
    fn partitions(&self) -> Vec<Partition> {
        let mut all: Vec<Partition> = Partition::all().collect();
        all.rotate_left(self.offset % usize::from(PARTITIONS));
        all
    }

    /// One claim and what follows from it; answers how many were claimed.
    async fn sweep(&self, partitions: &[Partition]) -> Result<usize, Problem> {
        let generation = self.generations.get("")?;
        let (clock, store) = (&self.books.clock, &self.books.store);
        let now = Millis(clock.now_ms());
        let lease = clock.during(self.settings.lease.0);
        let claimed = store
            .claim_due(partitions, now, lease, self.settings.batch)
            .await
            .map_err(|error| unavailable(&error))?;
        if let Some(longest) = claimed.first() {
            self.metrics.late(now.0.saturating_sub(longest.due_at.0));
        }
        let shoppers: Vec<String> = claimed.iter().filter_map(shopper).collect();
        let ids: Vec<&str> = shoppers.iter().map(String::as_str).collect();
        let read = read(store, &ids)
            .await
            .map_err(|error| unavailable(&error))?;
        let (mut looks, mut requests) = (Vec::new(), Vec::new());
        for (id, read) in ids.iter().zip(read) {
            let Some(read) = read else { continue };
            let version = read.version;
            match find(id, read, &generation.policy, now.0) {
                Ok(Finding::Look(look)) => looks.push((*id, version, look)),
                Ok(Finding::Decide(request)) => requests.push(*request),
                Err(problem) => tracing::error!(%problem, "left a shopper who cannot be read"),
            }
        }
        self.put_off(&looks).await?;
        self.decide(requests).await;
        Ok(claimed.len())
    }

    /// Whoever did something meanwhile has a look of their own.
    async fn put_off(&self, looks: &[(&str, u64, Look)]) -> Result<(), Problem> {
        if looks.is_empty() {
            return Ok(());
        }
        let moved = self.books.store.look_again(looks).await;
        moved.map_err(|error| unavailable(&error))?;
        self.metrics.swept(Swept::PutOff, looks.len());
        Ok(())
    }

    async fn decide(&self, requests: Vec<Request>) {
        let mut requests = requests.into_iter().peekable();
        while requests.peek().is_some() {
            let some: Vec<_> = requests.by_ref().take(DECISIONS_AT_ONCE).map(Ok).collect();
            let answers = self
                .decider
                .decide_all(some, Deadline::after(DECIDING))
                .await;
            for answer in answers {
                match answer {
                    Ok(_) => self.metrics.swept(Swept::Decided, 1),
                    // The cart changed, or another replica was quicker; its look says when to come back.
                    Err(Problem::Conflict(why)) => {
                        tracing::debug!(why, "a step was not taken");
                        self.metrics.swept(Swept::Overtaken, 1);
                    }
                    Err(problem) => {
                        tracing::warn!(%problem, "a step was not decided; its lease brings it back");
                        self.metrics.swept(Swept::Failed, 1);
                    }
                }
            }
        }
    }
}

const WAIT: Duration = Duration::from_millis(500);

fn shopper(due: &Due) -> Option<String> {
    match Wake::parse(&due.id) {
        Wake::Shopper(shopper) => Some(shopper),
        Wake::Other(_) => None,
    }
}

/// One read for all; where a value among them cannot be read, one for each, and that one is left.
async fn read(store: &FeatureStore, ids: &[&str]) -> Result<Vec<Option<StoredShopper>>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    match store.stored_shoppers(ids).await {
        Ok(read) => return Ok(read.into_iter().map(Some).collect()),
        Err(Error::Corrupt { .. }) => {}
        Err(error @ Error::Unavailable { .. }) => return Err(error),
    }
    let mut all = Vec::new();
    for id in ids {
        all.push(match store.stored_shoppers(&[id]).await {
            Ok(read) => read.into_iter().next(),
            Err(error @ Error::Corrupt { .. }) => {
                tracing::error!(%error, "left a shopper who cannot be read");
                None
            }
            Err(error @ Error::Unavailable { .. }) => return Err(error),
        });
    }
    Ok(all)
}

/// Tells whether they have left, and what is due then. A step at a moment at which no message may go
/// waits for one that is free, and is decided on what is known then.
fn find(id: &str, read: StoredShopper, policy: &Policy, now_ms: i64) -> Result<Finding, Problem> {
    let mut stand = Stand::of(read)?;
    let Some(due) = stand.due(policy) else {
        return Ok(Finding::Look(Look::Never));
    };
    let at_ms = match due.at_ms > now_ms {
        true => Some(due.at_ms),
        false => free_at(id, &stand, due.key, policy, now_ms),
    };
    Ok(match at_ms {
        Some(at_ms) => Finding::Look(Look::At(Millis(at_ms))),
        None => Finding::Decide(Box::new(request(id, &stand, due.key))),
    })
}

/// When quiet hours and caps are over that stand against a message now; `None` when none does.
fn free_at(id: &str, stand: &Stand, key: StepKey, policy: &Policy, now_ms: i64) -> Option<i64> {
    let zone = stand.standing.profile.time_zone.as_str();
    let (limits, channel) = (policy.limits(), policy.default_channel());
    let message = key.message(id);
    let zone = Some(zone).filter(|zone| !zone.is_empty());
    let told = room_for_one_more(stand, policy, now_ms).unwrap_or(now_ms);
    let free = limits.next_moment((channel, &message), zone, &stand.person.sends, told);
    // Where there is no such moment, the decision says why nothing is done.
    free.filter(|free| *free > now_ms)
}

/// When the messages that the shop told of leave room within their cap of seven days.
fn room_for_one_more(stand: &Stand, policy: &Policy, now_ms: i64) -> Option<i64> {
    let most = usize::try_from(policy.max_messages_7d()).ok()?;
    let sent = stand.standing.messages.iter();
    let mut times: Vec<i64> = sent
        .filter(|message| message.kind == EventKind::MessageSent)
        .map(|message| message.at.0.saturating_add(WEEK_MS))
        .filter(|ends| *ends > now_ms)
        .collect();
    times.sort_unstable();
    let over = times.len().checked_sub(most)?;
    times.get(over).copied()
}

fn request(id: &str, stand: &Stand, key: StepKey) -> Request {
    let StepKey {
        cart_version,
        step,
        attempt,
    } = key;
    let left = stand.left();
    Request {
        request_id: format!("recover/{cart_version}/{step}/{attempt}"),
        shopper_id: id.to_owned(),
        cart: stand.stand_in(),
        context: context(left, step),
        mode: Mode::Commit,
        occasion: Occasion::Due { key, left },
        ..Request::default()
    }
}

/// Rules can tell what was left, and which message it is.
fn context(left: Kind, step: u32) -> Context {
    let attributes = [
        ("left", left.as_str().to_owned()),
        ("step", step.to_string()),
    ];
    Context {
        attributes: attributes
            .map(|(key, value)| (key.to_owned(), value))
            .into(),
        ..Context::default()
    }
}

fn unavailable(error: &Error) -> Problem {
    crate::commit::unavailable("the store", error)
}
