#!/usr/bin/env bash
# Include order, formatting, warnings as errors with gcc and clang, circles of files, cppcheck. Stops
# at the first kind that finds something. `make lint` installs the tools first.
set -euo pipefail
cd "$(dirname "$0")/.."

echo "== include order"
scripts/check-includes.sh

echo "== clang-format"
find include src tests bench examples \( -name '*.c' -o -name '*.h' \) -not -path '*/node_modules/*' -print0 |
    xargs -0 clang-format --dry-run -Werror

# LINT_BUILD=FOLDER: gcc has just compiled everything there, and had nothing to say.
built=${LINT_BUILD:-build-lint}
if [ -z "${LINT_BUILD:-}" ]; then
    echo "== warnings: gcc" # some it finds only while it optimises
    cmake -S . -B build-lint -G Ninja -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Lint \
        -DCMAKE_C_FLAGS_LINT=-O1 -DINGLE_WERROR=ON >/dev/null
    cmake --build build-lint -j "$(nproc)" -- --quiet
fi

echo "== circles of files"
scripts/check-circles.sh "$built"

echo "== warnings: clang" # these while it reads
python3 -c '
import json
for c in json.load(open("'"$built"'/compile_commands.json")):
    print(c["command"].replace(c["command"].split()[0], "clang -fsyntax-only", 1), end="\0")
' | xargs -0 -P "$(nproc)" -n 1 sh -c

echo "== cppcheck"
cppcheck --quiet --std=c11 --error-exitcode=1 --inline-suppr -j "$(nproc)" \
    --enable=warning,performance,portability --suppress=missingIncludeSystem \
    --suppressions-list=scripts/cppcheck.txt -Iinclude -Isrc src

echo "lint: nothing found"
