/* json.c - see json.h: reading. */
#include "base/json.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/utf8.h"

#include <math.h>
#include <stdio.h>

typedef struct reader {
    char *begin, *at, *end; /* the document's copy of the text; a NUL follows it */
    ingle_json *node;
    size_t n, cap;
    size_t
        top; /* the innermost open container; its `skip` leads back to the one around it, if any */
    size_t depth, n_values;
    ingle_json_limits limits;
    ingle_error *err;
} reader;

/* ---- errors ---------------------------------------------------------------------------------- */

static size_t offset(const reader *r, const char *at)
{
    return (size_t)(at - r->begin);
}

/* Names what is there instead of what would be right. */
static ingle_status fail_at(const reader *r, const char *at, const char *right)
{
    char found[24];
    unsigned char c = (unsigned char)*at;
    if (at == r->end) strcpy(found, "the end");
    else snprintf(found, sizeof found, c > 0x20 && c < 0x7f ? "'%c'" : "the byte 0x%02x", c);
    return ingle_fail(r->err, INGLE_EFORMAT, "byte %zu: %s should be here, not %s", offset(r, at),
                      right, found);
}

static ingle_status fail_text(const reader *r, const char *at, const char *text)
{
    return ingle_fail(r->err, INGLE_EFORMAT, "byte %zu: %s", offset(r, at), text);
}

static ingle_status fail_memory(const reader *r)
{
    return ingle_fail(r->err, INGLE_ENOMEM, "no memory for JSON text of %zu bytes",
                      offset(r, r->end));
}

/* ---- scalars --------------------------------------------------------------------------------- */

