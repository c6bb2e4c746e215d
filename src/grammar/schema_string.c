/* schema_string.c - see schema_string.h. */
#include "grammar/schema_string.h"
#include "grammar/schema_chars.h"
#include "grammar/schema_format.h"
#include "grammar/schema_length.h"
#include "grammar/schema_set.h"
#include "grammar/regex.h"

#include "base/utf8.h"

static ingle_term quoted(schema *c, ingle_term inside)
{
    ingle_term quote = ingle_term_literal(c->t, "\"", 1);
    if (c->without != INGLE_TERM_NONE) {
        inside = ingle_term_and(c->t, inside, c->without);
        if (ingle_schema_empty(c, inside)) return INGLE_TERM_NONE;
    }
    ingle_term all[] = {quote, inside, quote};
    return ingle_term_seq_of(c->t, all, 3);
}

ingle_term ingle_schema_any_string(schema *c, uint32_t min, uint32_t max)
{
    if (!c->any_char) c->any_char = ingle_schema_any_char(c->t);
    return quoted(c, ingle_term_repeat(c->t, c->any_char, min, max));
}

ingle_term ingle_schema_inside(schema *c, uint32_t min, uint32_t max)
{
    if (!c->own_char) c->own_char = ingle_schema_chars(c->t, NULL, 0, true);
    return ingle_term_repeat(c->t, c->own_char, min, max);
}

/* The one spelling of a string, in the arena. */
static bool spell(schema *c, const ingle_json *string, ingle_term_text *out)
{
    char *p = ingle_schema_new(c, 6 * (size_t)string->len, 1), one[8];
    size_t n = 0;
    if (!p) return false;
    for (size_t i = 0; i < string->len;) {
        size_t len = ingle_utf8_len(string->text + i, string->len - i);
        size_t n_one = ingle_schema_spell(string->text + i, len, one);
        memcpy(p + n, one, n_one);
        n += n_one;
        i += len ? len : 1;
    }
    *out = (ingle_term_text){p, n};
    return true;
}

ingle_term ingle_schema_inside_text(schema *c, const ingle_json *string)
{
    ingle_term_text text;
    return spell(c, string, &text) ? ingle_term_literal(c->t, text.p, text.n) : INGLE_TERM_NONE;
}

bool ingle_schema_empty(schema *c, ingle_term e)
{
    bool empty = true;
    if (e == INGLE_TERM_NONE || c->status) return true;
    ingle_status st = ingle_term_is_empty(c->t, e, &empty);
    if (st)
        ingle_schema_fail(c, st, NULL, NULL, "patterns whose combination is too hard to decide");
    return empty;
}

/* What the texts in c->patterns are. */
enum { FORMAT_NAME = 1, PATTERN_OF_KEYS = 2 };

/* ---- patterns -------------------------------------------------------------------------------- */

ingle_term ingle_schema_inside_pattern(schema *c, const ingle_json *pattern,
                                       const ingle_json *where, const char *keyword)
{
    bool made, is_keyword = !strcmp(keyword, "pattern");
    schema_key *k = ingle_schema_map_put(&c->patterns, pattern->text, pattern->len,
                                         is_keyword ? 0 : PATTERN_OF_KEYS, &made);
    ingle_regex_options opt = {.search = true, .chars = ingle_schema_chars};
    ingle_error err = {""};
    ingle_term e = INGLE_TERM_NONE;
    if (!k) ingle_schema_no_memory(c);
    if (!k || !made || c->status) return k && !c->status ? k->value : INGLE_TERM_NONE;
    ingle_status st = ingle_regex_compile(c->t, pattern->text, pattern->len, &opt, &e, &err);
    if (st) {
        if (st == INGLE_ENOMEM || !c->opt->lenient)
            ingle_schema_fail(c, st, where, keyword, "%s", err.text);
        else ingle_schema_drop(c, where, keyword, err.text);
        e = is_keyword ? ingle_schema_inside(c, 0, INGLE_TERM_MANY) : INGLE_TERM_NONE;
    }
    k->value = e;
    return e;
}

/* Whether a string of the schema belongs to a term of insides. */
static bool matches(schema *c, ingle_term e, const ingle_json *string, const ingle_json *where,
                    const char *keyword)
{
    ingle_term_text text;
    bool is = false;
    if (c->status || !ingle_schema_work(c, 1 + string->len / 8) || !spell(c, string, &text))
        return false;
    ingle_status st = ingle_term_matches(c->t, e, text.p, text.n, &is);
    if (st) ingle_schema_fail(c, st, where, keyword, "a pattern that is too hard to decide");
    return is;
}

bool ingle_schema_pattern_matches(schema *c, const ingle_json *pattern, const ingle_json *string,
                                  const ingle_json *where, const char *keyword)
{
    return matches(c, ingle_schema_inside_pattern(c, pattern, where, keyword), string, where,
                   keyword);
}

/* ---- sets ------------------------------------------------------------------------------------ */

static size_t length_of(const ingle_json *string)
{
    size_t n = 0;
    for (size_t i = 0; i < string->len; i++) n += (string->text[i] & 0xc0) != 0x80;
    return n;
}

