# `make install`: the program finds its model, a C program builds with ingle.pc and with the CMake package.
. "$(dirname "$0")/lib.sh"

root=$WORK/root
cmake --install "$INGLE_BUILD" --prefix "$root" >"$WORK/out" 2>"$WORK/err"
code=$?
code_is "cmake --install" 0
for file in bin/ingle include/ingle.h share/man/man1/ingle.1 share/ingle/models/tiny-chat.gguf \
    share/bash-completion/completions/ingle share/zsh/site-functions/_ingle \
    share/fish/vendor_completions.d/ingle.fish; do
    check "$file" test -s "$root/$file"
done
RUN=("$root/bin/ingle")
ingle run --temp 0 -n 4 "Once upon a time"
code_is "the installed program finds its model" 0
cp "$WORK/out" "$WORK/text"

pc=$(find "$root" -name ingle.pc)
lib=$(dirname "$(dirname "$pc")")
cc=${CC:-cc}
command -v "$cc" >/dev/null || cc=gcc
# shellcheck disable=SC2046
PKG_CONFIG_PATH=$(dirname "$pc") "$cc" "$INGLE_SOURCE/examples/hello.c" -o "$WORK/hello" \
    $(PKG_CONFIG_PATH=$(dirname "$pc") pkg-config --cflags --libs ingle) 2>"$WORK/err"
code=$?
code_is "examples/hello.c with pkg-config" 0
LD_LIBRARY_PATH=$lib "$WORK/hello" "$MODEL" >"$WORK/out" 2>"$WORK/err"
code=$?
code_is "hello" 0
check "hello writes text" test -s "$WORK/out"
# shellcheck disable=SC2046
PKG_CONFIG_PATH=$(dirname "$pc") "$cc" "$INGLE_SOURCE/examples/search.c" -o "$WORK/search" \
    $(PKG_CONFIG_PATH=$(dirname "$pc") pkg-config --cflags --libs ingle) 2>"$WORK/err"
code=$?
code_is "examples/search.c with pkg-config" 0
LD_LIBRARY_PATH=$lib "$WORK/search" "$MODEL" "a dog" "the sea" "a dog" "numbers" >"$WORK/out" 2>"$WORK/err"
code=$?
code_is "search" 0
check "search puts the same text first" test "$(head -1 "$WORK/out")" = "1.000  a dog"
check "search lists all three" test "$(wc -l <"$WORK/out")" -eq 3
check "only ingle_ names leave the shared library" \
    test "$(nm -D --defined-only "$lib/libingle.so" | awk '$2 ~ /[TDBR]/ && $3 !~ /^ingle_/' | wc -l)" -eq 0

mkdir "$WORK/consumer"
cat >"$WORK/consumer/CMakeLists.txt" <<CMAKE
cmake_minimum_required(VERSION 3.20)
project(consumer C)
find_package(ingle 0.1 REQUIRED)
foreach(kind static shared)
  add_executable(hello_\${kind} $INGLE_SOURCE/examples/hello.c)
  target_link_libraries(hello_\${kind} PRIVATE ingle::\${kind})
endforeach()
CMAKE
{ cmake -S "$WORK/consumer" -B "$WORK/consumer/build" -G Ninja -DCMAKE_PREFIX_PATH="$root" &&
    cmake --build "$WORK/consumer/build"; } >"$WORK/out" 2>"$WORK/err"
code=$?
code_is "find_package(ingle)" 0
for kind in static shared; do
    "$WORK/consumer/build/hello_$kind" "$MODEL" >"$WORK/out" 2>"$WORK/err"
    code=$?
    code_is "hello_$kind" 0
done
"$WORK/consumer/build/hello_static" "$WORK/nothing.gguf" >"$WORK/out" 2>"$WORK/err"
code=$?
code_is "hello without a model" 1
err_has "hello without a model" "nothing.gguf"
finish
