//! From events to a snapshot and back.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::collections::HashMap;
use std::path::Path;

use feature_store::{Event, EventKind, Item, MacKey, Millis, Tombstone};
use retrieval::Model;
use retrieval::files::read_queries;
use snapshot::{Catalogue, Snapshot, Tensors, files};
use trainer::{Error, Options, People, TrainReport, golden, train};

/// A shop of themes: who looks at an item looks at others of its theme, and buys now and then.
fn shop() -> Vec<Event> {
    let mut events = Vec::new();
    let mut state = 12_345_u64;
    let mut random = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for session in 0..900_u64 {
        let (theme, start) = (random(20), 1_700_000_000_000 + session * 600_000);
        for step in 0..(3 + random(5)) {
            let item = theme * 10 + random(10);
            let kind = match random(10) {
                0..7 => EventKind::View,
                7..9 => EventKind::AddToCart,
                _ => EventKind::Purchase,
            };
            events.push(Event {
                event_id: format!("{session}-{step}"),
                shopper_id: format!("s{}", session % 400),
                kind,
                item_id: format!("i{item:03}"),
                quantity: 1,
                price_minor: i64::try_from(500 + item * 10).unwrap(),
                currency: "EUR".to_owned(),
                occurred_at: Millis(i64::try_from(start + step * 20_000).unwrap()),
                category: format!("shop.theme{theme}"),
                ..Event::default()
            });
        }
    }
    events
}

fn options() -> Options {
    Options {
        dimension: 16,
        iterations: 6,
        ..Options::default()
    }
}

fn trained(events: &[Event], options: &Options, out: &Path) -> TrainReport {
    train(events, &[], options, out, &mut |_| {}).unwrap()
}

#[test]
fn a_snapshot_holds_every_file_and_answers_its_golden_requests() {
    let folder = tempfile::tempdir().unwrap();
    let report = trained(&shop(), &options(), &folder.path().join("out"));
    let snapshot = Snapshot::open(folder.path().join("out")).unwrap();
    snapshot.verify().unwrap();
    for file in [
        files::ITEMS,
        files::EMBEDDINGS,
        files::COVISITATION,
        files::POPULARITY,
        files::RANKER,
        files::RISK,
        files::POLICY,
        files::GOLDEN_RETRIEVE,
        files::GOLDEN_RISK,
        files::GOLDEN_POLICY,
        files::QUERIES,
    ] {
        assert!(snapshot.has(file), "{file}");
    }
    assert_eq!(golden::check(&snapshot).unwrap(), 50);
    assert_eq!(Catalogue::load(&snapshot).unwrap().len(), 200);
    let held_out = read_queries(&snapshot).unwrap();
    assert_eq!((held_out.dimension, held_out.bands.len()), (16, 9));
    assert!(!held_out.queries.is_empty());
    assert!(
        report
            .als_loss
            .windows(2)
            .all(|pair| pair[1] <= pair[0] * (1.0 + 1e-9))
    );
    let quality = &snapshot.manifest().quality;
    assert!(
        quality["hit_rate_at_20.fused"] > quality["hit_rate_at_20.popularity"] + 0.2,
        "{quality:?}"
    );
    assert_eq!(snapshot.manifest().data.events, report.counts.accepted);
    ranking::RiskModel::parse(&String::from_utf8(snapshot.read(files::RISK).unwrap()).unwrap())
        .unwrap();
}

#[test]
fn the_same_input_gives_the_same_snapshot_whenever_and_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let events = shop();
    let mut shuffled = events.clone();
    shuffled.reverse();
    let on = |threads: usize, events: &[Event], created_at_ms: i64, name: &str| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let options = Options {
            created_at_ms,
            ..options()
        };
        let out = folder.path().join(name);
        pool.install(|| trained(events, &options, &out))
            .snapshot
            .id()
            .to_owned()
    };
    let first = on(2, &events, 1, "first");
    assert_eq!(first, on(1, &shuffled, 2, "second"));
    let other = Options {
        seed: 2,
        ..options()
    };
    let other = trained(&events, &other, &folder.path().join("third"));
    assert_ne!(first, other.snapshot.id());
}

#[test]
fn items_that_the_shop_names_go_before_what_events_say() {
    let folder = tempfile::tempdir().unwrap();
    let given = Item {
        item_id: "i000".to_owned(),
        name: "First".to_owned(),
        price_minor: 99,
        currency: "EUR".to_owned(),
        margin_rate: Some(0.4),
        ..Item::default()
    };
    let out = folder.path().join("out");
    let report = train(&shop(), &[given], &options(), &out, &mut |_| {}).unwrap();
    let catalogue = Catalogue::load(&report.snapshot).unwrap();
    let item = catalogue.get(catalogue.ordinal("i000").unwrap()).unwrap();
    assert_eq!((item.name.as_str(), item.price_minor), ("First", 99));
    assert_eq!(item.margin_rate, Some(0.4));
}

