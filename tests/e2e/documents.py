"""Writes documents that are valid by a schema, for the schemas that schemas.py makes: members in the order of the
schema, after them those that a pattern names or that the schema leaves free. The same rng writes the same."""
import decimal
import json
import math
import re

try:
    from re import _parser as sre
except ImportError:  # before Python 3.11
    import sre_parse as sre

D = decimal.Decimal

WORDS = ("blue", "order", "late", "Straße", "naïve", "日本", "done", "42", "x=1", "e-mail", "Здравствуй", "😀",
         "\"quoted\"", "back\\slash", "line\nbreak", "tab\t", "café", "null", "{}", "//", "été", "\u00a0", "\u2028",
         "a", "of", "the")
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 -_.,é日😀"
EXTRAS = (("x_trace", "abc"), ("comment", "free \"text\""), ("n", 12), ("ratio", 0.25), ("on", True),
          ("nothing", None), ("list", [1, "two", [], {}]), ("deep", {"a": {"b": [None]}}))
BOUNDS = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")


class Impossible(Exception):
    """This choice leads to no document."""


class Writer:
    """One document. full: all that is optional is there, else some of it."""

    def __init__(self, rng, root, full):
        self.rng, self.root, self.full = rng, root, full

    # ---- schemas put together ----

    def resolved(self, node):
        """The same with $ref and allOf replaced by what they say."""
        while "$ref" in node:
            target = self.root
            for step in node["$ref"].lstrip("#").split("/")[1:]:
                target = target[step]
            node = merged(target, {k: v for k, v in node.items() if k != "$ref"})
        if "allOf" in node:
            parts, node = node["allOf"], {k: v for k, v in node.items() if k != "allOf"}
            for part in parts:
                node = merged(node, self.resolved(part))
        return node

    def value(self, node, depth=0):
        node = self.resolved(node)
        if depth > 12:
            raise Impossible
        for key in "anyOf", "oneOf":
            if key in node:
                return self.value(self.alternative(node, key, depth), depth)
        if "const" in node:
            return node["const"]
        if "enum" in node:
            return self.rng.choice(node["enum"])
        kind = node.get("type", "object" if "properties" in node else "any")
        if isinstance(kind, list):
            kind = self.rng.choice([k for k in kind if k != "null" or not self.full])
        return getattr(self, "make_" + kind)(node, depth)

    def alternative(self, node, key, depth):
        rest = {k: v for k, v in node.items() if k != key}
        choices = node[key]
        if depth > 4 or self.full and depth < 3:  # those that end a recursion, or go on with one
            choices = [c for c in choices if ("$ref" in json.dumps(c)) == (depth < 3)] or choices
        return merged(rest, self.resolved(self.rng.choice(choices)))

    # ---- kinds ----

    def make_any(self, _node, _depth):
        return self.rng.choice(EXTRAS)[1]

    def make_null(self, _node, _depth):
        return None

    def make_boolean(self, _node, _depth):
        return self.rng.random() < 0.5

    def make_integer(self, node, _depth):
        return int(self.decimal_of(node, D(1)))

    def make_number(self, node, _depth):
        if "multipleOf" in node:
            return plain_number(self.decimal_of(node, D(0)))
        step = D(1).scaleb(-self.rng.choice((0, 1, 2, 3)))
        try:
            value = self.decimal_of(node, step)
        except Impossible:
            value = self.decimal_of(node, D("0.0001"))
        return plain_number(value) if self.rng.random() < 0.5 else float(value)

    def decimal_of(self, node, step):
        """A multiple of step, or of multipleOf, within the bounds; most often near one of them."""
        if "multipleOf" in node:
            step = D(repr(node["multipleOf"]))
        steps = {key: D(repr(node[key])) / step for key in BOUNDS if key in node}
        lows = [math.floor(n) + 1 if key == "exclusiveMinimum" else math.ceil(n)
                for key, n in steps.items() if key in ("minimum", "exclusiveMinimum")]
        highs = [math.ceil(n) - 1 if key == "exclusiveMaximum" else math.floor(n)
                 for key, n in steps.items() if key in ("maximum", "exclusiveMaximum")]
        first, last = max(lows, default=None), min(highs, default=None)
        spread = self.rng.choice((3, 30, 1000, 100000))
        if first is None and last is None:
            first, last = -spread, spread
        elif first is None:
            first = last - spread
        elif last is None:
            last = first + spread
        if first > last:
            raise Impossible
        return self.rng.choice((first, last, self.rng.randint(first, last), self.rng.randint(first, last))) * step

    def make_string(self, node, _depth):
        low, high = node.get("minLength", 0), node.get("maxLength", math.inf)
        if "pattern" in node:
            for _ in range(200):
                s = self.like(node["pattern"])
                if low <= len(s) <= high:
                    return s
            raise Impossible
        if "format" in node:
            return getattr(self, "make_" + node["format"].replace("-", "_"))()
        size = self.rng.randint(low, int(min(high, low + 30)))
        s = " ".join(self.rng.choice(WORDS) for _ in range(self.rng.randint(1, 6)))[:size]
        while len(s) < size:
            s += self.rng.choice(LETTERS)
        return s

    def make_array(self, node, depth):
        fixed, rest = node.get("prefixItems", []), node.get("items", {})
        low = node.get("minItems", 0)
        high = node.get("maxItems", max(low, len(fixed)) + (2 if depth < 3 else 0))
        if rest is False:
            high = min(high, len(fixed))
        if depth > 3 and "$ref" in json.dumps(rest):
            high = low
        size = self.rng.randint(low, max(low, min(high, low + 3)))
        if self.full and depth < 2 and high <= 4:
            size = high
        return [self.value(fixed[i] if i < len(fixed) else rest, depth + 1) for i in range(size)]

    def make_object(self, node, depth):
        if "if" in node:
            node = self.decided(node)
        properties = node.get("properties", {})
        there = [name for name in properties
                 if name in node.get("required", []) or self.takes_optional(properties[name], depth)]
        for name, others in node.get("dependentRequired", {}).items():
            if name in there:
                there += [other for other in others if other not in there]
        out = {name: self.value(properties[name], depth + 1) for name in properties if name in there}
        for pattern, sub in node.get("patternProperties", {}).items():
            for _ in range(self.rng.randint(0, 2)):
                name = self.like(pattern)
                if name not in properties and self.patterns_of(node, name) == [pattern]:
                    out.setdefault(name, self.value(sub, depth + 1))
        self.add_others(out, node, depth)
        return out

    def takes_optional(self, sub, depth):
        ends = depth < 4 or "$ref" not in json.dumps(sub)
        return ends and (self.full or self.rng.random() < 0.5)

    def patterns_of(self, node, name):
        return [p for p in node.get("patternProperties", {}) if re.search(p, name)]

    def add_others(self, out, node, depth):
        """Members that the schema does not name."""
        others = node.get("additionalProperties", {})
        low, high = node.get("minProperties", 0), node.get("maxProperties", math.inf)
        wanted = self.rng.randint(0, 2) + (2 if node.get("additionalProperties") else 0)
        while others is not False and len(out) < high and (wanted > 0 or len(out) < low):
            wanted -= 1
            name, value = self.rng.choice(EXTRAS)
            name += self.rng.choice(("", "", "_2", "é", " x"))
            if name not in node.get("properties", {}) and not self.patterns_of(node, name):
                out.setdefault(name, self.value(others, depth + 1) if others else value)

    def decided(self, node):
        """One of the branches of if, which speaks of one member's const."""
        (name, sub), = node["if"]["properties"].items()
        rest = {k: v for k, v in node.items() if k not in ("if", "then", "else")}
        values = rest["properties"][name].get("enum", [False, True])
        holds = self.rng.random() < 0.5
        values = [v for v in values if (v == sub["const"]) == holds]
        rest = {**rest, "properties": {**rest["properties"], name: {"enum": values}}}
        return merged(rest, node.get("then" if holds else "else", {}))

    # ---- patterns ----

    def like(self, pattern):
        s = "".join(self.piece(op, arg) for op, arg in sre.parse(pattern))
        before = "" if pattern.startswith("^") else self.rng.choice(("", "a", "old "))
        after = "" if pattern.endswith("$") else self.rng.choice(("", "a", "_1"))
        return before + s + after

    def piece(self, op, arg):
        name = str(op)
        if name == "LITERAL":
            return chr(arg)
        if name == "ANY":
            return self.rng.choice("abc 123é日\"\\")
        if name == "IN":
            return self.rng.choice(members_of(arg))
        if name == "NOT_LITERAL":
            return self.rng.choice([c for c in LETTERS if c != chr(arg)])
        if name == "MAX_REPEAT":
            low, high, inner = arg
            n = self.rng.randint(low, min(int(high), low + 4))
            return "".join(self.piece(*part) for _ in range(n) for part in inner)
        if name == "SUBPATTERN":
            return "".join(self.piece(*part) for part in arg[-1])
        if name == "BRANCH":
            return "".join(self.piece(*part) for part in self.rng.choice(arg[1]))
        if name == "AT":
            return ""
        raise ValueError(f"a pattern with {name}")

    # ---- formats ----

    def digits(self, low, high, width=2):
        return f"{self.rng.randint(low, high):0{width}d}"

    def make_date(self):
        some = f"{self.digits(1970, 2099, 4)}-{self.digits(1, 12)}-{self.digits(1, 28)}"
        return self.rng.choice((some, some, "2024-02-29", "1999-12-31", "0001-01-01"))

    def make_time(self):
        zone = self.rng.choice(("Z", "Z", "+00:00", f"+{self.digits(0, 14)}:{self.digits(0, 59)}",
                                f"-{self.digits(0, 11)}:30"))
        fraction = self.rng.choice(("", "", ".5", ".123", ".000001"))
        return f"{self.digits(0, 23)}:{self.digits(0, 59)}:{self.digits(0, 59)}{fraction}{zone}"

    def make_date_time(self):
        return f"{self.make_date()}T{self.make_time()}"

    def make_duration(self):
        return self.rng.choice(("P1D", "PT15M", "PT1H30M", "P3W", "P1Y2M10D", "P1DT12H", "PT36S", "P2Y",
                                f"PT{self.rng.randint(1, 90)}M{self.rng.randint(0, 59)}S"))

    def make_email(self):
        name = self.rng.choice(("ada", "grace.hopper", "info+news", "o'brien", "x_1", "a-b"))
        return f"{name}@{self.make_hostname()}"

    def make_hostname(self):
        return self.rng.choice(("example.com", "a.b.example.org", "localhost", "db-1.internal", "xy.example.net",
                                f"node{self.rng.randint(1, 99)}.example.com"))

    def make_ipv4(self):
        return ".".join(str(self.rng.choice((0, 1, 10, 99, 127, 192, 249, 255))) for _ in range(4))

    def make_ipv6(self):
        return self.rng.choice(("::1", "::", "2001:db8::8a2e:370:7334", "fe80::1",
                                "2001:0db8:0000:0000:0000:ff00:0042:8329", "::ffff:192.0.2.128", "1:2:3:4:5:6:7:8"))

    def make_uuid(self):
        h = f"{self.rng.getrandbits(128):032x}"
        return "-".join((h[:8], h[8:12], h[12:16], h[16:20], h[20:]))

    def make_uri(self):
        return self.rng.choice(("https://example.com/", "http://example.com:8080/a/b?x=1&y=2#top",
                                "urn:isbn:0451450523", "mailto:ada@example.com",
                                "ftp://files.example.org/a%20b.txt", "https://[2001:db8::1]/", "file:///etc/hosts",
                                "https://user@example.com?q=a+b"))


