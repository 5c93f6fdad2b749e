//! Whether an answer is right, not only fast.

use std::collections::BTreeSet;

use proto::v1 as pb;

use crate::measured::Failure;

/// Rows and values answer what was asked, in full.
pub(crate) fn features(
    entities: &[pb::Entity],
    names: &[String],
    answer: &pb::GetFeaturesResponse,
) -> Result<(), Failure> {
    counted("rows", entities.len(), answer.rows.len())?;
    for (entity, row) in entities.iter().zip(&answer.rows) {
        if row.entity.as_ref() != Some(entity) {
            return Err(Failure::wrong(
                "entity",
                format!("{:?} for {entity:?}", row.entity),
            ));
        }
        counted("values", names.len(), row.values.len())?;
        let known = |v: &pb::FeatureValue| {
            matches!(
                v.status(),
                pb::feature_value::Status::Present
                    | pb::feature_value::Status::Null
                    | pb::feature_value::Status::OutsideMaxAge
            )
        };
        if let Some(at) = row.values.iter().position(|value| !known(value)) {
            let name = names.get(at).map_or("", String::as_str);
            let status = row.values.get(at).map(pb::FeatureValue::status);
            return Err(Failure::wrong("status", format!("{name} is {status:?}")));
        }
    }
    Ok(())
}

/// k candidates, none twice, none excluded, from the generation asked for.
pub(crate) fn retrieve(
    asked: &pb::RetrieveRequest,
    answer: &pb::RetrieveResponse,
) -> Result<(), Failure> {
    generation(&asked.generation, &answer.generation)?;
    let short = answer
        .plan
        .as_ref()
        .is_some_and(|p| p.kind() == pb::plan::Kind::Short);
    let (k, got) = (
        usize::try_from(asked.k).unwrap_or(usize::MAX),
        answer.candidates.len(),
    );
    if got > k || (got < k && !short) {
        return Err(Failure::wrong(
            "k",
            format!("{got} candidates, {k} were asked for"),
        ));
    }
    allowed(
        answer.candidates.iter().map(|c| c.item_id.as_str()),
        &asked.exclude,
    )
}

/// Every item asked about once, best first, from the generation asked for.
pub(crate) fn rank(asked: &pb::RankRequest, answer: &pb::RankResponse) -> Result<(), Failure> {
    generation(&asked.generation, &answer.generation)?;
    counted("items", asked.item_ids.len(), answer.items.len())?;
    let wanted: BTreeSet<&str> = asked.item_ids.iter().map(String::as_str).collect();
    let foreign = answer
        .items
        .iter()
        .find(|item| !wanted.contains(item.item_id.as_str()));
    if let Some(item) = foreign {
        return Err(Failure::wrong("item not asked for", item.item_id.clone()));
    }
    allowed(answer.items.iter().map(|item| item.item_id.as_str()), &[])?;
    // Scores fall, but for the one place where the items unknown to the generation begin.
    let rises = answer.items.windows(2).filter(
        |pair| matches!(pair, [before, after] if before.score.total_cmp(&after.score).is_lt()),
    );
    match rises.count() {
        0 | 1 => Ok(()),
        n => Err(Failure::wrong(
            "order",
            format!("the score rises {n} times"),
        )),
    }
}

/// A decision for the shopper asked about, whole in itself, that shows nothing from the cart.
pub(crate) fn decision(
    asked: &pb::DecideRequest,
    cart: &[String],
    answer: &pb::Decision,
) -> Result<(), Failure> {
    use pb::decision::Action;
    if answer.shopper_id != asked.shopper_id {
        return Err(Failure::wrong("shopper", answer.shopper_id.clone()));
    }
    generation(&asked.generation, &answer.generation)?;
    let offers = match answer.action() {
        Action::Unspecified => return Err(Failure::wrong("action", "none is named")),
        Action::Nothing | Action::Reminder => false,
        Action::PercentCoupon
        | Action::FixedCoupon
        | Action::FreeShipping
        | Action::LimitedTimeOffer => true,
    };
    if offers != answer.offer.is_some() {
        let detail = format!("{:?} with the offer {:?}", answer.action(), answer.offer);
        return Err(Failure::wrong("offer", detail));
    }
    if !(answer.propensity > 0.0 && answer.propensity <= 1.0) {
        return Err(Failure::wrong("propensity", answer.propensity.to_string()));
    }
    if asked.mode() == pb::decide_request::Mode::Commit && answer.decision_id.is_empty() {
        return Err(Failure::wrong(
            "decision_id",
            "a committed decision has none",
        ));
    }
    allowed(answer.items.iter().map(|item| item.item_id.as_str()), cart)
}

