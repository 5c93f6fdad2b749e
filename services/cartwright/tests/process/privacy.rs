//! Whatever goes well or wrong, no log line and no span names a person.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};

use feature_store::store::{Kind, Partition, RedisSettings};
use feature_store::{FeatureStore, Issued, Millis, ShopperChange};
use proto::v1 as pb;
use proto::v1::candidate_service_client::CandidateServiceClient;
use proto::v1::event_service_client::EventServiceClient;
use proto::v1::feature_service_client::FeatureServiceClient;
use proto::v1::recovery_service_client::RecoveryServiceClient;
use proto::v1::shopper_service_client::ShopperServiceClient;
use tonic::transport::Channel;

use super::support::{Redis, Server, await_some, cartwright, run, snapshot, succeed, text};

/// What must appear nowhere: ids of people, of their devices, and of what they did.
const ANNA: &str = "anna.4711@example.org";
const DEVICE: &str = "device-5f0c2ab9";
const BROKEN: &str = "broken-9e1177";
const SESSION: &str = "session-77aa31";
const ORDER: &str = "order-20019";
const EVENT: &str = "event-c0ffee";
const CODE: &str = "CODE-NOBODY-MADE";
const SECRETS: [&str; 7] = [ANNA, DEVICE, BROKEN, SESSION, ORDER, EVENT, CODE];

/// A receiver of OTLP over HTTP that keeps all that it is sent.
fn receiver() -> (String, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let kept = Arc::new(Mutex::new(Vec::new()));
    let all = kept.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let all = all.clone();
            std::thread::spawn(move || while receive(&stream, &all).is_some() {});
        }
    });
    (url, kept)
}

/// One request; `None` at the end of the connection.
fn receive(stream: &TcpStream, all: &Mutex<Vec<u8>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        if line.trim().is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
        assert!(!name.eq_ignore_ascii_case("content-encoding"), "compressed");
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    all.lock().unwrap().extend(body);
    let mut stream = stream;
    let answer =
        "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
    stream.write_all(answer.as_bytes()).ok()
}

fn event(number: usize, shopper: &str, kind: pb::event::Type) -> pb::Event {
    pb::Event {
        event_id: format!("{EVENT}-{number}"),
        shopper_id: shopper.to_owned(),
        device_id: DEVICE.to_owned(),
        r#type: kind.into(),
        item_id: "2".to_owned(),
        quantity: 1,
        price_minor: 1_999,
        currency: "EUR".to_owned(),
        occurred_at: Some(std::time::SystemTime::UNIX_EPOCH.into()),
        session_id: SESSION.to_owned(),
        ..pb::Event::default()
    }
}

struct Shop {
    events: EventServiceClient<Channel>,
    features: FeatureServiceClient<Channel>,
    shoppers: ShopperServiceClient<Channel>,
    recovery: RecoveryServiceClient<Channel>,
}

impl Shop {
    async fn connect(server: &Server) -> Self {
        let channel = async |name: &str| {
            let endpoint = Channel::from_shared(server.url(name)).unwrap();
            endpoint.connect().await.unwrap()
        };
        let features = channel("features").await;
        Self {
            events: EventServiceClient::new(features.clone()),
            features: FeatureServiceClient::new(features.clone()),
            shoppers: ShopperServiceClient::new(features),
            recovery: RecoveryServiceClient::new(channel("recovery").await),
        }
    }

    async fn push(&mut self, events: Vec<pb::Event>) {
        let request = pb::PushEventsRequest { events };
        self.events.push_events(request).await.unwrap();
    }

    /// What a day brings, and what a caller may get wrong.
    async fn live(&mut self, now: prost_types::Timestamp) {
        let add = pb::event::Type::AddToCart;
        let mut events = vec![
            event(1, ANNA, add),
            event(2, DEVICE, add),
            event(3, BROKEN, add),
        ];
        for one in &mut events {
            one.occurred_at = Some(now);
        }
        // Without a price, and of 1970.
        events.push(event(4, ANNA, add));
        events.push(pb::Event {
            order_id: ORDER.to_owned(),
            price_minor: -5,
            ..event(5, ANNA, pb::event::Type::Purchase)
        });
        self.push(events).await;
        let link = pb::LinkIdentityRequest {
            shopper_id: ANNA.to_owned(),
            alias_id: DEVICE.to_owned(),
            link_id: "link-1".to_owned(),
        };
        self.shoppers.link_identity(link).await.unwrap();
        let profile = pb::SetProfileRequest {
            shopper_id: ANNA.to_owned(),
            time_zone: Some("Nowhere/Atall".to_owned()),
            ..pb::SetProfileRequest::default()
        };
        assert!(self.shoppers.set_profile(profile).await.is_err());
        let decide = pb::DecideRequest {
            request_id: "r1".to_owned(),
            shopper_id: ANNA.to_owned(),
            mode: pb::decide_request::Mode::Commit.into(),
            ..pb::DecideRequest::default()
        };
        let decision = self.recovery.decide(decide).await.unwrap().into_inner();
        let report = pb::OutcomeReport {
            shopper_id: BROKEN.to_owned(),
            decision_id: decision.decision_id,
            ..pb::OutcomeReport::default()
        };
        let reports = vec![report];
        let _refused = self
            .recovery
            .report_outcomes(pb::ReportOutcomesRequest { reports })
            .await;
        let redeem = pb::RedeemCouponRequest {
            code: CODE.to_owned(),
            order_id: ORDER.to_owned(),
            shopper_id: ANNA.to_owned(),
        };
        let _refused = self.recovery.redeem_coupon(redeem).await;
    }

