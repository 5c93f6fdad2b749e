#!/usr/bin/env bash
# The load suite: three processes and a Redis of their own under the load tester, all on loopback and
# gone at the end. Writes target/load/report.html and target/load/report.json.
# usage: scripts/load.sh [--quick] [--strict]
#   --quick   under 2 minutes once built, instead of under 15
#   --strict  exit code 1 when an objective does not hold or a run is not valid
# PROFILE=dev takes the development build: sooner ready, slower servers, no figures to quote.
# CARTWRIGHT_DATA=FOLDER trains on the real log in it instead of a made-up shop.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/say.sh

quick=no strict=no
for argument in "$@"; do
    case $argument in
        --quick) quick=yes ;;
        --strict) strict=yes ;;
        *) die "argument is $argument" "allowed are --quick and --strict" ;;
    esac
done

. scripts/processes.sh
echo "load 1 of 4: building" >&2
build_servers

out=target/load
mkdir -p "$out"
work=$(mktemp -d)
trap 'stop_all; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

echo "load 2 of 4: a snapshot" >&2
train_snapshot "$work/snapshot"

echo "load 3 of 4: Redis and three processes" >&2
start_redis
start_roles "$work/snapshot"

if [ "$quick" = yes ]; then
    times=(--duration 4s --warmup 1s --find-max=decide --find-max-step 1s --ceiling-window 250ms)
    times+=(--fault-after 1s --fault-for 1s)
else
    times=(--duration 15s --warmup 3s --find-max-step 3s --ceiling-window 500ms)
    times+=(--find-max=features,features-100,retrieve,rank,decide,decide-commit,events,mixed)
fi
echo "load 4 of 4: the suite" >&2
rm -f "$out/report.json" "$out/report.html"
# In the background, so that an interrupted script can end it.
"$loadtest" features@500 loadtest/scenarios/features-100.toml@40 retrieve@300 rank@200 decide@300 \
    decide-commit@200 events@100 mixed@500 freshness@50 fault@200 \
    --features "http://127.0.0.1:$features" --candidates "http://127.0.0.1:$candidates" \
    --recovery "http://127.0.0.1:$recovery" "${items[@]}" --shoppers 2000 "${times[@]}" \
    --ceiling --slo 'p99<25ms' 'errors<0.1%' 'degraded<1%' \
    --fault-cmd "kill -STOP $redis_pid" --fault-undo "kill -CONT $redis_pid" \
    --json "$out/report.json" --html "$out/report.html" &
pids+=($!)
code=0
wait "${pids[-1]}" || code=$?
[ -s "$out/report.json" ] || die "the load tester left no report" "its words are above"
echo "report: $out/report.html and $out/report.json"
[ "$code" = 0 ] || echo "not every objective holds, or not every run is valid: see the verdicts above"
[ "$strict" = no ] || exit "$code"
