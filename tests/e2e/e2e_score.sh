# `ingle score`: log-probabilities and perplexity, beside those computed here from bare logits.
. "$(dirname "$0")/lib.sh"

if ! python3 -c 'import json, struct' 2>/dev/null; then
    echo "skipped: no python3"
    exit 0
fi
# expected.py MODEL-OPTIONS...: scores by `ingle logits`, for the checks below.
cat >"$WORK/expected.py" <<'PY'
import json, math, struct, subprocess, sys
N_VOCAB = 2048

def run(*args, text=None):
    return subprocess.run([*PROGRAM, *args], input=text, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout

def tokens_of(text, *options):
    return json.loads(run("tokenize", *options, text=text.encode()))

def logprobs(ids, *options):
    """[(logprob, rank, best)] of ids[1:]"""
    raw = run("logits", *options, "--tokens", ",".join(map(str, ids)), "--out", "-")
    found = []
    for i in range(len(ids) - 1):
        row = struct.unpack_from("<%df" % N_VOCAB, raw, i * N_VOCAB * 4)
        most = max(row)
        lse = most + math.log(math.fsum(math.exp(x - most) for x in row))
        x = row[ids[i + 1]]
        found.append((x - lse, sum(y > x for y in row), most - lse))
    return found

def totals(found):
    nll = [-x[0] for x in found]
    mean = math.fsum(nll) / len(nll)
    error = math.sqrt(math.fsum((x - mean) ** 2 for x in nll) / (len(nll) - 1) / len(nll)) if len(nll) > 1 else 0
    return mean, error

def near(a, b, by=1e-4):
    return abs(a - b) <= by * max(1, abs(a), abs(b))
PY
expect() { # WHAT PYTHON: over `lines` of the output, with the functions above
    checks=$((checks + 1))
    { printf 'PROGRAM = %s\n' "$(python3 -c 'import sys; print(sys.argv[1:])' "${RUN[@]}")"
        cat "$WORK/expected.py"
        printf 'lines = [json.loads(l) for l in open(%s, encoding="utf-8")]\n%s\n' "'$WORK/out'" "$2"
    } >"$WORK/check.py"
    python3 "$WORK/check.py" 2>"$WORK/err" || fail "$1"
}

TEXT='Once upon a time there was a little goat. The goat sang to the moon, and the moon fell asleep <|im_end|>.'
ingle score -p "$TEXT" --json --tokens --top 3
code_is "score" 0
expect "every token as its logits have it" "
ids = tokens_of('''$TEXT''')
want = logprobs(ids)
assert [l['id'] for l in lines[:-1]] == ids
assert lines[0]['logprob'] is None and lines[0]['rank'] is None and lines[0]['top'] == []
for l, w in zip(lines[1:-1], want):
    assert near(l['logprob'], w[0]) and l['rank'] == w[1], (l, w)
    assert len(l['top']) == 3 and near(l['top'][0]['logprob'], w[2])
    assert [t['logprob'] for t in l['top']] == sorted((t['logprob'] for t in l['top']), reverse=True)
    assert l['rank'] > 2 or l['top'][l['rank']]['logprob'] == l['logprob']
assert ''.join(l['text'] for l in lines[:-1]) == '''$TEXT'''
mean, error = totals(want)
end = lines[-1]
assert end['tokens'] == len(ids) and end['scored'] == len(ids) - 1 and end['windows'] == 1 and not end['greedy']
assert near(end['nll'], mean) and near(end['nll_error'], error) and near(end['logprob'], -mean * len(want))
assert near(end['perplexity'], math.exp(mean)) and near(end['perplexity_error'], math.exp(mean) * error)
"
cp "$WORK/out" "$WORK/first"
for flags in "-b 1" "-b 5 -t 3" "-c 64" --in-place; do
    ingle score -p "$TEXT" --json --tokens --top 3 $flags
    sed 's/"n_ctx":[0-9]*/"n_ctx":1024/' "$WORK/out" >"$WORK/other"
    check "$flags: the same figures" cmp -s "$WORK/first" "$WORK/other"
done
printf '%s' "$TEXT" >"$WORK/text"
ingle score "$MODEL" "$TEXT"
code_is "MODEL TEXT" 0
cp "$WORK/out" "$WORK/plain"
out_has "totals" "perplexity"
for how in "-m $MODEL -f $WORK/text" "$MODEL -f $WORK/text" "-f $WORK/text"; do
    ingle score $how
    check "$how" cmp -s "$WORK/out" "$WORK/plain"
done
ingle_from "$WORK/text" score
check "standard input" cmp -s "$WORK/out" "$WORK/plain"
ingle score -m "$MODEL" "$TEXT"
check "-m MODEL TEXT" cmp -s "$WORK/out" "$WORK/plain"
ingle score "$MODEL" "$TEXT" --tokens --top 2
check "--tokens: a line each, then the totals" test "$(wc -l <"$WORK/out")" -eq $(($(wc -l <"$WORK/first") + 3))
ingle score -p "$TEXT" --parse-special --json
json_is "--parse-special" "lines[0]['tokens'] < $(wc -l <"$WORK/first") - 1"

# Windows: of 16 tokens, disjoint or shared; with a token that begins every one of them.
for options in "" "--stride 16" "--stride 5" "--stride 1" "--override-kv tokenizer.ggml.add_bos_token=bool:true" \
    "--stride 7 --override-kv tokenizer.ggml.add_bos_token=bool:true"; do
    ingle score -f "$WORK/text" -c 16 --json $options
    code_is "windows $options" 0
    expect "windows $options" "
options = '''$options'''.split()
kv = options[-2:] if '--override-kv' in options else []
stride = int(options[1]) if '--stride' in options else 16
ids = tokens_of('''$TEXT''', *kv)
begin = ids[:1] if kv else []
want, start, end, n = [], 0, 0, 0
while end < len(ids):
    done = end
    first = n == 0
    if not first: start = min(start + stride, end)
    end = min(len(ids), start + 16 - (0 if first else len(begin)))
    window = ([] if first else begin) + ids[start:end]
    scored = logprobs(window, '-c', '16', *kv)
    want += scored[len(scored) - min(end - done, len(scored)):]
    n += 1
mean, error = totals(want)
l = lines[0]
assert l['windows'] == n and l['scored'] == len(want) and l['n_ctx'] == 16, (l, n, len(want))
assert near(l['nll'], mean) and near(l['nll_error'], error), (l, mean, error)
"
done

# Pairs as evaluations need them: the sum over the continuation, and whether it is the greedy one.
cat >"$WORK/pairs" <<'LINES'
{"context": "Once upon a time", "continuation": " there was"}
{"context": "Once upon a time", "continuation": " potato soup", "id": [1, "x"]}
{"context": "Once upon a time ", "continuation": "there was", "id": null}

{"context": "Once upon a time there was a little", "continuation": " goat named"}
{"context": "", "continuation": "Once upon"}
{"text": "Once upon a time there was a little goat."}
LINES
ingle score --jsonl -f "$WORK/pairs"
code_is "--jsonl" 0
expect "--jsonl" "
def pair(context, continuation):
    cut = len(context.rstrip())
    ids, n = tokens_of(context + continuation), len(tokens_of(context[:cut])) if cut else 0
    if not n: ids, n = [EMPTY] + ids, 1
    return logprobs(ids)[n - 1:]
EMPTY = 2045 # the vocabulary's token that begins texts
for l, line in zip(lines, (x for x in open('$WORK/pairs') if x.strip())):
    p = json.loads(line)
    assert l.get('id') == p.get('id') and ('id' in l) == ('id' in p)
    if 'text' in p: want = logprobs(tokens_of(p['text']))
    else: want = pair(p['context'], p['continuation'])
    assert near(l['logprob'], math.fsum(x[0] for x in want)), (l, want)
    assert l['tokens'] == len(want) and l['greedy'] == all(x[1] == 0 for x in want), (l, want)
assert [l['index'] for l in lines] == list(range(6))
assert lines[0]['greedy'] and not lines[1]['greedy'] and lines[0]['logprob'] > lines[1]['logprob']
assert lines[0]['logprob'] == lines[2]['logprob'] and near(lines[5]['perplexity'], math.exp(lines[5]['nll']))
"
cp "$WORK/out" "$WORK/first"
tac "$WORK/pairs" >"$WORK/backwards" # the session's tokens are used again where they agree, with the same bits
ingle score --jsonl -f "$WORK/backwards" -b 3
json_is "in another order the same bits" "[l['logprob'] for l in reversed(lines)] == [json.loads(l)['logprob'] for l in open('$WORK/first')]"
ingle score --jsonl --tokens --top 2 -f "$WORK/pairs"
json_is "--jsonl --tokens" "all(abs(sum(t['logprob'] or 0 for t in l['scores']) - l['logprob']) < 1e-5 and len([t for t in l['scores'] if t['rank'] is not None]) == l['tokens'] for l in lines)"

# What cannot be scored has an error of its own; contexts that are too long lose their start.
cat >"$WORK/bad" <<'LINES'
{"context": "x", "continuation": " y", "frobnicate": 1}
{"context": "x"}
{"continuation": "x"}
{"context": "x", "continuation": 5}
{"text": "x", "continuation": "y"}
{"text": ""}
{"context": "x", "continuation": ""}
[]
{
LINES
python3 -c '
import json
print(json.dumps({"context": "word " * 100, "continuation": " there was"}))
print(json.dumps({"context": "x", "continuation": " word" * 100}))' >>"$WORK/bad"
ingle score --jsonl -c 32 -f "$WORK/bad"
code_is "bad lines" 1
err_has "bad lines" "10 of 11 lines failed; the first: line 1: unknown member 'frobnicate'"
json_is "the others come out" "len(lines) == 11 and 'error' not in lines[9] and lines[9]['cut'] > 60 and lines[9]['context_tokens'] + lines[9]['tokens'] == 32"
json_is "errors" "[l['error']['status'] for l in lines if 'error' in l] == ['INGLE_EINVAL'] * 8 + ['INGLE_EFORMAT', 'INGLE_EFULL']"
json_is "errors name what is missing" "'continuation' in lines[1]['error']['message'] and 'context' in lines[2]['error']['message'] and 'line 4: ' in lines[3]['error']['message']"

refused() { # WANTED-TEXT ARGUMENTS...
    local want=$1
    shift
    ingle "$@"
    code_is "$*" 2
    out_is "$*: stdout" ""
    err_has "$*" "$want"
}
refused "more than one text" score -p x -f y
refused "more than one text" score "$MODEL" x -p y
refused "the model is given twice" score -m "$MODEL" "$MODEL" x
refused "takes its lines from -f FILE" score --jsonl -p x
refused "'--jsonl' and '--json' exclude" score --jsonl --json
refused "option '--top' needs --tokens" score --top 3 -p x
refused "option '--top': '101' is out of range" score --tokens --top 101 -p x
refused "option '--stride': 40 is more than the context of 32 tokens" score -c 32 --stride 40 -p x
refused "cannot read /nonexistent/file" score -f /nonexistent/file
ingle score -p ""
code_is "an empty text" 1
ingle score </dev/null
code_is "no text" 1
err_has "no text" "no token"
finish
