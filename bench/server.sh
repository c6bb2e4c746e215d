#!/usr/bin/env bash
# server.sh - measures `ingle serve`: a line or two of figures for each measure, with the goals beside them.
#   bench/server.sh [--build FOLDER] [MEASURE...]    (default: all, with what has been built in build/)
#   bench/server.sh --list
# Makes the Llama-3.2-1B shape (Q4_K_M, random weights) in FOLDER/bench/models if a measure needs it.
# ROUNDS=N gives every measure so many rounds, PROMPT=N those with a long prompt such a one. What a measure
# does is in bench/server/*.c.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=$root/build
measures=(first health memory streams16 streams64 event body gap leave turn llama)

about() {
    cat <<'END'
first      first byte and first token over the library's own, prompt of 100 tokens, bundled model
health     /health under wrk beside a bare libmicrohttpd program; with 5,000 idle connections
memory     of a connection: idle, after a request, streaming, queued; bundled model
streams16  16 clients stream 256 tokens, 1B shape, beside the library
streams64  64 clients stream 256 tokens, bundled model, beside the library
event      processor time of the HTTP thread for an event of a stream, bundled model
body       parse, render, tokenize 100 KB of tools and history, bundled model
gap        longest gap of a stream beside a prompt of 8,000 tokens (PROMPT=16000), 1B shape
leave      from a client's leaving to the end of its request, in decode, queue and prefill, 1B shape
turn       first token of an agent's second turn beside its first turn's, bundled model
llama      4 and 16 clients, 1B shape, beside llama.cpp (needs node and npm)
END
}

fail() { echo "server.sh: $*" >&2; exit 1; }

while [ $# -gt 0 ]; do
    case $1 in
    --build) build=$(cd "${2:?a folder}" && pwd); shift 2 ;;
    --list) about; exit ;;
    -*) fail "unknown option '$1': --build FOLDER, --list" ;;
    *) break ;;
    esac
done
[ $# -eq 0 ] || measures=("$@")
for measure in "${measures[@]}"; do
    about | grep -q "^$measure " || fail "unknown measure '$measure'; --list names them"
done
for program in ingle bench/server bench/server_bare bench/make-model; do
    [ -x "$build/$program" ] || fail "$build/$program is missing: build first (make)"
done
case " ${measures[*]} " in
*" health "*) command -v wrk >/dev/null || fail "wrk is missing: scripts/deps.sh bench" ;;
esac

tiny=$root/models/tiny-chat.gguf
large=$build/bench/models/llama-3.2-1b.q4_k_m.gguf

make_large() {
    [ -f "$large" ] && return
    mkdir -p "$(dirname "$large")"
    "$build/bench/make-model" --shape llama-3.2-1b --recipe q4_k_m --out "$large.new" >&2
    mv "$large.new" "$large"
}

measure() { # MEASURE MODEL OPTIONS...
    local name=$1 model=$2
    shift 2
    [ -z "${ROUNDS:-}" ] || set -- "$@" --rounds "$ROUNDS"
    [ "$model" != "$large" ] || make_large
    "$build/bench/server" "$name" -m "$model" "$@"
}

beside_llama() {
    make_large
    [ -d "$root/bench/compare/node_modules/node-llama-cpp" ] ||
        (cd "$root/bench/compare" &&
            npm install --no-save --omit=optional --ignore-scripts --no-audit --no-fund >&2)
    node "$root/bench/compare/requests.mjs" "$large" --rounds "${ROUNDS:-3}" --ingle "$build/ingle" \
        --server "$build/bench/server"
}

echo "server.sh: $(nproc) processors, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)," \
    "load $(cut -d' ' -f1 /proc/loadavg)"
for name in "${measures[@]}"; do
    case $name in
    streams16) measure streams "$large" --clients 16 --rounds 3 ;;
    streams64) measure streams "$tiny" --clients 64 ;;
    gap) measure gap "$large" --prompt "${PROMPT:-8000}" ;;
    leave) measure leave "$large" ${PROMPT:+--prompt "$PROMPT"} ;;
    llama) beside_llama ;;
    *) measure "$name" "$tiny" ;;
    esac
done
