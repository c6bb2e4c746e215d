/* anthropic_messages.c - a conversation of Messages, put as OpenAI has it: calls and results are
 * messages of their own there, and blocks are text.
 * Depends on anthropic_read.h, base/map.h.
 * Invariant  messages of one role that follow each other are one. Every result names a call before it,
 *            and no call has two. */
#include "anthropic_read.h"

#include "base/map.h"

#include <stddef.h>

enum { ROLE_NONE = -1, ROLE_USER, ROLE_ASSISTANT, ROLE_SYSTEM };
static const char *const ROLES[] = {"user", "assistant", "system", NULL};

/* A call in the conversation. */
typedef struct call {
    const ingle_json *id, *name;
    bool answered;
} call;

typedef struct talk {
    field_reader *r;
    ingle_json_writer w; /* the array of messages */
    size_t n_messages;

    int role; /* of the message that is put together; ROLE_NONE: none */
    bytes text, thinking;
    bool some;               /* of its blocks of text were read */
    ingle_json_writer calls; /* its array of calls */
    size_t n_calls;

    call *known; /* [n_known] all calls so far */
    size_t n_known, cap_known;
    ingle_map ids;
    ingle_json_writer scratch;
    bytes result;
} talk;

/* ---- tables ---------------------------------------------------------------------------------- */

typedef struct message {
    int role;
    const ingle_json *content;
} message;

/* Members of blocks, whatever their type, for what is the same in all of them: see below for each. */
#define OF(name_, types_, help_)                                                                   \
    {                                                                                              \
        .name = name_, .types = types_, .help = help_                                              \
    }
static const field_row ANY_BLOCK_ROWS[] = {
    OF("type", FIELD_STRING,
       "text, document, search_result; of a user also tool_result; of an assistant text, thinking, "
       "redacted_thinking, tool_use; of a system text"),
    OF("text", FIELD_STRING, "of text: the text"),
    OF("thinking", FIELD_STRING, "of thinking: what the model thought"),
    OF("signature", FIELD_STRING, "of thinking: any is accepted"),
    OF("data", FIELD_STRING,
       "of redacted_thinking, which is left out: nobody but its maker can read it"),
    OF("id", FIELD_STRING, "of tool_use: the name that its result gives"),
    OF("name", FIELD_STRING, "of tool_use: the tool"),
    OF("input", FIELD_OBJECT, "of tool_use: the arguments"),
    {.name = "caller",
     .class = FIELD_INERT,
     .types = FIELD_OBJECT,
     .help = "of tool_use: calls come from the model itself"},
    OF("tool_use_id", FIELD_STRING, "of tool_result: the id of a tool_use in an earlier message"),
    OF("is_error", FIELD_BOOL, "of tool_result: the model reads \"Error: \" before the content"),
    OF("content", FIELD_STRING | FIELD_ARRAY,
       "of tool_result: text, or blocks of text, documents and results of searches; of "
       "search_result: blocks of text"),
    OF("source", FIELD_STRING | FIELD_OBJECT,
       "of document: {type: text, data} or {type: content, content}; of search_result: where it is "
       "from"),
    OF("title", FIELD_STRING, "of document and search_result: shown before the text"),
    OF("context", FIELD_STRING, "of document: shown before the text"),
    OF("citations", FIELD_ARRAY | FIELD_OBJECT, "answers cite nothing"),
    ANTHROPIC_CACHE_CONTROL,
};
static const field_table ANY_BLOCK = {.title = "block",
                                      .rows = ANY_BLOCK_ROWS,
                                      .n_rows = sizeof ANY_BLOCK_ROWS / sizeof *ANY_BLOCK_ROWS};

