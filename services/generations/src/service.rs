//! `SnapshotService`, the same for every role.

use kit::auth::Scope;
use kit::causes::causes;
use kit::{Clock, MAX_MESSAGE_BYTES, Problem, Violations, timestamp, trace};
use proto::v1 as pb;
use proto::v1::snapshot_service_server::{SnapshotService, SnapshotServiceServer};
use snapshot::{Action, Activation, Verdict};
use tonic::{Request, Response, Status};

use crate::back::Reason;
use crate::held::Generation;
use crate::keeper::{Keeper, Role};
use crate::metrics::Why;

/// Gates that one call may name.
const FORCED: usize = 32;
/// Longest reason and name for the history, in bytes.
const TEXT_BYTES: usize = 1_024;

/// What a role says of itself besides its generations.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// Fingerprint of the feature registry compiled into it; empty when it computes no feature.
    pub schema_fingerprint: String,
    /// `redis`, `embedded` or `none`.
    pub store: String,
}

/// The service of one role.
#[must_use]
pub fn routes<R: Role>(
    keeper: &Keeper<R>,
    identity: Identity,
    clock: Clock,
) -> SnapshotServiceServer<impl SnapshotService> {
    let snapshots = Snapshots {
        keeper: keeper.clone(),
        identity,
        clock,
    };
    SnapshotServiceServer::new(snapshots).max_decoding_message_size(MAX_MESSAGE_BYTES)
}

/// The scope of a method of this service by its path; `None` for those of other services.
#[must_use]
pub fn scope_of(path: &str) -> Option<Scope> {
    let method = path.strip_prefix("/cartwright.v1.SnapshotService/")?;
    Some(match method {
        "GetStatus" | "ListSnapshots" => Scope::Read,
        _ => Scope::Publish,
    })
}

#[derive(Debug)]
struct Snapshots<R: Role> {
    keeper: Keeper<R>,
    identity: Identity,
    clock: Clock,
}

#[tonic::async_trait]
impl<R: Role> SnapshotService for Snapshots<R> {
    async fn get_status(
        &self,
        _request: Request<pb::GetStatusRequest>,
    ) -> Result<Response<pb::GetStatusResponse>, Status> {
        Ok(Response::new(self.status()))
    }

    async fn list_snapshots(
        &self,
        _request: Request<pb::ListSnapshotsRequest>,
    ) -> Result<Response<pb::ListSnapshotsResponse>, Status> {
        let snapshots = self.keeper.published().await?;
        Ok(Response::new(pb::ListSnapshotsResponse { snapshots }))
    }

    async fn prepare(
        &self,
        request: Request<pb::PrepareRequest>,
    ) -> Result<Response<pb::PrepareResponse>, Status> {
        let asked = request.into_inner();
        let mut found = Violations::new();
        found.check_id("snapshot", &asked.snapshot);
        found.check_at_most("force", asked.force.len(), FORCED);
        found.into_result()?;
        trace::note("generation", &*asked.snapshot);
        let prepared = self.keeper.prepare(&asked.snapshot, &asked.force).await?;
        Ok(Response::new(pb::PrepareResponse {
            snapshot: asked.snapshot,
            ready: prepared.refusal.is_none(),
            refusal: prepared.refusal.unwrap_or_default(),
            verdicts: prepared.verdicts.iter().map(verdict).collect(),
        }))
    }

    async fn activate(
        &self,
        request: Request<pb::ActivateRequest>,
    ) -> Result<Response<pb::ActivateResponse>, Status> {
        let asked = request.into_inner();
        let mut found = Violations::new();
        found.check_id("generation", &asked.generation);
        found.into_result()?;
        trace::note("generation", &*asked.generation);
        self.keeper
            .go_live(&asked.generation, asked.sequence, Why::Activate)?;
        let held = self.keeper.generations().held();
        Ok(Response::new(pb::ActivateResponse {
            live_generation: id_of(held.live.as_deref()),
            previous_generation: id_of(held.previous.as_deref()),
        }))
    }

    async fn rollback(
        &self,
        request: Request<pb::RollbackRequest>,
    ) -> Result<Response<pb::RollbackResponse>, Status> {
        let asked = request.into_inner();
        let mut found = Violations::new();
        for (field, text) in [("reason", &asked.reason), ("by", &asked.by)] {
            found.check(text.len() <= TEXT_BYTES, field, || {
                format!("has {} bytes, at most {TEXT_BYTES} are allowed", text.len())
            });
        }
        found.into_result()?;
        let by = if asked.by.is_empty() {
            "SnapshotService".to_owned()
        } else {
            asked.by
        };
        let reason = Reason {
            action: Action::Rollback,
            by,
            why: asked.reason,
        };
        let went = self.keeper.go_back(&asked.generation, reason).await?;
        trace::note("generation", &*went.live);
        Ok(Response::new(pb::RollbackResponse {
            live_generation: went.live,
            previous_generation: went.left,
            sequence: went.sequence,
            unrecorded: went.unrecorded.unwrap_or_default(),
        }))
    }
}

