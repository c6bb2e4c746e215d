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

ingle embed "$BERT" --tokens 1 --pooling rank
code_is "no classifier" 1
err_has "no classifier" "rank"
ingle embed "$BERT" --tokens 1 --pooling best
code_is "unknown pooling" 2
ingle embed "$BERT" --tokens "$(seq -s , 1 129)"
code_is "longer than the positions" 1
ingle run -m "$BERT" Hello
code_is "run" 1
err_has "run" "embeds texts"
finish
