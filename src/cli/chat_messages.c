/* chat_messages.c - the messages of a conversation: each one a JSON text. See chat.h. */
#include "chat.h"
#include "platform.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- text that grows ------------------------------------------------------------------------- */

void chat_text_add(chat_text *t, const char *p, size_t n)
{
    if (t->failed) return;
    if (t->n + n + 1 > t->cap) {
        size_t cap = t->cap ? t->cap : 64;
        while (cap < t->n + n + 1) cap *= 2;
        char *larger = realloc(t->p, cap);
        if (!larger) {
            t->failed = true;
            return;
        }
        t->p = larger;
        t->cap = cap;
    }
    if (n) memcpy(t->p + t->n, p, n);
    t->n += n;
    t->p[t->n] = 0;
}

void chat_text_clear(chat_text *t)
{
    t->n = 0;
    t->failed = false;
    if (t->p) t->p[0] = 0;
}

void chat_text_free(chat_text *t)
{
    free(t->p);
    *t = (chat_text){0};
}

const char *chat_text_get(const chat_text *t)
{
    return t->p ? t->p : "";
}

void chat_answer_free(chat_answer *a)
{
    chat_text_free(&a->content);
    chat_text_free(&a->reasoning);
    for (size_t i = 0; i < a->n_calls; i++) {
        chat_text_free(&a->calls[i].id);
        chat_text_free(&a->calls[i].name);
        chat_text_free(&a->calls[i].arguments);
    }
    free(a->calls);
    *a = (chat_answer){0};
}

/* ---- adding and taking away ------------------------------------------------------------------ */

static const char *const ROLES[] = {"system", "user", "assistant", "tool"};

static bool no_memory(void)
{
    out_error("no memory for the conversation");
    return false;
}

/* Takes the writer's text. */
static bool append(chat_messages *m, chat_role role, ingle_json_writer *w)
{
    if (ingle_json_finish(w) != INGLE_OK) goto fail;
    if (m->n == m->cap) {
        size_t cap = m->cap ? 2 * m->cap : 16;
        chat_message *items = realloc(m->items, cap * sizeof *items);
        if (!items) goto fail;
        m->items = items;
        m->cap = cap;
    }
    m->items[m->n++] = (chat_message){role, w->text, w->n};
    return true;
fail:
    ingle_json_writer_free(w);
    return no_memory();
}

static void begin_message(ingle_json_writer *w, chat_role role)
{
    ingle_json_begin_object(w);
    ingle_json_put_text(ingle_json_name(w, "role"), ROLES[role]);
}

static void put_member(ingle_json_writer *w, const char *name, const chat_text *t)
{
    ingle_json_put_bytes(ingle_json_name(w, name), chat_text_get(t), t->n);
}

bool chat_messages_add(chat_messages *m, chat_role role, const char *text, size_t len)
{
    ingle_json_writer w = {0};
    begin_message(&w, role);
    ingle_json_put_bytes(ingle_json_name(&w, "content"), text, len);
    ingle_json_end_object(&w);
    return append(m, role, &w);
}

void chat_put_calls(ingle_json_writer *w, const chat_answer *a)
{
    ingle_json_begin_array(ingle_json_name(w, "tool_calls"));
    for (size_t i = 0; i < a->n_calls; i++) {
        ingle_json_begin_object(w);
        put_member(w, "id", &a->calls[i].id);
        ingle_json_put_text(ingle_json_name(w, "type"), "function");
        ingle_json_begin_object(ingle_json_name(w, "function"));
        put_member(w, "name", &a->calls[i].name);
        put_member(w, "arguments", &a->calls[i].arguments);
        ingle_json_end_object(w);
        ingle_json_end_object(w);
    }
    ingle_json_end_array(w);
}

void chat_put_answer(ingle_json_writer *w, const chat_answer *a)
{
    put_member(w, "content", &a->content);
    if (a->reasoning.n) put_member(w, "reasoning_content", &a->reasoning);
    if (a->n_calls) chat_put_calls(w, a);
}

bool chat_messages_add_answer(chat_messages *m, const chat_answer *a)
{
    ingle_json_writer w = {0};
    begin_message(&w, CHAT_ASSISTANT);
    chat_put_answer(&w, a);
    ingle_json_end_object(&w);
    return append(m, CHAT_ASSISTANT, &w);
}

bool chat_messages_add_result(chat_messages *m, const chat_call *call, const char *text, size_t len)
{
    ingle_json_writer w = {0};
    begin_message(&w, CHAT_TOOL);
    put_member(&w, "tool_call_id", &call->id);
    put_member(&w, "name", &call->name);
    ingle_json_put_bytes(ingle_json_name(&w, "content"), text, len);
    ingle_json_end_object(&w);
    return append(m, CHAT_TOOL, &w);
}

void chat_messages_remove(chat_messages *m, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) free(m->items[i].json);
    if (from < to)
        memmove(m->items + from, m->items + to, (m->n - to) * sizeof *m->items), m->n -= to - from;
}

void chat_messages_cut(chat_messages *m, size_t n)
{
    if (n < m->n) chat_messages_remove(m, n, m->n);
}

