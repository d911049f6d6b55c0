# What people do here. `make help` lists it.

.DEFAULT_GOAL := help
.PHONY: help run demo test lint bench docker-steps

help: ## This list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: ## Run the gateway with config/gateway.toml
	cargo run --release --locked -- serve

demo: ## Try it: no account, no Redis, no file needed
	cargo run --release --locked -- demo

test: ## All tests (installs redis-server through apt if it is missing)
	scripts/need-redis.sh
	cargo test --locked

lint: ## Format, clippy, docs, dependencies
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked
	scripts/deny.sh

bench: ## Speed and size, as ratios in one run (installs redis-server like `make test`)
	scripts/need-redis.sh
	cargo bench --locked

docker-steps: ## The Dockerfile's steps, without a container engine
	scripts/docker-steps.sh
