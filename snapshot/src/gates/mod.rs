//! Gates that need no loaded generation, and which gates can be gone past.

mod quality;

use std::path::Path;

pub use quality::{MARGIN, quality};

use crate::{Error, Manifest, Snapshot, Verdict};

/// The folder is a snapshot that this build can read: manifest, versions, file names.
pub const MANIFEST: &str = "manifest";
/// Every file has the size and the sha256 that the manifest says.
pub const INTEGRITY: &str = "integrity";
/// The models were made for the features that the server computes.
pub const SCHEMA: &str = "schema";
/// What a loaded generation takes fits into what the machine has to give.
pub const MEMORY: &str = "memory";
/// Index, catalogue and models speak of the same items.
pub const ITEMS: &str = "items";
/// Vectors of a space have the dimension that the manifest says.
pub const DIMENSION: &str = "dimension";
/// Vectors are numbers, and of the lengths that searching them takes for granted.
pub const VECTORS: &str = "vectors";
/// Not too many items are without a vector.
pub const NORMS: &str = "norms";
/// A space's network for shoppers and the vectors of its items are of the same run.
pub const TOWER: &str = "tower";
/// Models and rules read features that the server knows, as many as they have inputs.
pub const FEATURES: &str = "features";
/// A generation can be made of it at all.
pub const LOAD: &str = "load";
/// Requests stored with the snapshot are answered as they were when it was made.
pub const GOLDEN: &str = "golden";
/// The index finds the true neighbours of held-out carts.
pub const RECALL: &str = "recall";
/// It is not slower than the live generation by more than a margin.
pub const LATENCY: &str = "latency";
/// It is not worse than the live generation by more than a margin.
pub const QUALITY: &str = "quality";
/// The generation was taken back before, because it broke its bars.
pub const BLOCKED: &str = "blocked";

/// Who measured what needs no server.
pub const FILES: &str = "files";

/// Whether going past a gate leaves something that can be served. What cannot be read, is not what
/// was published, or does not fit together leaves nothing.
#[must_use]
pub fn can_be_forced(gate: &str) -> bool {
    FORCEABLE.contains(&gate)
}

/// Gates that can be gone past.
pub const FORCEABLE: [&str; 9] = [
    SCHEMA, MEMORY, NORMS, TOWER, GOLDEN, RECALL, LATENCY, QUALITY, BLOCKED,
];

/// Every gate.
pub const ALL: [&str; 16] = [
    MANIFEST, INTEGRITY, SCHEMA, MEMORY, ITEMS, DIMENSION, VECTORS, NORMS, TOWER, FEATURES, LOAD,
    GOLDEN, RECALL, LATENCY, QUALITY, BLOCKED,
];

/// Opens a folder; what keeps it from being opened is a verdict.
///
/// # Errors
/// A boxed verdict that refuses.
pub fn open(dir: &Path) -> Result<Snapshot, Box<Verdict>> {
    Snapshot::open(dir).map_err(|error| {
        let differs = matches!(error, Error::Missing { .. } | Error::Size { .. });
        let gate = if differs { INTEGRITY } else { MANIFEST };
        Box::new(Verdict::new(
            gate,
            FILES,
            error.to_string(),
            bar_of(gate),
            false,
        ))
    })
}

/// Reads every file and compares its checksum.
#[must_use]
pub fn integrity(snapshot: &Snapshot) -> Verdict {
    let (measured, passed) = match snapshot.verify() {
        Ok(report) => (
            format!("{} files, {} bytes", report.files, report.bytes),
            true,
        ),
        Err(error) => (error.to_string(), false),
    };
    Verdict::new(INTEGRITY, FILES, measured, bar_of(INTEGRITY), passed)
}

fn bar_of(gate: &str) -> &'static str {
    if gate == INTEGRITY {
        "every file of the manifest, at its size and sha256"
    } else {
        "a manifest that this build can read"
    }
}

/// Compares the fingerprint of the models' features with the server's.
#[must_use]
pub fn schema(manifest: &Manifest, server: &str) -> Verdict {
    let passed = manifest.schema_fingerprint == server;
    let found = &manifest.schema_fingerprint;
    Verdict::new(
        SCHEMA,
        FILES,
        found,
        format!("this build's {server}"),
        passed,
    )
}

