//! Writers of this process take turns, so that a conflict nearly always means another process, and
//! retries stay rare.

use tokio::sync::{Mutex, MutexGuard};
use xxhash_rust::xxh3::xxh3_64;

/// Many more than there are writes under way: two that only share a lane wait for each other, and
/// of a batch of ten ids each pair does with a chance of 2 %. With one lane a partition every third
/// did, and no more than a handful of batches were under way at a time however slow the store was.
const LANES: u64 = 4_096;

/// A lane for every id, which it may share with others.
#[derive(Debug)]
pub(super) struct Lanes(Box<[Mutex<()>]>);

impl Lanes {
    pub(super) fn new() -> Self {
        Self((0..LANES).map(|_| Mutex::new(())).collect())
    }

    /// Holds the lanes of these ids until what it gives is dropped. All take them in one order,
    /// which is what keeps two writers from waiting for each other.
    pub(super) async fn hold(&self, ids: impl Iterator<Item = &str>) -> Vec<MutexGuard<'_, ()>> {
        let mut lanes: Vec<usize> = ids.map(lane).collect();
        lanes.sort_unstable();
        lanes.dedup();
        let mut held = Vec::with_capacity(lanes.len());
        for lane in lanes {
            if let Some(lane) = self.0.get(lane) {
                held.push(lane.lock().await);
            }
        }
        held
    }
}

fn lane(id: &str) -> usize {
    usize::try_from(xxh3_64(id.as_bytes()) % LANES).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn who_writes_the_same_id_waits_and_nobody_else() {
        let lanes = Lanes::new();
        let held = lanes.hold(["anna", "bert", "anna"].into_iter()).await;
        let other = timeout(SOON, lanes.hold(["carl"].into_iter())).await;
        assert!(other.is_ok(), "carl waits for anna or bert");
        let same = timeout(SOON, lanes.hold(["dora", "bert"].into_iter())).await;
        assert!(same.is_err(), "two write bert at a time");
        drop(held);
        let then = timeout(SOON, lanes.hold(["dora", "bert"].into_iter())).await;
        assert!(then.is_ok(), "bert is held by nobody");
    }

    #[tokio::test]
    async fn ids_in_any_order_end() {
        let lanes = Lanes::new();
        let ids: Vec<String> = (0..50).map(|n| format!("shopper-{n}")).collect();
        let forwards = async {
            for _ in 0..100 {
                let _held = lanes.hold(ids.iter().map(String::as_str)).await;
                tokio::task::yield_now().await;
            }
        };
        let backwards = async {
            for _ in 0..100 {
                let _held = lanes.hold(ids.iter().rev().map(String::as_str)).await;
                tokio::task::yield_now().await;
            }
        };
        let both = async { tokio::join!(forwards, backwards) };
        assert!(
            timeout(Duration::from_secs(10), both).await.is_ok(),
            "they wait for each other"
        );
    }
}
