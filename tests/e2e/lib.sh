# lib.sh - sourced by every e2e_*.sh: runs the program as a user does and compares what comes out.
# INGLE is the program, INGLE_SOURCE the repository, INGLE_EMULATOR what runs the program (or empty).
set -u
: "${INGLE:?the path of the program}" "${INGLE_SOURCE:?the path of the repository}"
MODEL=$INGLE_SOURCE/models/tiny-chat.gguf
RUN=(${INGLE_EMULATOR:-} "$INGLE")
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
failures=0
checks=0

# Runs the program with stdin closed off; leaves $code, $WORK/out, $WORK/err.
ingle() { ingle_from /dev/null "$@"; }
# The same with standard input from a file.
ingle_from() {
    local from=$1
    shift
    "${RUN[@]}" "$@" <"$from" >"$WORK/out" 2>"$WORK/err"
    code=$?
}

fail() {
    failures=$((failures + 1))
    echo "FAIL: $*"
    [ -s "$WORK/err" ] && sed 's/^/  stderr: /' "$WORK/err" | head -5
    return 0
}
check() { # WHAT COMMAND...: the command succeeds
    local what=$1
    shift
    checks=$((checks + 1))
    "$@" || fail "$what"
}
code_is() { # WHAT CODE
    checks=$((checks + 1))
    [ "$code" -eq "$2" ] || fail "$1: exit code $code, should be $2"
}
out_is() { # WHAT TEXT: standard output, byte for byte
    checks=$((checks + 1))
    printf '%s' "$2" >"$WORK/want"
    cmp -s "$WORK/out" "$WORK/want" || fail "$1: '$(head -c 200 "$WORK/out")', should be '$2'"
}
err_has() { # WHAT TEXT
    checks=$((checks + 1))
    grep -qF -- "$2" "$WORK/err" || fail "$1: standard error lacks '$2'"
}
out_has() { # WHAT TEXT
    checks=$((checks + 1))
    grep -qF -- "$2" "$WORK/out" || fail "$1: standard output lacks '$2'"
}
# Evaluates a Python expression over `lines`, the JSON values of standard output's lines.
json_is() { # WHAT EXPRESSION
    checks=$((checks + 1))
    python3 -c 'import json' 2>/dev/null || { echo "skipped: no python3 for '$1'"; return 0; }
    python3 - "$WORK/out" "$2" <<'PY' || fail "$1: not $2"
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
sys.exit(0 if eval(sys.argv[2]) else 1)
PY
}
# Prints an interpreter that has a module, of Debian's or of the first on PATH; fails if neither has.
python_with() { # MODULE
    local python
    for python in python3 /usr/bin/python3; do
        "$python" -c "import $1" 2>/dev/null && echo "$python" && return
    done
    return 1
}
finish() {
    echo "$checks checks, $failures failures"
    [ "$failures" -eq 0 ]
    exit
}