#[test]
fn progress_goes_through_every_step() {
    let folder = tempfile::tempdir().unwrap();
    let mut seen = Vec::new();
    let out = folder.path().join("out");
    train(&shop(), &[], &options(), &out, &mut |step| {
        seen.push((step.stage as u32, step.to_string()))
    })
    .unwrap();
    let mut numbers: Vec<u32> = seen.iter().map(|(number, _)| *number).collect();
    numbers.dedup();
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7]);
    assert!(
        seen.iter()
            .any(|(_, text)| text.starts_with("5/8 factorisation: iteration 6 of 6"))
    );
}

#[test]
fn says_what_it_cannot_train_on() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let refused = |events: &[Event], options: &Options| {
        train(events, &[], options, &out, &mut |_| {}).unwrap_err()
    };
    assert!(matches!(
        refused(&[], &options()),
        Error::NoEvents { events: 0, .. }
    ));
    let free = Event {
        kind: EventKind::Purchase,
        price_minor: 0,
        ..shop()[0].clone()
    };
    let problem = refused(&[free], &options()).to_string();
    assert_eq!(problem, "none of 1 events can be trained on: 1 invalid");
    let flat = Options {
        dimension: 0,
        ..options()
    };
    assert_eq!(
        refused(&shop(), &flat).to_string(),
        "dimension is 0, 1 to 512 is allowed"
    );
    let policy = Options {
        policy: "nonsense = [".to_owned(),
        ..options()
    };
    assert!(matches!(refused(&shop(), &policy), Error::Policy { .. }));
    assert!(!out.exists());
}

#[test]
fn one_event_is_enough_for_a_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let report = trained(&shop()[..1], &options(), &folder.path().join("out"));
    assert!(golden::check(&report.snapshot).unwrap() > 0);
    assert!(
        report.risk.starts_with("stated prior: 70.0 %"),
        "{}",
        report.risk
    );
}

/// Everybody fills a cart and comes back after two hours: with a cheap cart usually to buy it.
fn outcomes(shoppers: usize) -> Vec<Event> {
    let mut events = Vec::new();
    for (shopper, number) in (0..shoppers).zip(0_i64..) {
        let is_cheap = shopper % 2 == 0;
        let buys = is_cheap != (shopper % 7 == 0);
        let start = 1_700_000_000_000 + number * 3_600_000;
        let event = |kind, minute: i64| Event {
            event_id: format!("{shopper}-{minute}"),
            shopper_id: format!("s{shopper}"),
            kind,
            item_id: format!("i{}", shopper % 20),
            quantity: 1,
            price_minor: if is_cheap { 1_000 } else { 90_000 },
            currency: "EUR".to_owned(),
            occurred_at: Millis(start + minute * 60_000),
            ..Event::default()
        };
        events.push(event(EventKind::AddToCart, 0));
        events.push(event(
            if buys {
                EventKind::Purchase
            } else {
                EventKind::View
            },
            120,
        ));
    }
    events
}

#[test]
fn enough_outcomes_make_a_risk_model_that_is_measured_and_answers_its_goldens() {
    let folder = tempfile::tempdir().unwrap();
    let report = trained(&outcomes(400), &options(), &folder.path().join("out"));
    assert!(report.risk.starts_with("logistic over"), "{}", report.risk);
    let quality = &report.snapshot.manifest().quality;
    assert!(quality["risk_auc"] > 0.8, "{quality:?}");
    assert!(quality["risk_ece"] < 0.1, "{quality:?}");
    assert!(golden::check(&report.snapshot).unwrap() > 20);
}

#[test]
fn too_few_outcomes_make_a_prior_without_an_invented_auc() {
    let folder = tempfile::tempdir().unwrap();
    let report = trained(&outcomes(60), &options(), &folder.path().join("out"));
    assert!(report.risk.starts_with("stated prior"), "{}", report.risk);
    assert!(!report.quality.contains_key("risk_auc"));
    assert!(
        report.notes.iter().any(|note| note.contains("Baymard")),
        "{:?}",
        report.notes
    );
}

/// The shop, with one person who alone looks at two items of their own, again and again.
fn shop_with_an_eccentric() -> Vec<Event> {
    let mut events = shop();
    for visit in 0..50_i64 {
        for (step, item) in ["odd-1", "odd-2"].into_iter().enumerate() {
            events.push(Event {
                event_id: format!("odd-{visit}-{step}"),
                shopper_id: "eccentric".to_owned(),
                kind: EventKind::View,
                item_id: item.to_owned(),
                occurred_at: Millis(1_700_000_001_000 + visit * 7_200_000),
                ..Event::default()
            });
        }
    }
    events
}