def plain_number(value):
    return int(value) if value == int(value) else float(value)


def members_of(parts):
    out = []
    negated = False
    for op, arg in parts:
        if str(op) == "NEGATE":
            negated = True
        elif str(op) == "LITERAL":
            out.append(chr(arg))
        elif str(op) == "RANGE":
            out += [chr(c) for c in range(arg[0], arg[1] + 1)]
        elif str(op) == "CATEGORY":
            out += {"CATEGORY_DIGIT": "0123456789", "CATEGORY_WORD": "abcXYZ_09", "CATEGORY_SPACE": " \t"}[str(arg)]
    return [c for c in LETTERS if c not in out] if negated else out


TIGHTER = {"minimum": max, "exclusiveMinimum": max, "minLength": max, "minItems": max,
           "maximum": min, "exclusiveMaximum": min, "maxLength": min, "maxItems": min}


def merged(a, b):
    """What both ask for, as far as the schemas here need it."""
    out = dict(a)
    for key, value in b.items():
        if key not in out:
            out[key] = value
        elif key in TIGHTER:
            out[key] = TIGHTER[key](out[key], value)
        elif key == "properties":
            out[key] = {**out[key], **value}
        elif key == "required":
            out[key] = [*out[key], *[name for name in value if name not in out[key]]]
        else:
            out[key] = value
    return out
