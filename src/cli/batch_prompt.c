/* batch_prompt.c - a line of JSON becomes a prompt with its options. See batch.h. */
#include "batch.h"

#include "base/distance.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ingle_status refuse(ingle_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static ingle_status refuse(ingle_error *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    return INGLE_EINVAL;
}

/* ---- members --------------------------------------------------------------------------------- */

typedef enum member_kind { OWN, FLOAT, WHOLE, SEED, STOPS } member_kind; /* OWN: read elsewhere */

typedef struct member_row {
    const char *name;
    member_kind kind;
    size_t offset; /* in the prompt */
} member_row;

#define AT(field) offsetof(batch_prompt, field)

static const member_row MEMBERS[] = {
    {"prompt", OWN, 0},
    {"id", OWN, 0},
    {"max_tokens", WHOLE, AT(gen.max_tokens)},
    {"temperature", FLOAT, AT(sampling.temperature)},
    {"top_k", WHOLE, AT(sampling.top_k)},
    {"top_p", FLOAT, AT(sampling.top_p)},
    {"min_p", FLOAT, AT(sampling.min_p)},
    {"seed", SEED, AT(sampling.seed)},
    {"repeat_penalty", FLOAT, AT(sampling.repeat_penalty)},
    {"presence_penalty", FLOAT, AT(sampling.presence_penalty)},
    {"frequency_penalty", FLOAT, AT(sampling.frequency_penalty)},
    {"stop", STOPS, 0},
    {"logprobs", WHOLE, AT(gen.logprobs)},
};
enum { N_MEMBERS = sizeof MEMBERS / sizeof *MEMBERS };

static ingle_status read_float(float *out, const ingle_json *v, ingle_error *err)
{
    double x;
    if (!ingle_json_f64(v, &x)) return refuse(err, "it should be a number");
    *out = (float)x;
    return INGLE_OK;
}

static ingle_status read_whole(int32_t *out, const ingle_json *v, ingle_error *err)
{
    int64_t x;
    if (!ingle_json_i64(v, &x)) return refuse(err, "it should be a whole number");
    if (x < INT32_MIN || x > INT32_MAX) return refuse(err, "%lld is out of range", (long long)x);
    *out = (int32_t)x;
    return INGLE_OK;
}

static ingle_status read_stops(batch_prompt *p, const ingle_json *v, ingle_error *err)
{
    ingle_json_walk w = ingle_json_items(v);
    p->gen.n_stops = 0;
    if (ingle_json_is(v, INGLE_JSON_STRING)) {
        p->stops[p->gen.n_stops++] = (ingle_stop){v->text, v->len};
    } else if (!ingle_json_is(v, INGLE_JSON_ARRAY)) {
        return refuse(err, "it should be a text or an array of texts");
    }
    while (ingle_json_is(v, INGLE_JSON_ARRAY) && ingle_json_step(&w)) {
        if (!ingle_json_is(w.value, INGLE_JSON_STRING))
            return refuse(err, "element %zu should be a text", p->gen.n_stops);
        if (p->gen.n_stops == RUN_MOST_STOPS)
            return refuse(err, "more than %d texts", RUN_MOST_STOPS);
        p->stops[p->gen.n_stops++] = (ingle_stop){w.value->text, w.value->len};
    }
    return INGLE_OK;
}

static ingle_status store(batch_prompt *p, const member_row *row, const ingle_json *v,
                          ingle_error *err)
{
    void *to = (char *)p + row->offset;
    switch (row->kind) {
    case OWN: return INGLE_OK;
    case FLOAT: return read_float(to, v, err);
    case WHOLE: return read_whole(to, v, err);
    case STOPS: return read_stops(p, v, err);
    case SEED:
        if (ingle_json_u64(v, to)) return INGLE_OK;
        return refuse(err, "it should be a whole number of 0 to 18446744073709551615");
    }
    return INGLE_EINVAL;
}

static ingle_status refuse_unknown(const ingle_json *name, ingle_error *err)
{
    const char *near = NULL;
    size_t best = name->len / 3 + 1;
    for (size_t i = 0; i < N_MEMBERS; i++) {
        size_t d = ingle_distance(name->text, name->len, MEMBERS[i].name, strlen(MEMBERS[i].name));
        if (d <= best) best = d, near = MEMBERS[i].name;
    }
    return near ? refuse(err, "unknown member '%.60s' (did you mean '%s'?)", name->text, near)
                : refuse(err, "unknown member '%.60s'", name->text);
}

