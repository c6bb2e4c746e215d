# Options of `ingle serve`: from the command line, the environment and a file; what --check prints of them.
. "$(dirname "$0")/lib.sh"
for variable in "${!INGLE@}"; do export -n "$variable"; done
unset "${!LLAMA_@}" "${!OLLAMA_@}" 2>/dev/null
cd "$WORK" || exit 1

# Where the option and its value stand in --check's list.
given() { # OPTION VALUE PLACE
    checks=$((checks + 1))
    grep -qE "^  $1 +$2  \($3\)\$" "$WORK/out" || fail "$1 is not '$2' of '$3': $(grep -E "^  $1 " "$WORK/out")"
}
not_given() { # OPTION
    check "$1 is not there" test "$(grep -cE "^  $1 " "$WORK/out")" -eq 0
}
refused() { # WANTED-TEXT ARGUMENTS...
    local want=$1
    shift
    ingle serve "$@"
    code_is "$*" 2
    out_is "$*: stdout" ""
    err_has "$*" "$want"
    check "$*: one line" test "$(wc -l <"$WORK/err")" -eq 1
}
with() { # VARIABLE=VALUE... -- ARGUMENTS: serve --check with them in the environment
    local variables=()
    while [ "$1" != -- ]; do
        variables+=("$1")
        shift
    done
    shift
    env "${variables[@]}" "${RUN[@]}" serve --check "$@" </dev/null >"$WORK/out" 2>"$WORK/err"
    code=$?
}

# ---- what --check prints

ingle serve --check -c 1024
code_is "--check" 0
out_has "--check" "tiny-chat.gguf"
out_has "--check" "served as     tiny-chat, and any other name"
out_has "--check" "1024 tokens for every request"
out_has "--check" "8 computed at once, 512 wait at most"
out_has "--check" "127.0.0.1:8080"
check "--check: bytes add up" awk '$1 ~ /^(weights|vocabulary|scratch|state)$/ {s += $2} /^KV cache/ {s += $3}
    $1 == "total" {t = $2} END {exit !(t > 0 && s == t)}' "$WORK/out"
check "--check: nothing on standard error" test ! -s "$WORK/err"
bytes_of() { awk -v k="$1" 'index($0, k) == 1 {sub(k, ""); print $1}' "$WORK/out"; }
weights=$(bytes_of weights)
ingle inspect --memory --json
json_is "the weights are what inspect says" "'$weights' in str(lines[0])"
cp "$MODEL" model.gguf
ingle serve --check model.gguf -a one,two --strict-model -np 3 --queue 0
code_is "a model as argument" 0
out_has "a model as argument" "model         model.gguf"
out_has "aliases" "one, two, and no other name"
out_has "-np --queue" "3 computed at once, 0 wait (no limit)"
given --model model.gguf "command line"
ingle serve --check --host :: --port 0 --insecure
code_is "--insecure" 0
out_has "an IPv6 host has brackets" "[::]:0"

# ---- refusals

refused "unknown option '--prot' (did you mean '--port'?)" --prot 1
refused "option '--port': '65536' is out of range: 0 to 65535" --port 65536
refused "option '--max-body': '32X' is not a size" --max-body 32X
refused "option '--max-body': '0' is not a size" --max-body 0
refused "option '--max-headers': '99999999999999999999' is not a size" --max-headers 99999999999999999999
refused "option '--unix-mode': '888' is not a mode" --unix-mode 888
refused "option '--unix-mode': '07777' is not a mode" --unix-mode 07777
refused "option '--grace': '-1' is out of range" --grace -1
refused "option '-np': " -np 2000
refused "option '-c': " -c 2147483647
refused "option '--api-key': a value is empty" --api-key a,
refused "option '--api-key': a value is empty" --api-key=
refused "'--listen' and '--host --port' exclude each other" --listen 127.0.0.1:1 --port 2
refused "'--verbose' and '--quiet' exclude each other" -v --quiet
refused "'--chat-template' and '--chat-template-file' exclude each other" --chat-template plain --chat-template-file f
refused "option '--host': 'localhost:80' has a port" --host localhost:80
refused "option '--host': '' is no address" --host=
refused "'--tls-cert' and '--tls-key' belong together" --tls-cert f
refused "cannot read $WORK/none" --chat-template-file "$WORK/none"
refused "the chat template: " --check --chat-template no-such-template
refused "the chat template: " --check --family no-such-family
refused "no key is asked for" --host 0.0.0.0 --port 0
refused "no key is asked for" --listen 127.0.0.1:0 --listen 0.0.0.0:0
for address in 0.0.0.0:0 192.0.2.7:80 "[::]:0" "[2001:db8::1]:80"; do
    refused "$address can be reached from other machines, and no key is asked for" --check --listen "$address"
    ingle serve --check --listen "$address" --api-key k
    code_is "$address with a key" 0
    ingle serve --check --listen "$address" --insecure
    code_is "$address --insecure" 0
