/* generation_form.c - which form an answer is to have: schema, JSON, pattern, grammar, choice, by
 * whatever field it is asked for. There is one at most. */
#include "generation_set.h"

#include "base/mem.h"

#include <stdio.h>

enum { MAX_CHOICES = 10000 };

static bool take_form(field_reader *r, generation *g, ingle_answer_form form,
                      const field_place *place)
{
    if (g->form)
        return field_refuse(r, place, "asks for a form of the answer, and so does '%s'",
                            g->form_param);
    g->form = form;
    field_place_text(place, g->form_param, sizeof g->form_param);
    return true;
}

/* A schema, as a value or as text; a pattern or a grammar, which are text. */
static bool take_text(field_reader *r, generation *g, const ingle_json *v)
{
    bytes text = {0};
    if (v->kind == INGLE_JSON_STRING) bytes_put(&text, v->text, v->len);
    else if (!generation_put_json(r, &text, v)) {
        bytes_free(&text);
        return false;
    }
    free(g->form_text);
    g->form_text = bytes_give(&text, &g->n_form_text);
    return g->form_text || generation_no_memory(r);
}

static bool take_choices(field_reader *r, generation *g, const ingle_json *v,
                         const field_place *place)
{
    size_t i = 0, n_text = 0;
    if (!v->len || v->len > MAX_CHOICES)
        return field_refuse(r, place, "has %u elements, should have 1 to %d", v->len,
                            (int)MAX_CHOICES);
    for (ingle_json_walk w = ingle_json_items(v); ingle_json_step(&w); i++) {
        const field_place element = {.up = place, .i = i};
        if (!ingle_json_is(w.value, INGLE_JSON_STRING) || !w.value->len)
            return field_refuse(r, &element, "should be a string that is not empty");
        n_text += w.value->len;
    }
    free(g->choices);
    g->n_choices = 0;
    g->choices = malloc(v->len * sizeof *g->choices + n_text);
    if (!g->choices) return generation_no_memory(r);
    char *at = (char *)(g->choices + v->len);
    for (ingle_json_walk w = ingle_json_items(v); ingle_json_step(&w);) {
        memcpy(at, w.value->text, w.value->len);
        g->choices[g->n_choices++] = (ingle_string){at, w.value->len};
        at += w.value->len;
    }
    return true;
}

bool generation_set_form(field_reader *r, generation *g, ingle_answer_form form,
                         const ingle_json *text, const field_place *place)
{
    if (!take_form(r, g, form, place)) return false;
    if (!text) return true; /* INGLE_ANSWER_JSON */
    return form == INGLE_ANSWER_CHOICE ? take_choices(r, g, text, place) : take_text(r, g, text);
}

GENERATION_SETTER(generation_set_gbnf)
{
    return generation_set_form(r, target, INGLE_ANSWER_GBNF, v, place);
}

GENERATION_SETTER(generation_set_schema)
{
    return generation_set_form(r, target, INGLE_ANSWER_SCHEMA, v, place);
}

GENERATION_SETTER(generation_set_regex)
{
    return generation_set_form(r, target, INGLE_ANSWER_REGEX, v, place);
}

GENERATION_SETTER(generation_set_choice)
{
    return generation_set_form(r, target, INGLE_ANSWER_CHOICE, v, place);
}

GENERATION_SETTER(generation_set_any_json)
{
    bool on = false;
    ingle_json_bool(v, &on);
    return !on || generation_set_form(r, target, INGLE_ANSWER_JSON, NULL, place);
}

static const field_row structured_rows[] = {
    {.name = "json",
     .types = FIELD_OBJECT | FIELD_STRING | FIELD_BOOL,
     .set = generation_set_schema,
     .help = "a JSON Schema, as an object or as text; what cannot be enforced is refused"},
    {.name = "json_object",
     .types = FIELD_BOOL,
     .set = generation_set_any_json,
     .help = "true: any JSON object"},
    {.name = "regex",
     .types = FIELD_STRING,
     .set = generation_set_regex,
     .help = "a pattern that the whole answer matches"},
    {.name = "choice",
     .types = FIELD_ARRAY,
     .min = 1,
     .max = MAX_CHOICES,
     .set = generation_set_choice,
     .help = "the answer is one of these strings"},
    {.name = "grammar",
     .types = FIELD_STRING,
     .set = generation_set_gbnf,
     .help = "a grammar in GBNF"},
    {.name = "disable_any_whitespace",
     .types = FIELD_BOOL,
     .store = FIELD_TO_BOOL,
     .offset = offsetof(generation, compact_json),
     .help = "true: JSON without white space between its parts"},
    {.name = "whitespace_pattern",
     .class = FIELD_REFUSED,
     .help = "disable_any_whitespace leaves white space out"},
    {.name = "structural_tag", .class = FIELD_REFUSED, .help = "use tools, or a grammar in GBNF"},
    {.name = "backend", .class = FIELD_INERT, .help = "there is one"},
    {.name = "disable_fallback", .class = FIELD_ONLY, .only = "true", .help = "there is none"},
    {.name = "disable_additional_properties",
     .class = FIELD_ONLY,
     .only = "false",
     .help = "put additionalProperties false into the schema"},
};

const field_table structured_outputs_fields = {.title = "Structured outputs",
                                               .rows = structured_rows,
                                               .n_rows = sizeof structured_rows /
                                                         sizeof *structured_rows};
