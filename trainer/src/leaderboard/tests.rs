use feature_store::{EventKind, Millis};
use retrieval::{Normalisation, SourceWeight};

use super::*;
use crate::Options;
use crate::parts::Parts;
use crate::prng::SplitMix64;

/// Shoppers come back day after day, look at items of a theme, put some into the cart and buy some.
fn log() -> Vec<Event> {
    let mut random = SplitMix64::new(5);
    let mut below = move |count: u64| random.next() % count;
    let mut events = Vec::new();
    for visit in 0..500_u64 {
        let theme = below(8);
        for step in 0..(3 + below(5)) {
            let kind = match below(10) {
                0..6 => EventKind::View,
                6..8 => EventKind::AddToCart,
                _ => EventKind::Purchase,
            };
            events.push(Event {
                event_id: format!("{visit:04}-{step}"),
                shopper_id: format!("s{}", visit % 60),
                kind,
                item_id: format!("i{:03}", theme * 10 + below(12)),
                quantity: 1,
                price_minor: 500,
                currency: "EUR".to_owned(),
                occurred_at: Millis(i64::try_from((visit * 1_500 + step * 20) * 1_000).unwrap()),
                ..Event::default()
            });
        }
    }
    events
}

fn judged(fusion: FusionWeights, k: usize) -> Evaluation {
    let events = log();
    let parts = Parts::of(&events);
    let options = Options {
        dimension: 8,
        iterations: 3,
        ..Options::default()
    };
    let trained = Trained::on(parts.past, &[], &options, &mut |_, _| {}).unwrap();
    let learned = Learned {
        fusion,
        ..Learned::nothing("the test wants the order of retrieval")
    };
    let known = Known::new(parts.past, &[parts.past, parts.fit]);
    let options = EvaluationOptions {
        k,
        ..EvaluationOptions::default()
    };
    judge(&trained, &learned, &known, parts.judge, &options).unwrap()
}

#[test]
fn a_ranker_that_keeps_the_order_of_retrieval_ranks_what_is_fused() {
    let mut fusion = FusionWeights {
        again: 0.1,
        price_bands: 2,
        ..FusionWeights::default()
    };
    let own = SourceWeight::new(0.5, Normalisation::Reciprocal).with_earlier(0.25);
    fusion.sources[Source::Covisitation as usize] = own;
    for k in [20, 150] {
        let board = judged(fusion.clone(), k).leaderboard.unwrap();
        let (fused, ranked) = (board.row(ALL, FUSED), board.row(ALL, RANKED));
        let (fused, ranked) = (fused.unwrap(), ranked.unwrap());
        let same = snapshot::LeaderboardRow {
            method: RANKED.to_owned(),
            ..fused.clone()
        };
        assert_eq!(&same, ranked, "{k} places");
        assert!(fused.hit_rate > 0.0);
        let by_default = board.row(ALL, FUSED_BY_DEFAULT).unwrap();
        assert!((fused.mrr - by_default.mrr).abs() > 1e-6);
    }
}

#[test]
fn a_note_says_how_many_of_the_next_items_are_never_shown() {
    let found = judged(FusionWeights::default(), 20);
    let note = found.notes.iter().find(|note| note.contains("never shown"));
    assert!(note.unwrap().contains("were bought before"), "{note:?}");
}
