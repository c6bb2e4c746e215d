# What the bundled model writes under schemas, judged by another program: at temperatures 0, 1 and 2 every text that
# came to its end is JSON and valid. Some of the 500 schemas, or all with INGLE_ALL=1.
. "$(dirname "$0")/lib.sh"
python=$(python_with jsonschema) || {
    echo "skipped: no python3 with jsonschema (Debian: python3-jsonschema)"
    exit 0
}
export PYTHONDONTWRITEBYTECODE=1
E2E=$INGLE_SOURCE/tests/e2e
WRITER=${INGLE_BUILD:?the build folder}/bench/structured
n=$([ -n "${INGLE_ALL:-}" ] && echo 500 || echo 50)

check "schemas.py --out" "$python" "$E2E/schemas.py" --count "$n" --out "$WORK/schemas"
for temperature in 0 1 2; do
    ${INGLE_EMULATOR:-} "$WRITER" "$MODEL" "$WORK/schemas" "$temperature" >"$WORK/texts" 2>"$WORK/err"
    code=$?
    code_is "texts at temperature $temperature" 0
    sed "s/^/temperature $temperature: /" "$WORK/err"
    grep '"finished":true}$' "$WORK/texts" >"$WORK/whole"
    check "most texts come to their end" [ "$(wc -l <"$WORK/whole")" -gt $((n * 3 / 4)) ]
    check "texts at temperature $temperature are valid" "$python" "$E2E/validate.py" --repeated <"$WORK/whole"
done
finish
