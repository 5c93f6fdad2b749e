//! What a role answers from when it starts.

use std::path::Path;
use std::time::Duration;

use kit::Problem;
use kit::causes::causes;

use crate::book::Step;
use crate::error::LoadError;
use crate::follow::candidates;
use crate::held::Generation;
use crate::keeper::{Keeper, Role};
use crate::metrics::Why;
use crate::source::Source;

/// How long the registry may take to say what is live, before what was live last has to do.
const PATIENCE: Duration = Duration::from_secs(5);

impl<R: Role> Keeper<R> {
    /// Loads what the role answers from: what the registry's newest record names, else what was live
    /// here last, else `folder`. False when there is nothing yet: then the first record that
    /// [`Keeper::follow`] sees makes the role ready.
    ///
    /// # Errors
    /// What is wrong with the folder, when it is all there is.
    pub async fn begin(&self, folder: Option<&Path>) -> Result<bool, LoadError<R::Error>> {
        if let Some(source) = &self.0.source
            && self.begin_from(source).await
        {
            return Ok(true);
        }
        match folder {
            Some(folder) => self.first(folder).await.map(|()| true),
            None => Ok(false),
        }
    }

    async fn begin_from(&self, source: &Source) -> bool {
        let role = self.0.role.name();
        let asked = tokio::time::timeout(PATIENCE, source.following.history()).await;
        let history = match asked {
            Ok(Ok(history)) => history,
            Ok(Err(error)) => return self.begin_without(source, causes(&error)).await,
            Err(late) => return self.begin_without(source, late.to_string()).await,
        };
        for record in candidates(&history) {
            match self.prepare(&record.snapshot, &record.forced).await {
                Ok(prepared) if prepared.refusal.is_none() => {
                    return self
                        .go_live(&record.snapshot, record.sequence, Why::Start)
                        .is_ok();
                }
                // The log has why, and the one before it is whole.
                Ok(_) | Err(Problem::NotFound(_)) => {}
                Err(problem) => return self.begin_without(source, problem.to_string()).await,
            }
        }
        tracing::warn!(
            role,
            registry = source.following.url(),
            "no snapshot is live in the registry yet"
        );
        false
    }

    /// From the cache: it was examined when it went live.
    async fn begin_without(&self, source: &Source, why: String) -> bool {
        let role = self.0.role.name();
        let Some((remembered, folder)) = source.remembered() else {
            tracing::warn!(
                role,
                why,
                "the registry does not answer, and nothing was live here before"
            );
            return false;
        };
        let (id, sequence) = (remembered.snapshot, remembered.sequence);
        tracing::warn!(
            role,
            why,
            generation = id,
            "the registry does not answer: what was live last has to do"
        );
        let kept = self.0.clone();
        let loaded = self.0.loader.run(move |_| kept.remembered(&folder)).await;
        match loaded {
            Ok(Some(generation)) => {
                let id = generation.id().to_owned();
                self.0.generations.prepare(generation);
                self.go_live(&id, sequence, Why::Start).is_ok()
            }
            Ok(None) => false,
            Err(broken) => {
                self.0.failed(&id, Step::Loading, broken.to_string());
                false
            }
        }
    }
}
