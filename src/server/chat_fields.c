/* chat_fields.c - the members of /v1/chat/completions. */
#include "chat.h"

#include "job.h"

#include <stdio.h>

enum { MAX_MESSAGES = 1000000, MAX_TOOLS = 1000, MAX_PAIRS = 16, MAX_KEY = 64, MAX_VALUE = 512 };

#define AT(field) offsetof(generation, field)

/* ---- thinking -------------------------------------------------------------------------------- */

static bool set_effort(field_reader *r, void *target, const ingle_json *v, const field_place *place)
{
    generation *g = target;
    if (g->wants_effort && strcmp(g->effort, v->text) != 0)
        return field_refuse(r, place, "is '%s', but another field asks for '%s'", v->text,
                            g->effort);
    snprintf(g->effort, sizeof g->effort, "%s", v->text); /* it is one of the choices */
    g->wants_effort = true;
    return true;
}

static bool set_thinking(field_reader *r, void *target, const ingle_json *v,
                         const field_place *place)
{
    bool on = false;
    (void)r, (void)place;
    ingle_json_bool(v, &on);
    ((generation *)target)->thinking = on ? INGLE_THINKING_ON : INGLE_THINKING_OFF;
    return true;
}

static const char *const efforts[] = {"none", "minimal", "low", "medium",
                                      "high", "xhigh",   "max", NULL};

static const field_row reasoning_rows[] = {
    {.name = "effort",
     .types = FIELD_STRING,
     .choices = efforts,
     .set = set_effort,
     .help = "as reasoning_effort"},
    {.name = "enabled",
     .types = FIELD_BOOL,
     .set = set_thinking,
     .help = "whether the answer begins with thinking"},
    {.name = "max_tokens",
     .types = FIELD_INT,
     .max = INT32_MAX,
     .store = FIELD_TO_INT,
     .offset = AT(thinking_tokens),
     .help = "tokens of thinking after which it is closed"},
    {.name = "summary", .class = FIELD_INERT, .help = "thinking is given as it is"},
    {.name = "generate_summary", .class = FIELD_INERT, .help = "thinking is given as it is"},
};
static const field_table reasoning_fields = {.title = "reasoning",
                                             .rows = reasoning_rows,
                                             .n_rows =
                                                 sizeof reasoning_rows / sizeof *reasoning_rows};

/* ---- form of the answer ---------------------------------------------------------------------- */

static const char *const formats[] = {"text", "json_object", "json_schema", NULL};

static bool set_format(field_reader *r, void *target, const ingle_json *v, const field_place *place)
{
    generation *g = target;
    const ingle_json *type = ingle_json_get(v, "type");
    const ingle_json *inner = ingle_json_get(v, "json_schema");
    const field_place at_type = {.up = place, .name = "type", .len = 4};
    const field_place at_inner = {.up = place, .name = "json_schema", .len = 11};
    const field_place at_schema = {.up = &at_inner, .name = "schema", .len = 6};
    const field_place at_plain = {.up = place, .name = "schema", .len = 6};
    const ingle_json *schema = ingle_json_get(inner, "schema"),
                     *plain = ingle_json_get(v, "schema");
    bool strict = false;
    if (!ingle_json_is(type, INGLE_JSON_STRING)) return field_refuse(r, &at_type, "is missing");
    if (ingle_json_is_text(type, "text")) return true;
    if (ingle_json_is_text(type, "json_object")) {
        if (!ingle_json_is(plain, INGLE_JSON_OBJECT))
            return generation_set_form(r, g, INGLE_ANSWER_JSON, NULL, place);
        g->lenient_schema = true;
        return generation_set_form(r, g, INGLE_ANSWER_SCHEMA, plain, &at_plain);
    }
    if (!ingle_json_is(schema, INGLE_JSON_OBJECT))
        return field_refuse(r, &at_schema, "is missing: a JSON Schema");
    ingle_json_bool(ingle_json_get(inner, "strict"), &strict);
    g->lenient_schema = !strict;
    return generation_set_form(r, g, INGLE_ANSWER_SCHEMA, schema, &at_schema);
}

