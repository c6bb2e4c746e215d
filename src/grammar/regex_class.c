/* regex_class.c - see regex_class.h. */
#include "grammar/regex_class.h"

#include "base/mem.h"

#define SEVERAL    UINT32_MAX        /* an escape that stands for more than one character */
#define MAX_RANGES ((size_t)2 << 20) /* of all classes of a pattern: each costs time */

void ingle_regex_chars_close(regex_chars *x)
{
    free(x->set.p);
    ingle_regex_properties_close(&x->properties);
}

/* The term of the set, which begins at `at`. */
static ingle_status take_set(regex_chars *x, const char *at, bool outside, ingle_term *out)
{
    regex_set *set = &x->set;
    if (set->failed) return ingle_fail(x->s->err, INGLE_ENOMEM, "no memory for a pattern's class");
    ingle_regex_set_merge(set);
    x->n_ranges += set->n;
    if (x->n_ranges > MAX_RANGES)
        return ingle_source_fail(x->s, INGLE_EUNSUPPORTED, at,
                                 "the classes up to here have more than %zu ranges", MAX_RANGES);
    *out = set->n || outside ? x->make(x->t, set->p, set->n, outside) : INGLE_TERM_NONE;
    return INGLE_OK;
}

static void begin_set(regex_chars *x)
{
    x->set.n = x->set.n_merged = 0;
}

/* ---- escapes --------------------------------------------------------------------------------- */

/* \p{...} and \P{...}, after the p. */
static ingle_status read_property(regex_chars *x, const char *at, bool outside)
{
    ingle_source *s = x->s;
    bool failed;
    if (!ingle_source_skip(s, '{'))
        return ingle_source_expected(s, s->at, "'{' and the name of a property");
    const char *name = s->at, *equals;
    while (s->at < s->end && *s->at != '}') s->at++;
    size_t len = (size_t)(s->at - name), key;
    if (!ingle_source_skip(s, '}')) return ingle_source_expected(s, s->at, "'}'");
    equals = len ? memchr(name, '=', len) : NULL;
    key = equals ? (size_t)(equals - name) + 1 : 0;
    bool general = (key == 3 && !memcmp(name, "gc=", 3)) ||
                   (key == 17 && !memcmp(name, "General_Category=", 17));
    const regex_set *row = NULL;
    if (!key || general) row = ingle_regex_property(&x->properties, name + key, len - key, &failed);
    if (row && outside) ingle_regex_set_add_others(&x->set, row->p, row->n);
    else if (row) ingle_regex_set_add_all(&x->set, row->p, row->n);
    if (row) return INGLE_OK;
    if ((!key || general) && failed)
        return ingle_fail(s->err, INGLE_ENOMEM, "no memory for a pattern's class");
    return ingle_source_fail(s, INGLE_EUNSUPPORTED, at,
                             "the property '%.*s'; general categories, Any, ASCII and Assigned can "
                             "be used",
                             (int)(len < 80 ? len : 80), name);
}

/* \u{...}, after the brace. */
static ingle_status read_braced(ingle_source *s, const char *at, uint32_t *code)
{
    uint32_t digit;
    *code = 0;
    do {
        ingle_status st = ingle_source_hex(s, 1, &digit);
        if (st) return st;
        if (*code <= 0x10ffff) *code = *code << 4 | digit;
    } while (ingle_source_look(s, 0) != '}' && s->at < s->end);
    if (!ingle_source_skip(s, '}')) return ingle_source_expected(s, s->at, "'}'");
    return ingle_source_check(s, at, *code);
}

/* \u0041, or two of them that are one character, or \u{41}; after the u. */
static ingle_status read_unicode(ingle_source *s, const char *at, uint32_t *code)
{
    uint32_t low;
    if (ingle_source_skip(s, '{')) return read_braced(s, at, code);
    ingle_status st = ingle_source_hex(s, 4, code);
    if (st) return st;
    if ((*code & 0xfc00) == 0xd800 && ingle_source_is_at(s, "\\u")) {
        ingle_source second = *s;
        second.at += 2;
        second.err = NULL;
        if (!ingle_source_hex(&second, 4, &low) && (low & 0xfc00) == 0xdc00) {
            *code = 0x10000 + ((*code & 0x3ff) << 10 | (low & 0x3ff));
            s->at = second.at;
        }
    }
    return ingle_source_check(s, at, *code);
}

