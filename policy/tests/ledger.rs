//! The budget ledger under repeats, reorderings and crashes.
#![allow(clippy::unwrap_used, reason = "helpers of tests unwrap like tests do")]

mod chance;

use std::collections::BTreeMap;

use chance::Chance;
use policy::ledger::{Claim, Ledger, LedgerDecodeError, Refused, Standing};
use proptest::prelude::*;

const IDS: [&str; 5] = ["d1", "d2", "d3", "d4", "d5"];

fn claim(decision_id: &str, max_cost_minor: i64, decided_at_ms: i64) -> Claim<'_> {
    Claim {
        decision_id,
        max_cost_minor,
        decided_at_ms,
        expires_at_ms: decided_at_ms + 100,
    }
}

/// What every decision did, kept beside the ledger: the first that took effect is what counts.
#[derive(Default)]
struct Book {
    reserved: BTreeMap<&'static str, i64>,
    committed: BTreeMap<&'static str, i64>,
    released: BTreeMap<&'static str, ()>,
}

impl Book {
    fn check(&self, ledger: &Ledger, seed: u64) {
        let committed: i64 = self.committed.values().sum();
        assert_eq!(ledger.spent_minor(), committed, "seed {seed}");
        assert!(ledger.free_minor() >= 0, "seed {seed}: below zero");
        assert!(ledger.promised_minor() >= 0, "seed {seed}");
        let used = ledger.spent_minor() + ledger.promised_minor();
        assert!(
            used <= ledger.budget_minor(),
            "seed {seed}: over the budget"
        );
        for (id, actual) in &self.committed {
            assert!(
                actual <= &self.reserved[id],
                "seed {seed}: above the reserved"
            );
            assert!(
                !self.released.contains_key(id),
                "seed {seed}: spent and given back"
            );
        }
    }
}

/// Any message at any time: reserve, commit, release, sweep, forget, budget, crash. Each may come
/// twice, in any order, and time goes on between them.
fn interleave(seed: u64) {
    let mut chance = Chance(seed);
    let mut ledger = Ledger::new("spring", "2026-11-26", chance.range(0, 250));
    let (mut book, mut now) = (Book::default(), 0_i64);
    let decided: [i64; 5] = std::array::from_fn(|_| chance.range(0, 150));
    for _ in 0..24 {
        now += chance.range(0, 20);
        let place = usize::try_from(chance.below(5)).unwrap();
        let id = IDS[place];
        // One decision always claims the same; now and then a faulty client does not.
        let max = if chance.chance(0.9) {
            20 * (id.as_bytes()[1] - b'0') as i64
        } else {
            chance.range(-5, 90)
        };
        let times = if chance.chance(0.3) { 2 } else { 1 };
        match chance.below(12) {
            0..=3 => {
                let claim = claim(id, max, decided[place]);
                reserve(&mut ledger, &mut book, (id, claim, now), times, seed);
            }
            4..=6 => {
                let actual = chance.range(-2, max.max(0) + 5);
                commit(&mut ledger, &mut book, (id, actual, now), times, seed);
            }
            7 => {
                for _ in 0..times {
                    match ledger.release(id, now) {
                        Ok(()) => {
                            if ledger.standing(id, now) == Some(Standing::Released) {
                                book.released.insert(id, ());
                            }
                        }
                        Err(refused) => assert!(
                            matches!(refused, Refused::Committed { .. })
                                && book.committed.contains_key(id),
                            "seed {seed}: {refused:?}"
                        ),
                    }
                }
            }
            8 => assert!(ledger.expire(now) >= 0),
            9 => ledger.forget(now - chance.range(0, 300)),
            10 => drop(ledger.set_budget(chance.range(-10, 400))),
            _ => {
                let read = Ledger::decode(&ledger.encode()).unwrap();
                assert_eq!(read, ledger, "seed {seed}: a crash changes nothing");
                ledger = read;
            }
        }
        book.check(&ledger, seed);
    }
}

fn reserve(
    ledger: &mut Ledger,
    book: &mut Book,
    (id, claim, now): (&'static str, Claim<'_>, i64),
    times: u32,
    seed: u64,
) {
    let max = claim.max_cost_minor;
    for turn in 0..times {
        let (free, promised) = (ledger.free_minor(), ledger.promised_minor());
        // What expired and was not swept yet is freed by the call.
        let answer = ledger.reserve(claim, now);
        if answer.is_ok() {
            let first = ledger.promised_minor() > promised;
            assert!(
                !first || turn == 0 || max == 0,
                "seed {seed}: a repeat reserved again"
            );
            assert!(
                !first || max <= free,
                "seed {seed}: reserved what was not free"
            );
            assert!(
                !book.committed.contains_key(id) && !book.released.contains_key(id),
                "seed {seed}"
            );
            book.reserved.insert(id, max);
        }
    }
}

