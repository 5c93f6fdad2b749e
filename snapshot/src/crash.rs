//! A test facility: ends the process at a named step, as `kill -9` would.

use std::sync::OnceLock;

/// The step at which this process dies. Set once, at start, by whoever owns the process; nothing
/// that arrives over a wire or from a file can set it.
static STEP: OnceLock<String> = OnceLock::new();

/// Arms the process to die at `step`, for tests of what a crash leaves behind. Steps are named by
/// the code that takes them: `publish.blob.2`, `publish.manifest`, `fetch.folder`. The first call
/// of a process counts.
pub fn arm(step: &str) {
    // A second call is a mistake of the test, which then sees its process live on.
    let _ = STEP.set(step.to_owned());
}

/// Dies here when the process is armed for this step: by SIGKILL, so that no destructor, no flush
/// and no handler runs.
pub fn reached(step: &str) {
    if STEP.get().is_some_and(|armed| armed == step) {
        die();
    }
}

/// As [`reached`], for the `at`-th (from 1) of steps that repeat: `publish.blob.2`.
pub fn reached_nth(step: &str, at: usize) {
    let armed = STEP.get().and_then(|armed| armed.strip_prefix(step));
    let armed = armed.and_then(|rest| rest.strip_prefix('.'));
    if armed.is_some_and(|number| number.parse() == Ok(at)) {
        die();
    }
}

fn die() {
    let me = rustix::process::getpid();
    let _ = rustix::process::kill_process(me, rustix::process::Signal::KILL);
    // The signal is on its way; nothing after this step may happen.
    std::process::abort();
}
