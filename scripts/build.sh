#!/usr/bin/env bash
# Builds in the development profile and says what to expect of it.
# usage: scripts/build.sh CARGO_BUILD_ARGUMENTS…
# BUILD_ALL=1 builds all of the workspace instead: other packages resolve other features, with which
# much is compiled anew, so whoever makes several recipes builds once, as CI does.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/say.sh

if ls "${CARGO_TARGET_DIR:-target}"/debug/build/faiss-sys-*/out/lib/libfaiss.a >/dev/null 2>&1; then
    step "3 of 3" "building"
else
    step "3 of 3" "building, FAISS included: the first time some 14 minutes on 2 cores, seconds after that"
fi
[ -z "${BUILD_ALL:-}" ] || set -- --workspace --all-targets
exec cargo build --locked "$@"
