/* chat_context.c - what a template sees: the caller's messages as they are, but for what it does
 * not know. Parts of text become one text; a developer is the system; a system message that has no
 * place where it stands goes with a user's message, or a result, before or after it; arguments of
 * calls are objects or text, and their ids short, as the template wants them; tools, calls and results that it does not show are put in words;
 * thinking that nobody else takes out of earlier answers is left out. */
#include "model/chat.h"

#include "base/digest.h"
#include "chat/parse.h"

#include <stdlib.h>
#include <string.h>

typedef struct job {
    const ingle_chat_form *form;
    ingle_json_writer w;
    const ingle_json *tools;     /* NULL: none */
    size_t i_last_user;          /* SIZE_MAX: there is none */
    bool in_words;               /* tools, calls and results are put in words */
    bool lost;                   /* no memory for arguments */
    ingle_chat_numbers *numbers; /* NULL: not asked for */
    ingle_error *err;
} job;

/* Text that grows. */
typedef struct words {
    char *text;
    size_t n, cap;
    bool lost; /* no memory */
} words;

static void say(words *t, const char *p, size_t n)
{
    if (t->lost || !n) return;
    if (!ingle_grow(&t->text, &t->cap, t->n + n, 1)) {
        t->lost = true;
        return;
    }
    memcpy(t->text + t->n, p, n);
    t->n += n;
}

static void say_text(words *t, const char *text)
{
    say(t, text, strlen(text));
}

static void say_json(words *t, const ingle_json *v)
{
    ingle_json_writer w = {.spaces = true};
    ingle_json_put(&w, v);
    if (ingle_json_finish(&w)) t->lost = true;
    else say(t, w.text, w.n);
    ingle_json_writer_free(&w);
}

static ingle_status no_memory(job *j)
{
    return ingle_fail(j->err, INGLE_ENOMEM, "no memory for the messages");
}

/* The next message of the template's is the caller's message i; -1: ours. */
static void count_message(job *j, int32_t i)
{
    ingle_chat_numbers *all = j->numbers;
    if (!all) return;
    if (!ingle_grow(&all->of, &all->cap, all->n + 1, sizeof *all->of)) j->lost = true;
    else all->of[all->n++] = i;
}

/* ---- content ---- */

static ingle_status say_parts(job *j, size_t i, const ingle_json *parts, words *t)
{
    size_t k = 0;
    for (ingle_json_walk w = ingle_json_items(parts); ingle_json_step(&w); k++) {
        const ingle_json *kind = ingle_json_get(w.value, "type");
        const ingle_json *text = ingle_json_get(w.value, "text");
        if (!text) text = ingle_json_get(w.value, "refusal");
        if (!ingle_json_is(text, INGLE_JSON_STRING))
            return ingle_fail(
                j->err, INGLE_EUNSUPPORTED,
                "messages[%zu].content[%zu]: a part of type '%.40s'; only text is read", i, k,
                ingle_json_is(kind, INGLE_JSON_STRING) ? kind->text : "");
        if (k) say_text(t, "\n");
        say(t, text->text, text->len);
    }
    return INGLE_OK;
}

/* The content of message i as text. */
static ingle_status say_content(job *j, size_t i, const ingle_json *message, words *t)
{
    const ingle_json *content = ingle_json_get(message, "content");
    if (ingle_json_is(content, INGLE_JSON_ARRAY)) return say_parts(j, i, content, t);
    if (ingle_json_is(content, INGLE_JSON_STRING)) say(t, content->text, content->len);
    else if (content && content->kind != INGLE_JSON_NULL)
        return ingle_fail(j->err, INGLE_EINVAL,
                          "messages[%zu].content should be text, null or an array of parts", i);
    return INGLE_OK;
}

static void keep_answer(void *user, const ingle_parse_event *event)
{
    if (event->kind == INGLE_PARSE_CONTENT) say(user, event->text, event->n);
}

