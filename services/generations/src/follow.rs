//! Follows the registry's records: what the newest names goes live here.

use std::time::Duration;

use kit::causes::causes;
use kit::health::Health;
use kit::{CancellationToken, Problem, Running};
use snapshot::{Action, Activation, gates};

use crate::book::Step;
use crate::keeper::{Keeper, Role};
use crate::metrics::Why;

impl Why {
    pub(crate) fn of(action: Action) -> Self {
        match action {
            Action::Activate => Self::Activate,
            Action::Rollback => Self::Rollback,
            Action::Automatic => Self::Automatic,
        }
    }
}

impl<R: Role> Keeper<R> {
    /// Lets a started role follow its registry and judge what goes live.
    pub fn attach(&self, running: &mut Running, stop: &CancellationToken) {
        self.attach_follower(running, stop);
        let judge = self.clone().judge(running.requests().clone(), stop.clone());
        running.attach(tokio::spawn(judge));
    }

    /// Lets a started role follow its registry.
    pub fn attach_follower(&self, running: &mut Running, stop: &CancellationToken) {
        let follow = self.clone().follow(running.health().clone(), stop.clone());
        running.attach(tokio::spawn(follow));
    }

    /// Looks at the registry as often as the settings say, for as long as the role lives. Does
    /// nothing without one.
    async fn follow(self, health: Health, stop: CancellationToken) {
        let mut every = tokio::time::interval(self.settings().poll.0);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut seen = None;
        while stop.run_until_cancelled(every.tick()).await.is_some() {
            if self.0.source.is_some() {
                self.look(&mut seen, &health, &stop).await;
            }
            self.remark(&health);
        }
    }

    /// Acts on what is new; what cannot be reached is looked at again.
    async fn look(&self, seen: &mut Option<u64>, health: &Health, stop: &CancellationToken) {
        // What it says is in the log, and it is tried again at the next look.
        let _ = self.record_again().await;
        let Ok(source) = self.0.source() else {
            return;
        };
        let registry = &source.following;
        let newer = match *seen {
            Some(sequence) => registry.next(sequence).await.map(|next| next.is_some()),
            None => Ok(true),
        };
        let history = match newer {
            Ok(false) => {
                self.reached(None);
                return;
            }
            Ok(true) => registry.history().await,
            Err(error) => Err(error),
        };
        match history {
            Ok(history) => {
                self.reached(None);
                let Some(head) = history.last() else {
                    *seen = None;
                    return;
                };
                *seen = Some(head.sequence);
                self.note_blocked(&history);
                self.obey(head, health, stop).await;
            }
            Err(error) => self.reached(Some(&error)),
        }
    }

    /// What is held goes live at once. What is not is brought by a task of its own, so that a newer
    /// record, such as a way back, need not wait for it.
    async fn obey(&self, head: &Activation, health: &Health, stop: &CancellationToken) {
        let (id, sequence, why) = (&head.snapshot, head.sequence, Why::of(head.action));
        match self.go_live(id, sequence, why) {
            Ok(()) => {
                // Whoever was told to activate before any record was there is ready by now.
                if !stop.is_cancelled() {
                    health.ready().await;
                }
                return;
            }
            Err(Problem::Precondition(_)) => return,
            Err(Problem::NotHeld(_)) => {}
            Err(problem) => {
                tracing::error!(%problem, sequence, "cannot follow a record");
                return;
            }
        }
        let (keeper, head, health) = (self.clone(), head.clone(), health.clone());
        let bring = stop.clone().run_until_cancelled_owned(async move {
            keeper.bring(&head, &health).await;
        });
        tokio::spawn(bring);
    }

