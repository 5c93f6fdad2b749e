//! How long a generation takes to score, beside the live one: the same work in turn, in the same
//! process.

use std::time::{Duration, Instant};

use ranking::Matrix;
use snapshot::{Verdict, gates};

use crate::ROLE;
use crate::generation::Generation;

/// How much longer than the live one's a block may take.
const MOST: f64 = 1.5;
/// What is this much longer and no more passes whatever the ratio.
const SLACK: Duration = Duration::from_micros(200);
/// Rows of a block: as many candidates as a decision ranks.
const ROWS: usize = 100;
/// The shortest of these counts, since what comes on top is the machine's.
const ROUNDS: usize = 15;

pub(super) fn latency(new: &Generation, live: Option<&Generation>) -> Verdict {
    let blocks = [Some(new), live].map(|one| one.map(Block::of));
    let mut best = [None::<Duration>; 2];
    for _ in 0..ROUNDS {
        for (block, best) in blocks.iter().zip(&mut best) {
            let Some(block) = block else { continue };
            let took = block.score();
            *best = Some(best.map_or(took, |best| best.min(took)));
        }
    }
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let [ours, theirs] = best.map(Option::unwrap_or_default);
    let (measured, bar, passed) = if live.is_some() {
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
    } else {
        let bar = "no live generation to compare with".to_owned();
        (format!("{:.0} µs", micros(ours)), bar, true)
    };
    let measured = format!("{measured} for {ROWS} rows and a cart");
    Verdict::new(gates::LATENCY, ROLE, measured, bar, passed)
}

/// Work that every decision does: a block of candidates ranked, a cart's risk.
struct Block<'a> {
    generation: &'a Generation,
    rows: Matrix,
    cart: Vec<Option<f64>>,
}

impl<'a> Block<'a> {
    fn of(generation: &'a Generation) -> Self {
        let columns = generation
            .ranker
            .as_ref()
            .map_or(0, |one| one.columns().len());
        let values = spread().take(ROWS * columns).collect();
        let inputs = generation.risk.feature_names().len();
        Self {
            generation,
            rows: Matrix::from_values(columns, values).unwrap_or_default(),
            cart: spread().take(inputs).map(|x| Some(f64::from(x))).collect(),
        }
    }

    fn score(&self) -> Duration {
        let mut scores = Vec::with_capacity(ROWS);
        let begun = Instant::now();
        if let Some(ranker) = &self.generation.ranker {
            // A ranker that fails is the golden gate's matter.
            let _ = std::hint::black_box(ranker.score(&self.rows, &mut scores));
        }
        std::hint::black_box(self.generation.risk.risk(&self.cart));
        begun.elapsed()
    }
}

/// Numbers of many sizes, so that trees are walked all over: the same each time.
fn spread() -> impl Iterator<Item = f32> {
    (0_u32..).map(|at| {
        let mixed = at.wrapping_mul(2_654_435_761) >> 16;
        let unit = f32::from(u16::try_from(mixed).unwrap_or(u16::MAX)) / f32::from(u16::MAX);
        (unit * 12.0 - 2.0).exp2() - 1.0
    })
}
