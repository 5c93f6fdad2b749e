//! Settings of the demo's own servers: simulated clock, usual ports where they are free.

use std::net::{Ipv4Addr, SocketAddr};

use feature_store::Millis;
use kit::ClockSettings;
use kit::clock::Simulated;
use kit::config::Secret;

use super::{Args, Folder, fresh_prefix};
use crate::roles::All;
use crate::{output, ports};

pub(super) fn settings(args: &Args, now: Millis, folder: &Folder) -> All {
    let mut all = All {
        snapshot: Some(folder.snapshot()),
        redis: args.redis.as_deref().map(Secret::new),
        key_prefix: fresh_prefix(),
        data: folder.store(),
        clock: clock(now),
        ..All::default()
    };
    all.features.idle = args.idle;
    // A run that ends by itself needs no port that anyone knows.
    let choose = |addr| if args.once { any_port() } else { free(addr) };
    all.features.addr = choose(all.features.addr);
    all.candidates.addr = choose(all.candidates.addr);
    all.recovery.addr = choose(all.recovery.addr);
    all.admin = all.admin.map(choose);
    all
}

/// Starts at `now` and runs as fast as the machine's.
fn clock(now: Millis) -> ClockSettings {
    ClockSettings::Simulated(Simulated {
        epoch_ms: now.0,
        start_ms: None,
        speed: 1.0,
    })
}

/// The address itself where its port is free, else another port.
fn free(addr: SocketAddr) -> SocketAddr {
    if ports::is_free(addr.port()) {
        return addr;
    }
    let owner = ports::owner(addr.port());
    output::note(format!(
        "  port {} is taken by {owner}; taking a free one",
        addr.port()
    ));
    any_port()
}

fn any_port() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}