static const field_row MESSAGE_ROWS[] = {
    {.name = "role",
     .types = FIELD_STRING,
     .store = FIELD_TO_CHOICE,
     .offset = offsetof(message, role),
     .choices = ROLES,
     .help = "who says it; system may come anywhere"},
    {.name = "content",
     .types = FIELD_STRING | FIELD_ARRAY,
     .store = FIELD_TO_VALUE,
     .offset = offsetof(message, content),
     .members = &ANY_BLOCK,
     .members_apart = true,
     .help = "text, or blocks"},
    {.name = "output_config",
     .class = FIELD_INERT,
     .types = FIELD_OBJECT,
     .help = "the effort is that of the request"},
    {.name = "clear_at",
     .class = FIELD_INERT,
     .types = FIELD_ANY,
     .help = "messages stay where they are"},
};
const field_table anthropic_message_fields = {
    .title = "message", .rows = MESSAGE_ROWS, .n_rows = sizeof MESSAGE_ROWS / sizeof *MESSAGE_ROWS};

typedef struct block {
    const ingle_json *thinking, *id, *name, *input, *tool_use_id, *content;
    bool is_error;
} block;

#define BLOCK_TYPE                                                                                 \
    {                                                                                              \
        .name = "type", .types = FIELD_STRING, .help = "the kind of the block"                     \
    }
#define BLOCK_TABLE(title_, rows_)                                                                 \
    {                                                                                              \
        .title = title_, .rows = rows_, .n_rows = sizeof(rows_) / sizeof *(rows_)                  \
    }

static const field_row THINKING_ROWS[] = {
    BLOCK_TYPE,
    {.name = "thinking",
     .types = FIELD_STRING,
     .store = FIELD_TO_VALUE,
     .offset = offsetof(block, thinking),
     .help = "what the model thought"},
    {.name = "signature", .types = FIELD_STRING, .help = "any is accepted"},
};
static const field_table THINKING = BLOCK_TABLE("thinking", THINKING_ROWS);

static const field_row USE_ROWS[] = {
    BLOCK_TYPE,
    {.name = "id",
     .types = FIELD_STRING,
     .min = 1,
     .max = 256,
     .store = FIELD_TO_VALUE,
     .offset = offsetof(block, id),
     .help = "the name that its result gives"},
    {.name = "name",
     .types = FIELD_STRING,
     .min = 1,
     .max = 256,
     .store = FIELD_TO_VALUE,
     .offset = offsetof(block, name),
     .help = "the tool that was called"},
    {.name = "input",
     .types = FIELD_OBJECT,
     .store = FIELD_TO_VALUE,
     .offset = offsetof(block, input),
     .help = "the arguments"},
    {.name = "caller",
     .class = FIELD_INERT,
     .types = FIELD_OBJECT,
     .help = "calls come from the model itself"},
    ANTHROPIC_CACHE_CONTROL,
};
static const field_table USE = BLOCK_TABLE("tool_use", USE_ROWS);

static const field_row RESULT_ROWS[] = {
    BLOCK_TYPE,
    {.name = "tool_use_id",
     .types = FIELD_STRING,
     .store = FIELD_TO_VALUE,
     .offset = offsetof(block, tool_use_id),
     .help = "the id of a tool_use in an earlier message"},
    {.name = "content",
     .types = FIELD_STRING | FIELD_ARRAY,
     .store = FIELD_TO_VALUE,
     .offset = offsetof(block, content),
     .help = "text, or blocks of text, documents and results of searches"},
    {.name = "is_error",
     .types = FIELD_BOOL,
     .store = FIELD_TO_BOOL,
     .offset = offsetof(block, is_error),
     .help = "the model reads \"Error: \" before the content"},
    ANTHROPIC_CACHE_CONTROL,
};
static const field_table RESULT = BLOCK_TABLE("tool_result", RESULT_ROWS);

/* ---- a message that is put together ---------------------------------------------------------- */

static void put_text(ingle_json_writer *w, const char *name, const bytes *text)
{
    ingle_json_put_bytes(ingle_json_name(w, name), text->n ? text->p : "", text->n);
}

