//! Figures of the process: shown once, however many roles share it.

use std::sync::OnceLock;

use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::{Handle, RuntimeMetrics};

use super::count;
use super::declaration::{Declared, Group, Label, Unit};
use super::instrument::{Counter, Gauge, float};
use super::registry::{Info, Registry};
use crate::Clock;

static BUILD: Declared<Info> = Declared::info(
    "build",
    "What runs: version, git commit, Cargo profile, and the level of x86-64 that this processor has.",
)
.labels(&[
    Label::bounded("version", "one a process"),
    Label::bounded("commit", "one a process; `unknown` for a development build and without a repository"),
    Label::closed("profile", &["debug", "release"]),
    Label::closed("cpu", &["x86-64-v4", "x86-64-v3", "x86-64-v2", "other"]),
]);
static START: Declared<Gauge> = Declared::gauge(
    "start_time",
    "When the process started, in seconds since 1970.",
)
.unit(Unit::Seconds);
static CPU: Declared<Counter> =
    Declared::counter("cpu", "Processor time of all threads, user and system.").unit(Unit::Seconds);
static RESIDENT: Declared<Gauge> = Declared::gauge(
    "resident",
    "Memory that is resident, mapped files included.",
)
.unit(Unit::Bytes);
static FILES: Declared<Gauge> =
    Declared::gauge("open_files", "Open file descriptors, sockets included.");
static THREADS: Declared<Gauge> = Declared::gauge("threads", "Threads of the process.");

static ALLOCATOR: Declared<Info> = Declared::info("allocator", "Which allocator serves the heap.")
    .labels(&[Label::closed("allocator", &["system", "mimalloc"])]);
static HEAP: Declared<Gauge> = Declared::gauge(
    "anonymous",
    "Resident memory that no file backs: the heap with what the allocator keeps for later, and the stacks.",
)
.unit(Unit::Bytes);

static WORKERS: Declared<Gauge> = Declared::gauge("runtime_workers", "Threads that run tasks.");
static BUSY: Declared<Counter> = Declared::counter(
    "runtime_busy",
    "Time that the worker threads spent on tasks, added up; its rate over the number of workers is the share that is busy.",
)
.unit(Unit::Seconds);
static TASKS: Declared<Gauge> = Declared::gauge("runtime_tasks", "Tasks that are alive.");
static QUEUE: Declared<Gauge> = Declared::gauge(
    "runtime_queued_tasks",
    "Tasks that wait in the runtime's shared queue for a worker.",
);

/// What is known of the process.
pub static GROUPS: &[&Group] = &[
    &Group {
        title: "Build and process",
        about: "",
        metrics: &[
            &BUILD.declaration,
            &START.declaration,
            &CPU.declaration,
            &RESIDENT.declaration,
            &FILES.declaration,
            &THREADS.declaration,
        ],
    },
    &Group {
        title: "Allocator",
        about: "Neither allocator keeps figures that can be read without unsafe code, so the heap is \
                shown as the kernel sees it.",
        metrics: &[&ALLOCATOR.declaration, &HEAP.declaration],
    },
    &Group {
        title: "Runtime",
        about: "Of the Tokio runtime that answers requests.",
        metrics: &[
            &WORKERS.declaration,
            &BUSY.declaration,
            &TASKS.declaration,
            &QUEUE.declaration,
        ],
    },
];

/// Commit and allocator.
static BUILT: OnceLock<(&'static str, &'static str)> = OnceLock::new();

/// Says from which commit the binary was built, and which allocator it uses: `system` or
/// `mimalloc`. Only the first call counts.
pub fn built_from(commit: &'static str, allocator: &'static str) {
    BUILT.get_or_init(|| (commit, allocator));
}

/// The figures of this process and of the runtime that this is called in.
#[must_use]
pub fn registry() -> Registry {
    let mut registry = Registry::new(super::PROCESS);
    let (commit, allocator) = BUILT.get().copied().unwrap_or(("unknown", "system"));
    registry
        .info(&BUILD)
        .say(&[&[crate::VERSION, commit, profile(), cpu_level()]]);
    let started = started_at();
    registry.watch(&START, move || started);
    registry.watch_counter(&CPU, || Some(cpu_seconds()));
    registry.watch(&RESIDENT, || status_kib("VmRSS:").map(|kib| kib * 1_024.0));
    registry.watch(&FILES, open_files);
    registry.watch(&THREADS, || status_kib("Threads:"));
    registry.info(&ALLOCATOR).say(&[&[allocator]]);
    registry.watch(&HEAP, || status_kib("RssAnon:").map(|kib| kib * 1_024.0));
    if let Ok(runtime) = Handle::try_current() {
        watch_runtime(&mut registry, &runtime.metrics());
    }
    registry
}

