#!/usr/bin/env bash
# No circles of files: where one .c file of a folder uses what another one defines, directly or
# through further files of the folder, the other does not use it in turn.
#   scripts/check-circles.sh BUILD [FOLDER...]   reads the object files of that build; of all of src/
#                                                where no folder is named
set -euo pipefail
cd "$(dirname "$0")/.."

build=$1
shift
if [ $# -eq 0 ]; then # each with its subfolders, which are folders of their own
    for folder in src/*/; do set -- "$@" "$(basename "$folder")"; done
fi

# "FILE defines SYMBOL" and "FILE uses SYMBOL", a line each.
symbols() {
    find "$build/CMakeFiles" -path "*/src/$1/*.o" | sort | while read -r object; do
        file=${object##*/src/}
        nm "$object" | awk -v file="${file%.o}" '
            $(NF - 1) == "U" { print file, "uses", $NF }
            NF == 3 && $2 ~ /[A-TV-Z]/ { print file, "defines", $NF }'
    done | grep . || { echo "check-circles: no objects of src/$1 in $build" >&2; return 1; }
}

for folder; do symbols "$folder"; done | python3 -c '
import os, sys
lines = [line.split() for line in sys.stdin]
home = {(os.path.dirname(file), symbol): file for file, verb, symbol in lines if verb == "defines"}
uses = {file: {} for file, verb, symbol in lines}  # file -> another one of its folder -> a symbol
for file, verb, symbol in lines:
    other = home.get((os.path.dirname(file), symbol), file)
    if verb == "uses" and other != file:
        uses[file][other] = symbol

def reach(file):
    seen, todo = set(), [file]
    while todo:
        new = uses[todo.pop()].keys() - seen
        seen |= new
        todo += new
    return seen

reached = {file: reach(file) for file in uses}
circles = {tuple(sorted(g for g in reached[f] if f in reached[g])) for f in uses if f in reached[f]}
for circle in sorted(circles):
    print("a circle of files:", ", ".join(circle))
    for file in circle:
        for other in sorted(uses[file].keys() & set(circle)):
            print("   ", file, "uses", uses[file][other], "of", other)
sys.exit(bool(circles))
'
