# `ingle run`: prompts from everywhere, text and nothing else on stdout, events as JSON.
. "$(dirname "$0")/lib.sh"

# Greedy continuations of the bundled model (values of llama.cpp; see models/README.md).
RAVEN='<|im_start|>user
What day comes before Sunday?<|im_end|>
<|im_start|>assistant
'
ingle run --temp 0 "$RAVEN"
code_is "chat prompt" 0
out_is "chat prompt" "The day before Sunday is Saturday."
err_has "chat prompt" "has a chat template"
check "one line of notes" test "$(wc -l <"$WORK/err")" -eq 1
printf '%s' "$RAVEN" >"$WORK/prompt"
ingle run --temp 0 -p "$RAVEN"
out_is "-p" "The day before Sunday is Saturday."
echo >>"$WORK/prompt" # one newline at the end is dropped
ingle run --temp 0 -f "$WORK/prompt"
out_is "-f" "The day before Sunday is Saturday."
ingle_from "$WORK/prompt" run --temp 0
out_is "stdin" "The day before Sunday is Saturday."
ingle_from "$WORK/prompt" run --temp 0 -m "$MODEL" -f -
out_is "-f -" "The day before Sunday is Saturday."
for flags in "-b 3" "-t 1" "-t 3" "--kv f32" "--isa ref" "-c 64" "--kv q8_0" --in-place; do
    ingle run --temp 0 $flags "$RAVEN"
    out_is "$flags" "The day before Sunday is Saturday."
done
ingle run --temp 0 --no-parse-special -n 8 --json "$RAVEN"
json_is "special tokens as plain text" "lines[0]['prompt_tokens'] > 30"

# Nothing given at all: a story, also with stdin closed.
ingle run -s 1 -n 24
code_is "story" 0
check "story" grep -q '^Once upon a time there was' "$WORK/out"
"${RUN[@]}" run -s 1 -n 24 <&- >"$WORK/closed" 2>/dev/null
check "story with stdin closed" cmp -s "$WORK/out" "$WORK/closed"
ingle run -s 1 -n 24
check "the same seed, the same story" cmp -s "$WORK/out" "$WORK/closed"
ingle run -s 2 -n 24
check "another seed, another story" test "$(cmp "$WORK/out" "$WORK/closed")" != ""

# Length, stops, echo.
ingle run --temp 0 -n 0 "$RAVEN"
code_is "-n 0" 0
out_is "-n 0" ""
ingle run --temp 0 -n 2 "$RAVEN"
out_is "-n 2" "The day"
ingle run --temp 0 --stop " Sun" --stop "zzz" "$RAVEN"
out_is "--stop" "The day before"
ingle run --temp 0 --stop "day.zzz" "$RAVEN"
out_is "a stop's prefix at the end is printed" "The day before Sunday is Saturday."
ingle run --temp 0 --echo -n 2 "One, two"
check "--echo" grep -q '^One, two' "$WORK/out"
ingle run --temp 0 --ignore-eos -n 40 "$RAVEN"
check "--ignore-eos goes on" test "$(wc -c <"$WORK/out")" -gt 36
ingle run --temp 0 -c 32 "Once upon a time"
code_is "context full" 0
ingle run --temp 0 -c 32 "$(printf 'word %.0s' $(seq 100))"
code_is "prompt larger than the context" 1
err_has "prompt larger than the context" "32"
ingle run ""
code_is "empty prompt" 2

# Sampling flags reach the sampler: each changes this text or leaves it as it should.
text_of() { ingle run -s 5 -n 24 "$@" "Once upon a time there was a little"; code_is "$*" 0; cp "$WORK/out" "$WORK/text"; }
text_of --top-k 1 --temp 5; cp "$WORK/text" "$WORK/greedy"
text_of --temp 0; check "top-k 1 is greedy" cmp -s "$WORK/text" "$WORK/greedy"
text_of --temp 1.2 --top-k 0 --top-p 1 --min-p 0; cp "$WORK/text" "$WORK/free"
check "temperature differs from greedy" test "$(cmp "$WORK/text" "$WORK/greedy")" != ""
for flags in "--typical 0.1" "--min-p 0.9" "--top-nsigma 0.1" "--repeat-penalty 1.9 --repeat-last-n -1" \
    "--presence-penalty 9" "--frequency-penalty 9" "--mirostat 1 --mirostat-ent 0.5" \
    "--mirostat 2 --mirostat-ent 0.5 --mirostat-lr 0.3" "--xtc-probability 1 --xtc-threshold 0.01" \
    "--dynatemp-range 1 --dynatemp-exp 2" "--samplers temperature;top_k --top-k 1"; do
    text_of --temp 1.2 --top-k 0 --top-p 1 --min-p 0 $flags
    check "$flags changes the text" test "$(cmp "$WORK/text" "$WORK/free")" != ""
done
text_of --temp 1.2 --top-k 0 --top-p 1 --min-p 0 --dry-multiplier 5 --dry-base 2 \
    --dry-allowed-length 1 --dry-penalty-last-n 64 --dry-sequence-breaker none

