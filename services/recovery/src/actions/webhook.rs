//! The webhook: a built-in consumer of the outbox that posts each action, signed, to a URL of the
//! shop; again with growing waits when it was not taken, and at last to the dead letters.
//!
//! It is checked before every attempt, as at every hand-out: what was ordered meanwhile is not
//! posted. A row is this process's own for one attempt and the wait after it, and its lease is
//! extended before each: what became another's meanwhile is not posted here, and a process that
//! dies leaves its rows to the others soon.

mod body;
mod letters;
mod signature;

use std::sync::Arc;
use std::time::Duration;

use feature_store::store::{Log, Partition};
use feature_store::{Delivery, Millis};
use kit::causes::causes;
use kit::{CancellationToken, Clock, Problem};
use proto::v1 as pb;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use xxhash_rust::xxh3::xxh3_64;

use super::handing::Handed;
use super::{Actions, Feed, HandedOut, Subscription};
use crate::config;
use crate::convert;
use crate::error::Error;
use crate::metrics::Posted;
use crate::row::Row;

pub(crate) use letters::DeadLetter;
use signature::Signer;

/// The consumer group of the webhook.
pub(crate) const GROUP: &str = "webhook";
/// Header of the signature.
const SIGNATURE: &str = "cartwright-signature";
/// Header of the key under which the receiver knows what it got before.
const IDEMPOTENCY: &str = "idempotency-key";
/// More than an attempt and the wait after it may take, for what lies between them.
const SLACK: Duration = Duration::from_secs(30);
/// What was checked longer ago is checked again before it is posted.
const FRESH: Duration = Duration::from_secs(1);

/// Posts what the outbox holds.
#[derive(Clone, Debug)]
pub(crate) struct Webhook {
    actions: Actions,
    client: reqwest::Client,
    signer: Arc<Signer>,
    settings: config::Webhook,
    url: reqwest::Url,
}

/// A row on its way, and its place.
struct Post {
    action: pb::Action,
    log: Log,
    partition: Partition,
    sequence: u64,
    /// The end of its lease.
    until: Millis,
    /// When it was checked, by the role's clock.
    checked: Millis,
}

/// What is to be done with a row before an attempt.
enum Handing {
    Post,
    /// Nothing is left to post.
    Over,
    /// It comes again, here or elsewhere.
    Leave,
}

