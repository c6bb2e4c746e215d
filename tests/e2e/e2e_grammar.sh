# Grammars: `ingle grammar`, `ingle run` and `ingle run --chat` that keep to one, /schema in `ingle chat`.
. "$(dirname "$0")/lib.sh"
python=$(python_with json)
PROMPT="Once upon a time"
judge() { # TEXT ARGUMENTS...: TEXT is standard input, byte for byte
    printf '%b' "$1" >"$WORK/in"
    ingle_from "$WORK/in" grammar "${@:2}"
}

# ---- texts ------------------------------------------------------------------------------------

printf '%s\n' 'root ::= greeting " " [a-z]+ "!"?' 'greeting ::= "Hello" | "Hi"' >"$WORK/hello.gbnf"
judge 'Hello world!' "$WORK/hello.gbnf"
code_is "a text of the grammar" 0
out_is "a text of the grammar" '{"accept":true,"dead_at_byte":null,"complete_at":[7,8,9,10,11,12]}
'
check "says nothing else" test ! -s "$WORK/err"
judge 'Hello World' "$WORK/hello.gbnf"
code_is "a text that fails" 1
out_is "a text that fails" '{"accept":false,"dead_at_byte":6,"complete_at":[]}
'
err_has "why" "byte 6: the grammar does not admit 'W' here, but 'a' to 'z'"
judge 'H' "$WORK/hello.gbnf"
out_is "a text that breaks off" '{"accept":false,"dead_at_byte":null,"complete_at":[]}
'
err_has "what is missing" "byte 1: the grammar does not admit the end here, but 'e', 'i'"
judge 'Hi\n' --grammar 'root ::= "Hi"'
err_has "a line feed that echo wrote" "the line feed at the end belongs to the text"
judge 'a\xc3\xa9z' --regex 'a.+'
out_is "characters, not bytes" '{"accept":true,"dead_at_byte":null,"complete_at":[3,4]}
'
judge 'a\xc3\xa9' --regex 'ae'
err_has "the whole character" "does not admit 'é' here"
judge 'a\xff' --regex 'a.*'
out_is "bytes that are no character" '{"accept":false,"dead_at_byte":1,"complete_at":[1]}
'
judge 'cat\ndo\r\ndog\ncats' --choice cat,dog --lines
code_is "--lines" 1
json_is "--lines" "[x['accept'] for x in lines] == [True, False, True, False]"
err_has "--lines" "line 2, byte 2: "
err_has "--lines" "line 4, byte 3: "
judge 'cat\ndog\n' --choice cat,dog --lines
code_is "--lines, all good" 0
judge 'a,b' --choice 'a\,b' --choice 'c\\,d'
code_is "a comma in a choice" 0
judge 'c\\' --choice 'a\,b' --choice 'c\\,d'
code_is "a backslash in a choice" 0
judge 'I say: 12.' --regex '[0-9]+\.' --trigger 1 --trigger 2
out_is "what waits for a trigger" '{"accept":true,"dead_at_byte":null,"complete_at":[0,1,2,3,4,5,6,7,10]}
'
judge '{"a":1}' --json-object --compact
code_is "--json-object" 0
judge '{"a": 1}' --json-object --compact
code_is "--compact" 1
judge '{"a": 1}' --json-object
code_is "white space" 0
printf 'text' >"$WORK/text"
ingle grammar --choice text -f "$WORK/text"
code_is "-f" 0
ingle_from "$WORK/hello.gbnf" grammar - -f "$WORK/text"
code_is "a grammar from standard input" 1

# The vocabulary: which tokens could come, and those that a grammar names.
judge '{"a"' --json-object -m "$MODEL" --tokens
json_is "--tokens" "0 < lines[0]['tokens'] < 50"
judge 'x' --choice y -m "$MODEL" --tokens
json_is "none where the text has failed" "lines[0]['tokens'] == 0"
judge '' --grammar 'root ::= <|im_end|>' -m "$MODEL" --tokens
json_is "a token by its name" "lines[0]['tokens'] == 1"
judge '<|im_end|>' --grammar 'root ::= <|im_end|>'
code_is "without a model these bytes" 0

# ---- schemas ----------------------------------------------------------------------------------

cat >"$WORK/person.json" <<'END'
{"type": "object", "required": ["name", "age"], "additionalProperties": false, "properties":
 {"name": {"type": "string", "maxLength": 8, "pattern": "^[A-Z][a-z]+$"}, "age": {"type": "integer", "minimum": 0, "maximum": 120}}}
