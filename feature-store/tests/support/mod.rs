//! Stores for tests: a folder, or a `redis-server` of the test's own.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses a part of it"
)]

pub mod cut;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use feature_store::store::{
    Durability, Embedded, EmbeddedSettings, Error, Redis, RedisSettings, Store,
};
use tempfile::TempDir;

/// A Redis of one's own; it dies with this value.
pub struct RedisServer {
    child: Child,
    pub port: u16,
}

impl RedisServer {
    /// Starts a server and waits until it answers.
    pub async fn start(folder: &Path, args: &[&str]) -> Self {
        let port = free_port();
        let child = Self::spawn(port, folder, args);
        let server = Self { child, port };
        server.wait().await;
        server
    }

    /// Kills the server without a chance to clean up, and starts it again on its port.
    pub async fn kill_and_restart(&mut self, folder: &Path, args: &[&str]) {
        self.kill();
        self.child = Self::spawn(self.port, folder, args);
        self.wait().await;
    }

    pub fn kill(&mut self) {
        self.child.kill().expect("can be killed");
        self.child.wait().expect("ends");
    }

    fn spawn(port: u16, folder: &Path, args: &[&str]) -> Child {
        Command::new("redis-server")
            .args([
                "--port",
                &port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
            ])
            .arg("--dir")
            .arg(folder)
            .args(args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server is installed")
    }

    async fn wait(&self) {
        for _ in 0..500 {
            if let Ok(store) = Redis::connect(self.settings("")).await
                && store.check().await.is_ok()
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("redis-server does not answer on port {}", self.port);
    }

    /// Waits until so many clients are connected besides this one.
    pub async fn has_clients(&self, least: usize) {
        let client = ::redis::Client::open(self.url()).expect("a url");
        let connected = client.get_multiplexed_async_connection().await;
        let mut connection = connected.expect("connects");
        for _ in 0..500 {
            let mut list = ::redis::cmd("CLIENT");
            let clients = list.arg("LIST").query_async(&mut connection).await;
            let clients: String = clients.expect("answers");
            if clients.lines().count() > least {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("fewer than {least} clients within 10 s");
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn settings(&self, key_prefix: &str) -> RedisSettings {
        RedisSettings {
            url: self.url(),
            key_prefix: key_prefix.to_owned(),
            // The machine that runs tests may be busy.
            response_timeout: Duration::from_secs(5),
            ..RedisSettings::default()
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("has an address").port()
}

/// Where a test's data lies; it outlives the stores opened on it.
pub struct Fixture {
    pub folder: TempDir,
    pub server: Option<RedisServer>,
}

impl Fixture {
    pub fn embedded() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self {
            folder,
            server: None,
        }
    }

    pub async fn redis() -> Self {
        Self::redis_with(&["--appendonly", "no"]).await
    }

    pub async fn redis_with(args: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let server = RedisServer::start(folder.path(), args).await;
        Self {
            folder,
            server: Some(server),
        }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    pub async fn open(&self) -> Arc<dyn Store> {
        match &self.server {
            Some(server) => Arc::new(Redis::connect(server.settings("")).await.expect("connects")),
            None => Arc::new(open_embedded(&self.path(), Durability::Process).expect("opens")),
        }
    }
}

pub fn open_embedded(path: &Path, durability: Durability) -> Result<Embedded, Error> {
    let path = path.to_owned();
    Embedded::open(EmbeddedSettings { path, durability })
}

/// Runs each of these tests on both stores.
#[macro_export]
macro_rules! on_both_stores {
    ($($name:ident),* $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(&$crate::support::Fixture::embedded()).await;
            })*
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(&$crate::support::Fixture::redis().await).await;
            })*
        }
    };
}
