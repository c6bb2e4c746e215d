/* schema_object.c - see schema_object.h. Where an object has named members, its text is made on
 * demand, from a state: how many members there are, which facts are met, and which names have been
 * (in the schema's order, one number: the next that may come). */
#include "grammar/schema_object.h"
#include "grammar/schema_fit.h"
#include "grammar/schema_text.h"

enum { STATE_COUNT, STATE_MET, STATE_SEEN, STATE_WORDS = 64 };

typedef struct choice {
    ingle_term text; /* key, colon, value */
    uint32_t meets;
} choice;

typedef struct part { /* a name, or all other keys */
    choice *choices;
    size_t n;
    uint32_t sets; /* as in schema_fit.h */
    bool required;
} part;

typedef struct producer {
    ingle_producer head; /* first */
    part *parts;         /* [n_parts] names, then one of the other keys */
    choice *choices;     /* of all parts */
    size_t n_parts;
    uint32_t *required_from; /* [n_parts + 1] of names from number i on */
    uint32_t min, max, n_some, n_words, number;
    bool any_order, may_be_empty; /* nothing may stand after the members */
    ingle_term end, separator;    /* white space and '}'; comma with white space */
    ingle_term space;
} producer;

/* ---- states ---------------------------------------------------------------------------------- */

static bool is_seen(const producer *p, const uint32_t *state, size_t i)
{
    if (!p->any_order) return i < state[STATE_SEEN];
    return state[STATE_SEEN + i / 32] >> (i % 32) & 1;
}

/* How many names, and required names, have not been. */
static void remaining(const producer *p, const uint32_t *state, uint64_t *names, uint64_t *required)
{
    *names = *required = 0;
    if (!p->any_order) {
        *names = p->n_parts - state[STATE_SEEN];
        *required = p->required_from[state[STATE_SEEN]];
        return;
    }
    for (size_t i = 0; i < p->n_parts; i++) {
        if (is_seen(p, state, i)) continue;
        ++*names;
        *required += p->parts[i].required;
    }
}

/* Whether some text leads from a state to the end. */
static bool can_end(const producer *p, const uint32_t *state, uint64_t names, uint64_t required)
{
    schema_fit fit;
    const part *others = &p->parts[p->n_parts];
    ingle_schema_fit_start(&fit, p->n_some, state[STATE_MET]);
    if (!p->n_some) {
        fit.need = required;
        fit.most = names;
    } else {
        for (size_t i = 0; i < p->n_parts; i++)
            if (!is_seen(p, state, i))
                ingle_schema_fit_member(&fit, p->parts[i].sets, p->parts[i].required);
    }
    if (others->n) ingle_schema_fit_cell(&fit, others->sets);
    return ingle_schema_fit_ok(&fit, state[STATE_COUNT], p->min, p->max);
}

/* Counts end where more of them mean the same. */
static uint32_t one_more(const producer *p, uint32_t count)
{
    uint32_t last = p->max != INGLE_TERM_MANY ? p->max : p->min > 1 ? p->min : 1;
    return count < last ? count + 1 : last;
}

/* ---- texts ----------------------------------------------------------------------------------- */

typedef struct list {
    ingle_term *e;
    size_t n, cap;
} list;

static void push(ingle_terms *t, list *l, ingle_term e)
{
    if (!ingle_grow(&l->e, &l->cap, l->n + 1, sizeof *l->e))
        ingle_terms_fail(t, INGLE_ENOMEM, "no memory for an object");
    else l->e[l->n++] = e;
}

/* Whether the object may end. */
static bool is_done(const producer *p, const uint32_t *state, uint64_t required)
{
    return !required && state[STATE_MET] + 1 == 1u << p->n_some && state[STATE_COUNT] >= p->min;
}

/* All members of one part, each with what may follow. */
static void put_part(const producer *p, ingle_terms *t, const uint32_t *state, size_t i, list *l,
                     uint64_t names, uint64_t required)
{
    const part *x = &p->parts[i];
    bool named = i < p->n_parts;
    for (size_t k = 0; k < x->n; k++) {
        uint32_t next[STATE_WORDS];
        memcpy(next, state, p->n_words * sizeof *next);
        next[STATE_COUNT] = one_more(p, state[STATE_COUNT]);
        next[STATE_MET] |= x->choices[k].meets;
        if (p->max != INGLE_TERM_MANY && state[STATE_COUNT] >= p->max) continue;
        if (!p->any_order) next[STATE_SEEN] = (uint32_t)(named ? i + 1 : i);
        else if (named) next[STATE_SEEN + i / 32] |= 1u << (i % 32);
        if (!can_end(p, next, names - named, required - (named && x->required))) continue;
        bool empty = p->may_be_empty && is_done(p, next, required - (named && x->required));
        push(t, l,
             ingle_term_seq(t, x->choices[k].text,
                            ingle_term_produced(t, p->number, next, p->n_words, empty)));
    }
}