    /// Asks about somebody whose value was damaged in the store, in every way there is.
    async fn ask_about_the_broken(&mut self, now: prost_types::Timestamp) {
        let mut more = event(6, BROKEN, pb::event::Type::View);
        more.occurred_at = Some(now);
        self.push(vec![more]).await;
        let cart = pb::GetCartRequest {
            shopper_id: BROKEN.to_owned(),
            now: None,
        };
        assert!(self.features.get_cart(cart).await.is_err());
        let decide = pb::DecideRequest {
            request_id: "r2".to_owned(),
            shopper_id: BROKEN.to_owned(),
            mode: pb::decide_request::Mode::Commit.into(),
            ..pb::DecideRequest::default()
        };
        let _refused = self.recovery.decide(decide).await;
    }
}

/// Puts what is no value in the place of a shopper's.
fn damage(redis: &Redis, shopper: &str) {
    let key = format!("{{{}}}:s:{shopper}", Partition::of(shopper));
    let mut stream = TcpStream::connect(redis.url.trim_start_matches("redis://")).unwrap();
    let garbage = "no value of ours";
    let command = format!(
        "*3\r\n$3\r\nSET\r\n${}\r\n{key}\r\n${}\r\n{garbage}\r\n",
        key.len(),
        garbage.len()
    );
    stream.write_all(command.as_bytes()).unwrap();
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"+OK\r\n");
}

#[test]
fn no_log_line_and_no_span_names_a_person_whatever_goes_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.jsonl");
    let redis = Redis::start();
    let (otlp, spans) = receiver();
    let args = [
        &["all", "--snapshot", text(snapshot()), "--redis", &redis.url][..],
        &[
            "--otlp",
            &otlp,
            "--otlp-protocol",
            "http",
            "--trace-sample",
            "1",
        ],
        &["--log", "debug,h2=info,hyper=info", "--log-json"],
        &["--admin", "127.0.0.1:0"],
    ]
    .concat();
    let free = [
        ("CARTWRIGHT_ALL_FEATURES_ADDR", "127.0.0.1:0"),
        ("CARTWRIGHT_ALL_CANDIDATES_ADDR", "127.0.0.1:0"),
        ("CARTWRIGHT_ALL_RECOVERY_ADDR", "127.0.0.1:0"),
    ];
    let server = Server::start_logging(&args, &free, 3, &log);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let now = kit::timestamp::encode(kit::Clock::real().now_ms());
        let mut shop = Shop::connect(&server).await;
        shop.live(now).await;
        damage(&redis, BROKEN);
        shop.ask_about_the_broken(now).await;
    });
    let sent = |what: &str| {
        let all = spans.lock().unwrap();
        all.windows(what.len())
            .any(|window| window == what.as_bytes())
    };
    await_some("the spans", || sent("RecoveryService/Decide").then_some(()));
    server.terminate();
    assert!(server.wait().success());
    let said = fs::read_to_string(&log).unwrap();
    assert!(
        said.contains("unreadable"),
        "what was damaged is logged:\n{said}"
    );
    assert!(
        sent("cartwright.shopper"),
        "a span says by a keyed hash whom it is about"
    );
    for secret in SECRETS {
        let line = said.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} is in the log");
        assert!(!sent(secret), "{secret} is in the spans");
    }
}