END
judge '{"name": "Ada", "age": 36}' --schema "$WORK/person.json"
code_is "a schema" 0
judge '{"age": 36, "name": "Ada"}' --schema "$WORK/person.json"
code_is "members in the schema's order" 1
judge '{"age": 36, "name": "Ada"}' --schema "$WORK/person.json" --any-order
code_is "--any-order" 0
judge '{"name": "Ada", "age": 136}' -j "$WORK/person.json"
code_is "a value out of range" 1
printf '{"$ref": "http://example.com/person"}' >"$WORK/ref.json"
judge '{"name": "Ada", "age": 36}' -jf "$WORK/ref.json" --ref "http://example.com/person=$WORK/person.json"
code_is "--ref" 0
judge '' -jf "$WORK/ref.json"
code_is "a reference that nothing is given for" 1
err_has "file, pointer, message" "$WORK/ref.json: schema #: '\$ref': http://example.com/person is not among"
printf '{"type": "string", "frobnicate": 1, "format": "tea"}' >"$WORK/odd.json"
judge '"x"' --schema "$WORK/odd.json"
code_is "keywords that cannot be enforced" 1
judge '"x"' --schema "$WORK/odd.json" --lenient
code_is "--lenient" 0
err_has "what is left out" "$WORK/odd.json: left out: #: format: "
check "a line for each" test "$(grep -c 'left out: ' "$WORK/err")" -eq 2

# ---- what is wrong ----------------------------------------------------------------------------

broken() { # WANTED-TEXT ARGUMENTS...
    ingle grammar "${@:2}"
    code_is "${*:2}" 1
    out_is "${*:2}: stdout" ""
    err_has "${*:2}" "$1"
    ingle run "${@:2}" "$PROMPT"
    code_is "run ${*:2}" 1
    err_has "run ${*:2}" "$1"
}
printf 'root ::= "a"\nroot ::= [\n' >"$WORK/bad.gbnf"
broken "$WORK/bad.gbnf: line 2, column 1: the rule 'root' is defined already" --grammar "$WORK/bad.gbnf"
broken "--grammar: line 1, column 14: found the rule 'x', which is not defined" --grammar 'root ::= "a" x'
broken "--regex: column 1: " --regex '('
broken "--json-schema: schema #/properties/a: 'type': " --json-schema '{"properties": {"a": {"type": "word"}}}'
broken "--json-schema: schema: byte 1" --json-schema '{]'
broken "no text of the grammar begins with trigger 0" --regex '[0-9]+' --trigger x

refused() { # WANTED-TEXT ARGUMENTS...
    ingle "${@:2}"
    code_is "${*:2}" 2
    out_is "${*:2}: stdout" ""
    err_has "${*:2}" "$1"
}
refused "no grammar" grammar
refused "options '--grammar' and '--regex' exclude each other" grammar "$WORK/hello.gbnf" --regex x
refused "two grammars" grammar "$WORK/hello.gbnf" --grammar x
refused "options '--json-schema' and '--json-schema-file' exclude" run -j x -jf x "$PROMPT"
refused "option '--lenient' needs --json-schema" run --lenient --regex x "$PROMPT"
refused "option '--any-order' needs --json-schema" run --any-order --json-object "$PROMPT"
refused "option '--ref' needs --json-schema" run --ref a=b "$PROMPT"
refused "option '--compact' needs --json-schema or --json-object" run --compact --choice x "$PROMPT"
refused "option '--trigger' needs a grammar" run --trigger x "$PROMPT"
refused "choice 2 is empty" run --choice 'a,,b' "$PROMPT"
refused "'--ref': 'a' is not URI=FILE" run -j '{}' --ref a "$PROMPT"
refused "cannot read /nowhere" run --grammar /nowhere "$PROMPT"
refused "cannot read root" run --grammar-file root "$PROMPT"
refused "'-' is standard input, which is read for the prompt already" run --grammar -
refused "'-' is standard input, which is read for the prompts already" run -j - --parallel 2
refused "'-' is standard input, which is read for the messages already" run -j - --chat
refused "'-' is standard input, which is read for the text already" grammar -
refused "needs a model" grammar --choice x --tokens
refused "'triggers': number 0 is empty" grammar --choice x --trigger ''

