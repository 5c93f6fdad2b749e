# Servers that a script starts and ends again, all on loopback and on free ports. Sourced after
# say.sh; the script sets `work` (a folder for logs and data), and `cartwright` (the binary) unless it
# calls build_servers.

pids=()

# Ends what was started, by its id. A process that a fault left paused has to go on to be ended.
stop_all() {
    local pid
    for pid in "${pids[@]}"; do kill -TERM "$pid" 2>/dev/null && kill -CONT "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
}

# Builds the servers and the load tester; sets cartwright and loadtest to their programs.
build_servers() {
    local folder target
    case ${PROFILE:-release} in
        release) folder=release ;;
        dev) folder=debug ;;
        *) die "PROFILE is $PROFILE" "allowed are release and dev" ;;
    esac
    build_programs --package cartwright --package loadtest
    target=${CARGO_TARGET_DIR:-target}
    cartwright=$target/$folder/cartwright
    loadtest=$target/$folder/cartwright-loadtest
}

# Builds in the profile that PROFILE names.
build_programs() { # arguments of cargo build…
    if [ "${PROFILE:-release}" = dev ]; then scripts/build.sh "$@"; else cargo build --release --locked "$@"; fi
}

# Trains a snapshot of a real log where there is one, else of a made-up shop; sets items to what the
# load tester has to know of it. Both are public, so that everything is kept, be it of
# one person: with few pairs and vectors there would be little to measure.
train_snapshot() { # folder
    local log="${CARTWRIGHT_DATA:-}/rees46-oct2019-head/events.csv.zst"
    if [ -f "$log" ]; then
        say "of the real log $log"
        "$cartwright" train --events "$log" --format rees46 --min-people 1 --out "$1" >"$work/train.log" 2>&1
        items=(--item-ids "$1/items.jsonl")
    else
        say "of a made-up shop; CARTWRIGHT_DATA names a folder of real logs"
        "$loadtest" shop --items 5000 --shoppers 20000 --events "$work/shop.jsonl"
        "$cartwright" train --events "$work/shop.jsonl" --min-people 1 --out "$1" >"$work/train.log" 2>&1
        items=(--items 5000)
    fi
}

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

# Sets redis, the URL of a Redis with the shipped settings, and redis_pid.
start_redis() {
    local port
    port=$(free_port)
    start redis redis-server deploy/redis/redis.conf --port "$port" --dir "$work"
    redis_pid=${pids[-1]}
    await Redis 10 redis-cli -p "$port" ping
    redis="redis://127.0.0.1:$port"
}

# Starts one process for each role on the snapshot given, all with the same flags; sets features,
# candidates and recovery to their ports.
start_roles() { # snapshot, flags…
    local port snapshot=$1
    shift
    features=$(free_port) candidates=$(free_port) recovery=$(free_port)
    start features "$cartwright" serve features --addr "127.0.0.1:$features" --admin 127.0.0.1:0 --redis "$redis" "$@"
    start candidates "$cartwright" serve candidates --addr "127.0.0.1:$candidates" --admin 127.0.0.1:0 \
        --snapshot "$snapshot" --features "http://127.0.0.1:$features" "$@"
    start recovery "$cartwright" serve recovery --addr "127.0.0.1:$recovery" --admin 127.0.0.1:0 --redis "$redis" \
        --snapshot "$snapshot" --features "http://127.0.0.1:$features" --candidates "http://127.0.0.1:$candidates" "$@"
    for port in "$features" "$candidates" "$recovery"; do
        await "port $port" 30 "$cartwright" doctor --to "http://127.0.0.1:$port"
    done
}
