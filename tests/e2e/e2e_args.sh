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
for verb in run inspect tokenize logits embed bench; do
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
refused "option '--temp': '-1' is out of range: at least 0" run --temp -1 x
refused "option '--top-p': '1.5' is out of range: 0 to 1" run --top-p=1.5 x
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
refused "option '--logit-bias': '5' is not TOKEN+BIAS" run -l 5 x
refused "option '--logit-bias': '5+-1' is not TOKEN+BIAS" run -l 5+-1 x
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
# Refused by the library, with its own names.
ingle run -n 2 --samplers "top_k;frobnicate" x
code_is "unknown sampler stage" 2
err_has "unknown sampler stage" "frobnicate"
ingle run -n 2 -l 99999+1 x
code_is "bias of a token out of range" 2
err_has "bias of a token out of range" "99999"
ingle run -n 2 --stop "" x
code_is "empty stop" 2
err_has "empty stop" "stop"

# After -- a prompt may begin with a dash.
ingle run --temp 0 -n 2 -- --temp
code_is "-- ends the options" 0
finish
