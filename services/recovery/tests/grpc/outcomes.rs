//! What became of decisions: each report once, and what it changes of the person, on both stores.

use feature_store::FeatureStore;
use feature_store::store::{Error, Log, LogEntry};
use pb::outcome_report::Kind;
use pb::outcome_result::Status;
use proto::v1 as pb;
use recovery::outcome::{self, Entry};
use tonic::Code;

use crate::commit::stores;
use crate::scene::{HOUR, MINUTE, POLICY, Scene, next, nothing};
use crate::world::{Setup, ask};

fn report(action: &pb::Action, kind: Kind) -> pb::OutcomeReport {
    pb::OutcomeReport {
        shopper_id: action.shopper_id.clone(),
        decision_id: action.decision_id.clone(),
        kind: kind.into(),
        ..pb::OutcomeReport::default()
    }
}

fn order(action: &pb::Action, order_id: &str) -> pb::OutcomeReport {
    pb::OutcomeReport {
        order_id: order_id.to_owned(),
        value_minor: 9_500,
        discount_minor: 500,
        currency: "EUR".to_owned(),
        ..report(action, Kind::Recovered)
    }
}

/// Everything in the log of outcomes.
async fn logged(store: &FeatureStore) -> Vec<(Entry, outcome::Kind)> {
    let mut entries = Vec::new();
    let mut take = |_, entry: &LogEntry| {
        entries.push(Entry::read(&entry.value).unwrap());
        Ok::<_, Error>(())
    };
    let unseen = &mut |_, _| {};
    let read = store.read_log(Log::Outcomes, &mut take, unseen);
    read.await.unwrap();
    entries
}

impl Scene {
    async fn reports(&self, reports: Vec<pb::OutcomeReport>) -> Vec<pb::OutcomeResult> {
        let request = pb::ReportOutcomesRequest { reports };
        let answer = self.client().report_outcomes(request).await.unwrap();
        answer.into_inner().results
    }

    async fn statuses(&self, reports: Vec<pb::OutcomeReport>) -> Vec<Status> {
        let results = self.reports(reports).await;
        results.iter().map(pb::OutcomeResult::status).collect()
    }