#[test]
fn a_key_of_a_store_marks_past_sessions_and_is_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let [store, key, erased, model] = ["store", "key", "erased.jsonl", "model"].map(path);
    fs::create_dir(&store).unwrap();
    let (store, key, erased) = (text(&store), text(&key), text(&erased));
    succeed(&["privacy", "key", "--store", store, "--out", key]);
    let mode = fs::metadata(key).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let digits = fs::read_to_string(key).unwrap();
    assert_eq!(digits.trim().len(), 64);
    let again = run(&["privacy", "key", "--store", store, "--out", key]);
    assert!(!again.status.success(), "a key that is there is left alone");
    succeed(&["privacy", "erased", "--store", store, "--out", erased]);
    assert_eq!(fs::read_to_string(erased).unwrap(), "");

    let events = [
        "--events",
        "examples/article.csv",
        "--min-people",
        "1",
        "--out",
        text(&model),
    ];
    let known = ["--privacy-key", key, "--erased", erased];
    succeed(&[&["train"][..], &events, &known].concat());
    let shown = succeed(&["snapshot", "show", text(&model), "--json"]);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let privacy = &shown["manifest"]["privacy"];
    assert_eq!(privacy["sessions_key"].as_str().unwrap().len(), 16);
    assert_eq!(
        (&privacy["erased_events"], &privacy["min_people"]),
        (&0.into(), &1.into())
    );
    let shown = succeed(&["snapshot", "show", text(&model)]);
    assert!(shown.contains("carry a MAC of their shopper"), "{shown}");
    let shown = succeed(&["snapshot", "show", text(snapshot())]);
    assert!(shown.contains("carry no MAC"), "{shown}");
    // Who was erased says nothing without the key to find them by.
    let output = run(&[&["train"][..], &events, &["--erased", erased]].concat());
    assert_eq!(output.status.code(), Some(64));
}

/// Rows of the recovery role about a shopper: what a code stands for, a stored cart, a dead letter,
/// and a section that says what is pursued.
async fn is_won_back(redis: &Redis, shopper: &str, now: Millis) {
    let settings = RedisSettings {
        url: redis.url.clone(),
        ..RedisSettings::default()
    };
    let opened = feature_store::store::Redis::connect(settings)
        .await
        .unwrap();
    let store = FeatureStore::new(Arc::new(opened), feature_store::Settings::default());
    let read = store.stored_shoppers(&[shopper]).await.unwrap().remove(0);
    let change = ShopperChange {
        at: now,
        recovery: Some(b"\x08\x01\x12\x04\x08\x01\x10\x03".to_vec()),
        ..ShopperChange::default()
    };
    let of = read.row_key().map(|key| (key, now));
    store.change(shopper, read, change).await.unwrap();
    let named = [
        &[0x12, u8::try_from(shopper.len()).unwrap()],
        shopper.as_bytes(),
    ]
    .concat();
    let issue = |kind, row: &[u8]| Issued {
        kind,
        id: "0a".to_owned(),
        value: [&named, row].concat().into(),
        of: of.clone(),
    };
    let cart = Issued {
        value: b"\x12\x07\x0a\x011\x10\x02\x18\x03\x1a\x03EUR\x20\x04"
            .to_vec()
            .into(),
        ..issue(Kind::StoredCart, b"")
    };
    let issued = vec![issue(Kind::Coupon, b"\x42\x03EUR\x48\x05"), cart];
    assert_eq!(store.issue(issued).await, Ok(vec![true, true]));
    let letter = [&named[..], b"\x30\x08\x3a\x03500\x40\x05"].concat().into();
    let place = (Partition::of(shopper), "d1");
    let put = store.put_dead_letter(shopper, place, letter, now);
    put.await.unwrap();
}

#[test]
fn an_export_prints_a_line_for_everything_that_is_kept() {
    let redis = Redis::start();
    let args = ["features", "--redis", &redis.url, "--admin", "127.0.0.1:0"];
    let free = [("CARTWRIGHT_FEATURES_ADDR", "127.0.0.1:0")];
    let server = Server::start_with(&args, &free, 1);
    let url = server.url("features");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let now_ms = kit::Clock::real().now_ms();
        let mut added = event(1, ANNA, pb::event::Type::AddToCart);
        added.occurred_at = Some(kit::timestamp::encode(now_ms));
        let events = vec![added];
        let mut client = EventServiceClient::connect(url.clone()).await.unwrap();
        let pushed = client.push_events(pb::PushEventsRequest { events }).await;
        assert_eq!(pushed.unwrap().into_inner().results.len(), 1);
        is_won_back(&redis, ANNA, Millis(now_ms)).await;
    });
    let export = ["shopper", "export", "--shopper", ANNA, "--to", &url];
    let printed = succeed(&export);
    let lines = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let lines: Vec<serde_json::Value> = lines.collect();
    let of = |kind: &str| {
        let mut found = lines.iter().filter(|line| line["kind"] == kind);
        let one = found
            .next()
            .unwrap_or_else(|| panic!("no {kind}:\n{printed}"));
        (one.clone(), 1 + found.count())
    };
    assert!(of("person").0["looked_at_next"].is_string(), "{printed}");
    assert_eq!(of("event").0["item_id"], "2");
    assert_eq!(of("recovery").0["sequence"]["kind"], "checkout");
    assert_eq!(of("coupon").0["serial"], "0a");
    assert_eq!(of("coupon").0["expires_at"], "1970-01-01T00:00:00.005Z");
    assert_eq!(of("stored_cart").0["lines"][0]["quantity"], 2);
    assert_eq!(of("dead_letter").0["reason"], "500");
    for kind in [
        "coupon",
        "stored_cart",
        "dead_letter",
        "recovery",
        "profile",
        "cart",
    ] {
        assert_eq!(of(kind).1, 1, "{kind}");
    }
    let table = succeed(&[&export[..], &["--table"]].concat());
    assert!(table.contains("stored_cart"), "{table}");
    succeed(&["shopper", "erase", "--shopper", ANNA, "--yes", "--to", &url]);
    assert!(!run(&export).status.success(), "nothing is kept any more");
}

