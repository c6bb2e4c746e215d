# Man page and completion come from the option tables: complete, and readable by their readers.
. "$(dirname "$0")/lib.sh"

ingle help --man
code_is "man page" 0
cp "$WORK/out" "$WORK/ingle.1"
for verb in run serve inspect tokenize logits embed score template grammar bench; do
    check "man page has $verb" grep -q "^.SS \"ingle $verb\"" "$WORK/ingle.1"
done
check "man page has options" grep -qF -- '\-\-repeat\-penalty' "$WORK/ingle.1"
if command -v groff >/dev/null; then
    groff -man -Tutf8 -wall "$WORK/ingle.1" >/dev/null 2>"$WORK/err"
    check "man page without warnings" test "$(grep -vc 'cannot adjust line' "$WORK/err")" -eq 0
fi
ingle help --man serve
code_is "ingle-serve(1)" 0
cp "$WORK/out" "$WORK/ingle-serve.1"
ingle help serve
for option in $(sed -nE 's/^  (-[^ ]+(, -[^ ]+)*).*/\1/p' "$WORK/out" | tr -d ,); do
    check "ingle-serve(1) has $option" grep -qF -- "${option//-/\\-}" "$WORK/ingle-serve.1"
done
if command -v groff >/dev/null; then
    groff -man -Tutf8 -wall "$WORK/ingle-serve.1" >/dev/null 2>"$WORK/err"
    check "ingle-serve(1) without warnings" test "$(grep -vc 'cannot adjust line' "$WORK/err")" -eq 0
fi
ingle help --man run
code_is "a verb without a page of its own" 2
ingle help --completion bash
check "bash completion parses" bash -n "$WORK/out"
complete_with() { # WORDS...: what bash offers for the last of them
    bash -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ingle; echo "${COMPREPLY[*]}"' _ "$WORK/out" "$@"
}
check "completes verbs" test "$(complete_with ingle tok)" = tokenize
check "completes options" test "$(complete_with ingle run --repeat-p)" = --repeat-penalty
ingle help --completion zsh
out_has "zsh completion" "#compdef ingle"
command -v zsh >/dev/null && check "zsh completion parses" zsh -n "$WORK/out"
ingle help --completion fish
out_has "fish completion" "complete -c ingle"
command -v fish >/dev/null && check "fish completion parses" fish -n "$WORK/out"
ingle help --completion tcsh
code_is "unknown shell" 2
finish
