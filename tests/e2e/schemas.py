"""500 JSON Schemas such as tools and forms have, and texts that are valid by them. The same seed makes the same
schemas, in any version of Python and on any machine.

  python3 schemas.py --list       a JSON line for each schema: {"name", "schema", "documents": [texts]}
  python3 schemas.py --out DIR    the same as files, DIR/000.json ...

A schema has two documents, each written with json.dumps' separators and without white space: four texts. In the
first document all that is optional is there, in the second some of it. Members come in the order of the
schema, after them those that a pattern names or that the schema leaves free. Each was found valid by validate.py,
which needs jsonschema (Debian: python3-jsonschema)."""
import argparse
import json
import os
import random
import sys

import documents
import validate

# ---- fields ----------------------------------------------------------------------------------------


def text(low=None, high=None, **more):
    bounds = {k: v for k, v in (("minLength", low), ("maxLength", high)) if v is not None}
    return {"type": "string", **bounds, **more}


def whole(low=None, high=None, **more):
    bounds = {k: v for k, v in (("minimum", low), ("maximum", high)) if v is not None}
    return {"type": "integer", **bounds, **more}


def number(low=None, high=None, **more):
    return {**whole(low, high, **more), "type": "number"}


def has_format(name):
    return {"type": "string", "format": name}


def matches(pattern, **more):
    return {"type": "string", "pattern": pattern, **more}


def one_of(*values):
    words = all(isinstance(v, str) for v in values)
    return {"type": "string", "enum": list(values)} if words else {"enum": list(values)}


def obj(properties, required=None, **more):
    node = {"type": "object", "properties": properties}
    if required is None or required:
        node["required"] = list(properties) if required is None else required
    return {**node, **more}


def array(items, low=None, high=None, **more):
    bounds = {k: v for k, v in (("minItems", low), ("maxItems", high)) if v is not None}
    return {"type": "array", "items": items, **bounds, **more}


FLAG = {"type": "boolean"}

