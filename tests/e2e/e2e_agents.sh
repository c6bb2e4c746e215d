#!/usr/bin/env bash
# Conversations of coding agents: what is computed of each turn, and the same bytes without reuse.
# INGLE_ALL_AGENTS=1 plays them in their true sizes.
. "$(dirname "$0")/lib.sh"
[ -z "${INGLE_EMULATOR:-}" ] || { echo "skipped: long prompts under an emulator"; exit 0; }
exec python3 "$INGLE_SOURCE/tests/agents/replay.py"
