//! What scoring costs on one thread.

use std::hint::black_box;
use std::time::{Duration, Instant};

use ranking::Model;
use serde::Serialize;

use super::rows::Rows;
use crate::failure::{Failure, OrFail as _};
use crate::output::{self, number};

const SIZES: [usize; 3] = [1, 100, 500];

#[derive(Debug, Serialize)]
struct Timing {
    rows: usize,
    calls: usize,
    median_us: f64,
    least_us: f64,
}

pub(super) fn run(model: &dyn Model, rows: &Rows, millis: u64, json: bool) -> anyhow::Result<()> {
    if rows.len() == 0 {
        let hint = "give a file with rows, or none for drawn ones";
        return Err(Failure::usage("there are no rows to score")
            .hint(hint)
            .into());
    }
    let mut timings = Vec::new();
    for size in SIZES
        .into_iter()
        .filter(|size| *size == 1 || *size <= rows.len())
    {
        timings.push(time(model, rows, size, Duration::from_millis(millis))?);
    }
    if json {
        return output::json(&timings);
    }
    let mut table = output::table(["rows", "median", "least", "a row", "calls"]);
    for timing in &timings {
        let rows = u32::try_from(timing.rows).map_or(1.0, f64::from);
        table.add_row([
            number(timing.rows),
            number(format!("{:.1} µs", timing.median_us)),
            number(format!("{:.1} µs", timing.least_us)),
            number(format!("{:.2} µs", timing.median_us / rows)),
            number(timing.calls),
        ]);
    }
    output::result(table);
    Ok(())
}

fn time(model: &dyn Model, rows: &Rows, size: usize, span: Duration) -> anyhow::Result<Timing> {
    let values = rows.values().iter().take(size * model.features().len());
    let values: Vec<f32> = values.copied().collect();
    let mut scores = vec![0.0; size];
    let mut times = Vec::new();
    let started = Instant::now();
    while times.is_empty() || started.elapsed() < span {
        let call = Instant::now();
        let scored = model.score(black_box(&values), &mut scores);
        times.push(call.elapsed());
        scored.or_hint("`cartwright model inspect` shows what the model reads")?;
        black_box(&scores);
    }
    times.sort_unstable();
    let micros = |at: usize| times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e6);
    Ok(Timing {
        rows: size,
        calls: times.len(),
        median_us: micros(times.len() / 2),
        least_us: micros(0),
    })
}
