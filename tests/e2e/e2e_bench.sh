# `ingle bench`: the three formats, row names, numbers that belong together.
. "$(dirname "$0")/lib.sh"

ingle bench -p 16 -n 4 -r 2 -o json
code_is "json" 0
json_is "shape" "{'model', 'threads', 'limits', 'rows'} <= set(lines[0]) and {'read_gbs', 'int8_gmacs', 'bf16_gmacs'} <= set(lines[0]['limits'])"
json_is "rows" "[r['name'] for r in lines[0]['rows']] == ['pp16', 'tg4'] and all({'name', 'tps', 'sd', 'median', 'limit', 'of_limit'} == set(r) for r in lines[0]['rows'])"
json_is "numbers" "all(r['tps'] > 0 and r['limit'] > 0 and r['of_limit'] > 0 and r['sd'] >= 0 for r in lines[0]['rows']) and lines[0]['limits']['read_gbs'] > 0 and lines[0]['limits']['int8_gmacs'] > 0"
ingle bench -m "$MODEL" -p 8 -n 0 -d 40 -r 1 -t 1 -o json
json_is "depth, one row, threads" "[r['name'] for r in lines[0]['rows']] == ['pp8 @ d40'] and lines[0]['threads'] == 1"
ingle bench "$MODEL" -p 8 -n 2 -r 1
code_is "md" 0
out_has "md" "| tiny-chat.gguf |"
out_has "md" "| pp8 |"
check "md: mean and deviation" grep -qE '\| [0-9.]+ ± [0-9.]+ \|' "$WORK/out"
ingle bench -p 8 -n 2 -r 1 -o csv
code_is "csv" 0
check "csv: a head and two rows" test "$(wc -l <"$WORK/out")" -eq 3
check "csv: as many fields everywhere" test "$(awk -F, '{print NF}' "$WORK/out" | sort -u | wc -l)" -eq 1

# several sequences at once, and where the time goes
ingle bench -p 16 -n 4 -r 2 --sequences 2 -d 20 --profile --profile-svg "$WORK/p.svg" -o json
code_is "--sequences, --profile" 0
json_is "--sequences: both rows" "[r['name'] for r in lines[0]['rows']][1:] == ['tg4 @ d20', 'tg4 x2 @ d20'] and lines[0]['rows'][2]['sequences'] == 2 and abs(lines[0]['rows'][2]['step_ms'] * lines[0]['rows'][2]['median'] - 2000) < 2"
json_is "--profile: a row each" "[p['name'] for p in lines[0]['profile']] == [r['name'] for r in lines[0]['rows']] and [p['steps'] for p in lines[0]['profile']] == [2, 8, 8]"
json_is "--profile: every instruction" "[i['op'] for i in lines[0]['profile'][0]['instructions']].count('ATTEND') == 5 and all({'op', 'what', 'layer', 'ms', 'work_ms', 'uneven_ms', 'barrier_ms', 'bytes', 'macs', 'limit_ms', 'of_limit'} == set(i) for i in lines[0]['profile'][1]['instructions'])"
json_is "--profile: it adds up" "all(abs(sum(i['ms'] for i in p['instructions']) + p['dispatch_ms'] + p['sampling_ms'] + p['engine_ms'] - p['step_ms']) < 0.001 * p['step_ms'] for p in lines[0]['profile'])"
json_is "--profile: sampling where one generates" "[p['sampling_ms'] > 0 for p in lines[0]['profile']] == [False, True, False]"
json_is "--profile: overhead" "all(0 < p['overhead'] < 1 for p in lines[0]['profile'])"
check "--profile-svg: a picture of three rows" test "$(grep -c 'font-weight="bold"' "$WORK/p.svg")" -eq 3
check "--profile-svg: ends well" test "$(tail -1 "$WORK/p.svg")" = "</svg>"
python3 -c "import xml" 2>/dev/null && check "--profile-svg: XML" python3 -c "import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])" "$WORK/p.svg"
ingle bench -p 0 -n 2 -r 1 --sequences 3 --profile
out_has "--sequences, md" "times that of tg2"
out_has "--profile, md" "MATMUL attn_q, attn_k, attn_v Q8_0 | 5 |"
out_has "--profile, md" "barriers + dispatch + sampling:"
ingle bench -p 8 -n 0 -r 1 --profile-svg "$WORK/no/such/folder.svg"
code_is "--profile-svg that cannot be written" 1
err_has "--profile-svg that cannot be written" "no/such/folder.svg"
ingle bench -p 8 -n 0 -r 1 --profile -o csv
check "--profile, csv: two tables" test "$(grep -c '^$' "$WORK/out")" -eq 1
check "--profile, csv: as many fields in each" test "$(awk -F, '/^$/ {t++; next} {gsub(/"[^"]*"/, ""); print t, NF}' "$WORK/out" | sort -u | wc -l)" -eq 2
ingle bench -p 4 -n 0 -r 1 --sequences 3
code_is "--sequences without -n" 2

ingle bench -p 8 -n 0 -d 5000 -r 1 -c 100
code_is "depth past the context" 1
finish
