//! What this role answers.

use kit::{Problem, timestamp};
use policy::sequence::StepKey;
use policy::{Action, Inputs, Offer, Policy, RunnerUp};
use prost::Message as _;
use proto::v1 as pb;

use crate::decide::candidates::SourceScore;
use crate::decide::rank::Ranked;
use crate::decide::{Decided, Ordered};
use crate::explain::Explained;
use crate::record::{self, FORMAT, Record, fingerprint};
use crate::request::Request;

/// `message` names what goes out for it; empty when nothing does.
pub(crate) fn decision(decided: &Decided, message: String) -> pb::Decision {
    let Decided {
        decision,
        inputs,
        notes,
        ..
    } = decided;
    let stage = |(stage, took): &(crate::decide::Stage, _)| pb::StageLatency {
        stage: stage.as_str().to_owned(),
        latency: Some(super::duration(*took)),
    };
    pb::Decision {
        decision_id: decided.decision_id.clone(),
        shopper_id: decided.shopper_id.clone(),
        action: action(decision.action).into(),
        offer: decision.offer.as_ref().map(|given| offer(given, inputs)),
        items: decided.shown.iter().map(shown).collect(),
        expected_value_minor: decision.value_minor,
        propensity: decision.propensity,
        risk: inputs.risk,
        reasons: decision.reasons.clone(),
        runner_up: decision.runner_up.as_ref().map(runner_up),
        degraded: notes.degraded.clone(),
        generation: decided.generation.clone(),
        stage_latencies: notes.stages.iter().map(stage).collect(),
        cart_value_minor: decided.cart_value_minor,
        currency: inputs.currency.clone(),
        decided_at: Some(timestamp::encode(inputs.now_ms)),
        cart_version: decided.cart_version,
        trace_id: kit::trace::current_id().unwrap_or_default(),
        in_holdout: inputs.held_out,
        idempotency_key: message,
        max_cost_minor: decision.max_cost_minor,
        line_offers: super::campaigns::line_offers(&decided.line_offers, inputs),
        coupon_code: String::new(),
        restore_token: String::new(),
        offer_ends_at: None,
    }
}

fn action(action: Action) -> pb::decision::Action {
    match action {
        Action::Nothing => pb::decision::Action::Nothing,
        Action::Reminder => pb::decision::Action::Reminder,
        Action::PercentCoupon => pb::decision::Action::PercentCoupon,
        Action::FixedCoupon => pb::decision::Action::FixedCoupon,
        Action::FreeShipping => pb::decision::Action::FreeShipping,
        Action::LimitedTimeOffer => pb::decision::Action::LimitedTimeOffer,
    }
}

/// The action of an answer, as metrics name it.
pub(crate) fn action_name(decision: &pb::Decision) -> &'static str {
    let action = match decision.action() {
        pb::decision::Action::Unspecified | pb::decision::Action::Nothing => Action::Nothing,
        pb::decision::Action::Reminder => Action::Reminder,
        pb::decision::Action::PercentCoupon => Action::PercentCoupon,
        pb::decision::Action::FixedCoupon => Action::FixedCoupon,
        pb::decision::Action::FreeShipping => Action::FreeShipping,
        pb::decision::Action::LimitedTimeOffer => Action::LimitedTimeOffer,
    };
    action.as_str()
}

fn offer(offer: &Offer, inputs: &Inputs) -> pb::Offer {
    pb::Offer {
        percent_off: offer.percent_off,
        discount_minor: offer.discount_minor,
        max_discount_minor: offer.max_discount_minor,
        currency: inputs.currency.clone(),
        valid_for: Some(super::duration(offer.valid_for)),
    }
}

fn shown(item: &Ranked) -> pb::ShownItem {
    let source = |score: &SourceScore| pb::SourceScore {
        source: score.source.clone().into_owned(),
        score: score.score,
        rank: score.rank,
    };
    pb::ShownItem {
        item_id: item.item_id.clone(),
        name: item.name.clone(),
        score: item.score,
        sources: item.sources.iter().map(source).collect(),
    }
}

fn runner_up(second: &RunnerUp) -> pb::RunnerUp {
    pb::RunnerUp {
        action: action(second.action).into(),
        expected_value_minor: second.value_minor,
        flips_when: second.flips_when.clone(),
    }
}

/// What is written for a committed decision.
pub(crate) fn record(
    request: &Request,
    decided: &Decided,
    answer: &pb::Decision,
    policy: &Policy,
    step: Option<StepKey>,
) -> Record {
    Record {
        format: FORMAT,
        fingerprint: fingerprint(request),
        inputs: decided.inputs.encode(),
        seed: decided.seed,
        policy_version: policy.version().to_owned(),
        generation: decided.generation.clone(),
        decision: answer.encode_to_vec(),
        request_id: request.request_id.clone(),
        shopper_id: request.shopper_id.clone(),
        step: step.map(record::Step::of),
        policy_id: policy.id().to_vec(),
        digest: decided.decision.digest().to_vec(),
        checksum: Vec::new(),
    }
    .sealed()
}

pub(crate) fn explained(explained: Explained) -> pb::GetDecisionResponse {
    let explanation = explained.sentences();
    let Explained {
        record,
        decision,
        inputs,
        again,
    } = explained;
    let (arms, not_reproduced) = match again {
        Ok(again) => (arms(&again), String::new()),
        Err(why) => (Vec::new(), why),
    };
    pb::GetDecisionResponse {
        decision: Some(decision),
        request_id: record.request_id,
        policy_version: record.policy_version,
        policy_id: record::hex(&record.policy_id),
        seed: record.seed,
        lambda: inputs.lambda,
        budget_free_minor: inputs.budget_free_minor,
        reproduced: not_reproduced.is_empty(),
        not_reproduced,
        arms,
        explanation,
    }
}

fn arms(decision: &policy::Decision) -> Vec<pb::ConsideredArm> {
    let arm = |one: &policy::Considered| pb::ConsideredArm {
        arm: one.arm.clone(),
        action: action(one.action).into(),
        chosen: one.arm == decision.arm,
        not_eligible: one.eligible.clone().err().unwrap_or_default(),
        why_not: one.why_not.clone(),
        expected_value_minor: one.value_minor,
        propensity: one.propensity,
        uplift: one.uplift,
        cost_minor: one.cost_minor,
    };
    decision.considered.iter().map(arm).collect()
}

pub(crate) fn results(answers: Vec<Result<pb::Decision, Problem>>) -> pb::DecideBatchResponse {
    let result = |answer: Result<pb::Decision, Problem>| pb::DecideResult {
        outcome: Some(match answer {
            Ok(decision) => pb::decide_result::Outcome::Decision(decision),
            Err(problem) => pb::decide_result::Outcome::Failure(failure(problem)),
        }),
    };
    pb::DecideBatchResponse {
        results: answers.into_iter().map(result).collect(),
    }
}

fn failure(problem: Problem) -> pb::Failure {
    let status = tonic::Status::from(problem);
    pb::Failure {
        code: status.code().into(),
        message: status.message().to_owned(),
    }
}

pub(crate) fn ordered(ordered: Ordered) -> pb::RankResponse {
    let item = |item: Ranked| pb::RankedItem {
        item_id: item.item_id,
        score: item.score,
    };
    pb::RankResponse {
        items: ordered.items.into_iter().map(item).collect(),
        generation: ordered.generation,
        degraded: ordered.degraded,
    }
}
