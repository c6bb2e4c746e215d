# `ingle logits`: rows of little-endian floats whose bits depend on the tokens alone.
. "$(dirname "$0")/lib.sh"

TOKENS=$(seq -s , 100 7 600) # 72 tokens
ingle logits --tokens "$TOKENS" --out "$WORK/all" -b 512
code_is "logits" 0
out_is "nothing on stdout" ""
check "a row per token" test "$(wc -c <"$WORK/all")" -eq $((72 * 2048 * 4))
for flags in "-b 1" "-b 7" "-b 32" "-t 1" "-t 2" "-t 5" "-c 72" "-c 600" "-b 33 -t 3" --in-place \
    "--in-place -b 7 -t 3"; do
    ingle logits "$MODEL" --tokens "$TOKENS" --out "$WORK/other" $flags
    code_is "$flags" 0
    check "$flags: the same bits" cmp -s "$WORK/all" "$WORK/other"
done
ingle logits --tokens "$TOKENS" --out - --last
tail -c 8192 "$WORK/all" >"$WORK/row"
check "--last, to stdout" cmp -s "$WORK/out" "$WORK/row"
echo "[${TOKENS//,/, }]" >"$WORK/json"
ingle_from "$WORK/json" logits --tokens - --out "$WORK/other"
check "tokens from stdin" cmp -s "$WORK/all" "$WORK/other"
for kv in f32 bf16 q8_0; do
    ingle logits --tokens "$TOKENS" --out "$WORK/other" --kv $kv
    code_is "--kv $kv" 0
    check "--kv $kv is used" test "$(cmp "$WORK/all" "$WORK/other")" != ""
done
ingle logits --tokens "$TOKENS" --out "$WORK/other" -c 71
code_is "context too small" 1
err_has "context too small" "72 tokens do not fit a context of 71"
ingle logits --tokens 1,99999 --out "$WORK/other"
code_is "token out of range" 1
err_has "token out of range" "99999"
ingle logits --tokens 1 --out /nonexistent/folder/file
code_is "file that cannot be written" 1
err_has "file that cannot be written" "/nonexistent/folder/file"
finish
