//! Steps of recovery: once each, and none after what ends them.
#![allow(clippy::unwrap_used, reason = "helpers of tests unwrap like tests do")]

mod chance;

use std::collections::BTreeSet;

use chance::Chance;
use policy::sequence::pace::Pace;
use policy::sequence::{Due, Ended, Event, Kind, Plan, Sequence, StepKey};
use proptest::prelude::*;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

fn key(cart_version: u64, step: u32, attempt: u32) -> StepKey {
    StepKey {
        cart_version,
        step,
        attempt,
    }
}

fn due(sequence: &Sequence) -> Option<Due> {
    sequence.due(&Plan::usual(sequence.kind()), Pace::default())
}

fn take(sequence: &mut Sequence, key: StepKey, now_ms: i64) -> bool {
    sequence.take(key, &Plan::usual(sequence.kind()), Pace::default(), now_ms)
}

#[test]
fn a_cart_is_asked_about_after_half_an_hour_a_day_and_three_days() {
    let mut sequence = Sequence::begin(Kind::Cart, 4, 0);
    let mut at = Vec::new();
    while let Some(Due { key, at_ms }) = due(&sequence) {
        assert!(!take(&mut sequence, key, at_ms - 1), "not before it is due");
        assert!(take(&mut sequence, key, at_ms));
        assert!(!take(&mut sequence, key, at_ms), "once");
        at.push(at_ms / MINUTE);
    }
    assert_eq!(at, [30, 24 * 60, 72 * 60]);
}

#[test]
fn an_act_moves_every_later_step() {
    let mut sequence = Sequence::begin(Kind::Cart, 4, 0);
    assert!(take(&mut sequence, key(4, 0, 0), HOUR));
    sequence.apply(Event::Active { at_ms: 10 * HOUR });
    sequence.apply(Event::Active { at_ms: 2 * HOUR });
    assert_eq!(due(&sequence).unwrap().at_ms, 34 * HOUR);
}

#[test]
fn a_purchase_a_no_and_another_cart_end_it() {
    let begun = Sequence::begin(Kind::Checkout, 4, 0);
    let after = |event| {
        let mut sequence = begun;
        sequence.apply(event);
        (sequence.ended(), due(&sequence).map(|due| due.key))
    };
    let bought = Event::Purchased {
        cart_version: 5,
        at_ms: 1,
    };
    assert_eq!(after(bought), (Some(Ended::Purchased), None));
    assert_eq!(
        after(Event::Dismissed { cart_version: 4 }),
        (Some(Ended::Dismissed), None)
    );
    assert_eq!(
        after(Event::Dismissed { cart_version: 3 }).0,
        None,
        "about an older cart"
    );
    let emptied = Event::Changed {
        cart_version: 5,
        kind: None,
        at_ms: 1,
    };
    assert_eq!(after(emptied), (Some(Ended::Emptied), None));
    let changed = Event::Changed {
        cart_version: 5,
        kind: Some(Kind::Cart),
        at_ms: 1,
    };
    assert_eq!(
        after(changed),
        (None, Some(key(5, 0, 0))),
        "a sequence of its own"
    );
    let late = Event::Changed {
        cart_version: 3,
        kind: None,
        at_ms: 1,
    };
    assert_eq!(after(late), (None, Some(key(4, 0, 0))));
}

#[test]
fn a_message_that_was_put_off_is_decided_again_as_the_same_message() {
    let mut sequence = Sequence::begin(Kind::Cart, 4, 0);
    assert!(take(&mut sequence, key(4, 0, 0), HOUR));
    sequence.put_off(key(4, 0, 0), 9 * HOUR);
    sequence.put_off(key(4, 0, 0), 5 * HOUR);
    assert_eq!(
        due(&sequence),
        Some(Due {
            key: key(4, 0, 1),
            at_ms: 9 * HOUR
        })
    );
    assert!(
        !take(&mut sequence, key(4, 0, 0), 9 * HOUR),
        "the first attempt is over"
    );
    assert!(take(&mut sequence, key(4, 0, 1), 9 * HOUR));
    sequence.put_off(key(4, 0, 0), 12 * HOUR);
    assert_eq!(
        due(&sequence).unwrap().key,
        key(4, 1, 0),
        "the old attempt came again"
    );
    assert_eq!(key(4, 0, 0).message("p1"), key(4, 0, 1).message("p1"));
}

#[test]
fn a_step_that_came_late_does_not_have_the_next_on_its_heels() {
    let mut sequence = Sequence::begin(Kind::Cart, 4, 0);
    assert!(take(&mut sequence, key(4, 0, 0), HOUR));
    sequence.put_off(key(4, 0, 0), 26 * HOUR);
    assert!(take(&mut sequence, key(4, 0, 1), 26 * HOUR));
    let next = due(&sequence).unwrap();
    assert_eq!(
        (next.key.step, next.at_ms / HOUR),
        (1, 49),
        "a day less half an hour after it"
    );
}

