# `ingle run --parallel`: many prompts share steps, and every answer is the one a prompt gets alone.
. "$(dirname "$0")/lib.sh"

if ! python3 -c 'import json' 2>/dev/null; then
    echo "skipped: no python3"
    exit 0
fi
# Twelve prompts of all lengths: texts, objects, ids; the last lines long enough for several batches.
python3 - "$WORK/in" <<'PY'
import json, sys
words = "the cat sat on a mat and sang to the moon about fish that it had seen in the sea".split()
with open(sys.argv[1], "w", encoding="utf-8") as f:
    for i in range(12):
        text = "Once " + " ".join(words[(i * 5 + k) % len(words)] for k in range(1 + 13 * i))
        line = text if i % 3 == 0 else {"prompt": text, "id": [i, "\u00e9", {"x": 1.50}]}
        if i % 3 == 2: line["max_tokens"] = 3 + i
        print(json.dumps(line), file=f)
PY
# What `ingle run` says to each of them alone, with seed S + index.
alone() { # OPTIONS...
    python3 - "$WORK/in" "$WORK/want" "${RUN[@]}" run --ignore-eos -n 20 "$@" <<'PY'
import json, subprocess, sys
want = []
for i, line in enumerate(open(sys.argv[1], encoding="utf-8")):
    p = json.loads(line)
    if isinstance(p, str): p = {"prompt": p}
    args = sys.argv[3:] + ["-s", str(40 + i), "-p", p["prompt"]]
    if "max_tokens" in p: args += ["-n", str(p["max_tokens"])]
    want.append(subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout.decode())
json.dump(want, open(sys.argv[2], "w"))
PY
}
same_texts() { # WHAT: the answers are those of alone()
    json_is "$1: the texts of prompts alone" "[l['text'] for l in sorted(lines, key=lambda l: l['index'])] == json.load(open('$WORK/want'))"
}
for sampling in "--temp 0" "--temp 1.2 --top-k 0 --repeat-penalty 1.2"; do
    alone $sampling
    for flags in "--parallel 1" "-np 3" "-np 12 -b 7" "-np 64 -t 3" "-np 5 --unordered" "-np 4 -c 256 --kv q8_0"; do
        [ "${flags#*q8_0}" = "$flags" ] || alone $sampling --kv q8_0 -c 256
        ingle run --ignore-eos -n 20 -s 40 $sampling $flags -f "$WORK/in"
        code_is "$flags" 0
        same_texts "$flags $sampling"
        json_is "$flags: ids" "all(l.get('id') == (None if l['index'] % 3 == 0 else [l['index'], 'é', {'x': 1.5}]) for l in lines)"
        [ "${flags#*unordered}" != "$flags" ] ||
            json_is "$flags: the order of the prompts" "[l['index'] for l in lines] == list(range(12))"
    done
done
check "numbers of ids as they were written" grep -q '"id":\[11,"é",{"x":1.50*}\]' "$WORK/out"
json_is "figures" "all(l['prompt_tokens'] > 0 and l['generated_tokens'] == (3 + l['index'] if l['index'] % 3 == 2 else 20) and l['finish'] == 'length' and l['seed'] == 40 + l['index'] and min(l['queue_s'], l['prompt_s'], l['decode_s']) >= 0 for l in lines)"
ingle_from "$WORK/in" run --ignore-eos -n 20 -s 40 $sampling -np 4 -c 256 --kv q8_0
same_texts "standard input"

# Every member reaches what it is named after; what is not a prompt has an error of its own.
cat >"$WORK/in" <<'LINES'
{"prompt": "Once upon a time", "temperature": 0, "max_tokens": 4}
{"prompt": "Once upon a time", "temperature": 5, "top_k": 1, "max_tokens": 4}
{"prompt": "Once upon a time", "temperature": 5, "top_p": 0, "max_tokens": 4}
{"prompt": "Once upon a time", "temperature": 0.5, "min_p": 1, "max_tokens": 4}
  
