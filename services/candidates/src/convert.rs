//! Protobuf to domain and back, with the limits that the contract states.

use std::time::Duration;

use kit::{Clock, Violations, timestamp};
use prost_types::Duration as WireDuration;
use proto::v1 as pb;
use retrieval::{
    Answer, Candidate, Filter, Kind, PlanKind, Query, Recent, Scored, Source, SourceScore,
};
use tonic::Status;

const MOST_CANDIDATES: u32 = 1_000;
const MOST_RECENT: usize = 200;
const MOST_EXCLUDED: usize = 1_000;
const MOST_SCORED: usize = 200;
const USUAL_CANDIDATES: u32 = 100;
const USUAL_SIMILAR: u32 = 20;
const NANOS_PER_SECOND: i32 = 1_000_000_000;

/// A checked request. `query.recent` is empty while the shopper is still to be looked up.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) query: Query,
    pub(crate) shopper_id: String,
    pub(crate) generation: String,
    pub(crate) now_ms: i64,
    /// Whether the answer is wanted as columns.
    pub(crate) columns: bool,
}

pub(crate) fn decode_retrieve(
    request: pb::RetrieveRequest,
    clock: &Clock,
) -> Result<Wanted, Status> {
    let mut violations = Violations::new();
    check_who(&mut violations, &request);
    violations.check_at_most("recent_items", request.recent_items.len(), MOST_RECENT);
    violations.check_at_most("exclude", request.exclude.len(), MOST_EXCLUDED);
    check_ids(&mut violations, "exclude", &request.exclude);
    violations.check_at_most("score", request.score.len(), MOST_SCORED);
    check_ids(&mut violations, "score", &request.score);
    let now_ms = timestamp::given_or_now(&mut violations, "now", request.now.as_ref(), clock);
    let recent = request.recent_items.into_iter().enumerate();
    let query = Query {
        recent: recent
            .filter_map(|(i, item)| decode_recent(&mut violations, i, item))
            .collect(),
        exclude: request.exclude,
        score: request.score,
        rebuy: request.rebuy,
        k: decode_k(&mut violations, request.k, USUAL_CANDIDATES),
        filter: decode_filter(&mut violations, request.filter),
    };
    violations.into_result()?;
    let (shopper_id, generation) = (request.shopper_id, request.generation);
    Ok(Wanted {
        columns: request.columns,
        query,
        shopper_id,
        generation,
        now_ms,
    })
}

/// Either the shopper or the recent items.
fn check_who(violations: &mut Violations, request: &pb::RetrieveRequest) {
    match (
        request.shopper_id.is_empty(),
        request.recent_items.is_empty(),
    ) {
        (true, true) => violations.add("shopper_id", "is empty, and so are recent_items; give one"),
        (false, false) => {
            violations.add("shopper_id", "is given with recent_items; give one of them")
        }
        (false, true) => violations.check_id("shopper_id", &request.shopper_id),
        (true, false) => {}
    }
}

fn check_ids(violations: &mut Violations, field: &str, ids: &[String]) {
    for (i, id) in ids.iter().enumerate() {
        violations.check_id(&format!("{field}[{i}]"), id);
    }
}

fn decode_k(violations: &mut Violations, k: u32, usual: u32) -> usize {
    violations.check(k <= MOST_CANDIDATES, "k", || {
        format!("is {k}, 1 to {MOST_CANDIDATES} are allowed, and 0 reads as {usual}")
    });
    let k = if k == 0 { usual } else { k };
    usize::try_from(k).unwrap_or(usize::MAX)
}

fn decode_recent(
    violations: &mut Violations,
    index: usize,
    item: pb::RecentInteraction,
) -> Option<Recent> {
    let path = |field: &str| format!("recent_items[{index}].{field}");
    violations.check_id(&path("item_id"), &item.item_id);
    let kind = match item.event_type {
        0 => Some(Kind::View),
        given => kind_of(given),
    };
    violations.check(kind.is_some(), &path("event_type"), || {
        format!("is {}, 0 to 5 are allowed", item.event_type)
    });
    let age = item.age.as_ref().map_or(Ok(Duration::ZERO), decode_age);
    let age = age.map_err(|why| violations.add(path("age"), why)).ok()?;
    Some(Recent {
        item_id: item.item_id,
        kind: kind?,
        age,
    })
}

fn decode_age(age: &WireDuration) -> Result<Duration, String> {
    let nanos = u32::try_from(age.nanos)
        .ok()
        .filter(|_| age.nanos < NANOS_PER_SECOND);
    match (u64::try_from(age.seconds), nanos) {
        (Ok(seconds), Some(nanos)) => Ok(Duration::new(seconds, nanos)),
        _ => Err(format!(
            "is {} s {} ns, 0 or more is allowed",
            age.seconds, age.nanos
        )),
    }
}

/// As in `Event.Type`; messages are no interaction with an item.
fn kind_of(event_type: u32) -> Option<Kind> {
    match event_type {
        1 => Some(Kind::View),
        2 => Some(Kind::Add),
        3 => Some(Kind::Remove),
        4 => Some(Kind::Checkout),
        5 => Some(Kind::Purchase),
        _ => None,
    }
}