static const field_row schema_rows[] = {
    {.name = "name", .types = FIELD_STRING, .help = "a name for people"},
    {.name = "description", .types = FIELD_STRING, .help = "a text for people"},
    {.name = "schema",
     .types = FIELD_OBJECT,
     .help = "the JSON Schema; the answer is valid for it, unless it is cut off by length"},
    {.name = "strict",
     .types = FIELD_BOOL,
     .help = "true: a keyword that cannot be enforced is refused; else it is left out and named"},
};
static const field_table schema_fields = {.title = "json_schema",
                                          .rows = schema_rows,
                                          .n_rows = sizeof schema_rows / sizeof *schema_rows};

static const field_row format_rows[] = {
    {.name = "type", .types = FIELD_STRING, .choices = formats, .help = "the form of the answer"},
    {.name = "json_schema",
     .types = FIELD_OBJECT,
     .members = &schema_fields,
     .help = "of type json_schema"},
    {.name = "schema",
     .types = FIELD_OBJECT,
     .help = "of type json_object: a JSON Schema; what cannot be enforced is left out and named"},
};
static const field_table format_fields = {.title = "response_format",
                                          .rows = format_rows,
                                          .n_rows = sizeof format_rows / sizeof *format_rows};

/* ---- others ---------------------------------------------------------------------------------- */

static bool set_one_call(field_reader *r, void *target, const ingle_json *v,
                         const field_place *place)
{
    bool parallel = true;
    (void)r, (void)place;
    ingle_json_bool(v, &parallel);
    ((generation *)target)->one_call = !parallel;
    return true;
}

static bool set_no_continue(field_reader *r, void *target, const ingle_json *v,
                            const field_place *place)
{
    bool on = true;
    (void)r, (void)place;
    ingle_json_bool(v, &on);
    ((generation *)target)->no_continue = !on;
    return true;
}

static bool set_metadata(field_reader *r, void *target, const ingle_json *v,
                         const field_place *place)
{
    generation *g = target;
    bytes text = {0};
    size_t n;
    for (ingle_json_walk w = ingle_json_items(v); ingle_json_step(&w);) {
        const field_place member = {.up = place, .name = w.name->text, .len = w.name->len};
        if (w.name->len > MAX_KEY)
            return field_refuse(r, &member, "has a name of %u bytes, should have at most %d",
                                w.name->len, (int)MAX_KEY);
        if (!ingle_json_is(w.value, INGLE_JSON_STRING) || w.value->len > MAX_VALUE)
            return field_refuse(r, &member, "should be a string of at most %d bytes",
                                (int)MAX_VALUE);
    }
    if (!generation_put_json(r, &text, v)) {
        bytes_free(&text);
        return false;
    }
    free(g->metadata);
    g->metadata = bytes_give(&text, &n);
    return g->metadata || api_fail(r->error, 503, "out_of_memory", NULL, "no memory for metadata");
}

static const field_row stream_rows[] = {
    {.name = "include_usage",
     .types = FIELD_BOOL,
     .store = FIELD_TO_BOOL,
     .offset = AT(include_usage),
     .help = "true: the stream ends with the usage"},
    {.name = "include_obfuscation", .class = FIELD_INERT, .help = "nothing is obfuscated"},
    {.name = "continuous_usage_stats",
     .class = FIELD_ONLY,
     .only = "false",
     .help = "use include_usage or timings_per_token"},
};
static const field_table stream_fields = {.title = "stream_options",
                                          .rows = stream_rows,
                                          .n_rows = sizeof stream_rows / sizeof *stream_rows};

/* ---- the body -------------------------------------------------------------------------------- */

#define REFUSED(title, text)                                                                       \
    {                                                                                              \
        .name = title, .class = FIELD_REFUSED, .help = text                                        \
    }
#define INERT(title, text)                                                                         \
    {                                                                                              \
        .name = title, .class = FIELD_INERT, .help = text                                          \
    }
#define ONLY(title, value, text)                                                                   \
    {                                                                                              \
        .name = title, .class = FIELD_ONLY, .only = value, .help = text                            \
    }
#define FLAG(title, field, text)                                                                   \
    {                                                                                              \
        .name = title, .types = FIELD_BOOL, .store = FIELD_TO_BOOL, .offset = AT(field),           \
        .help = text                                                                               \
    }

static const char *const verbosities[] = {"low", "medium", "high", NULL};
static const char providers[] = "a provider's business";

