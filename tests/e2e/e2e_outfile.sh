# What a verb writes to a file: never over an input, whole or not at all.
. "$(dirname "$0")/lib.sh"

cp "$MODEL" "$WORK/m.gguf"
whole=$(wc -c <"$WORK/m.gguf")
unharmed() { # WHAT: the model is as it was
    code_is "$1" 2
    err_has "$1" "the model itself"
    check "$1: the model is whole" cmp -s "$MODEL" "$WORK/m.gguf"
}
no_debris() { # WHAT
    check "$1: nothing unfinished is left" test -z "$(find "$WORK" -name '.ingle-*')"
}

# Inputs: under their own name, by a link, by another name.
ln -s m.gguf "$WORK/link"
ln "$WORK/m.gguf" "$WORK/hard"
for out in m.gguf ./m.gguf link hard; do
    ingle logits "$WORK/m.gguf" --tokens 1 --out "$WORK/$out"
    unharmed "logits --out $out"
done
rm "$WORK/hard"
ingle logits "$WORK/m.gguf" --in-place --tokens 1 --out "$WORK/m.gguf"
unharmed "--in-place"
echo a | "${RUN[@]}" embed -m "$WORK/m.gguf" -o "$WORK/m.gguf" >"$WORK/out" 2>"$WORK/err"
code=$?
unharmed "embed -o"
ingle bench "$WORK/m.gguf" -p 4 -n 0 -r 1 --profile-svg "$WORK/m.gguf"
unharmed "bench --profile-svg"
"${RUN[@]}" tokenize "$WORK/m.gguf" </dev/null >>"$WORK/m.gguf" 2>"$WORK/err"
code=$?
code_is "standard output into the model" 2
check "standard output into the model: it is whole" cmp -s "$MODEL" "$WORK/m.gguf"
for i in 1 2 3; do echo part >"$WORK/s-0000$i-of-00003.gguf"; done
ingle logits "$WORK/s-00001-of-00003.gguf" --tokens 1 --out "$WORK/s-00003-of-00003.gguf"
code_is "a part of a split model" 2
err_has "a part of a split model" "the model itself"
echo "a b" >"$WORK/lines"
ingle_from "$WORK/lines" embed -m "$WORK/m.gguf" -o "$WORK/lines"
code_is "what standard input reads" 2
check "what standard input reads is whole" test "$(cat "$WORK/lines")" = "a b"

# What was there before a run that fails.
echo yesterday >"$WORK/old"
ingle logits "$WORK/m.gguf" --tokens 99999 --out "$WORK/old"
code_is "a run that fails" 1
check "a run that fails leaves the old file" test "$(cat "$WORK/old")" = yesterday
ingle logits "$WORK/nowhere.gguf" --tokens 1 --out "$WORK/old"
check "no model: the old file" test "$(cat "$WORK/old")" = yesterday
ingle logits "$WORK/m.gguf" --tokens 99999 --out "$WORK/new"
check "a run that fails makes no file" test ! -e "$WORK/new"
no_debris "a run that fails"

# A success: links are followed, the mode stays, other names keep the old content.
ingle logits "$WORK/m.gguf" --tokens 1 --out "$WORK/want"
code_is "a new file" 0
check "a new file has the usual mode" test "$(stat -c %a "$WORK/want")" = "$(printf '%o' $((0666 & ~$(umask))))"
chmod 640 "$WORK/old"
ln -s old "$WORK/to-old"
ln "$WORK/old" "$WORK/other-name"
ingle logits "$WORK/m.gguf" --tokens 1 --out "$WORK/to-old"
code_is "over a link" 0
check "the link stays" test "$(readlink "$WORK/to-old")" = old
check "what it leads to is new" cmp -s "$WORK/want" "$WORK/old"
check "the mode stays" test "$(stat -c %a "$WORK/old")" = 640
check "another name keeps the old content" test "$(cat "$WORK/other-name")" = yesterday
ln -s not-yet "$WORK/to-new"
ingle logits "$WORK/m.gguf" --tokens 1 --out "$WORK/to-new"
check "a link to what is not there yet" cmp -s "$WORK/want" "$WORK/not-yet"
ln -s circle "$WORK/circle"
ingle logits "$WORK/m.gguf" --tokens 1 --out "$WORK/circle"
code_is "a circle of links" 1
ingle logits "$WORK/m.gguf" --tokens 1 --out "$WORK"
code_is "a folder" 1
ingle logits "$WORK/m.gguf" --tokens 1 --out /dev/null
code_is "/dev/null" 0
check "/dev/null is no plain file now" test -c /dev/null
mkfifo "$WORK/pipe"
cat "$WORK/pipe" >"$WORK/through" &
ingle logits "$WORK/m.gguf" --tokens 1 --out "$WORK/pipe"
wait
check "through a pipe" cmp -s "$WORK/want" "$WORK/through"
no_debris "successes"

# Signals in the middle. Lines come one by one, so the work is still going on.
for signal in TERM HUP INT; do
    echo yesterday >"$WORK/old"
    mkfifo "$WORK/in"
    python3 - "$WORK/in" "${RUN[@]}" embed -m "$WORK/m.gguf" -o "$WORK/old" 2>"$WORK/err" <<'PY' &
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.dup2(os.open(sys.argv[1], os.O_RDONLY), 0)
os.execv(sys.argv[2], sys.argv[2:])
PY
    pid=$!
    exec 9>"$WORK/in"
    echo "a b" >&9
    while [ -z "$(find "$WORK" -name '.ingle-*')" ] && kill -0 "$pid"; do sleep 0.05; done
    kill -"$signal" "$pid"
    wait "$pid"
    code=$?
    exec 9>&-
    rm "$WORK/in"
    [ "$signal" = INT ] || check "SIG$signal ends the program" test "$code" -gt 128
    [ "$signal" = INT ] && code_is "SIGINT" 130
    check "SIG$signal leaves the old file" test "$(cat "$WORK/old")" = yesterday
    no_debris "SIG$signal"
done
finish
