/* schema_frame.c - see schema_frame.h. */
#include "grammar/schema_frame.h"
#include "grammar/regex.h"
#include "grammar/schema_array.h"
#include "grammar/schema_elements.h"
#include "grammar/schema_number.h"
#include "grammar/schema_raw.h"
#include "grammar/schema_string.h"
#include "grammar/schema_text.h"

enum { ANY_KIND = 63 };
enum { NAME_BYTES = 200, NAME_CHARS = 48 }; /* of a name between marks; of one nobody gave */

/* ---- names ----------------------------------------------------------------------------------- */

static bool is_plain(const ingle_json *name)
{
    for (uint32_t i = 0; i < name->len; i++) {
        char c = name->text[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        bool more = (c >= '0' && c <= '9') || c == '$' || c == '.' || c == '-';
        if (!letter && !((unsigned char)c & 0x80) && !(i && more)) return false;
    }
    return name->len > 0;
}

/* Names that the schema does not have, of characters that end no name. */
static ingle_term other_names(schema *c, ingle_term others, bool tagged)
{
    static const ingle_range first[] = {{'A', 'Z'}, {'a', 'z'}, {'_', '_'}};
    static const ingle_range rest[] = {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}, {'_', '_'},
                                       {'#', '&'}, {'*', '.'}, {':', ':'}, {0x80, 0x10ffff}};
    ingle_terms *t = c->t;
    ingle_term head = ingle_term_chars(t, first, 3, false);
    ingle_term name = ingle_term_chars(t, rest, tagged ? 8 : 4, false);
    name = ingle_term_repeat(t, name, tagged, NAME_CHARS);
    if (!tagged) name = ingle_term_seq(t, head, name);
    return ingle_term_and(t, name, others);
}

static ingle_term bare_key(schema *c, const ingle_json *name, ingle_term others)
{
    ingle_term quote = ingle_term_literal(c->t, "\"", 1);
    if (!name) return other_names(c, others, false);
    if (is_plain(name)) return ingle_term_literal(c->t, name->text, name->len);
    const ingle_term all[] = {quote, ingle_schema_inside_text(c, name), quote};
    return ingle_term_seq_of(c->t, all, 3);
}

/* Whether a name may stand between the marks. */
static bool fits(const ingle_schema_frame *f, const ingle_json *name)
{
    size_t n = strlen(f->key_end);
    if (!name->len || name->len > NAME_BYTES || name->text[0] == '/') return false;
    for (uint32_t i = 0; i < name->len; i++)
        if (!name->text[i] || (i + n <= name->len && !memcmp(name->text + i, f->key_end, n)))
            return false;
    return true;
}

static ingle_term json_key(schema *c, const ingle_json *name, ingle_term others)
{
    ingle_term quote = ingle_term_literal(c->t, "\"", 1), inside = others;
    if (name) inside = ingle_schema_inside_text(c, name);
    if (inside == INGLE_TERM_ANY) return ingle_schema_any_string(c, 0, INGLE_TERM_MANY);
    if (c->without != INGLE_TERM_NONE) inside = ingle_term_and(c->t, inside, c->without);
    const ingle_term all[] = {quote, inside, quote};
    return ingle_schema_empty(c, inside) ? INGLE_TERM_NONE : ingle_term_seq_of(c->t, all, 3);
}

ingle_term ingle_schema_key(schema *c, const schema_framing *f, const ingle_json *name,
                            ingle_term others)
{
    const ingle_schema_notation *n = c->opt->notation;
    const ingle_schema_frame *x = f->frame;
    ingle_term e;
    if (!x) {
        bool bare = n && n->quote != INGLE_TERM_NONE;
        e = bare ? bare_key(c, name, others) : json_key(c, name, others);
        if (bare && ingle_schema_empty(c, e)) return INGLE_TERM_NONE;
        return ingle_term_seq(c->t, e, ingle_schema_sign(c, ':', true, true));
    }
    if (!x->key_end) e = bare_key(c, name, others);
    else if (name) e = fits(x, name) ? ingle_term_literal(c->t, name->text, name->len) : 0;
    else e = x->name_end == INGLE_TERM_NONE ? other_names(c, others, true) : INGLE_TERM_NONE;
    return ingle_schema_empty(c, e) ? INGLE_TERM_NONE : ingle_term_seq(c->t, x->key, e);
}

/* ---- values ---------------------------------------------------------------------------------- */

