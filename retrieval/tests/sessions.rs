//! Session neighbours against sums by hand, and their promises on any sessions.
#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a test may fail loudly, in its helpers too"
)]

use proptest::prelude::*;
use retrieval::files::{write_covisitation, write_popularity, write_sessions};
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
    write_sessions(&mut builder, &table(rows), SessionSettings::default()).unwrap();
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
