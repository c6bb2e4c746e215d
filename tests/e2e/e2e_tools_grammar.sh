# Random calls that grammars of tools admit, of the schemas of schemas.py, in every family's format: the arguments
# that the parser finds are judged by validate.py. A sample; all of them with INGLE_ALL_TOOLS=1.
. "$(dirname "$0")/lib.sh"
python=$(python_with jsonschema) || {
    echo "skipped: no python3 with jsonschema (Debian: python3-jsonschema)"
    exit 0
}
export PYTHONDONTWRITEBYTECODE=1
E2E=$INGLE_SOURCE/tests/e2e
walk() { ${INGLE_EMULATOR:-} "$INGLE_BUILD/walk_tools" "$MODEL" "${INGLE_ALL_TOOLS:-14}" <"$WORK/tools"; }

"$python" "$E2E/schemas.py" --list >"$WORK/list"
# arguments are objects: another schema becomes that of a member
"$python" - "$WORK/list" >"$WORK/tools" <<'PY' || fail "the tools"
import json, sys
for line in open(sys.argv[1], encoding="utf-8"):
    item = json.loads(line)
    schema = item["schema"]
    if schema.get("type") != "object":
        if '"$ref": "#"' in json.dumps(schema):
            continue
        defs = {k: schema.pop(k) for k in ("$defs", "definitions") if k in schema}
        schema = {"type": "object", "properties": {"value": schema}, "required": ["value"], **defs}
    print(json.dumps({"name": item["name"], "schema": schema}))
PY
walk >"$WORK/lines" 2>"$WORK/err" || fail "calls come back: $(tail -n 1 "$WORK/err")"
checks=$((checks + 1))
# a key that a schema does not name may come twice, which the judge refuses
"$python" - "$WORK/lines" >"$WORK/once" <<'PY' || fail "the calls"
import json, sys

def unique(pairs):
    if len({k for k, _ in pairs}) < len(pairs):
        raise ValueError
    return dict(pairs)

for line in open(sys.argv[1], encoding="utf-8"):
    try:
        json.loads(json.loads(line)["text"], object_pairs_hook=unique)
    except json.JSONDecodeError:
        pass
    except ValueError:
        continue
    print(line, end="")
PY
"$python" "$E2E/validate.py" <"$WORK/once" >"$WORK/out" || fail "arguments: $(tail -n 7 "$WORK/out")"
checks=$((checks + 1))
tail -n 1 "$WORK/err"
finish