/* A format's term, made once. */
static ingle_term format_term(schema *c, const ingle_json *name)
{
    bool made;
    schema_key *k = ingle_schema_map_put(&c->patterns, name->text, name->len, FORMAT_NAME, &made);
    if (!k) ingle_schema_no_memory(c);
    if (k && made) k->value = ingle_schema_format_term(c->t, name);
    return k ? k->value : INGLE_TERM_NONE;
}

static bool has_form(const schema_fact *f)
{
    return f->kind == FACT_PATTERN || f->kind == FACT_FORMAT;
}

static ingle_term form_term(schema *c, const schema_fact *f)
{
    if (f->kind == FACT_FORMAT) return format_term(c, f->node);
    return ingle_schema_inside_pattern(c, f->node, f->where, "pattern");
}

enum { MANY_STRINGS = 10000 }; /* of a set: they are compared with patterns all at once */

/* Whether a string of the set `but`, or of none, belongs to the shape. */
static bool string_is(schema *c, const schema_shape *s, const ingle_json *string,
                      const ingle_json *but, bool forms)
{
    size_t n = length_of(string);
    if (n < s->min_len || n > s->max_len) return false;
    for (const schema_fact *f = s->facts; f && !c->status; f = f->next) {
        if (f->kind == FACT_STRINGS && (f->node != but || f->negated)) {
            if (ingle_schema_set_has_string(c, f->node, string) == f->negated) return false;
        } else if (forms && has_form(f)) {
            if (matches(c, form_term(c, f), string, f->where, "pattern") == f->negated)
                return false;
        }
    }
    return !c->status;
}

bool ingle_schema_string_is(schema *c, const schema_shape *s, const ingle_json *string)
{
    return string_is(c, s, string, NULL, true);
}

static bool is_long(const ingle_json *set)
{
    return set->kind == INGLE_JSON_ARRAY && set->len > MANY_STRINGS;
}

/* The strings of a set, each in its one spelling, that belong to a shape (NULL: all); patterns and
 * formats are left out if the set is long. */
static ingle_term set_term(schema *c, const schema_shape *s, const ingle_json *set)
{
    ingle_json_walk w;
    bool first = true;
    size_t n = 0;
    ingle_term_text *texts = ingle_schema_new(c, ingle_schema_set_len(set), sizeof *texts);
    if (!texts) return INGLE_TERM_NONE;
    for (const ingle_json *v; (v = ingle_schema_set_next(set, &w, &first));)
        if (v->kind == INGLE_JSON_STRING && (!s || string_is(c, s, v, set, !is_long(set))) &&
            !spell(c, v, &texts[n++]))
            return INGLE_TERM_NONE;
    return n && !c->status ? ingle_term_literals(c->t, texts, n) : INGLE_TERM_NONE;
}

/* ---- strings of a shape ---------------------------------------------------------------------- */

static const schema_fact *set_of(const schema_shape *s)
{
    for (const schema_fact *f = s->facts; f; f = f->next)
        if (f->kind == FACT_STRINGS && !f->negated) return f;
    return NULL;
}

/* All that the shape asks for, with these lengths; *last: a fact that was combined with others. */
static ingle_term combine(schema *c, const schema_shape *s, uint32_t min, uint32_t max,
                          const schema_fact **last)
{
    const schema_fact *set = set_of(s);
    ingle_term e = set ? set_term(c, s, set->node) : ingle_schema_inside(c, min, max);
    ingle_term limited;
    bool bare = !set && !min && max == INGLE_TERM_MANY;
    *last = NULL;
    if (set && !is_long(set->node)) return e;
    for (const schema_fact *f = s->facts; f && e != INGLE_TERM_NONE; f = f->next) {
        bool form = has_form(f);
        if (!form && (set || f->kind != FACT_STRINGS)) continue;
        ingle_term other = form ? form_term(c, f) : set_term(c, NULL, f->node);
        if (bare && !f->negated) e = other;
        else if (form && !set && !*last && !f->negated && other != INGLE_TERM_NONE &&
                 ingle_schema_limit(c->t, other, min, max, &limited))
            e = limited;
        else e = f->negated ? ingle_term_minus(c->t, e, other) : ingle_term_and(c->t, e, other);
        bare = false;
        *last = f;
    }
    return e;
}

ingle_term ingle_schema_string_inside(schema *c, const schema_shape *s)
{
    const schema_fact *last;
    bool empty;
    if (!(s->types & TYPE_STRING)) return INGLE_TERM_NONE;
    ingle_term e = combine(c, s, s->min_len, s->max_len, &last);
    if (!last || c->status) return e;
    if (c->opt->lenient && (s->min_len || s->max_len != INGLE_TERM_MANY) &&
        ingle_term_is_empty(c->t, e, &empty) == INGLE_EUNSUPPORTED) {
        const char *keyword = s->max_len == INGLE_TERM_MANY ? "minLength" : "maxLength";
        ingle_schema_drop(c, last->where, keyword, "is too hard to combine with the pattern");
        e = combine(c, s, 0, INGLE_TERM_MANY, &last);
    }
    return ingle_schema_empty(c, e) ? INGLE_TERM_NONE : e;
}

ingle_term ingle_schema_string_term(schema *c, const schema_shape *s)
{
    for (const schema_fact *f = s->facts; f; f = f->next)
        if (has_form(f) || f->kind == FACT_STRINGS)
            return quoted(c, ingle_schema_string_inside(c, s));
    return ingle_schema_any_string(c, s->min_len, s->max_len);
}
