//! One shopper through the whole loop: orders, decisions, hand-outs, caps, consent, linking and
//! crashes in any order, judged by what an independent receiver gets.
#![allow(clippy::unwrap_used, reason = "helpers of tests unwrap like tests do")]

mod chance;

use std::collections::{BTreeMap, BTreeSet};

use chance::Chance;
use policy::guard::caps::{Cap, Sends};
use policy::guard::consent::ConsentRecord;
use policy::guard::quiet::{Clocks, QuietHours};
use policy::guard::{Facts, Handout, ItemNow, Limits, Verdict};
use policy::holdout::Holdout;
use policy::ledger::{Claim, Ledger};
use policy::sequence::pace::Pace;
use policy::sequence::{Event, Kind, Plan, Sequence, StepKey};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const COST: i64 = 300;
/// Monday, 23 March 2026, 12:00 UTC: the clocks of Europe are set on the Sunday after.
const START: i64 = 1_774_267_200_000;

fn limits() -> Limits {
    let cap = |window_ms, most| Cap {
        channel: None,
        window_ms,
        most,
    };
    Limits {
        clocks: Clocks::serving(["Europe/Berlin", "Europe/Lisbon"]).unwrap(),
        quiet: [(
            "email".to_owned(),
            QuietHours::between(21 * 60, 8 * 60).unwrap(),
        )]
        .into(),
        caps: vec![cap(DAY, 1), cap(7 * DAY, 3)],
    }
}

/// What lies in the person's value, and is committed in one piece.
#[derive(Clone)]
struct Person {
    sequence: Sequence,
    sends: Sends,
    consents: Vec<Vec<ConsentRecord>>,
    aliases: Vec<String>,
    /// The outbox: what was decided and neither went out nor was given up.
    outbox: BTreeMap<String, StepKey>,
    orders: u64,
    ordered_at_decision: BTreeMap<String, u64>,
}

struct Scene<'a> {
    chance: Chance,
    limits: &'a Limits,
    holdout: &'a Holdout,
    now: i64,
    version: u64,
    person: Person,
    ledger: Ledger,
    /// The second alias before it is linked.
    other: Option<(Sends, Vec<ConsentRecord>)>,
    received: BTreeMap<String, i64>,
    decided: BTreeSet<StepKey>,
    items: BTreeMap<String, ItemNow>,
    seed: u64,
}

