//! Redis, the real role, and shoppers with something to tell.

use std::io::{BufRead as _, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use features::Config;
use kit::config::Secret;
use kit::{CancellationToken, Clock};
use proto::v1::event_service_client::EventServiceClient;
use proto::v1::{self as pb, event::Type};
use tempfile::TempDir;

pub(crate) const SHOPPERS: usize = 1_000;
/// Events of each shopper.
const EVENTS: usize = 24;

/// A Redis of its own. Nothing is written while it is measured, so it need not sync.
pub(crate) struct Redis {
    child: Child,
    pub(crate) url: String,
    _folder: TempDir,
}

impl Redis {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("makes a folder");
        let port = free_port();
        let child = Command::new("redis-server")
            .args([
                "--port",
                &port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
            ])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::yield_now();
        }
        Self {
            child,
            url: format!("redis://127.0.0.1:{port}"),
            _folder: folder,
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    listener.local_addr().expect("is bound").port()
}

/// The first line that a process says.
pub(crate) fn first_line(from: impl Read) -> String {
    let mut line = String::new();
    BufReader::new(from)
        .read_line(&mut line)
        .expect("says something");
    line.trim().to_owned()
}

/// Runs the real role until it is killed.
pub(crate) fn serve(redis: &str) {
    let config = Config {
        addr: "127.0.0.1:0".parse().expect("an address"),
        admin: None,
        redis: Some(Secret::new(redis)),
        ..Config::default()
    };
    crate::runtime().block_on(async {
        let store = features::open_store(&config).await.expect("opens");
        let running = features::run(config, store, Clock::real(), CancellationToken::new())
            .await
            .expect("runs");
        println!("http://{}", running.addr);
        running.wait().await.expect("serves");
    });
}

/// The shoppers.
pub(crate) struct Shop {
    pub(crate) shoppers: Vec<String>,
}

impl Shop {
    /// Pushes what the shoppers did in the last hours.
    pub(crate) async fn fill(url: &str) -> Self {
        let mut client = EventServiceClient::connect(url.to_owned())
            .await
            .expect("connects");
        let shoppers: Vec<String> = (0..SHOPPERS).map(|n| format!("shopper-{n}")).collect();
        let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        let events = shoppers
            .iter()
            .enumerate()
            .flat_map(|(n, shopper)| (0..EVENTS).map(move |at| event(shopper, n, at, now)));
        let events: Vec<pb::Event> = events.collect();
        for batch in events.chunks(1_000) {
            let request = pb::PushEventsRequest {
                events: batch.to_vec(),
            };
            client.push_events(request).await.expect("takes events");
        }
        Self { shoppers }
    }
}

fn event(shopper: &str, n: usize, at: usize, now: Duration) -> pb::Event {
    let ago = u64::try_from((EVENTS - at) * 397 + n % 61).expect("is small");
    let occurred = now.saturating_sub(Duration::from_secs(ago));
    let item = (n * 31 + at * 7) % 500;
    pb::Event {
        event_id: format!("{n}-{at}"),
        shopper_id: shopper.to_owned(),
        r#type: if at % 4 == 3 {
            Type::AddToCart
        } else {
            Type::View
        }
        .into(),
        item_id: format!("item-{item}"),
        price_minor: 990 + i64::try_from(item).expect("is small") * 10,
        currency: "EUR".to_owned(),
        category: format!("department-{}.shelf-{}", item % 7, item % 23),
        brand: format!("brand-{}", item % 19),
        occurred_at: Some(prost_types::Timestamp {
            seconds: i64::try_from(occurred.as_secs()).expect("is a time"),
            nanos: 0,
        }),
        ..pb::Event::default()
    }
}
