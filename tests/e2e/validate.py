"""Checks texts against JSON Schemas, as a judge that is not ingle. Reads JSON lines with the members
schema and text (and name, if reports should have one), and prints a line for each text that is not JSON, in the
strict sense, or not valid by draft 2020-12, formats included. Exit code 1: there are such texts; 2: the input
is faulty.

Needs the module jsonschema (Debian: python3-jsonschema). What that knows of formats depends on which other
modules are there: Debian's has no date-time, duration, hostname, uri, and its time is draft 3's, its date takes
20260115 and 2026-W03, its email all that has an @. So formats are checked here, all by the standard library.
Patterns are JavaScript's, and are put in Python's terms: $ is the end and nothing else, \\d and \\w are ASCII.

With --repeated a member may be there twice, and the last counts, as most readers have it: ingle keeps from that the
members that a schema names, and no others.

  python3 validate.py [--repeated] < LINES"""
import datetime
import decimal
import ipaddress
import json
import re
import sys
import urllib.parse
import uuid

from jsonschema import Draft202012Validator, FormatChecker, exceptions, validators

# ---- formats: each function says whether a string has the format; ValueError means that it does not ----

LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
HOSTNAME = re.compile(rf"{LABEL}(?:\.{LABEL})*")
ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
LOCAL_PART = re.compile(rf'{ATOM}(?:\.{ATOM})*|"(?:[ !#-\[\]-~]|\\[ -~])*"')
DATE = re.compile("([0-9]{4})-([0-9]{2})-([0-9]{2})")
TIME = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]+)?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))")
DAYS = "[0-9]+D"
MONTHS = f"[0-9]+M(?:{DAYS})?"
YEARS = f"[0-9]+Y(?:{MONTHS})?"
SECONDS = "[0-9]+S"
MINUTES = f"[0-9]+M(?:{SECONDS})?"
HOURS = f"[0-9]+H(?:{MINUTES})?"
CLOCK = f"T(?:{HOURS}|{MINUTES}|{SECONDS})"
DURATION = re.compile(f"P(?:[0-9]+W|(?:{YEARS}|{MONTHS}|{DAYS})(?:{CLOCK})?|{CLOCK})")
UUID = re.compile("[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
URI_TEXT = re.compile(r"(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*")
SCHEME = re.compile("[A-Za-z][A-Za-z0-9+.-]*:")
POINTER = re.compile("(?:/(?:[^~/]|~[01])*)*")


def is_date(s):
    m = DATE.fullmatch(s)
    return bool(m and datetime.date(int(m[1]) % 400 + 400, int(m[2]), int(m[3])))  # Python has no year 0


def is_time(s):
    m = TIME.fullmatch(s)
    if not m:
        return False
    hour, minute, second = int(m[1]), int(m[2]), int(m[3])
    to_utc = (int(m[5]) * 60 + int(m[6])) * (-1 if m[4] == "+" else 1) if m[4] else 0
    if hour > 23 or minute > 59 or m[4] and (int(m[5]) > 23 or int(m[6]) > 59):
        return False
    return second < 60 or second == 60 and (hour * 60 + minute + to_utc) % 1440 == 1439  # a leap second


def is_date_time(s):
    return len(s) > 10 and s[10] in "Tt" and is_date(s[:10]) and is_time(s[11:])


def is_hostname(s):
    return len(s) <= 253 and bool(HOSTNAME.fullmatch(s))


def is_ipv4(s):
    return s.isascii() and bool(ipaddress.IPv4Address(s))


def is_ipv6(s):
    return s.isascii() and "%" not in s and ipaddress.IPv6Address(s) is not None


def is_email(s):
    local, _, domain = s.rpartition("@")
    if not LOCAL_PART.fullmatch(local):
        return False
    if domain.startswith("[IPv6:") and domain.endswith("]"):
        return is_ipv6(domain[6:-1])
    if domain.startswith("[") and domain.endswith("]"):
        return is_ipv4(domain[1:-1])
    return is_hostname(domain)


def is_uuid(s):
    return bool(UUID.fullmatch(s)) and bool(uuid.UUID(s))


def is_uri_reference(s):
    if not URI_TEXT.fullmatch(s) or s.count("#") > 1:
        return False
    parts = urllib.parse.urlsplit(s)
    if any(c in parts.path + parts.query + parts.fragment for c in "[]"):
        return False
    if not SCHEME.match(s) and ":" in parts.path.split("/")[0]:
        return False
    if parts.netloc.count("@") > 1:
        return False
    host = parts.netloc.rpartition("@")[2]
    if not host.startswith("["):
        return "[" not in parts.netloc and bool(re.fullmatch("[^:]*(?::[0-9]*)?", host))
    address, _, port = host[1:].rpartition("]")
    future = re.fullmatch(r"[Vv][0-9A-Fa-f]+\.[A-Za-z0-9._~!$&'()*+,;=:-]+", address)
    return bool(re.fullmatch("(?::[0-9]*)?", port)) and (bool(future) or is_ipv6(address))


def is_uri(s):
    return bool(SCHEME.match(s)) and is_uri_reference(s)


FORMATS = {
    "date": is_date, "time": is_time, "date-time": is_date_time, "duration": lambda s: bool(DURATION.fullmatch(s)),
    "email": is_email, "hostname": is_hostname, "ipv4": is_ipv4, "ipv6": is_ipv6, "uuid": is_uuid, "uri": is_uri,
    "uri-reference": is_uri_reference, "json-pointer": lambda s: bool(POINTER.fullmatch(s)),
}


def make_checker():
    checker = FormatChecker(formats=())
    for name, has_format in FORMATS.items():
        # ipaddress and datetime raise subclasses of ValueError; what is no string has every format.
        checker.checkers[name] = (lambda x, f=has_format: not isinstance(x, str) or f(x), (ValueError,))
    return checker


CHECKER = make_checker()

# ---- patterns ------------------------------------------------------------------------------------------

SPACES = r"\t-\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
PIECE = re.compile(r"\\.|.", re.S)


def in_python(pattern):
    """What JavaScript's pattern means, for re.search(). Of the classes that a letter names only \\S inside of brackets
    stays Python's."""
    out, bracket = ["(?a:"], False
    for piece in PIECE.findall(pattern):
        if piece == r"\s":
            piece = SPACES if bracket else f"[{SPACES}]"
        elif piece == r"\S" and not bracket:
            piece = f"[^{SPACES}]"
        elif not bracket and piece in "$.":
            piece = r"\Z" if piece == "$" else r"[^\n\r\u2028\u2029]"
        bracket = piece == "[" or bracket and piece != "]"
        out.append(piece)
    try:
        return re.compile("".join(out) + ")").pattern
    except re.error as e:
        raise ValueError(f"the pattern {pattern!r}: {e}") from e


def with_patterns(schema):
    """The schema with its patterns in Python's terms."""
    if isinstance(schema, list):
        return [with_patterns(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    out = {}
    for key, value in schema.items():
        if key == "pattern" and isinstance(value, str):
            value = in_python(value)
        elif key in ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas"):
            value = {in_python(name) if key == "patternProperties" else name: with_patterns(part)
                     for name, part in value.items()}
        elif key not in ("const", "enum", "default", "examples"):
            value = with_patterns(value)
        out[key] = value
    return out


# ---- texts and schemas -----------------------------------------------------------------------------


def exact_multiple(validator, step, instance, _schema):
    """By the digits that are written: 19.99 is a multiple of 0.01, though its double is none."""
    if validator.is_type(instance, "number"):
        with decimal.localcontext() as context:
            context.prec = 2000  # any two doubles
            if decimal.Decimal(repr(instance)) % decimal.Decimal(repr(step)):
                yield exceptions.ValidationError(f"{instance!r} is not a multiple of {step!r}")


Validator = validators.extend(Draft202012Validator, {"multipleOf": exact_multiple})


def validator_of(schema):
    """Raises jsonschema.SchemaError for what is no schema, ValueError for a pattern that Python does not know."""
    Draft202012Validator.check_schema(schema)
    return Validator(with_patterns(schema), format_checker=CHECKER)


def no_constant(name):
    raise ValueError(f"{name} is not JSON")


def finite(digits):
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{digits[:40]} is beyond the doubles")
    return value


def unique_members(pairs):
    members = {}
    for name, value in pairs:
        if name in members:
            raise ValueError(f"the member {json.dumps(name)} is there twice")
        members[name] = value
    return members


def parse(text):
    """Raises ValueError where the text is not JSON, has NaN or the like, a number that no double is near, or a member
    twice."""
    members = dict if "--repeated" in sys.argv else unique_members
    return json.loads(text, parse_constant=no_constant, parse_float=finite, object_pairs_hook=members)


def problem_of(validator, text):
    """What is wrong with a text; None: nothing."""
    try:
        value = parse(text)
    except (ValueError, RecursionError) as e:
        return f"not JSON: {e}"
    e = exceptions.best_match(validator.iter_errors(value))
    return e and f"not valid: {e.json_path}: {e.message[:200]}"


def formats_in(schema):
    if isinstance(schema, list):
        return {f for part in schema for f in formats_in(part)}
    if not isinstance(schema, dict):
        return set()
    own = {schema["format"]} if isinstance(schema.get("format"), str) else set()
    return own | {f for part in schema.values() for f in formats_in(part)}


def main():
    validator_for, unknown = {}, set()
    n_texts = n_bad = 0
    for number, line in enumerate(sys.stdin.buffer, 1):
        try:
            item = json.loads(line.decode("utf-8"))
            schema, text = item["schema"], item["text"]
            key = json.dumps(schema)
            if key not in validator_for:
                validator_for[key] = validator_of(schema)
                unknown |= formats_in(schema) - set(FORMATS)
        except (ValueError, KeyError, TypeError, exceptions.SchemaError) as e:
            print(f"validate.py: line {number}: {str(e)[:300]}", file=sys.stderr)
            return 2
        problem = problem_of(validator_for[key], text)
        n_texts += 1
        if problem:
            n_bad += 1
            name = item.get("name", "")
            print(f"line {number}{name and ' '}{name}: {problem}\n  {json.dumps(text)[:400]}")
    for name in sorted(unknown):
        print(f"validate.py: the format '{name}' was not checked", file=sys.stderr)
    print(f"{n_texts} texts, {n_bad} not valid")
    return 1 if n_bad else 0


if __name__ == "__main__":
    sys.exit(main())
