# Finding and refusing models.
. "$(dirname "$0")/lib.sh"

ingle run -m "$WORK/nothere.gguf" x
code_is "missing model" 3
err_has "missing model" "there is no model file '$WORK/nothere.gguf'"
err_has "missing model" "GGUF files nearby"

mkdir "$WORK/models" && cd "$WORK" || exit 1
touch "$WORK/models/mistral.gguf" "$WORK/models/qwen.gguf" "$WORK/models/notes.txt"
ingle run -m models/mistrak.gguf x
code_is "misspelt model" 3
err_has "misspelt model" "there is no model file '$PWD/models/mistrak.gguf'"
check "the closest name comes first" test "$(grep -m 1 '^  ' "$WORK/err")" = "  models/mistral.gguf"
check "only GGUF files are named" test "$(grep -c notes.txt "$WORK/err")" -eq 0
ingle run -m models x
code_is "folder" 3
err_has "folder" "'models' is a folder"
ingle run -m models/mistral.gguf x
code_is "empty file" 3
err_has "empty file" "models/mistral.gguf"
echo "no GGUF at all, just text that is long enough" >"$WORK/models/qwen.gguf"
for verb in run inspect; do
    ingle $verb -m models/qwen.gguf ${verb/inspect/--tensors}
    code_is "$verb: not GGUF" 3
    err_has "$verb: not GGUF" "models/qwen.gguf"
    out_is "$verb: not GGUF: stdout" ""
done
head -c 2000000 "$MODEL" >"$WORK/models/qwen.gguf"
ingle run -m models/qwen.gguf x
code_is "cut file" 3

# The program finds its model beside itself, in a source tree and when installed.
for place in models share/ingle/models; do
    root=$WORK/tree-${place%%/*}
    mkdir -p "$root/bin" "$root/$place"
    cp "$INGLE" "$root/bin/ingle"
    saved=("${RUN[@]}")
    RUN=(${INGLE_EMULATOR:-} "$root/bin/ingle")
    ingle run -n 1 x
    code_is "$place: no model there" 3
    err_has "$place: no model there" "the bundled model tiny-chat.gguf is neither in"
    cp "$MODEL" "$root/$place/tiny-chat.gguf"
    ingle run -n 1 x
    code_is "$place: model found" 0
    RUN=("${saved[@]}")
done
finish
