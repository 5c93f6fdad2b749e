#!/usr/bin/env bash
# End to end: three processes and a Redis of their own, called by a Python client whose stubs the
# official protoc made. Everything on loopback, on free ports, and gone at the end.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/say.sh

cartwright=target/debug/cartwright
work=$(mktemp -d)
. scripts/processes.sh
trap 'stop_all; rm -rf "$work"' EXIT

echo "e2e 1 of 5: Python client"
venv=target/e2e-venv
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --requirement examples/python/requirements.txt \
    --requirement services/cartwright/tests/e2e/requirements.txt

echo "e2e 2 of 5: Redis and three processes"
start_redis
"$cartwright" train --events examples/article.csv --format interactions --out "$work/snapshot" >"$work/train.log" 2>&1
start_roles "$work/snapshot"

echo "e2e 3 of 5: the contract, as a client sees it"
"$venv/bin/python" services/cartwright/tests/e2e/contract.py --features "127.0.0.1:$features" \
    --candidates "127.0.0.1:$candidates" --recovery "127.0.0.1:$recovery"

echo "e2e 4 of 5: training rows are what was served"
"$venv/bin/python" services/cartwright/tests/e2e/training_rows.py "$cartwright" "127.0.0.1:$features" "$redis"

echo "e2e 5 of 5: the README's first call"
"$venv/bin/python" examples/python/first_call.py "127.0.0.1:$features" "127.0.0.1:$recovery"
