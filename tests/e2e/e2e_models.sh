# docs/models.md says what the program's own table and the kept figures say.
. "$(dirname "$0")/lib.sh"

if python3 -c 'import json' 2>/dev/null; then
    check "docs/models.md is up to date: scripts/models.py writes it" \
        python3 "$INGLE_SOURCE/scripts/models.py" --check
else
    echo "skipped: no python3"
fi
finish