impl<R: Role> Keeper<R> {
    async fn published(&self) -> Result<Vec<pb::SnapshotInfo>, Problem> {
        let source = self.0.source()?;
        let registry = &source.following;
        let unavailable = |error: snapshot::Error| Problem::Unavailable(causes(&error));
        let listed = registry.list().await.map_err(unavailable)?;
        let history = registry.history().await.map_err(unavailable)?;
        let active = history.last().map(|head| &head.snapshot);
        let info = |one: &snapshot::Listed| {
            let manifest = one.manifest.as_deref().ok();
            let files = manifest.map(|manifest| manifest.files.values());
            pb::SnapshotInfo {
                id: one.id.clone(),
                created_at: manifest.map(|manifest| timestamp::encode(manifest.created_at_ms)),
                parent: manifest
                    .and_then(|manifest| manifest.parent.clone())
                    .unwrap_or_default(),
                bytes: files.into_iter().flatten().map(|file| file.size).sum(),
                resident_bytes: manifest.map_or(0, |manifest| manifest.resident_bytes),
                active: active == Some(&one.id),
                held: self.generations().get(&one.id).is_ok(),
                blocked: Activation::blocking(&history, &one.id).is_some(),
            }
        };
        Ok(listed.iter().map(info).collect())
    }
}

impl<R: Role> Snapshots<R> {
    fn status(&self) -> pb::GetStatusResponse {
        let (held, book) = (self.keeper.generations().held(), self.keeper.book());
        let in_order = [&held.live, &held.previous, &held.prepared];
        pb::GetStatusResponse {
            role: self.keeper.role().name().to_owned(),
            live_generation: id_of(held.live.as_deref()),
            previous_generation: id_of(held.previous.as_deref()),
            prepared_generation: id_of(held.prepared.as_deref()),
            generations: in_order
                .into_iter()
                .flatten()
                .map(|one| info(&**one, book.verdicts.get(one.id())))
                .collect(),
            schema_fingerprint: self.identity.schema_fingerprint.clone(),
            version: kit::VERSION.to_owned(),
            now: Some(timestamp::encode(self.clock.now_ms())),
            store: self.identity.store.clone(),
            loading: book.loading.map(|loading| pb::Loading {
                snapshot: loading.snapshot,
                step: loading.step.as_str().to_owned(),
                done_bytes: loading.done_bytes,
                total_bytes: loading.total_bytes,
                since: Some(timestamp::encode(loading.since_ms)),
            }),
            failure: book.failure.map(|failure| pb::LoadFailure {
                snapshot: failure.snapshot,
                step: failure.step.as_str().to_owned(),
                message: failure.message,
                at: Some(timestamp::encode(failure.at_ms)),
            }),
            sequence: book.sequence,
            registry: self.keeper.registry_url().to_owned(),
            registry_reachable: book.reachable,
            blocked: book.blocked,
            retiring: u32::try_from(self.keeper.generations().retiring()).unwrap_or(u32::MAX),
        }
    }
}

fn info(generation: &impl Generation, verdicts: Option<&Vec<Verdict>>) -> pb::GenerationInfo {
    pb::GenerationInfo {
        id: generation.id().to_owned(),
        loaded_at: Some(timestamp::encode(generation.loaded_at_ms())),
        items: u64::try_from(generation.items()).unwrap_or(u64::MAX),
        resident_bytes: generation.resident_bytes(),
        verdicts: verdicts.into_iter().flatten().map(verdict).collect(),
    }
}

fn verdict(one: &Verdict) -> pb::Verdict {
    pb::Verdict {
        gate: one.gate.clone(),
        role: one.role.clone(),
        measured: one.measured.clone(),
        bar: one.bar.clone(),
        passed: one.passed,
        forced: one.forced,
    }
}

fn id_of<G: Generation>(generation: Option<&G>) -> String {
    generation
        .map(|one| one.id().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_what_is_live_needs_the_scope_publish() {
        let scope = |method: &str| scope_of(&format!("/cartwright.v1.SnapshotService/{method}"));
        for method in ["Prepare", "Activate", "Rollback"] {
            assert_eq!(scope(method), Some(Scope::Publish), "{method}");
        }
        assert_eq!(scope("GetStatus"), Some(Scope::Read));
        assert_eq!(scope("ListSnapshots"), Some(Scope::Read));
        assert_eq!(scope_of("/cartwright.v1.RecoveryService/Decide"), None);
    }
}