# ---- run --------------------------------------------------------------------------------------

ingle run --temp 0 --choice 'yes,no' "$PROMPT"
code_is "--choice" 0
check "--choice" grep -qxE 'yes|no' "$WORK/out"
ingle run --temp 0 --grammar "$WORK/hello.gbnf" -n 40 "$PROMPT"
check "--grammar" grep -qE '^(Hello|Hi) [a-z]+!?$' "$WORK/out"
ingle run --temp 0 --grammar 'root ::= [A-Z] [a-z]{3,6} " and " [A-Z] [a-z]{3,6} "."' "$PROMPT"
check "--grammar as text" grep -qE '^[A-Z][a-z]{3,6} and [A-Z][a-z]{3,6}\.$' "$WORK/out"
ingle_from "$WORK/hello.gbnf" run --temp 0 --grammar - -n 40 "$PROMPT"
check "a grammar from standard input" grep -qE '^(Hello|Hi) [a-z]+!?$' "$WORK/out"
ingle run --temp 0 -j "$WORK/person.json" "$PROMPT"
code_is "--json-schema" 0
json_is "--json-schema" "list(lines[0]) == ['name', 'age'] and 0 <= lines[0]['age'] <= 120 and lines[0]['name'][0].isupper()"
for seed in 1 2 3 4 5; do
    how=(--temp 2 --top-k 0 --top-p 1 --min-p 0 --seed "$seed" -n 900)
    ingle run "${how[@]}" --regex '[a-z]{2,9}( [0-9]{1,3}){2}' "$PROMPT"
    check "--regex, however wild" grep -qxE '[a-z]{2,9}( [0-9]{1,3}){2}' "$WORK/out"
    ingle run "${how[@]}" -j "$WORK/person.json" --compact "$PROMPT"
    json_is "a schema, however wild" "list(lines[0]) == ['name', 'age']"
    ingle run "${how[@]}" --json --json-object "$PROMPT"
    json_is "any object, however wild" "lines[-1]['finish'] == 'length' or (lines[-1]['complete'], type(json.loads(''.join(x.get('text', '') for x in lines)))) == (True, dict)"
done

ingle run --temp 0 -n 3 --regex '[a-z ]{60}' "$PROMPT"
code_is "a text that is cut" 0
err_has "a text that is cut" "the text is unfinished: it breaks off after 3 tokens"
ingle run --temp 0 -n 3 --regex '[a-z ]*' "$PROMPT"
check "a text that may end where it is cut" sh -c "! grep -q unfinished '$WORK/err'"
ingle run --temp 0 -n 0 --regex 'x' "$PROMPT"
check "nothing was to be generated" sh -c "! grep -q unfinished '$WORK/err'"
ingle run --temp 0 --json -n 3 --regex '[a-z ]{60}' "$PROMPT"
json_is "complete" "lines[-1]['complete'] is False"
ingle run --temp 0 --json --choice yes "$PROMPT"
json_is "a text that alone can come" "lines[-1]['finish'] == 'stop' and lines[-1]['complete'] and ''.join(x.get('text', '') for x in lines) == 'yes'"
ingle run --temp 0 --json --choice yes
json_is "no event of a grammar without one" "lines[-1]['finish'] == 'stop'"
ingle run --json --grammar 'root ::= x' "$PROMPT"
json_is "what is wrong, as an event" "lines[-1]['event'] == 'error' and lines[-1]['status'] == 'INGLE_EFORMAT'"

# Free text until the trigger: the same as without a grammar, and then its text.
ingle run --temp 0 --seed 1 -n 200 "$PROMPT"
cp "$WORK/out" "$WORK/free"
ingle run --temp 0 --seed 1 -n 200 --regex 'lived [0-9]{3}\.' --trigger 'lived' "$PROMPT"
check "free, then constrained" grep -qE ' lived [0-9]{3}\.$' "$WORK/out"
sed 's/ lived .*//' "$WORK/out" | tr -d '\n' >"$WORK/before"
check "free until the trigger" cmp -s "$WORK/before" <(head -c "$(wc -c <"$WORK/before")" "$WORK/free")
ingle run --temp 0 --seed 1 -n 200 --regex 'elephantine [0-9]' --trigger elephantine "$PROMPT"
check "a trigger that does not come" cmp -s "$WORK/out" "$WORK/free"
check "and nothing is unfinished" sh -c "! grep -q unfinished '$WORK/err'"

