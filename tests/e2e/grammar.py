"""Puts texts to `ingle grammar` and compares what it says with files that say what is right.

  python3 grammar.py strings PROGRAM FOLDER   every FOLDER/NAME.strings.json beside its grammar
  python3 grammar.py invalid PROGRAM FILE     grammars that must be refused, or at least be dealt with in time
  python3 grammar.py schemas PROGRAM LINES    what schemas.py --list wrote: whether all its texts are accepted
"""
import glob
import json
import os
import subprocess
import sys
import tempfile

SECONDS = 60


def put(program, grammar, text):
    run = subprocess.run([*program, "grammar", *grammar], input=text, capture_output=True, timeout=SECONDS)
    lines = run.stdout.decode().splitlines()
    return run, json.loads(lines[0]) if len(lines) == 1 else None


def strings(program, folder):
    faults = n = 0
    for path in sorted(glob.glob(os.path.join(folder, "*.strings.json"))):
        with open(path, encoding="utf-8") as f:
            data = json.load(f)
        for want in data["strings"]:
            n += 1
            want = {"dead_at_byte": None, **want}
            run, got = put(program, [os.path.join(folder, data["grammar"])], want["text"].encode())
            wrong = got is None or run.returncode != (not want["accept"]) or bool(run.stderr) == want["accept"]
            if wrong or any(got[k] != want[k] for k in ("accept", "dead_at_byte", "complete_at")):
                print(f"{data['grammar']}: {want}: exit code {run.returncode}, {got}, {run.stderr}")
                faults += 1
    print(f"{n} texts, {faults} faults")
    return faults or not n


def build(grammar):
    """The text of a grammar, or of one that a record describes."""
    if isinstance(grammar, str):
        return grammar
    if "repeat" in grammar:
        prefix, opening, n, middle, closing, m, suffix = grammar["repeat"]
        return prefix + opening * n + middle + closing * m + suffix
    n = grammar["chain"]
    return "root ::= r0\n" + "".join(f"r{i} ::= r{i + 1}\n" for i in range(n)) + f'r{n} ::= "a"\n'


def invalid(program, path):
    faults = n = refused = 0
    with open(path, encoding="utf-8") as f:
        cases = json.load(f)["cases"]
    for case in cases:
        n += 1
        with tempfile.NamedTemporaryFile("w", suffix=".gbnf", encoding="utf-8") as f:
            f.write(build(case["grammar"]))
            f.flush()
            run, got = put(program, [f.name], b"")
        refused += got is None
        said = run.stderr.decode()
        if run.returncode not in (0, 1) or run.returncode and not said or got is None and f.name not in said:
            print(f"{case['name']}: exit code {run.returncode}, {got}, {said}")
            faults += 1
    print(f"{n} grammars, {refused} refused, {faults} faults")
    return faults or not n


def schemas(program, path):
    faults = n = 0
    with open(path, encoding="utf-8") as f:
        for line in f:
            item = json.loads(line)
            n += 1
            argv = [*program, "grammar", "--json-schema", json.dumps(item["schema"]), "--lines"]
            text = "".join(t + "\n" for t in item["documents"]).encode()
            run = subprocess.run(argv, input=text, capture_output=True, timeout=SECONDS)
            if run.returncode or len(run.stdout.splitlines()) != len(item["documents"]):
                print(f"{item['name']}: exit code {run.returncode}, {run.stderr}")
                faults += 1
    print(f"{n} schemas, {faults} faults")
    return faults or not n


if __name__ == "__main__":
    what = {"strings": strings, "invalid": invalid, "schemas": schemas}[sys.argv[1]]
    sys.exit(what(sys.argv[2].split("\n"), sys.argv[3]) > 0)
