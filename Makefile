# The targets are the steps of CI; `.ci/run` calls them. Each does its own set-up.
#
#   make demo            real events in, decisions out; ARGS are passed on: make demo ARGS=--once
#   make test            unit, property, conformance, process and data tests
#   make lint            formatting, clippy with warnings denied, documentation
#   make e2e             three processes and Redis, called by a Python client of the official protoc; the
#                        registry on a server that speaks S3
#   make bench           criterion benchmarks, release profile
#   make load            three processes and Redis under load, report in target/load; ARGS=--quick
#   make recovery-drill  simulated shoppers, real processes killed at random, counted at a receiver; ARGS=--quick
#   make swap-drill      snapshots swapped under load: nothing fails, nothing mixes; ARGS=--quick
#   make budget          what each process takes of the CPU for one decision; ARGS="RATE SECONDS"
#   make ceiling         GetFeatures beside an echo of the same answer and raw reads, in one run
#   make compare-h2load  the load tester beside h2load on the same call, in one run
#   make measure-tracing  what tracing costs in CPU per decision, with and without at the same time
#   make compare-ann     our index against faiss-cpu at the same recall, in one run; ARGS="--json FILE"
#   make compare-forest  our tree evaluator beside LightGBM, XGBoost and ONNX Runtime, one thread, in one run
#   make compare-als     next baskets against implicit's ALS; needs CARTWRIGHT_DATA

.DEFAULT_GOAL := help
.PHONY: help setup-demo setup-test demo test lint e2e bench measure-tracing load recovery-drill swap-drill budget ceiling compare-h2load compare-ann compare-forest compare-als

ARGS ?=
help:
	@sed -n 's/^#   //p' Makefile

setup-demo:
	@scripts/setup.sh demo

setup-test:
	@scripts/setup.sh test

demo: setup-demo
	@scripts/build.sh --package cartwright
	@target/debug/cartwright demo $(ARGS)

test: setup-test
	@scripts/build.sh --workspace --all-targets
	cargo test --workspace --locked

lint: setup-test
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" cargo doc --workspace --no-deps --locked

e2e: setup-test
	@scripts/build.sh --package cartwright
	@scripts/e2e.sh
	@scripts/registry.sh

bench: setup-test
	cargo bench --workspace --locked $(ARGS)

load: setup-test
	@scripts/load.sh $(ARGS)

recovery-drill: setup-test
	@scripts/recovery-drill.sh $(ARGS)

swap-drill: setup-test
	@scripts/swap-drill.sh $(ARGS)

budget: setup-test
	@scripts/budget.sh $(ARGS)

ceiling: setup-test
	cargo bench --locked --package cartwright --package features --bench ceiling -- $(ARGS)

compare-h2load: setup-test
	@scripts/compare-h2load.sh $(ARGS)

measure-tracing: setup-test
	cargo build --release --locked --package cartwright --package loadtest
	@scripts/measure-tracing.sh $(ARGS)

compare-ann: setup-test
	cargo build --release --locked --package ann-index --example compare
	@[ -x target/compare-venv/bin/python ] || python3 -m venv target/compare-venv
	@target/compare-venv/bin/pip install --quiet --requirement ann-index/compare/requirements.txt
	@OMP_NUM_THREADS=1 target/compare-venv/bin/python ann-index/compare/against_faiss.py \
		--program target/release/examples/compare --work target/compare-ann $(ARGS)

compare-forest: setup-test
	cargo build --release --locked --package ranking --example compare
	@[ -x target/forest-venv/bin/python ] || python3 -m venv target/forest-venv
	@target/forest-venv/bin/pip install --quiet --requirement ranking/compare/requirements.txt
	@OMP_NUM_THREADS=1 target/forest-venv/bin/python ranking/compare/forest.py \
		--program target/release/examples/compare --work target/compare-forest $(ARGS)

compare-als: setup-test
	@scripts/build.sh --package cartwright
	@scripts/compare-als.sh
