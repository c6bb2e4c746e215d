# The command line: help, refusals that name the culprit, exit codes.
. "$(dirname "$0")/lib.sh"

ingle
code_is "no verb" 2
err_has "no verb" "Usage: ingle VERB"
out_is "no verb prints nothing to stdout" ""
for how in --help -h help; do
    ingle $how
    code_is "$how" 0
    out_has "$how" "Verbs:"
done
ingle --version
code_is "--version" 0
check "--version" grep -qE '^ingle [0-9]+\.[0-9]+\.[0-9]+$' "$WORK/out"
for verb in run serve inspect tokenize logits embed score template grammar bench; do
    ingle $verb --help
    code_is "$verb --help" 0
    out_has "$verb --help" "Usage: ingle $verb"
    cp "$WORK/out" "$WORK/help"
    ingle help $verb
    check "help $verb is $verb --help" cmp -s "$WORK/out" "$WORK/help"
done

ingle rnu
code_is "unknown verb" 2
err_has "unknown verb" "unknown verb 'rnu' (did you mean 'run'?)"

refused() { # WANTED-TEXT ARGUMENTS...
    local want=$1
    shift
    ingle "$@"
    code_is "$*" 2
    out_is "$*: stdout" ""
    err_has "$*" "$want"
    check "$*: one line" test "$(wc -l <"$WORK/err")" -eq 1
}
refused "unknown option '--tmep' (did you mean '--temp'?)" run --tmep 1 x
refused "unknown option '--frobnicate'" run --frobnicate x
refused "option '--temp': '1x' is not a number" run --temp 1x x
refused "option '--temp': 'nan' is not a number" run --temp nan x
refused "option '--temp': '' is not a number" run --temp= x
refused "option '--temp': temperature is -1: it must be 0 (greedy) or 1e-20 to 1000" run --temp -1 x
refused "option '--top-p': top_p is 1.5: it must be 0 to 1" run --top-p=1.5 x
refused "option '-n': '1e3' is not a whole number" run -n 1e3 x
refused "option '-n': ' 1' is not a whole number" run -n ' 1' x
refused "option '-n': '99999999999' is out of range" run -n 99999999999 x
refused "option '-n': '99999999999999999999999' is not a whole number" run -n 99999999999999999999999 x
refused "option '-n' needs a value" run x -n
refused "option '--seed'" run --seed -2 x
refused "option '--seed'" run --seed 18446744073709551616 x
refused "option '--json': '1' is given to an option that takes no value" run --json=1 x
refused "unexpected argument 'b'" run a b
refused "more than one prompt" run a -p b
refused "more than one prompt" run a -f b
refused "option '-ctk': 'q4_0' is not one of f32, f16, bf16, q8_0" run -ctk q4_0 x
refused "have one type" run -ctk q8_0 x
refused "have one type" run --kv f16 -ctk q8_0 -ctv q8_0 x
refused "'--logprobs' needs --json" run --logprobs 2 x
refused "'--json' and '--echo' exclude" run --json --echo x
refused "option '-l': '5' is not TOKEN+BIAS" run -l 5 x
refused "option '-l': '5+-1' is not TOKEN+BIAS" run -l 5+-1 x
refused "option '--isa': 'sse9' is not one of" run --isa sse9 x
refused "cannot read the prompt from /nonexistent/file" run -f /nonexistent/file
refused "no prompt" run -m "$MODEL"
refused "option '--out' is missing" logits --tokens 1
refused "option '--tokens': byte" logits --tokens 1,x --out "$WORK/l"
refused "option '--tokens': byte" logits --tokens 1,-2 --out "$WORK/l"
refused "'--pieces' and '--decode' exclude" tokenize --pieces --decode
refused "the model is given twice" inspect -m "$MODEL" "$MODEL"
refused "leave nothing to measure" bench -p 0 -n 0
refused "option '-o': 'xml' is not one of md, json, csv" bench -o xml
refused "unknown option '-x'" inspect -x
# Ranges are the library's, asked before a model is read.
for option in "--repeat-penalty 0" "-l 5+1e9" "--samplers top_k;frobnicate" "--frequency-penalty 1e30" "--stop=" \
    "-c 2147483647" "--temp 1e6" "-b 16385" "-t 1025" "-n -2" "--dry-sequence-breaker=" "--mirostat-lr 2" \
    "--repeat-last-n 99999999" "--top-k -1"; do
    name=${option%%[ =]*}
    refused "option '$name': " run -m /nonexistent/model $option x
done
refused "at most 20 are allowed" run $(printf -- '--stop %s ' $(seq 21)) x
ingle run -n 2 -l 99999+1 x
code_is "bias of a token out of range" 2
err_has "bias of a token out of range" "99999"

# Values attached to short names; a long name with one dash is still a slip of the finger.
ingle run --temp 0 -n5 --json -c64 x
code_is "-n5 -c64" 0
json_is "-n5 -c64" "lines[-1]['generated_tokens'] == 5 and lines[0]['n_ctx'] == 64"
ingle run --temp 0 -n=5 --json x
json_is "-n=5" "lines[-1]['generated_tokens'] == 5"
refused "option '-n': '5x' is not a whole number" run -n5x x
refused "unknown option '-temp' (did you mean '--temp'?)" run -temp 1 x
refused "unknown option '-vx'" run -vx x

# A drawn seed fits the 53 bits of readers of JSON; a larger one that was given is text.
ingle run --json -n 1 x
json_is "a drawn seed" "lines[0]['seed'] < 2**53"
ingle run --json -n 1 -s 9007199254740992 x
json_is "a large seed" "lines[0]['seed'] == '9007199254740992'"
ingle run --json -n 1 -s 9007199254740991 x
json_is "the largest that is a number" "lines[0]['seed'] == 9007199254740991"

# Options of other programs.
ingle run --temp 0 -n 3 x
cp "$WORK/out" "$WORK/plain"
for options in "-ngl 99" "-ngl=0" "--n-gpu-layers 4" "-fa" "-fa on" "--flash-attn auto" "--mlock" "--no-mmap" "-ub 64" \
    "-tb 2" "--keep 5" "--no-warmup" "-no-cnv" "--no-escape"; do
    ingle run --temp 0 -n 3 $options x
    code_is "$options" 0
    check "$options changes nothing" cmp -s "$WORK/out" "$WORK/plain"
done
ingle run -n 1 -ngl 99 x
err_has "-ngl has no effect" "option '-ngl' has no effect: this build computes on the CPU alone"
for option in -e --escape --special --mmap --context-shift -cnv; do
    refused "option '$option' is not taken: " run $option x
done
refused "option '-ngl' needs a value" run x -ngl

# After -- a prompt may begin with a dash.
ingle run --temp 0 -n 2 -- --temp
code_is "-- ends the options" 0
finish
