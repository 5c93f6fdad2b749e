#!/usr/bin/env bash
# What tracing costs: CPU per decision of the three server processes, with tracing off and with 1 % of
# the traces sent to a receiver, side by side over one Redis.
#
#   scripts/measure-tracing.sh [--windows N] [--seconds S] [--rate R] [--rounds N] [--sample SHARE] [--json FILE]
#
# Both sides make PREVIEW decisions at the same time, R a second each, so that whatever the machine does
# meanwhile happens to both. A window is S seconds; its CPU is what the scheduler says that the threads
# of a side's three processes ran, over the decisions that its recovery counted. Every round starts the
# servers anew, so that where a process happens to lie in memory is not taken for what tracing costs.
# Prints the mean difference and its 95 % interval (Student's t over the windows); exits 1 when the
# upper end is above 3 %.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/say.sh

profile=${PROFILE:-release}
bin=target/$profile
[ "$profile" = debug ] && bin=target/debug
work=$(mktemp -d)
redis_pid=
stop_all() {
    [ -z "$redis_pid" ] || kill "$redis_pid" 2>/dev/null || true
    rm -rf "$work"
}
trap stop_all EXIT

venv=target/e2e-venv
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --requirement services/cartwright/tests/e2e/requirements.txt

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
redis-server --port "$port" --dir "$work" --save "" --appendonly no >"$work/redis.log" 2>&1 &
redis_pid=$!
until redis-cli -p "$port" ping >/dev/null 2>&1; do sleep 0.1; done
"$bin/cartwright" train --events examples/article.csv --format interactions --min-people 1 --out "$work/snapshot" >"$work/train.log" 2>&1 ||
    die "the snapshot was not made" "$(tail -n 5 "$work/train.log")"
"$venv/bin/python" scripts/measure-tracing.py --bin "$bin" --redis "redis://127.0.0.1:$port" --work "$work" "$@"