    async fn bring(&self, head: &Activation, health: &Health) {
        let mut pause = Duration::from_millis(500);
        let force = not_asked_again(head);
        loop {
            match self.prepare(&head.snapshot, &force).await {
                Ok(prepared) if prepared.refusal.is_none() => break,
                // The log, the status and the metrics have why.
                Ok(_) | Err(Problem::NotFound(_)) => return,
                Err(_) if self.0.book().newest > head.sequence => return,
                Err(_) => tokio::time::sleep(pause).await,
            }
            pause = (pause * 2).min(Duration::from_secs(30));
        }
        let first = self.generations().live().is_none();
        let why = if first {
            Why::Start
        } else {
            Why::of(head.action)
        };
        // A newer record may be in force by now: then that one is followed.
        if self.go_live(&head.snapshot, head.sequence, why).is_ok() && first {
            health.ready().await;
        }
    }

    fn note_blocked(&self, history: &[Activation]) {
        let named = history.iter().flat_map(|record| &record.blocks);
        let mut blocked: Vec<String> = named
            .filter(|id| Activation::blocking(history, id).is_some())
            .cloned()
            .collect();
        blocked.sort_unstable();
        blocked.dedup();
        let mut book = self.0.book();
        book.blocked = blocked;
        if let Some(head) = history.last() {
            book.newest = book.newest.max(head.sequence);
        }
    }

    fn reached(&self, error: Option<&snapshot::Error>) {
        let before = std::mem::replace(&mut self.0.book().reachable, error.is_none());
        let role = self.0.role.name();
        match error {
            Some(error) if before => {
                let error = causes(error);
                tracing::warn!(
                    role,
                    error,
                    "the registry does not answer; what is live stays"
                );
            }
            None if !before => tracing::info!(role, "the registry answers"),
            Some(_) | None => {}
        }
    }

    /// What is amiss, beside readiness.
    fn remark(&self, health: &Health) {
        let book = self.0.book();
        let said = match &book.failure {
            Some(failure) if failure.step == Step::Fetching => {
                format!(
                    "snapshot {} is not fetched: {}",
                    failure.snapshot, failure.message
                )
            }
            Some(failure) => format!(
                "snapshot {} stays out: {}",
                failure.snapshot, failure.message
            ),
            None if self.0.source.is_some() && !book.reachable => {
                "the registry does not answer".to_owned()
            }
            None => String::new(),
        };
        drop(book);
        if *health.detail() != said {
            health.remark(said);
        }
    }
}

/// Gates that whoever follows a record need not pass: those that were gone past for it, and for a
/// way back the comparison with what is left.
fn not_asked_again(record: &Activation) -> Vec<String> {
    let mut force = record.forced.clone();
    match record.action {
        Action::Activate => {}
        Action::Rollback | Action::Automatic => {
            force.extend([gates::QUALITY, gates::LATENCY].map(str::to_owned));
        }
    }
    force
}

/// The newest records first, each snapshot once: what to try in turn at the start.
pub(crate) fn candidates(history: &[Activation]) -> Vec<&Activation> {
    let mut tried = Vec::new();
    let mut found: Vec<&Activation> = Vec::new();
    for record in history.iter().rev() {
        if !tried.contains(&&record.snapshot) {
            tried.push(&record.snapshot);
            found.push(record);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_back_is_followed_although_it_is_worse_than_what_is_left() {
        let record = |action| Activation {
            action,
            forced: vec!["recall".to_owned()],
            ..Activation::default()
        };
        assert_eq!(not_asked_again(&record(Action::Activate)), ["recall"]);
        for back in [Action::Rollback, Action::Automatic] {
            let force = not_asked_again(&record(back));
            assert_eq!(force, ["recall", "quality", "latency"]);
        }
    }

    #[test]
    fn at_the_start_the_newest_is_tried_first_and_each_once() {
        let record = |sequence, snapshot: &str| Activation {
            sequence,
            snapshot: snapshot.to_owned(),
            ..Activation::default()
        };
        let history = [record(1, "a"), record(2, "b"), record(3, "a")];
        let tried: Vec<_> = candidates(&history)
            .iter()
            .map(|one| one.sequence)
            .collect();
        assert_eq!(tried, [3, 2]);
    }
}
