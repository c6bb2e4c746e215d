#!/usr/bin/env bash
# The server as clients of Anthropic's Messages see it.
. "$(dirname "$0")/lib.sh"
exec python3 "$INGLE_SOURCE/tests/e2e/serve_anthropic.py"