static bool is_letter(uint32_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* An escape for which there is no term. */
static ingle_status refuse(const ingle_source *s, const char *at, uint32_t c)
{
    if (c == 'k' || (c >= '1' && c <= '9'))
        return ingle_source_fail(s, INGLE_EUNSUPPORTED, at,
                                 "the backreference '\\%c': what a group matched cannot be asked "
                                 "for again",
                                 (int)c);
    if (c == '0')
        return ingle_source_fail(s, INGLE_EFORMAT, at,
                                 "a digit follows '\\0': expected \\x and two hexadecimal digits");
    return ingle_source_fail(s, INGLE_EFORMAT, at,
                             "found the escape '\\%c', expected one of dDwWsSpPbBtnvfrcxu0 or a "
                             "character that is no letter after '\\'",
                             (int)c);
}

static ingle_status read_control(ingle_source *s, uint32_t *code)
{
    char c = ingle_source_look(s, 0);
    if (!is_letter((unsigned char)c))
        return ingle_source_expected(s, s->at, "a letter after '\\c'");
    *code = (uint32_t)c & 31;
    s->at++;
    return INGLE_OK;
}

/* What stands for one character, after the '\'. */
static ingle_status read_code(ingle_source *s, const char *at, bool in_class, uint32_t *code)
{
    static const char named[] = "tnvfr", meant[] = "\t\n\v\f\r";
    uint32_t c = *code = ingle_source_char(s);
    const char *name = c && c < 0x80 ? strchr(named, (int)c) : NULL;
    char next = ingle_source_look(s, 0);
    bool digit_follows = next >= '0' && next <= '9';
    if (name) *code = (unsigned char)meant[name - named];
    else if (c == 'c') return read_control(s, code);
    else if (c == 'x') return ingle_source_hex(s, 2, code);
    else if (c == 'u') return read_unicode(s, at, code);
    else if (c == 'b' && in_class) *code = '\b';
    else if (c == '0' && !digit_follows) *code = 0;
    else if (is_letter(c) || (c >= '0' && c <= '9')) return refuse(s, at, c);
    return INGLE_OK;
}

/* *code becomes the character, or SEVERAL, and then they are in the set. */
static ingle_status read_escape(regex_chars *x, bool in_class, uint32_t *code)
{
    ingle_source *s = x->s;
    const char *at = s->at++;
    char c = ingle_source_look(s, 0), lower = (char)(c | 0x20);
    size_t n;
    if (s->at == s->end) return ingle_source_expected(s, s->at, "a character after '\\'");
    bool letter = lower == 'd' || lower == 'w' || lower == 's';
    if (!letter && lower != 'p') return read_code(s, at, in_class, code);
    s->at++;
    *code = SEVERAL;
    if (!letter) return read_property(x, at, c != lower);
    const ingle_range *ranges = ingle_regex_letter(lower, &n);
    if (c == lower) ingle_regex_set_add_all(&x->set, ranges, n);
    else ingle_regex_set_add_others(&x->set, ranges, n);
    return INGLE_OK;
}

ingle_status ingle_regex_escape(regex_chars *x, ingle_term *out)
{
    uint32_t code;
    const char *at = x->s->at;
    begin_set(x);
    ingle_status st = read_escape(x, false, &code);
    if (st) return st;
    if (code != SEVERAL) ingle_regex_set_add(&x->set, code, code);
    return take_set(x, at, false, out);
}

/* ---- classes --------------------------------------------------------------------------------- */

static ingle_status read_member(regex_chars *x, uint32_t *code)
{
    if (*x->s->at == '\\') return read_escape(x, true, code);
    *code = ingle_source_char(x->s);
    return INGLE_OK;
}

static void add_member(regex_chars *x, uint32_t code)
{
    if (code != SEVERAL) ingle_regex_set_add(&x->set, code, code);
}

/* A character, an escape, or two of them with '-' between. */
static ingle_status read_range(regex_chars *x)
{
    ingle_source *s = x->s;
    const char *at = s->at;
    uint32_t low, high;
    ingle_status st = read_member(x, &low);
    if (st) return st;
    if (ingle_source_left(s) < 2 || s->at[0] != '-' || s->at[1] == ']') {
        add_member(x, low);
        return INGLE_OK;
    }
    s->at++;
    st = read_member(x, &high);
    if (st) return st;
    if (low == SEVERAL || high == SEVERAL) { /* [\w-.]: the '-' is a member */
        add_member(x, low);
        add_member(x, '-');
        add_member(x, high);
    } else if (high < low) {
        return ingle_source_fail(s, INGLE_EFORMAT, at,
                                 "the range begins with U+%04X and ends before it, with U+%04X",
                                 (unsigned)low, (unsigned)high);
    } else {
        ingle_regex_set_add(&x->set, low, high);
    }
    return INGLE_OK;
}

ingle_status ingle_regex_class(regex_chars *x, ingle_term *out)
{
    ingle_source *s = x->s;
    const char *at = s->at++;
    bool outside = ingle_source_skip(s, '^');
    begin_set(x);
    while (s->at < s->end && *s->at != ']') {
        ingle_status st = read_range(x);
        if (st) return st;
    }
    if (!ingle_source_skip(s, ']'))
        return ingle_source_fail(s, INGLE_EFORMAT, at,
                                 "the class that begins here has no end: found the end of the "
                                 "pattern, expected ']'");
    return take_set(x, at, outside, out);
}

ingle_status ingle_regex_word(regex_chars *x, ingle_term *out)
{
    size_t n;
    const ingle_range *ranges = ingle_regex_letter('w', &n);
    *out = x->make(x->t, ranges, n, false);
    return INGLE_OK;
}

ingle_status ingle_regex_dot(regex_chars *x, ingle_term *out)
{
    static const ingle_range ends_of_lines[] = {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};
    x->s->at++;
    *out = x->make(x->t, ends_of_lines, sizeof ends_of_lines / sizeof *ends_of_lines, true);
    return INGLE_OK;
}

ingle_status ingle_regex_plain(regex_chars *x, ingle_term *out)
{
    ingle_range one;
    one.low = one.high = ingle_source_char(x->s);
    *out = x->make(x->t, &one, 1, false);
    return INGLE_OK;
}
