#!/usr/bin/env bash
# Runs the Dockerfile's steps without a container engine, read from the Dockerfile itself:
#   builder stage  COPY and RUN lines, in a fresh folder that holds what `docker build` would be sent
#   last stage     COPY --from=builder lines into a second folder; ENV lines for the run; its RUN lines (users,
#                  folders of the image) are shown and left out, as they would change this machine
# then starts the binary in that folder and runs the HEALTHCHECK's own command against it.
#
# DOCKER_STEPS_TARGET=DIR keeps the build's target folder between runs.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
gateway=
finish() {
    [ -z "$gateway" ] || kill "$gateway" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
mkdir "$work/context" "$work/root" "$work/app"
git ls-files -z --cached --others --exclude-standard | tar --create --null --files-from=- | tar --extract -C "$work/context"

say() { printf '\033[1m== %s\033[0m\n' "$*" >&2; }

stage=
declare -A workdir
declare -a env=()
health=
# Comment lines away, continued lines joined: one instruction a line.
while read -r word rest; do
    case "$word" in
    FROM)
        stage=$([[ "$rest" == *" AS builder" ]] && echo builder || echo last)
        say "stage: FROM $rest"
        ;;
    WORKDIR) workdir[$stage]=$rest ;;
    ENV) env+=("$rest") ;;
    COPY)
        say "COPY $rest"
        if [ "$stage" = builder ]; then
            [ "$rest" = ". ." ] || { echo "only 'COPY . .' is understood here: $rest" >&2; exit 1; }
            mkdir -p "$work/builder${workdir[builder]}"
            cp -a "$work/context/." "$work/builder${workdir[builder]}/"
            [ -z "${DOCKER_STEPS_TARGET:-}" ] || mkdir -p "$DOCKER_STEPS_TARGET"
            [ -z "${DOCKER_STEPS_TARGET:-}" ] || ln -sfn "$(realpath -m "$DOCKER_STEPS_TARGET")" "$work/builder${workdir[builder]}/target"
        else
            read -r from source target <<<"$rest"
            [ "$from" = --from=builder ] || { echo "only --from=builder is understood here: $rest" >&2; exit 1; }
            mkdir -p "$work/root$(dirname "$target")"
            cp -a "$work/builder$source" "$work/root$target"
        fi
        ;;
    RUN)
        if [ "$stage" = builder ]; then
            say "RUN $rest"
            (cd "$work/builder${workdir[builder]}" && env -u CARGO_TARGET_DIR sh -euc "$rest" </dev/null)
        else
            say "not run here: RUN $rest"
        fi
        ;;
    HEALTHCHECK)
        health=${rest#*CMD }
        ;;
    esac
done < <(sed -e '/^[[:space:]]*#/d' Dockerfile | sed -e ':again' -e '/\\$/{N;s/\\\n[[:space:]]*//;b again' -e '}')

binary="$work/root/usr/local/bin/wecom-gateway"
say "the image's binary"
"$binary" --version
ls -l "$binary" >&2

"$binary" --help | grep -q '^ *serve' || { say "this version has no serve yet: no health check"; exit 0; }
port=$((20000 + RANDOM % 20000))
cd "$work/app"
mkdir config templates data
cat >config/gateway.toml <<'TOML'
[[corp]]
name = "acme"
corp_id = "ww0123456789abcdef"
api_base = "http://127.0.0.1:9"
[[corp.app]]
name = "main"
token = "abc"
encoding_aes_key = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
TOML
env+=("WECOM_GATEWAY__SERVER__LISTEN=127.0.0.1:$port")
say "serve, with ${env[*]}"
env "${env[@]}" "$binary" serve &
gateway=$!
for _ in $(seq 50); do
    if env "${env[@]}" sh -c "$health" 2>/dev/null; then
        say "healthy"
        exit 0
    fi
    kill -0 "$gateway" 2>/dev/null || { echo "the gateway ended" >&2; exit 1; }
    sleep 0.2
done
echo "not healthy after 10 s" >&2
exit 1
