#!/usr/bin/env python3
"""Writes docs/models.md: the families of the program, what models they are, how each was verified.

    scripts/models.py            writes docs/models.md anew
    scripts/models.py --check    fails if docs/models.md is not what would be written
    scripts/models.py --measure  runs the golden tests first (INGLE_DATA: the corpus) and keeps their figures

Families and features come from `ingle inspect --families`, the names of models from docs/models.tsv (family, models, what
else there is to say of its verification), the figures from docs/models.results.tsv (family, kind, case, figure), the text
around the table from docs/models.md.in. BUILD names the build folder (build)."""
import json
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
INGLE = os.environ.get("INGLE_EMULATOR", "").split() + [os.environ.get("INGLE", os.path.join(BUILD, "ingle"))]
RESULTS = os.path.join(ROOT, "docs", "models.results.tsv")
PAGE = os.path.join(ROOT, "docs", "models.md")


def rows_of(path, n):
    """Lines of tabbed fields; '#' starts a comment."""
    with open(path, encoding="utf-8") as f:
        lines = [line.rstrip("\n").split("\t") for line in f if line.strip() and not line.startswith("#")]
    for fields in lines:
        if not n <= len(fields) <= n + 1:
            sys.exit(f"{path}: {len(fields)} fields in '{' '.join(fields)}'")
    return lines


def run(*args):
    return subprocess.run(args, check=True, capture_output=True, text=True).stdout


def families():
    return json.loads(run(*INGLE, "inspect", "--families", "--json"))


# ---- measuring ----


def architecture(case, known):
    """Of the model behind a golden case."""
    corpus = os.environ.get("INGLE_DATA")
    folders = [os.path.join(ROOT, "tests", "golden", "data")]
    folders += [os.path.join(corpus, "golden", part) for part in ("models", "cases")] if corpus else []
    for folder in folders:
        path = os.path.join(folder, case + ".json")
        if not os.path.exists(path):
            continue
        with open(path, encoding="utf-8") as f:
            model = os.path.join(folder, json.load(f)["model_file"])
        if not os.path.exists(model):
            model = os.path.join(folder, os.path.basename(model))
        if model not in known:
            known[model] = json.loads(run(*INGLE, "inspect", "--json", model))["architecture"]
        return known[model]
    sys.exit(f"no golden of the name '{case}'")


def measure():
    known, found = {}, {}
    for test in ("test_logits", "test_families", "test_new_families"):
        done = subprocess.run([os.path.join(BUILD, test)], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{test} fails: {done.stdout}{done.stderr}")
        for line in done.stdout.splitlines():
            m = re.match(r"(\S.*?)\s+max difference \S+ of range \S+ = (\S+?)(?: \((\S+)\))?$", line)
            q = re.match(r"(\S+)\s+(?:KL|distance) to exact: .* ratio ([\d.]+)", line)
            if not m and not q:
                continue
            case, figure = (m or q)[1], (m or q)[2]
            if q:
                kind = "type"
            elif m[3]:
                kind = "type" if case.endswith("ternary") else "self"
            else:
                kind = "case" if re.search(r"-(long|interleave\d|seqrm\d)$", case) else "logits"
            family = m[3] if m and m[3] else architecture(case, known)
            key = (family, kind, case)
            if key not in found or float(figure) > float(found[key]):
                found[key] = figure
    with open(RESULTS, "w", encoding="utf-8") as f:
        f.write("# family, kind, case, figure: written by scripts/models.py --measure\n")
        for key in sorted(found):
            f.write("\t".join(key) + "\t" + found[key] + "\n")


# ---- the page ----


def verified(results, also):
    """One family's cell: what was compared, and the largest difference found."""
    parts = []
    for kind, one, many in (
        ("logits", "F32 logits of a file", "F32 logits of {} files"),
        ("case", "a long or mixed run", "{} long or mixed runs"),
        ("type", "a quantised type", "{} quantised types"),
        ("self", "self-verified", "self-verified in {} forms"),
    ):
        of_kind = [float(figure) for k, _, figure in results if k == kind]
        if not of_kind:
            continue
        text = one if len(of_kind) == 1 else many.format(len(of_kind))
        parts.append(text + ("" if kind == "type" else f", {max(of_kind):.0e}"))
    return "; ".join(parts + ([also] if also else []))


def page():
    table, names = families(), {}
    for fields in rows_of(os.path.join(ROOT, "docs", "models.tsv"), 2):
        names[fields[0]] = fields[1:]
    results = {}
    for family, kind, case, figure in rows_of(RESULTS, 4):
        results.setdefault(family, []).append((kind, case, figure))
    for family in list(names) + list(results):
        if family not in table:
            sys.exit(f"docs/models.tsv or docs/models.results.tsv: the program has no family '{family}'")
    lines = ["| family | models | features | verified |", "|---|---|---|---|"]
    for family, features in table.items():
        if family not in names:
            sys.exit(f"docs/models.tsv: family '{family}' has no line")
        models, also = names[family][0], names[family][1] if len(names[family]) > 1 else ""
        cell = verified(results.get(family, []), also)
        if not cell:
            sys.exit(f"docs/models.results.tsv: nothing verifies family '{family}' (scripts/models.py --measure)")
        lines.append(f"| {family} | {models} | {', '.join(features)} | {cell} |")
    with open(os.path.join(ROOT, "docs", "models.md.in"), encoding="utf-8") as f:
        return f.read().replace("@TABLE@", "\n".join(lines)).replace("@COUNT@", str(len(table)))


def main():
    if "--measure" in sys.argv:
        measure()
    text = page()
    if "--check" in sys.argv:
        with open(PAGE, encoding="utf-8") as f:
            if f.read() != text:
                sys.exit("docs/models.md is out of date: run scripts/models.py")
        return
    with open(PAGE, "w", encoding="utf-8") as f:
        f.write(text)


main()
