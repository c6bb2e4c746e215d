# A mixture of experts of quantised weights: which rows share an expert's product never shows in the bits.
. "$(dirname "$0")/lib.sh"

MAKE=${INGLE_BUILD:?the build folder}/bench/make-model
for recipe in q4_k_m q8_0 f16; do
    MOE=$WORK/moe.$recipe.gguf
    check "$recipe is made" ${INGLE_EMULATOR:-} "$MAKE" --shape tiny-qwen3moe --recipe $recipe --out "$MOE"
    TOKENS=$(seq -s , 3 9 900) # 100 tokens
    ingle logits "$MOE" --tokens "$TOKENS" --out "$WORK/all"
    code_is "$recipe" 0
    for flags in "-b 1" "-b 7" "-b 33 -t 3" "-t 1" "-t 5" "--isa ref -b 20" "--in-place -t 2" \
        "--experts mmap -b 40" "--experts mmap -b 1"; do
        ingle logits "$MOE" --tokens "$TOKENS" --out "$WORK/other" $flags
        code_is "$recipe $flags" 0
        check "$recipe $flags: the same bits" cmp -s "$WORK/all" "$WORK/other"
    done
done
ingle inspect --memory --experts mmap "$MOE"
code_is "memory" 0
out_has "mapped experts are told" "mapped"
ingle inspect --plan "$MOE"
out_has "plan" "EXPERTS"
finish
