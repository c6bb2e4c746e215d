# Ctrl+C: the first ends the generation with what there is, the second kills.
. "$(dirname "$0")/lib.sh"

wait_for() { # COMMAND...: until it succeeds, or the program has ended
    while ! "$@" && kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
}
if ! command -v python3 >/dev/null; then
    echo "skipped: no python3 to start a program that does not ignore Ctrl+C"
    exit 0
fi
# A shell's background job ignores SIGINT, and a shell cannot undo that; Python can.
start() {
    : >"$WORK/out"
    python3 - "$WORK/out" "$WORK/err" "${RUN[@]}" "$@" <<'PY' &
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
os.dup2(os.open(sys.argv[1], flags, 0o600), 1)
os.dup2(os.open(sys.argv[2], flags, 0o600), 2)
os.execv(sys.argv[3], sys.argv[3:])
PY
    pid=$!
}

start run --ignore-eos --temp 0 --json -c 1024 "Once upon a time there was a little"
wait_for grep -q '"event":"token"' "$WORK/out"
kill -INT "$pid"
wait "$pid"
code=$?
code_is "Ctrl+C" 130
json_is "what was generated stays, the end is told" "lines[-1]['event'] == 'end' and lines[-1]['finish'] == 'cancelled' and lines[-1]['generated_tokens'] >= 1"

start run --ignore-eos --temp 0 -c 1024 "Once upon a time there was a little"
wait_for test -s "$WORK/out"
kill -INT "$pid"
wait "$pid"
code=$?
code_is "Ctrl+C, text" 130
check "text stays" test -s "$WORK/out"

start bench -p 0 -n 4 -r 1000
sleep 1
kill -INT "$pid"
wait "$pid"
code=$?
code_is "Ctrl+C, bench" 130
out_is "Ctrl+C, bench: no half report" ""

start bench --requests 2 --seconds 100
sleep 1
kill -INT "$pid"
wait "$pid"
code=$?
code_is "Ctrl+C, bench --requests" 130
out_is "Ctrl+C, bench --requests: no half report" ""

# While the reader of a full pipe pauses: nothing is lost, the last line is whole.
python3 - "${RUN[@]}" run --json --ignore-eos -c 16384 -n 15000 -s 1 -t 1 Once >"$WORK/out" 2>"$WORK/err" <<'PY'
import fcntl, signal, subprocess, sys, time
F_SETPIPE_SZ = 1031
program = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
fcntl.fcntl(program.stdout, F_SETPIPE_SZ, 4096)
first = program.stdout.read(1)
time.sleep(0.5)  # long enough for the pipe to be full again
program.send_signal(signal.SIGINT)
time.sleep(0.2)
sys.stdout.buffer.write(first + program.communicate()[0])
sys.exit(program.returncode)
PY
code=$?
code_is "Ctrl+C while the pipe is full" 130
json_is "Ctrl+C while the pipe is full: the last line" "lines[-1]['event'] == 'end'"
finish
