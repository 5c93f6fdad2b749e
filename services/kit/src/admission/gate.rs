//! Places, the queue for them, and who is refused.
//!
//! The queue is Facebook's ("Fail at Scale", ACM Queue 13(8), 2015, after CoDel): while it is only
//! a burst that waits, the first comes first and may wait [`PATIENCE`]; once the queue has not been
//! empty for that long, calls come faster than they are done, and the newest comes first and waits
//! [`PATIENCE_OVERLOADED`] at most: it is the one whose caller is still there. That lasts until
//! nobody has been refused for [`CALM`].

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::limit::Limit;
use super::meter::Meter;
use super::refusal::{Reason, Refusal, stay_away};
use super::{Pressure, Settings, methods};

const PATIENCE: Duration = Duration::from_millis(100);
const PATIENCE_OVERLOADED: Duration = Duration::from_millis(5);
const CALM: Duration = Duration::from_secs(1);

/// Lets calls in, makes them wait, or refuses them.
#[derive(Debug)]
pub struct Gate {
    methods: HashMap<String, usize>,
    meter: Meter,
    limit: AtomicUsize,
    /// What the limit never passes, and what bounds calls while it does not hold.
    most: usize,
    under_way: AtomicUsize,
    /// Length of the queue, so that nobody locks it in vain.
    queued: AtomicUsize,
    queue: Mutex<Queue>,
    longest_queue: usize,
    admitted: AtomicU64,
    refused: [AtomicU64; Reason::ALL.len()],
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    next_id: u64,
    /// Since when it has not been empty.
    filled: Option<Instant>,
    /// The overload under way: since when, and when somebody was last refused.
    overload: Option<(Instant, Instant)>,
}

#[derive(Debug)]
struct Waiting {
    id: u64,
    place: oneshot::Sender<Place>,
}

/// What becomes of a call.
#[derive(Debug)]
pub(super) enum Entry {
    In(Place),
    Wait(Ticket),
    Refused(Refusal),
}

/// A place among the calls under way; dropping it gives it to the next.
#[derive(Debug)]
pub(super) struct Place {
    gate: Option<Arc<Gate>>,
    /// When it was given.
    pub(super) since: Instant,
}

/// A call in the queue. Dropping it leaves the queue.
#[derive(Debug)]
pub(super) struct Ticket {
    gate: Arc<Gate>,
    id: u64,
    place: oneshot::Receiver<Place>,
    patience: Duration,
}

impl Gate {
    /// A gate for the unary methods of `services`.
    #[must_use]
    pub fn new(
        settings: &Settings,
        services: &[&'static str],
        pressure: Pressure,
        now: Instant,
    ) -> Arc<Self> {
        let methods = methods::limited(services);
        let limit = Limit::new(settings.least, settings.most, methods.len());
        Arc::new(Self {
            limit: AtomicUsize::new(limit.get()),
            meter: Meter::new(limit, methods.len(), pressure, now),
            methods,
            most: usize::try_from(settings.most).unwrap_or(usize::MAX),
            under_way: AtomicUsize::new(0),
            queued: AtomicUsize::new(0),
            queue: Mutex::default(),
            longest_queue: usize::try_from(settings.queue).unwrap_or(usize::MAX),
            admitted: AtomicU64::new(0),
            refused: Default::default(),
        })
    }

    /// Calls that may be under way now.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// Calls under way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }

    /// Calls that wait for a place.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// Calls let in so far.
    #[must_use]
    pub fn admitted(&self) -> u64 {
        self.admitted.load(Ordering::Relaxed)
    }

    /// Calls refused so far, by reason.
    #[must_use]
    pub fn refused(&self) -> [(Reason, u64); Reason::ALL.len()] {
        let count = |reason: Reason| {
            self.refusals(reason)
                .map_or(0, |n| n.load(Ordering::Relaxed))
        };
        Reason::ALL.map(|reason| (reason, count(reason)))
    }

    pub(super) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// The method behind a path, when it passes the gate at all.
    pub(super) fn method(&self, path: &str) -> Option<usize> {
        self.methods.get(path).copied()
    }

    /// A call of `method` comes, with so much time left when its caller gave a deadline.
    pub(super) fn enter(
        self: &Arc<Self>,
        method: usize,
        left: Option<Duration>,
        now: Instant,
    ) -> Entry {
        self.meter.came();
        self.roll(now);
        let need = self.meter.need(method, now);
        let spare = left.map(|left| left.saturating_sub(need));
        if spare == Some(Duration::ZERO) {
            return Entry::Refused(self.refuse_late(left.unwrap_or_default(), need, now));
        }
        if self.take_place(now) {
            return Entry::In(self.place(now));
        }
        self.line_up(spare, now)
    }

    fn line_up(self: &Arc<Self>, spare: Option<Duration>, now: Instant) -> Entry {
        let mut queue = self.lock();
        if queue.waiting.len() >= self.longest_queue {
            return Entry::Refused(self.refuse(&mut queue, Reason::Full, now));
        }
        let patience = queue.patience(now).min(spare.unwrap_or(Duration::MAX));
        let (place, receiver) = oneshot::channel();
        let id = queue.next_id;
        queue.next_id += 1;
        queue.waiting.push_back(Waiting { id, place });
        queue.filled.get_or_insert(now);
        self.queued.store(queue.waiting.len(), Ordering::SeqCst);
        // A place may have become free before this call could be seen in the queue.
        self.serve(&mut queue, now);
        Entry::Wait(Ticket {
            gate: Arc::clone(self),
            id,
            place: receiver,
            patience,
        })
    }

    /// Gives free places to those who wait.
    fn serve(self: &Arc<Self>, queue: &mut Queue, now: Instant) {
        while !queue.waiting.is_empty() && self.take_place(now) {
            if let Some(mut unused) = queue.hand_out(self.place(now), now) {
                // Given back by hand: to drop it would lock the queue again.
                unused.gate = None;
                self.under_way.fetch_sub(1, Ordering::SeqCst);
            }
        }
        self.emptied(queue);
    }

    fn emptied(&self, queue: &mut Queue) {
        if queue.waiting.is_empty() {
            queue.filled = None;
        }
        self.queued.store(queue.waiting.len(), Ordering::SeqCst);
    }

    fn take_place(&self, now: Instant) -> bool {
        let limit = self.limit.load(Ordering::Relaxed);
        let enough = |calls: usize| calls >= limit && (calls >= self.most || self.meter.holds(now));
        let taken = self
            .under_way
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |calls| {
                (!enough(calls)).then_some(calls + 1)
            });
        if let Ok(before) = taken {
            self.meter.under_way(before + 1);
        }
        taken.is_ok()
    }

