/* generation.c - see generation.h: what a generation holds, and the library's options made of it. */
#include "generation_set.h"

#include "base/mem.h"

void generation_init(generation *g)
{
    *g = (generation){
        .max_tokens = -1, .n = 1, .thinking_tokens = -1, .priority = INGLE_CLASS_NORMAL};
    ingle_sampler_options_init(&g->sampling);
}

void generation_free(generation *g)
{
    for (size_t i = 0; g->tool_names && i < g->n_tools; i++) free(g->tool_names[i]);
    free(g->tool_names);
    free(g->custom_tool);
    free(g->strict_tool);
    free(g->sampler_order);
    free(g->breakers);
    free(g->stops);
    free(g->stop_text);
    free(g->stop_tokens);
    free(g->biases);
    free(g->form_text);
    free(g->choices);
    free(g->metadata);
    free(g->anthropic_previous);
    bytes_free(&g->messages);
    bytes_free(&g->tools);
    bytes_free(&g->kwargs);
    bytes_free(&g->allowed);
    generation_init(g);
}

void generation_options(const generation *g, ingle_generate_options *out)
{
    ingle_generate_options_init(out);
    out->max_tokens = g->max_tokens;
    out->min_tokens = g->min_tokens;
    out->n = g->n;
    out->logprobs = g->logprobs ? g->top_logprobs : -1;
    out->ignore_eog = g->ignore_eos;
    /* Stops of the client are for visible text: see answer.h. */
    out->stop_tokens = g->stop_tokens;
    out->n_stop_tokens = g->n_stop_tokens;
    out->priority = (ingle_class)g->priority;
    out->deadline_s = g->timeout_s;
    out->no_reuse = g->no_cache;
    out->sampling = &g->sampling;
    out->overflow = g->overflow;
    out->n_keep = g->n_keep < 0 ? SIZE_MAX : (size_t)g->n_keep;
}

/* ---- what several setters need --------------------------------------------------------------- */

bool generation_no_memory(field_reader *r)
{
    api_fail(r->error, 503, "out_of_memory", NULL, "no memory for the request");
    r->error->retry_after = 1;
    return false;
}

bool generation_copy_text(field_reader *r, char **out, const ingle_json *v,
                          const field_place *place)
{
    if (memchr(v->text, 0, v->len)) return field_refuse(r, place, "should not hold a NUL");
    char *copy = malloc((size_t)v->len + 1);
    if (!copy) return generation_no_memory(r);
    memcpy(copy, v->text, v->len);
    copy[v->len] = 0;
    free(*out);
    *out = copy;
    return true;
}

bool generation_put_json(field_reader *r, bytes *out, const ingle_json *v)
{
    ingle_json_writer w = {0};
    ingle_json_put(&w, v);
    bytes_take_json(out, &w);
    ingle_json_writer_free(&w);
    return !out->failed || generation_no_memory(r);
}

/* ---- setters that other tables share --------------------------------------------------------- */

bool generation_set_model(field_reader *r, void *target, const ingle_json *v,
                          const field_place *place)
{
    generation *g = target;
    if (memchr(v->text, 0, v->len)) return field_refuse(r, place, "should not hold a NUL");
    if (v->len >= sizeof g->model)
        return field_refuse(r, place, "has %u bytes, should have at most %zu", v->len,
                            sizeof g->model - 1);
    memcpy(g->model, v->text, v->len);
    g->model[v->len] = 0;
    return true;
}

bool generation_set_max_tokens(field_reader *r, void *target, const ingle_json *v,
                               const field_place *place)
{
    generation *g = target;
    int64_t n;
    if (!ingle_json_i64(v, &n) || n < -1 || n > INT32_MAX)
        return field_refuse(r, place, "should be a whole number from 0 to %d, or -1 for no limit",
                            (int)INT32_MAX);
    if (g->has_max_tokens && g->max_tokens != n)
        return field_refuse(r, place, "is %d, but another field limits the answer to %d tokens",
                            (int)n, (int)g->max_tokens);
    g->max_tokens = (int32_t)n;
    g->has_max_tokens = true;
    return true;
}

/* One of the strings at which an answer ends. */
static bool add_stop(field_reader *r, generation *g, const ingle_json *v, const field_place *place)
{
    if (!ingle_json_is(v, INGLE_JSON_STRING)) return field_refuse(r, place, "should be a string");
    if (!v->len || v->len > GENERATION_MAX_STOP)
        return field_refuse(r, place, "has %u bytes, should have 1 to %d", v->len,
                            (int)GENERATION_MAX_STOP);
    char *at = g->stop_text + g->n_stops * GENERATION_MAX_STOP;
    memcpy(at, v->text, v->len);
    g->stops[g->n_stops++] = (ingle_stop){at, v->len};
    return true;
}

bool generation_set_stop(field_reader *r, void *target, const ingle_json *v,
                         const field_place *place)
{
    generation *g = target;
    size_t i = 0, n = v->kind == INGLE_JSON_ARRAY ? v->len : 1;
    if (n > GENERATION_MAX_STOPS)
        return field_refuse(r, place, "has %zu elements, should have at most %d", n,
                            (int)GENERATION_MAX_STOPS);
    if (!g->stops) g->stops = ingle_new(GENERATION_MAX_STOPS, sizeof *g->stops);
    if (!g->stop_text) g->stop_text = ingle_new(GENERATION_MAX_STOPS, GENERATION_MAX_STOP);
    if (!g->stops || !g->stop_text) return generation_no_memory(r);
    g->n_stops = 0;
    if (v->kind != INGLE_JSON_ARRAY) return add_stop(r, g, v, place);
    for (ingle_json_walk w = ingle_json_items(v); ingle_json_step(&w); i++)
        if (!add_stop(r, g, w.value, &(field_place){.up = place, .i = i})) return false;
    return true;
}

/* Members of one object, then those of another that the first has not. */
static void put_over(ingle_json_writer *w, const ingle_json *above, const ingle_json *below)
{
    ingle_json_begin_object(w);
    for (ingle_json_walk m = ingle_json_items(below); ingle_json_step(&m);)
        if (!ingle_json_find(above, m.name->text, m.name->len))
            ingle_json_put(ingle_json_name_bytes(w, m.name->text, m.name->len), m.value);
    for (ingle_json_walk m = ingle_json_items(above); ingle_json_step(&m);)
        ingle_json_put(ingle_json_name_bytes(w, m.name->text, m.name->len), m.value);
    ingle_json_end_object(w);
}

bool generation_set_kwargs(field_reader *r, void *target, const ingle_json *v,
                           const field_place *place)
{
    /* The template's own: they come from other fields. */
    static const char *const ours[] = {"messages", "tools", "add_generation_prompt", "bos_token",
                                       "eos_token"};
    generation *g = target;
    ingle_json_doc before = {.root = NULL};
    ingle_json_writer w = {0};
    bool keep;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        const field_place member = {.up = place, .name = ours[i], .len = strlen(ours[i])};
        if (ingle_json_get(v, ours[i]))
            return field_refuse(r, &member, "is given to the template by other fields");
    }
    if (ingle_json_bool(ingle_json_get(v, "preserve_thinking"), &keep)) g->keep_thinking = keep;
    if (g->kwargs.n && ingle_json_open(&before, g->kwargs.p, g->kwargs.n, NULL, NULL))
        return generation_no_memory(r);
    put_over(&w, v, before.root);
    bytes_free(&g->kwargs);
    bytes_take_json(&g->kwargs, &w);
    ingle_json_writer_free(&w);
    ingle_json_close(&before);
    return !g->kwargs.failed || generation_no_memory(r);
}
