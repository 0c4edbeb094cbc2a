# `make help` lists the targets.
.DEFAULT_GOAL := help
.PHONY: help run test api-test test-kafka chaos fuzz kafka openapi lint deny prerequisites

# They wait for servers more than they compute.
export RUST_TEST_THREADS ?= 6

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

run: prerequisites ## Everything on this machine: PostgreSQL, broker, consumer, API, demo
	cargo build --release --bins
	exec cargo run --release --quiet --bin pt -- dev

test: prerequisites ## Unit, property and integration tests; TESTS='--test it' for a part of them
	cargo test $(TESTS)

api-test: prerequisites ## schemathesis against the running API, by its OpenAPI document; API_TEST_SEED=1
	scripts/api-test

test-kafka: prerequisites ## The same and the fault tests, against Apache Kafka itself
	scripts/kafka/run cargo test -- --include-ignored --skip chaos::every_message

chaos: prerequisites ## Everything fails at once for CHAOS_MINUTES (3): is each message found once?
	cargo test --test it chaos:: -- --include-ignored --nocapture

fuzz: prerequisites ## Message::decode on inputs that a fuzzer makes up, for FUZZ_SECONDS (60)
	scripts/fuzz

kafka: ## Apache Kafka alone, on localhost:29092
	exec scripts/kafka/run

openapi: prerequisites ## Writes api/openapi.json anew
	cargo run --quiet --bin pt-api -- --openapi > api/openapi.json.new
	mv api/openapi.json.new api/openapi.json

lint: prerequisites ## Format, clippy and rustdoc, warnings denied
	cargo fmt --check
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	cargo clippy --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --lib

deny: ## Licences, bans and sources of the dependencies
	cargo deny check bans licenses sources
	cargo deny --manifest-path fuzz/Cargo.toml check bans licenses sources

prerequisites:
	@scripts/prerequisites
