//! The check at hand-out: consent, quiet hours on odd days, caps under interleavings.
#![allow(clippy::unwrap_used, reason = "helpers of tests unwrap like tests do")]

mod chance;

use std::collections::BTreeMap;

use chance::Chance;
use jiff::Timestamp;
use policy::guard::caps::{Cap, CapError, Sends};
use policy::guard::consent::{self, ConsentRecord, Denied, Wanted};
use policy::guard::quiet::{Clocks, QuietError, QuietHours};
use policy::guard::{Facts, Handout, ItemNow, Limits, Promised, Reason, Verdict};
use policy::ledger::Standing;
use proptest::prelude::*;

const HOUR: i64 = 3_600_000;
const MINUTE: i64 = 60_000;

fn ms(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_millisecond()
}

fn night() -> QuietHours {
    QuietHours::between(21 * 60, 8 * 60).unwrap()
}

fn clocks(zones: &[&str]) -> Clocks {
    Clocks::serving(zones.iter().copied()).unwrap()
}

mod quiet_hours {
    use super::*;

    fn next(quiet: QuietHours, zones: &[&str], at: &str) -> Option<String> {
        let zones = clocks(zones).zones(None);
        let open = quiet.next_open(&zones, ms(at))?;
        Some(Timestamp::from_millisecond(open).unwrap().to_string())
    }

    #[test]
    fn end_on_the_shoppers_own_clock_in_summer_and_in_winter() {
        let berlin = ["Europe/Berlin"];
        let at = |at| next(night(), &berlin, at).unwrap();
        assert_eq!(at("2026-01-10T21:00:00Z"), "2026-01-11T07:00:00Z");
        assert_eq!(at("2026-07-10T21:00:00Z"), "2026-07-11T06:00:00Z");
        assert_eq!(at("2026-01-10T12:00:00Z"), "2026-01-10T12:00:00Z");
        assert_eq!(
            at("2026-03-28T22:00:00Z"),
            "2026-03-29T06:00:00Z",
            "the hour that is left out"
        );
        assert_eq!(
            at("2026-10-24T22:00:00Z"),
            "2026-10-25T07:00:00Z",
            "the hour that comes twice"
        );
    }

    #[test]
    fn end_where_the_clock_jumps_over_their_end() {
        // In Berlin, 02:00 to 03:00 does not exist on 29 March; 03:00 is 01:00 UTC.
        let quiet = QuietHours::between(60, 150).unwrap();
        let at = next(quiet, &["Europe/Berlin"], "2026-03-29T00:10:00Z");
        assert_eq!(at.unwrap(), "2026-03-29T01:00:00Z");
        // On 25 October, 02:30 comes at 00:30 UTC first; then 02:00 to 02:30 is quiet once more.
        let at = next(quiet, &["Europe/Berlin"], "2026-10-25T00:10:00Z");
        assert_eq!(at.unwrap(), "2026-10-25T00:30:00Z");
        let at = next(quiet, &["Europe/Berlin"], "2026-10-25T01:10:00Z");
        assert_eq!(at.unwrap(), "2026-10-25T01:30:00Z");
    }

    #[test]
    fn of_an_unknown_zone_are_those_of_all_zones_served() {
        let served = ["Europe/Berlin", "America/New_York"];
        // 08:00 in New York is 14:00 in Berlin, 21:00 in Berlin is 15:00 in New York.
        let at = next(night(), &served, "2026-01-10T09:00:00Z");
        assert_eq!(at.unwrap(), "2026-01-10T13:00:00Z");
        let at = next(night(), &served, "2026-01-10T20:30:00Z");
        assert_eq!(at.unwrap(), "2026-01-11T13:00:00Z");
        let world = ["Asia/Tokyo", "Europe/Berlin", "America/Los_Angeles"];
        assert_eq!(next(night(), &world, "2026-01-10T09:00:00Z"), None);
    }

    #[test]
    fn refuse_what_is_no_time_and_no_zone() {
        assert!(matches!(
            QuietHours::between(1440, 0),
            Err(QuietError::Minute { .. })
        ));
        assert!(matches!(
            QuietHours::between(5, 5),
            Err(QuietError::Empty(5))
        ));
        assert!(matches!(
            Clocks::serving(["Mars/Olympus"]),
            Err(QuietError::Zone(_))
        ));
        assert!(matches!(Clocks::serving([]), Err(QuietError::NoZones)));
        assert_eq!(
            clocks(&["Europe/Berlin"]).zones(Some("Mars/Olympus")).len(),
            1
        );
    }

