#!/usr/bin/env bash
# Include order, formatting, warnings as errors with gcc and clang, cppcheck. Stops at the first
# kind that finds something. `make lint` installs the tools first.
set -euo pipefail
cd "$(dirname "$0")/.."

echo "== include order"
scripts/check-includes.sh

echo "== clang-format"
find include src tests bench examples \( -name '*.c' -o -name '*.h' \) -not -path '*/node_modules/*' -print0 |
    xargs -0 clang-format --dry-run -Werror

# gcc finds some only while it optimises; what clang finds it finds while it reads.
for compiler in gcc clang; do
    echo "== warnings: $compiler"
    level=-O1
    if [ $compiler = clang ]; then level=-O0; fi
    cmake -S . -B "build-lint-$compiler" -G Ninja -DCMAKE_C_COMPILER=$compiler \
        -DCMAKE_BUILD_TYPE=Lint -DCMAKE_C_FLAGS_LINT=$level -DINGLE_WERROR=ON >/dev/null
    cmake --build "build-lint-$compiler" -j "$(nproc)" -- --quiet
done

echo "== cppcheck"
cppcheck --quiet --std=c11 --error-exitcode=1 --inline-suppr -j "$(nproc)" \
    --enable=warning,performance,portability --suppress=missingIncludeSystem \
    --suppressions-list=scripts/cppcheck.txt -Iinclude -Isrc src

echo "lint: nothing found"
