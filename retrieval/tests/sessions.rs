//! Session neighbours against sums by hand, and their promises on any sessions.
#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a test may fail loudly, in its helpers too"
)]

use std::collections::HashMap;

use proptest::prelude::*;
use retrieval::files::{SESSIONS, write_covisitation, write_popularity, write_sessions};
use retrieval::{
    Gate, Kind, Model, Query, Recent, SessionSettings, SessionTable, Sessions, Source,
};
use snapshot::{Builder, Catalogue, CatalogueItem, Manifest, files};

const DAY: u64 = 86_400;
const ITEMS: u32 = 8;

fn table(rows: &[Vec<u32>]) -> SessionTable {
    let mut table = SessionTable::new();
    for (age, row) in (0u64..).zip(rows) {
        table.push(row, (1_000 - age) * DAY);
    }
    table
}

/// Every decay is 1/e a step, half for what came before, nothing else counts.
fn plain() -> SessionSettings {
    SessionSettings {
        position: 1.0,
        age_days: 1.0,
        ahead: 1.0,
        behind: 1.0,
        behind_share: 0.5,
        idf: 0.0,
        length: 0.0,
        revisit: 0.0,
        ..SessionSettings::default()
    }
}

fn assert_close(found: &[(u32, f32)], expected: &[(u32, f32)]) {
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (found, expected) in found.iter().zip(expected) {
        let close = (found.1 - expected.1).abs() < 1e-6;
        assert!(
            found.0 == expected.0 && close,
            "{found:?} is not {expected:?}"
        );
    }
}

#[test]
fn votes_are_the_sums_by_hand() {
    let past = table(&[vec![0, 1, 2], vec![1, 0, 3]]);
    let settings = SessionSettings {
        age_days: 2.0,
        ..plain()
    };
    let sessions = Sessions::new(past, 4, settings).unwrap();
    let e = |steps: f32| (-steps).exp();
    let after_0 = [(1, e(1.0) + 0.5 * e(1.5)), (3, e(1.5)), (2, e(2.0))];
    assert_close(&sessions.next(&[0], 9), &after_0);
    let both = 1.0 + e(1.0);
    let after_0_and_1 = [
        (0, both * (0.5 * e(1.0) + e(1.5))),
        (2, both * e(1.0)),
        (3, both * e(2.5)),
    ];
    assert_close(&sessions.next(&[1, 0], 9), &after_0_and_1);
}

#[test]
fn going_back_is_weighed_against_the_best_vote() {
    let past = table(&[vec![0, 1, 2], vec![1, 0, 3]]);
    let settings = SessionSettings {
        revisit: 2.0,
        repeat: 0.5,
        ..plain()
    };
    let sessions = Sessions::new(past, 8, settings).unwrap();
    // No past session holds 5, 6 and 7: the best vote counts as 1.
    let expected = [(6, 2.0 * 1.5), (7, 1.0)];
    assert_close(&sessions.next(&[5, 6, 7, 6], 9), &expected);
}

#[test]
fn the_newest_item_stays_only_when_the_settings_say_so() {
    let past = table(&[vec![0, 1]]);
    let sessions = Sessions::new(past, 2, plain()).unwrap();
    assert!(sessions.next(&[0], 9).iter().all(|(item, _)| *item != 0));
    let stay = SessionSettings {
        stay: 2.0,
        ..plain()
    };
    let sessions = sessions.with_settings(stay).unwrap();
    assert_eq!(sessions.next(&[0], 9)[0].0, 0);
}

#[test]
fn settings_outside_their_limits_are_refused() {
    let broken = SessionSettings {
        position: 0.0,
        ..plain()
    };
    let error = Sessions::new(table(&[]), 2, broken).unwrap_err();
    assert_eq!(error.to_string(), "position is 0, a number above 0");
}

fn model(rows: &[Vec<u32>]) -> (tempfile::TempDir, Model) {
    model_with(|builder| {
        write_sessions(builder, &table(rows), SessionSettings::default()).unwrap();
    })
}

fn model_with(write: impl FnOnce(&mut Builder)) -> (tempfile::TempDir, Model) {
    let dir = tempfile::tempdir().unwrap();
    let mut builder = Builder::new(dir.path().join("snapshot")).unwrap();
    let item = |id: u32| CatalogueItem {
        item_id: id.to_string(),
        ..Default::default()
    };
    let catalogue = Catalogue::new((0..ITEMS).map(item).collect()).unwrap();
    builder
        .write(files::ITEMS, &catalogue.to_jsonl().unwrap())
        .unwrap();
    write_covisitation(&mut builder, &vec![Vec::new(); ITEMS as usize]).unwrap();
    write_popularity(&mut builder, &[1.0; ITEMS as usize]).unwrap();
    write(&mut builder);
    let snapshot = builder.finish(Manifest::default()).unwrap();
    let model = Model::load(&snapshot).unwrap();
    (dir, model)
}

fn ask(model: &Model, viewed: &[u32], exclude: &[u32]) -> retrieval::Answer {
    let recent = |item: &u32| Recent {
        item_id: item.to_string(),
        kind: Kind::View,
        age: std::time::Duration::ZERO,
    };
    let query = Query {
        recent: viewed.iter().map(recent).collect(),
        exclude: exclude.iter().map(u32::to_string).collect(),
        k: 20,
        ..Query::default()
    };
    model.retrieve(&query, &Gate::open(ITEMS as usize)).unwrap()
}

#[test]
fn a_model_names_sessions_as_the_source_of_what_came_next() {
    let (_dir, model) = model(&[vec![0, 1, 2], vec![0, 1, 3]]);
    let answer = ask(&model, &[0], &[0]);
    let best = &answer.candidates[0];
    assert_eq!(
        (best.ordinal, best.sources[0].source),
        (1, Source::Sessions)
    );
    assert_eq!(best.sources[0].source.as_str(), "sessions");
}

