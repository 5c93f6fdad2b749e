//! Checks of running servers: who they are, and what they answer from.

use proto::v1 as pb;
use proto::v1::snapshot_service_client::SnapshotServiceClient;

use kit::Clock;

use super::Finding;
use crate::remote::Access;
use crate::{output, remote, wire};

/// Simulated clocks differ by years; this only catches clocks that drift.
const DRIFT_MS: i64 = 5_000;

pub(super) async fn examine(url: &str, access: &Access) -> Finding {
    let channel = match remote::connect(url, access).await {
        Ok(channel) => channel,
        Err(error) => return Finding::fail(url, error.to_string()),
    };
    let status = SnapshotServiceClient::new(channel)
        .get_status(pb::GetStatusRequest {})
        .await;
    match status {
        Err(status) => Finding::fail(url, format!("{}: {}", status.code(), status.message())),
        Ok(status) => describe(url, &status.into_inner()),
    }
}

fn describe(url: &str, status: &pb::GetStatusResponse) -> Finding {
    let generation = status
        .live_generation
        .get(..12)
        .unwrap_or(&status.live_generation);
    let generation = if generation.is_empty() {
        "none"
    } else {
        generation
    };
    let detail = format!(
        "{} {}, store {}, generation {generation}",
        status.role, status.version, status.store
    );
    let here = Clock::real().now_ms();
    let there = status.now.as_ref().map_or(here, |now| wire::millis(now).0);
    if here.abs_diff(there) > DRIFT_MS.unsigned_abs() {
        let shown = output::time(there);
        return Finding::warn(
            url,
            format!("{detail}; its clock shows {shown}, simulated or wrong"),
        );
    }
    Finding::ok(url, detail)
}