    const ODD: [(&str, &str); 7] = [
        ("Europe/Berlin", "2026-03-28T12:00:00Z"),
        ("Europe/Berlin", "2026-10-24T12:00:00Z"),
        ("America/New_York", "2026-03-07T12:00:00Z"),
        ("America/Sao_Paulo", "2018-11-03T12:00:00Z"),
        ("Australia/Lord_Howe", "2026-04-04T03:00:00Z"),
        ("Africa/Casablanca", "2026-02-14T12:00:00Z"),
        ("Pacific/Apia", "2011-12-29T12:00:00Z"),
    ];

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

        /// Minute by minute over days on which clocks are set, and on which one day is left out.
        #[test]
        fn end_at_the_first_minute_that_is_not_quiet(
            place in 0..ODD.len(), other in 0..ODD.len(), offset in 0..36 * 60_i64,
            from in 0..1440_u16, length in 1..1440_u16,
        ) {
            let (zone, start) = ODD[place];
            let quiet = QuietHours::between(from, (from + length) % 1440).unwrap();
            let both = clocks(&[zone, ODD[other].0]);
            for zones in [both.zones(Some(zone)), both.zones(None)] {
                let at = ms(start) + offset * MINUTE;
                let week = (0..9 * 1440).map(|minute| at + minute * MINUTE);
                let first = week.clone().find(|at| !quiet.is_quiet(&zones, *at));
                let open = quiet.next_open(&zones, at);
                prop_assert_eq!(open, first, "{} and {:?} from {} for {}", zone, ODD[other].0, from, length);
            }
        }
    }
}

mod consents {
    use super::*;

    const WANTED: Wanted<'_> = Wanted {
        purpose: "marketing",
        channel: "email",
        jurisdiction: "DE",
    };

    fn grant(at_ms: i64) -> ConsentRecord {
        ConsentRecord {
            purpose: "marketing".to_owned(),
            channel: "email".to_owned(),
            jurisdiction: "DE".to_owned(),
            granted: true,
            wording: "w1".to_owned(),
            at_ms,
        }
    }

    fn revocation(at_ms: i64) -> ConsentRecord {
        ConsentRecord {
            granted: false,
            at_ms,
            ..ConsentRecord::default()
        }
    }

    #[test]
    fn without_a_record_of_its_own_nothing_is_allowed() {
        let allowed = |record| consent::allowed(&[vec![record]], WANTED, 10);
        assert!(allowed(grant(10)).is_ok());
        assert!(consent::allowed(&[], WANTED, 10).is_err());
        let other = [
            ConsentRecord {
                purpose: "service".to_owned(),
                ..grant(1)
            },
            ConsentRecord {
                channel: "sms".to_owned(),
                ..grant(1)
            },
            ConsentRecord {
                jurisdiction: "US".to_owned(),
                ..grant(1)
            },
            ConsentRecord {
                jurisdiction: String::new(),
                ..grant(1)
            },
            ConsentRecord {
                wording: String::new(),
                ..grant(1)
            },
            grant(11),
        ];
        for record in other {
            let denied = allowed(record.clone()).unwrap_err();
            assert!(matches!(denied, Denied::NeverGiven { .. }), "{record:?}");
        }
    }

    #[test]
    fn a_revocation_counts_at_once_and_a_newer_grant_counts_again() {
        let denied = |records| consent::allowed(&[records], WANTED, 10).is_err();
        assert!(denied(vec![grant(5), revocation(5)]), "of the same moment");
        assert!(
            denied(vec![grant(5), revocation(99)]),
            "by a clock that is ahead"
        );
        assert!(!denied(vec![revocation(4), grant(5)]));
        let elsewhere = ConsentRecord {
            channel: "sms".to_owned(),
            ..revocation(9)
        };
        assert!(!denied(vec![grant(5), elsewhere]));
    }

    fn record() -> impl Strategy<Value = ConsentRecord> {
        (
            "(marketing|service)?",
            "(email|sms)?",
            "(DE|US)?",
            any::<bool>(),
            "w?",
            0..8_i64,
        )
            .prop_map(
                |(purpose, channel, jurisdiction, granted, wording, at_ms)| ConsentRecord {
                    purpose,
                    channel,
                    jurisdiction,
                    granted,
                    wording,
                    at_ms,
                },
            )
    }

    proptest! {
        #[test]
        fn neither_the_order_nor_the_split_into_records_twice_matters(
            records in proptest::collection::vec(record(), 0..8), now in 0..10_i64, seed: u64,
        ) {
            let mut shuffled = records.clone();
            shuffled.extend(records.iter().take(2).cloned());
            Chance(seed).shuffle(&mut shuffled);
            prop_assert_eq!(consent::allowed(&[records], WANTED, now), consent::allowed(&[shuffled], WANTED, now));
        }

        #[test]
        fn an_alias_that_withdrew_denies_for_all(
            first in proptest::collection::vec(record(), 0..6), second in proptest::collection::vec(record(), 0..6), now in 0..10_i64,
        ) {
            let alone = |records: &Vec<ConsentRecord>| consent::allowed(std::slice::from_ref(records), WANTED, now);
            let together = consent::allowed(&[first.clone(), second.clone()], WANTED, now);
            prop_assert_eq!(together.is_ok(), consent::allowed(&[second.clone(), first.clone()], WANTED, now).is_ok());
            let revoked = |answer| matches!(answer, Err(Denied::Revoked { .. }));
            prop_assert_eq!(revoked(together.clone()), revoked(alone(&first)) || revoked(alone(&second)));
            if together.is_ok() {
                prop_assert!(alone(&first).is_ok() || alone(&second).is_ok());
            }
        }
    }
}