    fn place(self: &Arc<Self>, now: Instant) -> Place {
        self.admitted.fetch_add(1, Ordering::Relaxed);
        Place {
            gate: Some(Arc::clone(self)),
            since: now,
        }
    }

    fn leave(self: &Arc<Self>) {
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        if self.queued.load(Ordering::SeqCst) > 0 {
            self.serve(&mut self.lock(), Instant::now());
        }
    }

    /// Moves the limit when a window has ended.
    pub(super) fn roll(self: &Arc<Self>, now: Instant) {
        if let Some(limit) = self.meter.roll(now) {
            self.limit.store(limit, Ordering::Relaxed);
            if self.queued.load(Ordering::SeqCst) > 0 {
                self.serve(&mut self.lock(), now);
            }
        }
    }

    fn refuse_late(&self, left: Duration, need: Duration, now: Instant) -> Refusal {
        let mut refusal = self.refuse(&mut self.lock(), Reason::Deadline, now);
        let (left, need) = (left.as_millis(), need.as_millis());
        refusal.why = format!("{left} ms are left and such a call takes {need} ms now");
        refusal
    }

    fn refuse(&self, queue: &mut Queue, reason: Reason, now: Instant) -> Refusal {
        let number = self
            .refusals(reason)
            .map_or(0, |n| n.fetch_add(1, Ordering::Relaxed));
        if let Some((_, last)) = &mut queue.overload {
            *last = now;
        }
        let (calls, waiting) = (self.under_way(), queue.waiting.len());
        Refusal {
            reason,
            why: format!("{calls} calls are under way and {waiting} wait"),
            retry: stay_away(queue.overloaded_for(now), number),
        }
    }

    fn refusals(&self, reason: Reason) -> Option<&AtomicU64> {
        let at = Reason::ALL.iter().position(|one| *one == reason)?;
        self.refused.get(at)
    }

    /// What the queue holds stays whole, whoever panicked.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// How long a call that comes now may wait.
    fn patience(&mut self, now: Instant) -> Duration {
        if self.is_overloaded(now) {
            PATIENCE_OVERLOADED
        } else {
            PATIENCE
        }
    }

    /// The oldest of a burst, the newest of an overload.
    fn next(&mut self, now: Instant) -> Option<Waiting> {
        if self.is_overloaded(now) {
            self.waiting.pop_back()
        } else {
            self.waiting.pop_front()
        }
    }

    /// Gives the place to the next who still waits; back when nobody does.
    fn hand_out(&mut self, mut place: Place, now: Instant) -> Option<Place> {
        while let Some(next) = self.next(now) {
            match next.place.send(place) {
                Ok(()) => return None,
                Err(back) => place = back,
            }
        }
        Some(place)
    }

    fn is_overloaded(&mut self, now: Instant) -> bool {
        let standing = self
            .filled
            .is_some_and(|filled| now.saturating_duration_since(filled) >= PATIENCE);
        if standing && self.overload.is_none() {
            self.overload = Some((now, now));
        }
        let calm = |last: Instant| now.saturating_duration_since(last) >= CALM;
        if !standing && self.overload.is_some_and(|(_, last)| calm(last)) {
            self.overload = None;
        }
        self.overload.is_some()
    }

    fn overloaded_for(&self, now: Instant) -> Duration {
        self.overload.map_or(Duration::ZERO, |(since, _)| {
            now.saturating_duration_since(since)
        })
    }
}

impl Ticket {
    /// Waits for a place, as long as that makes sense.
    pub(super) async fn wait(mut self) -> Result<Place, Refusal> {
        match tokio::time::timeout(self.patience, &mut self.place).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => {
                let now = Instant::now();
                Err(self.gate.refuse(&mut self.gate.lock(), Reason::Waited, now))
            }
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut queue = self.gate.lock();
        if let Some(at) = queue.waiting.iter().position(|one| one.id == self.id) {
            queue.waiting.remove(at);
            self.gate.emptied(&mut queue);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(gate) = self.gate.take() {
            gate.leave();
        }
    }
}

#[cfg(test)]
mod tests;
