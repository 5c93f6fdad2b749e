#!/usr/bin/env bash
# The registry on a server that speaks S3, on loopback: the tests that a folder has to pass, and the
# commands, two publishers at once among them.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/say.sh

cartwright=$PWD/target/debug/cartwright
work=$(mktemp -d)
. scripts/processes.sh
trap 'stop_all; rm -rf "$work"' EXIT

echo "registry 1 of 4: an S3 server"
venv=target/registry-venv
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --requirement snapshot/tests/requirements.txt
port=$(free_port)
start s3 "$venv/bin/moto_server" -H 127.0.0.1 -p "$port"
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1
export AWS_ENDPOINT="http://127.0.0.1:$port" AWS_ALLOW_HTTP=true
make_bucket() {
    "$venv/bin/python" -c "
import boto3
boto3.client('s3', endpoint_url='$AWS_ENDPOINT', region_name='$AWS_REGION').create_bucket(Bucket='models')"
}
await "the S3 server" 30 make_bucket

echo "registry 2 of 4: a bucket keeps the promises of a folder"
CARTWRIGHT_TEST_BUCKET=s3://models cargo test --quiet --locked --workspace --test registry

echo "registry 3 of 4: publish, activate, roll back"
export CARTWRIGHT_REGISTRY=s3://models/shop CARTWRIGHT_CACHE="$work/cache"
for seed in 1 2; do
    "$cartwright" train --events examples/article.csv --format interactions --min-people 1 --seed "$seed" --out "$work/model-$seed" >"$work/train.log" 2>&1
done
id_of() { "$cartwright" snapshot show "$1" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])'; }
first=$(id_of "$work/model-1") second=$(id_of "$work/model-2")
"$cartwright" snapshot publish "$work/model-1"
"$cartwright" snapshot publish "$work/model-1" --json | grep '"already": true' >/dev/null
"$cartwright" snapshot publish "$work/model-2"
"$cartwright" snapshot activate "$first" --why "the first"
"$cartwright" snapshot activate "${second:0:8}" --why "the second"
"$cartwright" snapshot rollback --why "the first was better" --block
"$cartwright" snapshot verify "$second"
if "$cartwright" snapshot activate "$second" --why "again" >"$work/blocked.log" 2>&1; then
    die "a blocked snapshot went live" "see $work/blocked.log"
fi

echo "registry 4 of 4: of two at once one wins, and the other learns who"
racers=()
for who in ann bob; do
    "$cartwright" snapshot activate "$first" --why "at once" --by "$who" >"$work/$who.log" 2>&1 &
    racers+=($!)
done
won=0
for racer in "${racers[@]}"; do wait "$racer" && won=$((won + 1)); done
"$cartwright" snapshot history
records=$("$cartwright" snapshot history --json | grep -c '"sequence"')
# The second may have looked after the first was done; then both have their record, in a row.
[ "$records" = $((3 + won)) ] || die "$won activations succeeded, the history has $records records" "3 were there"
[ "$won" = 2 ] || grep -h "somebody else was first: activation 4 is activate of $first" "$work"/*.log
"$cartwright" snapshot gc --activated 2 --recent 0 --grace 0s
"$cartwright" snapshot list
