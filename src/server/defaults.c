/* defaults.c - see defaults.h. */
#include "defaults.h"
#include "chat.h"

#include "base/mem.h"

#include <stdio.h>

enum { MOST_PATH = 64 };

typedef enum subject {
    PLAIN,    /* stored by its row if the body does not have it */
    SAMPLING, /* read by generation_sampling() */
    FORM,     /* narrows the answer */
    EFFORT,
    THINKING,
    BUDGET,
    KWARGS
} subject;

typedef struct member {
    const ingle_json *name, *value;
    const field_row *row;
    size_t offset;      /* of the row's target */
    const char *rivals; /* paths of bodies that say the same; "": none */
    subject subject;
} member;

struct defaults {
    ingle_json_doc doc;
    ingle_json_doc rest; /* chat_template_kwargs without what switches thinking */
    member *members;     /* [n] */
    size_t n;
};

static const char *const OF_CHAT[] = {"max_tokens", "reasoning_effort", "enable_thinking",
                                      "parallel_tool_calls"};
static const char *const NEVER[] = {"model", "best_of"};

#define ASKS_THINKING "reasoning_effort enable_thinking reasoning.effort reasoning.enabled thinking"

/* What is not PLAIN, or has rivals. */
static const struct {
    const char *name;
    subject subject;
    const char *rivals;
} KNOWN[] = {
    {"max_tokens", PLAIN, "max_completion_tokens"},
    {"stop", PLAIN, "stop_sequences"},
    {"parallel_tool_calls", PLAIN, "tool_choice.disable_parallel_tool_use"},
    {"reasoning_effort", EFFORT, ASKS_THINKING " output_config.effort"},
    {"enable_thinking", THINKING, ASKS_THINKING},
    {"reasoning_budget", BUDGET, "reasoning.max_tokens thinking.budget_tokens"},
    {"chat_template_kwargs", KWARGS, ""},
    {"grammar", FORM, "response_format"},
    {"json_schema", FORM, "response_format"},
    {"guided_json", FORM, "response_format"},
    {"guided_regex", FORM, "response_format"},
    {"guided_choice", FORM, "response_format"},
    {"guided_grammar", FORM, "response_format"},
    {"structured_outputs", FORM, "response_format"},
};

/* Variables by which templates switch thinking. */
static const char *const SWITCHES[] = {"enable_thinking", "thinking",  "thinking_mode",
                                       "thinking_budget", "reasoning", "reasoning_effort"};

#define N_OF(list) (sizeof(list) / sizeof *(list))

static bool is_among(const char *const *list, size_t n, const ingle_json *name)
{
    for (size_t i = 0; i < n; i++)
        if (ingle_json_is_text(name, list[i])) return true;
    return false;
}

/* ---- what a body says itself ----------------------------------------------------------------- */

/* Whether the body has a value at the path "a.b" [len], and its endpoint reads it. */
static bool has_path(const ingle_json *body, const field_table *fields, const char *path,
                     size_t len)
{
    const char *dot = memchr(path, '.', len);
    size_t first = dot ? (size_t)(dot - path) : len, offset;
    const ingle_json *v = ingle_json_find(body, path, first);
    if (dot) v = ingle_json_find(v, dot + 1, len - first - 1);
    return v && v->kind != INGLE_JSON_NULL && field_find(fields, path, first, &offset);
}

static bool has_any(const ingle_json *body, const field_table *fields, const char *paths)
{
    for (size_t len; *paths; paths += len + (paths[len] == ' ')) {
        len = strcspn(paths, " ");
        if (has_path(body, fields, paths, len)) return true;
    }
    return false;
}

static bool body_has(const ingle_json *body, const field_table *fields, const member *m)
{
    return has_path(body, fields, m->name->text, m->name->len) || has_any(body, fields, m->rivals);
}

/* ---- filling --------------------------------------------------------------------------------- */

static bool read_value(const member *m, generation *g, const ingle_json *v, field_reader *r)
{
    const field_place place = {.name = m->name->text, .len = m->name->len};
    return field_read(r, m->row, (char *)g + m->offset, v, &place);
}

static bool knows_effort(const ingle_chat_info *info, const ingle_json *effort)
{
    return is_among(info->efforts, info->n_efforts, effort);
}

/* Thinking that the model cannot be told to leave is closed where it begins. */
static void forbid_thinking(generation *g, const ingle_chat_info *info)
{
    if (info->thinking_switch) g->thinking = INGLE_THINKING_OFF;
    else g->thinking_tokens = 0;
}

