# `ingle inspect --memory` against the peak of resident memory.
. "$(dirname "$0")/lib.sh"

if [ -n "${INGLE_EMULATOR:-}" ] || grep -qE '__(asan|tsan)_init' "$INGLE"; then
    echo "skipped: an emulator or sanitizer takes memory of its own"
    exit 0
fi
JUDGE=${INGLE_BUILD:?the build folder}/bench/memory
check "as it comes" "$JUDGE" "$INGLE" "$MODEL"
check "a small context" "$JUDGE" "$INGLE" "$MODEL" -- -c 32 -b 8
check "KV in f32, three threads" "$JUDGE" "$INGLE" "$MODEL" -- -c 1024 --kv f32 -t 3
check "a large batch" "$JUDGE" "$INGLE" "$MODEL" -- -b 4096
check "a context of 200 MB" "$JUDGE" "$INGLE" "$MODEL" -- -c 80000
check "in place" "$JUDGE" "$INGLE" "$MODEL" -- --in-place
finish