/* Everything from a state to the closing brace, which belongs to it. */
static ingle_term body(const ingle_producer *head, ingle_terms *t, const uint32_t *state, size_t n)
{
    const producer *p = (const producer *)head;
    list l = {0};
    uint64_t names, required;
    bool open = true;
    (void)n;
    remaining(p, state, &names, &required);
    for (size_t i = p->any_order ? 0 : state[STATE_SEEN]; open && i < p->n_parts; i++) {
        if (is_seen(p, state, i)) continue;
        uint64_t left = p->any_order ? names : p->n_parts - i;
        put_part(p, t, state, i, &l, left, required);
        open = p->any_order || !p->parts[i].required;
    }
    if (open) put_part(p, t, state, p->n_parts, &l, p->any_order ? names : 0, required);
    ingle_term more = ingle_term_seq(t, state[STATE_COUNT] ? p->separator : p->space,
                                     l.n ? ingle_term_alt_of(t, l.e, l.n) : INGLE_TERM_NONE);
    free(l.e);
    return is_done(p, state, required) ? ingle_term_alt(t, p->end, more) : more;
}

/* ---- making the producer --------------------------------------------------------------------- */

static void producer_free(ingle_producer *head)
{
    producer *p = (producer *)head;
    free(p->parts);
    free(p->choices);
    free(p->required_from);
    free(p);
}

/* The member of this name, or, where it is NULL, those with other keys. */
static size_t put_choices(schema *c, const schema_framing *f, const ingle_json *name,
                          ingle_term others, const schema_option *options, size_t n, choice *out)
{
    size_t n_out = 0;
    ingle_term key = ingle_schema_key(c, f, name, others);
    for (size_t i = 0; i < n && key != INGLE_TERM_NONE; i++) {
        if (!c->goals[options[i].goal].alive) continue;
        ingle_term value = ingle_schema_member_value(c, f, name, options[i].goal);
        if (value == INGLE_TERM_NONE) continue; /* it cannot be written */
        out[n_out++] = (choice){ingle_term_seq(c->t, key, value), options[i].meets};
    }
    return n_out;
}

static size_t count_choices(const schema_members *m)
{
    size_t n = 0;
    for (size_t i = 0; i < m->n_members; i++) n += m->members[i].n_options;
    for (size_t i = 0; i < m->n_cells; i++) n += m->cells[i].n_options;
    return n;
}

static uint32_t sets_of(const part *x)
{
    uint32_t sets = 0;
    for (size_t i = 0; i < x->n; i++) sets |= 1u << x->choices[i].meets;
    return sets;
}

static void fill(schema *c, producer *p, const schema_members *m, const schema_framing *f)
{
    choice *at = p->choices;
    for (size_t i = 0; i < m->n_members; i++) {
        const schema_member *x = &m->members[i];
        if (!ingle_schema_meetings(c, x->options, x->n_options)) continue;
        part *out = &p->parts[p->n_parts++];
        const ingle_json *name = c->names[x->name];
        *out = (part){.choices = at, .required = x->required};
        at += out->n = put_choices(c, f, name, INGLE_TERM_NONE, x->options, x->n_options, at);
        out->sets = sets_of(out);
        if (!out->n && !c->status && !ingle_terms_status(c->t)) {
            if (x->required)
                ingle_schema_fail(c, INGLE_EUNSUPPORTED, NULL, "properties",
                                  "'%.60s' cannot be written as an argument", name->text);
            p->n_parts--;
        }
    }
    part *others = &p->parts[p->n_parts];
    others->choices = at;
    for (size_t i = 0; i < m->n_cells; i++)
        others->n += put_choices(c, f, NULL, m->cells[i].key, m->cells[i].options,
                                 m->cells[i].n_options, at + others->n);
    others->sets = sets_of(others);
    for (size_t i = p->n_parts; i-- > 0;)
        p->required_from[i] = p->required_from[i + 1] + p->parts[i].required;
}

/* What stands around members. */
typedef struct around {
    ingle_term begin, first, between, end;
} around;

