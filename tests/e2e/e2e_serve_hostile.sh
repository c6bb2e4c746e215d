#!/usr/bin/env bash
# Bodies that mean harm, neighbours that are curious, clients that leave: see serve_hostile.py.
. "$(dirname "$0")/lib.sh"
exec python3 "$INGLE_SOURCE/tests/e2e/serve_hostile.py"