mod message_caps {
    use super::*;

    fn caps() -> Vec<Cap> {
        let cap = |channel: Option<&str>, window_ms, most| Cap {
            channel: channel.map(str::to_owned),
            window_ms,
            most,
        };
        vec![
            cap(None, 100, 3),
            cap(Some("email"), 40, 1),
            cap(Some("sms"), 60, 2),
        ]
    }

    /// What went out, as the receiver saw it: time, channel.
    fn within_caps(sent: &BTreeMap<String, (i64, &str)>, seed: u64) {
        for cap in caps() {
            let mut times: Vec<i64> = sent
                .values()
                .filter(|(_, channel)| cap.channel.as_deref().is_none_or(|name| name == *channel))
                .map(|(at, _)| *at)
                .collect();
            times.sort_unstable();
            for window in times.windows(cap.most + 1) {
                let span = window[cap.most] - window[0];
                assert!(span >= cap.window_ms, "seed {seed}: {cap:?} {window:?}");
            }
        }
    }

    /// Two workers hand out, repeat, lose answers, lapse and crash at random.
    fn interleave(seed: u64) {
        let mut chance = Chance(seed);
        let (mut sends, mut now) = (Sends::default(), 0_i64);
        let mut sent: BTreeMap<String, (i64, &str)> = BTreeMap::new();
        let channels = ["email", "sms", "push"];
        for _ in 0..40 {
            now += chance.range(0, 12);
            let place = usize::try_from(chance.below(9)).unwrap();
            let (key, channel) = (format!("m{place}"), channels[place % 3]);
            match chance.below(6) {
                0..=2 => {
                    let until = now + chance.range(0, 50);
                    let answer = sends.reserve(&caps(), (&key, channel), now, until);
                    if let Err(CapError::Full { free_at_ms }) = answer {
                        assert!(free_at_ms.unwrap() > now, "seed {seed}");
                    }
                }
                3..=4 => {
                    if sends.commit(&key, now).is_ok() {
                        // The receiver knows messages by their key, so a repeat has no effect.
                        sent.entry(key).or_insert((now, channel));
                    }
                }
                _ => sends.release(&key),
            }
            within_caps(&sent, seed);
        }
    }

    #[test]
    fn hold_in_a_hundred_thousand_interleavings() {
        for seed in 0..100_000 {
            interleave(seed);
        }
    }

    #[test]
    fn slide_over_midnight() {
        let cap = [Cap {
            channel: None,
            window_ms: 24 * HOUR,
            most: 1,
        }];
        let mut sends = Sends::default();
        sends.record("first", "email", 23 * HOUR);
        let full = sends.reserve(&cap, ("second", "sms"), 25 * HOUR, 26 * HOUR);
        assert_eq!(
            full,
            Err(CapError::Full {
                free_at_ms: Some(47 * HOUR)
            })
        );
        assert!(
            sends
                .reserve(&cap, ("second", "sms"), 47 * HOUR, 48 * HOUR)
                .is_ok()
        );
        assert_eq!(
            sends.commit("second", 48 * HOUR),
            Err(CapError::Lapsed {
                until_ms: 48 * HOUR
            })
        );
        assert_eq!(sends.commit("third", 0), Err(CapError::NotReserved));
    }

    #[test]
    fn of_two_aliases_count_together_in_either_order() {
        let (mut one, mut other) = (Sends::default(), Sends::default());
        one.record("a", "email", 10);
        one.record("both", "sms", 20);
        other.record("both", "sms", 20);
        other.record("b", "push", 30);
        other.reserve(&[], ("a", "email"), 5, 90).unwrap();
        let (mut left, mut right) = (one.clone(), other.clone());
        left.join(other);
        right.join(one);
        assert_eq!(left, right);
        assert!(left.has_sent("a"), "what went out stays so");
        assert_eq!(left.next_free(&caps(), "push", "new", 40), Some(110));
    }
}