static void put_calls(talk *t)
{
    ingle_json_end_array(&t->calls);
    if (ingle_json_finish(&t->calls)) t->w.status = t->calls.status;
    else ingle_json_put_raw(ingle_json_name(&t->w, "tool_calls"), t->calls.text, t->calls.n);
    t->calls.n = 0;
}

/* Ends the message that is put together, if there is one. */
static void flush(talk *t)
{
    if (t->role == ROLE_NONE) return;
    ingle_json_begin_object(&t->w);
    ingle_json_put_text(ingle_json_name(&t->w, "role"), ROLES[t->role]);
    put_text(&t->w, "content", &t->text);
    if (t->thinking.n) put_text(&t->w, "reasoning_content", &t->thinking);
    if (t->n_calls) put_calls(t);
    ingle_json_end_object(&t->w);
    t->n_messages++;
    t->text.n = t->thinking.n = t->n_calls = 0;
    t->some = false;
    t->role = ROLE_NONE;
}

/* What comes now is of this role. */
static void speak(talk *t, int role)
{
    if (t->role != role) flush(t);
    t->role = role;
}

/* ---- calls and their results ----------------------------------------------------------------- */

static call *find_call(const talk *t, const ingle_json *id)
{
    uint64_t hash = ingle_map_hash(&t->ids, id->text, id->len);
    uint32_t i = 0, found;
    while ((found = ingle_map_next(&t->ids, hash, &i)) != INGLE_NO_ID)
        if (ingle_json_is_bytes(t->known[found].id, id->text, id->len)) return &t->known[found];
    return NULL;
}

static bool remember(talk *t, const block *b)
{
    if (!ingle_grow(&t->known, &t->cap_known, t->n_known + 1, sizeof *t->known) ||
        !ingle_map_add(&t->ids, ingle_map_hash(&t->ids, b->id->text, b->id->len),
                       (uint32_t)t->n_known))
        return anthropic_no_memory(t->r);
    t->known[t->n_known++] = (call){.id = b->id, .name = b->name};
    return true;
}

static void put_call(talk *t, const block *b)
{
    ingle_json_writer *w = &t->calls, *args = &t->scratch;
    if (!t->n_calls++) ingle_json_begin_array(w);
    ingle_json_begin_object(w);
    ingle_json_put(ingle_json_name(w, "id"), b->id);
    ingle_json_put_text(ingle_json_name(w, "type"), "function");
    ingle_json_begin_object(ingle_json_name(w, "function"));
    ingle_json_put(ingle_json_name(w, "name"), b->name);
    ingle_json_put(args, b->input);
    if (ingle_json_finish(args)) w->status = args->status;
    else ingle_json_put_bytes(ingle_json_name(w, "arguments"), args->text, args->n);
    args->n = 0;
    ingle_json_end_object(w);
    ingle_json_end_object(w);
}

static bool missing(talk *t, const field_place *place, const char *name, const char *what)
{
    const field_place at = anthropic_member(place, name);
    return field_refuse(t->r, &at, "is missing: %s", what);
}

static bool read_use(talk *t, const ingle_json *value, const field_place *place)
{
    block b = {0};
    const field_place at = anthropic_member(place, "id");
    if (!fields_read(t->r, &USE, value, &b, place)) return false;
    if (!b.id) return missing(t, place, "id", "the name that its result gives");
    if (!b.name) return missing(t, place, "name", "the tool");
    if (!b.input) return missing(t, place, "input", "an object, {} if there are no arguments");
    if (find_call(t, b.id))
        return field_refuse(t->r, &at, "two calls have the id '%.80s'", b.id->text);
    put_call(t, &b);
    return remember(t, &b);
}

static void put_result(talk *t, const call *c)
{
    ingle_json_begin_object(&t->w);
    ingle_json_put_text(ingle_json_name(&t->w, "role"), "tool");
    ingle_json_put(ingle_json_name(&t->w, "tool_call_id"), c->id);
    ingle_json_put(ingle_json_name(&t->w, "name"), c->name);
    put_text(&t->w, "content", &t->result);
    ingle_json_end_object(&t->w);
    t->n_messages++;
}

