//! How long a generation takes to answer, beside the live one: the same requests in turn, in the
//! same process.

use std::time::{Duration, Instant};

use retrieval::{Gate, Model, Query};
use snapshot::{Verdict, gates};

use super::golden::Request;
use crate::role::ROLE;

/// How much longer than the live one's the median answer may take.
const MOST: f64 = 1.5;
/// What is this much longer and no more passes whatever the ratio: below it a shopper notices
/// nothing, and a small model's few microseconds say little.
const SLACK: Duration = Duration::from_micros(200);
/// Times each request is put to each; its shortest time counts, since what comes on top is the
/// machine's.
const ROUNDS: usize = 7;

pub(super) fn latency(new: &Model, live: Option<&Model>, requests: &[Request]) -> Verdict {
    let queries: Vec<Query> = requests.iter().filter_map(Request::query).collect();
    let mine = shortest(&[Some(new), live], &queries);
    let [ours, theirs] = mine;
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let (measured, bar, passed) = match (ours, theirs) {
        (None, _) => (
            "no stored requests to measure with".to_owned(),
            "stored requests".to_owned(),
            true,
        ),
        (Some(ours), None) => (
            format!("{:.0} µs", micros(ours)),
            "no live generation to compare with".to_owned(),
            true,
        ),
        (Some(ours), Some(theirs)) => {
            let ratio = micros(ours) / micros(theirs).max(1.0);
            (
                format!(
                    "{:.0} µs, live {:.0} µs: {ratio:.2} ×",
                    micros(ours),
                    micros(theirs)
                ),
                format!("{MOST} ×, or {} µs more", SLACK.as_micros()),
                ratio <= MOST || ours <= theirs + SLACK,
            )
        }
    };
    Verdict::new(gates::LATENCY, ROLE, measured, bar, passed)
}

/// The median over the requests of each one's shortest time, for each model.
fn shortest(models: &[Option<&Model>; 2], queries: &[Query]) -> [Option<Duration>; 2] {
    let gates = models.map(|model| Gate::open(model.map_or(0, |model| model.catalogue().len())));
    let mut times = [Vec::new(), Vec::new()];
    for query in queries {
        let mut best = [None::<Duration>; 2];
        for _ in 0..ROUNDS {
            for ((model, gate), best) in models.iter().zip(&gates).zip(&mut best) {
                let Some(model) = model else { continue };
                let begun = Instant::now();
                // A request that is refused is the golden gate's matter.
                let _ = std::hint::black_box(model.retrieve(query, gate));
                let took = begun.elapsed();
                *best = Some(best.map_or(took, |best| best.min(took)));
            }
        }
        for (times, best) in times.iter_mut().zip(best) {
            times.extend(best);
        }
    }
    times.map(|mut times| {
        times.sort_unstable();
        times.get(times.len() / 2).copied()
    })
}