fn watch_runtime(registry: &mut Registry, runtime: &RuntimeMetrics) {
    let workers = runtime.num_workers();
    registry.watch(&WORKERS, move || Some(count(workers)));
    let metrics = runtime.clone();
    registry.watch_counter(&BUSY, move || {
        let busy = |worker| metrics.worker_total_busy_duration(worker).as_secs_f64();
        Some((0..workers).map(busy).sum())
    });
    let metrics = runtime.clone();
    registry.watch(&TASKS, move || Some(count(metrics.num_alive_tasks())));
    let metrics = runtime.clone();
    registry.watch(&QUEUE, move || Some(count(metrics.global_queue_depth())));
}

fn profile() -> &'static str {
    if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    }
}

/// The highest level of which the processor has the features that tell it from the one below.
#[cfg(target_arch = "x86_64")]
fn cpu_level() -> &'static str {
    use std::arch::is_x86_feature_detected as has;
    let v2 = has!("sse4.2") && has!("popcnt") && has!("ssse3");
    let v3 = v2 && has!("avx2") && has!("bmi2") && has!("fma") && has!("f16c") && has!("lzcnt");
    let v4 = v3 && has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl");
    match (v2, v3, v4) {
        (_, _, true) => "x86-64-v4",
        (_, true, false) => "x86-64-v3",
        (true, false, false) => "x86-64-v2",
        (false, false, false) => "other",
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn cpu_level() -> &'static str {
    "other"
}

/// The machine's clock, less the process's age: both as of now.
fn started_at() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name may hold spaces; after its bracket the 20th field is the start, in ticks after boot.
    let ticks: f64 = stat
        .rsplit(')')
        .next()?
        .split_whitespace()
        .nth(19)?
        .parse()
        .ok()?;
    let started = ticks / float(rustix::param::clock_ticks_per_second());
    let age = elapsed(ClockId::Boottime) - started;
    Some(super::age::seconds(Clock::real().now_ms()) - age)
}

fn cpu_seconds() -> f64 {
    elapsed(ClockId::ProcessCPUTime)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "seconds since boot, and nanoseconds of one second"
)]
fn elapsed(clock: ClockId) -> f64 {
    let time = clock_gettime(clock);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// A number of `/proc/self/status`; memory is in KiB.
fn status_kib(key: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

fn open_files() -> Option<f64> {
    Some(count(std::fs::read_dir("/proc/self/fd").ok()?.count()))
}

#[cfg(test)]
mod tests {
    use super::super::instrument::Reading;
    use super::*;

    fn read(registry: &Registry, noun: &str) -> f64 {
        let gathered = registry.gather();
        let metric = gathered
            .iter()
            .find(|one| one.declaration.noun == noun)
            .unwrap();
        match metric.samples[0].reading {
            Reading::Number(number) => number,
            Reading::Buckets(_) => panic!("{noun} is a histogram"),
        }
    }

    #[tokio::test]
    async fn figures_are_those_of_this_process() {
        let registry = registry();
        let now = super::super::age::seconds(Clock::real().now_ms());
        let age = now - read(&registry, "start_time");
        assert!((-1.0..3_600.0).contains(&age), "started {age} s ago");
        assert!(read(&registry, "resident") > 1e6);
        assert!(read(&registry, "anonymous") > 1e5);
        assert!(read(&registry, "open_files") >= 3.0);
        assert!(read(&registry, "threads") >= 1.0);
        assert!((read(&registry, "runtime_workers") - 1.0).abs() < f64::EPSILON);
        let before = read(&registry, "cpu");
        let mut sum = 0_u64;
        for i in 0..5_000_000_u64 {
            sum = std::hint::black_box(sum ^ i);
        }
        assert!(read(&registry, "cpu") > before, "{sum}");
    }

    #[tokio::test]
    async fn every_figure_is_declared() {
        let declared: Vec<_> = GROUPS.iter().flat_map(|group| group.metrics).collect();
        let gathered = registry().gather();
        assert_eq!(gathered.len(), declared.len());
        for metric in gathered {
            assert!(declared.contains(&&metric.declaration), "{}", metric.name);
            assert!(!metric.samples.is_empty(), "{}", metric.name);
        }
    }
}