/* Leaves the thinking out. */
static ingle_status strip(job *j, words *t)
{
    words kept = {.text = NULL};
    ingle_parse_options opt;
    ingle_parse *p;
    ingle_parse_options_init(&opt);
    opt.profile = &j->form->profile;
    opt.parse_tools = false;
    opt.on_event = keep_answer;
    opt.user = &kept;
    ingle_status st = ingle_parse_open(&p, &opt, j->err);
    if (!st) st = ingle_parse_feed(p, t->text, t->n, j->err);
    if (!st) st = ingle_parse_finish(p, j->err);
    ingle_parse_close(&p);
    if (!st && kept.lost) st = no_memory(j);
    free(t->text);
    *t = kept;
    return st;
}

/* ---- tools in words ---- */

static void say_tools(job *j, words *t)
{
    say_text(t, "You may call these tools, each described by JSON on a line:\n<tools>\n");
    for (ingle_json_walk w = ingle_json_items(j->tools); ingle_json_step(&w);) {
        const ingle_json *f = ingle_json_get(w.value, "function");
        say_json(t, f ? f : w.value);
        say_text(t, "\n");
    }
    say_text(t,
             "</tools>\nTo call one, answer with nothing but its name and arguments, for example:\n"
             "<tool_call>\n{\"name\": \"NAME\", \"arguments\": {\"KEY\": \"VALUE\"}}\n"
             "</tool_call>\nAnswer with several of these for several calls. Results come in "
             "<tool_response> marks.");
}

/* Arguments that are no object stand in one, as what they are: {"arguments": "..."}; those that are
 * empty are an empty one. */
static void put_broken(ingle_json_writer *w, const ingle_json *given)
{
    ingle_json_begin_object(w);
    if (given && given->kind != INGLE_JSON_NULL &&
        !(given->kind == INGLE_JSON_STRING && !given->len))
        ingle_json_put(ingle_json_name(w, "arguments"), given);
    ingle_json_end_object(w);
}

/* Arguments, which clients send as text, as what they are. NULL: they are no object. */
static const ingle_json *arguments_of(job *j, const ingle_json *call, ingle_json_doc *doc)
{
    const ingle_json *f = ingle_json_get(call, "function"), *args;
    args = ingle_json_get(f ? f : call, "arguments");
    *doc = (ingle_json_doc){.root = NULL};
    if (!ingle_json_is(args, INGLE_JSON_STRING))
        return ingle_json_is(args, INGLE_JSON_OBJECT) ? args : NULL;
    ingle_status st = ingle_json_open(doc, args->text, args->len, NULL, NULL);
    j->lost = j->lost || st == INGLE_ENOMEM;
    if (st) return NULL;
    return ingle_json_is(doc->root, INGLE_JSON_OBJECT) ? doc->root : NULL;
}

static const ingle_json *name_of(const ingle_json *call)
{
    const ingle_json *f = ingle_json_get(call, "function");
    return ingle_json_get(f ? f : call, "name");
}

static void say_calls(job *j, const ingle_json *calls, words *t)
{
    for (ingle_json_walk w = ingle_json_items(calls); ingle_json_step(&w);) {
        ingle_json_doc doc;
        const ingle_json *args = arguments_of(j, w.value, &doc);
        say_text(t, t->n ? "\n<tool_call>\n{\"name\": " : "<tool_call>\n{\"name\": ");
        say_json(t, name_of(w.value));
        say_text(t, ", \"arguments\": ");
        if (args) say_json(t, args);
        else say_text(t, "{}");
        say_text(t, "}\n</tool_call>");
        ingle_json_close(&doc);
    }
}

/* ---- messages ---- */

enum { SHORT_ID = 9 };

static bool is_short_id(const ingle_json *id)
{
    bool good = id->len == SHORT_ID;
    for (size_t i = 0; good && i < SHORT_ID; i++) {
        char c = id->text[i];
        good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    }
    return good;
}