{"prompt": "Once upon a time", "seed": 18446744073709551615, "max_tokens": 0}
{"prompt": "Once upon a time", "temperature": 0, "stop": "a", "max_tokens": 9}
{"prompt": "Once upon a time", "temperature": 0, "stop": ["zzz", "a"], "logprobs": 2, "max_tokens": 9}
{"prompt": "Once", "temperature": 0, "repeat_penalty": 1.5, "presence_penalty": 2, "frequency_penalty": 2, "max_tokens": 20}
{"prompt": [1, 5, 7], "temperature": 0, "max_tokens": 2}
{"prompt": "x", "temprature": 1, "id": 9}
{"prompt": "x", "frobnicate": 1}
{"prompt": "x", "temperature": -1}
{"prompt": "x", "temperature": "1"}
{"prompt": "x", "top_k": 1.5}
{"prompt": "x", "max_tokens": -2}
{"prompt": "x", "seed": -1}
{"prompt": "x", "stop": [""]}
{"prompt": "x", "stop": [1]}
{"prompt": "x", "logprobs": 1000}
{"prompt": "x", "id": 1, "id": 2}
{"prompt": 5}
{"prompt": [1, -1]}
{"prompt": [1, 99999]}
{"prompt": ""}
{"id": "none"}
7
{"prompt": "x"
LINES
python3 -c 'import json; print(json.dumps({"id": "long", "prompt": "word " * 5000}))' >>"$WORK/in"
printf '"the last line has no end"' >>"$WORK/in"
ingle run -np 4 -n 2 -s 18446744073709551615 -f "$WORK/in"
code_is "failures" 1
err_has "failures" "19 of 29 prompts failed; the first: line 11: unknown member 'temprature' (did you mean 'temperature'?)"
json_is "an answer for every prompt" "[l['index'] for l in lines] == list(range(29))"
json_is "greedy in four ways" "len({l['text'] for l in lines[:4]}) == 1 and lines[0]['text'] != ''"
json_is "seeds" "lines[4]['seed'] == '18446744073709551615' and lines[1]['seed'] == 0 and lines[4]['generated_tokens'] == 0"
json_is "stops" "lines[5]['finish'] == lines[6]['finish'] == 'stop' and lines[5]['stop'] == lines[6]['stop'] == 'a' and 'a' not in lines[6]['text']"
json_is "logprobs" "'logprobs' not in lines[5] and ''.join(t['text'] for t in lines[6]['logprobs']) == lines[6]['text'] and all(len(t['top']) == 2 and t['top'][0]['id'] == t['id'] and t['top'][0]['logprob'] == t['logprob'] <= 0 for t in lines[6]['logprobs'])"
json_is "token ids" "lines[8]['prompt_tokens'] == 3"
json_is "penalties" "lines[7]['generated_tokens'] == 20"
json_is "which lines failed" "[l['index'] for l in lines if 'error' in l] == list(range(9, 28))"
json_is "ids of what failed" "lines[9]['id'] == 9 and lines[24]['id'] == 'none' and lines[27]['id'] == 'long' and 'id' not in lines[8]"
json_is "states" "[l['error']['status'] for l in lines if 'error' in l] == ['INGLE_EINVAL'] * 10 + ['INGLE_EFORMAT'] + ['INGLE_EINVAL'] * 6 + ['INGLE_EFORMAT', 'INGLE_EFULL']"
said() { # INDEX TEXT
    json_is "prompt $1: $2" "\"$2\" in lines[$1]['error']['message']"
}
said 10 "line 12: unknown member 'frobnicate'"
said 11 "line 13: member 'temperature': temperature is -1: it must be 0"
said 12 "line 14: member 'temperature': it should be a number"
said 13 "line 15: member 'top_k': it should be a whole number"
said 14 "line 16: member 'max_tokens': option 'max_tokens' is -2"
said 15 "line 17: member 'seed': it should be a whole number of 0 to"
said 16 "line 18: member 'stop': "
said 17 "line 19: member 'stop': element 0 should be a text"
said 18 "line 20: member 'logprobs': "
said 20 "line 22: member 'prompt' should be a text or an array of token ids"
said 21 "line 23: member 'prompt': element 1 is no token id"
said 22 "line 24: token 1 is 99999"
said 23 "line 25: the prompt is empty"
said 24 "line 26: member 'prompt' is missing"
said 25 "line 27: a prompt is a text or an object"
said 26 "line 28: byte 14"
said 27 "line 29: "

# Lines come as they are ready: a reader gets its answer before it says more.
python3 - "${RUN[@]}" run -np 4 --temp 0 -n 3 2>"$WORK/err" <<'PY' || fail "an answer for every line at once"
import json, subprocess, sys
p = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
for i in range(3):
    p.stdin.write(b'"Once upon"\n')
    p.stdin.flush()
    if json.loads(p.stdout.readline())["index"] != i: sys.exit(1)
p.stdin.close()
sys.exit(p.wait() or p.stdout.read() != b"")
PY
# In order a short answer waits for a long one; else it does not.
printf '{"prompt": "Once", "max_tokens": 600}\n{"prompt": "Once", "max_tokens": 1}\n' >"$WORK/in"
ingle run -np 2 --ignore-eos --unordered -f "$WORK/in"
json_is "--unordered: the short one first" "[l['index'] for l in lines] == [1, 0]"
ingle run -np 2 --ignore-eos -f "$WORK/in" -v
json_is "else the long one" "[l['index'] for l in lines] == [0, 1]"
err_has "-v" "2 prompts in"
ingle_from /dev/null run -np 2
code_is "no prompts" 0
out_is "no prompts" ""

# Ctrl+C: what runs ends with what it has; prompts that were not begun have no line.
python3 - "$WORK/out" "${RUN[@]}" run -np 3 --ignore-eos --temp 0 2>"$WORK/err" <<'PY'
import signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.SIG_DFL)
p = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=open(sys.argv[1], "wb"))
p.stdin.write(b'{"prompt": "Once", "max_tokens": 1}\n' + b'"Once upon"\n' * 200)
p.stdin.flush()
while not open(sys.argv[1], "rb").read():
    time.sleep(0.01)
