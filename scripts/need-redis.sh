#!/usr/bin/env bash
# The store's tests run on a real redis-server, one per test process. Installs it where it is missing.
set -euo pipefail

command -v redis-server >/dev/null && exit 0

by_hand="Install redis-server (6.2 or later, or Valkey under that name) and run this again."
if ! command -v apt-get >/dev/null; then
    echo "redis-server is missing, and there is no apt-get here. $by_hand" >&2
    exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "redis-server is missing; only root may install it. $by_hand" >&2
        exit 1
    fi
    as_root=(sudo)
fi
echo "redis-server is missing: installing it through apt" >&2
"${as_root[@]}" apt-get update -q
# The package would start a server of its own; the tests start theirs.
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -q -y --no-install-recommends redis-server
command -v redis-server >/dev/null || { echo "apt installed no redis-server. $by_hand" >&2; exit 1; }