printf '"One"\n{"prompt": "Two", "max_tokens": 2}\n"Three"\n' >"$WORK/prompts"
ingle_from "$WORK/prompts" run --temp 2 --parallel 2 --regex '[a-z]{12} [a-z]{12}'
code_is "--parallel" 0
json_is "--parallel" "[x['complete'] for x in lines] == [True, False, True] and len(lines[0]['text']) == len(lines[2]['text']) == 25"

# ---- messages ---------------------------------------------------------------------------------

echo '[{"role": "user", "content": "What is the capital of France?"}]' >"$WORK/messages"
talk() { ingle_from "$WORK/messages" run --chat --temp 0 "$@"; }
talk --choice 'Berlin,Paris,Rome'
code_is "--chat" 0
check "--chat" grep -qxE 'Berlin|Paris|Rome' "$WORK/out"
talk -o json -j "$WORK/person.json"
json_is "--chat with a schema" "lines[0]['complete'] and lines[0]['finish'] == 'stop' and list(json.loads(lines[0]['content'])) == ['name', 'age']"
talk -o json -n 2 -j "$WORK/person.json"
json_is "--chat that is cut" "not lines[0]['complete']"
err_has "--chat that is cut" "the text is unfinished"
talk --choice '<think>x</think>'
code_is "marks of thinking are no text" 1
err_has "marks of thinking are no text" "choice 0 is not plain text in the model's format"
talk -o json
json_is "without a grammar" "'complete' not in lines[0]"
echo '[{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]' >"$WORK/tools.json"
talk -o json --choice x --tools "$WORK/tools.json"
code_is "--chat with tools" 0
json_is "a text of the form, or a call" "lines[0]['complete'] and (lines[0]['content'] == 'x') != bool(lines[0]['tool_calls'])"
talk --choice x --trigger x --tools "$WORK/tools.json"
code_is "a trigger and tools" 2
err_has "a trigger and tools" "waits for a trigger has no calls: it excludes tools"
talk --choice x --tools "$WORK/tools.json" --no-tool-grammar
code_is "a form and free calls" 2
err_has "a form and free calls" "it excludes '--no-tool-grammar'"
echo '[{"role": "user", "content": "What is the weather in Oslo?"}]' >"$WORK/weather"
sed 's/"name": "f"/"name": "get_weather"/; s/{"type": "object"}/{"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}/' "$WORK/tools.json" >"$WORK/weather.tools"
ingle_from "$WORK/weather" run --chat --temp 0 -o json -j "$WORK/person.json" --tools "$WORK/weather.tools"
code_is "a call beside a schema" 0
json_is "a call beside a schema" "lines[0]['finish'] == 'tool_calls' and lines[0]['tool_calls'][0]['function']['name'] == 'get_weather' and lines[0]['content'] == ''"
cat >"$WORK/think.jinja" <<'END'
{% for m in messages %}<|im_start|>{{ m.role }}
{{ m.content }}<|im_end|>
{% endfor %}<|im_start|>assistant
<think>
END
thinking() { talk -o json --chat-template-file "$WORK/think.jinja" --chat-family qwen3 "$@"; }
thinking --choice x --reasoning-budget 6
code_is "thinking before a form" 0
json_is "thinking before a form" "lines[0]['content'] == 'x' and lines[0]['reasoning'] and lines[0]['complete']"
thinking --choice x --reasoning-budget 0
json_is "no thinking" "lines[0]['content'] == 'x' and not lines[0]['reasoning']"
thinking --reasoning-budget 0 -n 20
json_is "a limit without a form" "lines[0]['usage']['generated_tokens'] > 0 and not lines[0]['reasoning']"
talk --reasoning-budget 6 --chat-family gemma2
code_is "a limit where nothing thinks" 2
err_has "a limit where nothing thinks" "excludes '--reasoning-budget'"
cat >>"$WORK/think.jinja" <<'END'
{%- if enable_thinking is defined and not enable_thinking %}</think>
{% endif %}
END
thinking --choice x --thinking off
code_is "thinking that is switched off" 0
json_is "thinking that is switched off" "lines[0]['content'] == 'x' and not lines[0]['reasoning']"

# ---- a conversation ---------------------------------------------------------------------------

