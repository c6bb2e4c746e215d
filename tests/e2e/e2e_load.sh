# `ingle bench --requests`: a load test; figures that belong together, the same requests in every run.
. "$(dirname "$0")/lib.sh"

ingle bench --requests 1,3,8 -p 5:40 -n 3:9 --count 20 -o json --svg "$WORK/p.svg"
code_is "json" 0
json_is "a run for every N" "[r['in_flight'] for r in lines[0]['runs']] == [1, 3, 8] and all(r['requests'] == 20 for r in lines[0]['runs'])"
json_is "the same requests in every run" "len({(r['prompt_tokens'], r['generated_tokens']) for r in lines[0]['runs']}) == 1"
json_is "lengths are of the ranges" "all(20 * 5 < r['prompt_tokens'] < 20 * 40 and 20 * 3 < r['generated_tokens'] < 20 * 9 for r in lines[0]['runs']) and lines[0]['prompt'] == [5, 40] and lines[0]['answer'] == [3, 9]"
json_is "tokens per second" "all(abs(r['generated_tps'] * r['seconds'] - r['generated_tokens']) < 0.01 * r['generated_tokens'] and abs(r['prompt_tps'] * r['seconds'] - r['prompt_tokens']) < 0.01 * r['prompt_tokens'] for r in lines[0]['runs'])"
json_is "quantiles" "all(0 <= t['p50'] <= t['p90'] <= t['p99'] <= t['max'] < r['seconds'] for r in lines[0]['runs'] for t in (r['first_token_s'], r['gap_s'], r['queue_s'])) and all(r['first_token_s']['p50'] > 0 for r in lines[0]['runs'])"
json_is "steps are shared" "lines[0]['runs'][2]['tokens_per_step'] > lines[0]['runs'][0]['tokens_per_step'] > 1"
json_is "no rate, nobody waits" "'rate' not in lines[0] and 'waiting' not in lines[0]['runs'][0]"
check "--svg: ends well" test "$(tail -1 "$WORK/p.svg")" = "</svg>"
check "--svg: a point for every run in both panels" test "$(grep -c '<circle' "$WORK/p.svg")" -eq 6
python3 -c "import xml" 2>/dev/null && check "--svg: XML" python3 -c "import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])" "$WORK/p.svg"
cp "$WORK/out" "$WORK/first"
ingle bench --requests 2 -p 5:40 -n 3:9 --count 20 -o json --shared 5
json_is "--seed is the same, and the lengths" "lines[0]['runs'][0]['prompt_tokens'] == json.load(open('$WORK/first'))['runs'][0]['prompt_tokens'] and lines[0]['shared'] == 5"
ingle bench --requests 2 -p 5:40 -n 3:9 --count 20 -o json --seed 7
json_is "another seed, other lengths" "lines[0]['runs'][0]['prompt_tokens'] != json.load(open('$WORK/first'))['runs'][0]['prompt_tokens']"

ingle bench --requests 2 -p 16 -n 4 --seconds 0.3 -o json
code_is "--seconds" 0
json_is "--seconds" "0.3 <= lines[0]['runs'][0]['seconds'] < 5 and lines[0]['runs'][0]['requests'] > 0"
# Far more than can be served: they wait, and the wait counts.
ingle bench --requests 1 -p 16 -n 16 --seconds 0.5 --rate 100000 -o json
json_is "--rate: too many" "lines[0]['rate'] == 100000 and lines[0]['runs'][0]['waiting'] > 10 and lines[0]['runs'][0]['queue_s']['max'] > 0 and lines[0]['runs'][0]['first_token_s']['max'] > lines[0]['runs'][0]['queue_s']['p50']"
# Few of them: ten at 50 a second take a while, whatever the machine.
ingle bench --requests 4 -p 4 -n 1 --count 30 --rate 50 -o json
json_is "--rate: few" "lines[0]['runs'][0]['seconds'] > 0.2 and lines[0]['runs'][0]['requests'] == 30 and lines[0]['runs'][0]['waiting'] == 0"

ingle bench "$MODEL" --requests 2 -p 8 -n 2 --count 4
code_is "md" 0
out_has "md" "| tiny-chat.gguf | 2 | 4 |"
ingle bench --requests 2,4 -p 8 -n 2 --count 4 -o csv
check "csv: a head and two rows" test "$(wc -l <"$WORK/out")" -eq 3
check "csv: as many fields everywhere" test "$(awk -F, '{print NF}' "$WORK/out" | sort -u | wc -l)" -eq 1

refused() { # WANTED-TEXT ARGUMENTS...
    local want=$1
    shift
    ingle "$@"
    code_is "$*" 2
    out_is "$*: stdout" ""
    err_has "$*" "$want"
}
refused "option '--requests': '1,' is no list" bench --requests 1,
refused "option '--requests': '0' is no list" bench --requests 0
refused "option '--requests': '2000' is no list" bench --requests 2000
refused "option '-p': '8:4' is neither" bench --requests 1 -p 8:4
refused "option '-n': 'x' is neither" bench -n x
refused "ranges of -p and -n need --requests" bench -p 4:8
refused "option '--rate' needs --requests" bench --rate 3
refused "options '--requests' and '-r' exclude each other" bench --requests 1 -r 3
refused "options '--requests' and '--profile' exclude each other" bench --requests 1 --profile
refused "at least one token of prompt" bench --requests 1 -p 0
refused "option '--shared': more tokens than" bench --requests 1 -p 4:9 --shared 5
ingle bench --requests 1 -p 8 -n 2 --count 1 --svg "$WORK/no/such/folder.svg"
code_is "--svg that cannot be written" 1
ingle bench --requests 1 -p 8 -n 8 --count 1 -c 8
code_is "a context too small" 1
err_has "a context too small" "prompts of 8 tokens (-p) and answers of 8 (-n) do not fit a context of 8"
finish