/* The id of a call, in the form that the template takes; the same one is always the same. */
static void put_id(job *j, const ingle_json *id)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    static const uint64_t key[2] = {0};
    char text[SHORT_ID];
    uint64_t sum[2];
    ingle_digest d;
    if (!j->form->short_ids || !ingle_json_is(id, INGLE_JSON_STRING) || is_short_id(id)) {
        ingle_json_put(&j->w, id);
        return;
    }
    ingle_digest_begin(&d, key);
    ingle_digest_add(&d, id->text, id->len);
    ingle_digest_end(&d, sum);
    for (size_t i = 0; i < SHORT_ID; i++, sum[0] /= 62) text[i] = digits[sum[0] % 62];
    ingle_json_put_bytes(&j->w, text, SHORT_ID);
}

static void put_call(job *j, const ingle_json *call)
{
    ingle_json_doc doc;
    ingle_json_writer *w = &j->w;
    const ingle_json *f = ingle_json_get(call, "function"),
                     *as_object = arguments_of(j, call, &doc);
    const ingle_json *given = ingle_json_get(f ? f : call, "arguments");
    ingle_json_begin_object(w);
    for (ingle_json_walk m = ingle_json_items(call); ingle_json_step(&m);)
        if (f && m.value != f) {
            ingle_json_name_bytes(w, m.name->text, m.name->len);
            if (ingle_json_is_text(m.name, "id")) put_id(j, m.value);
            else ingle_json_put(w, m.value);
        }
    if (!f) ingle_json_put_text(ingle_json_name(w, "type"), "function");
    ingle_json_begin_object(ingle_json_name(w, "function"));
    for (ingle_json_walk m = ingle_json_items(f ? f : call); ingle_json_step(&m);) {
        ingle_json_name_bytes(w, m.name->text, m.name->len);
        if (m.value != given) ingle_json_put(w, m.value);
        else if (j->form->object_args && as_object) ingle_json_put(w, as_object);
        else if (j->form->object_args) put_broken(w, given);
        else if (ingle_json_is(given, INGLE_JSON_STRING)) ingle_json_put(w, given);
        else {
            words text = {.text = NULL};
            say_json(&text, given);
            if (text.lost) w->status = INGLE_ENOMEM;
            ingle_json_put_bytes(w, text.text ? text.text : "", text.n);
            free(text.text);
        }
    }
    ingle_json_end_object(w);
    ingle_json_end_object(w);
    ingle_json_close(&doc);
}

static void put_calls(job *j, const ingle_json *calls)
{
    ingle_json_begin_array(ingle_json_name(&j->w, "tool_calls"));
    for (ingle_json_walk m = ingle_json_items(calls); ingle_json_step(&m);) put_call(j, m.value);
    ingle_json_end_array(&j->w);
}

static bool is_role(const ingle_json *message, const char *role)
{
    return ingle_json_is_text(ingle_json_get(message, "role"), role);
}

static bool is_systems(const ingle_json *message)
{
    return is_role(message, "system") || is_role(message, "developer");
}

/* The role under which the template gets message i. */
static const char *role_for(const job *j, const ingle_json *message)
{
    if (is_role(message, "developer") && !j->form->developer) return "system";
    if (is_role(message, "tool") && j->in_words) return "user";
    return ingle_json_get(message, "role")->text;
}

/* The members that are not put in other words. */
static void put_rest(job *j, const ingle_json *message)
{
    static const char *const ours[] = {"role", "content", "tool_calls", "reasoning_content",
                                       "reasoning"};
    for (ingle_json_walk m = ingle_json_items(message); ingle_json_step(&m);) {
        bool is_ours = false;
        for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
            is_ours = is_ours || ingle_json_is_text(m.name, ours[i]);
        if (is_ours) continue;
        ingle_json_name_bytes(&j->w, m.name->text, m.name->len);
        if (ingle_json_is_text(m.name, "tool_call_id")) put_id(j, m.value);
        else ingle_json_put(&j->w, m.value);
    }
}

static void put_reasoning(job *j, const ingle_json *message)
{
    const ingle_json *thought = ingle_json_get(message, "reasoning_content");
    if (!thought) thought = ingle_json_get(message, "reasoning");
    if (!ingle_json_is(thought, INGLE_JSON_STRING)) return;
    ingle_json_put(ingle_json_name(&j->w, "reasoning_content"), thought);
    if (j->form->says_thinking && !ingle_json_get(message, "thinking"))
        ingle_json_put(ingle_json_name(&j->w, "thinking"), thought);
}