static bool fill_thinking(const member *m, generation *g, const ingle_chat_info *info, bool asked,
                          field_reader *r)
{
    bool on;
    int64_t n;
    if (!info || !info->thinks) return true;
    if (m->subject == EFFORT && !knows_effort(info, m->value)) {
        if (ingle_json_is_text(m->value, "none")) forbid_thinking(g, info);
        else if (info->thinking_switch) g->thinking = INGLE_THINKING_ON;
        return true;
    }
    if (m->subject == THINKING && ingle_json_bool(m->value, &on)) {
        if (!on) forbid_thinking(g, info);
        else if (info->thinking_switch) g->thinking = INGLE_THINKING_ON;
        return true;
    }
    if (m->subject == BUDGET && ingle_json_i64(m->value, &n) && n == 0) {
        if (asked) return true; /* no budget at all is a way to forbid it */
        g->thinking_tokens = 0;
        if (g->thinking == INGLE_THINKING_AUTO && !g->wants_effort) forbid_thinking(g, info);
        return true;
    }
    return read_value(m, g, m->value, r);
}

/* The body's variables over the default ones; where it asks for thinking itself, without those that
 * switch it. */
static bool fill_kwargs(const defaults *d, const member *m, generation *g, const ingle_json *body,
                        bool asked, field_reader *r)
{
    const ingle_json *own = ingle_json_get(body, "chat_template_kwargs");
    bool has = g->kwargs.n;
    bytes_free(&g->kwargs);
    return read_value(m, g, asked ? d->rest.root : m->value, r) &&
           (!has || read_value(m, g, own, r));
}

static bool fill_member(const defaults *d, const member *m, generation *g, const ingle_json *body,
                        const field_table *fields, const ingle_chat_info *info, bool asked,
                        field_reader *r)
{
    if (m->subject == SAMPLING || m->subject == FORM) return true;
    if (m->subject == KWARGS) return fill_kwargs(d, m, g, body, asked, r);
    if (body_has(body, fields, m)) return true;
    if (m->subject != PLAIN) return fill_thinking(m, g, info, asked, r);
    return read_value(m, g, m->value, r);
}

/* A seed of -1 is a fresh one for every request, as is none. */
static bool is_fresh_seed(const member *m)
{
    int64_t n;
    return ingle_json_is_text(m->name, "seed") && ingle_json_i64(m->value, &n) && n == -1;
}

bool defaults_fill(const defaults *d, generation *g, const ingle_json *body,
                   const field_table *fields, const ingle_chat_info *info, field_reader *r)
{
    if (!d) return true;
    bool asked = has_any(body, fields, ASKS_THINKING);
    g->defaults = d->doc.root;
    for (size_t i = 0; i < d->n; i++)
        if (!is_fresh_seed(&d->members[i]) &&
            !fill_member(d, &d->members[i], g, body, fields, info, asked, r))
            return false;
    /* A body's limit holds, also against a least length that it did not ask for. */
    if (!ingle_json_get(body, "min_tokens") && g->max_tokens >= 0 && g->min_tokens > g->max_tokens)
        g->min_tokens = g->max_tokens;
    return true;
}

bool defaults_fill_form(const defaults *d, generation *g, const ingle_json *body,
                        const field_table *fields, field_reader *r)
{
    if (!d || g->form || g->tools.n) return true;
    for (size_t i = 0; i < d->n; i++) {
        const member *m = &d->members[i];
        if (m->subject != FORM || has_any(body, fields, m->rivals)) continue;
        if (!read_value(m, g, m->value, r)) return false;
    }
    return true;
}

/* ---- opening --------------------------------------------------------------------------------- */

static ingle_status refuse(ingle_error *err, const ingle_json *name, const char *why)
{
    return ingle_fail(err, INGLE_EINVAL, "default '%.*s': %s",
                      name->len < MOST_PATH ? (int)name->len : MOST_PATH, name->text, why);
}

static ingle_status refuse_as(ingle_error *err, const api_error *e)
{
    if (e->status >= 500) return ingle_fail(err, INGLE_ENOMEM, "%s", e->message);
    return ingle_fail(err, INGLE_EINVAL, "default '%s': %s", e->param, e->message);
}

static void classify(member *m)
{
    size_t offset;
    m->rivals = "";
    m->subject =
        field_find(&sampling_fields, m->name->text, m->name->len, &offset) ? SAMPLING : PLAIN;
    for (size_t i = 0; i < N_OF(KNOWN); i++) {
        if (!ingle_json_is_text(m->name, KNOWN[i].name)) continue;
        m->rivals = KNOWN[i].rivals;
        m->subject = KNOWN[i].subject;
    }
}