TOPICS = {  # what it is about: its fields, from which a schema takes some
    "order": {
        "order_id": matches("^ORD-[0-9]{6}$"), "customer_email": has_format("email"), "quantity": whole(1, 999),
        "unit_price": number(0, 99999.99, multipleOf=0.01), "currency": one_of("EUR", "USD", "GBP", "JPY", "CHF"),
        "gift": FLAG, "note": text(high=80), "ordered_at": has_format("date-time"),
        "sku": matches("^[A-Z]{3}-[0-9]{4}(?:-[a-z]{2})?$"), "discount_percent": number(0, 50, multipleOf=0.5),
        "status": one_of("new", "paid", "shipped", "returned")},
    "weather": {
        "city": text(1, 60), "country_code": matches("^[A-Z]{2}$"), "latitude": number(-90, 90),
        "longitude": number(-180, 180), "unit": one_of("celsius", "fahrenheit"), "days": whole(1, 14),
        "include_hourly": FLAG, "date": has_format("date"), "humidity": whole(0, 100),
        "wind_kmh": {"type": "number", "minimum": 0, "exclusiveMaximum": 500}},
    "event": {
        "title": text(1, 120), "starts_at": has_format("date-time"), "ends_at": has_format("date-time"),
        "day": has_format("date"), "time_of_day": has_format("time"), "length": has_format("duration"),
        "location": text(high=100), "all_day": FLAG, "organizer": has_format("email"), "link": has_format("uri"),
        "priority": whole(1, 5), "visibility": one_of("public", "private"),
        "repeat": one_of("never", "daily", "weekly", "monthly")},
    "ticket": {
        "summary": text(5, 140), "severity": one_of("low", "medium", "high", "critical"),
        "component": matches("^[a-z][a-z0-9_-]*$", maxLength=30), "assignee": text(2, 40),
        "ticket_key": matches("^[A-Z]{2,5}-[1-9][0-9]{0,5}$"), "story_points": one_of(1, 2, 3, 5, 8, 13),
        "reported_at": has_format("date-time"), "blocked": FLAG, "reporter_id": has_format("uuid"), "steps": text(),
        "votes": whole(0), "due": has_format("date")},
    "code_edit": {
        "path": matches(r"^(?:[a-z0-9_]+/)*[a-z0-9_]+\.(?:c|h|py|md)$"), "start_line": whole(1, 100000),
        "end_line": whole(1, 100000), "new_text": text(), "old_text": text(1),
        "language": one_of("c", "python", "rust", "markdown"), "commit": matches("^[0-9a-f]{7,40}$"),
        "explanation": text(high=200), "create": FLAG, "mode": matches("^0[0-7]{3}$")},
    "contact": {
        "first_name": text(1, 50), "last_name": text(1, 50), "email": has_format("email"),
        "phone": matches(r"^\+[1-9][0-9]{6,14}$"), "born": has_format("date"), "website": has_format("uri"),
        "vip": FLAG, "age": whole(0, 130), "postal_code": matches("^[0-9]{5}$"),
        "language": matches("^[a-z]{2}(?:-[A-Z]{2})?$"), "contact_id": has_format("uuid")},
    "server": {
        "host": has_format("hostname"), "address": has_format("ipv4"), "address_v6": has_format("ipv6"),
        "port": whole(1, 65535), "protocol": one_of("http", "https", "ssh"),
        "timeout_s": {"type": "number", "exclusiveMinimum": 0, "maximum": 600}, "retries": whole(0, 10), "tls": FLAG,
        "image": matches(r"^[a-z0-9]+(?:[._/-][a-z0-9]+)*:[0-9]+\.[0-9]+$"), "cpu_share": number(0, 1),
        "memory_mib": whole(64, 65536, multipleOf=64), "instance": has_format("uuid")},
    "invoice": {
        "invoice_number": matches("^[0-9]{4}/[0-9]{5}$"), "issued": has_format("date"),
        "net": number(0, multipleOf=0.01), "tax_rate": one_of(0, 7, 19),
        "iban": matches("^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,20}$"), "paid": FLAG, "customer": text(1, 80),
        "reference": text(8, 8), "lines": array(text(1, 30), 1, 5), "reminders": whole(0, 3)},
    "recipe": {
        "dish": text(2, 60), "servings": whole(1, 24), "minutes": whole(5, 720, multipleOf=5), "vegetarian": FLAG,
        "difficulty": one_of("easy", "medium", "hard"), "ingredients": array(text(1, 40), 1, 8),
        "rating": number(0, 5, multipleOf=0.5), "source": has_format("uri"),
        "kcal": {"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 5000}},
    "sensor": {
        "sensor_id": matches("^s[0-9]{3,8}$"), "value": {"type": "number"}, "unit": one_of("K", "Pa", "lx", "V"),
        "taken_at": has_format("date-time"), "battery": number(0, 1, multipleOf=0.25), "error_code": whole(-128, 127),
        "calibrated": FLAG, "gain": {"type": "number", "exclusiveMinimum": 0},
        "samples": array({"type": "number", "minimum": -1000, "maximum": 1000}, 0, 6),
        "mac": matches("^(?:[0-9A-F]{2}:){5}[0-9A-F]{2}$")},
    "booking": {
        "from_airport": matches("^[A-Z]{3}$"), "to_airport": matches("^[A-Z]{3}$"), "depart": has_format("date"),
        "passengers": whole(1, 9), "cabin": one_of("economy", "business", "first"), "flexible": FLAG,
        "seat": matches("^[1-9][0-9]?[A-F]$"), "price_limit": number(0, 20000), "check_in": has_format("time"),
        "locator": text(6, 6), "email": has_format("email")},
    "search": {
        "query": text(1, 200), "limit": whole(1, 100), "offset": whole(0),
        "sort": one_of("relevance", "newest", "oldest"), "safe": FLAG, "site": has_format("hostname"),
        "since": has_format("date"), "min_score": number(0, 1), "tags": array(matches("^[a-z]{2,12}$"), 0, 4)},
}
VERBS = ("create", "update", "find", "import", "check")
FOREIGN_NAMES = ("größe", "straße", "価格", "名前", "имя", "adresse_électronique", "año", "città", "naïveté", "数量",
                 "Ελλάδα", "emoji_😀", "with space", "dash-ed", "dotted.name", "$price", "quote\"d", "back\\slash",
                 "a/b", "~tilde", "ключ 1")


class Maker:
    """One schema: rng decides, topic names the fields."""

    def __init__(self, rng, topic=None):
        self.rng = rng
        self.topic = topic or rng.choice(sorted(TOPICS))
        self.fields = TOPICS[self.topic]

    def some(self, low, high, wanted=lambda node: True):
        """Fields of the topic, in an order of their own; those that are wanted first."""
        names = sorted(self.fields)
        self.rng.shuffle(names)
        names.sort(key=lambda name: not wanted(self.fields[name]))
        names = names[:self.rng.randint(low, high)]
        self.rng.shuffle(names)
        return {name: self.fields[name] for name in names}

    def subset(self, names):
        return [name for name in names if self.rng.random() < 0.6]

    def foreign(self, low, high):
        """Fields of any topic."""
        pool = sorted({(name, topic) for topic, fields in TOPICS.items() for name in fields})
        picked = self.rng.sample(pool, self.rng.randint(low, high))
        return {name: TOPICS[topic][name] for name, topic in picked}

    def record(self, low=2, high=5):
        fields = self.some(low, high)
        return obj(fields, self.subset(fields), additionalProperties=False)


# ---- shapes: what a schema is built around ---------------------------------------------------------------


def flat(m):
    return m.record(3, 8)


def nested(m):
    node = m.record(1, 3)
    for _ in range(m.rng.randint(1, 3)):
        name = m.rng.choice(("details", "context", "settings", "target", "meta"))
        node = obj({**m.some(1, 3), name: node}, [name], additionalProperties=False)
    return node


def array_of_objects(m):
    low = m.rng.randint(0, 2)
    rows = array(m.record(2, 4), low or None, low + m.rng.randint(1, 4) if m.rng.random() < 0.7 else None)
    return obj({**m.some(1, 2), "items": rows}, ["items"], additionalProperties=False)


def root_array(m):
    return array(m.record(2, 4), m.rng.randint(0, 2), m.rng.randint(3, 5))


def enums(m):
    fields = {"version": {"const": m.rng.choice((1, 2, "v1", "2026-01", None, True))},
              "action": one_of(*[f"{verb}_{m.topic}" for verb in m.rng.sample(VERBS, m.rng.randint(2, 4))]),
              "level": {"enum": m.rng.sample([0, 1, -1, 2.5, "auto", None, False, "n/a", "naïve", "tab\there"], 4)}}
    if m.rng.random() < 0.4:
        fields["shape"] = {"const": m.rng.choice(([1, 2, 3], {"x": 1, "y": [True]}, ["a"], {}))}
    return obj({**fields, **m.some(0, 3)}, m.subset(fields), additionalProperties=False)


def formats(m):
    names = m.rng.sample(("date", "date-time", "time", "email", "ipv4", "ipv6", "uuid", "uri", "hostname", "duration"),
                         m.rng.randint(3, 6))
    fields = {name.replace("-", "_"): has_format(name) for name in names}
    return obj(fields, m.subset(fields), additionalProperties=False)


def integer_bounds(m):
    r = m.rng
    edges = (0, 1, 9, 10, 99, 100, 127, 255, 1000, 65535, 2**31 - 1, 10**9, 2**53 - 1)
    fields = {}
    for name in r.sample(("count", "index", "offset", "level", "year", "delta", "balance", "page"), r.randint(3, 6)):
        low = r.choice(edges) * r.choice((-1, 1, 1))
        high = low + r.choice((0, 1, 7, 90, 1000, 123456))
        fields[name] = r.choice(({"type": "integer", "minimum": low, "maximum": high},
                                 {"type": "integer", "minimum": low},
                                 {"type": "integer", "maximum": high},
                                 {"type": "integer", "exclusiveMinimum": low, "maximum": high + 1},
                                 {"type": "integer", "minimum": low - 1, "exclusiveMaximum": high}))
    return obj(fields, m.subset(fields), additionalProperties=False)


def decimal_bounds(m):
    r = m.rng
    fields = {}
    for name in r.sample(("ratio", "weight_kg", "height_m", "score", "probability", "temperature", "amount"),
                         r.randint(2, 5)):
        low = r.choice((0, -1, 0.5, -273.15, 1.25, 10, -0.001, 99.9))
        high = r.choice((0.75, 1, 2.5, 36.6, 1000, 12345.678))
        low, high = min(low, high), max(low, high)
        fields[name] = r.choice((number(low, high), number(low), number(None, high),
                                 {"type": "number", "exclusiveMinimum": low, "exclusiveMaximum": high}))
    return obj(fields, m.subset(fields), additionalProperties=False)


def multiples(m):
    r = m.rng
    fields = {}
    for name in r.sample(("price", "step", "minutes", "size", "share", "tax", "angle"), r.randint(2, 5)):
        step = r.choice((2, 3, 5, 7, 10, 15, 64, 100, 0.5, 0.25, 0.01, 0.1, 2.5))
        base = whole if isinstance(step, int) and r.random() < 0.8 else number
        fields[name] = base(r.choice((None, 0, -100, 10)), r.choice((None, 360, 1000)), multipleOf=step)
    return obj(fields, m.subset(fields), additionalProperties=False)


PATTERNS = ("^[A-Z]{2}[0-9]{4}$", "^#[0-9a-fA-F]{6}$", r"^v?[0-9]+\.[0-9]+\.[0-9]+$", "^(?:yes|no|maybe)$",
            "^[a-z]+(?:_[a-z]+)*$", r"^\$[1-9][0-9]*\.[0-9]{2}$", "^[^aeiou]{3}$", "^.{4,9}$", r"^\w+@\w+$", "[0-9]",
            "^usr_", r"\.json$", "^[а-я]{2,6}$", "^(?:[0-9]{3}-){2}[0-9]{4}$", r"^\d{3}\s\d{2}$", "^a*b+c?$", 
            "^(?:red|green|blue)(?:,(?:red|green|blue)){0,2}$", "^[0-9]{1,3}(?:,[0-9]{3})*$",
            r"^\([0-9]{3}\) [0-9]{4}$", "^[ -~]{1,12}$")


def patterns(m):
    names = m.rng.sample(("code", "colour", "version", "answer", "slug", "price", "token", "file", "group", "mask"),
                         m.rng.randint(3, 6))
    fields = {name: matches(m.rng.choice(PATTERNS)) for name in names}
    return obj(fields, m.subset(fields), additionalProperties=False)


def lengths(m):
    fields = {}
    for name in m.rng.sample(("title", "summary", "nickname", "headline", "caption", "pin", "motto"),
                             m.rng.randint(3, 5)):
        low = m.rng.choice((None, 0, 1, 3, 8, 40))
        fields[name] = text(low, None if m.rng.random() < 0.3 else (low or 0) + m.rng.choice((0, 1, 5, 24, 200)) or 1)
    return obj(fields, m.subset(fields), additionalProperties=False)


def scalar_arrays(m):
    r = m.rng
    kinds = (whole(0, 100), number(-1, 1), text(1, 12), FLAG, one_of("n", "e", "s", "w"), has_format("date"),
             matches("^[a-z]{2}$"))
    fields = {}
    for name in r.sample(("tags", "scores", "flags", "path", "dates", "codes"), r.randint(2, 4)):
        low = r.randint(0, 2)
        fields[name] = array(r.choice(kinds), r.choice((None, low)), r.choice((None, low + r.randint(1, 4))))
    size = r.randint(2, 3)
    fields["matrix"] = array(array(number(), size, size), size, size)
    return obj(fields, m.subset(fields), additionalProperties=False)


def maps(m):
    value = m.rng.choice((whole(0), text(), number(0, 1), m.record(1, 3), array(text(1, 9), 0, 3), one_of("on", "off")))
    limits = m.rng.choice(({}, {"minProperties": 1}, {"minProperties": 1, "maxProperties": 3}))
    table = {"type": "object", "additionalProperties": value, **limits}
    return m.rng.choice((table, obj({**m.some(1, 2), "labels": table}, ["labels"], additionalProperties=False)))


def open_objects(m):
    return {k: v for k, v in m.record(2, 5).items() if k != "additionalProperties"}


def pattern_properties(m):
    pool = (("^x-", text(high=20)), ("^[0-9]+$", whole(0)), ("_at$", has_format("date-time")), ("^is_[a-z]+$", FLAG),
            ("^[A-Z]{3}$", number(0)))
    by_pattern = m.rng.sample(pool, m.rng.randint(1, 3))
    fields = m.some(1, 3, lambda node: node != FLAG)
    fields = {k: v for k, v in fields.items() if not k.endswith("_at")}
    return obj(fields, m.subset(fields), patternProperties=dict(by_pattern), additionalProperties=False)


def any_of(m):
    pool = [text(1, 20), whole(0, 1000), FLAG, {"type": "null"}, array(whole(), 1, 3), m.record(1, 3)]
    fields = m.some(1, 3)
    for name in m.rng.sample(("value", "result", "filter", "range"), m.rng.randint(1, 2)):
        fields[name] = {"anyOf": m.rng.sample(pool, m.rng.randint(2, 4))}
    return obj(fields, m.subset(fields), additionalProperties=False)


def tagged(m, tag, n):
    names = m.rng.sample(sorted(TOPICS), n)
    variants = []
    for name in names:
        part = {k: v for k, v in Maker(m.rng, name).some(1, 3).items() if k != tag}
        variants.append(obj({tag: {"const": name}, **part}, [tag, *m.subset(part)], additionalProperties=False))
    return variants


def one_of_tagged(m):
    union = {"oneOf": tagged(m, m.rng.choice(("type", "kind", "action")), m.rng.randint(2, 4))}
    return m.rng.choice((union, obj({"request": union}, additionalProperties=False), array(union, 1, 3)))


def one_of_types(m):
    fields = {"id": {"oneOf": [whole(1), has_format("uuid")]},
              "when": {"oneOf": [has_format("date"), {"type": "null"}]},
              "amount": {"oneOf": [{"type": "number", "exclusiveMaximum": 0}, number(100, 200), text(1, 5)]},
              **m.some(1, 2)}
    return obj(fields, m.subset(fields), additionalProperties=False)


def all_of(m):
    first, second = m.some(1, 3), m.foreign(1, 3)
    second = {k: v for k, v in second.items() if k not in first}
    node = {"allOf": [obj(first, m.subset(first)), obj(second, m.subset(second))]}
    if m.rng.random() < 0.5:
        node = {"$defs": {"base": node["allOf"][0]}, "allOf": [{"$ref": "#/$defs/base"}, node["allOf"][1]]}
    return node


def all_of_bounds(m):
    pages = [{"minimum": m.rng.randint(1, 50)}, {"maximum": m.rng.randint(51, 999)}]
    code = [{"pattern": "^[A-Z]+$"}, {"minLength": 2}, {"maxLength": m.rng.randint(3, 9)}]
    fields = {"pages": {"type": "integer", "allOf": pages}, "code": {"type": "string", "allOf": code}, **m.some(0, 2)}
    return obj(fields, m.subset(fields), additionalProperties=False)


def references(m):
    address = obj({"street": text(1, 60), "city": text(1, 40), "postal_code": matches("^[0-9]{5}$"),
                   "country": matches("^[A-Z]{2}$")},
                  ["street", "city"], additionalProperties=False)
    money = obj({"amount": number(0, multipleOf=0.01), "currency": one_of("EUR", "USD", "JPY")},
                additionalProperties=False)
    fields = {"billing": {"$ref": "#/$defs/address"}, "shipping": {"$ref": "#/$defs/address"},
              "total": {"$ref": "#/$defs/money"}, "rows": array({"$ref": "#/$defs/row"}, 1, 3), **m.some(0, 2)}
    row = obj({"label": text(1, 30), "cost": {"$ref": "#/$defs/money"}}, additionalProperties=False)
    return {**obj(fields, m.subset(fields), additionalProperties=False),
            "$defs": {"address": address, "money": money, "row": row}}


def tree(m):
    fields = m.some(1, 2)
    node = obj({**fields, "children": array({"$ref": "#/$defs/node"}, None, m.rng.choice((None, 2, 3)))},
               m.subset(fields), additionalProperties=False)
    root = {"$ref": "#/$defs/node"}
    return {**(root if m.rng.random() < 0.5 else obj({"root": root})), "$defs": {"node": node}}


def linked_list(m):
    end = m.rng.choice((False, True))
    follow = {"anyOf": [{"$ref": "#"}, {"type": "null"}]} if end else {"$ref": "#"}
    fields = m.some(1, 3)
    return obj({**fields, "next": follow}, [*m.subset(fields), *(["next"] if end else [])], additionalProperties=False)


def expression(m):
    ops = m.rng.sample(("add", "sub", "mul", "div", "min", "max"), 3)
    call = obj({"op": one_of(*ops), "args": array({"$ref": "#/$defs/expr"}, 1, 3)}, additionalProperties=False)
    leaf = m.rng.choice((number(), whole(-9, 9), text(1, 8)))
    root = obj({"expr": {"$ref": "#/$defs/expr"}}, additionalProperties=False)
    return {"$defs": {"expr": {"anyOf": [leaf, call]}}, **root}


def nullable(m):
    fields = {}
    for name, node in m.some(3, 6, lambda node: "enum" not in node).items():
        if "enum" not in node and m.rng.random() < 0.8:
            node = {**node, "type": [node["type"], "null"]}
        fields[name] = node
    fields["either"] = {"type": m.rng.sample(["string", "integer", "boolean", "null"], 2)}
    return obj(fields, m.subset(fields), additionalProperties=False)


def unicode_names(m):
    names = m.rng.sample(FOREIGN_NAMES, m.rng.randint(3, 7))
    nodes = [text(), whole(0, 99), FLAG, has_format("date"), one_of("ä", "ö", "ü"), array(text(1, 5), 0, 2),
             one_of("左", "右", "\u2028", "\"", "\\n")]
    fields = {name: m.rng.choice(nodes) for name in names}
    return obj(fields, m.subset(fields), additionalProperties=False)


def if_then_else(m):
    fields = m.some(2, 3, lambda node: "enum" not in node)
    names = list(fields)
    tag = {"delivery": one_of("post", "pickup", "courier")} if m.rng.random() < 0.6 else {"express": FLAG}
    (name, node), = tag.items()
    value = m.rng.choice(node.get("enum", [True]))
    node = obj({**tag, **fields}, [name], additionalProperties=False)
    node["if"] = {"properties": {name: {"const": value}}, "required": [name]}
    node["then"] = {"required": names[:1]}
    if m.rng.random() < 0.7:
        node["else"] = {"required": names[1:2]}
    return node


def dependents(m):
    fields = m.some(3, 5)
    names = list(fields)
    wanted = {name: [names[i + 1]] for i, name in enumerate(names[:m.rng.randint(1, 2)])}
    return obj(fields, m.subset(names[2:]), dependentRequired=wanted, additionalProperties=False)


def tuples(m):
    parts = list(m.some(2, 4).values())
    node = {"type": "array", "prefixItems": parts, "minItems": m.rng.randint(1, len(parts)),
            "items": m.rng.choice((False, whole(0), text(1, 5)))}
    if node["items"]:
        node["maxItems"] = len(parts) + 2
    return m.rng.choice((node, obj({"point": node, **m.some(0, 2)}, ["point"], additionalProperties=False)))


def code_edits(m):
    r = m.rng
    path = TOPICS["code_edit"]["path"]
    kinds = {"replace": {"path": path, "old_text": text(1), "new_text": text()},
             "insert": {"path": path, "line": whole(1, 99999), "text": text()},
             "delete": {"path": path, "first": whole(1), "last": whole(1)}, "create": {"path": path, "content": text()},
             "rename": {"path": path, "to": path}}
    names = r.sample(sorted(kinds), r.randint(2, 4))
    edits = [obj({"edit": {"const": name}, **kinds[name]}, additionalProperties=False) for name in names]
    fields = {"summary": text(1, 72), "edits": array({r.choice(("anyOf", "oneOf")): edits}, 1, 4), "run_tests": FLAG}
    return obj(fields, ["summary", "edits"], additionalProperties=False)


def tool_call(m):
    calls = [obj({"name": {"const": f"{m.rng.choice(VERBS)}_{v['properties']['tool']['const']}"},
                  "arguments": without(v, "tool")}, additionalProperties=False)
             for v in tagged(m, "tool", m.rng.randint(2, 5))]
    return {"anyOf": calls} if m.rng.random() < 0.5 else array({"anyOf": calls}, 1, 2)


def without(node, name):
    return {**node, "properties": {k: v for k, v in node["properties"].items() if k != name},
            "required": [k for k in node["required"] if k != name]}


def scalars(m):
    return m.rng.choice((one_of(*m.rng.sample(("yes", "no", "later", "never", "ask"), 3)),
                         whole(m.rng.randint(-50, 0), m.rng.randint(1, 50)),
                         matches(m.rng.choice(PATTERNS)), text(1, m.rng.randint(2, 60)),
                         has_format(m.rng.choice(("date", "uuid", "email", "time"))),
                         array(whole(0, m.rng.randint(1, 9)), 1, m.rng.randint(2, 6)),
                         {"type": ["number", "null"], "minimum": m.rng.randint(0, 9)}))


def mixed(m):
    parts = m.rng.sample((array_of_objects, formats, patterns, maps, any_of, one_of_tagged, nullable, tuples,
                          unicode_names, multiples), m.rng.randint(2, 4))
    fields = {part.__name__: part(m) for part in parts}
    fields.update(m.some(1, 4))
    names = list(fields)
    m.rng.shuffle(names)
    return obj({name: fields[name] for name in names}, m.subset(names), additionalProperties=False)


SHAPES = (flat, nested, array_of_objects, root_array, enums, formats, integer_bounds, decimal_bounds, multiples,
          patterns, lengths, scalar_arrays, maps, open_objects, pattern_properties, any_of, one_of_tagged, one_of_types,
          all_of, all_of_bounds, references, tree, linked_list, expression, nullable, unicode_names, if_then_else,
          dependents, tuples, code_edits, tool_call, scalars, mixed)


def described(m, node, shape):
    """Title, description, $schema, as people write them, at the root and at some members."""
    words = f"{m.rng.choice(VERBS)} {m.topic.replace('_', ' ')}"
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"} if m.rng.random() < 0.3 else {}
    if m.rng.random() < 0.6:
        head["title"] = words.title()
    if m.rng.random() < 0.6:
        head["description"] = f"Arguments of {words} ({shape})."
    if "properties" in node and m.rng.random() < 0.5:
        members = {name: {**sub, "description": f"The \"{name}\" of the {m.topic}"} if m.rng.random() < 0.5 else sub
                   for name, sub in node["properties"].items()}
        node = {**node, "properties": members}
    return {**head, **node}


# ---- all of them -------------------------------------------------------------------------------------------


def document(rng, schema, validator, full, other=None):
    """One that is valid, and differs from the other one if it can."""
    found = []
    for attempt in range(200):
        try:
            value = documents.Writer(rng, schema, full).value(schema)
        except documents.Impossible:
            continue
        if validate.problem_of(validator, json.dumps(value)) is None:
            found = [value]
            if value != other or attempt > 20:
                break
    if not found:
        raise RuntimeError("no document for " + json.dumps(schema))
    return found[0]


def spellings(value):
    return [json.dumps(value, ensure_ascii=False), json.dumps(value, ensure_ascii=False, separators=(",", ":"))]


def make_all(seed, count):
    """Yields name, schema and texts."""
    seen = set()
    for i in range(count):
        shape = SHAPES[i % len(SHAPES)]
        for attempt in range(1000):
            rng = random.Random(f"{seed} {i} {attempt}")
            maker = Maker(rng)
            schema = described(maker, shape(maker), shape.__name__)
            bare = json.dumps({k: v for k, v in schema.items() if k not in ("title", "description", "$schema")})
            if bare not in seen:
                break
        seen.add(bare)
        validator = validate.validator_of(schema)
        first = document(rng, schema, validator, True)
        second = document(rng, schema, validator, False, first)
        yield f"{i:03d}-{shape.__name__}", schema, spellings(first) + spellings(second)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--list", action="store_true", help="print JSON lines")
    where.add_argument("--out", metavar="DIR", help="write NNN.json into DIR, which is made")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=500)
    options = parser.parse_args()
    sys.stdout.reconfigure(encoding="utf-8")
    if options.out:
        os.makedirs(options.out, exist_ok=True)
    for i, (name, schema, texts) in enumerate(make_all(options.seed, options.count)):
        line = json.dumps({"name": name, "schema": schema, "documents": texts}, ensure_ascii=False)
        if options.out:
            with open(os.path.join(options.out, f"{i:03d}.json"), "w", encoding="utf-8") as f:
                f.write(line + "\n")
        else:
            print(line)


if __name__ == "__main__":
    main()
