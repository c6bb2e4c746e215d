# Callers that were compiled with an older or a newer header than the library's.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 0; }
lib=$(find "$INGLE_BUILD" -maxdepth 1 -name libingle.a)
cc=${CC:-cc}
command -v "$cc" >/dev/null || cc=gcc

# Every struct that begins with its size loses its last member, or gains four.
python3 - "$INGLE_SOURCE/include" "$WORK" <<'PY' || fail "the headers"
import os, re, sys
for version in "older", "newer":
    os.makedirs(os.path.join(sys.argv[2], version))
    for name in "ingle.h", "ingle_record.h", "ingle_tools.h":
        text = open(os.path.join(sys.argv[1], name)).read()
        count = 0

        def change(m):
            global count
            count += 1
            body = re.sub(r"/\*.*?\*/", "", m.group(2), flags=re.S)
            members = [x.strip() for x in body.split(";") if x.strip()]
            members = members[:-1] if version == "older" else members + ["void *future[4]"]
            return m.group(1) + "".join("    %s;\n" % x for x in members) + m.group(3)

        text = re.sub(r"(typedef struct \w+ \{\n)(    size_t size;.*?)(\} \w+;\n)", change, text, flags=re.S)
        assert count == {"ingle.h": 22, "ingle_record.h": 0, "ingle_tools.h": 6}[name], count
        open(os.path.join(sys.argv[2], version, name), "w").write(text)
PY
for version in older newer; do
    # shellcheck disable=SC2046
    "$cc" -std=c17 -Wall -I"$WORK/$version" "$(dirname "$0")/abi.c" -o "$WORK/$version/abi" "$lib" \
        $(pkg-config --libs libpcre2-8 libutf8proc) -lpthread -lm 2>"$WORK/err"
    code=$?
    code_is "a caller with a header that is $version builds" 0
    "$WORK/$version/abi" "$MODEL" $version >"$WORK/out" 2>&1
    code=$?
    code_is "a caller with a header that is $version: $(cat "$WORK/out")" 0
done
finish
