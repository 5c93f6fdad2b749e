//! Checks of this machine: processor, ports, clock, disk.

use std::path::{Path, PathBuf};

use kit::Clock;

use super::Finding;
use crate::{output, ports};

/// Below this the machine's clock was never set: 2025-01-01.
const PLAUSIBLE_FROM_MS: i64 = 1_735_689_600_000;
/// And above this it is far ahead: 2100-01-01.
const PLAUSIBLE_TO_MS: i64 = 4_102_444_800_000;
const LOW_DISK_BYTES: u64 = 1 << 30;
const PORTS: [(u16, &str); 4] = [
    (7100, "admin"),
    (7101, "features"),
    (7102, "candidates"),
    (7103, "recovery"),
];

pub(super) fn examine(data: &Path) -> Vec<Finding> {
    let mut findings = vec![processor(), index()];
    findings.extend(PORTS.iter().map(|(port, role)| port_of(*port, role)));
    findings.push(clock());
    findings.push(disk(data));
    findings
}

fn processor() -> Finding {
    if cfg!(target_arch = "x86_64") && has_avx2() {
        return Finding::ok("processor", "has AVX2");
    }
    Finding::fail(
        "processor",
        "has no AVX2: the vector index is compiled for x86-64-v3",
    )
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx2() -> bool {
    false
}

fn index() -> Finding {
    match retrieval::check_index() {
        Ok(options) => Finding::ok("vector index", options),
        Err(error) => Finding::fail("vector index", error.to_string()),
    }
}

fn port_of(port: u16, role: &str) -> Finding {
    let check = format!("port {port} ({role})");
    if ports::is_free(port) {
        return Finding::ok(check, "free");
    }
    Finding::warn(check, format!("taken by {}", ports::owner(port)))
}

fn clock() -> Finding {
    let now = Clock::real().now_ms();
    let shown = output::time(now);
    if (PLAUSIBLE_FROM_MS..PLAUSIBLE_TO_MS).contains(&now) {
        return Finding::ok("clock", shown);
    }
    Finding::fail(
        "clock",
        format!("shows {shown}; set it, or events are rejected by their time"),
    )
}

fn disk(data: &Path) -> Finding {
    let dir = nearest_existing(data);
    let shown = dir.display().to_string();
    match rustix::fs::statvfs(&dir) {
        Err(error) => Finding::warn("disk", format!("{shown}: {error}")),
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let detail = format!("{} MiB free in {shown}", free >> 20);
            if free < LOW_DISK_BYTES {
                Finding::warn(
                    "disk",
                    format!("{detail}; the embedded store needs more to grow"),
                )
            } else {
                Finding::ok("disk", detail)
            }
        }
    }
}

/// The folder itself, or the one it would be made in.
fn nearest_existing(path: &Path) -> PathBuf {
    let there = path.ancestors().find(|dir| dir.is_dir());
    there.unwrap_or_else(|| Path::new(".")).to_owned()
}
