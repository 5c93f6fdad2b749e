//! What an empty call reaches over the same connections, and which share of it a scenario reaches.
//!
//! The one loop here that waits for answers: it asks how much fits through, not how long a caller
//! waits, and takes no part in any latency.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::engine::Operation;
use crate::scenario::Scenario;
use crate::scenario::health::Health;
use crate::targets::Pool;

/// Rates in answers a second, both with the same number of requests in flight.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ceiling {
    pub(crate) what: &'static str,
    pub(crate) scenario: f64,
    pub(crate) empty: f64,
}

pub(crate) const WHAT: &str = "grpc health check on the same connections";
const IN_FLIGHT: u64 = 32;
/// What each window sends before it counts, as a part of it.
const WARMUP: u32 = 3;
/// A B B A: what drifts meets both alike.
const TURNS: [bool; 4] = [true, false, false, true];

/// Measures both in turns; nothing where the server does not answer the empty call.
/// `numbers` is the scenario's next request number; each `window` uses some thousands.
pub(crate) fn measure(
    runtime: &Runtime,
    scenario: &Arc<Scenario>,
    pool: &Pool,
    numbers: &mut u64,
    window: Duration,
) -> Option<Ceiling> {
    let health = Arc::new(Health::new(pool.clone()));
    let (mut of_scenario, mut of_empty) = (0.0, 0.0);
    let mut empty_number = 0;
    for turn in TURNS {
        if turn {
            of_empty += runtime.block_on(saturate(&health, &mut empty_number, window)) / 2.0;
        } else {
            of_scenario += runtime.block_on(saturate(scenario, numbers, window)) / 2.0;
        }
    }
    (of_empty > 0.0).then_some(Ceiling {
        what: WHAT,
        scenario: of_scenario,
        empty: of_empty,
    })
}

/// Good answers a second with `IN_FLIGHT` requests always on their way.
#[expect(clippy::cast_precision_loss, reason = "a count of a second's answers")]
async fn saturate<O: Operation>(operation: &Arc<O>, numbers: &mut u64, window: Duration) -> f64 {
    let (next, good) = (
        Arc::new(AtomicU64::new(*numbers)),
        Arc::new(AtomicU64::new(0)),
    );
    let from = Instant::now() + window / WARMUP;
    let until = from + window;
    let mut tasks = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let (operation, next, good) = (Arc::clone(operation), Arc::clone(&next), Arc::clone(&good));
        tasks.spawn(async move {
            while Instant::now() < until {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let answer = operation.call(number).await;
                let now = Instant::now();
                if answer.failure.is_none() && now >= from && now < until {
                    good.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    tasks.join_all().await;
    *numbers = next.load(Ordering::Relaxed);
    good.load(Ordering::Relaxed) as f64 / window.as_secs_f64()
}
