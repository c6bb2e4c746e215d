/* generation_sampling.c - how tokens are chosen: the rows of the sampler's numbers, and settings that
 * are lists or need the model.
 * Invariant  ranges are the library's: every row asks it, and its text becomes the refusal. */
#include "generation_set.h"

#include "base/entropy.h"
#include "base/mem.h"

#include <math.h>
#include <stdio.h>

enum { MAX_BREAKERS = 64, MAX_BREAKER = 64, MAX_STAGES = 16, MAX_BIAS_TEXT = 256 };

/* ---- numbers --------------------------------------------------------------------------------- */

/* The library's text without the name that it has for the field. */
static bool refuse_as_library(field_reader *r, const field_place *place, const ingle_error *err)
{
    const char *text = strstr(err->text, " is ");
    if (!text) text = strchr(err->text, ':');
    return field_refuse(r, place, "%s", text ? text + (*text == ':' ? 2 : 1) : err->text);
}

/* What was given so far, this field the last. */
static bool check(field_reader *r, void *target, const ingle_json *v, const field_place *place)
{
    ingle_error err;
    (void)v;
    return !ingle_sampler_options_check(target, &err) || refuse_as_library(r, place, &err);
}

/* -1 is off for many clients, 0 for the library. */
static bool set_top_k(field_reader *r, void *target, const ingle_json *v, const field_place *place)
{
    ingle_sampler_options *o = target;
    if (o->top_k == -1) o->top_k = 0;
    return check(r, target, v, place);
}

#define REAL(title, field, low, high, text)                                                        \
    {                                                                                              \
        .name = title, .types = FIELD_NUMBER, .min = low, .max = high, .store = FIELD_TO_FLOAT,    \
        .offset = offsetof(ingle_sampler_options, field), .set = check, .help = text               \
    }
#define WHOLE(title, field, low, high, text)                                                       \
    {                                                                                              \
        .name = title, .types = FIELD_INT, .min = low, .max = high, .store = FIELD_TO_INT,         \
        .offset = offsetof(ingle_sampler_options, field), .set = check, .help = text               \
    }

static const field_row sampling_rows[] = {
    REAL("temperature", temperature, 0, 1000, "0 always takes the most likely token"),
    {.name = "top_k",
     .types = FIELD_INT,
     .min = -1,
     .max = INT32_MAX,
     .store = FIELD_TO_INT,
     .offset = offsetof(ingle_sampler_options, top_k),
     .set = set_top_k,
     .help = "keep so many of the most likely tokens; 0 and -1 are off"},
    REAL("top_p", top_p, 0, 1,
         "keep the most likely tokens up to this probability together; 1 is off"),
    REAL("min_p", min_p, 0, 1,
         "keep tokens at least so many times as likely as the best; 0 is off"),
    REAL("typical_p", typical_p, 0, 1,
         "keep locally typical tokens up to this probability; 1 is off"),
    REAL("top_n_sigma", top_n_sigma, -1, 1000,
         "keep tokens within so many standard deviations of the best logit; -1 is off"),
    REAL("xtc_probability", xtc_probability, 0, 1,
         "chance of dropping all but the least likely of the likely tokens; 0 is off"),
    REAL("xtc_threshold", xtc_threshold, 0, 1,
         "probability from which a token is likely for XTC; above 0.5 is off"),
    REAL("dry_multiplier", dry_multiplier, 0, 1000,
         "strength of the DRY penalty on repeated sequences; 0 is off"),
    REAL("dry_base", dry_base, 1, 1000, "growth of the DRY penalty with the length repeated"),
    WHOLE("dry_allowed_length", dry_allowed_length, 0, INT32_MAX,
          "repeats up to this length cost nothing"),
    WHOLE("dry_penalty_last_n", dry_last_n, -1, 1 << 20,
          "recent tokens that DRY looks at; 0 is off, -1 the whole context"),
    REAL("dynatemp_range", dynatemp_range, 0, 1000,
         "the temperature moves by up to this with the entropy; 0 is off"),
    REAL("dynatemp_exponent", dynatemp_exponent, 0, 100, "exponent of the dynamic temperature"),
    WHOLE("mirostat", mirostat, 0, 2, "Mirostat 1 or 2 in place of the filters; 0 is off"),
    REAL("mirostat_tau", mirostat_tau, 0, 100, "Mirostat's target entropy"),
    REAL("mirostat_eta", mirostat_eta, 0, 1, "Mirostat's learning rate"),
    REAL("adaptive_target", adaptive_target, -1, 1,
         "favour tokens near this probability; -1 is off; not with mirostat"),
    REAL("adaptive_decay", adaptive_decay, 0, 0.99,
         "how much of the mean of drawn probabilities every draw leaves"),
    REAL("repeat_penalty", repeat_penalty, 0.01, 100,
         "divide the logits of recent tokens by this; 1 is off"),
    REAL("repetition_penalty", repeat_penalty, 0.01, 100, "another name of repeat_penalty"),
    WHOLE("repeat_last_n", penalty_last_n, -1, 1 << 20,
          "recent tokens that the penalties look at; 0 is off, -1 the whole context"),
    REAL("presence_penalty", presence_penalty, -100, 100,
         "subtract this from the logits of recent tokens"),
    REAL("frequency_penalty", frequency_penalty, -100, 100,
         "subtract this from the logits of recent tokens for every occurrence"),
    WHOLE("min_keep", min_keep, 0, INT32_MAX, "candidates that every filter leaves at least"),
};