/* `before`: text that goes before the message's own. */
/* A system message, of number i, that the template has no place for. */
static bool is_homeless(const job *j, const ingle_json *message, size_t i)
{
    return is_systems(message) && !(j->form->system && (!i || j->form->system_anywhere));
}

/* Adds those that follow message i to its text; a user's, or a result. */
static ingle_status say_followers(job *j, size_t i, const ingle_json_walk *w, words *t)
{
    ingle_status st = INGLE_OK;
    ingle_json_walk next = *w;
    if (!is_role(w->value, "user") && !is_role(w->value, "tool")) return INGLE_OK;
    while (!st && ingle_json_step(&next) && is_homeless(j, next.value, ++i)) {
        say_text(t, "\n\n");
        st = say_content(j, i, next.value, t);
    }
    return st;
}

static ingle_status put_message(job *j, size_t i, const ingle_json_walk *w, words *before)
{
    const ingle_json *message = w->value;
    const ingle_json *calls = ingle_json_get(message, "tool_calls");
    bool assistant = is_role(message, "assistant"), has_calls = calls && calls->len;
    words t = {.text = NULL};
    ingle_status st = say_content(j, i, message, &t);
    if (!st && assistant && j->form->profile.history == INGLE_HISTORY_STRIP &&
        j->i_last_user != SIZE_MAX && i < j->i_last_user && t.n)
        st = strip(j, &t);
    if (st) {
        free(t.text);
        return st;
    }
    if (j->in_words && has_calls) say_calls(j, calls, &t);
    words all = *before;
    *before = (words){.text = NULL};
    if (all.n) say_text(&all, "\n\n");
    if (j->in_words && is_role(message, "tool")) say_text(&all, "<tool_response>\n");
    say(&all, t.text, t.n);
    if (j->in_words && is_role(message, "tool")) say_text(&all, "\n</tool_response>");
    st = say_followers(j, i, w, &all);
    ingle_json_begin_object(&j->w);
    ingle_json_put_text(ingle_json_name(&j->w, "role"), role_for(j, message));
    ingle_json_put_bytes(ingle_json_name(&j->w, "content"), all.text ? all.text : "", all.n);
    if (assistant) put_reasoning(j, message);
    if (has_calls && !j->in_words) put_calls(j, calls);
    put_rest(j, message);
    ingle_json_end_object(&j->w);
    if (t.lost || all.lost) st = no_memory(j);
    free(t.text);
    free(all.text);
    return st;
}

/* What of the first messages becomes part of the next one: tools in words, and a system that the
 * template has no place for and that follows no user's message, nor a result. */
static ingle_status put_messages(job *j, const ingle_json *messages)
{
    words before = {.text = NULL};
    ingle_status st = INGLE_OK;
    bool described = !(j->in_words && j->tools), said = false; /* said: with the one before */
    size_t i = 0;
    ingle_json_begin_array(ingle_json_name(&j->w, "messages"));
    for (ingle_json_walk w = ingle_json_items(messages); !st && ingle_json_step(&w); i++) {
        bool systems = is_systems(w.value);
        if (!described && !systems && j->form->system) {
            words tools = {.text = NULL};
            say_tools(j, &tools);
            count_message(j, -1);
            ingle_json_begin_object(&j->w);
            ingle_json_put_text(ingle_json_name(&j->w, "role"), "system");
            ingle_json_put_bytes(ingle_json_name(&j->w, "content"), tools.text ? tools.text : "",
                                 tools.n);
            ingle_json_end_object(&j->w);
            if (tools.lost) st = no_memory(j);
            free(tools.text);
        } else if (!described) {
            if (before.n) say_text(&before, "\n\n");
            say_tools(j, &before);
        }
        described = true;
        if (st) break;
        if (!is_homeless(j, w.value, i)) {
            count_message(j, (int32_t)i);
            st = put_message(j, i, &w, &before);
            said = is_role(w.value, "user") || is_role(w.value, "tool");
            continue;
        }
        if (said) continue;
        if (before.n) say_text(&before, "\n\n");
        st = say_content(j, i, w.value, &before);
    }
    ingle_json_end_array(&j->w);
    if (!st && before.n)
        st = ingle_fail(j->err, INGLE_EINVAL,
                        "messages: the template has no place for a system message after an "
                        "assistant's, and no message follows it");
    if (!st && before.lost) st = no_memory(j);
    free(before.text);
    return st;
}