static bool read_result(talk *t, const ingle_json *value, const field_place *place)
{
    block b = {0};
    const field_place at = anthropic_member(place, "tool_use_id"),
                      content = anthropic_member(place, "content");
    if (!fields_read(t->r, &RESULT, value, &b, place)) return false;
    if (!b.tool_use_id) return missing(t, place, "tool_use_id", "the id of the tool_use");
    call *c = find_call(t, b.tool_use_id);
    if (!c)
        return field_refuse(t->r, &at, "no tool_use in an earlier message has the id '%.80s'",
                            b.tool_use_id->text);
    if (c->answered)
        return field_refuse(t->r, &at, "the call '%.80s' has a result already", c->id->text);
    c->answered = true;
    t->result.n = 0;
    if (b.is_error) bytes_text(&t->result, "Error: ");
    if (!anthropic_text(t->r, b.content, &content, ANTHROPIC_DOCUMENTS, &t->result)) return false;
    put_result(t, c);
    return true;
}

/* ---- messages -------------------------------------------------------------------------------- */

static bool is_result(const ingle_json *value)
{
    return ingle_json_is_text(ingle_json_get(value, "type"), "tool_result");
}

/* Results come before whatever else a message of a user says. */
static bool read_results(talk *t, const ingle_json *content, const field_place *place, size_t *n)
{
    size_t i = 0;
    for (ingle_json_walk w = ingle_json_items(content); ingle_json_step(&w); i++) {
        const field_place at = anthropic_element(place, i);
        if (!is_result(w.value)) continue;
        if (!(*n)++) flush(t);
        if (!read_result(t, w.value, &at)) return false;
    }
    return true;
}

static bool read_user(talk *t, const ingle_json *content, const field_place *place, bool *results)
{
    size_t i = 0, n_results = 0;
    if (!read_results(t, content, place, &n_results)) return false;
    *results = n_results;
    if (n_results && n_results == content->len) return true;
    speak(t, ROLE_USER);
    for (ingle_json_walk w = ingle_json_items(content); ingle_json_step(&w); i++) {
        const field_place at = anthropic_element(place, i);
        if (!is_result(w.value) &&
            !anthropic_block_text(t->r, w.value, &at, ANTHROPIC_DOCUMENTS, &t->some, &t->text))
            return false;
    }
    return true;
}

static bool read_thinking(talk *t, const ingle_json *value, const field_place *place)
{
    block b = {0};
    if (!fields_read(t->r, &THINKING, value, &b, place)) return false;
    if (!b.thinking) return missing(t, place, "thinking", "what was thought, \"\" if it is hidden");
    bytes_put(&t->thinking, b.thinking->text, b.thinking->len);
    return true;
}

/* Pieces of an answer are its text without anything between them. */
static bool read_answer_block(talk *t, const ingle_json *value, const field_place *place)
{
    const ingle_json *type = ingle_json_get(value, "type");
    bool some = false;
    if (ingle_json_is_text(type, "text"))
        return anthropic_block_text(t->r, value, place, 0, &some, &t->text);
    if (ingle_json_is_text(type, "thinking")) return read_thinking(t, value, place);
    if (ingle_json_is_text(type, "tool_use")) return read_use(t, value, place);
    if (!ingle_json_is_text(type, "redacted_thinking"))
        return anthropic_refuse_block(t->r, type, place,
                                      "text, thinking, redacted_thinking, tool_use");
    field_ignore_text(t->r, "redacted_thinking"); /* nobody but its maker can read it */
    return true;
}

static bool read_answer(talk *t, const ingle_json *content, const field_place *place)
{
    size_t i = 0;
    speak(t, ROLE_ASSISTANT);
    for (ingle_json_walk w = ingle_json_items(content); ingle_json_step(&w); i++) {
        const field_place at = anthropic_element(place, i);
        if (!read_answer_block(t, w.value, &at)) return false;
    }
    return true;
}