done
for address in 127.0.0.1:0 127.9.9.9:1 localhost:65535 "[::1]:0" "[::ffff:127.0.0.1]:1" "unix:$WORK/a" systemd; do
    ingle serve --check --listen "$address"
    code_is "$address" 0
done
for address in 127.0.0.1 127.0.0.1:65536 127.0.0.1: :80 ::1:80 "[127.0.0.1]:80" 127.0.0.256:80 example.org:80 "[::1]:x" \
    "127.0.0.1 :80"; do
    refused "'$address' " --check --listen "$address"
done
refused "the path of unix: has to have 1 to 107 bytes" --check --listen unix:
refused "has to have 1 to 107 bytes" --check --listen "unix:/$(printf '%0108d' 0)"
refused "the model is given twice" -m a b
refused "have one type" -ctk q8_0
refused "cannot read the options in $WORK/none.ini" --config "$WORK/none.ini"
check "nothing was loaded for it" test ! -s "$WORK/out"

ingle serve -m modle.gguf
code_is "a missing model" 3
err_has "a missing model" "there is no model file '$WORK/modle.gguf'"
err_has "models nearby" "model.gguf"
printf 'GGUFxxxx' >bad.gguf
ingle serve -m bad.gguf
code_is "a damaged model" 3
err_has "a damaged model" "bad.gguf"

ingle serve --check "$INGLE_SOURCE/tests/golden/data/bert-cls.gguf"
code_is "a model that writes nothing" 1
err_has "a model that writes nothing" "generates none: use 'ingle embed"

# ---- options of other servers

for options in "-fa -cb --cache-prompt -np 4 -ngl 32 -c 4096" "-fa on -kvu --jinja --metrics --slots --props --no-webui" \
    "--flash-attn auto --threads-http 4 -to 600 --log-disable --no-mmap --mlock -ub 256 -tb 4" \
    "--cache-reuse 256 -cram 8192 --swa-full --reasoning-format auto -lv 3 --no-warmup --numa distribute" \
    "--host 127.0.0.1 --port 8081 --api-key a --alias m -sm none -mg 0 --offline" \
    "--ctx-size 2048 --parallel 2 --batch-size 128 --threads 1 --cache-type-k q8_0 --cache-type-v q8_0" \
    "--ssl-key-file= --ssl-cert-file= --cors-origins http://localhost:3000"; do
    case $options in *ssl*) continue ;; esac
    ingle serve --check -m "$MODEL" $options
    code_is "$options" 0
done
ingle serve --check -m "$MODEL" -fa -cb --cache-prompt -np 4 -ngl 32 -c 4096
check "-ngl alone is worth a note" test "$(wc -l <"$WORK/err")" -eq 1
err_has "-ngl" "option '-ngl' has no effect: this build computes on the CPU alone"
given --ctx 4096 "command line"
given --parallel 4 "command line"
ingle serve --check -to 60
given --request-timeout 60 "command line"
for option in "--lora f" "-md f" "--slot-save-path d" "--embedding" "--reranking" "--mmproj f" "--context-shift" \
    "-hf org/repo" "--models-dir d" "--rope-scaling yarn"; do
    refused "option '${option%% *}' is not taken: " $option
