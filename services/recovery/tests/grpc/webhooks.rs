//! Actions posted to a real HTTP server that fails half of the time: every one arrives, and counts
//! once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use feature_store::EventKind;
use kit::config::{Period, Secret};
use proto::v1 as pb;
use recovery::Webhook;
use ring::hmac;
use serde_json::Value;
use tonic::Code;

use crate::commit::{Kept, stores};
use crate::scene::{HOUR, MINUTE, POLICY, Scene, decided};
use crate::world::Setup;

const KEYS: [&str; 2] = ["the-newest-of-our-secrets", "the-one-before-that-one"];

/// None of them is in the holdout.
const SHOPPERS: [&str; 4] = ["ann", "bob", "eve", "kim"];

/// A shop's own server: it fails as it is told to, checks every signature, and does what a message
/// says once for each key.
#[derive(Debug, Default)]
struct Receiver {
    posts: AtomicUsize,
    unsigned: AtomicUsize,
    down: AtomicBool,
    failing: AtomicBool,
    /// The first post is answered when this ends.
    hanging: AtomicBool,
    /// What was done, by idempotency key, and how often it was posted.
    done: Mutex<BTreeMap<String, (Value, usize)>>,
}

impl Receiver {
    async fn listen(self: &Arc<Self>) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/actions", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/actions", post(take))
            .with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        url
    }

    fn keys(&self) -> Vec<String> {
        self.done.lock().unwrap().keys().cloned().collect()
    }

    fn posts(&self) -> usize {
        self.posts.load(Ordering::SeqCst)
    }

    fn take(&self, body: &[u8]) {
        let body: Value = serde_json::from_slice(body).unwrap();
        let key = body["idempotency_key"].as_str().unwrap().to_owned();
        let mut done = self.done.lock().unwrap();
        done.entry(key).or_insert((body, 0)).1 += 1;
    }
}

