//! The answer: a preview is told, a commit is kept first.

use kit::trace::{self, STAGE};
use kit::{Deadline, Problem};
use tracing::{Instrument as _, info_span};

use super::question::Question;
use super::{Answer, Decided, Decider};
use crate::convert;
use crate::generation::Generation;
use crate::request::Mode;

impl Decider {
    pub(super) async fn answer(
        &self,
        question: &mut Question,
        decided: Decided,
        generation: &Generation,
        deadline: Deadline,
    ) -> Answer {
        let request = &question.request;
        let degraded = !decided.notes.degraded.is_empty();
        let count = |action: &'static str| {
            trace::note("action", action);
            let metrics = &self.stages.metrics;
            metrics.decided(action, request.mode.as_str(), degraded);
        };
        match request.mode {
            Mode::Preview => {
                count(decided.decision.action.as_str());
                Ok(convert::decision(&decided, String::new()))
            }
            Mode::Commit => {
                let person = question.person.take();
                // Boxed: a decision on its way is large, and previews need not carry the room.
                let keeping = Box::pin(self.books()?.keep(request, person, decided, generation));
                let keeping = within(deadline, keeping);
                let stage = info_span!(target: STAGE, "commit");
                let (answer, is_new) = keeping.instrument(stage).await?;
                if is_new {
                    count(convert::action_name(&answer));
                }
                Ok(answer)
            }
        }
    }
}

/// Without the log no promise can be kept, and the caller is told in time.
pub(super) async fn within<T>(
    deadline: Deadline,
    work: impl Future<Output = Result<T, Problem>>,
) -> Result<T, Problem> {
    deadline.bound(work).await.unwrap_or_else(|| {
        Err(Problem::Unavailable(
            "the decision log did not answer in time; ask again with the same request_id"
                .to_owned(),
        ))
    })
}
