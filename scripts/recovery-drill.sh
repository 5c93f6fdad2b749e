#!/usr/bin/env bash
# The recovery loop under kills, in accelerated time, counted at independent receivers. Writes
# target/drill/recovery.json and fails when a promise was broken.
# usage: scripts/recovery-drill.sh [--quick] [FLAGS OF cartwright drill]
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
case " $* " in
    *" --quick "*)
        scripts/build.sh --package cartwright
        program=$target/debug/cartwright
        ;;
    *)
        cargo build --release --locked --package cartwright
        program=$target/release/cartwright
        ;;
esac
exec "$program" drill --out "$target/drill/recovery.json" "$@"