p.send_signal(signal.SIGINT)
sys.exit(p.wait())
PY
code=$?
code_is "Ctrl+C" 130
json_is "Ctrl+C: whole lines" "[l['index'] for l in lines] == list(range(len(lines))) and lines[-1]['finish'] == 'cancelled' and 2 <= len(lines) < 201"
if [ -e /dev/full ]; then
    yes '"Once"' | "${RUN[@]}" run -np 2 --temp 0 -n 4 >/dev/full 2>"$WORK/err"
    code=${PIPESTATUS[1]}
    code_is "full disk" 1
    err_has "full disk" "cannot write to standard output"
fi

refused() { # WANTED-TEXT ARGUMENTS...
    local want=$1
    shift
    ingle "$@"
    code_is "$*" 2
    out_is "$*: stdout" ""
    err_has "$*" "$want"
}
refused "options '--parallel' and '--json' exclude each other" run -np 2 --json
refused "options '--parallel' and '--echo' exclude each other" run -np 2 --echo
refused "options '--parallel' and '--prompt' exclude each other" run -np 2 -p x
refused "not from PROMPT" run -np 2 x
refused "option '--unordered' needs --parallel" run --unordered x
refused "option '-np': '0' is out of range" run -np 0
refused "cannot read the prompts from /nonexistent/file" run -np 2 -f /nonexistent/file
ingle_from "$WORK/in" run -np 2 -l 99999+1
code_is "a bias of no token" 2
err_has "a bias of no token" "option '--logit-bias'"
finish