const field_table sampling_fields = {.title = "Sampling",
                                     .rows = sampling_rows,
                                     .n_rows = sizeof sampling_rows / sizeof *sampling_rows};

/* ---- seed, stages, breakers ------------------------------------------------------------------ */

GENERATION_SETTER(generation_set_seed)
{
    generation *g = target;
    (void)r, (void)v, (void)place;
    g->has_seed = true;
    return true;
}

/* Stages as one text, as the library has them. */
static bool join_stages(field_reader *r, bytes *out, const ingle_json *v, const field_place *place)
{
    size_t i = 0;
    for (ingle_json_walk w = ingle_json_items(v); ingle_json_step(&w); i++) {
        const field_place element = {.up = place, .i = i};
        if (!ingle_json_is(w.value, INGLE_JSON_STRING) || memchr(w.value->text, 0, w.value->len) ||
            memchr(w.value->text, ';', w.value->len) || !w.value->len || w.value->len > 32)
            return field_refuse(r, &element, "should be the name of a stage");
        if (i) bytes_text(out, ";");
        bytes_put(out, w.value->text, w.value->len);
    }
    return true;
}

GENERATION_SETTER(generation_set_samplers)
{
    generation *g = target;
    ingle_sampler_options o;
    ingle_error err;
    size_t n;
    if (v->kind == INGLE_JSON_STRING) {
        if (!generation_copy_text(r, &g->sampler_order, v, place)) return false;
    } else {
        bytes text = {0};
        if (!join_stages(r, &text, v, place)) {
            bytes_free(&text);
            return false;
        }
        free(g->sampler_order);
        g->sampler_order = bytes_give(&text, &n);
        if (!g->sampler_order) return generation_no_memory(r);
    }
    ingle_sampler_options_init(&o);
    o.order = g->sampler_order;
    return !ingle_sampler_options_check(&o, &err) || refuse_as_library(r, place, &err);
}

GENERATION_SETTER(generation_set_breakers)
{
    generation *g = target;
    size_t i = 0;
    free(g->breakers);
    g->n_breakers = 0;
    g->breakers = ingle_new(1, MAX_BREAKERS * (sizeof *g->breakers + MAX_BREAKER + 1));
    if (!g->breakers) return generation_no_memory(r);
    char *text = (char *)(g->breakers + MAX_BREAKERS);
    for (ingle_json_walk w = ingle_json_items(v); ingle_json_step(&w); i++) {
        const field_place element = {.up = place, .i = i};
        if (!ingle_json_is(w.value, INGLE_JSON_STRING) || !w.value->len ||
            w.value->len > MAX_BREAKER || memchr(w.value->text, 0, w.value->len))
            return field_refuse(r, &element, "should be a string of 1 to %d bytes without a NUL",
                                (int)MAX_BREAKER);
        memcpy(text, w.value->text, w.value->len);
        text[w.value->len] = 0;
        g->breakers[g->n_breakers++] = text;
        text += MAX_BREAKER + 1;
    }
    return true;
}

