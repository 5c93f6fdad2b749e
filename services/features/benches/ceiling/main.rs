//! How near `GetFeatures` comes to what the same machine, the same tonic and the same Redis could do at best.
//!
//! In one run, in interleaved windows, with the same client: an empty call, an echo of the same
//! answer, an echo that also reads the same values from Redis, and the real role; and, without any
//! gRPC, pipelined reads alone: of the values that the role keeps, and of the features themselves
//! from hashes, as other feature stores keep them. Each server is a process of its own.
//!
//! `make ceiling ARGS="--seconds 1 --rounds 8 --in-flight 32"`; `--entities 100` measures one size alone.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark says what it expects and prints what it found"
)]

mod drive;
mod echo;
mod shop;
mod table;

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use drive::Driver;
use shop::Shop;

/// The allocator of the `cartwright` binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Shoppers in one request.
const ENTITIES: [usize; 2] = [1, 100];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let number = |name: &str, default: u32| {
        value(name).map_or(default, |text| text.parse().expect("a number"))
    };
    match value("--serve").as_deref() {
        Some("features") => shop::serve(&value("--redis").expect("an address")),
        Some("echo") => echo::serve(
            &value("--redis").expect("an address"),
            value("--upstream").expect("a url"),
        ),
        Some(other) => panic_on(other),
        None => measure(&Plan {
            window: Duration::from_secs(u64::from(number("--seconds", 1))),
            rounds: number("--rounds", 8),
            in_flight: number("--in-flight", 32),
            entities: match number("--entities", 0) {
                0 => ENTITIES.to_vec(),
                one => vec![usize::try_from(one).expect("is small")],
            },
        }),
    }
}

fn panic_on(other: &str) {
    println!("--serve {other:?} is not known: features or echo");
}

/// As many threads as `cartwright serve` gives a role that shares a machine.
fn runtime() -> tokio::runtime::Runtime {
    let half = std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2));
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(half)
        .enable_all()
        .build()
        .expect("starts")
}

/// How to measure.
pub(crate) struct Plan {
    pub(crate) window: Duration,
    pub(crate) rounds: u32,
    pub(crate) in_flight: u32,
    /// Shoppers in one request; each size is measured by itself.
    pub(crate) entities: Vec<usize>,
}

/// A process of this program that ends with it.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    /// Starts it and waits until it says where it listens.
    fn start(arguments: &[&str]) -> Self {
        let program = std::env::current_exe().expect("knows itself");
        let mut child = Command::new(program)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let url = shop::first_line(child.stdout.take().expect("has a pipe"));
        Self { child, url }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn measure(plan: &Plan) {
    let redis = shop::Redis::start();
    let features = Server::start(&["--serve", "features", "--redis", &redis.url]);
    let runtime = runtime();
    let shop = runtime.block_on(Shop::fill(&features.url));
    let echo = Server::start(&[
        "--serve",
        "echo",
        "--redis",
        &redis.url,
        "--upstream",
        &features.url,
    ]);
    for &entities in &plan.entities {
        let driver = Driver::new(&shop, entities, plan);
        match runtime.block_on(driver.run([&features.url, &echo.url], &redis.url)) {
            Ok(windows) => println!("{}", table::render(entities, plan, &windows)),
            Err(status) => println!("{entities} × 50 features: a request failed: {status}"),
        }
    }
}