/// A visit of a shopper to some items, now.
fn visit(shopper: &str, items: &[&str]) -> Vec<pb::Event> {
    let now_ms = kit::Clock::real().now_ms();
    let seen = items.iter().zip(0_i64..).map(|(item, at)| pb::Event {
        event_id: format!("{shopper}-{at}"),
        item_id: (*item).to_owned(),
        session_id: shopper.to_owned(),
        occurred_at: Some(kit::timestamp::encode(now_ms - 60_000 + at * 1_000)),
        ..event(0, shopper, pb::event::Type::View)
    });
    seen.collect()
}

/// What past sessions name after `start`.
async fn after_start(candidates: &mut CandidateServiceClient<Channel>) -> Vec<String> {
    let recent = pb::RecentInteraction {
        item_id: "start".to_owned(),
        ..pb::RecentInteraction::default()
    };
    let request = pb::RetrieveRequest {
        recent_items: vec![recent],
        ..pb::RetrieveRequest::default()
    };
    let answer = candidates.retrieve(request).await.unwrap().into_inner();
    let by_sessions = |one: &&pb::Candidate| one.sources.iter().any(|one| one.source == "sessions");
    let named = answer.candidates.iter().filter(by_sessions);
    let mut named: Vec<String> = named.map(|one| one.item_id.clone()).collect();
    named.sort();
    named
}

fn trained_on(redis: &Redis, model: &str) -> serde_json::Value {
    let args = [
        "train",
        "--redis",
        &redis.url,
        "--min-people",
        "1",
        "--out",
        model,
        "--json",
    ];
    serde_json::from_str(&succeed(&args)).unwrap()
}

#[test]
fn who_is_erased_leaves_the_snapshot_that_is_served_and_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let (model, next) = (folder.path().join("model"), folder.path().join("next"));
    let redis = Redis::start();
    let none = ["--admin", "none", "--addr", "127.0.0.1:0"];
    let features = Server::start(
        &[&["features", "--redis", &redis.url], &none[..]].concat(),
        1,
    );
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let connect = |url: String| {
        let endpoint = Channel::from_shared(url).unwrap();
        runtime.block_on(endpoint.connect()).unwrap()
    };
    let channel = connect(features.url("features"));
    let mut events = EventServiceClient::new(channel.clone());
    let both = [
        visit("anna", &["start", "hers"]),
        visit("bob", &["start", "his"]),
    ]
    .concat();
    let pushed = events.push_events(pb::PushEventsRequest { events: both });
    let pushed = runtime.block_on(pushed).unwrap().into_inner();
    assert!(
        pushed.results.iter().all(|one| one.reason.is_empty()),
        "{pushed:?}"
    );
    let report = trained_on(&redis, text(&model));
    assert_eq!(report["privacy"]["erased_events"], 0);

    let args = [
        "candidates",
        "--snapshot",
        text(&model),
        "--features",
        &features.url("features"),
    ];
    let candidates = Server::start(&[&args, &none[..]].concat(), 1);
    let mut asked = CandidateServiceClient::new(connect(candidates.url("candidates")));
    let mut named = |wanted: &[&str]| {
        let found = runtime.block_on(after_start(&mut asked));
        (found == wanted).then_some(())
    };
    await_some("both sessions", || named(&["hers", "his"]));
    let mut shoppers = ShopperServiceClient::new(channel);
    let erased = shoppers.erase_shopper(pb::EraseShopperRequest {
        shopper_id: "anna".to_owned(),
    });
    runtime.block_on(erased).unwrap();
    await_some("her session to go", || named(&["his"]));

    let report = trained_on(&redis, text(&next));
    assert_eq!(report["privacy"]["erased_events"], 2, "{report}");
    let items = fs::read_to_string(next.join("items.jsonl")).unwrap();
    assert!(items.contains("his") && !items.contains("hers"), "{items}");
}

