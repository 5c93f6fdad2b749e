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

echo "e2e 1 of 6: Python client"
venv=target/e2e-venv
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --requirement examples/python/requirements.txt \
    --requirement services/cartwright/tests/e2e/requirements.txt

echo "e2e 2 of 6: Redis, a receiver of traces and three processes"
start_redis
otlp=$(free_port) otlp_http=$(free_port)
start receiver "$venv/bin/python" services/cartwright/tests/e2e/receiver.py "127.0.0.1:$otlp" "127.0.0.1:$otlp_http"
receiver=${pids[-1]}
"$cartwright" train --events examples/article.csv --format interactions --min-people 1 --out "$work/snapshot" >"$work/train.log" 2>&1
start_roles "$work/snapshot" --otlp "http://127.0.0.1:$otlp" --trace-sample 1

echo "e2e 3 of 6: the contract, as a client sees it"
"$venv/bin/python" services/cartwright/tests/e2e/contract.py --features "127.0.0.1:$features" \
    --candidates "127.0.0.1:$candidates" --recovery "127.0.0.1:$recovery"

echo "e2e 4 of 6: training rows are what was served"
"$venv/bin/python" services/cartwright/tests/e2e/training_rows.py "$cartwright" "127.0.0.1:$features" "$redis"

echo "e2e 5 of 6: the README's first call"
"$venv/bin/python" examples/python/first_call.py "127.0.0.1:$features" "127.0.0.1:$recovery"

echo "e2e 6 of 6: one decision is one trace, over gRPC and over HTTP, and a dead receiver changes nothing"
traces() { "$venv/bin/python" services/cartwright/tests/e2e/traces.py "$@"; }
traces "$work/receiver.log" "127.0.0.1:$features" "127.0.0.1:$recovery"
all_features=$(free_port) all_candidates=$(free_port) all_recovery=$(free_port)
CARTWRIGHT_ALL_FEATURES_ADDR="127.0.0.1:$all_features" CARTWRIGHT_ALL_CANDIDATES_ADDR="127.0.0.1:$all_candidates" \
    CARTWRIGHT_ALL_RECOVERY_ADDR="127.0.0.1:$all_recovery" \
    start all "$cartwright" serve all --admin 127.0.0.1:0 --redis "$redis" --snapshot "$work/snapshot" \
    --otlp "http://127.0.0.1:$otlp_http" --otlp-protocol http --trace-sample 1
await "serve all" 30 "$cartwright" doctor --to "http://127.0.0.1:$all_recovery"
traces "$work/receiver.log" "127.0.0.1:$all_features" "127.0.0.1:$all_recovery"
kill -KILL "$receiver"
wait "$receiver" 2>/dev/null || true
traces --dead "127.0.0.1:$features" "127.0.0.1:$recovery"
