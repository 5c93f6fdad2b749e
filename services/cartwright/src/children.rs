//! Roles as processes of their own, started by a command and gone with it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};

use crate::failure::Failure;
use crate::roles::LISTENS;

/// A child. Dropping it ends it; if this process is killed, it ends by itself, because it ends when
/// its standard input closes.
#[derive(Debug)]
pub(crate) struct Role {
    name: &'static str,
    pub(crate) url: String,
    child: Child,
}

impl Role {
    /// Starts a role and waits until it says where it listens.
    pub(crate) fn start(name: &'static str, arguments: &[&[String]]) -> anyhow::Result<Self> {
        let mut child = spawn(&["serve", name], arguments, Stdio::piped())?;
        let said = child.stdout.take().map(BufReader::new);
        let url = said
            .into_iter()
            .flat_map(BufReader::lines)
            .map_while(Result::ok)
            .find_map(|line| {
                let rest = line.strip_prefix(LISTENS)?;
                rest.split_whitespace().last().map(ToOwned::to_owned)
            });
        match url {
            Some(url) => Ok(Self { name, url, child }),
            None => {
                drop(child.wait());
                Err(Failure::new(format!("{name} did not start"))
                    .hint("its error is above")
                    .into())
            }
        }
    }

    /// Starts a command of this program that listens to nobody.
    pub(crate) fn start_command(
        name: &'static str,
        command: &[&str],
        arguments: &[&[String]],
    ) -> anyhow::Result<Self> {
        Ok(Self {
            name,
            url: String::new(),
            child: spawn(command, arguments, Stdio::null())?,
        })
    }

    /// Ends it the way an operator would.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        self.terminate();
        let waited = self.child.wait();
        let status = waited.with_context(|| format!("wait for {}", self.name))?;
        if status.success() {
            return Ok(());
        }
        Err(Failure::new(format!("{} ended with {status}", self.name)).into())
    }

    /// Ends it in the middle of whatever it does (SIGKILL).
    pub(crate) fn kill(mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn terminate(&self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        // One that is gone already needs no signal.
        let _ = pid.map(|pid| kill_process(pid, Signal::TERM));
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.terminate();
            drop(self.child.wait());
        }
    }
}

/// Acts when standard input closes, so when the process that started this one is gone. On a thread of
/// its own: a runtime waits for its blocking tasks, and this read may never end.
pub(crate) fn when_stdin_closes(act: impl FnOnce() + Send + 'static) {
    std::thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        let mut buffer = [0; 64];
        while matches!(stdin.read(&mut buffer), Ok(read) if read > 0) {}
        act();
    });
}

fn spawn(command: &[&str], arguments: &[&[String]], stdout: Stdio) -> anyhow::Result<Child> {
    let program = std::env::current_exe().context("find this program")?;
    Command::new(program)
        .args(command)
        .arg("--until-stdin-closes")
        .args(arguments.iter().copied().flatten())
        .stdin(Stdio::piped())
        .stdout(stdout)
        .spawn()
        .with_context(|| format!("start {}", command.join(" ")))
}
