//! What the next item of a session costs over 1,000,000 past sessions, on one thread; and what it costs
//! that the sessions of erased shoppers can be taken out, in one run.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a benchmark may fail loudly"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use retrieval::{Erased, SessionSettings, SessionTable, Sessions};

const SESSIONS: u64 = 1_000_000;
const ITEMS: u32 = 100_000;
const QUERIES: usize = 20_000;
const SHOPPERS: u64 = 300_000;
const ERASED: u64 = 1_000;

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
    let (mut table, mut keyed) = (SessionTable::new(), SessionTable::new());
    for age in 0..SESSIONS {
        let (session, ended) = (numbers.session(), 2_000_000_000 - age);
        table.push(&session, ended);
        keyed.push_of(age % SHOPPERS, &session, ended);
    }
    let clicks = table.items.len();
    let start = Instant::now();
    let sessions = open(table);
    println!(
        "{SESSIONS} sessions, {clicks} clicks, indexed in {:?}",
        start.elapsed()
    );
    let keyed = open(keyed);
    let queries: Vec<Vec<u32>> = (0..QUERIES).map(|_| numbers.session()).collect();
    for query in queries.iter().take(100) {
        black_box(sessions.next(query, 20));
    }
    let mut times: Vec<Duration> = queries.iter().map(|query| time(&sessions, query)).collect();
    times.sort_unstable();
    for (name, permille) in [("p50", 500), ("p90", 900), ("p99", 990)] {
        println!("{name} {:?}", times[QUERIES * permille / 1_000]);
    }
    let erased: Erased = (0..ERASED).map(|shopper| (shopper * 7, u64::MAX)).collect();
    let start = Instant::now();
    let (left, gone) = keyed.without(&erased).unwrap().unwrap();
    let took = start.elapsed();
    println!("{gone} sessions of {ERASED} erased shoppers taken out in {took:?}");
    println!(
        "mean against sessions without MACs: with {:.3}, after taking out {:.3}",
        ratio(&sessions, &keyed, &queries),
        ratio(&sessions, &left, &queries)
    );
}

fn open(table: SessionTable) -> Sessions {
    Sessions::new(table, ITEMS as usize, SessionSettings::default()).unwrap()
}

fn time(sessions: &Sessions, query: &[u32]) -> Duration {
    let start = Instant::now();
    black_box(sessions.next(black_box(query), 20));
    start.elapsed()
}

/// Time of all queries by the one over that by the other, asked in turns.
fn ratio(one: &Sessions, other: &Sessions, queries: &[Vec<u32>]) -> f64 {
    let (mut first, mut second) = (Duration::ZERO, Duration::ZERO);
    for (query, at) in queries.iter().zip(0_usize..) {
        if at.is_multiple_of(2) {
            first += time(one, query);
            second += time(other, query);
        } else {
            second += time(other, query);
            first += time(one, query);
        }
    }
    second.as_secs_f64() / first.as_secs_f64()
}