/// Every event was taken, and was new.
pub(crate) fn events(sent: usize, answer: &pb::PushEventsResponse) -> Result<(), Failure> {
    counted("results", sent, answer.results.len())?;
    let refused = answer
        .results
        .iter()
        .find(|r| r.status() != pb::event_result::Status::Accepted);
    match refused {
        None => Ok(()),
        Some(result) if result.status() == pb::event_result::Status::Rejected => {
            let word = result.reason.split(':').next().unwrap_or_default();
            Err(Failure {
                code: format!("rejected: {word}").into(),
                detail: result.reason.clone(),
                refused: false,
            })
        }
        Some(result) => Err(Failure::wrong(
            "event result",
            format!("{:?}", result.status()),
        )),
    }
}

fn counted(what: &str, wanted: usize, got: usize) -> Result<(), Failure> {
    if wanted == got {
        return Ok(());
    }
    Err(Failure::wrong(
        what,
        format!("{got}, {wanted} were asked for"),
    ))
}

/// One generation a decision: an answer names the one that all its stages used, and a pinned
/// request gets the one it asked for.
fn generation(pinned: &str, got: &str) -> Result<(), Failure> {
    if got.is_empty() {
        return Err(Failure::wrong("generation", "none is named"));
    }
    if !pinned.is_empty() && pinned != got {
        return Err(Failure::wrong(
            "generation",
            format!("{got}, {pinned} was asked for"),
        ));
    }
    Ok(())
}

