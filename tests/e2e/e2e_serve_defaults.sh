#!/usr/bin/env bash
# What requests mean that do not say it: options of sampling, limits, forms of answers.
. "$(dirname "$0")/lib.sh"
exec python3 "$INGLE_SOURCE/tests/e2e/serve_defaults.py"
