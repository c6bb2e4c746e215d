#!/usr/bin/env bash
# Many clients of all kinds at once, some of which leave: see serve_soak.py; `make soak` does it for long.
. "$(dirname "$0")/lib.sh"
exec python3 "$INGLE_SOURCE/tests/e2e/serve_soak.py"