/* ---- biases ---------------------------------------------------------------------------------- */

/* A number, or false for never. */
static bool read_bias(field_reader *r, const ingle_json *v, float *out, const field_place *place)
{
    double x;
    bool on;
    if (ingle_json_bool(v, &on) && !on) {
        *out = -INFINITY;
        return true;
    }
    if (!ingle_json_f64(v, &x) || !(fabs(x) <= 1e6))
        return field_refuse(r, place, "should be a number from -1e6 to 1e6, or false for never");
    *out = (float)x;
    return true;
}

/* Digits alone, as names of a map are. */
static bool read_token(const char *p, size_t n, int32_t *out)
{
    int64_t x = 0;
    if (!n || n > 9) return false;
    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9') return false;
        x = x * 10 + (p[i] - '0');
    }
    *out = (int32_t)x;
    return true;
}

/* One entry: a token or text, and what is added. */
typedef struct bias_entry {
    int32_t token;          /* if text is NULL */
    const ingle_json *text; /* or this text's tokens */
    float bias;
} bias_entry;

static bool read_pair(field_reader *r, const ingle_json *pair, bias_entry *out,
                      const field_place *place)
{
    int64_t token;
    const ingle_json *first = ingle_json_at(pair, 0);
    const field_place second = {.up = place, .i = 1};
    if (!ingle_json_is(pair, INGLE_JSON_ARRAY) || pair->len != 2)
        return field_refuse(r, place, "should be [TOKEN, BIAS] or [TEXT, BIAS]");
    *out = (bias_entry){0};
    if (ingle_json_is(first, INGLE_JSON_STRING)) {
        if (!first->len || first->len > MAX_BIAS_TEXT)
            return field_refuse(r, place, "has a text of %u bytes, should have 1 to %d", first->len,
                                (int)MAX_BIAS_TEXT);
        out->text = first;
    } else if (ingle_json_i64(first, &token) && token >= 0 && token <= INT32_MAX) {
        out->token = (int32_t)token;
    } else {
        return field_refuse(r, place, "should begin with a token's number or a text");
    }
    return read_bias(r, ingle_json_at(pair, 1), &out->bias, &second);
}

static bool read_member(field_reader *r, const ingle_json_walk *w, bias_entry *out,
                        const field_place *place)
{
    *out = (bias_entry){0};
    if (!read_token(w->name->text, w->name->len, &out->token))
        return field_refuse(r, place, "is no token's number");
    return read_bias(r, w->value, &out->bias, place);
}

/* Calls use() for every entry of a map or a list. NULL: they are only checked. */
static bool walk_biases(field_reader *r, const ingle_json *v, const field_place *place,
                        bool (*use)(void *user, const bias_entry *entry, const field_place *place),
                        void *user)
{
    size_t i = 0;
    for (ingle_json_walk w = ingle_json_items(v); ingle_json_step(&w); i++) {
        field_place at = {.up = place, .i = i};
        bias_entry entry;
        if (w.name) at.name = w.name->text, at.len = w.name->len;
        if (w.name ? !read_member(r, &w, &entry, &at) : !read_pair(r, w.value, &entry, &at))
            return false;
        if (use && !use(user, &entry, &at)) return false;
    }
    return true;
}

GENERATION_SETTER(generation_set_bias)
{
    (void)target;
    return walk_biases(r, v, place, NULL, NULL);
}

/* Entries become the library's. */
typedef struct bias_list {
    field_reader *r;
    const ingle_model *model;
    int32_t n_vocab;
    ingle_logit_bias *list;
    size_t n, cap;
} bias_list;

static bool add_bias(bias_list *l, int32_t token, float bias)
{
    if (!ingle_grow(&l->list, &l->cap, l->n + 1, sizeof *l->list))
        return generation_no_memory(l->r);
    l->list[l->n++] = (ingle_logit_bias){token, bias};
    return true;
}