fn handout() -> Handout {
    Handout {
        idempotency_key: "p1/7/0".to_owned(),
        channel: "email".to_owned(),
        purpose: "marketing".to_owned(),
        jurisdiction: "DE".to_owned(),
        cart_version: 7,
        expires_at_ms: ms("2026-01-14T00:00:00Z"),
        lines: vec![Promised {
            item_id: "shoe".to_owned(),
            price_minor: 9_900,
        }],
        discount_minor: 990,
        max_cost_minor: 990,
    }
}

struct World {
    consents: Vec<Vec<ConsentRecord>>,
    sends: Sends,
    items: BTreeMap<String, ItemNow>,
    limits: Limits,
}

fn world() -> World {
    let grant = ConsentRecord {
        purpose: "marketing".to_owned(),
        channel: "email".to_owned(),
        jurisdiction: "DE".to_owned(),
        granted: true,
        wording: "w1".to_owned(),
        at_ms: 0,
    };
    let limits = Limits {
        clocks: clocks(&["Europe/Berlin", "Europe/Lisbon"]),
        quiet: [("email".to_owned(), night())].into(),
        caps: vec![Cap {
            channel: None,
            window_ms: 24 * HOUR,
            most: 1,
        }],
    };
    World {
        consents: vec![vec![grant]],
        sends: Sends::default(),
        items: [(
            "shoe".to_owned(),
            ItemNow {
                sellable: true,
                price_minor: 9_900,
            },
        )]
        .into(),
        limits,
    }
}

impl World {
    fn facts(&self, now: &str) -> Facts<'_> {
        Facts {
            now_ms: ms(now),
            ordered: false,
            again: false,
            dismissed: false,
            in_holdout: false,
            cart_version: 7,
            consents: &self.consents,
            zone: Some("Europe/Berlin"),
            sends: &self.sends,
            items: &self.items,
            margin_minor: 4_000,
            budget: Some(Standing::Reserved {
                max_cost_minor: 990,
                expires_at_ms: ms("2026-01-14T00:00:00Z"),
            }),
        }
    }

    fn check<'a>(&'a self, change: impl FnOnce(&mut Facts<'a>)) -> Verdict {
        let mut facts = self.facts("2026-01-10T12:00:00Z");
        change(&mut facts);
        self.limits.check(&handout(), &facts)
    }
}

#[test]
fn sends_what_nothing_stands_against() {
    assert_eq!(world().check(|_| {}), Verdict::Send);
}

#[test]
fn an_order_or_a_no_ends_it_whatever_the_clocks_say() {
    let world = world();
    let why = |verdict| match verdict {
        Verdict::Never { why } => why,
        Verdict::Send | Verdict::Later { .. } => unreachable!("{verdict:?}"),
    };
    let last = [
        why(world.check(|facts| facts.ordered = true)),
        why(world.check(|facts| facts.dismissed = true)),
        why(world.check(|facts| facts.in_holdout = true)),
        why(world.check(|facts| facts.consents = &[])),
    ];
    assert!(last.iter().all(|why| !why.is_worth_deciding_again()));
    let none = BTreeMap::new();
    let again = [
        why(world.check(|facts| facts.cart_version = 8)),
        why(world.check(|facts| facts.now_ms = ms("2026-01-14T12:00:00Z"))),
        why(world.check(|facts| facts.items = &none)),
        why(world.check(|facts| facts.margin_minor = 989)),
        why(world.check(|facts| facts.budget = None)),
        why(world.check(|facts| facts.budget = Some(Standing::Released))),
    ];
    assert!(again.iter().all(Reason::is_worth_deciding_again));
    let said = again.map(|why| why.to_string());
    assert_eq!(said[2], "shoe is not for sale");
    assert_eq!(said[3], "the offer takes 990 off a margin of 989");
}

#[test]
fn a_price_that_rose_is_not_shown_and_one_that_fell_is() {
    let mut world = world();
    world.items.get_mut("shoe").unwrap().price_minor = 9_901;
    assert!(matches!(
        world.check(|_| {}),
        Verdict::Never {
            why: Reason::PriceRose {
                now_minor: 9_901,
                ..
            }
        }
    ));
    world.items.get_mut("shoe").unwrap().price_minor = 9_000;
    assert_eq!(world.check(|_| {}), Verdict::Send);
}