bool chat_messages_set_system(chat_messages *m, const char *text, size_t len)
{
    bool had = m->n && m->items[0].role == CHAT_SYSTEM;
    if (len && !chat_messages_add(m, CHAT_SYSTEM, text, len)) return false;
    if (len) { /* the new one, from the end to the front */
        chat_message made = m->items[m->n - 1];
        memmove(m->items + 1, m->items, (m->n - 1) * sizeof *m->items);
        m->items[0] = made;
    }
    if (had) chat_messages_remove(m, len > 0, (len > 0) + 1);
    return true;
}

bool chat_messages_copy(chat_messages *to, const chat_messages *from)
{
    for (size_t i = 0; i < from->n; i++) {
        ingle_json_writer w = {0};
        ingle_json_put_raw(&w, from->items[i].json, from->items[i].n);
        if (!append(to, from->items[i].role, &w)) {
            chat_messages_free(to);
            return false;
        }
    }
    return true;
}

size_t chat_messages_last_user(const chat_messages *m)
{
    for (size_t i = m->n; i-- > 0;)
        if (m->items[i].role == CHAT_USER) return i;
    return m->n;
}

bool chat_messages_json(const chat_messages *m, chat_text *out)
{
    chat_text_clear(out);
    chat_text_add(out, "[", 1);
    for (size_t i = 0; i < m->n; i++) {
        if (i) chat_text_add(out, ",", 1);
        chat_text_add(out, m->items[i].json, m->items[i].n);
    }
    chat_text_add(out, "]", 1);
    return !out->failed || no_memory();
}

void chat_messages_free(chat_messages *m)
{
    chat_messages_cut(m, 0);
    free(m->items);
    *m = (chat_messages){0};
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool read_role(const ingle_json *message, chat_role *role)
{
    const ingle_json *name = ingle_json_get(message, "role");
    *role = CHAT_SYSTEM;
    if (ingle_json_is_text(name, "developer")) return true;
    for (size_t i = 0; i < sizeof ROLES / sizeof *ROLES; i++) {
        *role = (chat_role)i;
        if (ingle_json_is_text(name, ROLES[i])) return true;
    }
    return false;
}

static bool read_messages(const char *what, const ingle_json *array, chat_messages *m)
{
    if (!ingle_json_is(array, INGLE_JSON_ARRAY)) {
        out_error("%s: no messages: an array of them, or an object with the member 'messages'",
                  what);
        return false;
    }
    for (ingle_json_walk walk = ingle_json_items(array); ingle_json_step(&walk);) {
        chat_role role;
        ingle_json_writer w = {0};
        if (!read_role(walk.value, &role)) {
            out_error("%s: message %zu has no role: system, developer, user, assistant or tool",
                      what, m->n);
            return false;
        }
        ingle_json_put(&w, walk.value);
        if (!append(m, role, &w)) return false;
    }
    return true;
}

/* Anything but an array is reported; nothing and null are no tools. */
static bool read_tools(const char *what, const ingle_json *array, chat_text *tools)
{
    ingle_json_writer w = {0};
    chat_text_clear(tools);
    if (!array || ingle_json_is(array, INGLE_JSON_NULL)) return true;
    if (!ingle_json_is(array, INGLE_JSON_ARRAY)) {
        out_error("%s: tools are a JSON array of objects", what);
        return false;
    }
    ingle_json_put(&w, array);
    bool ok = ingle_json_finish(&w) == INGLE_OK;
    if (ok && array->len) chat_text_add(tools, w.text, w.n);
    ingle_json_writer_free(&w);
    return (ok && !tools->failed) || no_memory();
}

static bool open_json(const char *what, const char *json, size_t len, ingle_json_doc *doc)
{
    ingle_error err = {{0}};
    if (ingle_json_open(doc, json, len, NULL, &err) == INGLE_OK) return true;
    out_error("%s: %s", what, err.text);
    return false;
}

bool chat_messages_read(const char *what, const char *json, size_t len, chat_messages *m,
                        chat_text *tools)
{
    ingle_json_doc doc;
    if (!open_json(what, json, len, &doc)) return false;
    bool whole = ingle_json_is(doc.root, INGLE_JSON_OBJECT);
    bool ok = read_messages(what, whole ? ingle_json_get(doc.root, "messages") : doc.root, m) &&
              (!whole || !ingle_json_get(doc.root, "tools") ||
               read_tools(what, ingle_json_get(doc.root, "tools"), tools));
    ingle_json_close(&doc);
    if (!ok) chat_messages_free(m);
    return ok;
}

bool chat_tools_read(const char *path, chat_text *tools)
{
    char *json = NULL;
    size_t len;
    ingle_json_doc doc;
    if (!platform_read_all(path, &json, &len)) {
        out_error("cannot read the tools from %s: %s", path, strerror(errno));
        return false;
    }
    bool ok = open_json(path, json, len, &doc);
    free(json);
    if (!ok) return false;
    if (ingle_json_is(doc.root, INGLE_JSON_ARRAY)) {
        ok = read_tools(path, doc.root, tools);
    } else {
        const ingle_json *member = ingle_json_get(doc.root, "tools");
        ok = read_tools(path, member ? member : doc.root, tools);
    }
    ingle_json_close(&doc);
    return ok;
}
