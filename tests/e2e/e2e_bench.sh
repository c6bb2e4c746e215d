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
ingle bench -p 8 -n 0 -d 5000 -r 1 -c 100
code_is "depth past the context" 1
finish