static const field_row rows[] = {
    {.name = "messages",
     .types = FIELD_ARRAY,
     .min = 1,
     .max = MAX_MESSAGES,
     .members = &chat_message_fields,
     .help = "the conversation; an assistant's message at its end is continued"},
    {.name = "max_completion_tokens",
     .types = FIELD_INT,
     .min = -1,
     .max = INT32_MAX,
     .set = generation_set_max_tokens,
     .help = "tokens of the answer at most, thinking included; -1: as many as fit"},
    {.name = "max_tokens",
     .types = FIELD_INT,
     .min = -1,
     .max = INT32_MAX,
     .set = generation_set_max_tokens,
     .help = "the same by its older name"},
    {.name = "n",
     .types = FIELD_INT,
     .min = 1,
     .max = GENERATION_MAX_N,
     .store = FIELD_TO_INT,
     .offset = AT(n),
     .help = "how many answers; the prompt is computed once, and answer i has seed + i"},
    FLAG("logprobs", logprobs, "true: log-probabilities of the tokens of the text"),
    {.name = "top_logprobs",
     .types = FIELD_INT,
     .max = 20,
     .store = FIELD_TO_INT,
     .offset = AT(top_logprobs),
     .help = "and of so many of the most likely ones; with logprobs true"},
    {.name = "response_format",
     .types = FIELD_OBJECT,
     .members = &format_fields,
     .set = set_format,
     .help = "what the text of the answer has to be; with tools, of an answer that calls none"},
    {.name = "tools",
     .types = FIELD_ARRAY,
     .max = MAX_TOOLS,
     .members = &chat_tool_fields,
     .help = "tools that the model may call"},
    {.name = "tool_choice",
     .types = FIELD_STRING | FIELD_OBJECT,
     .members = &chat_choice_fields,
     .help = "'auto', 'none', 'required', or an object: one tool, or some that are allowed"},
    {.name = "parallel_tool_calls",
     .types = FIELD_BOOL,
     .set = set_one_call,
     .help = "false: one call at most"},
    FLAG("stream", stream, "true: the answer comes in pieces, as events"),
    {.name = "stream_options",
     .types = FIELD_OBJECT,
     .members = &stream_fields,
     .help = "of streams"},
    {.name = "reasoning_effort",
     .types = FIELD_STRING,
     .choices = efforts,
     .set = set_effort,
     .help = "'none' forbids thinking; others are given to templates that know them, else they ask "
             "for thinking"},
    {.name = "reasoning",
     .types = FIELD_OBJECT,
     .members = &reasoning_fields,
     .help = "how the answer thinks"},
    {.name = "enable_thinking",
     .types = FIELD_BOOL,
     .set = set_thinking,
     .help = "as reasoning.enabled"},
    {.name = "verbosity",
     .types = FIELD_STRING,
     .choices = verbosities,
     .help = "given to templates that know it; else without effect, and named"},
    {.name = "metadata",
     .types = FIELD_OBJECT,
     .max = MAX_PAIRS,
     .set = set_metadata,
     .help = "up to 16 strings, which the answer gives back"},
    {.name = "continue_final_message",
     .types = FIELD_BOOL,
     .set = set_no_continue,
     .help = "false: an assistant's message at the end is not continued; true needs one"},
    {.name = "add_generation_prompt",
     .types = FIELD_BOOL,
     .help = "false only where the last message is continued"},

    REFUSED("functions", "use tools"),
    REFUSED("function_call", "use tool_choice"),
    REFUSED("prediction", "it never changes the text; leave it out"),
    REFUSED("audio", "answers are text"),
    REFUSED("web_search_options", "nothing is searched; give the model a tool"),
    REFUSED("moderation", "nothing is moderated; leave it out"),
    REFUSED("n_predict", "use max_completion_tokens"),
    REFUSED("n_probs", "use logprobs and top_logprobs"),
    REFUSED("documents", "put them into messages, or into chat_template_kwargs"),
    REFUSED("prompt", "use messages, or /v1/completions"),
    ONLY("modalities", "[\"text\"]", "answers are text"),
    ONLY("echo", "false", "use /v1/completions"),
    ONLY("add_special_tokens", "false", "the template has them"),

    INERT("user", providers),
    INERT("safety_identifier", providers),
    INERT("store", providers),
    INERT("service_tier", providers),
    INERT("prompt_cache_key", providers),
    INERT("prompt_cache_retention", providers),
    INERT("prompt_cache_options", providers),
    INERT("include_obfuscation", providers),
};

