#!/usr/bin/env bash
# Builds in the development profile and says what to expect of it.
# usage: scripts/build.sh CARGO_BUILD_ARGUMENTS…
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/say.sh

if ls "${CARGO_TARGET_DIR:-target}"/debug/build/faiss-sys-*/out/lib/libfaiss.a >/dev/null 2>&1; then
    step "3 of 3" "building"
else
    step "3 of 3" "building, FAISS included: the first time some 14 minutes on 2 cores, seconds after that"
fi
exec cargo build --locked "$@"
