#!/usr/bin/env bash
# Swaps snapshots under load: three processes and a Redis of their own on loopback, decisions at 40 %
# of the highest rate, 20 swaps and the way back. Writes target/drill/swap.json.
# usage: scripts/swap-drill.sh [--quick]
#   --quick   small snapshots, few swaps and short windows: within two minutes once built
# PROFILE=dev takes the development build: sooner ready, no figures to quote.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/say.sh

quick=no
for argument in "$@"; do
    case $argument in
        --quick) quick=yes ;;
        *) die "argument is $argument" "allowed is --quick" ;;
    esac
done

. scripts/processes.sh
echo "drill 1 of 5: building" >&2
build_servers
build_programs --package trainer --example generation
generation=$(dirname "$cartwright")/examples/generation

out=target/drill
mkdir -p "$out"
rm -f "$out/swap.json"
work=$(mktemp -d)
trap 'stop_all; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

if [ "$quick" = yes ]; then
    sizes=("3000 16" "2000 16" "4000 16")
    swaps=4 window=2s after=500ms settle=5s rate=60
else
    # The large one is every fifth: swapped in four times, and left as often.
    sizes=("1000000 64" "20000 64" "30000 64" "25000 64" "35000 64")
    swaps=20 window=10s after=1s settle=75s rate=
fi
echo "drill 2 of 5: ${#sizes[@]} snapshots" >&2
ids=() items_of=()
for number in "${!sizes[@]}"; do
    read -r items dimension <<<"${sizes[$number]}"
    id=$("$generation" "$work/$number" "$items" "$dimension" "$((number + 1))")
    say "$id: $items items of $dimension dimensions"
    "$cartwright" snapshot publish "$work/$number" --registry "$work/registry" >"$work/publish.log" 2>&1 ||
        die "publishing failed" "$(tail -n 5 "$work/publish.log")"
    ids+=("$id") items_of+=(--items-of "$id=$work/$number/items.jsonl")
done

echo "drill 3 of 5: Redis and three processes" >&2
start_redis
features=$(free_port) candidates=$(free_port) recovery=$(free_port)
admin=("$(free_port)" "$(free_port)" "$(free_port)")
follow=(--registry "$work/registry" --cache "$work/cache" --redis "$redis")
start features "$cartwright" serve features --addr "127.0.0.1:$features" --admin "127.0.0.1:${admin[0]}" "${follow[@]}"
start candidates "$cartwright" serve candidates --addr "127.0.0.1:$candidates" --admin "127.0.0.1:${admin[1]}" \
    --registry "$work/registry" --cache "$work/cache" --features "http://127.0.0.1:$features"
start recovery "$cartwright" serve recovery --addr "127.0.0.1:$recovery" --admin "127.0.0.1:${admin[2]}" "${follow[@]}" \
    --features "http://127.0.0.1:$features" --candidates "http://127.0.0.1:$candidates"
peers="127.0.0.1:$features,127.0.0.1:$candidates,127.0.0.1:$recovery"
for port in "$features" "$candidates" "$recovery"; do
    await "port $port" 30 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
done
activate() { # id
    "$cartwright" snapshot activate "$1" --registry "$work/registry" --peers "$peers" --why "a drill"
}
activate "${ids[1]}" >"$work/activate.log" 2>&1 || die "the first activation failed" "$(tail -n 20 "$work/activate.log")"
for port in "${admin[@]}"; do
    await "the role at $port" 60 curl -fsS "http://127.0.0.1:$port/ready"
done

urls=(--features "http://127.0.0.1:$features" --candidates "http://127.0.0.1:$candidates" --recovery "http://127.0.0.1:$recovery")
if [ -z "$rate" ]; then
    echo "drill 4 of 5: the highest rate" >&2
    "$loadtest" decide "${urls[@]}" --items 1000 --shoppers 2000 --find-max --find-max-step 3s \
        --json "$work/max.json" >"$work/max.log" 2>&1 || true
    rate=$(python3 -c 'import json, sys; print(max(50, int(0.4 * json.load(open(sys.argv[1]))[0]["find_max"]["rate"])))' "$work/max.json")
fi
echo "drill 5 of 5: $swaps swaps at $rate/s" >&2
list=$(IFS=,; echo "${ids[*]}")
code=0
"$loadtest" swap "${urls[@]}" --items 1000 --shoppers 2000 --rate "$rate" --swaps "$swaps" --window "$window" --after "$after" --settle "$settle" \
    --admin "http://127.0.0.1:${admin[0]},http://127.0.0.1:${admin[1]},http://127.0.0.1:${admin[2]}" \
    --snapshots "$list" "${items_of[@]}" \
    --swap-cmd "'$cartwright' snapshot activate \$SNAPSHOT --registry '$work/registry' --peers '$peers' --why 'a drill'" \
    --json "$out/swap.json" &
pids+=($!)
wait "${pids[-1]}" || code=$?
[ -s "$out/swap.json" ] || die "the load tester left no figures" "its words are above; $(grep -h ERROR "$work"/*.log | tail -n 5)"
echo "figures: $out/swap.json"
exit "$code"
