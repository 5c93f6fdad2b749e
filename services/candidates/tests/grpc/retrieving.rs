use std::time::Duration;

use proto::v1 as pb;
use proto::v1::plan::Kind;
use tonic::{Code, Request};

use super::features::Features;
use super::support::{ids, looked_at, server, server_with};

#[tokio::test]
async fn candidates_say_where_they_come_from_and_which_generation_answered() {
    let server = server().await;
    let answer = server
        .retrieve(looked_at(&["i03", "unheard of"]))
        .await
        .unwrap();
    assert_eq!(answer.unknown_items, ["unheard of"]);
    assert_eq!(answer.generation.len(), 64, "{}", answer.generation);
    let next = answer
        .candidates
        .iter()
        .find(|candidate| candidate.item_id == "i04")
        .unwrap();
    let sources: Vec<_> = next
        .sources
        .iter()
        .map(|source| source.source.as_str())
        .collect();
    assert!(
        sources.contains(&"covisitation") && sources.contains(&"collaborative"),
        "{sources:?}"
    );
    assert!(
        answer
            .candidates
            .windows(2)
            .all(|pair| pair[0].score >= pair[1].score)
    );
}

#[tokio::test]
async fn columns_say_what_messages_say() {
    let server = server().await;
    let asked = looked_at(&["i03", "i05"]);
    let plain = server.retrieve(asked.clone()).await.unwrap();
    let columns = pb::RetrieveRequest {
        columns: true,
        ..asked
    };
    let packed = server.retrieve(columns).await.unwrap();
    assert!(packed.candidates.is_empty() && plain.columns.is_none());
    let columns = packed.columns.unwrap();
    let mut said = 0..columns.source.len();
    let source = |at: usize| pb::SourceScore {
        source: columns.sources[columns.source[at] as usize].clone(),
        score: columns.source_scores[at],
        rank: columns.source_ranks[at],
    };
    let candidates: Vec<pb::Candidate> = (0..columns.ordinals.len())
        .map(|at| pb::Candidate {
            // Items are `i00`, `i01` and so on, in the order of their ids.
            item_id: format!("i{:02}", columns.ordinals[at]),
            score: columns.scores[at],
            sources: (said.by_ref())
                .take(columns.named_by[at] as usize)
                .map(source)
                .collect(),
        })
        .collect();
    assert!(!candidates.is_empty());
    assert_eq!(candidates, plain.candidates);
}

#[tokio::test]
async fn exclusions_k_and_filter_hold() {
    let server = server().await;
    let request = pb::RetrieveRequest {
        exclude: vec!["i04".to_owned(), "i03".to_owned()],
        k: 4,
        filter: Some(pb::Filter {
            categories: vec!["phones".to_owned()],
            max_price_minor: Some(800),
            ..pb::Filter::default()
        }),
        ..looked_at(&["i03"])
    };
    let answer = server.retrieve(request.clone()).await.unwrap();
    let mut found = ids(&answer);
    assert_eq!(found.len(), 4);
    found.sort();
    assert!(
        found
            .iter()
            .all(|id| id.as_str() < "i08" && id != "i03" && id != "i04"),
        "{found:?}"
    );
    assert_eq!(answer.plan.unwrap().eligible, 6);

    let all = server
        .retrieve(pb::RetrieveRequest { k: 100, ..request })
        .await
        .unwrap();
    assert_eq!(all.plan.unwrap().kind(), Kind::Short);
    assert_eq!(all.candidates.len(), 6);
}

#[tokio::test]
async fn similar_items_are_its_neighbours_without_itself() {
    let server = server().await;
    let request = pb::SimilarItemsRequest {
        item_id: "i10".to_owned(),
        k: 2,
        ..Default::default()
    };
    let mut found = ids(&server
        .client()
        .similar_items(request)
        .await
        .unwrap()
        .into_inner());
    found.sort();
    assert_eq!(found, ["i09", "i11"]);
    let unknown = pb::SimilarItemsRequest {
        item_id: "nothing".to_owned(),
        ..Default::default()
    };
    let refusal = server.client().similar_items(unknown).await.unwrap_err();
    assert_eq!(refusal.code(), Code::NotFound);
    assert!(refusal.message().contains("nothing"));
}

#[tokio::test]
async fn a_pinned_generation_answers_or_the_held_ones_are_named() {
    let server = server().await;
    let held = server
        .retrieve(looked_at(&["i03"]))
        .await
        .unwrap()
        .generation;
    let pinned = |generation: &str| pb::RetrieveRequest {
        generation: generation.to_owned(),
        ..looked_at(&["i03"])
    };
    assert_eq!(
        server.retrieve(pinned(&held)).await.unwrap().generation,
        held
    );
    let refusal = server.retrieve(pinned("another")).await.unwrap_err();
    assert_eq!(refusal.code(), Code::FailedPrecondition);
    assert!(refusal.message().contains("another") && refusal.message().contains(&held));
    let detail = kit::NotHeld::of(&refusal).unwrap();
    assert_eq!(
        (detail.asked.as_str(), detail.held),
        ("another", vec![held])
    );
}

fn of_shopper() -> pb::RetrieveRequest {
    pb::RetrieveRequest {
        shopper_id: "ann".to_owned(),
        ..pb::RetrieveRequest::default()
    }
}

#[tokio::test]
async fn a_shoppers_recent_items_are_read_from_features() {
    let features = Features::default();
    // A message (6) is no interaction with an item, and is passed over.
    features.recent(&[("i03", 1), ("i05", 6)]);
    let server = server_with(&features.serve().await).await;
    let of_shopper = server.retrieve(of_shopper()).await.unwrap();
    let mut given = looked_at(&["i03"]);
    given.recent_items[0].age = Some(prost_types::Duration {
        seconds: 60,
        nanos: 0,
    });
    assert_eq!(of_shopper, server.retrieve(given).await.unwrap());
}

#[tokio::test]
async fn the_time_left_is_sent_on_and_kept_to() {
    let features = Features::default();
    let server = server_with(&features.serve().await).await;
    let mut request = Request::new(of_shopper());
    request.set_timeout(Duration::from_secs(7));
    server.client().retrieve(request).await.unwrap();
    let sent = features.timeout().unwrap();
    let left = kit::Deadline::from_request(
        &{
            let mut metadata = tonic::metadata::MetadataMap::new();
            metadata.insert("grpc-timeout", sent.parse().unwrap());
            metadata
        },
        Duration::ZERO,
    )
    .remaining();
    assert!(
        left > Duration::from_secs(5) && left <= Duration::from_secs(7),
        "{sent}"
    );

    features.delay(Duration::from_secs(60));
    let started = std::time::Instant::now();
    // No time given: the server's default of 250 ms holds.
    let refusal = server.retrieve(of_shopper()).await.unwrap_err();
    assert_eq!(refusal.code(), Code::DeadlineExceeded, "{refusal:?}");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn without_features_a_shopper_cannot_be_looked_up() {
    let refusal = server().await.retrieve(of_shopper()).await.unwrap_err();
    assert_eq!(refusal.code(), Code::FailedPrecondition);
    let nobody_there = server_with("http://127.0.0.1:9").await;
    assert_eq!(
        nobody_there
            .retrieve(of_shopper())
            .await
            .unwrap_err()
            .code(),
        Code::Unavailable
    );
    assert!(
        !nobody_there.candidates().await.is_empty(),
        "and all else works"
    );
}
