# Every recipe of the maker of models: weights of that type run, and their sizes are sane.
. "$(dirname "$0")/lib.sh"

MAKE=(${INGLE_EMULATOR:-} "${INGLE_BUILD:?the build folder}/bench/make-model")
RECIPES=$("${MAKE[@]}" 2>&1 | sed -n 's/^recipes: *//p')
check "recipes are listed" test "$(wc -w <<<"$RECIPES")" -ge 35
for recipe in $RECIPES; do
    FILE=$WORK/$recipe.gguf
    check "$recipe is made" "${MAKE[@]}" --shape tiny-qwen2 --recipe "$recipe" --out "$FILE"
    ingle run -m "$FILE" -n 4 --ignore-eos --json Hello # no NaN: the sampler refuses those
    code_is "$recipe" 0
    check "$recipe: four tokens" test "$(grep -c '"event":"token"' "$WORK/out")" -eq 4
    ingle logits "$FILE" --tokens "$(seq -s , 3 9 120)" --out "$WORK/$recipe.logits"
    code_is "$recipe: logits" 0
    rm -f "$FILE"
done
python3 -c 'import array' 2>/dev/null && check "logits of about 1" python3 - "$WORK"/*.logits <<'PY'
import array, sys
far = []
for name in sys.argv[1:]:
    x = array.array("f", open(name, "rb").read())
    if not 0.25 < sum(v * v for v in x) / len(x) < 4:
        far.append(name)
sys.exit(" ".join(far) or 0)
PY
for recipe in iq1_s iq4_ks; do
    "${MAKE[@]}" --shape tiny-qwen3moe --recipe $recipe --out "$WORK/moe.gguf"
    ingle bench "$WORK/moe.gguf" -p 8 -n 2 -r 1 -o json
    code_is "$recipe: bench" 0
    json_is "$recipe: bench" "all(r['tps'] > 0 for r in lines[0]['rows'])"
done
finish
