#!/usr/bin/env bash
# Licences, bans and sources of deny.toml; advisories where their database can be reached.
set -euo pipefail

if ! command -v cargo-deny >/dev/null; then
    # Building cargo-deny takes many minutes; the test reads the same deny.toml.
    echo "cargo-deny is not installed: tests/dependencies.rs checks licences, bans and sources, nobody checks advisories." >&2
    exec cargo test --locked --quiet --test dependencies
fi
cargo deny check licenses bans sources
# A found advisory must fail, an unreachable database must not.
if cargo deny fetch db; then
    cargo deny check advisories
else
    echo "The advisory database cannot be reached from here: advisories were not checked." >&2
fi
