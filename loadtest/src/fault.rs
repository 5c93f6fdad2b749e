//! A command that makes something fail while the load goes on, and what the load makes of it.

mod recovery;

use std::process::Command;
use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub(crate) use recovery::Verdict;

/// What is to fail, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) command: String,
    /// From the start of the run, its warm-up included.
    pub(crate) after: Duration,
    /// From then on until it is undone.
    pub(crate) lasts: Duration,
    pub(crate) undo: Option<String>,
}

/// What a command did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    /// From the start of the run.
    pub(crate) began: Duration,
    pub(crate) ended: Duration,
    /// Why a command did not do what it was to do.
    pub(crate) failed: Option<String>,
}

/// A fault on its way. Dropped early, it is undone at once: nobody is to be left paused.
#[derive(Debug)]
pub(crate) struct Running {
    stop: Sender<()>,
    thread: Option<JoinHandle<Done>>,
}

impl Fault {
    /// Starts the clock.
    pub(crate) fn start(&self) -> Running {
        let (stop, stopped) = mpsc::channel();
        let fault = self.clone();
        let thread = std::thread::spawn(move || {
            let started = Instant::now();
            // A sender that is gone ends the wait as well.
            let wait = |until: Duration| {
                let left = until.saturating_sub(started.elapsed());
                stopped.recv_timeout(left) == Err(mpsc::RecvTimeoutError::Timeout)
            };
            if !wait(fault.after) {
                let failed = Some("the run ended before the fault".to_owned());
                let at = started.elapsed();
                return Done {
                    began: at,
                    ended: at,
                    failed,
                };
            }
            let began = started.elapsed();
            let made = sh(&fault.command);
            let undone = fault.undo.as_deref().map_or(Ok(()), |undo| {
                wait(fault.after + fault.lasts);
                sh(undo)
            });
            Done {
                began,
                ended: started.elapsed(),
                failed: made.and(undone).err(),
            }
        });
        Running {
            stop,
            thread: Some(thread),
        }
    }
}

impl Running {
    /// Waits for the fault to be over, which it is when the run is.
    pub(crate) fn finish(mut self) -> Option<Done> {
        self.end()
    }

    fn end(&mut self) -> Option<Done> {
        let _ = self.stop.send(());
        self.thread.take().and_then(|thread| thread.join().ok())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// Runs a command line of the shell; its output is only for when it fails.
pub(crate) fn sh(line: &str) -> Result<(), String> {
    let output = Command::new("sh").args(["-c", line]).output();
    let output = output.map_err(|error| format!("{line:?} could not be started: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let first = said.lines().next().unwrap_or_default();
    Err(format!("{line:?} failed with {}: {first}", output.status))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(path: &std::path::Path) -> String {
        format!("touch {}", path.display())
    }

    #[test]
    fn a_fault_is_made_at_its_time_and_undone_at_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let (made, undone) = (dir.path().join("made"), dir.path().join("undone"));
        let ms = Duration::from_millis;
        let fault = Fault {
            command: touch(&made),
            after: ms(50),
            lasts: ms(100),
            undo: Some(touch(&undone)),
        };
        let running = fault.start();
        std::thread::park_timeout(ms(250));
        let done = running.finish().unwrap();
        assert_eq!(done.failed, None);
        assert!(done.began >= ms(50) && done.ended >= ms(150), "{done:?}");
        assert!(made.exists() && undone.exists());
    }

    #[test]
    fn a_run_that_ends_early_undoes_its_fault() {
        let dir = tempfile::tempdir().unwrap();
        let undone = dir.path().join("undone");
        let fault = Fault {
            command: "true".into(),
            after: Duration::ZERO,
            lasts: Duration::from_secs(3_600),
            undo: Some(touch(&undone)),
        };
        let running = fault.start();
        std::thread::park_timeout(Duration::from_millis(200));
        drop(running);
        assert!(undone.exists());
    }

    #[test]
    fn a_command_that_fails_says_what_it_said() {
        let error = sh("echo no such thing >&2; exit 3").unwrap_err();
        assert!(error.contains("exit status: 3: no such thing"), "{error}");
    }
}