/* The library is asked after every member, so that the error names the right one. */
static ingle_status read_member(batch_prompt *p, const ingle_json *name, const ingle_json *v,
                                ingle_error *err)
{
    ingle_error why = {{0}};
    const member_row *row = NULL;
    for (size_t i = 0; i < N_MEMBERS && !row; i++)
        if (ingle_json_is_text(name, MEMBERS[i].name)) row = &MEMBERS[i];
    if (!row) return refuse_unknown(name, err);
    ingle_status status = store(p, row, v, &why);
    if (status == INGLE_OK) status = ingle_generate_options_check(&p->gen, &why);
    if (status == INGLE_OK) return status;
    snprintf(err->text, sizeof err->text, "member '%s': %.200s", row->name, why.text);
    return status;
}

/* ---- the prompt itself ----------------------------------------------------------------------- */

static ingle_status read_ids(ids_list *out, const ingle_json *v, ingle_error *err)
{
    out->ids = calloc(v->len ? v->len : 1, sizeof *out->ids);
    if (!out->ids) {
        refuse(err, "no memory for the tokens");
        return INGLE_ENOMEM;
    }
    for (ingle_json_walk w = ingle_json_items(v); ingle_json_step(&w); out->n++) {
        int64_t id;
        if (!ingle_json_i64(w.value, &id) || id < 0 || id > INT32_MAX)
            return refuse(err, "member 'prompt': element %zu is no token id", out->n);
        out->ids[out->n] = (int32_t)id;
    }
    return INGLE_OK;
}

static ingle_status read_tokens(batch_prompt *p, const ingle_json *v, const run_options *opt,
                                const ingle_model *model, ingle_error *err)
{
    unsigned flags = INGLE_ADD_SPECIAL | (opt->no_parse_special ? 0 : INGLE_PARSE_SPECIAL);
    ingle_status status;
    if (ingle_json_is(v, INGLE_JSON_STRING))
        status = ids_tokenize(&p->tokens, model, v->text, v->len, flags, err);
    else if (ingle_json_is(v, INGLE_JSON_ARRAY)) status = read_ids(&p->tokens, v, err);
    else if (v) return refuse(err, "member 'prompt' should be a text or an array of token ids");
    else return refuse(err, "member 'prompt' is missing");
    if (status == INGLE_OK && !p->tokens.n)
        return refuse(err, "the prompt is empty, and this model begins no text by itself");
    return status;
}

/* ---- the line -------------------------------------------------------------------------------- */

static void take_defaults(batch_prompt *p, size_t index, const run_options *opt)
{
    p->sampling = opt->sampling.lib;
    p->sampling.seed += index;
    run_generate_options(opt, &p->gen, p->stops);
    p->gen.sampling = &p->sampling;
}

ingle_status batch_prompt_read(batch_prompt *p, const char *line, size_t len, size_t index,
                               const run_options *opt, const ingle_model *model, ingle_error *err)
{
    static const ingle_json_limits limits = {.unique_names = true};
    *p = (batch_prompt){0};
    take_defaults(p, index, opt);
    ingle_status status = ingle_json_open(&p->doc, line, len, &limits, err);
    if (status != INGLE_OK) return status;
    const ingle_json *root = p->doc.root, *prompt = root;
    if (ingle_json_is(root, INGLE_JSON_OBJECT)) {
        p->id = ingle_json_get(root, "id");
        prompt = ingle_json_get(root, "prompt");
    } else if (!ingle_json_is(root, INGLE_JSON_STRING)) {
        return refuse(err, "a prompt is a text or an object");
    }
    for (ingle_json_walk w = ingle_json_items(root); status == INGLE_OK && ingle_json_step(&w);)
        status = read_member(p, w.name, w.value, err);
    return status == INGLE_OK ? read_tokens(p, prompt, opt, model, err) : status;
}

void batch_prompt_free(batch_prompt *p)
{
    ids_free(&p->tokens);
    ingle_json_close(&p->doc);
    p->id = NULL;
}