chat() { # TEXT ARGUMENTS...
    printf '%b' "$1" >"$WORK/in"
    ingle_from "$WORK/in" chat --temp 0 "${@:2}"
}
printf '{"type": "object", "required": ["city"], "additionalProperties": false, "properties": {"city": {"enum": ["Rome", "Paris", "Madrid"]}}}' >"$WORK/city.json"
chat "/schema\nWhat is the capital of France?\n/schema $WORK/city.json\nWhat is the capital of France?\nAnd of Spain?\n/stats\n/schema off\nWhat is the capital of Spain?\n" --seed 1
code_is "/schema" 0
out_has "free at first" "Answers are free."
check "free at first" test "$(grep -c '^The capital of France is Paris.$' "$WORK/out")" -eq 1
check "two constrained answers" test "$(grep -cxE '[{] ?"city": ?"(Rome|Paris|Madrid)" ?[}]' "$WORK/out")" -eq 2
out_has "/schema says what is set" "Answers keep to the schema $WORK/city.json: masks 0"
check "/stats counts masks" grep -q 'masks [1-9]' "$WORK/out"
check "/schema off" test "$(tail -n 1 "$WORK/out")" = "The capital of Spain is Madrid."
chat "/schema $WORK/city.json\n/schema {\"type\": \"word\"}\n/schema /nowhere\n/schema -\n/schema\n"
code_is "/schema that fails" 1
err_has "/schema that is none" "/schema: schema #: 'type': "
err_has "/schema that is not there" "cannot read /nowhere"
err_has "/schema -" "/schema needs a file"
check "the schema before stays" grep -q "^Answers keep to the schema $WORK/city.json" <(tail -n 1 "$WORK/out")
chat "/schema $WORK/city.json\nWhat is the weather in Oslo?\n/tools off\nHello\n" --tools "$WORK/weather.tools"
code_is "/schema with tools" 0
out_has "a call is possible" '-> get_weather {"city": "Oslo"}'
check "else the schema counts" grep -qxE '[{] ?"city": ?"(Rome|Paris|Madrid)" ?[}]' "$WORK/out"
chat "/schema $WORK/city.json\n/tools $WORK/weather.tools\n/schema off\n/tools $WORK/weather.tools\n/schema $WORK/city.json\n" --no-tool-grammar
code_is "/schema and free calls" 1
err_has "/tools after /schema" "excludes tools with '--no-tool-grammar'"
err_has "/schema after /tools" "it excludes '--no-tool-grammar'"
chat "/schema $WORK/city.json\n/set reasoning_budget 6\nHello\n/set reasoning_budget -2\n" --chat-template-file "$WORK/think.jinja" --chat-family qwen3 --show-thinking
code_is "/set reasoning_budget" 1
out_has "/set reasoning_budget" "[thinking: "
err_has "/set reasoning_budget out of range" "reasoning-budget"
chat '/schema {"type": "string", "minLength": 200}\nHello\n' -n 5
err_has "an answer that is cut" "the text is unfinished: it breaks off after 5 tokens"

# ---- texts of schemas (what the model writes under them: e2e_structured.sh) ---------------------

if judging=$(python_with jsonschema); then
    export PYTHONDONTWRITEBYTECODE=1
    E2E=$INGLE_SOURCE/tests/e2e
    PROGRAM=$(printf '%s\n' "${RUN[@]}")
    "$judging" "$E2E/schemas.py" --list --count "$([ -n "${INGLE_ALL:-}" ] && echo 500 || echo 70)" >"$WORK/schemas"
    check "texts of schemas" "$judging" "$E2E/grammar.py" schemas "$PROGRAM" "$WORK/schemas"
else
    echo "skipped: no python3 with jsonschema"
fi

# ---- every text of the corpus -----------------------------------------------------------------

if [ -n "$python" ] && [ -n "${INGLE_DATA:-}" ] && [ -d "$INGLE_DATA/grammars" ]; then
    PROGRAM=$(printf '%s\n' "${RUN[@]}")
    for folder in llama.cpp stress; do
        check "texts of $folder" "$python" "$(dirname "$0")/grammar.py" strings "$PROGRAM" "$INGLE_DATA/grammars/$folder"
    done
    check "grammars that are none" "$python" "$(dirname "$0")/grammar.py" invalid "$PROGRAM" "$INGLE_DATA/grammars/invalid_grammars.json"
else
    echo "skipped: no corpus"
fi
finish
