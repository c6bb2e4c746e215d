# `make install`: the program finds its model, a C program builds with ingle.pc and with the CMake package.
. "$(dirname "$0")/lib.sh"

root=$WORK/root
cmake --install "$INGLE_BUILD" --prefix "$root" >"$WORK/out" 2>"$WORK/err"
code=$?
code_is "cmake --install" 0
for file in bin/ingle include/ingle.h include/ingle_record.h share/man/man1/ingle.1 share/man/man1/ingle-serve.1 share/ingle/models/tiny-chat.gguf \
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
for example in hello search parallel events score chat grammar record; do
    # shellcheck disable=SC2046
    PKG_CONFIG_PATH=$(dirname "$pc") "$cc" -Wall -Wextra -Werror "$INGLE_SOURCE/examples/$example.c" -o "$WORK/$example" \
        $(PKG_CONFIG_PATH=$(dirname "$pc") pkg-config --cflags --libs ingle) -lm -pthread 2>"$WORK/err"
    code=$?
    code_is "examples/$example.c with pkg-config" 0
    LD_LIBRARY_PATH=$lib "$WORK/$example" 2>"$WORK/err" >"$WORK/out"
    code=$?
    code_is "$example without arguments" 1
    err_has "$example without arguments" "usage: $example MODEL"
done
example() { # NAME ARGUMENTS...
    LD_LIBRARY_PATH=$lib "$WORK/$1" "$MODEL" "${@:2}" >"$WORK/out" 2>"$WORK/err"
    code=$?
    code_is "$1" 0
}
example hello
check "hello writes text" test -s "$WORK/out"
example search "a dog" "the sea" "a dog" "numbers"
check "search puts the same text first" test "$(head -1 "$WORK/out")" = "1.000  a dog"
check "search lists all three" test "$(wc -l <"$WORK/out")" -eq 3
example parallel "Once upon a time" "The cat" "One day a dog"
check "parallel: an answer for each" test "$(wc -l <"$WORK/out")" -ge 3
out_has "parallel" "Once upon a time there was"
example events "Once upon a time" "The cat"
check "events: of both requests" test "$(cut -c 1-2 "$WORK/out" | sort -u | grep -c '^[01]:')" -eq 2
example score "Once upon a time there was a little goat"
out_has "score" "8 tokens, perplexity 2.03"
example record "Omar is 12 and likes cake."
check "record: the struct" test "$(cat "$WORK/out")" = "name: Omar
age: 12"
if command -v c++ >/dev/null; then
    printf '#include <%s>\n' ingle.h ingle_record.h ingle_tools.h >"$WORK/headers.cc"
    c++ -std=c++17 -Wall -Wextra -Werror -I"$root/include" -c "$WORK/headers.cc" -o "$WORK/headers.o" 2>"$WORK/err"
    code=$?
    code_is "the headers in C++" 0
fi
printf 'What day comes before Sunday?\nWhat day comes before Monday?\n' |
    LD_LIBRARY_PATH=$lib "$WORK/chat" "$MODEL" >"$WORK/out" 2>"$WORK/err"
code=$?
code_is "chat" 0
check "chat: an answer a line" test "$(wc -l <"$WORK/out")" -ge 2
out_has "chat" "Saturday"
example grammar
json_is "grammar" "0 <= lines[0]['legs'] <= 8 and lines[0]['animal'] in ('cat', 'bird', 'fish')"
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
