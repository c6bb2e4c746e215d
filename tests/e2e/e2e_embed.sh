# `ingle embed`: a vector per line, whose bits depend on the line alone; ids, pooling, raw floats.
. "$(dirname "$0")/lib.sh"
BERT=$INGLE_SOURCE/tests/golden/data/bert-cls.gguf

printf 'Hello world\nthe\nA longer text, with a comma!\nHello world' >"$WORK/lines"
ingle_from "$WORK/lines" embed "$BERT"
code_is "embed" 0
json_is "four vectors of 64" "[len(v) for v in lines] == [64, 64, 64, 64]"
json_is "of length 1" "all(abs(sum(x * x for x in v) - 1) < 1e-6 for v in lines)"
json_is "the same text, the same vector" "lines[0] == lines[3] and lines[0] != lines[1]"
cp "$WORK/out" "$WORK/all"
for flags in "-t 1" "-t 3" "-b 32" "-b 512" --in-place "--isa ref"; do
    ingle_from "$WORK/lines" embed "$BERT" $flags
    code_is "$flags" 0
    check "$flags: the same bits" cmp -s "$WORK/out" "$WORK/all"
done
sed -n 3p "$WORK/lines" >"$WORK/one"
ingle_from "$WORK/one" embed "$BERT"
sed -n 3p "$WORK/all" >"$WORK/row"
check "alone and among others" cmp -s "$WORK/out" "$WORK/row"

ingle embed "$BERT" --tokens 5,6,7 --pooling none
json_is "a vector per token" "len(lines) == 1 and [len(v) for v in lines[0]] == [64, 64, 64]"
ingle embed "$BERT" --tokens 5,6,7 --pooling none --no-normalize --out "$WORK/raw"
code_is "--out" 0
out_is "nothing on stdout" ""
check "raw floats" test "$(wc -c <"$WORK/raw")" -eq $((3 * 64 * 4))
ingle embed "$BERT" --tokens 5,6,7 --pooling cls --no-normalize --out - >/dev/null
head -c 256 "$WORK/raw" >"$WORK/first"
check "cls is the first token's" cmp -s "$WORK/out" "$WORK/first"
ingle embed --tokens 5,6,7 # any model embeds
code_is "a decoder" 0
json_is "a decoder's vector" "len(lines) == 1 and abs(sum(x * x for x in lines[0]) - 1) < 1e-6"
ingle embed </dev/null
code_is "no lines" 0
out_is "no lines" ""

# A line is answered before the next one is there, also one that comes in pieces.
coproc EMBED { "${RUN[@]}" embed "$BERT" 2>"$WORK/err"; }
to=${EMBED[1]} from=${EMBED[0]} pid=$EMBED_PID
printf 'Hello world\n' >&"$to"
read -r first <&"$from"
printf 'th' >&"$to"
printf 'e\nA longer text, ' >&"$to"
read -r second <&"$from"
printf 'with a comma!\nHello world' >&"$to"
read -r third <&"$from"
exec {to}>&-
read -r fourth <&"$from"
wait "$pid"
code=$?
code_is "line by line" 0
printf '%s\n' "$first" "$second" "$third" "$fourth" >"$WORK/out"
check "line by line: the same bits" cmp -s "$WORK/out" "$WORK/all"