static ingle_status check_messages(job *j, const ingle_json *messages)
{
    size_t i = 0;
    if (!ingle_json_is(messages, INGLE_JSON_ARRAY) || !messages->len)
        return ingle_fail(j->err, INGLE_EINVAL, "messages should be an array of one or more");
    j->i_last_user = SIZE_MAX;
    for (ingle_json_walk w = ingle_json_items(messages); ingle_json_step(&w); i++) {
        if (!ingle_json_is(ingle_json_get(w.value, "role"), INGLE_JSON_STRING))
            return ingle_fail(j->err, INGLE_EINVAL, "messages[%zu] should be an object with a role",
                              i);
        const ingle_json *calls = ingle_json_get(w.value, "tool_calls");
        if (calls && calls->kind != INGLE_JSON_ARRAY && calls->kind != INGLE_JSON_NULL)
            return ingle_fail(j->err, INGLE_EINVAL, "messages[%zu].tool_calls should be an array",
                              i);
        for (ingle_json_walk c = ingle_json_items(calls); ingle_json_step(&c);)
            if (!ingle_json_is(name_of(c.value), INGLE_JSON_STRING))
                return ingle_fail(j->err, INGLE_EINVAL,
                                  "messages[%zu].tool_calls: a call without a name", i);
        if (is_role(w.value, "user")) j->i_last_user = i;
    }
    return INGLE_OK;
}

/* ---- tools and variables ---- */

static ingle_status put_tools(job *j)
{
    size_t i = 0;
    if (!j->in_words) ingle_json_begin_array(ingle_json_name(&j->w, "tools"));
    for (ingle_json_walk w = ingle_json_items(j->tools); ingle_json_step(&w); i++) {
        const ingle_json *f = ingle_json_get(w.value, "function");
        if (!ingle_json_is(ingle_json_get(f ? f : w.value, "name"), INGLE_JSON_STRING))
            return ingle_fail(j->err, INGLE_EINVAL, "tools[%zu] should be an object with a name",
                              i);
        if (j->in_words) continue;
        if (f) {
            ingle_json_put(&j->w, w.value);
            continue;
        }
        ingle_json_begin_object(&j->w);
        ingle_json_put_text(ingle_json_name(&j->w, "type"), "function");
        ingle_json_put(ingle_json_name(&j->w, "function"), w.value);
        ingle_json_end_object(&j->w);
    }
    if (!j->in_words) ingle_json_end_array(&j->w);
    return INGLE_OK;
}

static ingle_status put_switches(job *j, const ingle_chat_input *in)
{
    const ingle_chat_profile *p = &j->form->profile;
    const ingle_think_switch *s = p->think_switch;
    size_t i = 0;
    if ((unsigned)in->thinking > INGLE_THINKING_OFF)
        return ingle_fail(j->err, INGLE_EINVAL, "option 'thinking' is %d, should be 0 to %d",
                          (int)in->thinking, (int)INGLE_THINKING_OFF);
    if (in->thinking && !s && (in->thinking == INGLE_THINKING_ON || p->thinking))
        return ingle_fail(j->err, INGLE_EUNSUPPORTED,
                          "option 'thinking': the template has no switch for it");
    if (in->thinking && s) {
        const char *value = in->thinking == INGLE_THINKING_ON ? s->on : s->off;
        ingle_json_put_raw(ingle_json_name(&j->w, s->variable), value, strlen(value));
    }
    if (!in->effort) return INGLE_OK;
    while (i < INGLE_PROFILE_EFFORTS && p->efforts[i] && strcmp(p->efforts[i], in->effort) != 0)
        i++;
    if (i == INGLE_PROFILE_EFFORTS || !p->efforts[i])
        return ingle_fail(j->err, INGLE_EUNSUPPORTED,
                          "option 'effort': the template knows no '%.40s'", in->effort);
    ingle_json_put_text(ingle_json_name(&j->w, "reasoning_effort"), in->effort);
    return INGLE_OK;
}

