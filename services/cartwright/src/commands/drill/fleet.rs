//! The processes of a drill: a Redis, the roles and the receivers, each killed and started again
//! where it was.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use feature_store::Millis;
use simulator::Random;
use tokio::net::TcpStream;

use super::Setup;
use crate::children::Role;
use crate::commands::demo::shop::Shop;
use crate::failure::{Failure, OrFail as _};
use crate::{output, wire};

/// How long a Redis may read what it had written.
const LOADING: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(20);
const RECEIVER: &str = "receiver";

/// What can be killed.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Victim {
    Features,
    Candidates,
    Recovery(usize),
    Receiver(usize),
    Redis,
}

impl Victim {
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Features => "features",
            Self::Candidates => "candidates",
            Self::Recovery(_) => "recovery",
            Self::Receiver(_) => "receiver",
            Self::Redis => "redis",
        }
    }

    /// Twenty kills in a random order: mostly what the drill is about, and all that it stands on.
    pub(super) fn deal(random: &mut Random) -> Vec<Self> {
        let mut deck = vec![Self::Redis, Self::Redis, Self::Candidates];
        deck.extend([Self::Features; 3]);
        deck.extend([Self::Receiver(0), Self::Receiver(1)].repeat(2));
        deck.extend([Self::Recovery(0), Self::Recovery(1)].repeat(5));
        let mut dealt = Vec::with_capacity(deck.len());
        while !deck.is_empty() {
            dealt.push(deck.swap_remove(random.place(deck.len())));
        }
        dealt
    }
}

/// All processes.
#[derive(Debug)]
pub(super) struct Fleet {
    setup: Setup,
    redis: RedisServer,
    features: Option<Role>,
    candidates: Option<Role>,
    recovery: [Option<Role>; 2],
    receivers: [Option<Role>; 2],
    addrs: Addrs,
}

/// Where they listen, before and after they were killed.
#[derive(Clone, Debug)]
struct Addrs {
    features: SocketAddr,
    candidates: SocketAddr,
    recovery: [SocketAddr; 2],
}

impl Fleet {
    pub(super) async fn start(setup: Setup) -> anyhow::Result<Self> {
        let addrs = Addrs {
            features: free()?,
            candidates: free()?,
            recovery: [free()?, free()?],
        };
        let redis = RedisServer::spawn(free()?, &setup.folder)?;
        redis.wait().await?;
        let mut fleet = Self {
            setup,
            redis,
            features: None,
            candidates: None,
            recovery: [None, None],
            receivers: [None, None],
            addrs,
        };
        for victim in Self::all() {
            fleet.start_again(victim).await?;
        }
        Ok(fleet)
    }

    /// Tells the shop what it sells.
    pub(super) async fn load(&self, setup: &Setup) -> anyhow::Result<()> {
        let now = wire::timestamp(Millis(setup.clock.now_ms()));
        let recovery = url(self.addrs.recovery[0]);
        let shop = Shop::connect(&self.features_url(), &recovery, now).await?;
        shop.upsert(setup.world.items()).await
    }

    fn all() -> [Victim; 6] {
        [
            Victim::Features,
            Victim::Candidates,
            Victim::Recovery(0),
            Victim::Recovery(1),
            Victim::Receiver(0),
            Victim::Receiver(1),
        ]
    }

    pub(super) fn redis_url(&self) -> String {
        self.redis.url()
    }

    pub(super) fn features_url(&self) -> String {
        url(self.addrs.features)
    }

    pub(super) fn recovery_urls(&self) -> Vec<String> {
        self.addrs.recovery.map(url).to_vec()
    }

    /// Kills it without a warning, and starts it again after the pause.
    pub(super) async fn strike(&mut self, victim: Victim, pause: Duration) -> anyhow::Result<()> {
        match victim {
            Victim::Redis => self.redis.kill(),
            Victim::Features | Victim::Candidates | Victim::Recovery(_) | Victim::Receiver(_) => {
                if let Some(role) = self.place(victim).and_then(Option::take) {
                    role.kill();
                }
            }
        }
        tokio::time::sleep(pause).await;
        self.start_again(victim).await
    }

    /// Whatever ended by itself is a fault, and named.
    pub(super) fn check_alive(&mut self) -> anyhow::Result<()> {
        for victim in Self::all() {
            let alive = self.place(victim).and_then(Option::as_mut);
            if !alive.is_some_and(Role::is_alive) {
                let why = format!("{} ended by itself", victim.kind());
                return Err(Failure::new(why).hint("its error is above").into());
            }
        }
        Ok(())
    }

    fn place(&mut self, victim: Victim) -> Option<&mut Option<Role>> {
        match victim {
            Victim::Features => Some(&mut self.features),
            Victim::Candidates => Some(&mut self.candidates),
            Victim::Recovery(place) => self.recovery.get_mut(place),
            Victim::Receiver(place) => self.receivers.get_mut(place),
            Victim::Redis => None,
        }
    }

