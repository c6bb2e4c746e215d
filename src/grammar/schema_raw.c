/* schema_raw.c - see schema_raw.h. */
#include "grammar/schema_raw.h"
#include "grammar/regex.h"
#include "grammar/schema_format.h"
#include "grammar/schema_set.h"
#include "grammar/schema_string.h"

enum { LAST = 0x10ffff };

void ingle_schema_raw_open(schema *c)
{
    const ingle_schema_notation *n = c->opt->notation;
    ingle_term until;
    if (n) c->without = n->inside;
    if (!n || !n->never) return;
    ingle_term_text text = {n->never, strlen(n->never)};
    ingle_term_search(c->t, &text, 1, &c->without, &until);
}

/* ---- characters ------------------------------------------------------------------------------ */

static ingle_term any(ingle_terms *t, uint32_t min, uint32_t max)
{
    static const ingle_range plain[] = {{'\t', '\n'}, {'\r', '\r'}, {' ', LAST}};
    return ingle_term_repeat(t, ingle_term_chars(t, plain, 3, false), min, max);
}

/* Strings that JSON writes without an escape. */
static ingle_term plain(ingle_terms *t)
{
    static const ingle_range plain[] = {{' ', '"' - 1}, {'"' + 1, '\\' - 1}, {'\\' + 1, LAST}};
    return ingle_term_repeat(t, ingle_term_chars(t, plain, 3, false), 0, INGLE_TERM_MANY);
}

/* ---- what is known of a shape's strings ------------------------------------------------------ */

static ingle_term pattern(schema *c, const schema_fact *f)
{
    ingle_regex_options opt = {.search = true, .chars = ingle_term_chars};
    ingle_term e = INGLE_TERM_NONE;
    ingle_error err = {""};
    ingle_status st = ingle_regex_compile(c->t, f->node->text, f->node->len, &opt, &e, &err);
    if (!st) return e;
    /* as JSON it has been reported */
    if (st != INGLE_EUNSUPPORTED || !c->opt->lenient)
        ingle_schema_fail(c, st, f->where, "pattern", "%s", err.text);
    return any(c->t, 0, INGLE_TERM_MANY);
}

/* The strings of a set, and of the shape if it is given. */
static ingle_term set(schema *c, const schema_shape *s, const ingle_json *values)
{
    ingle_json_walk w;
    bool first = true;
    size_t n = 0;
    ingle_term_text *texts = ingle_schema_new(c, ingle_schema_set_len(values), sizeof *texts);
    if (!texts) return INGLE_TERM_NONE;
    for (const ingle_json *v; (v = ingle_schema_set_next(values, &w, &first));)
        if (v->kind == INGLE_JSON_STRING && (!s || ingle_schema_string_is(c, s, v)))
            texts[n++] = (ingle_term_text){v->text, v->len};
    return n && !c->status ? ingle_term_literals(c->t, texts, n) : INGLE_TERM_NONE;
}

static ingle_term without(schema *c, ingle_term e)
{
    return c->without == INGLE_TERM_NONE ? e : ingle_term_and(c->t, e, c->without);
}

ingle_term ingle_schema_raw(schema *c, const schema_shape *s)
{
    ingle_terms *t = c->t;
    if (!(s->types & TYPE_STRING)) return INGLE_TERM_NONE;
    for (const schema_fact *f = s->facts; f; f = f->next)
        if (f->kind == FACT_STRINGS && !f->negated) {
            ingle_term e = without(c, set(c, s, f->node));
            return ingle_schema_empty(c, e) ? INGLE_TERM_NONE : e;
        }
    ingle_term e = without(c, any(t, s->min_len, s->max_len));
    for (const schema_fact *f = s->facts; f && !c->status; f = f->next) {
        ingle_term other;
        if (f->kind == FACT_PATTERN) other = pattern(c, f);
        else if (f->kind == FACT_STRINGS) other = set(c, NULL, f->node);
        else if (f->kind == FACT_FORMAT)
            other = ingle_term_and(t, ingle_schema_format_term(t, f->node), plain(t));
        else continue;
        if (f->kind == FACT_FORMAT && f->negated) e = ingle_term_and(t, e, plain(t));
        e = f->negated ? ingle_term_minus(t, e, other) : ingle_term_and(t, e, other);
    }
    return ingle_schema_empty(c, e) ? INGLE_TERM_NONE : e;
}

/* ---- in the notation ------------------------------------------------------------------------- */

static ingle_term quote_of(const schema *c)
{
    return c->opt->notation ? c->opt->notation->quote : INGLE_TERM_NONE;
}

ingle_term ingle_schema_string_of(schema *c, const schema_shape *s)
{
    ingle_term quote = quote_of(c);
    if (quote == INGLE_TERM_NONE) return ingle_schema_string_term(c, s);
    const ingle_term all[] = {quote, ingle_schema_raw(c, s), quote};
    return ingle_term_seq_of(c->t, all, 3);
}

ingle_term ingle_schema_string_text(schema *c, const ingle_json *string)
{
    ingle_term quote = quote_of(c), inside;
    if (quote == INGLE_TERM_NONE) {
        quote = ingle_term_literal(c->t, "\"", 1);
        inside = ingle_schema_inside_text(c, string);
    } else {
        inside = ingle_term_literal(c->t, string->text, string->len);
    }
    inside = without(c, inside);
    const ingle_term all[] = {quote, inside, quote};
    return ingle_schema_empty(c, inside) ? INGLE_TERM_NONE : ingle_term_seq_of(c->t, all, 3);
}