static ingle_status take_member(defaults *d, const ingle_json_walk *w, generation *g,
                                field_reader *r, ingle_error *err)
{
    member *m = &d->members[d->n];
    *m = (member){.name = w->name, .value = w->value};
    if (w->value->kind == INGLE_JSON_NULL) return INGLE_OK;
    m->row = field_find(&generation_fields, w->name->text, w->name->len, &m->offset);
    if (!m->row && is_among(OF_CHAT, N_OF(OF_CHAT), w->name))
        m->row = field_find(&chat_fields, w->name->text, w->name->len, &m->offset);
    if (!m->row)
        return refuse(err, w->name,
                      "no request has a member of this name, or it is one "
                      "that has to come with the request");
    if (is_among(NEVER, N_OF(NEVER), w->name))
        return refuse(err, w->name, "has to come with the request");
    if (m->row->class == FIELD_INERT) return refuse(err, w->name, "has no effect");
    classify(m);
    d->n++;
    return read_value(m, g, w->value, r) ? INGLE_OK : refuse_as(err, r->error);
}

/* chat_template_kwargs without what switches thinking. */
static ingle_status make_rest(defaults *d, ingle_error *err)
{
    ingle_json_writer w = {0};
    const ingle_json *kwargs = ingle_json_get(d->doc.root, "chat_template_kwargs");
    ingle_json_begin_object(&w);
    for (ingle_json_walk k = ingle_json_items(kwargs); ingle_json_step(&k);)
        if (!is_among(SWITCHES, N_OF(SWITCHES), k.name))
            ingle_json_put(ingle_json_name_bytes(&w, k.name->text, k.name->len), k.value);
    ingle_json_end_object(&w);
    ingle_status st = ingle_json_finish(&w);
    if (!st) st = ingle_json_open(&d->rest, w.text, w.n, NULL, err);
    ingle_json_writer_free(&w);
    return st;
}

/* What no member can say alone, and the grammar, which is compiled. */
static ingle_status check_together(const defaults *d, const generation *g, field_reader *r,
                                   ingle_error *err)
{
    ingle_grammar *grammar = NULL;
    if (ingle_json_get(d->doc.root, "repeat_penalty") &&
        ingle_json_get(d->doc.root, "repetition_penalty"))
        return ingle_fail(err, INGLE_EINVAL,
                          "defaults: repetition_penalty is another name of repeat_penalty");
    if (g->max_tokens >= 0 && g->min_tokens > g->max_tokens)
        return ingle_fail(err, INGLE_EINVAL, "defaults: min_tokens is %d, but max_tokens %d",
                          (int)g->min_tokens, (int)g->max_tokens);
    bool ok = generation_grammar(g, &grammar, NULL, NULL, NULL, false, r);
    ingle_grammar_close(&grammar);
    return ok ? INGLE_OK : refuse_as(err, r->error);
}

static ingle_status read_all(defaults *d, ingle_error *err)
{
    api_error error = {.status = 0};
    field_reader r = {.error = &error, .strict = true};
    generation g;
    ingle_status st = INGLE_OK;
    d->members = ingle_new(d->doc.root->len + 1, sizeof *d->members);
    if (!d->members) return ingle_fail(err, INGLE_ENOMEM, "no memory for the defaults");
    generation_init(&g);
    for (ingle_json_walk w = ingle_json_items(d->doc.root); !st && ingle_json_step(&w);)
        st = take_member(d, &w, &g, &r, err);
    if (!st && r.ignored.n)
        st = ingle_fail(err, INGLE_EINVAL, "defaults: without effect: %.*s", (int)r.ignored.n,
                        r.ignored.p);
    if (!st) st = check_together(d, &g, &r, err);
    if (!st) st = make_rest(d, err);
    generation_free(&g);
    fields_end(&r);
    return st;
}

ingle_status defaults_open(defaults **out, const char *json, ingle_error *err)
{
    const ingle_json_limits limits = {.unique_names = true};
    *out = NULL;
    if (!json) return INGLE_OK;
    defaults *d = ingle_new(1, sizeof *d);
    if (!d) return ingle_fail(err, INGLE_ENOMEM, "no memory for the defaults");
    ingle_error why = {{0}};
    ingle_status st = ingle_json_open(&d->doc, json, strlen(json), &limits, &why);
    if (st) st = ingle_fail(err, INGLE_EINVAL, "defaults: %s", why.text);
    else if (d->doc.root->kind != INGLE_JSON_OBJECT)
        st = ingle_fail(err, INGLE_EINVAL, "defaults: should be an object");
    if (!st) st = read_all(d, err);
    if (!st) *out = d;
    else defaults_close(&d);
    return st;
}

void defaults_close(defaults **d)
{
    if (!*d) return;
    ingle_json_close(&(*d)->doc);
    ingle_json_close(&(*d)->rest);
    free((*d)->members);
    free(*d);
    *d = NULL;
}
