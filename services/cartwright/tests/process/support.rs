//! Starting the binary and Redis, and ending them.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn cartwright() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cartwright"));
    command.current_dir(root());
    command
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub(crate) fn run(args: &[&str]) -> Output {
    cartwright().args(args).output().expect("the binary runs")
}

/// Runs a command that has to succeed, and gives its stdout.
pub(crate) fn succeed(args: &[&str]) -> String {
    let output = run(args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{args:?}: {}\n{stderr}",
        output.status
    );
    String::from_utf8(output.stdout).expect("stdout is text")
}

/// The folder of real data, where there is one.
#[expect(clippy::print_stdout, reason = "a test says why it checked nothing")]
pub(crate) fn data(name: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("CARTWRIGHT_DATA") else {
        println!("skipped: CARTWRIGHT_DATA does not name a folder of data sets");
        return None;
    };
    let path = PathBuf::from(folder).join(name);
    let path = std::fs::canonicalize(&path);
    Some(path.expect("CARTWRIGHT_DATA is relative to this crate, or absolute"))
}

/// A small snapshot, trained once for all tests.
pub(crate) fn snapshot() -> &'static Path {
    static SNAPSHOT: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = SNAPSHOT.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("snapshot");
        succeed(&[
            "train",
            "--events",
            "examples/article.csv",
            "--min-people",
            "1",
            "--out",
            text(&path),
        ]);
        (folder, path)
    });
    path
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a path of plain letters")
}

/// A running `serve`.
pub(crate) struct Server {
    child: Child,
    pub(crate) urls: HashMap<String, String>,
}

impl Server {
    /// Starts it and waits until it has said where it listens.
    pub(crate) fn start(args: &[&str], listeners: usize) -> Self {
        Self::start_with(args, &[], listeners)
    }

    pub(crate) fn start_with(
        args: &[&str],
        environment: &[(&str, &str)],
        listeners: usize,
    ) -> Self {
        let args = [args, &["--log", "warn"]].concat();
        Self::spawn(&args, environment, listeners, Stdio::inherit())
    }

    /// As the others, with a log of the caller's choice in a file.
    pub(crate) fn start_logging(
        args: &[&str],
        environment: &[(&str, &str)],
        listeners: usize,
        log: &Path,
    ) -> Self {
        let log = std::fs::File::create(log).expect("a file");
        Self::spawn(args, environment, listeners, log.into())
    }

    fn spawn(args: &[&str], environment: &[(&str, &str)], listeners: usize, log: Stdio) -> Self {
        let mut child = cartwright()
            .arg("serve")
            .args(args)
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the binary runs");
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let lines = stdout.lines().map_while(Result::ok);
        let urls: HashMap<String, String> = lines
            .filter_map(|line| {
                let (name, url) = line.strip_prefix("listening: ")?.split_once(' ')?;
                Some((name.to_owned(), url.to_owned()))
            })
            .take(listeners)
            .collect();
        let server = Self { child, urls };
        assert_eq!(
            server.urls.len(),
            listeners,
            "serve {args:?} ended before it listened"
        );
        server
    }

    pub(crate) fn url(&self, name: &str) -> String {
        self.urls[name].clone()
    }

    pub(crate) fn port(&self, name: &str) -> u16 {
        let url = self.url(name);
        url.rsplit(':')
            .next()
            .and_then(|port| port.parse().ok())
            .expect("a port")
    }

    pub(crate) fn terminate(&self) {
        signal(&self.child, Signal::TERM);
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it was there");
        self.child.wait().expect("it ends");
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> ExitStatus {
        let give_up = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("its status") {
                return status;
            }
            assert!(Instant::now() < give_up, "it does not end");
            pause(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub(crate) fn signal(child: &Child, signal: Signal) {
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .expect("a pid");
    kill_process(pid, signal).expect("it is there");
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test that waits for another process"
)]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Repeats until it gives something.
pub(crate) fn await_some<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < give_up, "waited too long for {what}");
        pause(Duration::from_millis(20));
    }
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// A Redis of its own that keeps every write.
pub(crate) struct Redis {
    child: Child,
    port: u16,
    pub(crate) url: String,
    folder: TempDir,
}

impl Redis {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        Self {
            child: Self::spawn(port, &folder),
            port,
            url: format!("redis://127.0.0.1:{port}"),
            folder,
        }
    }

    fn spawn(port: u16, folder: &TempDir) -> Child {
        let port = port.to_string();
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &port, "--save", ""])
            .args(["--appendonly", "yes", "--appendfsync", "always"])
            .args(["--dir", text(folder.path())])
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        let address = format!("127.0.0.1:{port}");
        await_some("Redis", || TcpStream::connect(&address).ok());
        child
    }

    /// It hangs: connections stay, and nothing is answered.
    pub(crate) fn pause(&self) {
        signal(&self.child, Signal::STOP);
    }

    pub(crate) fn resume(&self) {
        signal(&self.child, Signal::CONT);
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it was there");
        self.child.wait().expect("it ends");
    }

    /// Starts again where it was, on what it had written.
    pub(crate) fn restart(&mut self) {
        self.child = Self::spawn(self.port, &self.folder);
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