impl Webhook {
    /// `None` when no URL is set.
    ///
    /// # Errors
    /// A key file that cannot be read, or no client.
    pub(crate) fn open(
        actions: Actions,
        settings: &config::Webhook,
    ) -> Result<Option<Self>, Error> {
        let Some(url) = &settings.url else {
            return Ok(None);
        };
        let url = url.expose().parse();
        let url = url.map_err(|_| Error::Webhook("its URL is none".to_owned()))?;
        // Another part of the process may have set it before, to the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .timeout(settings.timeout.0)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("cartwright/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Some(Self {
            actions,
            client: client.map_err(|error| Error::Webhook(error.to_string()))?,
            signer: Arc::new(Signer::of(settings)?),
            settings: settings.clone(),
            url,
        }))
    }

    /// Posts until the role stops. What is under way then comes again when its lease ends.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let (new, again) = (Log::Outbox, Log::Redriven);
        tokio::join!(self.post_all(new, &stop), self.post_all(again, &stop));
    }

    async fn post_all(&self, log: Log, stop: &CancellationToken) {
        let subscription = self.subscription(log);
        let (feed, mut actions) = Feed::new(self.actions.clone(), subscription, |out| out);
        let mut tasks = JoinSet::new();
        tasks.spawn(feed.run(stop.clone()));
        let permits = Arc::new(Semaphore::new(self.settings.at_once));
        loop {
            // What waits for a receiver that does not answer is not taken out of the outbox.
            let next = async {
                let permit = permits.clone().acquire_owned().await.ok()?;
                Some((permit, actions.recv().await?))
            };
            let next = tokio::select! {
                () = stop.cancelled() => return,
                next = next => next,
            };
            let Some((permit, out)) = next else {
                return;
            };
            while tasks.try_join_next().is_some() {}
            tasks.spawn(self.clone().deliver(Post::of(out, log), permit));
        }
    }

    fn subscription(&self, log: Log) -> Subscription {
        Subscription {
            log,
            group: GROUP.to_owned(),
            consumer: format!("process-{}", std::process::id()),
            lease: self.lease(),
            channels: self.settings.channels.clone(),
        }
    }

    /// Longer than one attempt and the wait after it.
    fn lease(&self) -> Duration {
        let wait = self.settings.wait(self.settings.attempts);
        let attempt = self.settings.timeout.0.saturating_add(wait);
        attempt.saturating_add(SLACK)
    }

    /// One row to its end. What fails to be written down comes again when its lease ends.
    async fn deliver(self, mut post: Post, _permit: OwnedSemaphorePermit) {
        let metrics = &self.actions.metrics;
        for attempt in 1..=self.settings.attempts {
            match self.is_still_to_post(&mut post, attempt).await {
                Ok(Handing::Post) => {}
                Ok(Handing::Over) => return self.done(&post).await,
                Ok(Handing::Leave) => return,
                Err(problem) => {
                    tracing::warn!(%problem, "an action was not posted; its lease brings it back");
                    return;
                }
            }
            let Err(why) = self.post(&post.action).await else {
                metrics.posted(Posted::Delivered);
                return self.done(&post).await;
            };
            metrics.posted(Posted::Failed);
            if attempt == self.settings.attempts {
                return self.bury(&post, &why).await;
            }
            tokio::time::sleep(self.wait(&post, attempt)).await;
        }
    }

    /// Extends the lease for one attempt, and checks what was not checked just now.
    async fn is_still_to_post(&self, post: &mut Post, attempt: u32) -> Result<Handing, Problem> {
        let clock = &self.actions.books.clock;
        let now = Millis(clock.now_ms());
        let until = now.saturating_add(clock.during(self.lease()));
        let place = (post.partition, post.sequence);
        let held = self
            .actions
            .hold((post.log, GROUP), place, post.until, until);
        if !held.await? {
            tracing::debug!("an action became another process's while it waited");
            return Ok(Handing::Leave);
        }
        post.until = until;
        let is_fresh = now <= post.checked.saturating_add(clock.during(FRESH));
        if attempt == 1 && is_fresh {
            return Ok(Handing::Post);
        }
        Ok(match self.check(post).await? {
            Handed::Out(out) => {
                post.checked = Millis(out.now_ms);
                post.action = convert::handed_out(*out);
                Handing::Post
            }
            Handed::Over => Handing::Over,
            Handed::Waits => Handing::Leave,
        })
    }

    /// One attempt. Anything but a 2xx is a refusal.
    async fn post(&self, action: &pb::Action) -> Result<(), String> {
        let body = body::of(action);
        // By the wall clock, as the receiver judges it; the role's own may be simulated.
        let signed = self.signer.sign(Clock::real().now_ms() / 1_000, &body);
        let request = self
            .client
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header(SIGNATURE, signed)
            .header(IDEMPOTENCY, plain(&action.idempotency_key))
            .body(body);
        match request.send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("the receiver answered {}", answer.status())),
            // The URL may hold a secret.
            Err(error) => Err(causes(&error.without_url())),
        }
    }

    /// Whether it may still go, as before every hand-out.
    async fn check(&self, post: &Post) -> Result<Handed, Problem> {
        let row = post.row();
        let delivery = Delivery {
            partition: post.partition,
            sequence: post.sequence,
            row: bytes::Bytes::new(),
            until: post.until,
        };
        self.actions.hand_out(&delivery, &row).await
    }

    async fn bury(&self, post: &Post, why: &str) {
        let letter = DeadLetter {
            format: letters::FORMAT,
            shopper_id: post.action.shopper_id.clone(),
            decision_id: post.action.decision_id.clone(),
            channel: post.action.channel.clone(),
            idempotency_key: post.action.idempotency_key.clone(),
            attempts: self.settings.attempts,
            why: why.to_owned(),
            died_at_ms: self.actions.books.clock.now_ms(),
        };
        // Which one it is, the list of dead letters says: an id in a log would outlive its person.
        tracing::warn!(why, "an action went to the dead letters");
        match self.actions.bury(post.partition, &letter).await {
            Ok(()) => {
                self.actions.metrics.posted(Posted::Dead);
                self.done(post).await;
            }
            Err(problem) => {
                tracing::warn!(%problem, "a dead letter was not kept; it is tried again")
            }
        }
    }

    async fn done(&self, post: &Post) {
        let place = [(post.partition, post.sequence)];
        if let Err(problem) = self.actions.acknowledge(post.log, GROUP, &place).await {
            tracing::warn!(%problem, "a posted action was not acknowledged; it is posted again");
        }
    }

    /// Full jitter: anything up to the exponential wait. (Brooker, *Exponential backoff and jitter*,
    /// AWS Architecture Blog, 2015)
    fn wait(&self, post: &Post, attempt: u32) -> Duration {
        let drawn = format!(
            "{}/{attempt}/{}",
            post.action.idempotency_key,
            std::process::id()
        );
        self.settings
            .wait(attempt)
            .mul_f64(fraction(xxh3_64(drawn.as_bytes())))
    }
}

impl Post {
    fn of(out: HandedOut, log: Log) -> Self {
        Self {
            log,
            partition: out.partition,
            sequence: out.sequence,
            until: out.until,
            checked: Millis(out.now_ms),
            action: convert::handed_out(out),
        }
    }

    fn row(&self) -> Row {
        let pb::Action {
            shopper_id,
            decision_id,
            channel,
            ..
        } = &self.action;
        Row::new(shopper_id, decision_id, channel)
    }
}

/// The top 53 bits, from 0 to below 1.
#[expect(
    clippy::cast_precision_loss,
    reason = "53 bits are what a float holds exactly"
)]
fn fraction(bits: u64) -> f64 {
    const STEPS: f64 = 9_007_199_254_740_992.0;
    (bits >> 11) as f64 / STEPS
}

/// A key as a header may hold it: what is not plain is percent-encoded. The body has it as it is.
fn plain(key: &str) -> String {
    let mut plain = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'!'..=b'~' if byte != b'%' => plain.push(char::from(byte)),
            _ => plain.push_str(&format!("%{byte:02X}")),
        }
    }
    plain
}
