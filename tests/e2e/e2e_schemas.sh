# The judge of structured output and the schemas that are put to it: schemas.py, validate.py.
. "$(dirname "$0")/lib.sh"
python=$(python_with jsonschema) || {
    echo "skipped: no python3 with jsonschema (Debian: python3-jsonschema)"
    exit 0
}
export PYTHONDONTWRITEBYTECODE=1
E2E=$INGLE_SOURCE/tests/e2e
list() { "$python" "$E2E/schemas.py" --list >"$WORK/out" 2>"$WORK/err"; }
judge() { # schema and text of each line of $WORK/lines
    "$python" "$E2E/validate.py" <"$WORK/lines" >"$WORK/out" 2>"$WORK/err"
    code=$?
}

check "schemas.py --list" list
cp "$WORK/out" "$WORK/first"
json_is "500 schemas, no two alike" "len(lines) == 500 == len({str(i['schema']) for i in lines})"
json_is "four texts each" "all(len(i['documents']) == 4 for i in lines)"
check "schemas.py --out" "$python" "$E2E/schemas.py" --count 40 --out "$WORK/schemas"
cat "$WORK"/schemas/*.json >"$WORK/files"
check "the same as files" sh -c "head -n 40 '$WORK/first' | cmp - '$WORK/files'"
"$python" -c '
import json, sys
for line in open(sys.argv[1], encoding="utf-8"):
    item = json.loads(line)
    for text in item["documents"]:
        print(json.dumps({"name": item["name"], "schema": item["schema"], "text": text}))
' "$WORK/first" >"$WORK/lines"
judge
code_is "validate.py takes all documents" 0
out_is "and counts them" "2000 texts, 0 not valid
"
echo '{"schema": {"type": 1}, "text": ""}' >"$WORK/lines"
judge
code_is "no schema" 2
echo '{"schema": {"pattern": "("}, "text": ""}' >"$WORK/lines"
judge
code_is "no pattern" 2

printf '%s\n' '{"schema": {"type": "string"}, "text": "1"}' '{"schema": {}, "text": "1"}' >"$WORK/lines"
judge
code_is "a text that is not valid" 1
out_has "its line, and why" "line 1: not valid: "
out_has "how many" "2 texts, 1 not valid"

check "single texts" "$python" - "$E2E" <<'PY'
import json, sys
sys.path.insert(0, sys.argv[1])
import validate

CASES = [  # schema, texts that are valid, texts that are not
    ({}, ['{"a": [1, -0.5e3, "x\\u00e9", true, null]}', " 1 ", '"\\ud83d\\ude00"'],
     ["", '{"a": 1, "a": 2}', '[{"b": {"c": 1, "c": 1}}]', "NaN", "1e999", "[Infinity]", "-Infinity", '{"a": 01}',
      "{'a': 1}", "[1,]", "[1] x", '"a\tb"']),
    ({"multipleOf": 0.01}, ["19.99", "0.07", "100", "1e3"], ["19.995", "1e-3"]),
    ({"pattern": "^\\d.$"}, ['"1a"', '"2é"'], ['"1a\\n"', '"1\\u2028"', '"\\u0663a"', '"1"']),
    ({"pattern": "a$|^b"}, ['"xa"', '"bx"'], ['"xab"', '"a\\n"']),
    ({"pattern": "^[$.\\s]+$"}, ['"$."', '" \\ufeff"'], ['"a"']),
    ({"patternProperties": {"^\\w$": {"type": "null"}}, "additionalProperties": {"type": "integer"}},
     ['{"a": null, "é": 1, "ab": 1}'], ['{"a": 1}', '{"ab": null}']),
]
FORMATS = {
    "date": "2024-02-29 0000-02-29 -- 2023-02-29 20240229 2024-W09-4 2024-13-01 2024-02-29Z",
    "time": "12:00:00Z 23:59:60Z 08:29:60.5-15:30 00:00:00+23:59 -- 12:00:00 24:00:00Z 12:00:60Z 12:00Z 12:00:00+24:00",
    "date-time": "2024-02-29T12:00:00.25+01:00 1998-12-31t23:59:60z -- 2024-02-29_12:00:00Z 2024-02-30T12:00:00Z",
    "duration": "P1W P1Y2M3DT4H5M6S PT0S -- P P1Y2D PT1H2S P1DT 1D P1W2D P1.5D",
    "email": "ada@example.com o'b+x@a.b a@[127.0.0.1] -- ada@ @example.com a@@b a..b@c a@-b",
    "hostname": "example.com a-1 -- -a a- a..b a_b .",
    "ipv4": "127.0.0.1 -- 127.0.0.01 1.2.3 1.2.3.256",
    "ipv6": "::1 1:2:3:4:5:6:7:8 ::ffff:1.2.3.4 -- fe80::1%eth0 1::2::3 12345::",
    "uuid": "123e4567-e89b-12d3-a456-42661417400F -- 123e4567e89b12d3a456426614174000 urn:uuid:0",
    "uri": "https://u@[::1]:80/a%20b?x#y urn:isbn:1 -- /a http://a^b http://a/%zz http://[1]/ x:[ a:b#c#d http://a@b@c",
}
for name, texts in FORMATS.items():
    good, bad = ([json.dumps(text) for text in part.split()] for part in texts.split("--"))
    CASES.append(({"format": name}, good + ["12"], bad))

wrong = 0
for schema, good, bad in CASES:
    validator = validate.validator_of(schema)
    for text in good + bad:
        problem = validate.problem_of(validator, text)
        if (problem is None) != (text in good):
            wrong += 1
            print(f"{schema}: {text}: {problem}")
sys.exit(wrong > 0)
PY
finish
