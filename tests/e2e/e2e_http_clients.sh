#!/usr/bin/env bash
# The server with curl, httpx and aiohttp: kept connections, chunked bodies, HTTP/1.0, TLS, Unix sockets.
. "$(dirname "$0")/lib.sh"
command -v curl >/dev/null || { echo "skipped: no curl"; exit 0; }
command -v openssl >/dev/null || { echo "skipped: no openssl"; exit 0; }
python=$(python_with httpx) && "$python" -c 'import aiohttp' 2>/dev/null ||
    { echo "skipped: no httpx, aiohttp for python3"; exit 0; }
exec "$python" "$INGLE_SOURCE/tests/e2e/http_clients.py"
