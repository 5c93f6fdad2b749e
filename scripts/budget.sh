#!/usr/bin/env bash
# Where the CPU of a decision goes: three processes and a Redis of their own under a steady rate, and
# what each of them, and the load tester, took of the cores for one request.
# usage: scripts/budget.sh [RATE [SECONDS [SCENARIO…]]]   defaults: 800 20 decide decide-commit
# PROFILE=dev takes the development build: no figures to quote.
# CARTWRIGHT_DATA=FOLDER trains on the real log in it instead of a made-up shop.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/say.sh
. scripts/processes.sh

rate=${1:-800} seconds=${2:-20}
[ $# -gt 2 ] && scenarios=("${@:3}") || scenarios=(decide decide-commit)
build_servers
work=$(mktemp -d)
trap 'stop_all; rm -rf "$work"' EXIT
train_snapshot "$work/snapshot"
start_redis
start_roles "$work/snapshot"

ticks() { # pid: user and system time, in ticks of 10 ms
    sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }'
}
names=(redis features candidates recovery)
urls=(--features "http://127.0.0.1:$features" --candidates "http://127.0.0.1:$candidates"
    --recovery "http://127.0.0.1:$recovery")
for scenario in "${scenarios[@]}"; do
    "$loadtest" "$scenario" "${urls[@]}" "${items[@]}" --rate "$rate" --duration 3s >"$work/warm.log" 2>&1 || true
    before=()
    for at in 0 1 2 3; do before+=("$(ticks "${pids[$at]}")"); done
    "$loadtest" "$scenario" "${urls[@]}" "${items[@]}" --rate "$rate" --duration "${seconds}s" --warmup 0s \
        --json "$work/$scenario.json" 2>"$work/$scenario.log" || true
    for at in 0 1 2 3; do
        echo "${names[$at]} $(($(ticks "${pids[$at]}") - before[at]))"
    done | awk -v requests="$((rate * seconds))" -v scenario="$scenario" '
        BEGIN { printf "CPU of one request of %s, µs (user and system)\n", scenario }
        { us = $2 * 10000 / requests; sum += us; printf "  %-12s %7.1f\n", $1, us }
        END { printf "  %-12s %7.1f\n", "servers", sum }'
    python3 - "$work/$scenario.json" <<'PYTHON'
import json, sys
for entry in json.load(open(sys.argv[1])):
    print(f"  generator    {entry.get('generator_cpu_us_per_request', float('nan')):7.1f}")
    latency = entry["latency_ms"]
    print(f"latency at {entry['rate']['got']:.0f}/s: p50 {latency['p50']:.2f} ms, p99 {latency['p99']:.2f} ms")
PYTHON
done