/// The weights of an item's pairs, and the length of its vector.
fn published(snapshot: &Snapshot, item: &str) -> (Vec<f32>, f32) {
    let catalogue = Catalogue::load(snapshot).unwrap();
    let at = catalogue.ordinal(item).unwrap() as usize;
    let pairs = Tensors::open(snapshot.file(files::COVISITATION).unwrap()).unwrap();
    let offsets = pairs.u64("offsets").unwrap();
    let bound = |at: usize| usize::try_from(offsets[at]).unwrap();
    let weights = pairs.f32("weights").unwrap()[bound(at)..bound(at + 1)].to_vec();
    let vectors = Tensors::open(snapshot.file(files::EMBEDDINGS).unwrap()).unwrap();
    let dimension = vectors.shape("items").unwrap()[1];
    let row = &vectors.f32("items").unwrap()[at * dimension..(at + 1) * dimension];
    (weights, row.iter().map(|x| x * x).sum::<f32>().sqrt())
}

#[test]
fn what_one_person_did_is_in_no_table_that_cannot_be_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let events = shop_with_an_eccentric();
    let report = trained(&events, &options(), &folder.path().join("few"));
    let (pairs, length) = published(&report.snapshot, "odd-1");
    assert_eq!((pairs.len(), length), (0, 0.0));
    let (pairs, length) = published(&report.snapshot, "i001");
    assert!(!pairs.is_empty() && length > 0.0);
    let privacy = report.snapshot.manifest().privacy.clone().unwrap();
    assert_eq!((privacy.min_people, privacy.items_left_out), (5, 2));
    assert!(privacy.pairs_left_out > 0);
    let said = |report: &TrainReport, what: &str| report.notes.iter().any(|n| n.contains(what));
    assert!(said(&report, "2 of 202 items were dealt with by fewer"));
    for file in [files::GOLDEN_RETRIEVE, files::GOLDEN_RISK] {
        let text = String::from_utf8(report.snapshot.read(file).unwrap()).unwrap();
        assert!(!text.contains("odd-"), "{file}");
    }
    // Only who asks for it publishes it, and the report says so.
    let all = Options {
        min_people: 1,
        ..options()
    };
    let report = trained(&events, &all, &folder.path().join("all"));
    let (pairs, length) = published(&report.snapshot, "odd-1");
    assert!(pairs == [50.0] && length > 0.0, "{pairs:?}, {length}");
    assert!(said(&report, "be it one person"));
}

#[test]
fn who_was_erased_is_as_if_they_had_never_been_and_past_sessions_carry_macs() {
    let folder = tempfile::tempdir().unwrap();
    let key = MacKey::from_bytes([7; 32]);
    let events = shop();
    let erased = |shopper: &str| Tombstone {
        shopper: key.of(shopper),
        erased_at: Millis(i64::MAX),
    };
    let with = |erased: &[Tombstone]| Options {
        people: People::new(key.clone(), Some(erased)),
        ..options()
    };
    let two = [erased("s7"), erased("s8"), erased("somebody else")];
    let report = trained(&events, &with(&two), &folder.path().join("erased"));
    let gone = |event: &&Event| ["s7", "s8"].contains(&event.shopper_id.as_str());
    let others: Vec<Event> = events.iter().filter(|one| !gone(one)).cloned().collect();
    let never = trained(&others, &with(&[]), &folder.path().join("never"));
    let (report, never) = (report.snapshot.manifest(), never.snapshot.manifest());
    assert_eq!(report.files, never.files);
    let privacy = report.privacy.clone().unwrap();
    let left_out = events.iter().filter(gone).count() as u64;
    assert_eq!(
        (privacy.erased_shoppers, privacy.erased_events),
        (Some(2), Some(left_out))
    );
    assert_eq!(privacy.sessions_key, Some(key.fingerprint()));

    let model = Model::load(&Snapshot::open(folder.path().join("erased")).unwrap()).unwrap();
    let sessions = model.sessions().unwrap();
    assert!(sessions.is_keyed());
    let later = HashMap::from([(key.of("s9").short(), u64::MAX)]);
    let (left, masked) = sessions.without(&later).unwrap().unwrap();
    assert!(masked > 0 && left.len() + masked == sessions.len());
    assert!(
        sessions
            .without(&HashMap::from([(key.of("s7").short(), u64::MAX)]))
            .unwrap()
            .is_none()
    );
}

#[test]
fn without_a_key_past_sessions_carry_no_macs_and_the_report_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let report = trained(&shop(), &options(), &folder.path().join("out"));
    assert!(
        !Model::load(&report.snapshot)
            .unwrap()
            .sessions()
            .unwrap()
            .is_keyed()
    );
    let privacy = report.snapshot.manifest().privacy.clone().unwrap();
    assert_eq!(
        (privacy.sessions_key, privacy.erased_shoppers),
        (None, None)
    );
    let said = |what: &str| report.notes.iter().any(|note| note.contains(what));
    assert!(said("past sessions carry no MAC") && said("nobody said who was erased"));
}