/* Text without blocks, or blocks of text alone. */
static bool read_plain(talk *t, int role, const ingle_json *content, const field_place *place)
{
    bool joined = t->role == role && t->some && role != ROLE_ASSISTANT;
    speak(t, role);
    if (joined) bytes_text(&t->text, "\n");
    t->some = true;
    return anthropic_text(t->r, content, place, role == ROLE_SYSTEM ? ANTHROPIC_SYSTEM : 0,
                          &t->text);
}

static bool read_message(talk *t, const ingle_json *value, const field_place *place, bool *results)
{
    message m = {.role = ROLE_NONE};
    const field_place content = anthropic_member(place, "content");
    *results = false;
    if (!fields_read(t->r, &anthropic_message_fields, value, &m, place)) return false;
    if (m.role == ROLE_NONE) return missing(t, place, "role", "user, assistant or system");
    if (!m.content && m.role == ROLE_SYSTEM && ingle_json_get(value, "output_config")) return true;
    if (!m.content) return missing(t, place, "content", "text, or blocks");
    if (m.role == ROLE_SYSTEM || ingle_json_is(m.content, INGLE_JSON_STRING))
        return read_plain(t, m.role, m.content, &content);
    if (m.role == ROLE_USER) return read_user(t, m.content, &content, results);
    return read_answer(t, m.content, &content);
}

static bool read_system(talk *t, const ingle_json *system)
{
    const field_place place = anthropic_member(NULL, "system");
    bool some = false;
    if (!system || ingle_json_is(system, INGLE_JSON_NULL)) return true;
    speak(t, ROLE_SYSTEM);
    if (!anthropic_text(t->r, system, &place, ANTHROPIC_SYSTEM, &t->text)) return false;
    some = t->text.n;
    t->some = some;
    if (!some) t->role = ROLE_NONE;
    return true;
}

static bool read_all(talk *t, const ingle_json *body, generation *g, bool *results)
{
    const ingle_json *messages = ingle_json_get(body, "messages");
    const field_place place = anthropic_member(NULL, "messages");
    size_t i = 0;
    if (!ingle_json_is(messages, INGLE_JSON_ARRAY) || !messages->len)
        return field_refuse(t->r, &place, "is missing: an array of one message or more");
    ingle_json_begin_array(&t->w);
    if (!read_system(t, ingle_json_get(body, "system"))) return false;
    for (ingle_json_walk w = ingle_json_items(messages); ingle_json_step(&w); i++) {
        const field_place at = anthropic_element(&place, i);
        if (!read_message(t, w.value, &at, results)) return false;
    }
    const field_place last = anthropic_element(&place, i - 1);
    g->continues = t->role == ROLE_ASSISTANT;
    if (g->continues && t->n_calls)
        return field_refuse(t->r, &last, "ends with a call: its tool_result comes next");
    flush(t);
    ingle_json_end_array(&t->w);
    return true;
}

static void close_talk(talk *t)
{
    ingle_json_writer_free(&t->w);
    ingle_json_writer_free(&t->calls);
    ingle_json_writer_free(&t->scratch);
    bytes_free(&t->text);
    bytes_free(&t->thinking);
    bytes_free(&t->result);
    ingle_map_close(&t->ids);
    free(t->known);
}

bool anthropic_read_messages(field_reader *r, const ingle_json *body, generation *g, bool *results)
{
    talk t = {.r = r, .role = ROLE_NONE};
    bool ok = ingle_map_open(&t.ids, 16) ? read_all(&t, body, g, results) : anthropic_no_memory(r);
    if (ok) {
        bytes_take_json(&g->messages, &t.w);
        g->n_messages = t.n_messages;
        if (g->messages.failed || t.text.failed || t.thinking.failed || t.result.failed)
            ok = anthropic_no_memory(r);
    }
    close_talk(&t);
    return ok;
}
