//! The way back: in effect here first, then on record, so that the others follow.

use kit::Problem;
use kit::causes::causes;
use snapshot::{Action, Error, NewActivation};

use crate::held::Generation;
use crate::keeper::{Keeper, Role};
use crate::metrics::Why;

/// Who goes back, and why.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reason {
    pub(crate) action: Action,
    pub(crate) by: String,
    pub(crate) why: String,
}

/// What came of going back.
#[derive(Clone, Debug)]
pub(crate) struct WentBack {
    pub(crate) live: String,
    pub(crate) left: String,
    /// 0: none was written.
    pub(crate) sequence: u64,
    /// Why none was written, where there is a registry.
    pub(crate) unrecorded: Option<String>,
}

impl<R: Role> Keeper<R> {
    /// Goes back to the generation before the live one. `leave` is the live generation that the
    /// caller wants to leave; any when empty.
    ///
    /// # Errors
    /// No generation before is held, or another one is live.
    pub(crate) async fn go_back(&self, leave: &str, reason: Reason) -> Result<WentBack, Problem> {
        let held = self.generations().held();
        let left = held.live.as_ref().map_or("", |live| live.id()).to_owned();
        if !leave.is_empty() && leave != left {
            let said = format!("generation {leave} is not live; {left:?} is");
            return Err(Problem::Precondition(said));
        }
        let Some(previous) = &held.previous else {
            let said = "no generation before the live one is held: activate one by its id";
            return Err(Problem::Precondition(said.to_owned()));
        };
        let live = previous.id().to_owned();
        drop(held);
        let sequence = self.0.book().sequence;
        self.go_live(&live, sequence, Why::of(reason.action))?;
        let mut went = WentBack {
            live,
            left,
            sequence: 0,
            unrecorded: None,
        };
        if self.0.source.is_some() {
            self.put_on_record(&mut went, reason).await;
        }
        Ok(went)
    }

    async fn put_on_record(&self, went: &mut WentBack, reason: Reason) {
        let blocks = match reason.action {
            Action::Automatic => vec![went.left.clone()],
            Action::Activate | Action::Rollback => Vec::new(),
        };
        self.0.book().unrecorded = Some(NewActivation {
            action: reason.action,
            snapshot: went.live.clone(),
            at_ms: self.0.clock.now_ms(),
            by: reason.by,
            why: reason.why,
            blocks,
            ..NewActivation::default()
        });
        match self.record_again().await {
            Ok(sequence) => went.sequence = sequence,
            Err(error) => went.unrecorded = Some(error),
        }
    }

    /// Writes the record of a way back that is not on record yet. Whoever was first has it right:
    /// that record is followed like any other.
    pub(crate) async fn record_again(&self) -> Result<u64, String> {
        let Ok(source) = self.0.source() else {
            return Ok(0);
        };
        let (after, new) = {
            let book = self.0.book();
            match &book.unrecorded {
                Some(new) => (book.sequence, new.clone()),
                None => return Ok(0),
            }
        };
        match source.following.append(after, new).await {
            Ok(record) => {
                let mut book = self.0.book();
                book.unrecorded = None;
                book.sequence = book.sequence.max(record.sequence);
                drop(book);
                self.0.remember(&record.snapshot, record.sequence);
                Ok(record.sequence)
            }
            Err(Error::Conflict { winner }) => {
                self.0.book().unrecorded = None;
                Ok(winner.sequence)
            }
            Err(error) => {
                let said = causes(&error);
                tracing::warn!(error = said, "the way back is not on record yet");
                Err(said)
            }
        }
    }

    /// Goes back because the live generation broke a bar.
    pub(crate) async fn take_back(&self, generation: &str, why: String) {
        let role = self.0.role.name();
        tracing::error!(role, generation, why, "a new generation is taken back");
        let reason = Reason {
            action: Action::Automatic,
            by: role.to_owned(),
            why,
        };
        if let Err(problem) = self.go_back(generation, reason).await {
            tracing::error!(role, generation, %problem, "it could not be taken back");
        }
        self.give_up_trial(generation);
    }
}