/* Texts that are read as JSON of these kinds, or may be. */
static ingle_term looks_like_json(schema *c, unsigned kinds)
{
    static const char *const of_kind[] = {
        [INGLE_JSON_NULL] = "\\s*(?:null|None)\\s*",
        [INGLE_JSON_BOOL] = "\\s*(?:true|false|True|False)\\s*",
        [INGLE_JSON_NUMBER] = "\\s*[+-]?(?:[0-9]+(?:\\.[0-9]*)?|\\.[0-9]+)(?:[eE][+-]?[0-9]+)?\\s*",
        [INGLE_JSON_STRING] = "\\s*\"[^]*",
        [INGLE_JSON_ARRAY] = "\\s*\\[[^]*",
        [INGLE_JSON_OBJECT] = "\\s*\\{[^]*"};
    ingle_regex_options opt = {.chars = ingle_term_chars};
    ingle_term e = INGLE_TERM_NONE, one;
    for (size_t i = 0; i < sizeof of_kind / sizeof *of_kind; i++) {
        ingle_error err = {""};
        if (!(kinds >> i & 1)) continue;
        ingle_status st =
            ingle_regex_compile(c->t, of_kind[i], strlen(of_kind[i]), &opt, &one, &err);
        if (st) ingle_schema_fail(c, st, NULL, NULL, "%s", err.text);
        else e = ingle_term_alt(c->t, e, one);
    }
    return e;
}

static ingle_term strings_of(schema *c, const ingle_schema_frame *x, schema_goal_id goal,
                             unsigned reads)
{
    const schema_goal *g = &c->goals[goal];
    ingle_term e = INGLE_TERM_NONE;
    for (size_t i = 0; i < g->n_shapes && !c->status; i++)
        e = ingle_term_alt(c->t, e, ingle_schema_raw(c, g->shapes[i]));
    if (e != INGLE_TERM_NONE) e = ingle_term_minus(c->t, e, looks_like_json(c, reads));
    if (x->head) {
        ingle_term head = ingle_term_literal(c->t, x->head, strlen(x->head));
        e = ingle_term_minus(c->t, e, ingle_term_seq(c->t, head, INGLE_TERM_ANY));
    }
    return ingle_schema_empty(c, e) ? INGLE_TERM_NONE : e;
}

/* Values that are no strings. */
static ingle_term others_of(schema *c, const schema_framing *f, schema_goal_id goal)
{
    const schema_goal *g = &c->goals[goal];
    ingle_terms *t = c->t;
    ingle_term e = INGLE_TERM_NONE;
    for (size_t i = 0; i < g->n_shapes && !c->status; i++) {
        const schema_shape *s = g->shapes[i];
        for (unsigned k = 0; k < 3; k++)
            if (s->types >> k & 1) e = ingle_term_alt(t, e, ingle_schema_word_text(c, k));
        if (s->types & TYPE_NUMBER) e = ingle_term_alt(t, e, ingle_schema_number_term(c, s));
        if ((s->types & TYPE_ARRAY) && ingle_schema_elements_alive(c, s->elements))
            e = ingle_term_alt(t, e, ingle_schema_array_term(c, s->elements, f->value));
        if ((s->types & TYPE_OBJECT) && ingle_schema_members_alive(c, s->members))
            e = ingle_term_alt(t, e, f->object(c, s->members, f->value));
    }
    return e;
}

/* What ends a value. */
static ingle_term end_of(schema *c, const ingle_schema_frame *x, const ingle_json *name)
{
    if (x->name_end == INGLE_TERM_NONE) return x->after;
    const ingle_term all[] = {x->after, ingle_term_literal(c->t, name->text, name->len),
                              x->name_end};
    return ingle_term_seq_of(c->t, all, 3);
}

ingle_term ingle_schema_member_value(schema *c, const schema_framing *f, const ingle_json *name,
                                     schema_goal_id goal)
{
    const ingle_schema_frame *x = f->frame;
    ingle_terms *t = c->t;
    if (!x) return f->value(c, goal);
    if (!x->raw) {
        const ingle_term all[] = {x->json, f->value(c, goal), x->after};
        return ingle_term_seq_of(t, all, 3);
    }
    if (goal != GOAL_TRUE && ingle_schema_is_any(&c->goals[goal])) goal = GOAL_TRUE;
    unsigned reads = ANY_KIND;
    if (!x->reads) reads = 0;
    else if (name) reads = x->reads(x->context, name->text, name->len);
    ingle_term strings = ingle_term_seq(t, x->text, strings_of(c, x, goal, reads));
    ingle_term others = INGLE_TERM_NONE;
    if (!x->reads || reads) others = ingle_term_seq(t, x->json, others_of(c, f, goal));
    return ingle_term_seq(t, ingle_term_alt(t, strings, others), end_of(c, x, name));
}