async fn take(
    State(receiver): State<Arc<Receiver>>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let number = receiver.posts.fetch_add(1, Ordering::SeqCst);
    while number == 0 && receiver.hanging.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    if !KEYS.iter().all(|key| is_signed(&headers, &body, key)) || !is_named(&headers, &body) {
        receiver.unsigned.fetch_add(1, Ordering::SeqCst);
        return StatusCode::UNAUTHORIZED;
    }
    if receiver.down.load(Ordering::SeqCst) {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    match number % 8 {
        _ if !receiver.failing.load(Ordering::SeqCst) => {}
        0 => return StatusCode::INTERNAL_SERVER_ERROR,
        // It did as it was told, and the answer comes too late.
        2 => {
            receiver.take(&body);
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        // The connection is cut: before anything was done, and after.
        4 => panic!("the connection is cut"),
        6 => {
            receiver.take(&body);
            panic!("the connection is cut");
        }
        _ => {}
    }
    receiver.take(&body);
    StatusCode::NO_CONTENT
}

/// Header and body have the same key.
fn is_named(headers: &HeaderMap, body: &[u8]) -> bool {
    let body: Value = serde_json::from_slice(body).unwrap();
    let named = headers["idempotency-key"].to_str().ok();
    named == body["idempotency_key"].as_str()
}

/// As a receiver checks it: the newest timestamp and any `v1` that the key gives.
fn is_signed(headers: &HeaderMap, body: &[u8], key: &str) -> bool {
    let header = headers["cartwright-signature"].to_str().unwrap();
    let mut parts = header.split(',').map(|part| part.split_once('=').unwrap());
    let ("t", seconds) = parts.next().unwrap() else {
        return false;
    };
    let age = kit::Clock::real().now_ms() / 1_000 - seconds.parse::<i64>().unwrap();
    let message = [seconds.as_bytes(), b".", body].concat();
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    let right = |tag: &str| {
        let digit = |at: usize| u8::from_str_radix(&tag[at..at + 2], 16).unwrap();
        let tag: Vec<u8> = (0..tag.len()).step_by(2).map(digit).collect();
        hmac::verify(&key, &message, &tag).is_ok()
    };
    (0..300).contains(&age) && parts.any(|(name, tag)| name == "v1" && right(tag))
}

fn webhook(url: &str, attempts: u32) -> Webhook {
    Webhook {
        url: Some(Secret::new(url)),
        keys: Some(Secret::new(KEYS.join(" "))),
        timeout: Period::millis(500),
        attempts,
        backoff: Period::millis(20),
        backoff_most: Period::millis(100),
        ..Webhook::default()
    }
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..1_200 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("waited too long until {what}");
}

impl Scene {
    async fn letters(&self) -> Vec<pb::DeadLetter> {
        let request = pb::ListDeadLettersRequest::default();
        let listed = self.client().list_dead_letters(request).await.unwrap();
        listed.into_inner().letters
    }

    async fn redrives(&self, decision_ids: Vec<String>) -> u32 {
        let request = pb::RedriveDeadLettersRequest {
            all: decision_ids.is_empty(),
            decision_ids,
        };
        let answer = self.client().redrive_dead_letters(request).await.unwrap();
        answer.into_inner().redriven
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_action_arrives_at_a_receiver_that_fails_half_the_time_and_counts_once() {
    for kept in stores().await {
        let receiver = Arc::new(Receiver::default());
        receiver.failing.store(true, Ordering::SeqCst);
        let url = receiver.listen().await;
        let set = |setup: &mut Setup| setup.webhook = webhook(&url, 20);
        let mut scene = Scene::open_with(&kept, POLICY, set).await;
        let holdout = policy::holdout::Holdout::new("loop", 0.05).unwrap();
        let shoppers: Vec<String> = (0..60).map(|n| format!("shopper-{n}")).collect();
        for shopper in &shoppers {
            scene.fills_a_cart(shopper).await;
        }
        scene.later(31 * MINUTE);
        let let_in = shoppers.iter().filter(|one| !holdout.holds(one));
        let mut expected: Vec<String> = let_in.map(|one| format!("{one}/1/0")).collect();
        expected.sort_unstable();
        until("all have arrived", async || {
            receiver.keys().len() == expected.len()
        })
        .await;
        assert_eq!(receiver.keys(), expected);
        assert_eq!(receiver.unsigned.load(Ordering::SeqCst), 0);
        assert!(
            receiver.posts() > expected.len() * 3 / 2,
            "{}",
            receiver.posts()
        );
        let posts = receiver
            .done
            .lock()
            .unwrap()
            .values()
            .map(|(_, posts)| *posts)
            .max();
        assert!(posts > Some(1), "some came twice, and counted once");
        assert!(scene.letters().await.is_empty());
        let (body, _) = receiver
            .done
            .lock()
            .unwrap()
            .values()
            .next()
            .unwrap()
            .clone();
        assert_eq!(body["action"], "percent_coupon");
        assert_eq!(body["lines"][0]["item_id"], "1");
        scene.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_never_taken_is_listed_as_dead_and_arrives_when_it_is_redriven() {
    for kept in stores().await {
        let receiver = Arc::new(Receiver::default());
        receiver.down.store(true, Ordering::SeqCst);
        let url = receiver.listen().await;
        let set = |setup: &mut Setup| setup.webhook = webhook(&url, 3);
        let mut scene = Scene::open_with(&kept, POLICY, set).await;
        for shopper in ["ann", "bob", "eve"] {
            scene.fills_a_cart(shopper).await;
        }
        scene.later(31 * MINUTE);
        until("all are dead", async || scene.letters().await.len() == 3).await;
        assert_eq!(
            receiver.posts(),
            9,
            "three attempts each, and none after that"
        );
        let letters = scene.letters().await;
        assert!(
            letters
                .iter()
                .all(|one| one.attempts == 3 && one.why.contains("503"))
        );
        receiver.down.store(false, Ordering::SeqCst);
        let of = |shopper: &str| {
            let letter = letters.iter().find(|one| one.shopper_id == shopper);
            letter.unwrap().decision_id.clone()
        };
        assert_eq!(scene.redrives(vec![of("ann")]).await, 1);
        until("ann's has arrived", async || receiver.keys() == ["ann/1/0"]).await;
        scene.happens("bob", EventKind::Purchase, "1").await;
        assert_eq!(scene.redrives(Vec::new()).await, 2);
        until("eve's has arrived", async || {
            receiver.keys() == ["ann/1/0", "eve/1/0"]
        })
        .await;
        assert!(scene.letters().await.is_empty());
        assert_eq!(scene.redrives(Vec::new()).await, 0);
        // What is still leased is asked for again every quarter of half a minute.
        scene.later(HOUR);
        tokio::time::sleep(Duration::from_secs(9)).await;
        assert_eq!(receiver.keys(), ["ann/1/0", "eve/1/0"], "bob has ordered");
        assert_eq!(receiver.posts(), 11, "each once, dead or delivered");
        scene.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_ordered_between_two_attempts_is_not_posted_again() {
    for kept in stores().await {
        let receiver = Arc::new(Receiver::default());
        receiver.down.store(true, Ordering::SeqCst);
        let url = receiver.listen().await;
        let patient = Webhook {
            backoff: Period::seconds(4),
            backoff_most: Period::seconds(4),
            ..webhook(&url, 2)
        };
        let set = |setup: &mut Setup| setup.webhook = patient;
        let mut scene = Scene::open_with(&kept, POLICY, set).await;
        for number in 0..8 {
            scene.fills_a_cart(&format!("{number}")).await;
        }
        scene.later(31 * MINUTE);
        until("each was tried", async || receiver.posts() >= 8).await;
        let tried = receiver.posts();
        for number in 0..8 {
            scene
                .happens(&format!("{number}"), EventKind::Purchase, "1")
                .await;
        }
        // What was checked before its order may still be on the wire.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let meanwhile = receiver.posts();
        assert!(meanwhile < 16, "some still wait");
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(receiver.posts(), meanwhile, "{tried} before");
        scene.close().await;
    }
}

/// A process that has one of four actions on its way, and the others in hand.
async fn busy_with_the_first(kept: &Kept, receiver: &Arc<Receiver>, settings: &Webhook) -> Scene {
    receiver.hanging.store(true, Ordering::SeqCst);
    let one_by_one = Webhook {
        at_once: 1,
        ..settings.clone()
    };
    let set = |setup: &mut Setup| setup.webhook = one_by_one;
    let mut scene = Scene::open_with(kept, POLICY, set).await;
    for shopper in SHOPPERS {
        scene.fills_a_cart(shopper).await;
    }
    scene.later(31 * MINUTE);
    decided(&scene, SHOPPERS.len()).await;
    until("the first is on its way", async || receiver.posts() == 1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    scene
}

/// Until what is wrongly posted would have been.
async fn let_it_go_on(receiver: &Receiver) {
    receiver.hanging.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_took_while_it_waited_for_a_slow_receiver_is_not_posted_twice() {
    for kept in stores().await {
        let receiver = Arc::new(Receiver::default());
        let url = receiver.listen().await;
        let settings = Webhook {
            timeout: Period::seconds(30),
            ..webhook(&url, 2)
        };
        let scene = busy_with_the_first(&kept, &receiver, &settings).await;
        scene.later(HOUR);
        let clock = scene.clock.clone();
        let set = |setup: &mut Setup| {
            setup.clock = clock;
            setup.webhook = settings;
        };
        let other = Scene::open_with(&kept, POLICY, set).await;
        until("the other has posted all", async || {
            receiver.keys().len() == SHOPPERS.len()
        })
        .await;
        let_it_go_on(&receiver).await;
        // Of the first the lease ended within its attempt, as time was turned on.
        assert_eq!(receiver.posts(), SHOPPERS.len() + 1);
        scene.close().await;
        other.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_ordered_while_it_waits_for_a_slow_receiver_is_not_posted() {
    for kept in stores().await {
        let receiver = Arc::new(Receiver::default());
        let url = receiver.listen().await;
        let settings = Webhook {
            timeout: Period::seconds(30),
            ..webhook(&url, 2)
        };
        let mut scene = busy_with_the_first(&kept, &receiver, &settings).await;
        for shopper in SHOPPERS {
            scene.happens(shopper, EventKind::Purchase, "1").await;
        }
        scene.later(2_000);
        let_it_go_on(&receiver).await;
        assert_eq!(receiver.posts(), 1);
        scene.close().await;
    }
}

#[tokio::test]
async fn letters_are_asked_for_by_good_requests_and_of_a_store_only() {
    let kept = stores().await.remove(0);
    let scene = Scene::open(&kept, POLICY).await;
    let list = pb::ListDeadLettersRequest { limit: 1_001 };
    let refused = scene.client().list_dead_letters(list).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let none = pb::RedriveDeadLettersRequest::default();
    let refused = scene.client().redrive_dead_letters(none).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let group = pb::StreamActionsRequest {
        group: "webhook".to_owned(),
        consumer: "one".to_owned(),
        ..pb::StreamActionsRequest::default()
    };
    let refused = scene.client().stream_actions(group).await.unwrap_err();
    assert!(
        refused.message().contains("group of the webhook"),
        "{refused:?}"
    );
    let without = Setup::default().start().await;
    let list = pb::ListDeadLettersRequest::default();
    let refused = without
        .client
        .clone()
        .list_dead_letters(list)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
}
