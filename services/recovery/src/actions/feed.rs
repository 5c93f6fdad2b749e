//! A stream of actions: what the outbox holds for a group, row by row, until the caller goes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use feature_store::store::Partition;
use feature_store::{Delivery, Millis, Reader};
use futures::stream::{self, StreamExt as _};
use kit::{CancellationToken, Problem};
use tokio::sync::mpsc;

use super::handing::Handed;
use super::{Actions, HandedOut, Subscription};
use crate::commit::unavailable;
use crate::row::Row;

/// Actions that wait for the caller to read on. Few: what waits was checked a while ago.
const WAITING: usize = 16;
/// Rows read at once, and rows worked on at once.
const ROWS: usize = 64;
const AT_ONCE: usize = 16;
/// How often the outbox is looked at while it has nothing new.
const POLL: Duration = Duration::from_millis(100);
/// How often at most all partitions are asked for deliveries whose lease ended.
const SHORTEST_ROUND: Duration = Duration::from_millis(500);
/// The wait after the store did not answer.
const WAIT: Duration = Duration::from_millis(500);

/// Why a stream ends without a fault.
struct Gone;

/// Sends one subscriber its actions.
#[derive(Debug)]
pub(crate) struct Feed<T> {
    hand: Arc<Hand<T>>,
    /// How far this stream has read each partition's outbox.
    read_to: HashMap<Partition, u64>,
    last_round: Option<Instant>,
}

/// What works on a row.
#[derive(Debug)]
struct Hand<T> {
    actions: Actions,
    subscription: Subscription,
    sender: mpsc::Sender<T>,
    /// The form in which an action leaves.
    form: fn(HandedOut) -> T,
}

impl<T: Send + 'static> Feed<T> {
    pub(crate) fn new(
        actions: Actions,
        subscription: Subscription,
        form: fn(HandedOut) -> T,
    ) -> (Self, mpsc::Receiver<T>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        let hand = Hand {
            actions,
            subscription,
            sender,
            form,
        };
        let feed = Self {
            hand: Arc::new(hand),
            read_to: HashMap::new(),
            last_round: None,
        };
        (feed, receiver)
    }

    /// Sends until the reader goes or the role stops.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let sender = self.hand.sender.clone();
        tokio::select! {
            Gone = self.send_all() => {}
            () = sender.closed() => {}
            () = stop.cancelled() => {}
        }
    }

    async fn send_all(&mut self) -> Gone {
        loop {
            match self.send_some().await {
                Ok(Ok(0)) => tokio::time::sleep(POLL).await,
                Ok(Ok(_)) => {}
                Ok(Err(gone)) => return gone,
                Err(problem) => {
                    tracing::warn!(%problem, group = self.hand.subscription.group, "no actions now");
                    tokio::time::sleep(WAIT).await;
                }
            }
        }
    }

    /// Reads some rows and works on them; answers how many there were.
    async fn send_some(&mut self) -> Result<Result<usize, Gone>, Problem> {
        let rows = self.read().await?;
        let count = rows.len();
        let work = |delivery: Delivery| {
            let hand = self.hand.clone();
            async move { hand.work_on(&delivery).await }
        };
        let mut working = stream::iter(rows).map(work).buffer_unordered(AT_ONCE);
        let mut over = Vec::new();
        while let Some(done) = working.next().await {
            match done {
                Ok(None) => {}
                Ok(Some(place)) => over.push(place),
                Err(gone) => return Ok(Err(gone)),
            }
        }
        if !over.is_empty() {
            let Hand {
                actions,
                subscription,
                ..
            } = &*self.hand;
            let Subscription { log, group, .. } = subscription;
            let acked = actions.books.store.ack_queue(*log, group, &over).await;
            acked.map_err(|error| unavailable("the outbox", &error))?;
        }
        Ok(Ok(count))
    }

    /// Rows that are new, and from time to time those whose lease ended.
    async fn read(&mut self) -> Result<Vec<Delivery>, Problem> {
        let Hand {
            actions,
            subscription,
            ..
        } = &*self.hand;
        let books = &actions.books;
        let ends = books.store.queue_ends(subscription.log).await;
        let ends = ends.map_err(|error| unavailable("the outbox", &error))?;
        let round = (subscription.lease / 4).max(SHORTEST_ROUND);
        let is_round = self.last_round.is_none_or(|last| last.elapsed() >= round);
        let wanted: Vec<(Partition, u64)> = ends
            .into_iter()
            .filter(|(partition, end)| {
                let read_to = self.read_to.get(partition).copied().unwrap_or(0);
                *end > 0 && (is_round || *end > read_to)
            })
            .collect();
        let partitions: Vec<Partition> = wanted.iter().map(|(partition, _)| *partition).collect();
        let reader = Reader {
            log: subscription.log,
            group: &subscription.group,
            consumer: &subscription.consumer,
            lease: books.clock.during(subscription.lease),
        };
        let now = Millis(books.clock.now_ms());
        let rows = books
            .store
            .read_queue(reader, &partitions, now, ROWS)
            .await
            .map_err(|error| unavailable("the outbox", &error))?;
        if rows.len() < ROWS {
            self.read_to.extend(wanted);
            if is_round {
                self.last_round = Some(Instant::now());
            }
        }
        Ok(rows)
    }
}

impl<T> Hand<T> {
    /// Hands one row out; answers its place when nothing is left of it. What fails comes again when
    /// its lease ends.
    async fn work_on(&self, delivery: &Delivery) -> Result<Option<(Partition, u64)>, Gone> {
        let place = (delivery.partition, delivery.sequence);
        let Some(row) = Row::read(&delivery.row) else {
            tracing::error!(
                partition = delivery.partition.number(),
                sequence = delivery.sequence,
                "left a row of the outbox that this version cannot read"
            );
            return Ok(None);
        };
        let channels = &self.subscription.channels;
        if !channels.is_empty() && !channels.contains(&row.channel) {
            return Ok(Some(place));
        }
        // What waits for a slow reader is checked once it can leave, not before.
        let room = self.sender.reserve().await.map_err(|_| Gone)?;
        match self.hand_out(delivery, &row).await {
            Ok(Handed::Out(out)) => {
                room.send((self.form)(*out));
                Ok(None)
            }
            Ok(Handed::Over) => Ok(Some(place)),
            Ok(Handed::Waits) => Ok(None),
            Err(problem) => {
                tracing::warn!(%problem, "an action was not handed out; its lease brings it back");
                Ok(None)
            }
        }
    }

    /// Hands a row out unless it became somebody else's while it waited here; of its lease at least
    /// half is left then.
    async fn hand_out(&self, delivery: &Delivery, row: &Row) -> Result<Handed, Problem> {
        let books = &self.actions.books;
        let lease = books.clock.during(self.subscription.lease);
        let now = Millis(books.clock.now_ms());
        if now.saturating_add(lease / 2) <= delivery.until {
            return self.actions.hand_out(delivery, row).await;
        }
        let until = now.saturating_add(lease);
        let Subscription { log, group, .. } = &self.subscription;
        let place = (delivery.partition, delivery.sequence);
        let queue = (*log, group.as_str());
        let held = self.actions.hold(queue, place, delivery.until, until);
        match held.await? {
            false => Ok(Handed::Waits),
            true => {
                let delivery = Delivery {
                    until,
                    ..delivery.clone()
                };
                self.actions.hand_out(&delivery, row).await
            }
        }
    }
}
