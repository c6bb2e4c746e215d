#!/usr/bin/env bash
# A folder of src/ includes only from itself and from folders above it in docs/architecture.md's
# order; server and cli see the library through <ingle.h> and use base/, nothing else of it; cli
# starts the server by server/serve.h.
set -euo pipefail
cd "$(dirname "$0")/.."

find src -name '*.[ch]' | sort | xargs grep -Hn '^ *# *include' | awk '
BEGIN {
    n = split("base quant gguf kern text grammar chat sample model backend engine", order, " ")
    for (i = 1; i <= n; i++) rank[order[i]] = i
    leaf["text"] = leaf["grammar"] = leaf["chat"] = leaf["sample"] = 1
}
{
    split($0, part, ":")
    file = part[1]
    split(file, dir, "/")
    room = dir[2]
    if (!match($0, /[<"][^>"]+[>"]/)) next
    quote = substr($0, RSTART, 1)
    name = substr($0, RSTART + 1, RLENGTH - 2)
    other = name ~ /\// ? substr(name, 1, index(name, "/") - 1) : ""
    why = ""
    if (name ~ /\.c$/) {
        why = "includes a .c file"
    } else if (room == "cli" || room == "server") {
        if (quote == "\"" && other != "" && other != "base" && !(room == "cli" && name == "server/serve.h")) why = "includes another folder; <ingle.h> and base/ are all it may use"
    } else if (!(room in rank)) {
        why = "lies in a folder that has no place in the order"
    } else if (other in rank) {
        if (rank[other] > rank[room]) why = "includes " name ", a folder below its own"
        else if (room != other && leaf[room] && leaf[other]) why = "includes " name ": leaves do not know one another"
    } else if (other == "cli" || other == "server") {
        why = "includes " name
    }
    if (why != "") { print file ":" part[2] ": " why; bad = 1 }
}
END { exit bad }'