done
ingle help --man serve
for option in --lora --slot-save-path --mmproj --threads-http; do
    check "the man page has $option" grep -qF -- "${option//-/\\-}" "$WORK/out"
done

# ---- what requests mean that do not say it

ingle serve --check --temp 0.6 --top-p 0.95 --top-k 20 --min-p 0 -n 4096 -s 42 --repeat-penalty 1.1 --presence-penalty 1.5 \
    --samplers "top_k;temperature" --reasoning-budget 0 --reasoning-format none --chat-template-kwargs '{"a": 1}' \
    --default 'stop=["x"]' --default '{"priority": "low"}' -l 13-inf -l 5+1.5 --dry-sequence-breaker none --ignore-eos \
    --no-cache-prompt -rea off
code_is "defaults" 0
want='{"seed":42,"temperature":0.6,"top_k":20,"top_p":0.95,"min_p":0,"repeat_penalty":1.1,"presence_penalty":1.5'
want+=',"dry_sequence_breakers":[],"samplers":"top_k;temperature","logit_bias":[[13,false],[5,1.5]],"max_tokens":4096'
want+=',"ignore_eos":true,"enable_thinking":false,"reasoning_budget":0,"reasoning_format":"none"'
want+=',"chat_template_kwargs":{"a":1},"cache_prompt":false,"stop":["x"],"priority":"low"}'
out_has "defaults" "$want"
given --temp 0.6 "command line"
given --seed 42 "command line"
given --predict 4096 "command line"
printf 'root ::= "a"\n' >a.gbnf
printf '{"type": "object"}' >a.json
ingle serve --check --grammar-file a.gbnf --answer-grammar a.gbnf --answer-grammar a.gbnf
code_is "--grammar-file" 0
out_has "--grammar-file" '"grammar":"root ::= \"a\"\n"'
ingle serve --check -j a.json
out_has "-j FILE" '"json_schema":{"type":"object"}'
ingle serve --check -j '{"type":"array"}'
out_has "-j TEXT" '"json_schema":{"type":"array"}'
with INGLE_TEMP=0.5 LLAMA_ARG_N_PREDICT=7 LLAMA_ARG_THINK=none INGLE_DEFAULT='{"top_k":3}' INGLE_GRAMMAR='root ::= [a]' -- -j '{}'
code_is "defaults from the environment" 0
out_has "and a form of the command line hides theirs" \
    '{"temperature":0.5,"max_tokens":7,"reasoning_format":"none","json_schema":{},"top_k":3}'
printf '[m]\ntemp = 0.5\ndefault = top_k=3\ndefault = "stop=[\\"a\\"]"\n' >defaults.ini
ingle serve --check --config defaults.ini
out_has "defaults of a file" '{"temperature":0.5,"top_k":3,"stop":["a"]}'
given --temp 0.5 "defaults.ini:2: temp"
refused "option '--top-p': top_p is 2: it must be 0 to 1" --top-p 2
refused "option '--default': default 'top_p': is 2, should be 0 to 1" --default top_p=2
refused "option '--default': default 'n': no request has a member of this name" --default n=2
refused "option '--default': 'top_k' is neither NAME=JSON nor an object" --default top_k
refused "a text stands in double quotes" --default reasoning_effort=low
refused "option '--default': 'temperature' is set by '--temp' already" --temp 1 --default temperature=2
refused "option '--reasoning-format': default 'reasoning_format': is 'x', should be" --reasoning-format x
refused "option '--chat-template-kwargs': default 'chat_template_kwargs': should be an object" --chat-template-kwargs 1
refused "option '--grammar': default 'grammar': line 1" --grammar 'root ::= ('
refused "option '--grammar-file': cannot read none: " --grammar-file none
refused "option '--json-schema': default 'json_schema.type': " -j '{"type":"x"}'
refused "default 'json_schema': asks for a form of the answer, and so does 'grammar'" --grammar a.gbnf -j a.json
refused "option '--answer-grammar': cannot read none: " --answer-grammar none
refused "option '--answer-grammar': a.json: line 1" --answer-grammar a.json
refused "default 'logit_bias[0]': token 99999999 is beyond the vocabulary" -l 99999999+1
refused "min_tokens is 9, but max_tokens 3" --default min_tokens=9 -n 3
with INGLE_MIN_P=2 --
err_has "an option of the environment" "INGLE_MIN_P: min_p is 2"
with INGLE_REASONING_FORMAT=x --
err_has "a default of the environment" "INGLE_REASONING_FORMAT: default 'reasoning_format': is 'x'"