/// A certificate for this machine, and its key; `None` where openssl is not installed.
#[expect(clippy::print_stderr, reason = "a test says what it did not check")]
fn certificate(folder: &std::path::Path) -> Option<(String, String)> {
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    let made = std::process::Command::new("openssl")
        .args(["req", "-x509", "-nodes", "-days", "2", "-newkey", "ec"])
        .args(["-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-subj", "/CN=127.0.0.1", "-addext"])
        .args(["subjectAltName=IP:127.0.0.1", "-addext"])
        .args(["basicConstraints=critical,CA:FALSE"])
        .args(["-out", text(&cert), "-keyout", text(&key)])
        .output();
    match made {
        Ok(made) => assert!(made.status.success(), "{made:?}"),
        Err(error) => {
            eprintln!("without TLS: openssl does not start: {error}");
            return None;
        }
    }
    Some((text(&cert).to_owned(), text(&key).to_owned()))
}

/// A features role that wants tokens, over TLS where that can be.
struct Guarded {
    server: Server,
    url: String,
    ca: Option<String>,
    _folder: tempfile::TempDir,
}

impl Guarded {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (config, data) = (
            folder.path().join("features.toml"),
            folder.path().join("data"),
        );
        let mut settings = String::from("[security]\n");
        let certificate = certificate(folder.path());
        if let Some((cert, key)) = &certificate {
            settings += &format!("tls_cert = {cert:?}\ntls_key = {key:?}\n");
        }
        for (token, scope) in [("who-reads", "read"), ("who-erases", "erase")] {
            settings += &format!("[[security.tokens]]\ntoken = {token:?}\nscopes = [{scope:?}]\n");
        }
        fs::write(&config, settings).unwrap();
        let place = ["--addr", "127.0.0.1:0", "--admin", "none"];
        let args = ["features", "--config", text(&config), "--data", text(&data)];
        let server = Server::start(&[&args[..], &place[..]].concat(), 1);
        let scheme = if certificate.is_some() {
            "https"
        } else {
            "http"
        };
        Self {
            url: format!("{scheme}://127.0.0.1:{}", server.port("features")),
            server,
            ca: certificate.map(|(cert, _)| cert),
            _folder: folder,
        }
    }

    /// The exit code of a command that asks it, and what it said.
    fn hears(&self, command: &[&str], token: Option<&str>) -> (Option<i32>, String) {
        let mut process = cartwright();
        process.args(command).args(["--to", &self.url]);
        process.env_remove("CARTWRIGHT_TOKEN");
        process.envs(token.map(|token| ("CARTWRIGHT_TOKEN", token)));
        process.envs(self.ca.as_ref().map(|ca| ("CARTWRIGHT_CA", ca)));
        let output = process.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        (output.status.code(), said)
    }
}

#[test]
fn who_exports_or_erases_shows_a_token_where_servers_want_one() {
    let mut guarded = Guarded::start();
    for command in [
        &["shopper", "erase", "--shopper", ANNA, "--yes"][..],
        &["shopper", "export", "--shopper", ANNA],
    ] {
        for token in [None, Some("who-reads"), Some("who-knows")] {
            let (code, said) = guarded.hears(command, token);
            assert_eq!(code, Some(1), "{command:?} {token:?}: {said}");
            assert!(said.contains("CARTWRIGHT_TOKEN"), "{said}");
            assert!(token.is_none_or(|token| !said.contains(token)), "{said}");
        }
        let (code, said) = guarded.hears(command, Some("who-erases"));
        // Of nobody there is nothing to export, which only who may is told.
        let may = code == Some(0) || said.contains("nothing is known of shopper");
        assert!(may, "{command:?}: {said}");
    }
    let (code, said) = guarded.hears(&["doctor", "--token", "who-reads"], None);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = guarded.hears(&["doctor", "--token", "who\nreads"], None);
    assert!(code == Some(1) && said.contains("--token"), "{said}");
    if guarded.ca.take().is_some() {
        let (code, said) = guarded.hears(&["doctor"], Some("who-reads"));
        assert!(code == Some(1) && said.contains("--ca"), "{said}");
    }
    guarded.server.terminate();
    assert!(guarded.server.wait().success());
}