static ingle_status put_kwargs(job *j, const ingle_json *kwargs)
{
    static const char *const ours[] = {"messages", "tools", "add_generation_prompt", "bos_token",
                                       "eos_token"};
    for (ingle_json_walk m = ingle_json_items(kwargs); ingle_json_step(&m);) {
        for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
            if (ingle_json_is_text(m.name, ours[i]))
                return ingle_fail(j->err, INGLE_EINVAL, "kwargs: '%s' is set by other options",
                                  ours[i]);
        ingle_json_put(ingle_json_name_bytes(&j->w, m.name->text, m.name->len), m.value);
    }
    return INGLE_OK;
}

static ingle_status write_context(job *j, const ingle_chat_input *in, const ingle_json *messages,
                                  const ingle_json *kwargs)
{
    ingle_status st = check_messages(j, messages);
    if (st) return st;
    ingle_json_begin_object(&j->w);
    ingle_json_put_bool(ingle_json_name(&j->w, "add_generation_prompt"), !in->no_answer);
    if (j->tools) st = put_tools(j);
    if (!st) st = put_switches(j, in);
    if (!st) st = put_kwargs(j, kwargs);
    if (!st) st = put_messages(j, messages);
    if (st) return st;
    ingle_json_end_object(&j->w);
    if (j->lost) return no_memory(j);
    if (ingle_json_finish(&j->w) == INGLE_OK) return INGLE_OK;
    return j->w.status == INGLE_ENOMEM ? no_memory(j)
                                       : ingle_fail(j->err, j->w.status, "messages: too deep");
}

static ingle_status read_json(ingle_json_doc *doc, const char *what, const char *text, size_t n,
                              ingle_json_kind kind, ingle_error *err)
{
    ingle_error why;
    *doc = (ingle_json_doc){.root = NULL};
    if (!text) return INGLE_OK;
    ingle_status st = ingle_json_open(doc, text, n, NULL, &why);
    if (st) return ingle_fail(err, st, "%s: %.200s", what, why.text);
    if (ingle_json_is(doc->root, kind)) return INGLE_OK;
    return ingle_fail(err, INGLE_EINVAL, "%s should be %s", what,
                      kind == INGLE_JSON_ARRAY ? "an array" : "an object");
}

ingle_status ingle_chat_context(ingle_json_doc *doc, ingle_chat_numbers *numbers,
                                const ingle_chat_form *form, const ingle_chat_input *in,
                                ingle_error *err)
{
    ingle_json_doc messages, tools = {.root = NULL}, kwargs = {.root = NULL};
    job j = {.form = form, .numbers = numbers, .err = err};
    *doc = (ingle_json_doc){.root = NULL};
    ingle_status st =
        read_json(&messages, "messages", in->messages, in->n_messages, INGLE_JSON_ARRAY, err);
    if (!st) st = read_json(&tools, "tools", in->tools, in->n_tools, INGLE_JSON_ARRAY, err);
    if (!st) st = read_json(&kwargs, "kwargs", in->kwargs, in->n_kwargs, INGLE_JSON_OBJECT, err);
    j.in_words = !form->profile.has_tools;
    j.tools = tools.root && tools.root->len ? tools.root : NULL;
    if (!st) st = write_context(&j, in, messages.root, kwargs.root);
    if (!st) st = ingle_json_open(doc, j.w.text, j.w.n, NULL, err);
    ingle_json_writer_free(&j.w);
    ingle_json_close(&messages);
    ingle_json_close(&tools);
    ingle_json_close(&kwargs);
    return st;
}
