#!/usr/bin/env bash
# Fuzzes one target of tests/fuzz with clang and libFuzzer. `make fuzz` and `make fuzz-merge` call it.
#   scripts/fuzz.sh run TARGET [SECONDS]
#       runs for SECONDS, or until Ctrl+C; begins with the committed corpus, tests/fuzz/corpus/TARGET,
#       and the target's seeds; keeps what it finds in build-fuzz/corpus/TARGET, and an input that
#       fails as build-fuzz/TARGET-crash-...
#   scripts/fuzz.sh merge TARGET
#       replaces the committed corpus by a small part of it and of what was found, which covers as
#       much or, to stay small, nearly; a file that a person has named (regress-...) stays
set -euo pipefail
cd "$(dirname "$0")/.."

command=${1:-} target=${2:-} seconds=${3:-0}
most_files=150 most_bytes=600000 # of a committed corpus
known=$(cd tests/fuzz && ls fuzz_*.c | sed -n 's/^fuzz_\(.*\)\.c$/\1/p' | grep -vx main | xargs)
case $command in run | merge) ;; *) echo "usage: scripts/fuzz.sh run|merge TARGET [SECONDS]" >&2; exit 2 ;; esac
case " $known " in
*" ${target:-?} "*) ;;
*) echo "fuzz.sh: ${target:+unknown }TARGET${target:+ '$target'} should be one of: $known" >&2; exit 2 ;;
esac
case $seconds in *[!0-9]*) echo "fuzz.sh: SECONDS '$seconds' should be a whole number" >&2; exit 2 ;; esac

scripts/deps.sh build fuzz
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz -j "${JOBS:-$(nproc)}" --target "fuzz_$target" "replay_$target" -- --quiet

program=build-fuzz/fuzz_$target committed=tests/fuzz/corpus/$target
found=build-fuzz/corpus/$target seeds=build-fuzz/seeds/$target
rm -rf "$seeds" # perhaps of an older program
mkdir -p "$committed" "$found" "$seeds"
"build-fuzz/replay_$target" -w "$seeds"
# Memory that is not there is no fault, the library refuses; a slow input is one. Longer seeds are cut.
export ASAN_OPTIONS=allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1
limits=(-malloc_limit_mb=1024 -timeout=20 -max_len=65536)

if [ "$command" = run ]; then
    exec "$program" "${limits[@]}" -max_total_time="$seconds" -print_final_stats=1 \
        -artifact_prefix="build-fuzz/$target-" "$found" "$committed" "$seeds"
fi

# libFuzzer begins with what stays, the seeds and the files with names; goes through the other inputs,
# small ones first; and notes in its control file what is new with each. Where those with anything new
# are too many, only those with more that is new are taken.
stays=build-fuzz/merge/stays named=build-fuzz/merge/named control=build-fuzz/merge/control
rm -rf build-fuzz/merge
mkdir -p "$stays" "$named"
shopt -s nullglob
for file in "$committed"/*; do
    if [[ $(basename "$file") =~ ^[0-9a-f]{40}$ ]]; then cp "$file" "$found"; else cp "$file" "$named"; fi
done
cp -r "$seeds/." "$named/." "$stays"
"$program" "${limits[@]}" -merge=1 -use_counters=0 -merge_control_file="$control" \
    "$stays" "$found"
for least in {1..1000}; do
    rm -rf "$committed"
    cp -r "$named" "$committed"
    awk -v least="$least" 'NR == 1 { n = $1 } NR == 2 { n_stay = $1 }
        NR > 2 && NR <= n + 2 { file[NR - 3] = $0 }
        NR > n + 2 && $1 == "FT" && $2 >= n_stay && NF - 2 >= least { print file[$2] }' "$control" |
        while read -r file; do cp "$file" "$committed/$(sha1sum <"$file" | cut -d ' ' -f 1)"; done
    n_files=$(ls "$committed" | wc -l) n_bytes=$(cat "$committed"/* /dev/null | wc -c)
    [ "$n_files" -gt "$most_files" ] || [ "$n_bytes" -gt "$most_bytes" ] || break
done
echo "$committed: $n_files files, $n_bytes bytes; inputs with $least or more new places"
