# Keys of a file that change results.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 0; }
PYTHONDONTWRITEBYTECODE=1 python3 "$(dirname "$0")/keys.py" "${RUN[*]}" "$MODEL" "$WORK"
