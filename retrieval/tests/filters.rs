//! No item that is ruled out is ever answered, by any source, and every other one can be.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::panic,
    reason = "a test may fail loudly, in its helpers too"
)]

mod support;

use std::sync::LazyLock;

use proptest::prelude::*;
use retrieval::{Filter, Gate, Kind, Model, PlanKind, Query};
use snapshot::CatalogueItem;
use support::{cart, ids, open, recent, whole_shop};

const ITEMS: u32 = 240;

static MODEL: LazyLock<Model> = LazyLock::new(|| whole_shop(ITEMS, true));

fn name(ordinal: u32) -> String {
    format!("i{ordinal:05}")
}

fn filters() -> impl Strategy<Value = Filter> {
    let some = |names: Vec<&'static str>, most| {
        prop::collection::vec(prop::sample::select(names).prop_map(str::to_owned), 0..most)
    };
    (
        prop::collection::vec((0..ITEMS + 20).prop_map(name), 0..40),
        some(vec!["c0", "c1", "c0.s2", "c1.s3", "s2", "c0.s", "c0.s3"], 3),
        some(vec!["b0", "b1", "b2", "none"], 3),
        prop::option::of(0i64..3_000),
        prop::option::of(3_000i64..6_000),
    )
        .prop_map(
            |(allow, categories, brands, min_price_minor, max_price_minor)| Filter {
                allow,
                categories,
                brands,
                min_price_minor,
                max_price_minor,
            },
        )
}

/// The filter's own words, one item at a time.
fn passes(item: &CatalogueItem, filter: &Filter, price: i64) -> bool {
    let path = item.category_path.join(".");
    let under = |category: &String| path == *category || path.starts_with(&format!("{category}."));
    let listed = |list: &[String], holds: &dyn Fn(&String) -> bool| {
        list.is_empty() || list.iter().any(holds)
    };
    let priced = filter.min_price_minor.is_none() && filter.max_price_minor.is_none()
        || price > 0
            && filter.min_price_minor.is_none_or(|min| price >= min)
            && filter.max_price_minor.is_none_or(|max| price <= max);
    listed(&filter.allow, &|id| *id == item.item_id)
        && listed(&filter.categories, &under)
        && listed(&filter.brands, &|brand| *brand == item.brand)
        && priced
}

fn gate(blocked: &[u32], prices: &[(u32, i64)]) -> Gate {
    let mut gate = open(&MODEL);
    blocked.iter().for_each(|&ordinal| gate.block(ordinal));
    prices
        .iter()
        .for_each(|&(ordinal, price)| gate.set_price(ordinal, price));
    gate
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn answers_hold_only_what_every_rule_allows_and_all_of_it_when_short(
        filter in filters(),
        recents in prop::collection::vec((0..ITEMS + 5, 0u8..5), 0..12),
        exclude in prop::collection::vec((0..ITEMS + 5).prop_map(name), 0..30),
        blocked in prop::collection::vec(0..ITEMS, 0..60),
        prices in prop::collection::vec((0..ITEMS, 0i64..6_000), 0..30),
        k in 1usize..260,
        rebuy in any::<bool>(),
    ) {
        let kinds = [Kind::View, Kind::Add, Kind::Remove, Kind::Checkout, Kind::Purchase];
        let query = Query {
            recent: recents.iter().map(|(id, kind)| recent(&name(*id), kinds[usize::from(*kind)])).collect(),
            exclude,
            k,
            filter,
            rebuy,
            ..Query::default()
        };
        let gate = gate(&blocked, &prices);
        let answer = MODEL.retrieve(&query, &gate).unwrap();
        let bought: Vec<&str> = query
            .recent
            .iter()
            .filter(|one| one.kind == Kind::Purchase && !rebuy)
            .map(|one| one.item_id.as_str())
            .collect();
        let may = |ordinal: u32| {
            let item = MODEL.catalogue().get(ordinal).unwrap();
            let price = gate.price(ordinal).unwrap_or(item.price_minor);
            passes(item, &query.filter, price)
                && !query.exclude.contains(&item.item_id)
                && !blocked.contains(&ordinal)
                && !bought.contains(&item.item_id.as_str())
        };
        let eligible = (0..ITEMS).filter(|&ordinal| may(ordinal)).count();
        prop_assert_eq!(answer.plan.eligible, eligible as u64);
        prop_assert_eq!(answer.candidates.len(), eligible.min(k));
        prop_assert_eq!(answer.plan.kind == PlanKind::Short, eligible < k);
        prop_assert!(answer.candidates.iter().all(|c| may(c.ordinal)));
        let mut unique = ids(&answer);
        unique.sort_unstable();
        unique.dedup();
        prop_assert_eq!(unique.len(), answer.candidates.len());
        for pair in answer.candidates.windows(2) {
            let ordered = pair[0].score > pair[1].score
                || pair[0].score >= pair[1].score && pair[0].item_id < pair[1].item_id;
            prop_assert!(ordered, "{:?}", pair);
        }
        prop_assert!(answer.candidates.iter().all(|c| !c.sources.is_empty()));
    }

    #[test]
    fn equal_filters_written_in_two_ways_get_equal_answers(
        recents in prop::collection::vec(0..ITEMS, 0..6),
        brand in 0u32..4,
        k in 1usize..100,
    ) {
        let ask = |filter| {
            let recent = recents.iter().map(|&id| recent(&name(id), Kind::View)).collect();
            let query = Query { recent, k, filter, ..Query::default() };
            MODEL.retrieve(&query, &open(&MODEL)).unwrap()
        };
        let named = ask(Filter { brands: vec![format!("b{brand}")], ..Filter::default() });
        let allow = (0..ITEMS).filter(|id| id % 4 == brand).map(name).collect();
        prop_assert_eq!(ask(Filter { allow, ..Filter::default() }), named);
    }
}

#[test]
fn a_category_covers_those_below_it_by_whole_parts() {
    let ask = |category: &str| {
        let mut query = cart(&[], 1_000);
        query.filter.categories = vec![category.to_owned()];
        MODEL.retrieve(&query, &open(&MODEL)).unwrap().plan.eligible
    };
    assert_eq!(ask("c0"), 120);
    assert_eq!(ask("c0.s2"), 40);
    assert_eq!(ask("c0.s"), 0, "a part of a name is no category");
    assert_eq!(ask("s2"), 0, "a path starts at its root");
}

#[test]
fn live_prices_replace_the_catalogues_in_price_filters() {
    let mut query = cart(&[], 1_000);
    query.filter.allow = vec![name(10), name(11)];
    query.filter.max_price_minor = Some(1_050);
    let eligible = |gate: &Gate| MODEL.retrieve(&query, gate).unwrap().plan.eligible;
    assert_eq!(eligible(&gate(&[], &[])), 1, "1,000 and 1,100");
    assert_eq!(eligible(&gate(&[], &[(11, 900)])), 2);
    assert_eq!(eligible(&gate(&[], &[(10, 2_000)])), 0);
    assert_eq!(
        eligible(&gate(&[], &[(10, 0)])),
        0,
        "an unknown price is not a low one"
    );
}