/// Compares what a loaded generation takes with the bytes that can be had beside all that is
/// loaded already. `None`: the machine does not say.
#[must_use]
pub fn memory(manifest: &Manifest, available_bytes: Option<u64>) -> Verdict {
    let needed = manifest.resident_bytes;
    let (bar, passed) = match available_bytes {
        Some(available) => (
            format!("{} MiB available", available >> 20),
            needed <= available,
        ),
        None => ("the machine does not say what it has".to_owned(), true),
    };
    let measured = format!("{} MiB needed", needed.div_ceil(1 << 20));
    Verdict::new(MEMORY, FILES, measured, bar, passed)
}

/// Bytes that this process can still take: the least of what the machine has available and what
/// each limit of its control groups leaves. `None` where the kernel says neither.
#[must_use]
pub fn available_bytes() -> Option<u64> {
    let proc = Path::new("/proc");
    let machine = read(&proc.join("meminfo")).and_then(|text| mem_available(&text));
    let group = read(&proc.join("self/cgroup"))
        .and_then(|text| left_by_groups(Path::new("/sys/fs/cgroup"), &text));
    machine.into_iter().chain(group).min()
}

fn read(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// `MemAvailable:   12345 kB`
fn mem_available(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|l| l.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    kib.checked_mul(1024)
}

/// What the tightest limit leaves, from the process's own control group (version 2, `0::/a/b`) up
/// to the root. Pages of files that the kernel can drop do not count as taken.
fn left_by_groups(root: &Path, own: &str) -> Option<u64> {
    let path = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let own = root.join(path);
    let groups = own.ancestors().take_while(|dir| dir.starts_with(root));
    groups.filter_map(left_by).min()
}

fn left_by(group: &Path) -> Option<u64> {
    let number = |file: &str| read(&group.join(file))?.trim().parse::<u64>().ok();
    let limit = number("memory.max")?;
    let taken = number("memory.current")?;
    let stat = read(&group.join("memory.stat")).unwrap_or_default();
    let line = stat.lines().find_map(|l| l.strip_prefix("inactive_file "));
    let droppable = line.and_then(|n| n.trim().parse().ok()).unwrap_or(0);
    Some(limit.saturating_sub(taken.saturating_sub(droppable)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_machine_has_to_give() {
        let text = "MemTotal:       16000000 kB\nMemAvailable:    2048 kB\n";
        assert_eq!(mem_available(text), Some(2 << 20));
        assert_eq!(mem_available("MemTotal: 1 kB\n"), None);
    }

    #[test]
    fn the_tightest_group_decides_and_droppable_pages_are_not_taken() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("pod/box");
        std::fs::create_dir_all(&inner).unwrap();
        let write = |dir: &Path, max: &str, current: &str, stat: &str| {
            std::fs::write(dir.join("memory.max"), max).unwrap();
            std::fs::write(dir.join("memory.current"), current).unwrap();
            std::fs::write(dir.join("memory.stat"), stat).unwrap();
        };
        write(&inner, "max\n", "10\n", "");
        write(
            &root.path().join("pod"),
            "1000\n",
            "700\n",
            "anon 5\ninactive_file 100\n",
        );
        assert_eq!(left_by_groups(root.path(), "0::/pod/box\n"), Some(400));
        write(&inner, "500\n", "450\n", "");
        assert_eq!(left_by_groups(root.path(), "0::/pod/box\n"), Some(50));
        assert_eq!(left_by_groups(root.path(), "4:memory:/pod\n"), None);
    }

    #[test]
    fn more_than_there_is_does_not_go_live() {
        let manifest = Manifest {
            resident_bytes: 3 << 20,
            ..Manifest::default()
        };
        assert!(memory(&manifest, Some(3 << 20)).passed);
        let refused = memory(&manifest, Some((3 << 20) - 1));
        assert!(refused.refuses());
        assert_eq!(refused.measured, "3 MiB needed");
        assert_eq!(refused.bar, "2 MiB available");
    }

    #[test]
    fn only_what_leaves_something_to_serve_can_be_forced() {
        let mut verdicts = [
            Verdict::new(INTEGRITY, FILES, "", "", false),
            Verdict::new(RECALL, "candidates", "", "", false),
            Verdict::new(GOLDEN, "candidates", "", "", false),
            Verdict::new(SCHEMA, FILES, "", "", true),
        ];
        let all = [INTEGRITY, RECALL, SCHEMA].map(str::to_owned);
        Verdict::force(&mut verdicts, &all);
        assert_eq!(
            verdicts.each_ref().map(|v| v.forced),
            [false, true, false, false]
        );
        assert_eq!(
            verdicts.each_ref().map(Verdict::refuses),
            [true, false, true, false]
        );
    }
}
