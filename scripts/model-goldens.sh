#!/usr/bin/env bash
# Makes the golden models of ranking/tests/golden/models with the libraries themselves, at pinned
# versions. Old goldens are kept: pass the names of new ones, or nothing to make those that are
# missing.
set -euo pipefail
cd "$(dirname "$0")/.."
out=ranking/tests/golden/models
for age in "" -old; do
    venv=target/model-goldens$age
    [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --requirement "scripts/model-goldens/requirements$age.txt"
    OMP_NUM_THREADS=1 "$venv/bin/python" "scripts/model-goldens/make$age.py" --out "$out" "$@"
done
