#!/usr/bin/env bash
# HTTP without a model: what clients send wrong, slowly, or not at all, over TCP, Unix sockets and TLS.
source "$(dirname "$0")/lib.sh"
: "${INGLE_BUILD:?the build folder}"
python=$(python_with ssl) || { echo "skipped: no python3"; exit 0; }
if command -v openssl >/dev/null; then
    for name in one two; do
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
            -subj "/CN=$name" -addext subjectAltName=DNS:localhost \
            -keyout "$WORK/$name.key" -out "$WORK/$name.pem" 2>/dev/null
    done
fi
check "transport" "$python" "$INGLE_SOURCE/tests/e2e/http_faults.py" "${INGLE_EMULATOR:-}" \
    "$INGLE_BUILD/http_probe" "$WORK"
finish