static around signs_of(schema *c, const schema_framing *f)
{
    const ingle_schema_frame *x = f->frame;
    if (x) return (around){x->begin, x->first, x->between, x->end};
    return (around){ingle_term_literal(c->t, "{", 1), ingle_schema_space(c),
                    ingle_schema_sign(c, ',', true, true), ingle_schema_sign(c, '}', true, false)};
}

static producer *producer_new(schema *c, const schema_members *m, const schema_framing *f)
{
    producer *p = ingle_new(1, sizeof *p);
    if (!p) return NULL;
    *p = (producer){.head = {body, producer_free},
                    .parts = ingle_new(m->n_members + 1, sizeof *p->parts),
                    .choices = ingle_new(count_choices(m), sizeof *p->choices),
                    .required_from = ingle_new(m->n_members + 1, sizeof *p->required_from),
                    .min = m->min,
                    .max = m->max,
                    .n_some = m->n_some,
                    .any_order = c->opt->any_order};
    const around signs = signs_of(c, f);
    if (!p->parts || !p->choices || !p->required_from) {
        producer_free(&p->head);
        return NULL;
    }
    fill(c, p, m, f);
    p->space = signs.first;
    p->end = signs.end;
    p->may_be_empty = ingle_term_nullable(c->t, signs.end);
    p->separator = signs.between;
    p->n_words = STATE_SEEN + (p->any_order ? (uint32_t)(p->n_parts + 31) / 32 : 1);
    return p;
}

/* An object without names: one kind of member, as often as one likes. */
static ingle_term plain(schema *c, const schema_members *m, const schema_framing *f)
{
    ingle_terms *t = c->t;
    ingle_term member = INGLE_TERM_NONE;
    const around signs = signs_of(c, f);
    for (size_t i = 0; i < m->n_cells; i++)
        for (size_t k = 0; k < m->cells[i].n_options; k++) {
            ingle_term key = ingle_schema_key(c, f, NULL, m->cells[i].key);
            if (key == INGLE_TERM_NONE) continue;
            ingle_term value = ingle_schema_member_value(c, f, NULL, m->cells[i].options[k].goal);
            member = ingle_term_alt(t, member, ingle_term_seq(t, key, value));
        }
    ingle_term next = ingle_term_seq(t, signs.between, member);
    ingle_term all[] = {
        signs.first, member,
        ingle_term_repeat(t, next, m->min ? m->min - 1 : 0,
                          m->max == INGLE_TERM_MANY ? INGLE_TERM_MANY : m->max - !!m->max)};
    ingle_term some =
        m->max && member != INGLE_TERM_NONE ? ingle_term_seq_of(t, all, 3) : INGLE_TERM_NONE;
    if (!m->min) some = ingle_term_alt(t, INGLE_TERM_EMPTY, some);
    ingle_term object[] = {signs.begin, some, signs.end};
    return ingle_term_seq_of(t, object, 3);
}

static ingle_term object(schema *c, const schema_members *m, const schema_framing *f)
{
    uint32_t start[STATE_WORDS] = {0};
    if (!m->n_some && !m->n_members) return plain(c, m, f);
    producer *p = producer_new(c, m, f);
    if (!p) {
        ingle_schema_no_memory(c);
        return INGLE_TERM_NONE;
    }
    uint32_t number = ingle_producer_add(c->t, &p->head);
    if (ingle_terms_status(c->t)) return INGLE_TERM_NONE; /* and p may be gone */
    p->number = number;
    if (p->n_words > STATE_WORDS) {
        ingle_schema_fail(c, INGLE_EUNSUPPORTED, NULL, "properties", "more than %d in any order",
                          (STATE_WORDS - STATE_SEEN) * 32);
        return INGLE_TERM_NONE;
    }
    bool empty = p->may_be_empty && is_done(p, start, p->required_from[0]);
    return ingle_term_seq(c->t, signs_of(c, f).begin,
                          ingle_term_produced(c->t, p->number, start, p->n_words, empty));
}

ingle_term ingle_schema_object_term(schema *c, const schema_members *m, schema_value_of *value)
{
    const schema_framing f = {NULL, value, ingle_schema_object_term};
    return object(c, m, &f);
}

ingle_term ingle_schema_arguments_term(schema *c, const schema_members *m, schema_value_of *value)
{
    const schema_framing f = {c->opt->notation->frame, value, ingle_schema_object_term};
    return object(c, m, &f);
}
