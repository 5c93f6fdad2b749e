# The targets are the steps of CI; `.ci/run` calls them. Each does its own set-up.
#
#   make demo            real events in, decisions out; ARGS are passed on: make demo ARGS=--once
#   make test            unit, property, conformance, process and data tests
#   make lint            formatting, clippy with warnings denied, documentation
#   make e2e             three processes and Redis, called by a Python client of the official protoc
#   make bench           criterion benchmarks, release profile

.DEFAULT_GOAL := help
.PHONY: help setup-demo setup-test demo test lint e2e bench

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

bench: setup-test
	cargo bench --workspace --locked $(ARGS)
