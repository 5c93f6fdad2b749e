use feature_store::Millis;
use retrieval::{Gate, Normalisation, SourceWeight};

use super::*;
use crate::look_back::draft_folder;
use crate::{Models, Options};

/// Shoppers walk in a circle of 40 items, six at a time.
fn log() -> Vec<Event> {
    let event = |at: usize| {
        let (session, step) = (at / 6, at % 6);
        Event {
            event_id: format!("{at:06}"),
            shopper_id: format!("s{session}"),
            item_id: format!("i{:02}", (session * 7 + step) % 40),
            occurred_at: Millis(i64::try_from(at).unwrap() * 60_000),
            ..Event::default()
        }
    };
    (0..1_800).map(event).collect()
}

fn model(events: &[Event]) -> (tempfile::TempDir, Model) {
    let models = Models::train(events, &[], &Options::default(), &mut |_, _| {}).unwrap();
    let folder = draft_folder().unwrap();
    let model = Model::load(&models.draft(folder.path()).unwrap()).unwrap();
    (folder, model)
}

#[test]
fn learning_never_loses_on_what_it_learns_from_and_repeats_to_the_last_digit() {
    let events = log();
    let (past, fit) = events.split_at(1_200);
    let (_folder, model) = model(past);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build()
            .unwrap()
            .install(|| learn(&model, past, fit))
            .unwrap()
    };
    let (one, three) = (on(1), on(3));
    assert!(one.after >= one.before && one.before > 0.0, "{one:?}");
    assert_eq!(one.weights, three.weights);
    assert_eq!(one.after.to_bits(), three.after.to_bits());
}

#[test]
fn scores_here_are_the_scores_that_serving_gives() {
    let events = log();
    let (past, fit) = events.split_at(1_200);
    let (_folder, model) = model(past);
    let how = Normalisation::ALL.into_iter().cycle();
    let given = [0.7, 1.0, 0.4, 2.0, 0.6, 0.3, 0.5].into_iter().zip(how);
    let mut weights = FusionWeights {
        newest: 0.5,
        again: 0.3,
        ..FusionWeights::default()
    };
    for (to, (weight, how)) in weights.sources.iter_mut().zip(given) {
        *to = SourceWeight::new(weight, how);
    }
    let moments = {
        let sessions = sessions(fit, GAP);
        thinned(moments(&sessions), 40)
    };
    let asked: Vec<Asked<'_>> = moments
        .iter()
        .zip(&views(&[past, fit], &moments))
        .map(|(moment, view)| Asked::of(moment, view))
        .collect();
    let table = Table::collect(&model, &weights, &asked).unwrap();
    let model = model.with_fusion(weights.clone()).unwrap();
    let gate = Gate::open(model.catalogue().len());
    for (asked, scores) in asked.iter().zip(table.scores(&weights)) {
        for one in model.named(&asked.query, &gate).unwrap().candidates {
            let score = scores[&one.ordinal];
            assert!((score - one.score).abs() < 1e-5, "{one:?} {score}");
        }
    }
}

#[test]
fn a_log_that_shows_nothing_keeps_the_defaults() {
    let events = log();
    let (_folder, model) = model(&events);
    let learned = learn(&model, &[], &events[..6]).unwrap();
    assert_eq!(learned.weights, FusionWeights::default());
    assert!(learned.describe().contains("too few"));
}

#[test]
fn no_source_alone_is_better_than_all_and_one_that_says_nothing_keeps_its_weight() {
    let events = log();
    let (past, fit) = events.split_at(1_200);
    let (_folder, model) = model(past);
    let learned = learn(&model, past, fit).unwrap();
    let sessions = sessions(fit, GAP);
    let moments = thinned(moments(&sessions), MOST);
    let asked: Vec<Asked<'_>> = moments
        .iter()
        .zip(&views(&[past, fit], &moments))
        .map(|(moment, view)| Asked::of(moment, view))
        .collect();
    let start = FusionWeights::default();
    let table = Table::collect(&model, &start, &asked).unwrap();
    for source in Source::ALL {
        let found = table.objective(&alone(source, &Source::ALL, &start));
        assert!(found <= learned.after, "{source:?} {found} {learned:?}");
    }
    let rebuy = |weights: &FusionWeights| weights.of(Source::Rebuy);
    assert_eq!(rebuy(&learned.weights), rebuy(&start));
    assert_eq!(rebuy(&table.best_alone(&start)), rebuy(&start));
}
