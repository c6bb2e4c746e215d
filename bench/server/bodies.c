/* bodies.c - see bodies.h. */
#include "bodies.h"

#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_TOOLS = 24 };

/* ---- words ----------------------------------------------------------------------------------- */

/* A common word, so that texts have as many tokens as people's have. */
static void put_word(buffer *t, uint64_t *seed)
{
    static const char *const common[128] = {
        "the",   "of",    "and",    "to",    "in",       "is",     "you",    "that",  "it",
        "he",    "was",   "for",    "on",    "are",      "as",     "with",   "his",   "they",
        "I",     "at",    "be",     "this",  "have",     "from",   "or",     "one",   "had",
        "by",    "word",  "but",    "not",   "what",     "all",    "were",   "we",    "when",
        "your",  "can",   "said",   "there", "use",      "an",     "each",   "which", "she",
        "do",    "how",   "their",  "if",    "will",     "up",     "other",  "about", "out",
        "many",  "then",  "them",   "these", "so",       "some",   "her",    "would", "make",
        "like",  "him",   "into",   "time",  "has",      "look",   "two",    "more",  "write",
        "go",    "see",   "number", "no",    "way",      "could",  "people", "my",    "than",
        "first", "water", "been",   "call",  "who",      "oil",    "its",    "now",   "find",
        "long",  "down",  "day",    "did",   "get",      "come",   "made",   "may",   "part",
        "over",  "new",   "sound",  "take",  "only",     "little", "work",   "know",  "place",
        "year",  "live",  "me",     "back",  "give",     "most",   "very",   "after", "thing",
        "our",   "just",  "name",   "good",  "sentence", "man",    "think",  "say",   "great",
        "where", "help"};
    const char *word = common[next_random(seed) % 128];
    buffer_put(t, word, strlen(word));
}

static buffer words(size_t n, uint64_t seed)
{
    buffer t = {0};
    for (size_t i = 0; i < n; i++) {
        if (i) buffer_put(&t, " ", 1);
        put_word(&t, &seed);
    }
    return t;
}

/* Lines of words, that many bytes. */
static buffer lines(size_t n_bytes, uint64_t seed)
{
    buffer t = {0};
    for (size_t i = 0; t.n < n_bytes; i++) {
        if (i) buffer_put(&t, i % 12 ? " " : "\n", 1);
        put_word(&t, &seed);
    }
    if (t.p) t.p[t.n = n_bytes] = 0;
    return t;
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static buffer finished(ingle_json_writer *w)
{
    buffer t = {0};
    if (ingle_json_finish(w)) fail("no memory for a body");
    buffer_put(&t, w->text, w->n);
    ingle_json_writer_free(w);
    return t;
}

static void put_member(ingle_json_writer *w, const char *name, const char *value)
{
    ingle_json_put_text(ingle_json_name(w, name), value);
}

static void put_message(ingle_json_writer *w, const char *role, buffer content)
{
    ingle_json_begin_object(w);
    put_member(w, "role", role);
    ingle_json_put_bytes(ingle_json_name(w, "content"), content.p, content.n);
    ingle_json_end_object(w);
    buffer_free(&content);
}

buffer bodies_messages(size_t n_words, uint64_t seed)
{
    ingle_json_writer w = {0};
    ingle_json_begin_array(&w);
    put_message(&w, "user", words(n_words, seed));
    ingle_json_end_array(&w);
    return finished(&w);
}

static size_t n_tokens_of(const library *l, size_t n_words, uint64_t seed)
{
    buffer messages = bodies_messages(n_words, seed);
    tokens t = library_render(l, messages.p, NULL);
    free(t.p);
    buffer_free(&messages);
    return t.n;
}

buffer bodies_messages_of(const library *l, size_t n_tokens, uint64_t seed)
{
    size_t low = 1, high = n_tokens; /* no word is less than a token */
    if (n_tokens_of(l, low, seed) > n_tokens)
        fail("a prompt of %zu tokens is too short for this template", n_tokens);
    while (low < high) {
        size_t middle = low + (high - low + 1) / 2;
        if (n_tokens_of(l, middle, seed) <= n_tokens) low = middle;
        else high = middle - 1;
    }
    return bodies_messages(low, seed);
}

static void put_choice(ingle_json_writer *w, const char *tool)
{
    ingle_json_begin_object(ingle_json_name(w, "tool_choice"));
    put_member(w, "type", "function");
    ingle_json_begin_object(ingle_json_name(w, "function"));
    put_member(w, "name", tool);
    ingle_json_end_object(w);
    ingle_json_end_object(w);
}

buffer bodies_chat(const ask *a)
{
    ingle_json_writer w = {0};
    ingle_json_begin_object(&w);
    put_member(&w, "model", "bench");
    ingle_json_put_raw(ingle_json_name(&w, "messages"), a->messages, strlen(a->messages));
    if (a->tools) ingle_json_put_raw(ingle_json_name(&w, "tools"), a->tools, strlen(a->tools));
    if (a->tool) put_choice(&w, a->tool);
    else ingle_json_put_bool(ingle_json_name(&w, "ignore_eos"), true);
    ingle_json_put_i64(ingle_json_name(&w, "max_tokens"), a->max_tokens);
    ingle_json_put_i64(ingle_json_name(&w, "temperature"), 0);
    ingle_json_put_bool(ingle_json_name(&w, "stream"), a->stream);
    if (a->progress) ingle_json_put_bool(ingle_json_name(&w, "return_progress"), true);
    if (a->stream) {
        ingle_json_begin_object(ingle_json_name(&w, "stream_options"));
        ingle_json_put_bool(ingle_json_name(&w, "include_usage"), true);
        ingle_json_end_object(&w);
    }
    ingle_json_end_object(&w);
    return finished(&w);
}

/* ---- agents ---------------------------------------------------------------------------------- */

static void put_property(ingle_json_writer *w, const char *name, const char *type,
                         size_t n_description, uint64_t seed)
{
    buffer description = lines(n_description, seed);
    ingle_json_begin_object(ingle_json_name(w, name));
    put_member(w, "type", type);
    put_member(w, "description", description.p);
    ingle_json_end_object(w);
    buffer_free(&description);
}

/* Short, and bound to end. */
static void put_path(ingle_json_writer *w)
{
    static const char *const paths[] = {"src/main.c", "src/list.c", "README.md", "Makefile"};
    ingle_json_begin_object(ingle_json_name(w, "path"));
    put_member(w, "type", "string");
    ingle_json_begin_array(ingle_json_name(w, "enum"));
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) ingle_json_put_text(w, paths[i]);
    ingle_json_end_array(w);
    ingle_json_end_object(w);
}

