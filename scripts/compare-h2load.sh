#!/usr/bin/env bash
# The load tester beside h2load (Debian's nghttp2-client): the same server, the same call, the same
# steady rate, in turns.
# usage: scripts/compare-h2load.sh [RATE] [SECONDS]
#
# The call is a decision (PREVIEW) for one shopper, of a millisecond or more. A call of some ten
# microseconds would measure the clients: h2load's connections all send at the ticks of one millisecond
# clock, the tester's one after the other, and a gRPC client costs some ten microseconds more than
# bare frames.
#
# What can be compared: at a steady rate far below what the server holds, nobody waits in a queue of
# the generator's making. h2load counts from the actual send, so the tester's figures from the actual
# send (from_send_ms) stand beside it; those that objectives are judged by count from the intended
# start and are greater by the generator's lag, which is printed too. h2load prints no percentile; the
# median and the mean come from its --log-file. At a higher rate, or with a server that stalls, the two
# measure different things, and h2load leaves out the wait of whoever could not be sent.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/say.sh
rate=${1:-50} seconds=${2:-5} rounds=5 connections=1

command -v h2load >/dev/null || die "no h2load on PATH" "apt-get install -y nghttp2-client"
. scripts/processes.sh
build_servers
work=$(mktemp -d)
trap 'stop_all; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

train_snapshot "$work/snapshot"
start_redis
start_roles "$work/snapshot"
url=http://127.0.0.1:$recovery
# One gRPC message of ten bytes, not compressed: DecideRequest with field 2, the shopper_id of the tester's
# first shopper.
printf '\0\0\0\0\12\22\10load-1-0' >"$work/body"

for round in $(seq "$rounds"); do
    "$loadtest" decide --features "http://127.0.0.1:$features" --candidates "http://127.0.0.1:$candidates" \
        --recovery "$url" "${items[@]}" --shoppers 1 --seed 1 --no-timing --rate "$rate" \
        --duration "${seconds}s" --warmup 1s --connections "$connections" \
        --json "$work/tester-$round.json" >/dev/null 2>"$work/tester-$round.log" || true
    [ -s "$work/tester-$round.json" ] || die "the tester did not run" "$(cat "$work/tester-$round.log")"
    h2load --rps $((rate / connections)) --duration "$seconds" --warm-up-time 1 --clients "$connections" \
        --max-concurrent-streams 1 --threads 1 --data "$work/body" --header 'content-type: application/grpc' \
        --header 'te: trailers' --log-file "$work/h2load-$round.log" \
        "$url/cartwright.v1.RecoveryService/Decide" >"$work/h2load-$round.txt"
done

python3 - "$work" "$rounds" "$rate" <<'PYTHON'
import json, statistics, sys

work, rounds, rate = sys.argv[1], int(sys.argv[2]), sys.argv[3]
print(f"Decide at {rate}/s, {rounds} rounds in turns; milliseconds")
print(f"{'round':>5} {'tester p50':>11} {'h2load p50':>11} {'tester mean':>12} {'h2load mean':>12}")
ratios, lags = {"p50": [], "mean": []}, []
for n in range(1, rounds + 1):
    entry = json.load(open(f"{work}/tester-{n}.json"))[0]
    # Columns of the log: start in microseconds, status, time in microseconds.
    rows = [line.split("\t") for line in open(f"{work}/h2load-{n}.log")]
    times = [int(row[2]) / 1000 for row in rows if row[1] == "200"]
    ours = {name: entry["from_send_ms"][name] for name in ratios}
    theirs = {"p50": statistics.median(times), "mean": statistics.mean(times)}
    for name in ratios:
        ratios[name].append(ours[name] / theirs[name])
    lags.append(entry["mean_ms"] - ours["mean"])
    print(f"{n:>5} {ours['p50']:>11.3f} {theirs['p50']:>11.3f} {ours['mean']:>12.3f} {theirs['mean']:>12.3f}")
for name, values in ratios.items():
    # The median: what else the machine does hits single rounds.
    print(f"tester / h2load, {name}: {statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})")
print(f"mean lag of the tester, not in its figures above: {statistics.median(lags):.3f} ms")
PYTHON
