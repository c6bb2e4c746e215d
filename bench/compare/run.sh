#!/bin/sh
# run.sh - ingle and llama.cpp side by side: installs the pinned llama.cpp (npm), makes the synthetic files, measures, prints.
# --help lists the options; the program must be built already (make).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
command -v node >/dev/null || { echo "run.sh: node is missing (apt install nodejs npm)" >&2; exit 1; }
if [ ! -d "$here/node_modules/node-llama-cpp" ]; then
    # Only what measuring on the CPU needs: no GPU libraries, no install scripts. Versions are those of the lock file; npm 11
    # refuses it in "npm ci", as it lacks packages for other systems.
    (cd "$here" && npm install --no-save --omit=optional --ignore-scripts --no-audit --no-fund)
fi
exec node "$here/compare.mjs" "$@"
