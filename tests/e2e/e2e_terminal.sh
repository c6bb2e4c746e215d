# On a terminal: colour, a newline at the end, Ctrl+C from the keyboard; none of it elsewhere.
. "$(dirname "$0")/lib.sh"

if ! python3 -c 'import os, pty; os.openpty()' 2>/dev/null; then
    echo "skipped: no terminal can be made here (no python3, or no pseudo-terminals)"
    exit 0
fi
# Runs the program on a terminal of its own; what the terminal shows goes to $WORK/out. KEYS, if
# set, is typed once something was shown.
on_terminal() {
    python3 - "$WORK/out" "${KEYS:-}" "${RUN[@]}" "$@" <<'PY'
import os, pty, signal, sys
out, keys, argv = sys.argv[1], sys.argv[2].encode().decode("unicode_escape").encode(), sys.argv[3:]
pid, fd = pty.fork()
if pid == 0:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execvp(argv[0], argv)
shown = b""
while True:
    try:
        data = os.read(fd, 4096)
    except OSError:
        break
    if not data:
        break
    shown += data
    if keys and b"was" in shown:
        os.write(fd, keys)
        keys = b""
open(out, "wb").write(shown)
status = os.waitpid(pid, 0)[1]
sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
PY
    code=$?
}
escapes() { LC_ALL=C grep -c "$(printf '\033')" "$WORK/out"; }

# A line counts what is done once a second has passed, and goes at the end.
counts() { # SHOWN NOT-SHOWN LINE ARGUMENTS...: the line goes in three times, the second time after a pause
    checks=$((checks + 1))
    TERM=xterm python3 - "$1" "$2" "$3" "${RUN[@]}" "${@:4}" <<'PY' || fail "$4: no progress"
import os, pty, subprocess, sys, time
right, wrong, line = (a.encode() for a in sys.argv[1:4])
ours, theirs = pty.openpty()
p = subprocess.Popen(sys.argv[4:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=theirs)
os.close(theirs)
for pause in (0, 1.1, 0):
    time.sleep(pause)
    p.stdin.write(line + b"\n")
    p.stdin.flush()
    if not p.stdout.readline().startswith((b"[", b"{")):
        sys.exit(1)
p.stdin.close()
p.wait()
shown = b""
while True:
    try:
        data = os.read(ours, 4096)
    except OSError:
        break
    if not data:
        break
    shown += data
sys.exit(0 if right in shown and wrong not in shown and shown.endswith(b"\r\033[K") else 1)
PY
}
counts "texts: 2" "texts: 1" "Hello world" embed "$INGLE_SOURCE/tests/golden/data/bert-cls.gguf"
counts "prompts: 1, " "prompts: 0" '"Once upon a time"' run -np 2 -n 2
counts "lines: 2" "lines: 1" '{"context": "Once", "continuation": " upon"}' score --jsonl

export TERM=xterm
unset NO_COLOR
on_terminal run --frobnicate
code_is "refusal" 2
check "an error is coloured" test "$(escapes)" -eq 1
NO_COLOR=1 on_terminal run --frobnicate
check "NO_COLOR" test "$(escapes)" -eq 0
TERM=dumb on_terminal run --frobnicate
check "TERM=dumb" test "$(escapes)" -eq 0

on_terminal run --temp 0 -n 3 "Once upon a time"
code_is "run" 0
check "the text ends with a newline" test "$(tail -c 1 "$WORK/out" | od -An -c | tr -d ' ')" = '\n'
on_terminal run -s 1 -n 8
check "nobody waits for a prompt: a story" grep -q "Once upon a time there was" "$WORK/out"
on_terminal run -m "$MODEL"
code_is "own model, no prompt" 2

KEYS='\x03' on_terminal run --temp 0 --ignore-eos -c 1024 "Once upon a time there"
code_is "Ctrl+C" 130
check "Ctrl+C: what was generated stays" grep -q "was" "$WORK/out"
finish