impl Scene<'_> {
    fn consent(&mut self) {
        let record = ConsentRecord {
            purpose: "marketing".to_owned(),
            channel: "email".to_owned(),
            jurisdiction: "DE".to_owned(),
            granted: self.chance.chance(0.7),
            wording: "w1".to_owned(),
            at_ms: self.now,
        };
        match &mut self.other {
            Some((_, records)) if self.chance.chance(0.4) => records.push(record),
            _ => self.person.consents[0].push(record),
        }
    }

    fn shops(&mut self) {
        self.version += 1;
        let (cart_version, at_ms) = (self.version, self.now);
        let event = match self.chance.below(3) {
            0 => {
                self.person.orders += 1;
                Event::Purchased {
                    cart_version,
                    at_ms,
                }
            }
            _ => Event::Changed {
                cart_version,
                kind: Some(Kind::Cart),
                at_ms,
            },
        };
        self.person.sequence.apply(event);
    }

    fn links(&mut self) {
        if let Some((sends, records)) = self.other.take() {
            self.person.sends.join(sends);
            self.person.consents.push(records);
            self.person.aliases.push(format!("account-{}", self.seed));
        }
    }

    /// Reserve first, then commit the person: a crash between the two leaves a reservation that
    /// expires, never a decision without money.
    fn decides(&mut self) {
        let (plan, pace) = (Plan::usual(Kind::Cart), Pace::default());
        let Some(due) = self.person.sequence.due(&plan, pace) else {
            return;
        };
        let id = format!(
            "{}/{}/{}",
            due.key.cart_version, due.key.step, due.key.attempt
        );
        let claim = Claim {
            decision_id: &id,
            max_cost_minor: COST,
            decided_at_ms: self.now,
            expires_at_ms: self.now + 3 * DAY,
        };
        if due.at_ms > self.now
            || self.ledger.reserve(claim, self.now).is_err()
            || self.chance.chance(0.1)
        {
            return;
        }
        let mut person = self.person.clone();
        if person.sequence.take(due.key, &plan, pace, self.now) {
            assert!(
                self.decided.insert(due.key),
                "seed {}: decided twice",
                self.seed
            );
            person.ordered_at_decision.insert(id.clone(), person.orders);
            person.outbox.insert(id, due.key);
        }
        self.person = person;
    }

    /// Any waiting action, at any time, as often as one likes; a crash may come after each commit.
    fn hands_out(&mut self) {
        let waiting = self.person.outbox.len() as u64;
        if waiting == 0 {
            return;
        }
        let place = usize::try_from(self.chance.below(waiting)).unwrap();
        let (id, key) = self
            .person
            .outbox
            .iter()
            .nth(place)
            .map(|(id, key)| (id.clone(), *key))
            .unwrap();
        let message = key.message("p");
        let verdict = self.verdict(&id, key, &message);
        match verdict {
            Verdict::Send => {
                let slot = (message.as_str(), "email");
                let until = self.now + HOUR;
                if self
                    .person
                    .sends
                    .reserve(&self.limits.caps, slot, self.now, until)
                    .is_err()
                    || self.chance.chance(0.1)
                {
                    return;
                }
                if self.ledger.commit(&id, COST, self.now).is_err() || self.chance.chance(0.1) {
                    return;
                }
                self.person.sends.commit(&message, self.now).unwrap();
                self.person.outbox.remove(&id);
                self.receives(&id, message);
            }
            Verdict::Later { at_ms, .. } => {
                self.person.outbox.remove(&id);
                self.person.sequence.put_off(key, at_ms);
                drop(self.ledger.release(&id, self.now));
            }
            Verdict::Never { .. } => {
                self.person.outbox.remove(&id);
                drop(self.ledger.release(&id, self.now));
            }
        }
    }

    fn verdict(&self, id: &str, key: StepKey, message: &str) -> Verdict {
        let handout = Handout {
            idempotency_key: message.to_owned(),
            channel: "email".to_owned(),
            purpose: "marketing".to_owned(),
            jurisdiction: "DE".to_owned(),
            cart_version: key.cart_version,
            expires_at_ms: i64::MAX,
            lines: Vec::new(),
            discount_minor: COST,
            max_cost_minor: COST,
        };
        let facts = Facts {
            now_ms: self.now,
            ordered: self.person.orders > self.person.ordered_at_decision[id],
            again: false,
            dismissed: false,
            in_holdout: self
                .holdout
                .holds_any(self.person.aliases.iter().map(String::as_str)),
            cart_version: self.version,
            consents: &self.person.consents,
            zone: [Some("Europe/Berlin"), None][usize::from(self.seed.is_multiple_of(2))],
            sends: &self.person.sends,
            items: &self.items,
            margin_minor: 5_000,
            budget: self.ledger.standing(id, self.now),
        };
        self.limits.check(&handout, &facts)
    }

    /// What must hold at the receiver, told without the code under test where that can be.
    fn receives(&mut self, id: &str, message: String) {
        let seed = self.seed;
        assert_eq!(
            self.person.orders, self.person.ordered_at_decision[id],
            "seed {seed}: after an order"
        );
        let granted = |records: &Vec<ConsentRecord>| {
            records
                .iter()
                .max_by_key(|one| (one.at_ms, !one.granted))
                .map(|one| one.granted)
        };
        let stands: Vec<Option<bool>> = self.person.consents.iter().map(granted).collect();
        assert!(
            stands.contains(&Some(true)) && !stands.contains(&Some(false)),
            "seed {seed}: without consent"
        );
        // Berlin is an hour ahead of UTC, two from 29 March 2026, 01:00 UTC on; Lisbon an hour behind it.
        let ahead = if self.now >= START + 5 * DAY + 13 * HOUR {
            2
        } else {
            1
        };
        let hour = (self.now / HOUR + ahead).rem_euclid(24);
        let (first, last) = if seed.is_multiple_of(2) {
            (9, 20)
        } else {
            (8, 20)
        };
        assert!(
            (first..=last).contains(&hour),
            "seed {seed}: in quiet hours, at {hour}"
        );
        assert!(
            self.received.insert(message, self.now).is_none(),
            "seed {seed}: the same message twice"
        );
        let mut times: Vec<i64> = self.received.values().copied().collect();
        times.sort_unstable();
        assert!(
            times.windows(2).all(|pair| pair[1] - pair[0] >= DAY),
            "seed {seed}: over the cap of a day"
        );
        assert!(
            times.windows(4).all(|four| four[3] - four[0] >= 7 * DAY),
            "seed {seed}: over the cap of a week"
        );
        assert!(
            !self
                .person
                .aliases
                .iter()
                .any(|alias| self.holdout.holds(alias)),
            "seed {seed}: held out"
        );
    }

    fn goes_on(&mut self) {
        self.now += self.chance.range(0, 14 * HOUR);
        match self.chance.below(12) {
            0 => self.consent(),
            1 => self.shops(),
            2 if self.chance.chance(0.3) => self.links(),
            3 => drop(self.ledger.expire(self.now)),
            4 => self.ledger = Ledger::decode(&self.ledger.encode()).unwrap(),
            5..=7 => self.decides(),
            _ => self.hands_out(),
        }
        let sent = COST * i64::try_from(self.received.len()).unwrap();
        assert!(
            self.ledger.spent_minor() >= sent,
            "seed {}: sent without money",
            self.seed
        );
        assert!(
            self.ledger.spent_minor() + self.ledger.promised_minor() <= self.ledger.budget_minor()
        );
        assert!(self.ledger.free_minor() >= 0, "seed {}", self.seed);
    }
}

/// How many messages went out.
fn run(seed: u64, limits: &Limits, holdout: &Holdout) -> usize {
    let mut chance = Chance(seed);
    let mut elsewhere = Sends::default();
    if chance.chance(0.5) {
        elsewhere.record("of the account", "sms", START - chance.range(0, 2 * DAY));
    }
    let person = Person {
        sequence: Sequence::begin(Kind::Cart, 1, START),
        sends: Sends::default(),
        consents: vec![Vec::new()],
        aliases: vec![format!("device-{seed}")],
        outbox: BTreeMap::new(),
        orders: 0,
        ordered_at_decision: BTreeMap::new(),
    };
    let mut scene = Scene {
        ledger: Ledger::new("spring", "2026-03", chance.range(0, 5) * COST),
        chance,
        limits,
        holdout,
        now: START,
        version: 1,
        person,
        other: Some((elsewhere, Vec::new())),
        received: BTreeMap::new(),
        decided: BTreeSet::new(),
        items: BTreeMap::new(),
        seed,
    };
    scene.consent();
    for _ in 0..24 {
        scene.goes_on();
    }
    scene.received.len()
}

#[test]
fn nothing_goes_wrong_at_the_receiver_in_a_hundred_thousand_interleavings() {
    let (limits, holdout) = (limits(), Holdout::new("test", 0.1).unwrap());
    let sent: usize = (0..100_000).map(|seed| run(seed, &limits, &holdout)).sum();
    println!("{sent} messages in 100,000 runs");
    assert!(
        sent > 20_000,
        "{sent}: the runs must send something to say something"
    );
}
