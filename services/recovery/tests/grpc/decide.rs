//! Decisions, their stages and their fallbacks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::peers::Peers;
use crate::world::{NOW_MS, Setup, ask, healthy, line, proposals, shown};
use proto::v1 as pb;
use proto::v1::decision::Action;
use tonic::{Code, Status};

async fn with(peers: Peers) -> crate::world::World {
    let setup = Setup {
        peers: Some(peers),
        ..Setup::default()
    };
    setup.start().await
}

#[tokio::test]
async fn decides_for_the_stored_cart() {
    let world = Setup::default().start().await;
    let decision = world.decide(ask("s")).await;
    assert_eq!(decision.degraded, Vec::<String>::new());
    assert_ne!(decision.action(), Action::Nothing, "{decision:?}");
    assert_eq!(
        (decision.cart_value_minor, decision.currency.as_str()),
        (50_000, "EUR")
    );
    assert_eq!(decision.cart_version, 7);
    assert_eq!(
        shown(&decision),
        ["3", "4", "5"],
        "three of the four, best first"
    );
    assert_eq!(decision.items[0].name, "item 3");
    assert_eq!(decision.generation, world.generation);
    assert!((decision.risk - 0.7).abs() < 1e-12);
    assert_eq!(decision.decided_at.unwrap().seconds, NOW_MS / 1_000);
    let stages: Vec<_> = decision
        .stage_latencies
        .iter()
        .map(|one| one.stage.as_str())
        .collect();
    assert_eq!(stages, ["features", "candidates", "rank", "policy"]);
    assert_eq!(
        decision.decision_id, "",
        "a preview without request id has none"
    );
}

#[tokio::test]
async fn asks_candidates_for_the_pinned_generation_and_for_no_item_of_the_cart() {
    let world = Setup::default().start().await;
    world.decide(ask("s")).await;
    let asked = world.seen.candidates.lock().unwrap().clone();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].generation, world.generation);
    assert_eq!(
        asked[0].exclude,
        ["1", "2", "9"],
        "the cart, and what was just bought"
    );
    let recent: Vec<_> = asked[0]
        .recent_items
        .iter()
        .map(|one| one.item_id.as_str())
        .collect();
    assert_eq!(
        recent,
        ["9", "1", "2", "8"],
        "newest first, the line of item 2 counted once"
    );
    let timeouts = world.seen.timeouts.lock().unwrap().clone();
    assert!(!timeouts[0].is_empty(), "the deadline travels");
}

#[tokio::test]
async fn never_shows_an_item_that_is_in_the_cart_or_sold_out_whoever_proposes_it() {
    let mut peers = healthy();
    peers.candidates = Arc::new(|_| Ok(proposals(&["1", "4", "9", "5", "2", "6"])));
    peers.items = vec![pb::Item {
        item_id: "4".to_owned(),
        stock: Some(0),
        ..Default::default()
    }];
    let world = with(peers).await;
    let mut decision = world.decide(ask("s")).await;
    for _ in 0..200 {
        if !shown(&decision).contains(&"4") {
            break;
        }
        // The item table arrives in the background.
        tokio::time::sleep(Duration::from_millis(10)).await;
        decision = world.decide(ask("s")).await;
    }
    assert_eq!(shown(&decision), ["5", "6"]);
}

#[tokio::test]
async fn a_cart_in_the_request_replaces_the_stored_one() {
    let world = Setup::default().start().await;
    let decision = world
        .decide(pb::DecideRequest {
            cart: vec![line("3", 2, 9_000), line("4", 1, 0)],
            ..ask("s")
        })
        .await;
    assert_eq!(
        decision.cart_value_minor, 22_000,
        "item 4 costs what the catalogue says"
    );
    assert_eq!(decision.cart_version, 0);
    assert_eq!(shown(&decision), ["5", "6"]);
}

#[tokio::test]
async fn without_a_ranker_the_order_is_that_of_retrieval() {
    let setup = Setup {
        ranker: false,
        ..Setup::default()
    };
    let decision = setup.start().await.decide(ask("s")).await;
    assert_eq!(shown(&decision), ["3", "4", "5"]);
    assert_eq!(decision.degraded.len(), 1);
    assert!(
        decision.degraded[0].starts_with("rank: "),
        "{:?}",
        decision.degraded
    );
}