static bool use_bias(void *user, const bias_entry *entry, const field_place *place)
{
    bias_list *l = user;
    int32_t tokens[MAX_BIAS_TEXT + 8];
    size_t n = 0;
    ingle_error err;
    if (!entry->text) {
        if (entry->token >= l->n_vocab)
            return field_refuse(l->r, place, "token %d is beyond the vocabulary of %d",
                                (int)entry->token, (int)l->n_vocab);
        return add_bias(l, entry->token, entry->bias);
    }
    ingle_status st = ingle_tokenize(l->model, entry->text->text, entry->text->len, 0, tokens,
                                     sizeof tokens / sizeof *tokens, &n, &err);
    if (st == INGLE_ENOMEM) return generation_no_memory(l->r);
    if (st) return field_refuse(l->r, place, "%s", err.text);
    for (size_t i = 0; i < n; i++)
        if (!add_bias(l, tokens[i], entry->bias)) return false;
    return true;
}

static bool make_biases(generation *g, const ingle_model *model, int32_t n_vocab, field_reader *r)
{
    const field_place place = {.name = "logit_bias", .len = strlen("logit_bias")};
    bias_list l = {.r = r, .model = model, .n_vocab = n_vocab};
    free(g->biases);
    g->biases = NULL;
    g->n_biases = 0;
    if (!g->logit_bias) return true;
    bool whole = walk_biases(r, g->logit_bias, &place, use_bias, &l);
    g->biases = l.list;
    g->n_biases = l.n;
    return whole;
}

/* ---- all together ---------------------------------------------------------------------------- */

static bool check_together(const generation *g, int32_t n_vocab, api_error *e)
{
    if (g->best_of && g->best_of != g->n)
        return api_fail(e, 400, "invalid_value", "best_of",
                        "is %d, but n is %d: only all answers can be had", (int)g->best_of,
                        (int)g->n);
    if (g->max_tokens >= 0 && g->min_tokens > g->max_tokens)
        return api_fail(e, 400, "invalid_value", "min_tokens",
                        "is %d, but the answer has at most %d tokens", (int)g->min_tokens,
                        (int)g->max_tokens);
    for (size_t i = 0; i < g->n_stop_tokens; i++) {
        char param[40];
        if (g->stop_tokens[i] < n_vocab) continue;
        snprintf(param, sizeof param, "stop_token_ids[%zu]", i);
        return api_fail(e, 400, "invalid_value", param, "token %d is beyond the vocabulary of %d",
                        (int)g->stop_tokens[i], (int)n_vocab);
    }
    return true;
}

/* Settings of the profile, then of the file. What is wrong there is no fault of the request. */
static bool take_presets(ingle_sampler_options *o, const ingle_chat *chat, const ingle_model *model,
                         bool thinks, api_error *e)
{
    ingle_error err = {""};
    ingle_status st = chat ? ingle_chat_sampling(chat, thinks, o, &err) : INGLE_OK;
    if (!st) st = ingle_sampler_options_from_model(o, model, &err);
    return !st || api_fail(e, 500, "server_error", NULL, "%s", err.text);
}

bool generation_sampling(generation *g, const ingle_json *body, const ingle_chat *chat,
                         const ingle_model *model, bool thinks, api_error *e)
{
    ingle_error err = {""};
    field_reader r = {.error = e};
    ingle_sampler_options o;
    ingle_model_info info = {.size = sizeof info};
    ingle_sampler_options_init(&o);
    if (!api_fail_library(e, ingle_model_info_get(model, &info, &err), &err, NULL)) return false;
    if (!take_presets(&o, chat, model, thinks, e)) return false;
    if (g->defaults && !fields_read_known(&r, &sampling_fields, g->defaults, &o, NULL))
        return false;
    if (body && !fields_read_known(&r, &sampling_fields, body, &o, NULL)) return false;
    if (ingle_json_get(body, "repeat_penalty") && ingle_json_get(body, "repetition_penalty"))
        return api_fail(e, 400, "invalid_value", "repetition_penalty",
                        "is another name of repeat_penalty, which was given, too");
    if (!check_together(g, info.n_vocab, e) || !make_biases(g, model, info.n_vocab, &r))
        return false;
    if (g->sampler_order) o.order = g->sampler_order;
    if (g->breakers) {
        o.dry_breakers = g->breakers;
        o.n_dry_breakers = g->n_breakers;
    }
    o.logit_bias = g->biases;
    o.n_logit_bias = g->n_biases;
    o.seed = g->has_seed ? g->sampling.seed : ingle_entropy();
    g->sampling = o;
    return api_fail_library(e, ingle_sampler_options_check(&o, &err), &err, NULL);
}