# ---- environment

with INGLE_PORT=9001 INGLE_CTX_SIZE=512 INGLE_API_KEY=k1,k2 INGLE_STRICT=on INGLE_MODEL="$WORK/model.gguf" --
code_is "INGLE_*" 0
given --port 9001 INGLE_PORT
given --ctx 512 INGLE_CTX_SIZE
given --strict on INGLE_STRICT
given --model "$WORK/model.gguf" INGLE_MODEL
out_has "two keys" "keys          2"
check "keys are not shown" test "$(grep -c k1 "$WORK/out")" -eq 0
with INGLE_PORT=9001 -- --port 9002
given --port 9002 "command line"
with LLAMA_ARG_PORT=1 INGLE_PORT=2 LLAMA_ARG_N_PARALLEL=3 OLLAMA_NUM_PARALLEL=4 OLLAMA_MAX_QUEUE=5 \
    OLLAMA_KV_CACHE_TYPE=q8_0 OLLAMA_CONTEXT_LENGTH=600 LLAMA_ARG_ALIAS=m --
given --port 2 INGLE_PORT
given --parallel 3 LLAMA_ARG_N_PARALLEL
given --queue 5 OLLAMA_MAX_QUEUE
given --kv q8_0 OLLAMA_KV_CACHE_TYPE
given --ctx 600 OLLAMA_CONTEXT_LENGTH
given --alias m LLAMA_ARG_ALIAS
with OLLAMA_HOST=127.0.0.1 --
given --host 127.0.0.1 OLLAMA_HOST
given --port 11434 OLLAMA_HOST
with OLLAMA_HOST=http://localhost:81/ --
given --host localhost OLLAMA_HOST
given --port 81 OLLAMA_HOST
with "OLLAMA_HOST=[::1]:82" --
out_has "an IPv6 address" "[::1]:82"
with OLLAMA_HOST=::1 --
out_has "an IPv6 address without brackets" "[::1]:11434"
with OLLAMA_HOST=:83 --
out_has "a port alone" "127.0.0.1:83"
with OLLAMA_HOST=127.0.0.1:x --
code_is "a bad port" 2
err_has "a bad port" "OLLAMA_HOST: 'x' is not a whole number"
with LLAMA_ARG_HOST=127.0.0.1 -- --port 84
out_has "host and port of two places" "127.0.0.1:84"
with LLAMA_ARG_HOST=127.0.0.1 INGLE_PORT=85 -- --listen 127.0.0.1:86
out_has "--listen hides what is below" "address       127.0.0.1:86"
with -- --host "$WORK/a.sock"
out_has "a host that is a socket" "address       unix:$WORK/a.sock"
with INGLE_LISTEN=127.0.0.1:87,127.0.0.1:88 --
out_has "two addresses" "127.0.0.1:87, 127.0.0.1:88"
with INGLE_LISTEN=127.0.0.1:87 -- --port 89
out_has "--port hides INGLE_LISTEN" "address       127.0.0.1:89"
with INGLE_CTK=q8_0 INGLE_CACHE_TYPE_K=q8_0 INGLE_CACHE_TYPE_V=q8_0 -- --kv f16
given --kv f16 "command line"
not_given --cache-type-k
with INGLE_PORT=x --
code_is "a bad value" 2
err_has "a bad value" "INGLE_PORT: 'x' is not a whole number"
with INGLE_PORT=x -- --port 1
code_is "a bad value that is hidden" 2
with INGLE_IN_PLACE=maybe --
err_has "a bad word" "INGLE_IN_PLACE: 'maybe' is neither on nor off"
with INGLE_CTX=1024 INGLE_CTX_SIZE=1024 --
code_is "two names of one option" 2
err_has "two names of one option" "it was given already"
with INGLE_API_KEY= --
code_is "an empty key" 2
with LLAMA_ARG_MLOCK=1 OLLAMA_DEBUG=1 INGLE_PROT=1 --
code_is "names without a meaning" 0
err_has "names without a meaning" "without a meaning here: "
for name in LLAMA_ARG_MLOCK OLLAMA_DEBUG INGLE_PROT; do err_has "names without a meaning" $name; done
check "in one line" test "$(wc -l <"$WORK/err")" -eq 1
with INGLE_PORT=tcp://10.0.0.1:8080 INGLE_CHECK=1 --
code_is "INGLE_PORT of an orchestrator" 0
not_given --port
with INGLE_IN_PLACE=1 INGLE_STRICT=off --
given --in-place on INGLE_IN_PLACE
given --strict off INGLE_STRICT

