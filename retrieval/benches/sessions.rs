//! What the next item of a session costs over 1,000,000 past sessions, on one thread.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a benchmark may fail loudly"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use retrieval::{SessionSettings, SessionTable, Sessions};

const SESSIONS: u64 = 1_000_000;
const ITEMS: u32 = 100_000;
const QUERIES: usize = 20_000;

struct Numbers(u64);

impl Numbers {
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let bits = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 40;
        f64::from(bits as u32) / f64::from(1u32 << 24)
    }

    /// Zipf with exponent 1 by its continuous inverse: item i about as often as 1 / (i + 1).
    fn item(&mut self) -> u32 {
        let items = f64::from(ITEMS);
        ((items.powf(self.unit()) - 1.0) as u32).min(ITEMS - 1)
    }

    /// 2 to 50 items, most sessions short.
    fn session(&mut self) -> Vec<u32> {
        let length = (2.0 / (1.0 - self.unit()).max(0.04)) as usize;
        (0..length).map(|_| self.item()).collect()
    }
}

fn main() {
    let mut numbers = Numbers(7);
    let mut table = SessionTable::new();
    for age in 0..SESSIONS {
        table.push(&numbers.session(), 2_000_000_000 - age);
    }
    let clicks = table.items.len();
    let start = Instant::now();
    let sessions = Sessions::new(table, ITEMS as usize, SessionSettings::default()).unwrap();
    println!(
        "{SESSIONS} sessions, {clicks} clicks, indexed in {:?}",
        start.elapsed()
    );
    let queries: Vec<Vec<u32>> = (0..QUERIES).map(|_| numbers.session()).collect();
    for query in queries.iter().take(100) {
        black_box(sessions.next(query, 20));
    }
    let mut times: Vec<Duration> = queries
        .iter()
        .map(|query| {
            let start = Instant::now();
            black_box(sessions.next(black_box(query), 20));
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    for (name, permille) in [("p50", 500), ("p90", 900), ("p99", 990)] {
        println!("{name} {:?}", times[QUERIES * permille / 1_000]);
    }
}
