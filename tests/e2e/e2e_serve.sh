#!/usr/bin/env bash
# The server as clients of OpenAI's chat completions see it.
. "$(dirname "$0")/lib.sh"
exec python3 "$INGLE_SOURCE/tests/e2e/serve_chat.py"