#[tokio::test]
async fn with_candidates_of_another_generation_it_answers_from_its_own_tables() {
    for refusal in [
        Err(Status::failed_precondition("held: other")),
        Ok(pb::RetrieveResponse {
            generation: "other".to_owned(),
            ..proposals(&["7"])
        }),
    ] {
        let mut peers = healthy();
        peers.candidates = Arc::new(move |_| refusal.clone());
        let decision = with(peers).await.decide(ask("s")).await;
        assert_eq!(decision.degraded.len(), 1);
        assert!(
            decision.degraded[0].starts_with("candidates: "),
            "{:?}",
            decision.degraded
        );
        assert!(decision.degraded[0].contains("co-visitation and popularity instead"));
        let shown = shown(&decision);
        assert_eq!(shown.len(), 3);
        assert!(
            shown.iter().all(|item| !["1", "2", "9"].contains(item)),
            "{shown:?}"
        );
        assert!(decision.items.iter().all(|item| !item.sources.is_empty()));
    }
}

#[tokio::test]
async fn without_features_the_cart_of_the_request_is_decided_on_and_no_consent_is_assumed() {
    let mut peers = healthy();
    peers.features = Arc::new(|_| Err(Status::unavailable("gone")));
    let world = with(peers).await;
    let decision = world
        .decide(pb::DecideRequest {
            cart: vec![line("1", 1, 20_000)],
            ..ask("s")
        })
        .await;
    assert_eq!(decision.action(), Action::Nothing);
    assert_eq!(decision.cart_value_minor, 20_000);
    assert_eq!(decision.degraded.len(), 1);
    assert!(
        decision.degraded[0].starts_with("features: "),
        "{:?}",
        decision.degraded
    );
    assert!((decision.risk - 0.7).abs() < 1e-12, "the prior");
}

#[tokio::test]
async fn with_nothing_at_all_it_does_nothing_and_says_so() {
    let setup = Setup {
        peers: None,
        ..Setup::default()
    };
    let world = setup.start().await;
    let decision = world.decide(ask("s")).await;
    assert_eq!(decision.action(), Action::Nothing);
    assert_eq!(
        decision.degraded,
        ["features: cannot be reached (tcp connect error); no cart is known"]
    );
    assert!(decision.items.is_empty());
    let with_cart = world
        .decide(pb::DecideRequest {
            cart: vec![line("1", 1, 20_000)],
            ..ask("s")
        })
        .await;
    assert_eq!(with_cart.degraded.len(), 2, "{:?}", with_cart.degraded);
    assert_eq!(with_cart.action(), Action::Nothing);
    let running = world.running;
    running.stop();
    running.wait().await.unwrap();
}

#[tokio::test]
async fn slow_peers_cost_their_share_and_no_more() {
    let minute = Duration::from_secs(60);
    for (features_delay, candidates_delay) in [(minute, Duration::ZERO), (Duration::ZERO, minute)] {
        let peers = Peers {
            features_delay,
            candidates_delay,
            ..healthy()
        };
        let setup = Setup {
            peers: Some(peers),
            deadline_ms: 400,
            ..Setup::default()
        };
        let world = setup.start().await;
        let started = Instant::now();
        let decision = world
            .decide(pb::DecideRequest {
                cart: vec![line("1", 1, 20_000)],
                ..ask("s")
            })
            .await;
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "{:?}",
            started.elapsed()
        );
        assert_eq!(decision.degraded.len(), 1, "{:?}", decision.degraded);
        assert!(
            decision.degraded[0].contains("no answer within"),
            "{:?}",
            decision.degraded
        );
    }
}

#[tokio::test]
async fn a_tiny_deadline_is_answered_with_what_it_affords() {
    let minute = Duration::from_secs(60);
    let peers = Peers {
        features_delay: minute,
        candidates_delay: minute,
        ..healthy()
    };
    let setup = Setup {
        peers: Some(peers),
        deadline_ms: 5,
        ..Setup::default()
    };
    let world = setup.start().await;
    for _ in 0..20 {
        let decision = world
            .decide(pb::DecideRequest {
                cart: vec![line("1", 1, 20_000)],
                ..ask("s")
            })
            .await;
        let said = &decision.degraded;
        assert!(said.len() >= 2, "{said:?}");
        assert!(said[0].starts_with("features: ") && said[1].starts_with("candidates: "));
    }
}

