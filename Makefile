# `make help` lists the targets.
.DEFAULT_GOAL := help
.PHONY: help run test test-kafka kafka openapi lint deny prerequisites

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

run: prerequisites ## Everything on this machine: PostgreSQL, broker, consumer, API, demo
	cargo build --release --bins
	exec cargo run --release --quiet --bin pt -- dev

test: prerequisites ## Unit, property and integration tests
	cargo test

test-kafka: prerequisites ## The same and the fault tests, against Apache Kafka itself
	scripts/kafka/run cargo test -- --include-ignored

kafka: ## Apache Kafka alone, on localhost:29092
	exec scripts/kafka/run

openapi: prerequisites ## Writes api/openapi.json anew
	cargo run --quiet --bin pt-api -- --openapi > api/openapi.json.new
	mv api/openapi.json.new api/openapi.json

lint: prerequisites ## Format, clippy and rustdoc, warnings denied
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --lib

deny: ## Licences, bans and sources of the dependencies
	cargo deny check bans licenses sources

prerequisites:
	@scripts/prerequisites