fn rows() -> impl Strategy<Value = Vec<Vec<u32>>> {
    prop::collection::vec(prop::collection::vec(0..ITEMS, 2..7), 0..12)
}

proptest! {
    #[test]
    fn answers_are_repeatable_ordered_and_without_the_newest_item(
        rows in rows(),
        current in prop::collection::vec(0..ITEMS, 1..6),
    ) {
        let sessions =
            Sessions::new(table(&rows), ITEMS as usize, SessionSettings::default()).unwrap();
        let found = sessions.next(&current, 5);
        prop_assert_eq!(&found, &sessions.next(&current, 5));
        prop_assert!(found.len() <= 5);
        prop_assert!(found.iter().all(|(item, score)| *item != current[0] && *score > 0.0));
        let in_order = |pair: &[(u32, f32)]| {
            pair[0].1 > pair[1].1 || (pair[0].1 >= pair[1].1 && pair[0].0 < pair[1].0)
        };
        prop_assert!(found.windows(2).all(in_order), "{:?}", found);
        // A longer answer begins with the shorter one.
        prop_assert_eq!(&sessions.next(&current, 8)[..found.len()], &found[..]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn excluded_items_are_never_answered(
        rows in rows(),
        current in prop::collection::vec(0..ITEMS, 1..6),
        exclude in prop::collection::vec(0..ITEMS, 0..4),
    ) {
        let (_dir, model) = model(&rows);
        let answer = ask(&model, &current, &exclude);
        prop_assert!(answer.candidates.iter().all(|one| !exclude.contains(&one.ordinal)));
    }
}

fn keyed(sessions: &[(u64, Vec<u32>)]) -> SessionTable {
    let mut table = SessionTable::new();
    for (age, (shopper, row)) in (0u64..).zip(sessions) {
        table.push_of(*shopper, row, (1_000 - age) * DAY);
    }
    table
}

proptest! {
    #[test]
    fn without_some_shoppers_all_answers_are_those_of_a_table_that_never_had_them(
        sessions in prop::collection::vec((0_u64..6, prop::collection::vec(0..ITEMS, 1..6)), 1..40),
        erased in prop::collection::hash_map(0_u64..6, 960_u64..1_001, 1..4),
        current in prop::collection::vec(0..ITEMS, 1..5),
    ) {
        // The ends of what is left are those that it had among the others.
        let mut left = SessionTable::new();
        for (age, (shopper, row)) in (0_u64..).zip(&sessions) {
            let day = 1_000 - age;
            if erased.get(shopper).is_none_or(|until| day > *until) {
                left.push_of(*shopper, row, day * DAY);
            }
        }
        let settings = SessionSettings { sample: 3, neighbours: 5, ..SessionSettings::default() };
        let whole = Sessions::new(keyed(&sessions), ITEMS as usize, settings).unwrap();
        let gone = sessions.len() - left.len();
        let erased = erased.into_iter().map(|(shopper, day)| (shopper, day * DAY)).collect();
        match whole.without(&erased).unwrap() {
            None => prop_assert_eq!(gone, 0),
            Some((masked, count)) => {
                prop_assert_eq!(count, gone);
                let never = Sessions::new(left, ITEMS as usize, settings).unwrap();
                prop_assert_eq!(masked.next(&current, 20), never.next(&current, 20));
                prop_assert!(masked.without(&erased).unwrap().is_none(), "nothing is left of them");
            }
        }
    }
}

#[test]
fn sessions_without_a_mac_cannot_be_found_and_stay() {
    let sessions = Sessions::new(table(&[vec![0, 1]]), 2, plain()).unwrap();
    assert!(!sessions.is_keyed());
    let everybody = (0..100).map(|shopper| (shopper, u64::MAX)).collect();
    assert!(sessions.without(&everybody).unwrap().is_none());
}

/// The golden files are never edited: they load for ever.
#[test]
fn sessions_of_the_first_files_and_of_those_with_macs_load() {
    let first = include_bytes!("golden/sessions-1.safetensors");
    let second = include_bytes!("golden/sessions-2.safetensors");
    let load = |bytes: &[u8]| model_with(|builder| builder.write(SESSIONS, bytes).unwrap());
    let (_dir, old) = load(first);
    let (_dir, new) = load(second);
    let of = |model: &Model| model.sessions().unwrap().clone();
    assert_eq!((of(&old).len(), of(&old).is_keyed()), (3, false));
    assert_eq!((of(&new).len(), of(&new).is_keyed()), (3, true));
    assert_eq!(
        ask(&old, &[1], &[1]).candidates,
        ask(&new, &[1], &[1]).candidates
    );
    let (left, gone) = of(&new)
        .without(&HashMap::from([(11, 1_700_000_200)]))
        .unwrap()
        .unwrap();
    assert_eq!((left.len(), gone), (1, 2));
    assert_eq!(
        left.next(&[1], 9).len(),
        1,
        "what comes after 1 in the session of 12"
    );
}

#[test]
fn a_model_without_its_sessions_says_why_in_every_answer() {
    let (_dir, model) = model(&[vec![0, 1, 2]]);
    let without = model.without_sessions("the erased are not known yet");
    let answer = ask(&without, &[1], &[1]);
    assert_eq!(answer.degraded, ["sessions: the erased are not known yet"]);
    let of_sessions = |one: &retrieval::SourceScore| one.source == Source::Sessions;
    assert!(
        !answer
            .candidates
            .iter()
            .any(|one| one.sources.iter().any(of_sessions))
    );
    assert!(ask(&model, &[1], &[1]).degraded.is_empty());
}
