#!/usr/bin/env bash
# End to end: three processes and a Redis of their own, called by a Python client whose stubs the
# official protoc made. Everything on loopback, on free ports, and gone at the end.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/say.sh

cartwright=target/debug/cartwright
work=$(mktemp -d)
pids=()
stop_all() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap stop_all EXIT

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

await() { # what, seconds, command…
    local what=$1 left=$(($2 * 10))
    shift 2
    until "$@" >/dev/null 2>&1; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || die "$what is not ready" "its log: $(tail -n 5 "$work"/*.log 2>/dev/null)"
        sleep 0.1
    done
}

start() { # name, command…
    local name=$1
    shift
    "$@" >"$work/$name.log" 2>&1 &
    pids+=($!)
}

echo "e2e 1 of 5: Python client"
venv=target/e2e-venv
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --requirement examples/python/requirements.txt \
    --requirement services/cartwright/tests/e2e/requirements.txt

echo "e2e 2 of 5: Redis and three processes"
redis_port=$(free_port)
start redis redis-server deploy/redis/redis.conf --port "$redis_port" --dir "$work"
await Redis 10 redis-cli -p "$redis_port" ping
"$cartwright" train --events examples/article.csv --format interactions --out "$work/snapshot" >"$work/train.log" 2>&1
features=$(free_port) candidates=$(free_port) recovery=$(free_port)
redis="redis://127.0.0.1:$redis_port"
start features "$cartwright" serve features --addr "127.0.0.1:$features" --admin 127.0.0.1:0 --redis "$redis"
start candidates "$cartwright" serve candidates --addr "127.0.0.1:$candidates" --admin 127.0.0.1:0 \
    --snapshot "$work/snapshot" --features "http://127.0.0.1:$features"
start recovery "$cartwright" serve recovery --addr "127.0.0.1:$recovery" --admin 127.0.0.1:0 --redis "$redis" \
    --snapshot "$work/snapshot" --features "http://127.0.0.1:$features" --candidates "http://127.0.0.1:$candidates"
for port in "$features" "$candidates" "$recovery"; do
    await "port $port" 30 "$cartwright" doctor --to "http://127.0.0.1:$port"
done

echo "e2e 3 of 5: the contract, as a client sees it"
"$venv/bin/python" services/cartwright/tests/e2e/contract.py --features "127.0.0.1:$features" \
    --candidates "127.0.0.1:$candidates" --recovery "127.0.0.1:$recovery"

echo "e2e 4 of 5: training rows are what was served"
"$venv/bin/python" services/cartwright/tests/e2e/training_rows.py "$cartwright" "127.0.0.1:$features" "$redis"

echo "e2e 5 of 5: the README's first call"
"$venv/bin/python" examples/python/first_call.py "127.0.0.1:$features" "127.0.0.1:$recovery"
