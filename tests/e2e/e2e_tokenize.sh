# `ingle tokenize`: ids out, bytes back.
. "$(dirname "$0")/lib.sh"

printf 'Hello, world! Hello.' >"$WORK/text"
ingle_from "$WORK/text" tokenize
code_is "tokenize" 0
json_is "an array of ids" "len(lines) == 1 and all(isinstance(i, int) and 0 <= i < 2048 for i in lines[0])"
cp "$WORK/out" "$WORK/ids"
ingle_from "$WORK/ids" tokenize --decode "$MODEL"
check "round trip" cmp -s "$WORK/out" "$WORK/text"
printf '[]' >"$WORK/none"
ingle_from "$WORK/none" tokenize --decode
code_is "no ids" 0
out_is "no ids" ""
ingle_from /dev/null tokenize
out_is "no text" "[]
"

# Bytes of every kind survive, with and without special tokens.
{ printf 'a\0b\377\376 \360\237\230\200 \r\n\t  <|im_end|>'; head -c 3000 "$INGLE"; } >"$WORK/bytes"
for flags in "" "--no-special" "--parse-special" "--parse-special --no-special"; do
    ingle_from "$WORK/bytes" tokenize $flags
    code_is "bytes $flags" 0
    cp "$WORK/out" "$WORK/ids"
    ingle_from "$WORK/ids" tokenize $flags --decode
    check "bytes come back $flags" cmp -s "$WORK/out" "$WORK/bytes"
done
ingle tokenize -f "$WORK/bytes" --parse-special
json_is "<|im_end|> is one token" "2047 in lines[0]"
ingle tokenize -f "$WORK/bytes"
json_is "<|im_end|> is plain text" "2047 not in lines[0]"

printf 'one two \342\202\254 \360\237\230\200<|im_end|>' >"$WORK/text"
ingle_from "$WORK/text" tokenize --pieces --parse-special
json_is "pieces join to the text" \
    "b''.join(p['piece'].encode() if isinstance(p['piece'], str) else bytes(p['piece']) for p in lines[0]) == b'one two \xe2\x82\xac \xf0\x9f\x98\x80<|im_end|>'"

for bad in '[1,' '[1 2]' '[-1]' '[1.5]' '["a"]' '[[1]]' '1,2]' '[99999999999]' 'x'; do
    printf '%s' "$bad" >"$WORK/bad"
    ingle_from "$WORK/bad" tokenize --decode
    code_is "ids '$bad'" 1
    err_has "ids '$bad'" "byte"
done
printf '[2048]' >"$WORK/bad"
ingle_from "$WORK/bad" tokenize --decode
code_is "an id past the vocabulary" 1
err_has "an id past the vocabulary" "2048"
finish
