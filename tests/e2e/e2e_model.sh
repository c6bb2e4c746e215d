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
# Files that people take for models are called what they are.
called() { # WHAT BYTES (as of printf) TEXT
    printf "$2" >"$WORK/other.gguf"
    ingle run -m "$WORK/other.gguf" x
    code_is "$1" 3
    err_has "$1" "$3"
}
called "a pointer of Git LFS" 'version https://git-lfs.github.com/spec/v1\noid sha256:0\n' "a pointer of Git LFS"
called "a web page" '<!DOCTYPE html><html>Sign in</html>' "an HTML page"
called "a web page after blanks" '\xef\xbb\xbf\n <html>' "an HTML page"
called "a checkpoint of PyTorch" 'PK\003\004 and so on' "a zip archive"
called "safetensors" '\x10\0\0\0\0\0\0\0{"a":{}}' "a safetensors file"
called "gzip" '\x1f\x8b\x08\0\0\0' "compressed by gzip"
called "JSON" '{"a": 1}' "a JSON text"
ln -s ../blobs/gone "$WORK/models/gone.gguf"
ingle run -m "$WORK/models/gone.gguf" x
code_is "a link that leads nowhere" 3
err_has "a link that leads nowhere" "is a link to '../blobs/gone', which is not there"
check "a link that leads nowhere is not offered" test "$(grep -c gone.gguf "$WORK/err")" -eq 1
ingle run --json -m "$WORK/nothere.gguf" x
json_is "the failure is an event too" "[(e['event'], e['status']) for e in lines] == [('error', 'INGLE_ENOTFOUND')] and 'nothere' in lines[0]['message']"
ingle run --json -m "$WORK/other.gguf" x
json_is "so is one of another kind" "lines[0]['status'] == 'INGLE_EFORMAT' and 'JSON' in lines[0]['message']"
if [ "$(id -u)" -ne 0 ]; then
    cp "$MODEL" "$WORK/closed.gguf" && chmod 0 "$WORK/closed.gguf"
    ingle run -m "$WORK/closed.gguf" x
    check "the path is said once" test "$(grep -o closed.gguf "$WORK/err" | wc -l)" -eq 1
fi
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