# ---- a file

cat >serve.ini <<'INI'
# comment
; comment
port = 9000
[*]
api-key = "a,b"     ; two keys
api-key = c
alias = "with # and \"quotes\""
request-timeout = 60 # seconds
strict = on
np = 2
[tiny]
ctx = 2048
parallel = 5
INI
ingle serve --check --config serve.ini
code_is "a file" 0
given --port 9000 "serve.ini:3: port"
out_has "three keys" "keys          3"
given --request-timeout 60 "serve.ini:8: request-timeout"
given --ctx 2048 "serve.ini:12: ctx"
given --parallel 5 "serve.ini:13: parallel"
given --alias tiny "serve.ini:11: \[tiny\]"
out_has "the section is the name" "served as     tiny, and any other name"
with INGLE_CONFIG=serve.ini INGLE_CTX=4096 LLAMA_ARG_TIMEOUT=70 INGLE_ALIAS=x INGLE_STRICT=off -- -np 1
given --ctx 4096 INGLE_CTX
given --parallel 1 "command line"
given --request-timeout 70 LLAMA_ARG_TIMEOUT
given --alias x INGLE_ALIAS
given --strict off INGLE_STRICT
printf '\xef\xbb\xbf[*]\r\nport = 9\r\nalias = "with # and \\"quotes\\""\r\nlog-file =\r\n' >crlf.ini
ingle serve --check --config crlf.ini
code_is "a file with marks of another system" 0
given --port 9 "crlf.ini:2: port"
given --alias 'with # and "quotes"' "crlf.ini:3: alias"

wrong() { # LINE TEXT-OF-ERROR CONTENT
    printf -- "$3" >wrong.ini
    refused "wrong.ini:$1: $2" --check --config wrong.ini
}
wrong 2 "unknown key 'prot' (did you mean 'port'?)" '\nprot = 1\n'
wrong 1 "unknown key '--port'" '--port = 1\n'
wrong 1 "port: 'x' is not a whole number" 'port = x\n'
wrong 1 "max-body: '1X' is not a size" 'max-body = 1X'
wrong 3 "[b]: one model is served, which is [a]" '[a]\nctx = 512\n[b]\n'
wrong 2 "'port' is not of a model: it belongs under [*]" '[a]\nport = 1\n'
wrong 3 "port: it was given already (wrong.ini:2: port)" '[*]\nport = 1\nport = 2\n'
wrong 1 "neither 'key = value' nor '[section]'" 'port\n'
wrong 1 "there is no key before the =" '= 1\n'
wrong 2 "a section ends with ]" '\n[a\n'
wrong 1 "a section has a name, or is [*]" '[ ]\n'
wrong 1 "there is text after the section" '[a] b\n'
wrong 1 "a quote does not end" 'alias = "a\n'
wrong 1 "there is text after the quotes" 'alias = "a" b\n'
wrong 1 "in quotes a \\ stands before" 'alias = "\\n"\n'
wrong 1 "a NUL byte" 'alias = a\0b\n'
wrong 1 "bytes that are not UTF-8" 'alias = \xff\n'
wrong 1 "'check' belongs to the command line" 'check = on\n'
wrong 1 "'config' belongs to the command line" 'config = x\n'
wrong 1 "'lora' is not taken: " 'lora = x\n'
wrong 1 "strict: 'perhaps' is neither on nor off" 'strict = perhaps\n'
printf 'flash-attn = on\nn-gpu-layers = 99\n' >peers.ini
ingle serve --check --config peers.ini
code_is "keys of other servers" 0
err_has "keys of other servers" "peers.ini:2: 'n-gpu-layers' has no effect"
printf '[*]\nlisten = 127.0.0.1:1\nport = 2\n' >rivals.ini
refused "'--listen' and '--host --port' exclude each other (rivals.ini:2: listen, rivals.ini:3: port)" --check --config rivals.ini
head -c 1100000 /dev/zero | tr '\0' '#' >long.ini
refused "1 MiB at most" --check --config long.ini

