/* chat_messages.c - messages of chat completions, checked and written for ingle_chat_input.
 * Invariant  what is written has nothing but members that are known here. Results of tools stand in
 *            the order of their calls, whatever order they came in. */
#include "chat.h"

#include "base/map.h"
#include "base/mem.h"

enum { MAX_CALLS = 1000, MAX_NAME = 256 };

/* ---- tables ---------------------------------------------------------------------------------- */

static bool set_part_type(field_reader *r, void *target, const ingle_json *v,
                          const field_place *place)
{
    (void)target;
    return ingle_json_is_text(v, "text") || ingle_json_is_text(v, "refusal") ||
           field_refuse(r, place, "is '%.40s': this model reads text ('text', 'refusal')", v->text);
}

static const char only_text[] = "this model reads text";

#define REFUSED(title, text)                                                                       \
    {                                                                                              \
        .name = title, .class = FIELD_REFUSED, .help = text                                        \
    }
#define INERT(title, text)                                                                         \
    {                                                                                              \
        .name = title, .class = FIELD_INERT, .help = text                                          \
    }
#define STRING(title, text)                                                                        \
    {                                                                                              \
        .name = title, .types = FIELD_STRING, .help = text                                         \
    }

static const field_row part_rows[] = {
    {.name = "type", .types = FIELD_STRING, .set = set_part_type, .help = "'text' or 'refusal'"},
    STRING("text", "of type text"),
    STRING("refusal", "of type refusal"),
    REFUSED("image_url", only_text),
    REFUSED("image", only_text),
    REFUSED("input_audio", only_text),
    REFUSED("audio_url", only_text),
    REFUSED("video_url", only_text),
    REFUSED("file", only_text),
    INERT("cache_control", "prefixes are kept without it"),
};
static const field_table part_fields = {.title = "parts of a content",
                                        .rows = part_rows,
                                        .n_rows = sizeof part_rows / sizeof *part_rows};

static const field_row function_rows[] = {
    {.name = "name",
     .types = FIELD_STRING,
     .min = 1,
     .max = MAX_NAME,
     .help = "the function that was called"},
    {.name = "arguments",
     .types = FIELD_STRING | FIELD_OBJECT,
     .help = "its arguments, as JSON text; text that is no JSON is shown to the model as it is"},
};
static const field_table function_fields = {.title = "function",
                                            .rows = function_rows,
                                            .n_rows = sizeof function_rows / sizeof *function_rows};

static const field_row custom_rows[] = {
    {.name = "name",
     .types = FIELD_STRING,
     .min = 1,
     .max = MAX_NAME,
     .help = "the tool that was called"},
    STRING("input", "what it was given"),
};
static const field_table custom_fields = {
    .title = "custom", .rows = custom_rows, .n_rows = sizeof custom_rows / sizeof *custom_rows};

static const char *const call_types[] = {"function", "custom", NULL};
static const field_row call_rows[] = {
    {.name = "id",
     .types = FIELD_STRING,
     .min = 1,
     .max = MAX_NAME,
     .help = "the id by which its result is found"},
    {.name = "type", .types = FIELD_STRING, .choices = call_types, .help = "kind of the tool"},
    {.name = "function",
     .types = FIELD_OBJECT,
     .members = &function_fields,
     .help = "of type function"},
    {.name = "custom", .types = FIELD_OBJECT, .members = &custom_fields, .help = "of type custom"},
    INERT("index", "calls stand in their order"),
};
static const field_table call_fields = {
    .title = "tool_calls", .rows = call_rows, .n_rows = sizeof call_rows / sizeof *call_rows};

static const char *const roles[] = {"system", "developer", "user", "assistant", "tool", NULL};
static const field_row message_rows[] = {
    {.name = "role",
     .types = FIELD_STRING,
     .choices = roles,
     .help = "who says it; developer is the same as system"},
    {.name = "content",
     .types = FIELD_STRING | FIELD_ARRAY,
     .members = &part_fields,
     .help = "its text, or parts of text"},
    {.name = "name", .types = FIELD_STRING, .max = MAX_NAME, .help = "for templates that show it"},
    STRING("refusal", "of an assistant, in place of content"),
    {.name = "tool_calls",
     .types = FIELD_ARRAY,
     .max = MAX_CALLS,
     .members = &call_fields,
     .help = "of an assistant: tools that it called"},
    {.name = "tool_call_id",
     .types = FIELD_STRING,
     .min = 1,
     .max = MAX_NAME,
     .help = "of a tool: the call that this is the result of"},
    STRING("reasoning_content", "of an assistant: what it thought"),
    STRING("reasoning", "another name of reasoning_content"),
    REFUSED("function_call", "use tool_calls"),
    REFUSED("audio", "answers are text"),
    INERT("annotations", "they belong to searches"),
    INERT("reasoning_details", "use reasoning_content"),
    INERT("cache_control", "prefixes are kept without it"),
    INERT("id", "messages are found by what they say"),
};
const field_table chat_message_fields = {.title = "messages",
                                         .rows = message_rows,
                                         .n_rows = sizeof message_rows / sizeof *message_rows};

