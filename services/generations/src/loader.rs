//! The thread that loads, examines and frees generations, so that no thread that answers does.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id, thread_schedule_policy,
};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// For a system without a policy for idle threads.
const NICE: i32 = 19;
/// How often it looks whether something can be freed.
const TICK: Duration = Duration::from_millis(50);
/// How long after a job what it left free goes back to the system: a generation that comes sooner
/// takes the place of the one that was freed for it.
const REST: Duration = Duration::from_secs(60);

type Job = Box<dyn FnOnce(&Runtime) + Send>;

/// The job did not come to its end: it panicked, or the thread is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the loader's thread failed; the log has the panic")]
pub struct Broken;

/// One thread that does one job after another while a core is idle. It has an IO runtime of its
/// own, whose blocking threads share that policy: fetching a snapshot hashes all of it.
#[derive(Debug)]
pub struct Loader {
    jobs: mpsc::Sender<Job>,
}

impl Loader {
    /// Starts the thread. `tick` runs on it between jobs, at least every 50 ms; the thread ends
    /// when the loader is dropped.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(role: &str, tick: impl FnMut() + Send + 'static) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (jobs, queue) = mpsc::channel();
        std::thread::Builder::new()
            .name(format!("{role}-loader"))
            .spawn(move || work(&queue, &runtime, tick))?;
        Ok(Self { jobs })
    }

    /// Does the job on the thread, after those before it. A caller that goes away does not stop it.
    ///
    /// # Errors
    /// The job panicked.
    pub async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Runtime) -> T + Send + 'static,
    ) -> Result<T, Broken> {
        let (told, outcome) = oneshot::channel();
        let job: Job = Box::new(move |runtime| {
            // Nobody may be waiting any more.
            let _ = told.send(job(runtime));
        });
        self.jobs.send(job).map_err(|_| Broken)?;
        outcome.await.map_err(|_| Broken)
    }
}

impl Loader {
    /// Does the job on the thread when its turn comes; nobody waits for it.
    pub fn later(&self, job: impl FnOnce() + Send + 'static) {
        // The thread lives as long as this does.
        let _ = self.jobs.send(Box::new(|_| job()));
    }
}

fn work(queue: &mpsc::Receiver<Job>, runtime: &Runtime, mut tick: impl FnMut()) {
    work_when_idle();
    let mut worked = None;
    loop {
        match queue.recv_timeout(TICK) {
            Ok(job) => {
                // The panic hook has logged it; whoever waits is told by the dropped sender.
                let _ = catch_unwind(AssertUnwindSafe(|| job(runtime)));
                worked = Some(Instant::now());
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        tick();
        if worked.is_some_and(|at| at.elapsed() >= REST) {
            worked = None;
            kit::memory::give_back();
        }
    }
}

/// This thread, and those that it starts from now on, run when a core has nothing else to do, and
/// get a sliver of a busy one. A niceness alone would not do: a nice thread keeps a core to the end
/// of its slice, for milliseconds, while a call waits; an idle one makes room at once.
fn work_when_idle() {
    const IDLE: ThreadSchedulePolicy =
        ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    // Sets the policy, then a niceness that means nothing to it and may be refused: so what counts
    // is the policy found.
    let asked = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, IDLE);
    if !matches!(thread_schedule_policy(), Ok(IDLE)) {
        tracing::warn!(
            ?asked,
            "could not make a thread an idle one: it is a nice one"
        );
        lower_priority(NICE);
    }
}

/// Gives this thread, and those that it starts from now on, a niceness: on Linux it is a thread's
/// own.
pub fn lower_priority(nice: i32) {
    let thread = rustix::thread::gettid();
    if let Err(error) = rustix::process::setpriority_process(Some(thread), nice) {
        tracing::warn!(%error, nice, "could not lower the priority of a thread");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> ThreadSchedulePolicy {
        thread_schedule_policy().unwrap()
    }

    #[tokio::test]
    async fn jobs_and_the_threads_they_start_run_on_idle_cores_and_nobody_else_does() {
        let before = policy();
        let loader = Loader::start("test", || {}).unwrap();
        let (own, started) = loader
            .run(|runtime| {
                let blocking =
                    runtime.block_on(async { tokio::task::spawn_blocking(policy).await });
                (policy(), blocking.unwrap())
            })
            .await
            .unwrap();
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        assert_eq!((own, started), (idle, idle));
        assert_ne!(before, idle);
        assert_eq!(policy(), before);
    }

    #[tokio::test]
    async fn a_job_that_panics_does_not_take_the_thread_with_it() {
        let loader = Loader::start("test", || {}).unwrap();
        let broken = loader.run(|_| -> u8 { panic!("on purpose") }).await;
        assert_eq!(broken, Err(Broken));
        assert_eq!(loader.run(|_| 7).await, Ok(7));
    }
}