    /// Somebody's cart is left, and the message about it is handed out.
    async fn reminds(&mut self, shopper: &str) -> pb::Action {
        let mut actions = self.actions("mail").await;
        self.fills_a_cart(shopper).await;
        self.later(31 * MINUTE);
        let action = next(&mut actions).await;
        self.ack("mail", &action).await;
        action
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_are_logged_once_and_answered_one_by_one() {
    for kept in stores().await {
        let mut scene = Scene::open(&kept, POLICY).await;
        let action = scene.reminds("ann").await;
        let sent = report(&action, Kind::Sent);
        let unknown = pb::OutcomeReport {
            decision_id: "0".repeat(32),
            ..sent.clone()
        };
        let refund = pb::OutcomeReport {
            report_id: "refund-1".to_owned(),
            kind: Kind::Refund.into(),
            discount_minor: 0,
            ..order(&action, "o1")
        };
        let batch = vec![
            sent.clone(),
            unknown,
            sent,
            report(&action, Kind::Opened),
            order(&action, "o1"),
            order(&action, "o2"),
            refund.clone(),
        ];
        let results = scene.reports(batch.clone()).await;
        let (ok, twice, no) = (Status::Accepted, Status::Duplicate, Status::Rejected);
        let statuses: Vec<Status> = results.iter().map(pb::OutcomeResult::status).collect();
        assert_eq!(statuses, [ok, no, twice, ok, ok, ok, ok]);
        assert_eq!(results[1].field, "decision_id");
        assert!(results[1].reason.contains("\"ann\""), "{results:?}");
        let statuses = scene.statuses(batch).await;
        assert_eq!(statuses, [twice, no, twice, twice, twice, twice, twice]);
        let other_refund = pb::OutcomeReport {
            report_id: "refund-2".to_owned(),
            ..refund
        };
        // An order that came of no decision.
        let refund_of_none = pb::OutcomeReport {
            report_id: "refund-3".to_owned(),
            decision_id: String::new(),
            ..other_refund.clone()
        };
        let sent_of_none = pb::OutcomeReport {
            decision_id: String::new(),
            ..report(&action, Kind::Sent)
        };
        let more = vec![other_refund, refund_of_none, sent_of_none];
        assert_eq!(scene.statuses(more).await, [ok, ok, no]);
        let logged = logged(&scene.store).await;
        assert_eq!(logged.len(), 7);
        let (entry, kind) = &logged[2];
        assert_eq!(*kind, outcome::Kind::Recovered);
        assert_eq!(
            (entry.shopper_id.as_str(), entry.decision_id.as_str()),
            ("ann", action.decision_id.as_str())
        );
        assert_eq!((entry.value_minor, entry.discount_minor), (9_500, 500));
        assert_eq!(entry.reported_at_ms, scene.now().0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_report_from_many_at_once_counts_once() {
    for kept in stores().await {
        let mut scene = Scene::open(&kept, POLICY).await;
        let action = scene.reminds("ann").await;
        let reporting = (0..8).map(|_| scene.statuses(vec![order(&action, "o1")]));
        let told = futures::future::join_all(reporting).await.concat();
        let accepted = told.iter().filter(|one| **one == Status::Accepted);
        assert_eq!(accepted.count(), 1, "{told:?}");
        assert_eq!(logged(&scene.store).await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_was_taken_before_a_link_is_known_after_it() {
    for kept in stores().await {
        let mut scene = Scene::open(&kept, POLICY).await;
        let action = scene.reminds("phone").await;
        let reports = || {
            vec![
                report(&action, Kind::Opened),
                report(&action, Kind::Clicked),
            ]
        };
        let first = scene.statuses(reports()[..1].to_vec()).await;
        let linked = scene.store.link("ann", "phone", "link-1", scene.now());
        linked.await.unwrap().unwrap();
        assert_eq!(first, [Status::Accepted]);
        let again = scene.statuses(reports()).await;
        assert_eq!(again, [Status::Duplicate, Status::Accepted]);
        let again = scene.statuses(reports()).await;
        assert_eq!(again, [Status::Duplicate, Status::Duplicate]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsubscription_and_a_complaint_withdraw_consent_and_end_the_sequence() {
    for kept in stores().await {
        let mut scene = Scene::open(&kept, POLICY).await;
        for shopper in ["ann", "bob", "eve"] {
            let action = scene.reminds(shopper).await;
            let said = match shopper {
                "ann" => report(&action, Kind::Unsubscribe),
                "bob" => report(&action, Kind::Complaint),
                _ => report(&action, Kind::Opened),
            };
            assert_eq!(scene.statuses(vec![said]).await, [Status::Accepted]);
        }
        let read = scene.store.stored_shoppers(&["ann", "bob", "eve"]).await;
        let granted =
            |one: feature_store::StoredShopper| one.shopper.standing().consents[0].granted;
        let granted: Vec<bool> = read.unwrap().into_iter().map(granted).collect();
        assert_eq!(granted, [false, false, true]);
        let logged = logged(&scene.store).await;
        let of_ann = logged.iter().find(|(one, _)| one.shopper_id == "ann");
        let (of_ann, _) = of_ann.unwrap();
        assert_eq!(of_ann.purpose, "marketing");
        assert_eq!(of_ann.channels, ["email"]);
        // Even where they agree again: this cart is done with.
        scene.later(1_000);
        scene.consents("ann", true).await;
        let mut actions = scene.actions("mail").await;
        scene.later(25 * HOUR);
        let second = next(&mut actions).await;
        assert_eq!(second.idempotency_key, "eve/1/1");
        scene.ack("mail", &second).await;
        nothing(&mut actions).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_unsubscribes_from_a_message_of_long_ago_is_left_alone_on_every_channel() {
    for kept in stores().await {
        let mut scene = Scene::open(&kept, POLICY).await;
        let forgotten = scene.reminds("ann").await;
        scene.later(8 * 24 * HOUR);
        let mut actions = scene.actions("mail").await;
        assert_eq!(next(&mut actions).await.idempotency_key, "ann/1/1");
        let said = report(&forgotten, Kind::Unsubscribe);
        assert_eq!(scene.statuses(vec![said]).await, [Status::Accepted]);
        let (entry, _) = logged(&scene.store).await.remove(0);
        assert_eq!(entry.channels, ["email", "push", "sms"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reported_order_ends_what_is_about_its_cart_before_its_event_comes() {
    for kept in stores().await {
        let mut scene = Scene::open(&kept, POLICY).await;
        let action = scene.reminds("ann").await;
        let said = scene.statuses(vec![order(&action, "o1")]).await;
        assert_eq!(said, [Status::Accepted]);
        let mut actions = scene.actions("mail").await;
        scene.later(25 * HOUR);
        nothing(&mut actions).await;
    }
}

fn with(
    good: &pb::OutcomeReport,
    change: impl FnOnce(&mut pb::OutcomeReport),
) -> pb::OutcomeReport {
    let mut changed = good.clone();
    change(&mut changed);
    changed
}

/// Reports that are not good, each with the field at fault.
fn bad_reports(good: &pb::OutcomeReport, late_ms: i64) -> Vec<(&'static str, pb::OutcomeReport)> {
    let late = kit::timestamp::encode(late_ms);
    vec![
        ("shopper_id", with(good, |one| one.shopper_id.clear())),
        ("decision_id", with(good, |one| one.decision_id.clear())),
        (
            "decision_id",
            with(good, |one| one.shopper_id = "bob".to_owned()),
        ),
        ("kind", with(good, |one| one.kind = 0)),
        ("kind", with(good, |one| one.kind = 9)),
        (
            "report_id",
            with(good, |one| one.report_id = "x".repeat(129)),
        ),
        (
            "occurred_at",
            with(good, |one| one.occurred_at = Some(late)),
        ),
        ("order_id", with(good, |one| one.order_id = "o1".to_owned())),
        ("value_minor", with(good, |one| one.value_minor = 1)),
        (
            "channel",
            with(good, |one| one.channel = "email".to_owned()),
        ),
    ]
}

fn bad_orders(good: &pb::OutcomeReport) -> Vec<(&'static str, pb::OutcomeReport)> {
    vec![
        ("order_id", with(good, |one| one.order_id.clear())),
        ("value_minor", with(good, |one| one.value_minor = 0)),
        (
            "currency",
            with(good, |one| one.currency = "euro".to_owned()),
        ),
        ("discount_minor", with(good, |one| one.discount_minor = -1)),
    ]
}

fn bad_for_their_kind(good: &pb::OutcomeReport) -> Vec<(&'static str, pb::OutcomeReport)> {
    let of = |kind: Kind| with(good, |one| one.kind = kind.into());
    let refund = |one: &mut pb::OutcomeReport| {
        one.order_id = "o1".to_owned();
        one.value_minor = 1;
        one.currency = "EUR".to_owned();
    };
    vec![
        ("report_id", with(&of(Kind::Refund), refund)),
        (
            "channel",
            with(&of(Kind::Unsubscribe), |one| {
                one.channel = "pigeon".to_owned()
            }),
        ),
        (
            "purpose",
            with(&of(Kind::Complaint), |one| one.purpose = "fun".to_owned()),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_is_not_good_is_refused_alone_and_names_the_field() {
    let kept = stores().await.remove(0);
    let mut scene = Scene::open(&kept, POLICY).await;
    let action = scene.reminds("ann").await;
    let opened = report(&action, Kind::Opened);
    let mut table = bad_reports(&opened, scene.now().0 + 10 * MINUTE);
    table.extend(bad_orders(&order(&action, "o1")));
    table.extend(bad_for_their_kind(&opened));
    let (fields, mut reports): (Vec<&str>, Vec<_>) = table.into_iter().unzip();
    reports.push(opened);
    let results = scene.reports(reports).await;
    let (last, bad) = results.split_last().unwrap();
    assert_eq!(last.status(), Status::Accepted);
    for (field, result) in fields.iter().zip(bad) {
        assert_eq!(
            (result.field.as_str(), result.status()),
            (*field, Status::Rejected)
        );
        assert!(!result.reason.is_empty(), "{result:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_to_do_nothing_has_no_message_and_may_have_an_order() {
    let kept = stores().await.remove(0);
    let mut scene = Scene::open(&kept, POLICY).await;
    scene
        .happens("ann", feature_store::EventKind::AddToCart, "1")
        .await;
    let asked = pb::DecideRequest {
        request_id: "r".to_owned(),
        mode: pb::decide_request::Mode::Commit.into(),
        ..ask("ann")
    };
    let decision = scene.world.decide(asked).await;
    assert_eq!(decision.action(), pb::decision::Action::Nothing);
    let action = pb::Action {
        shopper_id: "ann".to_owned(),
        decision_id: decision.decision_id,
        ..pb::Action::default()
    };
    let results = scene.reports(vec![report(&action, Kind::Sent), order(&action, "o1")]);
    let results = results.await;
    assert_eq!(
        (results[0].status(), results[0].field.as_str()),
        (Status::Rejected, "kind")
    );
    assert_eq!(results[1].status(), Status::Accepted);
}

#[tokio::test]
async fn no_reports_too_many_and_no_store_are_refused() {
    let world = Setup::default().start().await;
    let request = |count| pb::ReportOutcomesRequest {
        reports: vec![pb::OutcomeReport::default(); count],
    };
    let mut client = world.client.clone();
    let refused = client.report_outcomes(request(1)).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let kept = stores().await.remove(0);
    let scene = Scene::open(&kept, POLICY).await;
    for count in [0, 1_001] {
        let refused = scene.client().report_outcomes(request(count)).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().contains("reports"), "{refused:?}");
    }
}