/* ---- calls, by their ids --------------------------------------------------------------------- */

typedef struct call {
    const ingle_json *id, *name;
    size_t order; /* the latest of that id */
} call;

typedef struct history {
    field_reader *r;
    ingle_json_writer w;
    ingle_map map;
    call *calls; /* [n] of different ids */
    size_t n, cap, n_order, n_messages;
} history;

static bool no_memory(history *h)
{
    return api_fail(h->r->error, 503, "out_of_memory", NULL, "no memory for the messages");
}

static call *find_call(history *h, const ingle_json *id)
{
    uint32_t at = 0, i;
    uint64_t hash = ingle_map_hash(&h->map, id->text, id->len);
    while ((i = ingle_map_next(&h->map, hash, &at)) != INGLE_NO_ID)
        if (ingle_json_is_bytes(h->calls[i].id, id->text, id->len)) return &h->calls[i];
    return NULL;
}

static bool add_call(history *h, const ingle_json *id, const ingle_json *name)
{
    call *c = find_call(h, id);
    if (!c) {
        uint64_t hash = ingle_map_hash(&h->map, id->text, id->len);
        if (!ingle_grow(&h->calls, &h->cap, h->n + 1, sizeof *h->calls) ||
            !ingle_map_add(&h->map, hash, (uint32_t)h->n))
            return no_memory(h);
        c = &h->calls[h->n++];
    }
    *c = (call){id, name, h->n_order++};
    return true;
}

/* ---- places ---------------------------------------------------------------------------------- */

static bool refuse_at(history *h, const field_place *up, const char *name, const char *text)
{
    const field_place place = {.up = up, .name = name, .len = strlen(name)};
    return field_refuse(h->r, &place, "%s", text);
}

static bool is_role(const ingle_json *message, const char *role)
{
    return ingle_json_is_text(ingle_json_get(message, "role"), role);
}