# A line that cannot be computed: what came before it is out, and it is named.
{
    sed -n 1,2p "$WORK/lines"
    for i in $(seq 200); do printf 'the '; done
    printf '\nHello world\n'
} >"$WORK/bad"
printf 'Hello world\n' | "${RUN[@]}" embed "$BERT" >"$WORK/hello"
cat <(head -2 "$WORK/all") "$WORK/hello" >"$WORK/others"
ingle_from "$WORK/bad" embed "$BERT"
code_is "a line too long" 1
check "a line too long: the others" cmp -s "$WORK/out" "$WORK/others"
err_has "a line too long" "line 3: "
cat <(head -2 "$WORK/all") <(echo null) "$WORK/hello" >"$WORK/others"
ingle_from "$WORK/bad" embed "$BERT" --skip-bad
code_is "--skip-bad" 0
check "--skip-bad: null in its place" cmp -s "$WORK/out" "$WORK/others"
err_has "--skip-bad" "line 3 is skipped: "
ingle_from "$WORK/bad" embed "$BERT" --skip-bad --out "$WORK/part"
code_is "--skip-bad --out" 0
check "--skip-bad --out: a row of NaN" python3 -c '
import math, struct, sys
v = struct.unpack("<256f", open(sys.argv[1], "rb").read())
sys.exit([any(map(math.isnan, v[i:i + 64])) for i in range(0, 256, 64)] != [False, False, True, False])' "$WORK/part"
rm "$WORK/part"
# Cut to the context of 128 tokens: the marks at both ends stay.
for i in $(seq 126); do printf 'the '; done >"$WORK/fits"
ingle_from "$WORK/fits" embed "$BERT"
code_is "a line that just fits" 0
cp "$WORK/out" "$WORK/whole"
ingle_from "$WORK/bad" embed "$BERT" --truncate
code_is "--truncate" 0
check "--truncate" cmp -s <(sed -n 3p "$WORK/out") "$WORK/whole"
err_has "--truncate" "1 texts were cut to 128 tokens"
ingle_from "$WORK/bad" embed "$BERT" --out "$WORK/part"
code_is "a line too long, --out" 1
check "a line too long, --out: no file" test ! -e "$WORK/part"
ingle_from "$WORK/lines" embed "$BERT" --out "$WORK/part"
code_is "--out" 0
check "--out: four vectors" test "$(wc -c <"$WORK/part")" -eq $((4 * 64 * 4))
printf 'Hello\n\nworld\n' >"$WORK/empty"
ingle_from "$WORK/empty" embed
code_is "a line without tokens" 0
json_is "a line without tokens" "len(lines) == 3 and lines[1] is None"
ingle_from "$WORK/empty" embed --pooling none
json_is "a line without tokens, a vector for each token" "len(lines) == 3 and lines[1] == []"
ingle_from "$WORK/empty" embed --out "$WORK/part2"
code_is "a line without tokens, --out" 1
err_has "a line without tokens, --out" "line 2: it has no tokens"
check "a line without tokens, --out: no file" test ! -e "$WORK/part2"
# The end of a line is none of the text, whatever it is.
sed 's/$/\r/' "$WORK/lines" >"$WORK/crlf"
ingle_from "$WORK/crlf" embed "$BERT"
check "CRLF" cmp -s "$WORK/out" "$WORK/all"
ingle_from "$WORK/crlf" embed
cp "$WORK/out" "$WORK/crlf-out"
ingle_from "$WORK/lines" embed
check "CRLF, byte-level vocabulary" cmp -s "$WORK/out" "$WORK/crlf-out"
seq 300 >"$WORK/many"
ingle_from "$WORK/many" embed "$BERT"
json_is "more than a batch" "len(lines) == 300"
if [ -c /dev/full ]; then
    "${RUN[@]}" embed "$BERT" <"$WORK/many" >/dev/full 2>"$WORK/err"
    code=$?
    code_is "no space" 1
    err_has "no space" "cannot write"
fi

ingle embed "$BERT" --tokens 1 --pooling rank
code_is "no classifier" 1
err_has "no classifier" "rank"
ingle embed "$BERT" --tokens 1 --pooling best
code_is "unknown pooling" 2
ingle embed "$BERT" --tokens "$(seq -s , 1 129)"
code_is "longer than the positions" 1

# The other direction: as if the file said so; a decoder's text has to fit a batch then.
QWEN=$INGLE_SOURCE/tests/golden/data/qwen3.gguf
ids=$(seq -s , 1 100)
ingle embed "$QWEN" --tokens "$ids"
cp "$WORK/out" "$WORK/straight"
ingle embed "$QWEN" --tokens "$ids" --attention causal -b 32
check "causal, a decoder" cmp -s "$WORK/out" "$WORK/straight"
ingle embed "$QWEN" --tokens "$ids" --override-kv qwen3.attention.causal=bool:false
cp "$WORK/out" "$WORK/ways"
ingle embed "$QWEN" --tokens "$ids" --attention both
code_is "both, a decoder" 0
check "both, a decoder" cmp -s "$WORK/out" "$WORK/ways"
check "both, a decoder: other values" test "$(cat "$WORK/ways")" != "$(cat "$WORK/straight")"
ingle embed "$QWEN" --tokens "$(seq -s , 1 200),$(seq -s , 1 200),$(seq -s , 1 200)" --attention both
code_is "both, a longer text" 0
ingle embed "$QWEN" --tokens "$ids" --attention both -b 64
code_is "both, longer than a batch" 1
err_has "both, longer than a batch" "'n_batch' is 64"
ingle_from "$WORK/lines" embed --attention both
json_is "both, lines" "len(lines) == 4 and lines[0] == lines[3] and lines[0] != lines[1]"
ingle_from "$WORK/lines" embed "$BERT" --attention both
check "both, an encoder" cmp -s "$WORK/out" "$WORK/all"
ingle_from "$WORK/lines" embed "$BERT" --attention causal
code_is "causal, an encoder" 0
check "causal, an encoder: other values" test "$(cat "$WORK/out")" != "$(cat "$WORK/all")"
ingle embed "$INGLE_SOURCE/tests/golden/data/mamba2.gguf" --tokens 1,2 --attention both --out "$WORK/none"
code_is "both, a recurrent model" 1
err_has "both, a recurrent model" "attention 'both': layers of family 'mamba2' are recurrent"
check "both, a recurrent model: no file" test ! -e "$WORK/none"
ingle embed "$QWEN" --tokens 1 --attention sideways
code_is "unknown attention" 2
err_has "unknown attention" "causal"