fn commit(
    ledger: &mut Ledger,
    book: &mut Book,
    (id, actual, now): (&'static str, i64, i64),
    times: u32,
    seed: u64,
) {
    let mut answers = Vec::new();
    for _ in 0..times {
        let answer = ledger.commit(id, actual, now);
        if answer.is_ok() {
            let before = book.committed.insert(id, actual);
            assert!(
                before.is_none_or(|before| before == actual),
                "seed {seed}: changed its cost"
            );
        }
        answers.push(answer);
    }
    assert!(
        answers.windows(2).all(|pair| pair[0] == pair[1]),
        "seed {seed}: {answers:?}"
    );
}

#[test]
fn never_over_and_never_below_zero_in_a_hundred_thousand_interleavings() {
    for seed in 0..100_000 {
        interleave(seed);
    }
}

#[test]
fn reserves_commits_and_frees_the_rest() {
    let mut ledger = Ledger::new("spring", "2026-11", 100);
    assert_eq!(ledger.reserve(claim("a", 60, 0), 0), Ok(()));
    assert_eq!(
        ledger.reserve(claim("b", 60, 0), 0),
        Err(Refused::Exhausted {
            free_minor: 40,
            wanted_minor: 60
        })
    );
    assert_eq!(ledger.commit("a", 25, 50), Ok(()));
    assert_eq!((ledger.spent_minor(), ledger.free_minor()), (25, 75));
    assert_eq!(ledger.reserve(claim("b", 60, 0), 50), Ok(()));
    assert_eq!(
        ledger.commit("b", 61, 60),
        Err(Refused::AboveReserved {
            actual_minor: 61,
            max_cost_minor: 60
        })
    );
    assert_eq!(ledger.release("b", 60), Ok(()));
    assert_eq!(ledger.commit("b", 10, 70), Err(Refused::Released));
    assert_eq!(
        ledger.release("a", 70),
        Err(Refused::Committed {
            committed_minor: 25
        })
    );
    assert_eq!(ledger.free_minor(), 75);
}

#[test]
fn what_expired_cannot_be_committed_even_before_it_is_swept() {
    let mut ledger = Ledger::new("spring", "2026-11", 100);
    ledger.reserve(claim("a", 60, 0), 0).unwrap();
    assert_eq!(ledger.standing("a", 100), Some(Standing::Released));
    assert_eq!(ledger.commit("a", 60, 100), Err(Refused::Released));
    assert_eq!((ledger.spent_minor(), ledger.free_minor()), (0, 100));
    assert_eq!(ledger.expire(100), 0, "it is released already");
}

#[test]
fn a_forgotten_decision_cannot_reserve_again() {
    let mut ledger = Ledger::new("spring", "2026-11", 100);
    ledger.reserve(claim("a", 60, 0), 0).unwrap();
    ledger.commit("a", 60, 1).unwrap();
    ledger.forget(50);
    assert_eq!(ledger.commit("a", 60, 60), Err(Refused::Unknown));
    assert_eq!(
        ledger.reserve(claim("a", 30, 0), 60),
        Err(Refused::TooLate {
            forgotten_before_ms: 50
        })
    );
    assert_eq!(ledger.spent_minor(), 60, "what is forgotten stays spent");
}

#[test]
fn a_lower_budget_keeps_its_promises() {
    let mut ledger = Ledger::new("spring", "2026-11", 100);
    ledger.reserve(claim("a", 60, 0), 0).unwrap();
    assert_eq!(ledger.set_budget(10), 60);
    assert_eq!(ledger.commit("a", 60, 1), Ok(()));
    assert_eq!(ledger.free_minor(), 0);
}

fn sample() -> Ledger {
    let mut ledger = Ledger::new("spring", "2026-11", 10_000);
    ledger
        .reserve(claim("open", 1_500, 1_764_153_000_000), 1_764_153_000_000)
        .unwrap();
    ledger
        .reserve(claim("sent", 900, 1_764_153_000_001), 1_764_153_000_001)
        .unwrap();
    ledger.commit("sent", 700, 1_764_153_000_002).unwrap();
    ledger
        .reserve(claim("back", 100, 1_764_153_000_003), 1_764_153_000_003)
        .unwrap();
    ledger.release("back", 1_764_153_000_004).unwrap();
    ledger.forget(1_764_000_000_000);
    ledger
}

#[test]
fn the_first_version_of_the_value_is_readable_for_ever() {
    let golden = include_str!("goldens/ledger-v1.hex").trim();
    let bytes: Vec<u8> = (0..golden.len() / 2)
        .map(|byte| u8::from_str_radix(&golden[2 * byte..2 * byte + 2], 16).unwrap())
        .collect();
    let now: String = sample()
        .encode()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(now, golden);
    assert_eq!(Ledger::decode(&bytes), Ok(sample()));
}

#[test]
fn refuses_a_value_that_would_free_money() {
    assert_eq!(Ledger::decode(&[]), Err(LedgerDecodeError::Version(0)));
    assert_eq!(Ledger::decode(&[8, 9]), Err(LedgerDecodeError::Version(9)));
    let mut bytes = sample().encode();
    let twice = bytes.clone();
    bytes.extend_from_slice(&twice);
    assert!(matches!(
        Ledger::decode(&bytes),
        Err(LedgerDecodeError::Sums(_))
    ));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes_of_any_kind_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80), cut in 0..200_usize) {
        if let Ok(ledger) = Ledger::decode(&bytes) {
            prop_assert!(ledger.free_minor() >= 0);
        }
        let mut cut_short = sample().encode();
        cut_short.truncate(cut);
        if let Ok(ledger) = Ledger::decode(&cut_short) {
            prop_assert!(ledger.free_minor() >= 0);
        }
    }
}