static void put_parameters(ingle_json_writer *w, size_t i, size_t n_bytes, uint64_t seed)
{
    static const char *const names[] = {"command", "pattern", "limit", "recursive"};
    static const char *const types[] = {"string", "string", "integer", "boolean"};
    ingle_json_begin_object(ingle_json_name(w, "parameters"));
    put_member(w, "type", "object");
    ingle_json_begin_object(ingle_json_name(w, "properties"));
    if (!i) put_path(w);
    for (size_t k = 0; i && k < 4; k++)
        put_property(w, names[k], types[k], n_bytes / 8, seed + 64 * i + k + 1);
    ingle_json_end_object(w);
    ingle_json_begin_array(ingle_json_name(w, "required"));
    ingle_json_put_text(w, i ? names[0] : "path");
    ingle_json_end_array(w);
    ingle_json_put_bool(ingle_json_name(w, "additionalProperties"), false);
    ingle_json_end_object(w);
}

static void put_tool(ingle_json_writer *w, size_t i, size_t n_bytes, uint64_t seed)
{
    char name[32];
    size_t n_text = i ? n_bytes / 2 : n_bytes;
    buffer description =
        lines(n_text > 400 ? n_text - 400 : 1, seed + 64 * i); /* 400: the rest of it */
    snprintf(name, sizeof name, i ? "tool_%zu" : "read_file", i);
    ingle_json_begin_object(w);
    put_member(w, "type", "function");
    ingle_json_begin_object(ingle_json_name(w, "function"));
    put_member(w, "name", name);
    put_member(w, "description", description.p);
    put_parameters(w, i, n_bytes, seed);
    ingle_json_end_object(w);
    ingle_json_end_object(w);
    buffer_free(&description);
}

buffer bodies_tools(size_t n_bytes, uint64_t seed)
{
    ingle_json_writer w = {0};
    ingle_json_begin_array(&w);
    for (size_t i = 0; i < N_TOOLS; i++) put_tool(&w, i, n_bytes / N_TOOLS, seed);
    ingle_json_end_array(&w);
    return finished(&w);
}

static void put_call(ingle_json_writer *w, const char *content, const char *id, const char *name,
                     const char *arguments)
{
    ingle_json_begin_object(w);
    put_member(w, "role", "assistant");
    if (content && *content) put_member(w, "content", content);
    else ingle_json_put_null(ingle_json_name(w, "content"));
    if (id) {
        ingle_json_begin_array(ingle_json_name(w, "tool_calls"));
        ingle_json_begin_object(w);
        put_member(w, "id", id);
        put_member(w, "type", "function");
        ingle_json_begin_object(ingle_json_name(w, "function"));
        put_member(w, "name", name);
        put_member(w, "arguments", arguments);
        ingle_json_end_object(w);
        ingle_json_end_object(w);
        ingle_json_end_array(w);
    }
    ingle_json_end_object(w);
}

static void put_result(ingle_json_writer *w, const char *id, size_t n_bytes, uint64_t seed)
{
    buffer content = lines(n_bytes, seed);
    ingle_json_begin_object(w);
    put_member(w, "role", id ? "tool" : "user");
    if (id) put_member(w, "tool_call_id", id);
    put_member(w, "content", content.p);
    ingle_json_end_object(w);
    buffer_free(&content);
}

buffer bodies_agent(size_t n_system, size_t n_turns, size_t n_result, uint64_t seed)
{
    char id[32];
    ingle_json_writer w = {0};
    ingle_json_begin_array(&w);
    put_message(&w, "system", lines(n_system, seed));
    put_message(&w, "user", lines(200, seed + 1));
    for (size_t i = 0; i < n_turns; i++) {
        snprintf(id, sizeof id, "call_%zu", i);
        put_call(&w, NULL, id, "read_file", "{\"path\": \"src/main.c\"}");
        put_result(&w, id, n_result, seed + 2 + i);
    }
    ingle_json_end_array(&w);
    return finished(&w);
}

buffer bodies_go_on(const char *messages, const char *content, const char *id, const char *name,
                    const char *arguments, size_t n_result, uint64_t seed)
{
    ingle_json_doc doc;
    ingle_json_writer w = {0};
    if (ingle_json_open(&doc, messages, strlen(messages), NULL, NULL)) fail("messages are no JSON");
    ingle_json_begin_array(&w);
    for (ingle_json_walk i = ingle_json_items(doc.root); ingle_json_step(&i);)
        ingle_json_put(&w, i.value);
    put_call(&w, content, id, name, arguments);
    put_result(&w, id, n_result, seed);
    ingle_json_end_array(&w);
    ingle_json_close(&doc);
    return finished(&w);
}
