# ingle chat and ingle run --chat: through pipes, and typed on a terminal that tmux makes.
. "$(dirname "$0")/lib.sh"

chat() { # TEXT ARGUMENTS...: TEXT is standard input
    printf '%b' "$1" >"$WORK/in"
    ingle_from "$WORK/in" chat --temp 0 "${@:2}"
}
reused() { sed -n "$1s/^\[reused \([0-9]*\), computed \([0-9]*\), generated \([0-9]*\),.*/\1/p" "$WORK/usage"; }
computed() { sed -n "$1s/^\[reused \([0-9]*\), computed \([0-9]*\), generated \([0-9]*\),.*/\2/p" "$WORK/usage"; }
generated() { sed -n "$1s/^\[reused \([0-9]*\), computed \([0-9]*\), generated \([0-9]*\),.*/\3/p" "$WORK/usage"; }
usage() { grep '^\[reused' "$WORK/err" >"$WORK/usage"; }

# ---- turns ------------------------------------------------------------------------------------

chat 'What is the capital of France?\n\nAnd of Spain?\nWhat is 3 plus 4?' -v
code_is "three turns" 0
out_is "answers alone" "The capital of France is Paris.
The capital of Spain is Madrid.
3 + 4 = 7.
"
usage
check "a first turn reuses nothing" test "$(reused 1)" -eq 0
for turn in 2 3; do
    before=$((turn - 1))
    check "turn $turn goes on where turn $before ended" test \
        "$(reused $turn)" -eq $(($(reused $before) + $(computed $before) + $(generated $before)))
    check "turn $turn computes new text only" test "$(computed $turn)" -lt 20
done

chat 'What is the capital of France?\n'
check "without -v nothing on standard error" test ! -s "$WORK/err"
chat 'What is the \\\ncapital of\\\nFrance?\n"""What is the\n\ncapital of Spain?"""\n"""\nHello\n"""\n' -v
check "messages of several lines are three turns" test "$(grep -c '^\[reused' "$WORK/err")" -eq 3

