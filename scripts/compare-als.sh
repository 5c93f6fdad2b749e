#!/usr/bin/env bash
# Next baskets of online-retail: ours, popularity, and implicit's ALS tuned on the same slice.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/say.sh

log="${CARTWRIGHT_DATA:-}/online-retail/online_retail.csv.zst"
[ -e "$log" ] || die "no online-retail" "name the folder of the public data sets in CARTWRIGHT_DATA"
venv=target/compare-venv
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --requirement trainer/compare/requirements.txt
# Nothing is published: rare pairs and items stay in, as they do in implicit.
target/debug/cartwright evaluate retrieval --task next-basket --min-people 1 --events "$log" \
    --format online-retail --cut 2011-11-01 --split-out target/compare-als
"$venv/bin/python" trainer/compare/als.py target/compare-als --json target/compare-als/report.json