# JSON events.
ingle run --temp 0 --json --logprobs 3 "$RAVEN"
code_is "--json" 0
json_is "every event is an object" "all(isinstance(e, dict) and 'event' in e for e in lines)"
json_is "order of events" "[e['event'] for e in lines if e['event'] != 'token'] == ['start', 'prompt', 'end']"
ingle run --temp 0 --json -n 1 -b 7 "$(printf 'word %.0s' $(seq 100))"
json_is "prompt events come piece by piece" "(lambda p: len(p) > 10 and [e['done'] for e in p] == sorted({e['done'] for e in p}) and p[-1]['done'] == p[-1]['total'] == lines[0]['prompt_tokens'])([e for e in lines if e['event'] == 'prompt'])"
ingle run --temp 0 --json --logprobs 3 "$RAVEN"
json_is "text" "''.join(e.get('text', '') for e in lines) == 'The day before Sunday is Saturday.'"
json_is "end" "lines[-1]['finish'] == 'stop' and lines[-1]['generated_tokens'] == sum(e['event'] == 'token' for e in lines)"
json_is "logprobs" "all(e['top'][0]['id'] == e['id'] and len(e['top']) == 3 and e['logprob'] <= 0 for e in lines if e['event'] == 'token')"
json_is "top is sorted" "all(sorted((-t['logprob'] for t in e['top'])) == [-t['logprob'] for t in e['top']] for e in lines if e['event'] == 'token')"
ingle run --temp 0 --json -l 464-inf --stop " Sun" "$RAVEN"
json_is "stop is named" "lines[-1]['finish'] != 'stop' or lines[-1].get('stop') == ' Sun'"
ingle run --json -c 32 "$(printf 'word %.0s' $(seq 100))"
code_is "error event" 1
json_is "error event" "lines[-1]['event'] == 'error' and lines[-1]['status'] == 'INGLE_EFULL'"
first=$("${RUN[@]}" run --temp 0 -n 1 --json "$RAVEN" 2>/dev/null | sed -n 's/.*"event":"token","id":\([0-9]*\).*/\1/p')
ingle run --temp 0 -n 1 --json -l "$first-inf" "$RAVEN"
json_is "-l bans a token" "all(e['id'] != $first for e in lines if e['event'] == 'token')"

# Streams: nothing but text on stdout, no terminal codes anywhere, write errors are failures.
ingle run --temp 0 -v "$RAVEN"
out_is "--verbose" "The day before Sunday is Saturday."
err_has "--verbose" "tokens in"
check "no terminal codes" test "$(LC_ALL=C grep -c "$(printf '[\033\r]')" "$WORK/err")" -eq 0
if [ -e /dev/full ]; then
    "${RUN[@]}" run --temp 0 -n 4 x </dev/null >/dev/full 2>"$WORK/err"
    code=$?
    code_is "full disk" 1
    err_has "full disk" "cannot write to standard output"
fi
"${RUN[@]}" run --temp 0 -n 4 x </dev/null >&- 2>"$WORK/err"
code=$?
code_is "stdout closed" 1
"${RUN[@]}" run --ignore-eos -s 1 "Once upon a time" </dev/null 2>"$WORK/err" | head -c 10 >"$WORK/out"
code=${PIPESTATUS[0]}
code_is "the reader goes away" 141
check "the reader got its bytes" test "$(wc -c <"$WORK/out")" -eq 10

# Stops that only a control token can produce: its text is matched, and not shown.
start=$("${RUN[@]}" tokenize --parse-special <<<'<|im_start|>' | tr -dc '0-9, ' | cut -d, -f1)
ingle run --json --temp 0 -n 5 -l "$start+100" --stop '<|im_start|>' Once
json_is "a control token as a stop" "lines[-1]['finish'] == 'stop' and lines[-1]['stop'] == '<|im_start|>' and lines[-1]['generated_tokens'] == 0"
ingle run --json --temp 0 -n 5 -l "$start+100" --stop '<|im_start|><|im_start|>' Once
json_is "two of them" "lines[-1]['finish'] == 'stop' and ''.join(e.get('text', '') for e in lines) == ''"
ingle run --json --temp 0 -n 5 -l "$start+100" --stop '|im' Once
json_is "a part of its text is no stop" "lines[-1]['finish'] == 'length' and lines[-1]['generated_tokens'] == 5"

# A prompt file of either kind.
printf 'Once upon a time\n' >"$WORK/lf"
printf 'Once upon a time\r\n' >"$WORK/crlf"
ingle run --temp 0 -n 8 -f "$WORK/lf"
cp "$WORK/out" "$WORK/want"
ingle run --temp 0 -n 8 -f "$WORK/crlf"
check "CRLF" cmp -s "$WORK/out" "$WORK/want"
ingle_from "$WORK/crlf" run --temp 0 -n 8
check "CRLF from standard input" cmp -s "$WORK/out" "$WORK/want"

ingle run -n 1 -c 100000 x
err_has "-c beyond the training" "beyond the 1024 that the model was trained for"
ingle run -n 1 -c 8 x
err_has "-c too small" "holds hardly a sentence"
ingle run -n 1 -c 4 "Once upon a time there was"
code_is "a prompt beyond the context" 1
finish