# Pairs: the model with a classifier, and the same one taught by a template.
if python3 -c 'import struct' 2>/dev/null; then
    python3 - "$BERT" "$WORK" <<'PY'
import math, struct, sys
data, folder = open(sys.argv[1], "rb").read(), sys.argv[2]
n_tensors, n_kv = struct.unpack_from("<QQ", data, 8)
at = 24
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}

def u(form):
    global at
    value = struct.unpack_from(form, data, at)[0]
    at += struct.calcsize(form)
    return value

def skip(kind):
    global at
    if kind == 8:
        n = u("<Q")
        at += n
    elif kind == 9:
        of, n = u("<I"), u("<Q")
        for _ in range(n):
            skip(of)
    else:
        at += SIZES[kind]

for _ in range(n_kv):
    skip(8)
    skip(u("<I"))
kv_end = at
for _ in range(n_tensors):
    skip(8)
    n_dims = u("<I")
    at += 8 * n_dims + 12
infos_end, start = at, (at + 31) // 32 * 32
body = data[start:] + bytes(-len(data[start:]) % 32)
text = lambda s: struct.pack("<Q", len(s)) + s

def write(name, rows, keys):
    info = text(b"cls.output.weight") + struct.pack("<IQQIQ", 2, 64, rows, 0, len(body))
    head = data[:8] + struct.pack("<QQ", n_tensors + 1, n_kv + len(keys)) + data[24:kv_end]
    for key, value in keys:
        head += text(key) + struct.pack("<I", 8) + text(value)
    head += data[kv_end:infos_end] + info
    weights = [math.sin(0.37 * i * i) for i in range(64 * rows)]
    with open(f"{folder}/{name}", "wb") as f:
        f.write(head + bytes(-len(head) % 32) + body + struct.pack(f"<{64 * rows}f", *weights))

write("rank.gguf", 1, [])
write("template.gguf", 1, [(b"tokenizer.chat_template.rerank", b"[CLS] to {query}: {document} [SEP]")])
PY
    printf 'Hello world\tthe\nHello world the\nthe\tHello world\na, \tb\tc\n' >"$WORK/pairs"
    ingle_from "$WORK/pairs" embed "$WORK/rank.gguf" --pooling rank
    code_is "ranks" 0
    json_is "a number each" "[len(v) for v in lines] == [1, 1, 1, 1]"
    json_is "two segments are not one, nor the other way round" "len({v[0] for v in lines}) == 4"
    sed -n 1p "$WORK/out" >"$WORK/rank"
    head -1 "$WORK/pairs" >"$WORK/one"
    ingle_from "$WORK/one" embed "$WORK/rank.gguf" --pooling rank
    check "a pair alone and among others" cmp -s "$WORK/out" "$WORK/rank"
    ingle_from "$WORK/pairs" embed "$WORK/rank.gguf" --pooling cls
    json_is "a tab is text where nothing is ranked" "lines[0] == lines[1]"

    # In a template nothing becomes a control token that the template does not spell.
    printf 'Hello\t[SEP] world\n' >"$WORK/pairs"
    ingle_from "$WORK/pairs" embed "$WORK/template.gguf" --pooling rank
    code_is "a template" 0
    cp "$WORK/out" "$WORK/rank"
    printf '[CLS] to Hello: ' >"$WORK/text"
    ingle tokenize -m "$BERT" --no-special --parse-special -f "$WORK/text"
    first=$(tr -d '[] \n' <"$WORK/out")
    printf '[SEP] world' >"$WORK/text"
    ingle tokenize -m "$BERT" --no-special -f "$WORK/text"
    second=$(tr -d '[] \n' <"$WORK/out")
    printf '[SEP]' >"$WORK/text"
    ingle tokenize -m "$BERT" --no-special --parse-special -f "$WORK/text"
    ingle embed "$WORK/template.gguf" --pooling rank \
        --tokens "$first,$second,$(tr -d '[] \n' <"$WORK/out")"
    check "a template: its tokens" cmp -s "$WORK/out" "$WORK/rank"
    ingle_from "$WORK/lines" embed "$WORK/template.gguf" --pooling rank
    code_is "no pair for a template" 1
    err_has "no pair for a template" "line 1: the model ranks pairs"
    ingle_from "$WORK/pairs" embed --pooling rank
    code_is "a decoder without a classifier" 1
    err_has "a decoder without a classifier" "no classifier"
    ingle run -m "$WORK/rank.gguf" Hello
    code_is "run, a reranker" 1
    out_is "run, a reranker" ""
    err_has "run, a reranker" "(bert) ranks texts and generates none: use 'ingle embed --pooling rank'"
else
    echo "skipped: no python3"
fi
for verb in "run Hello -m" "logits --tokens 1 --out $WORK/none" bench; do
    ingle $verb "$BERT"
    code_is "${verb%% *}" 1
    out_is "${verb%% *}" ""
    err_has "${verb%% *}" "(bert) embeds texts and generates none: use 'ingle embed'"
done
check "no logits, no file" test ! -e "$WORK/none"
finish