# Thinking that is stripped from the history: what follows it is computed again, and no more.
cat >"$WORK/think.jinja" <<'END'
{% for m in messages %}<|im_start|>{{ m.role }}
{{ m.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
<think>
{% endif %}
END
chat 'What is the capital of France?\nAnd of Spain?\n' -v --chat-template-file "$WORK/think.jinja" --chat-family qwen3
usage
out_is "thinking is not shown in a pipe" ""
check "stripped thinking" test "$(reused 2)" -ge $(($(computed 1) - 6)) -a "$(computed 2)" -lt 30
chat 'What is the capital of France?\n' --show-thinking --chat-template-file "$WORK/think.jinja" --chat-family qwen3
out_has "--show-thinking" "[thinking: "

# ---- commands ---------------------------------------------------------------------------------

chat "/system Answer with one word only.\nWhat is the capital of France?\n/save $WORK/saved\n/undo\n/save $WORK/undone\n/regen\n"
code_is "a command that cannot" 1
err_has "nothing to answer again" "there is no message yet"
out_has "/system" "Paris"
cp "$WORK/saved" "$WORK/out"
json_is "/save" "[m['role'] for m in lines[0]['messages']] == ['system', 'user', 'assistant'] and lines[0]['messages'][2]['content'] == 'Paris' and lines[0]['model']"
cp "$WORK/undone" "$WORK/out"
json_is "/undo" "[m['role'] for m in lines[0]['messages']] == ['system']"

chat "/load $WORK/saved\nWhat is the capital of Spain?\n/save -\n"
code_is "/load" 0
out_has "a loaded conversation goes on" "Madrid"

chat "What is the capital of France?\n/fork a\nAnd of Spain?\n/load a\nAnd of Italy?\n" -v
code_is "/fork" 0
usage
check "a fork keeps what was computed" test "$(reused 3)" -ge "$(reused 2)"
out_has "/load of a fork" "Rome"

chat "What is the capital of France?\n/regen\n/save -\n" -v
usage
check "/regen computes one token" test "$(computed 2)" -le 1
check "/regen answers again" test "$(grep -c '^The capital of France is Paris.$' "$WORK/out")" -eq 2
tail -n 2 "$WORK/out" | head -n 1 >"$WORK/last" && cp "$WORK/last" "$WORK/out"
json_is "/regen leaves one answer" "len(lines[0]['messages']) == 2"

# Where it fails, nothing is lost: here a system message that leaves no room.
long=$(printf 'one two three four five %.0s' $(seq 60))
chat "What is the capital of France?\n/system $long\n/regen\n/system Be brief.\n/save $WORK/saved\n" -c 256
code_is "/regen that fails" 1
err_has "/regen that fails" "do not fit into 256"
err_has "what becomes of the conversation" "the conversation is as it was before"
cp "$WORK/saved" "$WORK/out"
json_is "question and answer stay" "[m['content'] for m in lines[0]['messages']] == ['Be brief.', 'What is the capital of France?', 'The capital of France is Paris.']"

printf 'What is the capital of France?' >"$WORK/question"
chat "/read $WORK/question\nPlease.\n/save -\n"
out_has "/read" 'What is the capital of France?\n\nPlease.'
printf '\377' >"$WORK/bytes"
chat "/read $WORK/bytes\n/read /nowhere\n/frobnicate\n/set temperatur 1\n/set top_k 7\n/set effort high\n/show\n/stats\n/help\n/tools\n/clear\n/exit\nHello\n"
code_is "commands that fail" 1
err_has "/read of no text" "not UTF-8"
err_has "/read of no file" "/nowhere: No such file"
err_has "unknown command" "unknown command '/frobnicate'"
err_has "/set says what it could be" "did you mean '--temperature'"
err_has "/set effort" "high"
out_has "/set and /show" "top-k                7"
check "/exit ends" sh -c "! grep -q 'How can I' '$WORK/out'"
chat '//x is what?\n/save -\n'
out_has "two slashes" '"content":"/x is what?"'
chat 'Hello\n/clear\nHello\n' -v
usage
check "/clear" test "$(generated 1)" -eq "$(generated 2)"
chat '\377\n'
code_is "no UTF-8" 1

# ---- a full context ---------------------------------------------------------------------------

many=
for i in 1 2 3 4 5 6; do many="${many}What is the capital of France?\n"; done
chat "$many" -c 128
code_is "overflow, by default an error in a pipe" 1
err_has "overflow" "do not fit into 128"
chat "$many" -c 128 --overflow drop
code_is "overflow drop" 0
err_has "what is dropped is reported" "oldest messages are dropped"
check "overflow drop answers all" test "$(grep -c Paris "$WORK/out")" -eq 6
chat "Tell me a story about a fox.\n" -c 64 -n 1000 -l 2047-inf
err_has "an answer that fills the context" "the answer was cut"

# ---- tools ------------------------------------------------------------------------------------

cat >"$WORK/tools.json" <<'END'
[{"type": "function", "function": {"name": "get_weather", "description": "Get the weather of a city",
  "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}]
END
cat >"$WORK/tool" <<'END'
#!/bin/sh
echo "$1 $(cat)" >>"$0.log"
echo '{"temperature": 21, "condition": "sunny"}'
END
chmod +x "$WORK/tool"
chat "What is the weather in Oslo?\n/save $WORK/saved\n" --tools "$WORK/tools.json" --tool-cmd "$WORK/tool"
code_is "a tool" 0
out_has "the call is shown" '-> get_weather {"city": "Oslo"}'
out_has "the result is used" "sunny"
check "the program got name and arguments" grep -qx 'get_weather {"city": "Oslo"}' "$WORK/tool.log"
cp "$WORK/saved" "$WORK/out"
json_is "/save with a call" "[m['role'] for m in lines[0]['messages']] == ['user', 'assistant', 'tool', 'assistant'] and lines[0]['tools'][0]['function']['name'] == 'get_weather' and lines[0]['messages'][2]['tool_call_id'] == lines[0]['messages'][1]['tool_calls'][0]['id']"
check "no hint where a program answers" test ! -s "$WORK/err"
chat "What is the weather in Oslo?\nWhat is the weather in Oslo?\n" --tools "$WORK/tools.json"
code_is "calls that nothing answers" 0
out_has "they are printed" '-> get_weather {"city": "Oslo"}'
check "and the hint comes once" test "$(grep -c -e '--tool-cmd PROGRAM answers calls$' "$WORK/err")" -eq 1
chat "What is the weather in Oslo?\n" --tools "$WORK/tools.json" --tool-cmd /nowhere
code_is "a program that is not there" 1
err_has "the program's name" "cannot run /nowhere"
chat "Hello\n" --tools /nowhere
code_is "tools that are not there" 2
sed 's/{"type": "string"}/{"enum": ["Rome"]}/' "$WORK/tools.json" >"$WORK/rome.json"
chat "What is the weather in Oslo?\n" --tools "$WORK/rome.json"
out_has "arguments are valid for the tool" '-> get_weather {"city": "Rome"}'
chat "Hello\n" --tools "$WORK/rome.json"
out_has "an answer may call nothing" "Hello"
chat "What is the weather in Oslo?\n" --tools "$WORK/rome.json" --no-tool-grammar
out_has "--no-tool-grammar" '-> get_weather {"city": "Oslo"}'
sed 's/{"type": "string"}/{"type": 1}/' "$WORK/tools.json" >"$WORK/no_type.json"
chat "What is the weather in Oslo?\nAnd in Rome?\n" --tools "$WORK/no_type.json"
code_is "tools whose schema is none" 0
check "are said to be free, once" test "$(grep -c 'calls of tools are not constrained: tool .get_weather' "$WORK/err")" -eq 1

# ---- ingle run --chat -------------------------------------------------------------------------

echo '[{"role": "user", "content": "What is the weather in Oslo?"}]' >"$WORK/messages"
ingle_from "$WORK/messages" run --chat --temp 0 --tools "$WORK/tools.json" -o json
code_is "run --chat" 0
json_is "a call in JSON" "lines[0]['finish'] == 'tool_calls' and lines[0]['tool_calls'][0]['function'] == {'name': 'get_weather', 'arguments': '{\"city\": \"Oslo\"}'} and lines[0]['content'] == '' and lines[0]['usage']['generated_tokens'] > 5"
ingle run --chat --temp 0 --tools "$WORK/tools.json" --tool-cmd "$WORK/tool" -f "$WORK/messages"
out_has "run --chat with a program" "sunny"
echo '{"messages": [{"role": "user", "content": "What is the capital of France?"}], "tools": null}' >"$WORK/messages"
ingle run --chat --temp 0 -f "$WORK/messages"
out_is "run --chat, text" "The capital of France is Paris.
"
for bad in '[{"role": "nobody", "content": "x"}]' '{}' '[' '"x"'; do
    echo "$bad" >"$WORK/messages"
    ingle_from "$WORK/messages" run --chat
    code_is "no messages: $bad" 2
done
ingle run --tools "$WORK/tools.json" Hello
code_is "--tools without --chat" 2
ingle run --chat Hello
code_is "--chat with a prompt" 2
ingle chat -m "$INGLE_SOURCE/tests/golden/data/bert-cls.gguf"
check "a model that only embeds" test "$code" -ne 0
ingle chat -m "$INGLE_SOURCE/tests/golden/data/deepseek2.gguf"
code_is "a model without a template" 3
err_has "what would help" "--chat-template-file"
err_has "and what else" "--chat-template plain"
for which in plain model-or-plain; do
    chat 'Hello\n' -m "$INGLE_SOURCE/tests/golden/data/deepseek2.gguf" --chat-template $which -n 2
    code_is "--chat-template $which" 0
    check "--chat-template $which: whether it is said" test "$(grep -c 'no chat template that works' "$WORK/err")" -eq \
        $([ $which = plain ] && echo 0 || echo 1)
done
chat 'What is the capital of France?\n/show\nAnd of Spain?\n' -v --chat-template plain --stop '
' -n 30
out_has "/show of plain lines" "template plain, "
usage
check "plain lines go on where the answer ended" test "$(reused 2)" -ge "$(computed 1)"
ingle chat --chat-template plain --chat-template-file "$WORK/think.jinja"
code_is "two templates" 2
ingle run --chat-template plain Hello
code_is "--chat-template without --chat" 2

if command -v python3 >/dev/null; then # a shell's background job ignores Ctrl+C; Python's does not
    python3 - "${RUN[@]}" chat --isa ref -t 1 -l 2045-inf -l 2046-inf -l 2047-inf <<'PY'
import signal, subprocess, sys
p = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                     preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
p.stdin.write(b"Tell me a story about a fox.\nHello\n")
p.stdin.flush()
p.stdout.read(1)
p.send_signal(signal.SIGINT)
p.stdout.read()
sys.exit(p.wait())
PY
    code=$?
    code_is "Ctrl+C where nobody sits at a terminal" 130
fi

# ---- on a terminal ----------------------------------------------------------------------------

if ! command -v tmux >/dev/null; then
    echo "skipped: no tmux to type with"
    finish
fi
export LC_ALL=C.UTF-8
TMUX_TMPDIR=$WORK
export TMUX_TMPDIR
unset TMUX NO_COLOR
t() { tmux -L ingle -f /dev/null -u "$@" 2>"$WORK/err"; }
trap 't kill-server 2>/dev/null; rm -rf "$WORK"' EXIT
t new-session -d -s base "sleep 3600" # the server lives as long as any session does
start() { # TERM ARGUMENTS...
    t new-session -d -x 80 -y 24 -s chat "TERM=$1 ${RUN[*]} chat --temp 0 ${*:2}; echo code=\$?; sleep 600"
    see '^>$'
}
keys() { t send-keys -t chat "$@"; }
type_text() { t send-keys -t chat -l "$1"; }
screen() { t capture-pane -p "$@" -t chat >"$WORK/out"; }
see() { # PATTERN: it appears within 20 seconds
    for _ in $(seq 200); do
        screen
        grep -q -e "$1" "$WORK/out" && return 0
        sleep 0.1
    done
    return 1
}
shows() { # WHAT PATTERN
    checks=$((checks + 1))
    see "$2" || fail "$1: the screen lacks '$2': $(grep -v '^$' "$WORK/out" | tail -n 5)"
}
end_session() { t kill-session -t chat; }

start xterm-256color --history "$WORK/history"
type_text 'What is the capital of Francex'
keys BSpace
type_text '?'
keys Enter
shows "an answer" '^The capital of France is Paris.$'
shows "what it took" '^\[reused 0, computed '
screen -e
check "the status is dimmed" grep -q "$(printf '\033')\[2m\[reused" "$WORK/out"
type_text '日本x語'
keys Left
keys BSpace
shows "wide characters under editing" '^> 日本語$'
keys BSpace
type_text 'é'
keys Left
keys Right
keys BSpace
type_text 'z'
shows "further ones" '^> 日z語$'
keys C-c
type_text 'Hello'
shows "Ctrl+C at the prompt throws away" '^> Hello$'
keys C-u
keys Up
shows "history" '^> What is the capital of France?$'
keys C-u
t set-buffer -b pasted "$(printf 'What is the\ncapital of Italy?')"
t paste-buffer -p -b pasted -t chat
shows "what is pasted stays together" '^capital of Italy?$'
keys Enter
shows "and is one message" '^The capital of Italy is Rome.$'
keys Up
keys Up
t resize-window -t chat -x 40 -y 20
sleep 0.5
keys C-u
type_text 'What is the capital of the country called Spain, please?'
shows "a line is broken at the new width" '^> What is the capital of the country cal$'
for _ in $(seq 30); do keys BSpace; done
type_text 'y of Spain?'
keys C-u
type_text 'Name the capital of Spain.'
keys Enter
shows "an answer at the new width" 'Madrid'
t resize-window -t chat -x 80 -y 24
type_text '/exit'
keys Enter
shows "/exit" '^code=0$'
check "--history" grep -q capital "$WORK/history"
end_session

# The slowest kernels and no end tokens: time enough to stop an answer.
start xterm-256color --isa ref -t 1 -l 2045-inf -l 2046-inf -l 2047-inf
type_text 'Tell me a story about a fox.'
keys Enter
shows "the answer has begun" '^[A-Z][a-z]\{1,12\}[ ,].*[a-z]\{3\}'
keys C-c
shows "Ctrl+C stops the answer, and says what it took" '^\[reused .* generated '
shows "the program goes on" '^>$'
type_text "/save $WORK/partial"
keys Enter
shows "/save after Ctrl+C" '^Messages in .*: 2'
check "what was answered stays" grep -q '"role":"assistant","content":"[A-Z]' "$WORK/partial"
keys C-d
shows "Ctrl+D" '^code=0$'
end_session

# The same before the first token of an answer: a prompt that takes long to read.
{
    printf '[{"role": "system", "content": "'
    printf 'one two three four five %.0s' $(seq 350)
    printf '"}, {"role": "user", "content": "Hello"}, {"role": "assistant", "content": "The former answer."}]'
} >"$WORK/long"
start xterm-256color --isa ref -t 1 -c 4096 -b 64
type_text "/load $WORK/long"
keys Enter
shows "/load" '^Messages from .*: 3'
type_text '/regen'
keys Enter
shows "/regen has begun" 'every answer is the same'
keys C-c
shows "Ctrl+C while the prompt is read" 'the conversation is as it was before$'
type_text "/save $WORK/same"
keys Enter
shows "/save after that" '^Messages in .*: 3'
check "the former answer stays" grep -q '"content":"The former answer."' "$WORK/same"
end_session

start xterm-256color --chat-template-file "$WORK/think.jinja" --chat-family qwen3
type_text 'What is the capital of France?'
keys Enter
shows "an answer that is all thinking" '^\[reused'
screen -e
check "thinking is dimmed" grep -q "^$(printf '\033')\[2m[^\[C]" "$WORK/out"
end_session

start 'xterm-256color NO_COLOR=1'
type_text 'Hello'
keys Enter
shows "NO_COLOR: an answer" '^\[reused'
screen -e
check "NO_COLOR" sh -c "! grep -q '$(printf '\033')\[2m' '$WORK/out'"
end_session
start dumb
type_text 'What is the capital of France?'
keys Enter
shows "TERM=dumb" '^The capital of France is Paris.$'
end_session

start xterm-256color --tools "$WORK/tools.json"
type_text 'What is the weather in Oslo?'
keys Enter
shows "a call asks for its result" '^result of get_weather:'
type_text '{"temperature": 21, "condition": "sunny"}'
keys Enter
shows "which the model reads" '^It is sunny in Oslo'
end_session

start xterm-256color -c 64
for question in France Spain Italy; do
    type_text "What is the capital of $question?"
    keys Enter
    shows "$question" "capital of $question is\|Drop the oldest"
done
shows "a full context asks" 'The context is full .* Drop the oldest turns?'
type_text 'y'
keys Enter
shows "and drops" 'oldest messages are dropped'
shows "and answers" 'Rome'
end_session
finish