#[tokio::test]
async fn a_dead_peer_is_not_asked_for_a_while_and_then_asked_again() {
    let alive = Arc::new(AtomicBool::new(false));
    let (healthy_features, lives) = (healthy().features, alive.clone());
    let peers = Peers {
        features: Arc::new(move |request| {
            if lives.load(Ordering::SeqCst) {
                healthy_features(request)
            } else {
                Err(tonic::Status::unavailable("the store is gone"))
            }
        }),
        ..healthy()
    };
    let world = with(peers).await;
    let mut said = Vec::new();
    while !said
        .iter()
        .any(|why: &String| why.contains("breaker open since "))
    {
        assert!(said.len() < 1_000, "{said:?}");
        let decision = world.decide(ask("s")).await;
        assert_eq!(decision.degraded.len(), 1, "{:?}", decision.degraded);
        said.extend(decision.degraded);
    }
    assert!(said[0].contains("cannot be reached (the store is gone)"));
    alive.store(true, Ordering::SeqCst);
    let give_up = Instant::now() + Duration::from_secs(30);
    while !world.decide(ask("s")).await.degraded.is_empty() {
        assert!(Instant::now() < give_up, "it is never asked again");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn the_callers_deadline_goes_before_the_default() {
    let peers = Peers {
        candidates_delay: Duration::from_secs(60),
        ..healthy()
    };
    let world = with(peers).await;
    let mut request = tonic::Request::new(ask("s"));
    request.set_timeout(Duration::from_millis(500));
    let decision = world
        .client
        .clone()
        .decide(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(decision.degraded.len(), 1);
    assert!(decision.degraded[0].starts_with("candidates: no answer within"));
}

#[tokio::test]
async fn no_candidates_are_no_failure() {
    let mut peers = healthy();
    peers.candidates = Arc::new(|_| Ok(proposals(&[])));
    let decision = with(peers).await.decide(ask("s")).await;
    assert!(decision.items.is_empty());
    assert!(decision.degraded.is_empty());
    assert_ne!(decision.action(), Action::Nothing);
}

#[tokio::test]
async fn for_an_unknown_shopper_there_is_nothing_to_do() {
    let world = Setup::default().start().await;
    let decision = world.decide(ask("nobody")).await;
    assert_eq!(decision.action(), Action::Nothing);
    assert!(decision.degraded.is_empty(), "{:?}", decision.degraded);
    assert!(
        world.seen.candidates.lock().unwrap().is_empty(),
        "an empty cart needs no candidates"
    );
}

#[tokio::test]
async fn an_answer_of_features_that_does_not_fit_is_no_answer() {
    let mut peers = healthy();
    peers.features = Arc::new(|_| Ok(pb::GetFeaturesResponse::default()));
    let decision = with(peers).await.decide(ask("s")).await;
    assert_eq!(decision.action(), Action::Nothing);
    assert!(decision.degraded[0].starts_with("features: answered oddly"));
}

#[tokio::test]
async fn the_time_given_is_the_time_used() {
    let world = Setup::default().start().await;
    let now = prost_types::Timestamp {
        seconds: 1_800_000_000,
        nanos: 5_000_000,
    };
    let request = pb::DecideRequest {
        now: Some(now),
        request_id: "r".to_owned(),
        ..ask("s")
    };
    let mut first = world.decide(request.clone()).await;
    let mut second = world.decide(request).await;
    assert_eq!(first.decided_at, Some(now));
    assert_eq!(world.seen.features.lock().unwrap()[0].now, Some(now));
    assert_eq!(first.decision_id.len(), 32);
    assert_ne!(first.trace_id, second.trace_id, "each request has its own");
    for decision in [&mut first, &mut second] {
        assert_eq!(decision.trace_id.len(), 32);
        decision.trace_id.clear();
        decision.stage_latencies.clear();
    }
    assert_eq!(first, second);
}

#[tokio::test]
async fn a_foreign_generation_is_refused_and_the_live_one_can_be_pinned() {
    let world = Setup::default().start().await;
    let pinned = |generation: &str| pb::DecideRequest {
        generation: generation.to_owned(),
        ..ask("s")
    };
    let refusal = world.try_decide(pinned("other")).await.unwrap_err();
    assert_eq!(refusal.code(), Code::FailedPrecondition);
    assert!(
        refusal.message().contains(&world.generation),
        "{}",
        refusal.message()
    );
    let answer = world.decide(pinned(&world.generation)).await;
    assert_eq!(answer.generation, world.generation);
}

#[tokio::test]
async fn without_a_store_commit_is_refused_and_status_says_why() {
    let world = Setup::default().start().await;
    let commit = pb::DecideRequest {
        request_id: "r".to_owned(),
        mode: pb::decide_request::Mode::Commit.into(),
        ..ask("s")
    };
    let refusal = world.try_decide(commit).await.unwrap_err();
    assert_eq!(refusal.code(), Code::FailedPrecondition);
    let status = world
        .status
        .clone()
        .get_status(pb::GetStatusRequest {})
        .await
        .unwrap();
    let status = status.into_inner();
    assert_eq!(
        (status.role.as_str(), status.store.as_str()),
        ("recovery", "none")
    );
    assert_eq!(status.live_generation, world.generation);
    assert_eq!(status.generations[0].items, 10);
}

#[tokio::test]
async fn a_batch_reads_all_shoppers_with_one_call_and_answers_each() {
    let world = Setup::default().start().await;
    let mut requests: Vec<_> = (0..20).map(|at| ask(&format!("s{at}"))).collect();
    requests[3].shopper_id.clear();
    requests[5].shopper_id = "nobody".to_owned();
    requests[7].generation = "other".to_owned();
    let alone = world.decide(requests[0].clone()).await;
    let before = world.features_calls();
    let batch = pb::DecideBatchRequest { requests };
    let answer = world
        .client
        .clone()
        .decide_batch(batch)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(world.features_calls() - before, 1);
    assert_eq!(answer.results.len(), 20);
    for (at, result) in answer.results.into_iter().enumerate() {
        match (at, result.outcome.unwrap()) {
            (3, pb::decide_result::Outcome::Failure(failure)) => {
                assert_eq!(Code::from(failure.code), Code::InvalidArgument);
                assert!(failure.message.contains("shopper_id"));
            }
            (7, pb::decide_result::Outcome::Failure(failure)) => {
                assert_eq!(Code::from(failure.code), Code::FailedPrecondition);
            }
            (_, pb::decide_result::Outcome::Decision(decision)) => {
                assert_eq!(
                    decision.shopper_id,
                    if at == 5 {
                        "nobody".to_owned()
                    } else {
                        format!("s{at}")
                    }
                );
                assert_eq!(shown(&decision).is_empty(), at == 5);
                if at == 0 {
                    assert_eq!(
                        (decision.action, decision.items),
                        (alone.action, alone.items.clone())
                    );
                }
            }
            (_, other) => panic!("{at}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn requests_of_one_batch_may_ask_about_different_times() {
    let world = Setup::default().start().await;
    let at = |shopper: &str, seconds: i64| pb::DecideRequest {
        now: Some(prost_types::Timestamp { seconds, nanos: 0 }),
        ..ask(shopper)
    };
    let (early, late) = (1_800_000_100, 1_800_000_300);
    let batch = pb::DecideBatchRequest {
        requests: vec![at("a", late), at("nobody", early), at("c", late)],
    };
    let answer = world
        .client
        .clone()
        .decide_batch(batch)
        .await
        .unwrap()
        .into_inner();
    let decided = answer
        .results
        .into_iter()
        .map(|result| match result.outcome.unwrap() {
            pb::decide_result::Outcome::Decision(decision) => {
                let seconds = decision.decided_at.unwrap().seconds;
                (decision.shopper_id, seconds, decision.cart_version)
            }
            pb::decide_result::Outcome::Failure(failure) => panic!("{failure:?}"),
        });
    let expected = [("a", late, 7), ("nobody", early, 0), ("c", late, 7)];
    let expected = expected.map(|(shopper, at, version)| (shopper.to_owned(), at, version));
    assert_eq!(decided.collect::<Vec<_>>(), expected);
    assert_eq!(world.features_calls(), 2);
}

#[tokio::test]
async fn a_batch_out_of_bounds_is_refused() {
    let world = Setup::default().start().await;
    for count in [0, 257] {
        let requests = vec![ask("s"); count];
        let batch = pb::DecideBatchRequest { requests };
        let refusal = world.client.clone().decide_batch(batch).await.unwrap_err();
        assert_eq!(refusal.code(), Code::InvalidArgument);
    }
}

#[tokio::test]
async fn ranks_what_is_given_with_unknown_items_last() {
    let mut peers = healthy();
    peers.candidates = Arc::new(|_| Ok(proposals(&["5", "3"])));
    let world = with(peers).await;
    let request = pb::RankRequest {
        shopper_id: "s".to_owned(),
        item_ids: ["zz", "3", "7", "5"].map(str::to_owned).to_vec(),
        ..Default::default()
    };
    let answer = world
        .client
        .clone()
        .rank(request)
        .await
        .unwrap()
        .into_inner();
    let order: Vec<_> = answer
        .items
        .iter()
        .map(|item| item.item_id.as_str())
        .collect();
    assert_eq!(order, ["5", "3", "7", "zz"]);
    assert!(answer.items.is_sorted_by(|a, b| a.score >= b.score));
    assert_eq!(answer.generation, world.generation);
    assert!(answer.degraded.is_empty(), "{:?}", answer.degraded);
    let asked = world.seen.candidates.lock().unwrap().clone();
    assert_eq!(
        asked[0].filter.as_ref().unwrap().allow_item_ids,
        ["3", "5", "7", "zz"]
    );
}

#[tokio::test]
async fn ranks_for_a_shopper_of_whom_nothing_is_known() {
    let world = Setup::default().start().await;
    let request = pb::RankRequest {
        shopper_id: "nobody".to_owned(),
        item_ids: ["7", "1", "3"].map(str::to_owned).to_vec(),
        ..Default::default()
    };
    let answer = world
        .client
        .clone()
        .rank(request)
        .await
        .unwrap()
        .into_inner();
    let order: Vec<_> = answer
        .items
        .iter()
        .map(|item| item.item_id.as_str())
        .collect();
    assert_eq!(order, ["1", "3", "7"], "by popularity");
    assert!(answer.degraded.is_empty(), "{:?}", answer.degraded);
}

/// Two candidates as columns: items 3 and 4, the first named by two sources.
fn columns() -> pb::CandidateColumns {
    pb::CandidateColumns {
        // Ids are in the order of their bytes: 1, 10, 2, 3, 4.
        ordinals: vec![3, 4],
        scores: vec![0.9, 0.8],
        named_by: vec![2, 1],
        sources: vec!["collaborative".to_owned(), "a later one".to_owned()],
        source: vec![1, 0, 0],
        source_scores: vec![3.0, 0.5, 0.25],
        source_ranks: vec![0, 1, 2],
    }
}

fn answering(columns: pb::CandidateColumns) -> Peers {
    let mut peers = healthy();
    peers.candidates = Arc::new(move |request| {
        assert!(request.columns);
        Ok(pb::RetrieveResponse {
            columns: Some(columns.clone()),
            ..Default::default()
        })
    });
    peers
}

#[tokio::test]
async fn candidates_as_columns_are_shown_with_their_sources() {
    let decision = with(answering(columns())).await.decide(ask("s")).await;
    assert!(decision.degraded.is_empty(), "{:?}", decision.degraded);
    let mut shown: Vec<_> = decision
        .items
        .iter()
        .map(|item| (item.item_id.as_str(), item.sources.as_slice()))
        .collect();
    shown.sort_by_key(|(item_id, _)| *item_id);
    assert_eq!(shown[0].0, "3");
    let sources: Vec<_> = shown[0]
        .1
        .iter()
        .map(|said| (&*said.source, said.rank))
        .collect();
    assert_eq!(sources, [("a later one", 0), ("collaborative", 1)]);
    assert_eq!(shown[1].0, "4");
    assert_eq!(shown[1].1.len(), 1);
}

#[tokio::test]
async fn columns_that_do_not_fit_together_are_no_answer() {
    let wrong: [fn(&mut pb::CandidateColumns); 5] = [
        |columns| columns.ordinals[1] = 10,
        |columns| columns.scores.truncate(1),
        |columns| columns.named_by[1] = u32::MAX,
        |columns| columns.source[2] = 2,
        |columns| columns.source_ranks.truncate(2),
    ];
    for spoil in wrong {
        let mut columns = columns();
        spoil(&mut columns);
        let decision = with(answering(columns)).await.decide(ask("s")).await;
        let degraded = decision.degraded.join("; ");
        assert!(
            degraded.starts_with("candidates: answered oddly (columns"),
            "{degraded}"
        );
    }
}