/* A member that is there and is no null. */
static const ingle_json *member(const ingle_json *v, const char *name)
{
    const ingle_json *m = ingle_json_get(v, name);
    return ingle_json_is(m, INGLE_JSON_NULL) ? NULL : m;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* The text of a part; NULL: it has none. */
static const ingle_json *part_text(const ingle_json *part)
{
    const ingle_json *text = member(part, "text");
    return text ? text : member(part, "refusal");
}

static bool put_parts(history *h, const ingle_json *parts, const field_place *place)
{
    size_t i = 0;
    for (ingle_json_walk w = ingle_json_items(parts); ingle_json_step(&w); i++) {
        const field_place at = {.up = place, .i = i};
        if (!member(w.value, "type")) return refuse_at(h, &at, "type", "is missing");
        if (!part_text(w.value))
            return refuse_at(h, &at, ingle_json_get(w.value, "type")->text, "is missing");
    }
    if (parts->len == 1) { /* the same as its text */
        ingle_json_put(&h->w, part_text(ingle_json_at(parts, 0)));
        return true;
    }
    ingle_json_begin_array(&h->w);
    for (ingle_json_walk w = ingle_json_items(parts); ingle_json_step(&w);) {
        ingle_json_begin_object(&h->w);
        ingle_json_put_text(ingle_json_name(&h->w, "type"), "text");
        ingle_json_put(ingle_json_name(&h->w, "text"), part_text(w.value));
        ingle_json_end_object(&h->w);
    }
    ingle_json_end_array(&h->w);
    return true;
}

static bool put_content(history *h, const ingle_json *message, const field_place *place)
{
    const field_place at = {.up = place, .name = "content", .len = 7};
    const ingle_json *content = member(message, "content");
    bool assistant = is_role(message, "assistant");
    if (!content && assistant) content = member(message, "refusal");
    if (!content && !assistant) return refuse_at(h, place, "content", "is missing");
    ingle_json_name(&h->w, "content");
    if (ingle_json_is(content, INGLE_JSON_ARRAY) && content->len) return put_parts(h, content, &at);
    if (ingle_json_is(content, INGLE_JSON_STRING)) ingle_json_put(&h->w, content);
    else ingle_json_put_text(&h->w, "");
    return true;
}

static void put_arguments(history *h, const ingle_json *args, const ingle_json *input)
{
    ingle_json_writer w = {0};
    ingle_json_name(&h->w, "arguments");
    if (ingle_json_is(args, INGLE_JSON_STRING) && args->len) {
        ingle_json_put(&h->w, args); /* also if it is no JSON */
        return;
    }
    if (ingle_json_is(args, INGLE_JSON_OBJECT)) {
        ingle_json_put(&w, args);
    } else {
        ingle_json_begin_object(&w);
        if (input) ingle_json_put(ingle_json_name(&w, "input"), input);
        ingle_json_end_object(&w);
    }
    if (ingle_json_finish(&w)) h->w.status = INGLE_ENOMEM;
    else ingle_json_put_bytes(&h->w, w.text, w.n);
    ingle_json_writer_free(&w);
}

static bool put_call(history *h, const ingle_json *c, const field_place *place)
{
    const ingle_json *id = member(c, "id"), *function = member(c, "function");
    const ingle_json *custom = member(c, "custom"), *type = member(c, "type");
    bool is_custom = type ? ingle_json_is_text(type, "custom") : !function && custom;
    const char *kind = is_custom ? "custom" : "function";
    const field_place inner = {.up = place, .name = kind, .len = strlen(kind)};
    const ingle_json *name = member(is_custom ? custom : function, "name");
    if (!id) return refuse_at(h, place, "id", "is missing");
    if (!(is_custom ? custom : function)) return refuse_at(h, place, kind, "is missing");
    if (!name) return refuse_at(h, &inner, "name", "is missing");
    ingle_json_begin_object(&h->w);
    ingle_json_put(ingle_json_name(&h->w, "id"), id);
    ingle_json_put_text(ingle_json_name(&h->w, "type"), "function");
    ingle_json_begin_object(ingle_json_name(&h->w, "function"));
    ingle_json_put(ingle_json_name(&h->w, "name"), name);
    put_arguments(h, is_custom ? NULL : member(function, "arguments"), member(custom, "input"));
    ingle_json_end_object(&h->w);
    ingle_json_end_object(&h->w);
    return add_call(h, id, name);
}

static bool put_calls(history *h, const ingle_json *calls, const field_place *place)
{
    const field_place list = {.up = place, .name = "tool_calls", .len = 10};
    size_t i = 0;
    if (!calls || !calls->len) return true;
    ingle_json_begin_array(ingle_json_name(&h->w, "tool_calls"));
    for (ingle_json_walk w = ingle_json_items(calls); ingle_json_step(&w); i++)
        if (!put_call(h, w.value, &(field_place){.up = &list, .i = i})) return false;
    ingle_json_end_array(&h->w);
    return true;
}

/* What one role has and another has not is refused, as it would have no effect. */
static bool check_members(history *h, const ingle_json *message, const field_place *place)
{
    static const char *const of_assistant[] = {"tool_calls", "reasoning_content", "reasoning",
                                               "refusal"};
    if (!member(message, "role")) return refuse_at(h, place, "role", "is missing");
    for (size_t i = 0; i < sizeof of_assistant / sizeof *of_assistant; i++) {
        const ingle_json *m = member(message, of_assistant[i]);
        if (m && m->len && !is_role(message, "assistant"))
            return refuse_at(h, place, of_assistant[i], "belongs to messages of an assistant");
    }
    if (member(message, "tool_call_id") && !is_role(message, "tool"))
        return refuse_at(h, place, "tool_call_id", "belongs to messages of a tool");
    return true;
}

static bool put_message(history *h, const ingle_json *message, const call *answered,
                        const field_place *place)
{
    const ingle_json *thought = member(message, "reasoning_content");
    const ingle_json *name = member(message, "name");
    if (!thought) thought = member(message, "reasoning");
    if (!name && answered) name = answered->name;
    ingle_json_begin_object(&h->w);
    ingle_json_put(ingle_json_name(&h->w, "role"), ingle_json_get(message, "role"));
    if (name) ingle_json_put(ingle_json_name(&h->w, "name"), name);
    if (answered) ingle_json_put(ingle_json_name(&h->w, "tool_call_id"), answered->id);
    if (!put_content(h, message, place)) return false;
    if (thought && thought->len)
        ingle_json_put(ingle_json_name(&h->w, "reasoning_content"), thought);
    if (!put_calls(h, member(message, "tool_calls"), place)) return false;
    ingle_json_end_object(&h->w);
    h->n_messages++;
    return true;
}

/* ---- results of tools ------------------------------------------------------------------------ */

typedef struct result {
    const ingle_json *message;
    const call *call;
    size_t i;
} result;

static int compare_results(const void *a, const void *b)
{
    const result *x = a, *y = b;
    if (x->call->order != y->call->order) return x->call->order < y->call->order ? -1 : 1;
    return x->i < y->i ? -1 : 1;
}

static bool read_result(history *h, result *out, const ingle_json *message, size_t i)
{
    const field_place list = {.name = "messages", .len = 8}, place = {.up = &list, .i = i};
    const field_place at = {.up = &place, .name = "tool_call_id", .len = 12};
    const ingle_json *id = member(message, "tool_call_id");
    if (!check_members(h, message, &place)) return false;
    if (!id) return field_refuse(h->r, &at, "is missing");
    *out = (result){message, find_call(h, id), i};
    return out->call ||
           field_refuse(h->r, &at, "is '%.60s', but no call before has that id", id->text);
}

/* The results that follow one another from w on; *i is the number of the first, and of what comes
 * after the last. */
static bool put_results(history *h, ingle_json_walk *w, size_t *i)
{
    size_t n = 0, cap = 0;
    result *list = NULL;
    bool ok = true;
    do {
        ok = ingle_grow(&list, &cap, n + 1, sizeof *list) ? read_result(h, &list[n], w->value, *i)
                                                          : no_memory(h);
        n += ok;
        ++*i;
    } while (ok && w->next != w->end && is_role(w->next, "tool") && ingle_json_step(w));
    if (ok) qsort(list, n, sizeof *list, compare_results);
    for (size_t k = 0; ok && k < n; k++) {
        const field_place all = {.name = "messages", .len = 8},
                          place = {.up = &all, .i = list[k].i};
        ok = put_message(h, list[k].message, list[k].call, &place);
    }
    free(list);
    return ok;
}

/* ---- the conversation ------------------------------------------------------------------------ */

static bool put_messages(history *h, const ingle_json *messages)
{
    const field_place list = {.name = "messages", .len = 8};
    size_t i = 0;
    ingle_json_begin_array(&h->w);
    for (ingle_json_walk w = ingle_json_items(messages); ingle_json_step(&w);) {
        const field_place place = {.up = &list, .i = i};
        if (is_role(w.value, "tool")) {
            if (!put_results(h, &w, &i)) return false;
            continue;
        }
        if (!check_members(h, w.value, &place) || !put_message(h, w.value, NULL, &place))
            return false;
        i++;
    }
    ingle_json_end_array(&h->w);
    return true;
}

/* The last message. */
static bool read_end(history *h, generation *g, const ingle_json *messages)
{
    const ingle_json *last = NULL, *calls;
    for (ingle_json_walk w = ingle_json_items(messages); ingle_json_step(&w);) last = w.value;
    calls = member(last, "tool_calls");
    if (is_role(last, "assistant") && calls && calls->len) {
        const field_place list = {.name = "messages", .len = 8};
        const field_place place = {.up = &list, .i = messages->len - 1};
        return refuse_at(h, &place, "tool_calls",
                         "calls tools, and messages with their results should follow");
    }
    g->continues = is_role(last, "assistant") && !g->no_continue;
    return true;
}

bool chat_read_messages(field_reader *r, generation *g, const ingle_json *messages)
{
    history h = {.r = r};
    if (!ingle_json_is(messages, INGLE_JSON_ARRAY) || !messages->len)
        return api_fail(r->error, 400, "invalid_value", "messages",
                        "is missing: an array of one message or more");
    if (!ingle_map_open(&h.map, 16)) return no_memory(&h);
    bool ok = put_messages(&h, messages) && read_end(&h, g, messages);
    if (ok) {
        bytes_free(&g->messages);
        bytes_take_json(&g->messages, &h.w);
        g->n_messages = h.n_messages;
        ok = !g->messages.failed || no_memory(&h);
    }
    ingle_json_writer_free(&h.w);
    ingle_map_close(&h.map);
    free(h.calls);
    return ok;
}