    /// Whoever waits for it does so on another thread: the shoppers live on meanwhile.
    async fn start_again(&mut self, victim: Victim) -> anyhow::Result<()> {
        if victim == Victim::Redis {
            self.redis.restart()?;
            return self.redis.wait().await;
        }
        let (name, arguments) = self.command(victim)?;
        let start = move || match name {
            RECEIVER => Role::start_command(name, &["drill", "receive"], &[&arguments]),
            name => Role::start(name, &[&arguments]),
        };
        let role = tokio::task::spawn_blocking(start).await??;
        if let Some(place) = self.place(victim) {
            *place = Some(role);
        }
        Ok(())
    }

    fn command(&self, victim: Victim) -> anyhow::Result<(&'static str, Vec<String>)> {
        let Setup {
            snapshot, config, ..
        } = &self.setup;
        let redis = ("--redis", self.redis.url());
        let features = ("--features", self.features_url());
        let snapshot = ("--snapshot", snapshot.display().to_string());
        let common = |addr: SocketAddr| {
            let mut all = flags([
                ("--addr", addr.to_string()),
                ("--admin", "none".to_owned()),
                ("--log", "error".to_owned()),
            ]);
            all.extend(self.setup.clock_flags());
            all
        };
        let (name, mut arguments, more) = match victim {
            Victim::Features => ("features", common(self.addrs.features), flags([redis])),
            Victim::Candidates => {
                let more = flags([snapshot, features]);
                ("candidates", common(self.addrs.candidates), more)
            }
            Victim::Recovery(place) => {
                let addr = self.addrs.recovery.get(place);
                let candidates = ("--candidates", url(self.addrs.candidates));
                let config = ("--config", config.display().to_string());
                let more = flags([snapshot, features, redis, candidates, config]);
                (
                    "recovery",
                    common(*addr.context("a recovery process")?),
                    more,
                )
            }
            Victim::Receiver(place) => (RECEIVER, self.receiver(place), Vec::new()),
            Victim::Redis => return Err(Failure::new("Redis is no role").into()),
        };
        arguments.extend(more);
        Ok((name, arguments))
    }

    /// Each begins with a server of its own, and goes on with the other when that is gone.
    fn receiver(&self, place: usize) -> Vec<String> {
        let mut urls = self.recovery_urls();
        urls.rotate_left(place);
        let journal = self.setup.journal(place);
        flags([
            ("--to", urls.join(",")),
            ("--name", format!("receiver-{place}")),
            ("--journal", journal.display().to_string()),
            ("--lease", self.setup.lease.to_string()),
        ])
    }

    /// Ends everything, callers first.
    pub(super) fn stop(self) {
        let Self {
            features,
            candidates,
            recovery,
            receivers,
            ..
        } = self;
        // What a receiver took is in its journal, so that it may end anywhere.
        receivers.into_iter().flatten().for_each(Role::kill);
        let roles = recovery.into_iter().chain([candidates, features]);
        for role in roles.flatten() {
            if let Err(error) = role.stop() {
                output::note(format!("note: {error:#}"));
            }
        }
    }
}

fn flags<const N: usize>(pairs: [(&str, String); N]) -> Vec<String> {
    let flags = pairs.into_iter();
    flags
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect()
}

fn url(addr: SocketAddr) -> String {
    format!("http://{addr}")
}

fn free() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("find a free port")?;
    listener.local_addr().context("find a free port")
}

/// A Redis of its own that keeps every write.
#[derive(Debug)]
struct RedisServer {
    child: Child,
    addr: SocketAddr,
    folder: PathBuf,
}

impl RedisServer {
    fn spawn(addr: SocketAddr, folder: &Path) -> anyhow::Result<Self> {
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &addr.port().to_string()])
            .args(["--save", "", "--appendonly", "yes"])
            .args(["--appendfsync", "always"])
            .arg("--dir")
            .arg(folder)
            .stdout(Stdio::null())
            .spawn()
            .or_hint("the drill needs redis-server: apt-get install redis-server")?;
        Ok(Self {
            child,
            addr,
            folder: folder.to_owned(),
        })
    }

    /// Waits until it answers a command; while it loads what it had written, it refuses.
    async fn wait(&self) -> anyhow::Result<()> {
        let began = Instant::now();
        while began.elapsed() < LOADING {
            if self
                .answers()
                .await
                .is_ok_and(|answer| answer == *b"+PONG\r\n")
            {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
        Err(Failure::new("Redis does not answer").into())
    }

    async fn answers(&self) -> std::io::Result<[u8; 7]> {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut stream = TcpStream::connect(self.addr).await?;
        let mut answer = [0; 7];
        stream.write_all(b"PING\r\n").await?;
        stream.read_exact(&mut answer).await?;
        Ok(answer)
    }

    fn url(&self) -> String {
        format!("redis://{}", self.addr)
    }

    fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    fn restart(&mut self) -> anyhow::Result<()> {
        *self = Self::spawn(self.addr, &self.folder)?;
        Ok(())
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}