#[test]
fn whoever_acts_quickly_is_idle_sooner_and_a_buyer_lapses_by_their_own_rhythm() {
    let cart = Plan::usual(Kind::Cart).rhythm;
    let quick = cart.idle_ms(Pace::of_mean(20, 60.0));
    let slow = cart.idle_ms(Pace::of_mean(20, 3_600.0));
    assert_eq!(quick / MINUTE, 15, "never sooner than the least");
    assert!(slow > 2 * HOUR && slow <= 6 * HOUR, "{slow}");
    let lapsed = Plan::usual(Kind::Lapsed).rhythm;
    let day = 24 * HOUR;
    let weekly = lapsed.idle_ms(Pace::of_mean(30, 7.0 * 86_400.0)) / day;
    let yearly = lapsed.idle_ms(Pace::of_mean(3, 300.0 * 86_400.0)) / day;
    let unknown = lapsed.idle_ms(Pace::default()) / day;
    assert_eq!((weekly, unknown, yearly), (25, 102, 365));
}

/// One shopper; events, hand-outs, retries, stale workers and crashes in any order.
struct Scene {
    chance: Chance,
    sequence: Sequence,
    version: u64,
    now: i64,
    /// The version that an order closed last.
    closed: u64,
    made: BTreeSet<StepKey>,
    seen: Vec<StepKey>,
    log: Vec<Event>,
}

impl Scene {
    fn some_key(&mut self) -> StepKey {
        self.seen[usize::try_from(self.chance.below(self.seen.len() as u64)).unwrap()]
    }

    fn happens(&mut self, seed: u64) {
        let at_ms = self.now - self.chance.range(0, HOUR);
        let about = self.some_key().cart_version;
        let event = match self.chance.below(8) {
            0..=2 => Event::Active { at_ms },
            3..=5 => {
                self.version += 1;
                let kind = self.chance.chance(0.8).then_some(Kind::Cart);
                Event::Changed {
                    cart_version: self.version,
                    kind,
                    at_ms,
                }
            }
            6 => Event::Dismissed {
                cart_version: about,
            },
            _ => {
                self.version += 1;
                self.closed = self.version;
                let bought = Event::Purchased {
                    cart_version: self.version,
                    at_ms,
                };
                self.sequence.apply(bought);
                assert!(
                    due(&self.sequence).is_none(),
                    "seed {seed}: something is due"
                );
                bought
            }
        };
        self.log.push(event);
        // Most arrive at once, the others when they come again.
        if self.chance.chance(0.7) {
            self.sequence.apply(event);
        }
    }

    fn attempts(&mut self, key: StepKey, early: bool, seed: u64) {
        if take(&mut self.sequence, key, self.now) {
            assert!(
                !early && self.made.insert(key),
                "seed {seed}: {key:?} twice"
            );
            assert!(
                key.cart_version > self.closed,
                "seed {seed}: {key:?} after the purchase"
            );
        }
    }

    fn goes_on(&mut self, seed: u64) {
        self.now += self.chance.range(0, 20 * HOUR);
        let any = self.some_key();
        match self.chance.below(10) {
            0..=2 => self.happens(seed),
            3 if !self.log.is_empty() => {
                let place = usize::try_from(self.chance.below(self.log.len() as u64)).unwrap();
                self.sequence.apply(self.log[place]);
            }
            4 => self
                .sequence
                .put_off(any, self.now + self.chance.range(0, 30 * HOUR)),
            5 => self.attempts(any, false, seed),
            _ => {
                if let Some(due) = due(&self.sequence) {
                    self.seen.push(due.key);
                    self.attempts(due.key, due.at_ms > self.now, seed);
                }
            }
        }
    }
}

fn interleave(seed: u64) {
    let mut scene = Scene {
        chance: Chance(seed),
        sequence: Sequence::begin(Kind::Cart, 1, 0),
        version: 1,
        now: 0,
        closed: 0,
        made: BTreeSet::new(),
        seen: vec![key(1, 0, 0)],
        log: Vec::new(),
    };
    for _ in 0..40 {
        scene.goes_on(seed);
    }
}

#[test]
fn no_step_twice_and_none_after_a_purchase_in_a_hundred_thousand_interleavings() {
    for seed in 0..100_000 {
        interleave(seed);
    }
}

proptest! {
    #[test]
    fn idle_times_stay_in_their_bounds_and_grow_with_the_gaps(gaps: u32, sum_ms: f64, mean in 0.0..1e7_f64, more in 0.0..1e7_f64) {
        for kind in [Kind::Browse, Kind::Cart, Kind::Checkout, Kind::Lapsed] {
            let rhythm = Plan::usual(kind).rhythm;
            let idle = rhythm.idle_ms(Pace { gaps, sum_ms });
            prop_assert!((rhythm.least_ms..=rhythm.most_ms).contains(&idle));
            let few = gaps % 100;
            prop_assert!(rhythm.idle_ms(Pace::of_mean(few, mean)) <= rhythm.idle_ms(Pace::of_mean(few, mean + more)));
        }
    }
}
