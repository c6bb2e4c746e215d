# `ingle template`: chat templates of files and of models, the clock, spans, marks, what fails.
. "$(dirname "$0")/lib.sh"

printf '%s' '{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}{{ strftime_now("%d %b %Y %H:%M") }}' \
    >"$WORK/t.jinja"
printf '%s' '{"bos_token":"<s>","messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Yo \u00e9"}]}' \
    >"$WORK/context"
ingle_from "$WORK/context" template "$WORK/t.jinja" --now 2026-01-15T09:30:00
code_is "a template" 0
out_is "a template" "<s><user>Hi<assistant>Yo é15 Jan 2026 09:30"
ingle template "$WORK/t.jinja" -f "$WORK/context" --now 2026-01-15T09:30:00
out_is "a context in a file" "<s><user>Hi<assistant>Yo é15 Jan 2026 09:30"
ingle_from "$WORK/context" template "$WORK/t.jinja"
out_has "the clock" "$(date +%Y)"

ingle_from "$WORK/context" template "$WORK/t.jinja" --spans --now 2026-01-15T09:30:00
json_is "spans" "[(x['text'], x['trusted']) for x in lines if 'text' in x][:4] == [('<s><', True), ('user', False), ('>', True), ('Hi<assistant>'[:2], False)]"
json_is "marks" "[(x['offset'], x['message']) for x in lines if 'offset' in x] == [(11, 0), (27, 1)]"

printf '%s' '{{ raise_exception("no " ~ messages[0].role) }}' >"$WORK/raises.jinja"
ingle_from "$WORK/context" template "$WORK/raises.jinja"
code_is "a template that refuses" 1
err_has "a template that refuses" "line 1: the template refuses: no user"
printf 'a\n{%% if %%}' >"$WORK/bad.jinja"
ingle_from "$WORK/context" template "$WORK/bad.jinja"
code_is "no template" 1
err_has "no template" "line 2"
printf '[1' >"$WORK/bad"
ingle_from "$WORK/bad" template "$WORK/t.jinja"
code_is "no JSON" 1
err_has "no JSON" "byte 2"
ingle_from "$WORK/context" template "$WORK/missing.jinja"
code_is "no file" 1
ingle_from "$WORK/context" template "$WORK/t.jinja" --now yesterday
code_is "no time" 2
err_has "no time" "yesterday"
ingle_from "$WORK/context" template
code_is "neither file nor model" 2
ingle_from "$WORK/context" template "$WORK/t.jinja" -m "$MODEL"
code_is "both" 2

# A model's own, and one of its named ones.
ingle_from "$WORK/context" template -m "$MODEL"
code_is "the model's template" 0
out_has "the model's template" "Hi"
if command -v python3 >/dev/null; then
    PYTHONPATH=$(dirname "$0") python3 - "$MODEL" "$WORK/m.gguf" <<'PY'
import sys
from gguf import Gguf, STR
g = Gguf(sys.argv[1])
g.keys["tokenizer.chat_template.tool_use"] = (STR, "named {{ messages | length }}\n\"quoted\"")
g.write(sys.argv[2])
PY
    ingle_from "$WORK/context" template -m "$WORK/m.gguf" --name tool_use
    out_is "a named template" 'named 2
"quoted"'
    ingle_from "$WORK/context" template -m "$WORK/m.gguf" --name rag
    code_is "a name that is not there" 1
    err_has "a name that is not there" "tokenizer.chat_template.rag"
fi
# The model's own tokens, unless the context says otherwise.
printf '%s' '{"messages":[]}' >"$WORK/none"
ingle_from "$WORK/none" template -m "$MODEL" --override-kv 'tokenizer.chat_template=str:{{ eos_token }}'
code_is "tokens of the model" 0
out_is "tokens of the model" "<|im_end|>"
printf '%s' '{"eos_token":"E"}' >"$WORK/own"
ingle_from "$WORK/own" template -m "$MODEL" --override-kv 'tokenizer.chat_template=str:{{ eos_token }}'
out_is "tokens of the context" "E"
finish