fn decode_filter(violations: &mut Violations, filter: Option<pb::Filter>) -> Filter {
    let Some(filter) = filter else {
        return Filter::default();
    };
    check_ids(violations, "filter.allow_item_ids", &filter.allow_item_ids);
    let filter = Filter {
        allow: filter.allow_item_ids,
        categories: filter.categories,
        brands: filter.brands,
        min_price_minor: filter.min_price_minor,
        max_price_minor: filter.max_price_minor,
    };
    match filter.validate() {
        Ok(()) => {}
        Err(retrieval::Error::Invalid {
            field,
            value,
            allowed,
        }) => {
            violations.add(field, format!("is {value}, {allowed}"));
        }
        Err(error) => violations.add("filter", error.to_string()),
    }
    filter
}

/// A checked request for similar items.
#[derive(Debug)]
pub(crate) struct WantedSimilar {
    pub(crate) item_id: String,
    pub(crate) k: usize,
    pub(crate) filter: Filter,
    pub(crate) generation: String,
}

pub(crate) fn decode_similar(request: pb::SimilarItemsRequest) -> Result<WantedSimilar, Status> {
    let mut violations = Violations::new();
    violations.check_id("item_id", &request.item_id);
    let k = decode_k(&mut violations, request.k, USUAL_SIMILAR);
    let filter = decode_filter(&mut violations, request.filter);
    violations.into_result()?;
    Ok(WantedSimilar {
        item_id: request.item_id,
        k,
        filter,
        generation: request.generation,
    })
}

/// Recent items as `features` gives them. What it knows and we do not is left out.
pub(crate) fn recent_of_shopper(items: Vec<pb::RecentItem>, now_ms: i64) -> Vec<Recent> {
    items
        .into_iter()
        .filter_map(|item| {
            let occurred_ms = timestamp::decode(item.occurred_at.as_ref()?).ok()?;
            let age_ms = u64::try_from(now_ms.saturating_sub(occurred_ms)).unwrap_or_default();
            let kind = kind_of(item.event_type)?;
            Some(Recent {
                item_id: item.item_id,
                kind,
                age: Duration::from_millis(age_ms),
            })
        })
        .collect()
}

/// The candidates as messages, or as columns.
pub(crate) fn encode_answer(
    answer: Answer,
    generation: &str,
    columns: bool,
) -> pb::RetrieveResponse {
    use pb::plan::Kind as WireKind;
    let kind = match answer.plan.kind {
        PlanKind::Exact => WireKind::Exact,
        PlanKind::Approximate => WireKind::Approximate,
        PlanKind::Short => WireKind::Short,
    };
    let (candidates, columns) = if columns {
        (Vec::new(), Some(encode_columns(&answer.candidates)))
    } else {
        let candidates = answer.candidates.into_iter().map(encode_candidate);
        (candidates.collect(), None)
    };
    pb::RetrieveResponse {
        candidates,
        columns,
        plan: Some(pb::Plan {
            kind: kind.into(),
            eligible: answer.plan.eligible,
            lists_probed: answer.plan.lists_probed,
        }),
        generation: generation.to_owned(),
        unknown_items: answer.unknown,
        scored: answer.scored.into_iter().map(encode_scored).collect(),
    }
}

fn encode_columns(candidates: &[Candidate]) -> pb::CandidateColumns {
    let count = |candidate: &Candidate| u32::try_from(candidate.sources.len()).unwrap_or(u32::MAX);
    let named = || candidates.iter().flat_map(|candidate| &candidate.sources);
    let place = |source| Source::ALL.iter().position(|known| *known == source);
    let place = |source| place(source).and_then(|at| u32::try_from(at).ok());
    pb::CandidateColumns {
        ordinals: candidates.iter().map(|one| one.ordinal).collect(),
        scores: candidates.iter().map(|one| one.score).collect(),
        named_by: candidates.iter().map(count).collect(),
        sources: Source::ALL
            .map(|source| source.as_str().to_owned())
            .to_vec(),
        source: (named().map(|said| place(said.source).unwrap_or(u32::MAX))).collect(),
        source_scores: named().map(|said| said.score).collect(),
        source_ranks: named().map(|said| said.rank).collect(),
    }
}

fn encode_candidate(candidate: Candidate) -> pb::Candidate {
    pb::Candidate {
        item_id: candidate.item_id,
        score: candidate.score,
        sources: candidate.sources.into_iter().map(encode_source).collect(),
    }
}

fn encode_scored(scored: Scored) -> pb::ScoredItem {
    pb::ScoredItem {
        item_id: scored.item_id,
        known: scored.known,
        score: scored.score,
        sources: scored.sources.into_iter().map(encode_source).collect(),
    }
}

fn encode_source(source: SourceScore) -> pb::SourceScore {
    pb::SourceScore {
        source: source.source.as_str().to_owned(),
        score: source.score,
        rank: source.rank,
    }
}
