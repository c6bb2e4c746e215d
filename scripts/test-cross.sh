#!/usr/bin/env bash
# Other processors, under qemu-user (`make test-cross` installs it):
#   - the very binary of `make` on an x86-64 without AVX (Nehalem) and one with AVX2 only (Haswell):
#     it starts, writes the same text, and its logits have the bits of the same level run natively;
#   - a cross build for AArch64, on a processor with every level and on one with NEON only: the same
#     text, at each level the bits of the portable level run natively, the golden and kernel tests.
# Bits across levels on one processor are otherwise the business of tests/exact.
set -euo pipefail
cd "$(dirname "$0")/.."

jobs=$(nproc)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tokens=$(seq -s , 100 9 640)
prompt='<|im_start|>user
What day comes before Sunday?<|im_end|>
<|im_start|>assistant
'
answer='The day before Sunday is Saturday.'
passed=0

same() { # WHAT FILE FILE
    cmp -s "$2" "$3" || { echo "FAIL: $1"; exit 1; }
    echo "ok: $1"
    passed=$((passed + 1))
}

try() { # NAME LEVEL EMULATOR... PROGRAM: text and logits of one emulated processor
    local name=$1 level=$2
    shift 2
    printf '%s' "$answer" >"$work/want"
    "$@" run --temp 0 "$prompt" </dev/null >"$work/text" 2>"$work/err" || { cat "$work/err"; exit 1; }
    same "$name: text" "$work/text" "$work/want"
    "$@" logits --tokens "$tokens" --out "$work/logits" 2>"$work/err" || { cat "$work/err"; exit 1; }
    if [ "$level" != - ]; then
        build/ingle logits --tokens "$tokens" --out "$work/native" --isa "$level"
        same "$name: logits have the bits of $level" "$work/logits" "$work/native"
    fi
}

cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release >/dev/null
cmake --build build -j "$jobs" --target ingle | tail -n 1
try Nehalem ref qemu-x86_64 -cpu Nehalem build/ingle
if build/ingle logits --tokens 1 --out /dev/null --isa avx2 2>/dev/null; then
    try Haswell avx2 qemu-x86_64 -cpu Haswell build/ingle
else
    try Haswell - qemu-x86_64 -cpu Haswell build/ingle
fi

[ -e build-aarch64/build.ninja ] || cmake -S . -B build-aarch64 -G Ninja \
    -DCMAKE_BUILD_TYPE=Release -DCMAKE_TOOLCHAIN_FILE=cmake/aarch64-linux-gnu.cmake >/dev/null
# Golden, format and kernel tests; the rest either repeats what runs natively or is too slow to emulate.
tests='test_(logits|quant|gguf|sampler|samplers|tokenizer|tokenizers|text|vocab|generate|goldens|matmul|rows|attend).*'
mapfile -t targets < <(basename -s .c tests/*/test_*.c | grep -E "^$tests\$")
cmake --build build-aarch64 -j "$jobs" --target ingle "${targets[@]}" | tail -n 1
arm=build-aarch64/ingle
try AArch64 ref qemu-aarch64 -cpu max $arm
try 'Cortex-A53' ref qemu-aarch64 -cpu cortex-a53 $arm
for level in ref neon dotprod i8mm; do
    qemu-aarch64 -cpu max $arm logits --tokens "$tokens" --out "$work/logits" --isa $level
    same "AArch64 at level $level: logits have the bits of ref" "$work/logits" "$work/native"
done
if qemu-aarch64 -cpu cortex-a53 $arm logits --tokens 1 --out /dev/null --isa dotprod 2>/dev/null
then
    echo "FAIL: Cortex-A53 ran at a level it does not have"
    exit 1
fi
qemu-aarch64 -cpu cortex-a53 build-aarch64/test_matmul >"$work/text" 2>&1 || { cat "$work/text"; exit 1; }
echo "ok: Cortex-A53: quantised products"

ctest --test-dir build-aarch64 --output-on-failure -j "$jobs" -R "^($tests|e2e_(args|model|tokenize|inspect))$"
echo "test-cross: $passed comparisons passed, tests of AArch64 passed"