# ---- starting and ending

# Runs the server until it is ready; its messages are in $WORK/err.
start() { # ARGUMENTS...
    "${RUN[@]}" serve "$@" </dev/null >"$WORK/out" 2>"$WORK/err" &
    server=$!
    until grep -q "clients: " "$WORK/err" || ! kill -0 $server 2>/dev/null; do sleep 0.05; done
}
stop() { # SIGNAL
    kill -"$1" $server
    wait $server
    code=$?
}
start --port 0
err_has "what is served" "tiny-chat.gguf as 'tiny-chat'"
err_has "its context" "context of every request: "
url=$(sed -n 's/.*OPENAI_BASE_URL=\([^ ]*\)\/v1 .*/\1/p' "$WORK/err")
err_has "its address" "listening on $url"
check "it is healthy" test "$(curl -s "$url/health")" = '{"status":"ok"}'
port=${url##*:}
cp "$WORK/err" "$WORK/first"
env INGLE_PORT="$port" "${RUN[@]}" serve </dev/null >"$WORK/out" 2>"$WORK/err"
code=$?
code_is "an address that is taken" 1
err_has "an address that is taken" "127.0.0.1:$port: Address already in use"
err_has "where it came from" "the address is that of INGLE_PORT"
stop TERM
code_is "SIGTERM" 0
start --listen "unix:$WORK/socket" --unix-mode 0640 -a "other name"
err_has "an alias" "as 'other name'"
err_has "how to reach a Unix socket" "curl --unix-socket $WORK/socket "
check "the mode of a Unix socket" test "$(stat -c %a "$WORK/socket")" = 640
check "it is healthy there" test "$(curl -s --unix-socket "$WORK/socket" http://localhost/health)" = '{"status":"ok"}'
stop INT
code_is "SIGINT" 0
check "its file is gone" test ! -e "$WORK/socket"
refused "'$WORK' has no port" --listen "$WORK"
refused "is no certificate" --tls-cert serve.ini --tls-key serve.ini
"${RUN[@]}" serve --quiet --listen "unix:$WORK/socket" </dev/null >"$WORK/out" 2>"$WORK/err" &
server=$!
until curl -s --unix-socket "$WORK/socket" http://localhost/health | grep -q '"ok"' || ! kill -0 $server 2>/dev/null; do sleep 0.05; done
stop TERM
code_is "--quiet" 0
check "--quiet prints nothing" test ! -s "$WORK/out" -a ! -s "$WORK/err"
head -c 3000000 "$MODEL" >cut.gguf
ingle serve -m cut.gguf --port 0
code_is "a model that ends too early" 3
err_has "a model that ends too early" "past the end of the file"

# ---- the references

ingle serve --print-api
code_is "--print-api" 0
out_has "--print-api" "/v1/chat/completions"
ingle serve --print-openapi
code_is "--print-openapi" 0
check "--print-openapi is JSON" python3 -c 'import json, sys; json.load(open(sys.argv[1]))["paths"]["/v1/chat/completions"]' "$WORK/out"
finish