#[test]
fn what_is_quiet_or_capped_is_decided_again_when_both_have_passed() {
    let mut world = world();
    let later = |verdict| match verdict {
        Verdict::Later { at_ms, why } => {
            (Timestamp::from_millisecond(at_ms).unwrap().to_string(), why)
        }
        Verdict::Send | Verdict::Never { .. } => unreachable!("{verdict:?}"),
    };
    let quiet = world.check(|facts| facts.now_ms = ms("2026-01-10T22:00:00Z"));
    assert_eq!(
        later(quiet),
        ("2026-01-11T07:00:00Z".to_owned(), Reason::QuietHours)
    );
    // A message of 23:30 in Berlin frees the cap in the quiet hours of the day after.
    world
        .sends
        .record("other", "sms", ms("2026-01-09T22:30:00Z"));
    let capped = world.check(|_| {});
    assert_eq!(
        later(capped),
        ("2026-01-11T07:00:00Z".to_owned(), Reason::Capped)
    );
    let unknown = world.check(|facts| facts.zone = None);
    assert_eq!(
        later(unknown).0,
        "2026-01-11T08:00:00Z",
        "Lisbon sleeps an hour longer"
    );
}

#[test]
fn each_of_the_terms_keeps_it_in_by_itself() {
    let mut world = world();
    let never = |why| Verdict::Never { why };
    let late = world.check(|facts| {
        facts.now_ms = handout().expires_at_ms;
        facts.budget = Some(Standing::Committed { actual_minor: 990 });
    });
    assert_eq!(late, never(Reason::Expired));
    let max_cost_minor = 990;
    let too_late_for_the_money = world.check(|facts| {
        facts.budget = Some(Standing::Reserved {
            max_cost_minor,
            expires_at_ms: facts.now_ms,
        });
    });
    let unpaid = never(Reason::Budget { max_cost_minor });
    assert_eq!(too_late_for_the_money, unpaid);
    world.items.get_mut("shoe").unwrap().sellable = false;
    let item_id = "shoe".to_owned();
    assert_eq!(world.check(|_| {}), never(Reason::NotForSale { item_id }));
}

#[test]
fn its_own_message_and_its_own_money_do_not_stand_against_a_time_again() {
    let mut world = world();
    world
        .sends
        .record("p1/7/0", "email", ms("2026-01-10T11:00:00Z"));
    let again = world.check(|facts| {
        facts.again = true;
        facts.budget = None;
    });
    assert_eq!(again, Verdict::Send);
    let ordered = world.check(|facts| {
        facts.again = true;
        facts.ordered = true;
    });
    let why = Reason::Ordered;
    assert_eq!(ordered, Verdict::Never { why });
}

#[test]
fn a_message_that_went_out_never_goes_again() {
    let mut world = world();
    world.sends.record("p1/7/0", "email", 0);
    assert_eq!(world.check(|_| {}), Verdict::Never { why: Reason::Sent });
}

proptest! {
    /// Whatever the hour and the history: what is sent is neither quiet nor capped, and what is put
    /// off may be sent then, if nothing else has happened.
    #[test]
    fn a_moment_that_is_named_is_a_moment_to_send(
        minute in 0..3 * 1440_i64, sent in proptest::collection::vec(0..5 * 1440_i64, 0..4), zone in 0..3_usize,
    ) {
        let mut world = world();
        world.limits.caps.push(Cap { channel: None, window_ms: 72 * HOUR, most: 2 });
        let start = ms("2026-03-27T00:00:00Z");
        for (place, at) in sent.iter().enumerate() {
            world.sends.record(&format!("m{place}"), "sms", start + (at - 3 * 1440) * MINUTE);
        }
        let mut far = handout();
        far.expires_at_ms = i64::MAX;
        let at = |now_ms| {
            let mut facts = world.facts("2026-03-27T00:00:00Z");
            facts.now_ms = now_ms;
            facts.zone = [Some("Europe/Berlin"), Some("Asia/Tokyo"), None][zone];
            facts.budget = Some(Standing::Committed { actual_minor: 990 });
            world.limits.check(&far, &facts)
        };
        let now = start + minute * MINUTE;
        match at(now) {
            Verdict::Later { at_ms, .. } => {
                prop_assert!(at_ms > now);
                prop_assert_eq!(at(at_ms), Verdict::Send);
                let before = matches!(at(at_ms - MINUTE), Verdict::Later { .. });
                prop_assert!(before, "the first such moment");
            }
            Verdict::Send => {}
            Verdict::Never { why } => prop_assert!(false, "{why}"),
        }
    }
}
