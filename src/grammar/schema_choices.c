/* schema_choices.c - see schema_choices.h. */
#include "grammar/schema_choices.h"
#include "grammar/schema_expand.h"
#include "grammar/schema_number.h"
#include "grammar/schema_raw.h"
#include "grammar/schema_set.h"
#include "grammar/schema_string.h"
#include "grammar/schema_text.h"

enum { STATE_COUNT, STATE_SEEN, STATE_WORDS = 64, MAX_CHOICES = (STATE_WORDS - STATE_SEEN) * 32 };

/* ---- the values ------------------------------------------------------------------------------ */

typedef struct finding {
    schema *c;
    schema_elements *e;
    schema_map numbers; /* what values are, as text -> number */
} finding;

static bool add(finding *f, const char *key, size_t n, uint32_t type, ingle_term text)
{
    bool made;
    schema *c = f->c;
    if (f->e->n_choices == MAX_CHOICES) return false;
    char *copy = ingle_schema_copy(&c->memory, key, n);
    schema_key *k = copy ? ingle_schema_map_put(&f->numbers, copy, n, type, &made) : NULL;
    if (!k) return ingle_schema_no_memory(c);
    if (made) k->value = f->e->n_numbers++;
    f->e->choices[f->e->n_choices++] = (schema_choice){k->value, text};
    return true;
}

static bool add_number(finding *f, const schema_shape *s, const ingle_json *v)
{
    schema *c = f->c;
    size_t n;
    if (!ingle_schema_number_is(c, s, v)) return !c->status;
    const char *key = ingle_schema_number_key(c, ingle_schema_number_of(c, v), &n);
    return key && add(f, key, n, TYPE_NUMBER, ingle_term_literal(c->t, v->text, v->len));
}

static bool add_string(finding *f, const schema_shape *s, const ingle_json *v)
{
    schema *c = f->c;
    if (!ingle_schema_string_is(c, s, v)) return !c->status;
    ingle_term text = ingle_schema_string_text(c, v); /* NONE: it cannot be written */
    return text == INGLE_TERM_NONE || add(f, v->text, v->len, TYPE_STRING, text);
}

static const ingle_json *set_of(const schema_shape *s, schema_fact_kind kind)
{
    for (const schema_fact *f = s->facts; f; f = f->next)
        if (f->kind == kind && !f->negated) return f->node;
    return NULL;
}

static bool add_set(finding *f, const schema_shape *s, const ingle_json *set, bool numbers)
{
    ingle_json_walk w;
    bool first = true;
    for (const ingle_json *v; (v = ingle_schema_set_next(set, &w, &first));) {
        bool ok = true;
        if (numbers && v->kind == INGLE_JSON_NUMBER) ok = add_number(f, s, v);
        if (!numbers && v->kind == INGLE_JSON_STRING) ok = add_string(f, s, v);
        if (!ok) return false;
    }
    return true;
}

static bool add_shape(finding *f, const schema_shape *s)
{
    const ingle_json *numbers = set_of(s, FACT_NUMBERS), *strings = set_of(s, FACT_STRINGS);
    static const char *const words[] = {"null", "true", "false"}; /* in the map */
    if (s->types & (TYPE_ARRAY | TYPE_OBJECT)) return false;
    if ((s->types & TYPE_NUMBER) && !numbers) return false;
    if ((s->types & TYPE_STRING) && !strings) return false;
    for (unsigned i = 0; i < 3; i++)
        if (s->types >> i & 1 &&
            !add(f, words[i], strlen(words[i]), 1, ingle_schema_word_text(f->c, i)))
            return false;
    return (!(s->types & TYPE_NUMBER) || add_set(f, s, numbers, true)) &&
           (!(s->types & TYPE_STRING) || add_set(f, s, strings, false));
}

bool ingle_schema_choices(schema *c, schema_goal_id goal, schema_elements *e)
{
    finding f = {.c = c, .e = e};
    e->n_choices = e->n_numbers = 0;
    if (!ingle_schema_expand(c, goal)) return false;
    e->choices = ingle_schema_new(c, MAX_CHOICES, sizeof *e->choices);
    bool ok = e->choices != NULL;
    for (size_t i = 0; ok && i < c->goals[goal].n_shapes; i++)
        ok = add_shape(&f, c->goals[goal].shapes[i]);
    ingle_schema_map_free(&f.numbers);
    if (!ok) e->choices = NULL;
    return ok && !c->status;
}

/* ---- the text -------------------------------------------------------------------------------- */

typedef struct producer {
    ingle_producer head; /* first */
    schema_choice *choices;
    size_t n_choices;
    uint32_t min, max, n_numbers, number;
    ingle_term end, separator, space;
} producer;

static ingle_term body(const ingle_producer *head, ingle_terms *t, const uint32_t *state, size_t n)
{
    const producer *p = (const producer *)head;
    uint32_t count = state[STATE_COUNT];
    ingle_term all = INGLE_TERM_NONE;
    for (size_t i = 0; count < p->max && i < p->n_choices; i++) {
        uint32_t next[STATE_WORDS], x = p->choices[i].number;
        if (state[STATE_SEEN + x / 32] >> (x % 32) & 1) continue;
        memcpy(next, state, n * sizeof *next);
        next[STATE_COUNT]++;
        next[STATE_SEEN + x / 32] |= 1u << (x % 32);
        all = ingle_term_alt(t, all,
                             ingle_term_seq(t, p->choices[i].text,
                                            ingle_term_produced(t, p->number, next, n, false)));
    }
    all = ingle_term_seq(t, count ? p->separator : p->space, all);
    return count >= p->min ? ingle_term_alt(t, all, p->end) : all;
}

static void producer_free(ingle_producer *head)
{
    free(((producer *)head)->choices);
    free(head);
}

ingle_term ingle_schema_choices_term(schema *c, const schema_elements *e)
{
    producer *p = ingle_new(1, sizeof *p);
    schema_choice *choices = ingle_new(e->n_choices, sizeof *choices);
    uint32_t start[STATE_WORDS] = {0};
    if (!p || !choices) {
        free(p);
        free(choices);
        ingle_schema_no_memory(c);
        return INGLE_TERM_NONE;
    }
    if (e->n_choices) memcpy(choices, e->choices, e->n_choices * sizeof *choices);
    *p = (producer){.head = {body, producer_free},
                    .choices = choices,
                    .n_choices = e->n_choices,
                    .min = e->min,
                    .max = e->max,
                    .n_numbers = e->n_numbers,
                    .end = ingle_schema_sign(c, ']', true, false),
                    .separator = ingle_schema_sign(c, ',', true, true),
                    .space = ingle_schema_space(c)};
    uint32_t number = ingle_producer_add(c->t, &p->head);
    if (ingle_terms_status(c->t)) return INGLE_TERM_NONE; /* and p may be gone */
    p->number = number;
    size_t n = STATE_SEEN + (e->n_numbers + 31) / 32;
    return ingle_term_seq(c->t, ingle_term_literal(c->t, "[", 1),
                          ingle_term_produced(c->t, p->number, start, n, false));
}