fn allowed<'a>(items: impl Iterator<Item = &'a str>, forbidden: &[String]) -> Result<(), Failure> {
    let mut seen = BTreeSet::new();
    for item in items {
        if forbidden.iter().any(|f| f == item) {
            return Err(Failure::wrong("forbidden item", item));
        }
        if !seen.insert(item) {
            return Err(Failure::wrong("item twice", item));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(result: Result<(), Failure>) -> String {
        result
            .err()
            .map_or("right".into(), |failure| failure.code.into_owned())
    }

    fn candidates(ids: &[&str]) -> pb::RetrieveResponse {
        let candidate = |id: &&str| pb::Candidate {
            item_id: (*id).into(),
            ..pb::Candidate::default()
        };
        pb::RetrieveResponse {
            candidates: ids.iter().map(candidate).collect(),
            generation: "g1".into(),
            ..pb::RetrieveResponse::default()
        }
    }

    #[test]
    fn candidates_are_k_distinct_allowed_items_of_the_pinned_generation() {
        let asked = pb::RetrieveRequest {
            k: 2,
            exclude: vec!["x".into()],
            generation: "g1".into(),
            ..pb::RetrieveRequest::default()
        };
        assert_eq!(code(retrieve(&asked, &candidates(&["a", "b"]))), "right");
        assert_eq!(code(retrieve(&asked, &candidates(&["a"]))), "wrong: k");
        assert_eq!(
            code(retrieve(&asked, &candidates(&["a", "b", "c"]))),
            "wrong: k"
        );
        assert_eq!(
            code(retrieve(&asked, &candidates(&["a", "x"]))),
            "wrong: forbidden item"
        );
        assert_eq!(
            code(retrieve(&asked, &candidates(&["a", "a"]))),
            "wrong: item twice"
        );
        let mut short = candidates(&["a"]);
        short.plan = Some(pb::Plan {
            kind: pb::plan::Kind::Short.into(),
            ..pb::Plan::default()
        });
        assert_eq!(code(retrieve(&asked, &short)), "right");
        short.generation = "g2".into();
        assert_eq!(code(retrieve(&asked, &short)), "wrong: generation");
    }

    #[test]
    fn a_ranking_holds_every_item_once_and_best_first() {
        let asked = pb::RankRequest {
            item_ids: ["a", "b", "c", "d"].map(str::to_owned).to_vec(),
            ..pb::RankRequest::default()
        };
        let ranked = |items: &[(&str, f64)]| {
            let item = |(id, score): &(&str, f64)| pb::RankedItem {
                item_id: (*id).into(),
                score: *score,
            };
            let answer = pb::RankResponse {
                items: items.iter().map(item).collect(),
                generation: "g1".into(),
                ..pb::RankResponse::default()
            };
            code(rank(&asked, &answer))
        };
        let (a, b, c, d) = (("a", 3.0), ("b", 2.0), ("c", -1.0), ("d", 0.0));
        assert_eq!(ranked(&[a, b, c, d]), "right");
        assert_eq!(ranked(&[c, a, b, ("d", 2.5)]), "wrong: order");
        assert_eq!(ranked(&[a, b, c]), "wrong: items");
        assert_eq!(ranked(&[a, b, c, c]), "wrong: item twice");
        assert_eq!(ranked(&[a, b, c, ("x", 0.0)]), "wrong: item not asked for");
    }

    #[test]
    fn a_decision_shows_nothing_from_the_cart_and_is_whole() {
        let asked = pb::DecideRequest {
            shopper_id: "s".into(),
            ..pb::DecideRequest::default()
        };
        let shown = |id: &str| pb::ShownItem {
            item_id: id.into(),
            ..pb::ShownItem::default()
        };
        let good = pb::Decision {
            shopper_id: "s".into(),
            action: pb::decision::Action::Reminder.into(),
            items: vec![shown("a"), shown("b")],
            propensity: 0.5,
            generation: "g".into(),
            ..pb::Decision::default()
        };
        let judge = |asked: &pb::DecideRequest, change: &dyn Fn(&mut pb::Decision)| {
            let mut answer = good.clone();
            change(&mut answer);
            code(decision(asked, &["c".into()], &answer))
        };
        assert_eq!(judge(&asked, &|_| ()), "right");
        assert_eq!(
            judge(&asked, &|d| d.shopper_id = "t".into()),
            "wrong: shopper"
        );
        assert_eq!(judge(&asked, &|d| d.action = 0), "wrong: action");
        assert_eq!(
            judge(&asked, &|d| d.offer = Some(pb::Offer::default())),
            "wrong: offer"
        );
        assert_eq!(judge(&asked, &|d| d.action = 3), "wrong: offer");
        assert_eq!(
            judge(&asked, &|d| d.items.push(shown("c"))),
            "wrong: forbidden item"
        );
        assert_eq!(
            judge(&asked, &|d| d.generation.clear()),
            "wrong: generation"
        );
        assert_eq!(judge(&asked, &|d| d.propensity = 0.0), "wrong: propensity");
        let commit = pb::DecideRequest {
            mode: pb::decide_request::Mode::Commit.into(),
            ..asked
        };
        assert_eq!(judge(&commit, &|_| ()), "wrong: decision_id");
    }

    #[test]
    fn every_event_has_to_be_new_and_taken() {
        use pb::event_result::Status::{Accepted, Duplicate, Rejected};
        let answer = |statuses: &[pb::event_result::Status]| pb::PushEventsResponse {
            results: statuses
                .iter()
                .map(|status| pb::EventResult {
                    status: (*status).into(),
                    reason: "bot_rate: too many".into(),
                    ..pb::EventResult::default()
                })
                .collect(),
        };
        assert_eq!(code(events(2, &answer(&[Accepted, Accepted]))), "right");
        assert_eq!(code(events(2, &answer(&[Accepted]))), "wrong: results");
        assert_eq!(
            code(events(1, &answer(&[Duplicate]))),
            "wrong: event result"
        );
        assert_eq!(code(events(1, &answer(&[Rejected]))), "rejected: bot_rate");
    }

    #[test]
    fn features_answer_each_entity_with_each_value() {
        let entity = crate::prepare::entity("s");
        let entities = [entity.clone()];
        let names = ["shopper.is_new".to_owned()];
        let features = |answer: &pb::GetFeaturesResponse| features(&entities, &names, answer);
        let answer = |status: pb::feature_value::Status| pb::GetFeaturesResponse {
            rows: vec![pb::FeatureRow {
                entity: Some(entity.clone()),
                values: vec![pb::FeatureValue {
                    status: status.into(),
                    ..pb::FeatureValue::default()
                }],
                ..pb::FeatureRow::default()
            }],
            ..pb::GetFeaturesResponse::default()
        };
        use pb::feature_value::Status::{NotFound, Null, Present};
        assert_eq!(code(features(&answer(Present))), "right");
        assert_eq!(code(features(&answer(Null))), "right");
        assert_eq!(code(features(&answer(NotFound))), "wrong: status");
        let mut other = answer(Present);
        other.rows[0].entity = Some(crate::prepare::entity("t"));
        assert_eq!(code(features(&other)), "wrong: entity");
        other.rows.clear();
        assert_eq!(code(features(&other)), "wrong: rows");
    }
}