static void skip_space(reader *r)
{
    while (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t') r->at++;
}

static ingle_status add(reader *r, ingle_json_kind kind, const char *text, size_t len)
{
    if (r->n == r->cap && !ingle_grow(&r->node, &r->cap, r->n + 1, sizeof *r->node))
        return fail_memory(r);
    r->node[r->n++] = (ingle_json){text, (uint32_t)len, kind & 7u, 1};
    return INGLE_OK;
}

static ingle_status read_word(reader *r, const char *word, ingle_json_kind kind)
{
    size_t len = strlen(word);
    const char *begin = r->at;
    for (size_t i = 0; i < len; i++, r->at++)
        if (*r->at != word[i]) return fail_at(r, begin, "a value");
    return add(r, kind, begin, len);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static ingle_status read_digits(reader *r)
{
    if (!is_digit(*r->at)) return fail_at(r, r->at, "a digit");
    while (is_digit(*r->at)) r->at++;
    return INGLE_OK;
}

static ingle_status read_number(reader *r)
{
    const char *begin = r->at;
    ingle_status st;
    if (*r->at == '-') r->at++;
    if (*r->at == '0' && is_digit(r->at[1]))
        return fail_text(r, r->at, "a number should not begin with 0");
    if ((st = read_digits(r))) return st;
    if (*r->at == '.') {
        r->at++;
        if ((st = read_digits(r))) return st;
    }
    if (*r->at == 'e' || *r->at == 'E') {
        r->at++;
        if (*r->at == '+' || *r->at == '-') r->at++;
        if ((st = read_digits(r))) return st;
    }
    return add(r, INGLE_JSON_NUMBER, begin, (size_t)(r->at - begin));
}

/* ---- strings --------------------------------------------------------------------------------- */

#define EACH_BYTE(x) (0x0101010101010101u * (uint64_t)(x))

/* Of 8 bytes at once: whether any is below 0x20, above 0x7e, a quote or a backslash. A carry or a
 * borrow comes only from a byte that is one of these itself. */
static bool any_special(uint64_t x)
{
    uint64_t quote = x ^ EACH_BYTE('"'), backslash = x ^ EACH_BYTE('\\');
    uint64_t low = (x - EACH_BYTE(0x20)) & ~x, high = x | (x + EACH_BYTE(1));
    quote = (quote - EACH_BYTE(1)) & ~quote;
    backslash = (backslash - EACH_BYTE(1)) & ~backslash;
    return ((low | high | quote | backslash) & EACH_BYTE(0x80)) != 0;
}

size_t ingle_json_plain(const char *p, size_t n)
{
    size_t i = 0;
    while (n - i >= 8 && !any_special(ingle_load(p + i, 8))) i += 8;
    while (i < n && p[i] >= 0x20 && p[i] < 0x7f && p[i] != '"' && p[i] != '\\') i++;
    return i;
}

/* The four digits of \uXXXX. */
static bool read_hex(const char *p, uint32_t *code)
{
    *code = 0;
    for (int i = 0; i < 4; i++) {
        char lower = (char)(p[i] | 0x20);
        bool letter = lower >= 'a' && lower <= 'f';
        if (!letter && !is_digit(p[i])) return false;
        *code = *code << 4 | (uint32_t)(letter ? lower - 'a' + 10 : p[i] - '0');
    }
    return true;
}

static char *put_code(char *to, uint32_t c)
{
    int n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char mark[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (int i = n - 1; i > 0; i--, c >>= 6) to[i] = (char)(0x80 | (c & 0x3f));
    to[0] = (char)(mark[n] | c);
    return to + n;
}

/* \uXXXX, or two that are one character. */
static ingle_status read_unicode(reader *r, char **to)
{
    uint32_t c, low;
    const char *p = r->at;
    if (!read_hex(p + 2, &c)) return fail_text(r, p, "four hexadecimal digits should follow '\\u'");
    r->at += 6;
    if ((c & 0xfc00) == 0xdc00)
        return fail_text(r, p, "the second half of a character comes without the first");
    if ((c & 0xfc00) == 0xd800) {
        if (p[6] != '\\' || p[7] != 'u' || !read_hex(p + 8, &low) || (low & 0xfc00) != 0xdc00)
            return fail_text(r, p, "the first half of a character comes without the second");
        c = 0x10000 + ((c & 0x3ff) << 10 | (low & 0x3ff));
        r->at += 6;
    }
    *to = put_code(*to, c);
    return INGLE_OK;
}

static ingle_status read_escape(reader *r, char **to)
{
    static const char written[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    char c = r->at[1];
    if (c == 'u') return read_unicode(r, to);
    const char *e = c ? strchr(written, c) : NULL;
    if (!e) return fail_at(r, r->at + 1, "one of \"\\/bfnrtu");
    *(*to)++ = meant[e - written];
    r->at += 2;
    return INGLE_OK;
}

/* A piece of a string that is not plain ASCII. */
static ingle_status read_special(reader *r, char **to)
{
    if (*r->at == '\\') return read_escape(r, to);
    if (r->at == r->end) return fail_at(r, r->at, "'\"', which ends a string,");
    if ((unsigned char)*r->at < 0x20)
        return ingle_fail(r->err, INGLE_EFORMAT,
                          "byte %zu: the control character 0x%02x should be an escape in a string",
                          offset(r, r->at), (unsigned)*r->at);
    size_t len = ingle_utf8_len(r->at, (size_t)(r->end - r->at));
    if (!len)
        return ingle_fail(r->err, INGLE_EFORMAT, "byte %zu: 0x%02x is not UTF-8 here",
                          offset(r, r->at), (unsigned)(unsigned char)*r->at);
    memmove(*to, r->at, len);
    *to += len;
    r->at += len;
    return INGLE_OK;
}

/* Decodes in place: no escape is shorter than what it means. The NUL comes where the quote was, or
 * before. */
static ingle_status read_string(reader *r)
{
    char *begin = ++r->at, *to = begin;
    for (;;) {
        size_t n = ingle_json_plain(r->at, (size_t)(r->end - r->at));
        if (to != r->at) memmove(to, r->at, n);
        to += n;
        r->at += n;
        if (*r->at == '"') break;
        ingle_status st = read_special(r, &to);
        if (st) return st;
    }
    r->at++;
    *to = 0;
    return add(r, INGLE_JSON_STRING, begin, (size_t)(to - begin));
}

/* ---- arrays and objects ---------------------------------------------------------------------- */

static ingle_status open_container(reader *r, ingle_json_kind kind)
{
    if (r->depth == r->limits.max_depth)
        return ingle_fail(r->err, INGLE_EUNSUPPORTED,
                          "byte %zu: more than %zu arrays and objects in one another",
                          offset(r, r->at), r->limits.max_depth);
    ingle_status st = add(r, kind, r->at, 0);
    if (st) return st;
    r->at++;
    r->node[r->n - 1].skip = (unsigned)(r->depth++ ? r->n - 1 - r->top : 0) & 0x1fffffffu;
    r->top = r->n - 1;
    return INGLE_OK;
}

static ingle_status read_value(reader *r)
{
    skip_space(r);
    if (r->n_values++ == r->limits.max_values)
        return ingle_fail(r->err, INGLE_EUNSUPPORTED, "byte %zu: more than %zu values",
                          offset(r, r->at), r->limits.max_values);
    switch (*r->at) {
    case '{': return open_container(r, INGLE_JSON_OBJECT);
    case '[': return open_container(r, INGLE_JSON_ARRAY);
    case '"': return read_string(r);
    case 't': return read_word(r, "true", INGLE_JSON_BOOL);
    case 'f': return read_word(r, "false", INGLE_JSON_BOOL);
    case 'n': return read_word(r, "null", INGLE_JSON_NULL);
    case '-': return read_number(r);
    default: return is_digit(*r->at) ? read_number(r) : fail_at(r, r->at, "a value");
    }
}

static ingle_status fail_twice(const reader *r, const ingle_json *name)
{
    return ingle_fail(r->err, INGLE_EFORMAT, "byte %zu: the name '%.100s' is there twice",
                      offset(r, name->text) - 1, name->text);
}

enum { FEW_NAMES = 16 };

static ingle_status check_few_names(const reader *r, const ingle_json *object)
{
    ingle_json_walk w = ingle_json_items(object);
    while (ingle_json_step(&w))
        for (ingle_json_walk v = ingle_json_items(object); ingle_json_step(&v) && v.name < w.name;)
            if (ingle_json_is_bytes(v.name, w.name->text, w.name->len))
                return fail_twice(r, w.name);
    return INGLE_OK;
}

static ingle_status check_many_names(const reader *r, const ingle_json *object)
{
    ingle_map map;
    ingle_status st = INGLE_OK;
    if (!ingle_map_open(&map, object->len)) return fail_memory(r);
    for (ingle_json_walk w = ingle_json_items(object); !st && ingle_json_step(&w);) {
        uint64_t hash = ingle_map_hash(&map, w.name->text, w.name->len);
        uint32_t i = 0, other;
        while (!st && (other = ingle_map_next(&map, hash, &i)) != INGLE_NO_ID)
            if (ingle_json_is_bytes(object + other, w.name->text, w.name->len))
                st = fail_twice(r, w.name);
        if (!st && !ingle_map_add(&map, hash, (uint32_t)(w.name - object))) st = fail_memory(r);
    }
    ingle_map_close(&map);
    return st;
}

static ingle_status close_container(reader *r)
{
    ingle_json *c = &r->node[r->top];
    r->at++;
    r->top -= c->skip;
    r->depth--;
    c->skip = (unsigned)(&r->node[r->n] - c) & 0x1fffffffu;
    if (c->kind != INGLE_JSON_OBJECT || !r->limits.unique_names) return INGLE_OK;
    return c->len <= FEW_NAMES ? check_few_names(r, c) : check_many_names(r, c);
}

static ingle_status read_name(reader *r)
{
    ingle_status st;
    skip_space(r);
    if (*r->at != '"') return fail_at(r, r->at, "the name of a member, in quotes,");
    if ((st = read_string(r))) return st;
    skip_space(r);
    if (*r->at != ':') return fail_at(r, r->at, "':'");
    r->at++;
    return INGLE_OK;
}

/* The next element or member of the innermost container, or its end. */
static ingle_status read_item(reader *r)
{
    const ingle_json *c = &r->node[r->top];
    bool object = c->kind == INGLE_JSON_OBJECT;
    skip_space(r);
    if (*r->at == (object ? '}' : ']')) return close_container(r);
    if (c->len) {
        if (*r->at != ',') return fail_at(r, r->at, object ? "',' or '}'" : "',' or ']'");
        r->at++;
    }
    r->node[r->top].len++;
    if (object) {
        ingle_status st = read_name(r);
        if (st) return st;
    }
    return read_value(r);
}

static ingle_status read_all(reader *r)
{
    if (!strncmp(r->at, "\xef\xbb\xbf", 3))
        return fail_text(r, r->at, "a byte order mark; JSON text begins without one");
    ingle_status st = read_value(r);
    while (!st && r->depth) st = read_item(r);
    if (st) return st;
    skip_space(r);
    return r->at == r->end ? INGLE_OK : fail_at(r, r->at, "the end");
}

/* ---- documents ------------------------------------------------------------------------------- */

static size_t limit(size_t asked, size_t usual, size_t most)
{
    size_t n = asked ? asked : usual;
    return n < most ? n : most;
}

static ingle_json_limits limits_of(const ingle_json_limits *l)
{
    static const ingle_json_limits none;
    if (!l) l = &none;
    return (ingle_json_limits){.max_bytes = limit(l->max_bytes, (size_t)64 << 20, UINT32_MAX),
                               .max_values = limit(l->max_values, 1000000, (size_t)1 << 28),
                               .max_depth = limit(l->max_depth, 128, INGLE_JSON_MAX_DEPTH),
                               .unique_names = l->unique_names};
}

ingle_status ingle_json_open(ingle_json_doc *doc, const char *text, size_t len,
                             const ingle_json_limits *limits, ingle_error *err)
{
    reader r = {.limits = limits_of(limits), .err = err};
    *doc = (ingle_json_doc){0};
    if (len > r.limits.max_bytes)
        return ingle_fail(err, INGLE_EUNSUPPORTED, "JSON text of %zu bytes; at most %zu", len,
                          r.limits.max_bytes);
    r.begin = r.at = malloc(len + 1);
    if (!r.begin) return ingle_fail(err, INGLE_ENOMEM, "no memory for JSON text of %zu bytes", len);
    r.end = r.begin + len;
    if (len) memcpy(r.begin, text, len);
    *r.end = 0;
    ingle_status st = read_all(&r);
    if (st) {
        free(r.node);
        free(r.begin);
        return st;
    }
    *doc = (ingle_json_doc){.root = r.node, .n_nodes = r.n, .text = r.begin};
    return INGLE_OK;
}

void ingle_json_close(ingle_json_doc *doc)
{
    if (!doc) return;
    free((void *)doc->root);
    free(doc->text);
    *doc = (ingle_json_doc){0};
}

size_t ingle_json_offset(const ingle_json_doc *doc, const ingle_json *v)
{
    return (size_t)(v->text - doc->text) - (v->kind == INGLE_JSON_STRING);
}

/* ---- values ---------------------------------------------------------------------------------- */

bool ingle_json_bool(const ingle_json *v, bool *out)
{
    if (!ingle_json_is(v, INGLE_JSON_BOOL)) return false;
    *out = v->len == 4;
    return true;
}

bool ingle_json_i64(const ingle_json *v, int64_t *out)
{
    bool negative;
    uint64_t x;
    if (!ingle_json_is(v, INGLE_JSON_NUMBER)) return false;
    if (!ingle_number_whole(v->text, v->len, &negative, &x)) return false;
    if (x > (uint64_t)INT64_MAX + negative) return false;
    *out = (int64_t)(negative ? 0 - x : x);
    return true;
}

bool ingle_json_u64(const ingle_json *v, uint64_t *out)
{
    bool negative;
    uint64_t x;
    if (!ingle_json_is(v, INGLE_JSON_NUMBER)) return false;
    if (!ingle_number_whole(v->text, v->len, &negative, &x) || (negative && x)) return false;
    *out = x;
    return true;
}

bool ingle_json_f64(const ingle_json *v, double *out)
{
    if (!ingle_json_is(v, INGLE_JSON_NUMBER)) return false;
    double x = ingle_number_read(v->text, v->len);
    if (!isfinite(x)) return false;
    *out = x;
    return true;
}

const ingle_json *ingle_json_find(const ingle_json *v, const char *name, size_t len)
{
    const ingle_json *found = NULL;
    if (!ingle_json_is(v, INGLE_JSON_OBJECT)) return NULL;
    for (ingle_json_walk w = ingle_json_items(v); ingle_json_step(&w);)
        if (ingle_json_is_bytes(w.name, name, len)) found = w.value;
    return found;
}

const ingle_json *ingle_json_at(const ingle_json *v, size_t i)
{
    if (!ingle_json_is(v, INGLE_JSON_ARRAY) || i >= v->len) return NULL;
    if (v->skip == v->len + 1) return v + 1 + i; /* a node for each */
    ingle_json_walk w = ingle_json_items(v);
    while (ingle_json_step(&w) && i--)
        ;
    return w.value;
}