const field_table chat_fields = {.title = "Chat completions",
                                 .rows = rows,
                                 .n_rows = sizeof rows / sizeof *rows,
                                 .more = &generation_fields};

/* ---- reading --------------------------------------------------------------------------------- */

static bool check_logprobs(const generation *g, field_reader *r)
{
    return g->logprobs || !g->top_logprobs ||
           api_fail(r->error, 400, "invalid_value", "top_logprobs", "needs logprobs true");
}

static bool check_continue(const generation *g, const ingle_json *body, field_reader *r)
{
    bool on;
    if (ingle_json_bool(ingle_json_get(body, "continue_final_message"), &on) && on && !g->continues)
        return api_fail(r->error, 400, "invalid_value", "continue_final_message",
                        "is true, but the last message is not the assistant's");
    if (ingle_json_bool(ingle_json_get(body, "add_generation_prompt"), &on) && !on && !g->continues)
        return api_fail(r->error, 400, "invalid_value", "add_generation_prompt",
                        "is false, but the last message is not continued: an answer has to begin");
    return true;
}

static bool check_thinking(const generation *g, const char *param, field_reader *r)
{
    bool none = !strcmp(g->effort, "none");
    if (!g->wants_effort || !g->thinking || none == (g->thinking == INGLE_THINKING_OFF))
        return true;
    return api_fail(r->error, 400, "invalid_value", param,
                    "is '%s', but another field switches thinking %s", g->effort,
                    none ? "on" : "off");
}

/* Thinking by the field that asked for it. */
static const char *thinking_param(const ingle_json *body)
{
    const ingle_json *reasoning = ingle_json_get(body, "reasoning");
    const ingle_json *plain = ingle_json_get(body, "reasoning_effort");
    if (ingle_json_is(plain, INGLE_JSON_STRING)) return "reasoning_effort";
    if (ingle_json_is(ingle_json_get(reasoning, "effort"), INGLE_JSON_STRING))
        return "reasoning.effort";
    if (ingle_json_is(ingle_json_get(reasoning, "enabled"), INGLE_JSON_BOOL))
        return "reasoning.enabled";
    return "enable_thinking";
}

/* A variable of the template, where it has one of that name. */
static bool read_verbosity(generation *g, const ingle_json *verbosity, const char *template_text,
                           field_reader *r)
{
    ingle_json_writer w = {0};
    ingle_json_doc doc;
    const field_place place = {.name = "verbosity", .len = 9};
    if (!ingle_json_is(verbosity, INGLE_JSON_STRING)) return true;
    if (!template_text || !strstr(template_text, "verbosity")) {
        field_ignore(r, &place);
        return !r->error->status;
    }
    ingle_json_begin_object(&w);
    ingle_json_put(ingle_json_name(&w, "verbosity"), verbosity);
    ingle_json_end_object(&w);
    bool ok = !ingle_json_finish(&w) && !ingle_json_open(&doc, w.text, w.n, NULL, NULL);
    ingle_json_writer_free(&w);
    if (!ok) return api_fail(r->error, 503, "out_of_memory", NULL, "no memory for the request");
    ok = generation_set_kwargs(r, g, doc.root, &place);
    ingle_json_close(&doc);
    return ok;
}

bool chat_read_body(field_reader *r, generation *g, const ingle_json *body,
                    const ingle_chat_info *info, const char *template_text)
{
    if (!chat_read_messages(r, g, ingle_json_get(body, "messages"))) return false;
    if (!chat_read_tools(r, g, ingle_json_get(body, "tools"), ingle_json_get(body, "tool_choice")))
        return false;
    return check_logprobs(g, r) && check_continue(g, body, r) &&
           check_thinking(g, thinking_param(body), r) &&
           generation_thinking(g, info, thinking_param(body), r) &&
           read_verbosity(g, ingle_json_get(body, "verbosity"), template_text, r);
}

bool chat_read(job *j)
{
    const served_model *m = j->model;
    if (!m->chat)
        return api_fail(&j->error, 400, "unsupported_value", "messages",
                        "the model '%.100s' cannot chat: %.200s", m->name, m->chat_error.text);
    return chat_read_body(&j->reader, &j->gen, j->doc.root, &m->chat_info, m->info.chat_template);
}
