/* fuzz_tools.c - any bytes as tools: a grammar for calls of them is refused with a reason, or what
 * it writes is read by the parser as calls of these tools, none of them bad.
 * Input: the row of the family; options (bit 0 any text, 1 one call, 2 within thinking, 3 lenient);
 * then the tools, as an array of {name, parameters}. */
#include "fuzz.h"
#include "chat/parse.h"
#include "grammar/automaton.h"
#include "model/grammar_tools.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_TEXT = 400, MAX_TOOLS = 8 };

typedef struct heard {
    const ingle_json *tools;
    size_t n_calls;
} heard;

static void hear(void *user, const ingle_parse_event *e)
{
    heard *h = user;
    if (e->kind == INGLE_PARSE_CALL_END && e->bad) abort();
    if (e->kind != INGLE_PARSE_CALL_BEGIN) return;
    bool known = false;
    for (ingle_json_walk w = ingle_json_items(h->tools); ingle_json_step(&w);)
        known |= ingle_json_is_bytes(ingle_json_get(w.value, "name"), e->text, e->n);
    if (!known) abort();
    h->n_calls++;
}

/* An answer that had to call does. */
static void read_answer(const tool_grammar *g, const ingle_json_doc *tools, const char *text,
                        size_t n)
{
    ingle_parse_options opt;
    ingle_parse *p;
    ingle_json_writer w = {0};
    heard h = {tools->root, 0};
    ingle_json_put(&w, tools->root);
    ingle_status st = ingle_json_finish(&w);
    ingle_parse_options_init(&opt);
    opt.profile = g->profile;
    opt.tools = w.text;
    opt.n_tools = w.n;
    opt.starts_in_reasoning = g->opt->thinks;
    opt.on_event = hear;
    opt.user = &h;
    if (!st && !ingle_parse_open(&p, &opt, NULL)) {
        if (ingle_parse_feed(p, text, n, NULL) || ingle_parse_finish(p, NULL)) abort();
        if (!h.n_calls || (g->opt->one && h.n_calls > 1)) abort();
        ingle_parse_close(&p);
    }
    ingle_json_writer_free(&w);
}

/* Writes one text: at each byte one of those that may come, by the input's bytes. */
static void write_text(ingle_automaton *a, const tool_grammar *g, const ingle_json_doc *tools,
                       const uint8_t *data, size_t size)
{
    ingle_matcher *m = ingle_matcher_open(a);
    char text[MAX_TEXT];
    size_t n = 0;
    bool expected[256];
    while (m && n < MAX_TEXT && !ingle_matcher_may_end(m)) {
        unsigned at = data[n % size] + (unsigned)(n / size);
        int choice = -1;
        size_t n_good;
        ingle_error err;
        ingle_matcher_expected(m, expected);
        for (unsigned i = 0; choice < 0 && i < 256; i++)
            if (expected[(at + i) % 256]) choice = (int)((at + i) % 256);
        if (choice < 0) break; /* too much work: the error is the matcher's */
        text[n] = (char)choice;
        if (ingle_matcher_text(m, &text[n], 1, &n_good, &err)) break;
        if (!n_good) abort();
        n++;
    }
    if (m && g->opt->required && ingle_matcher_may_end(m)) read_answer(g, tools, text, n);
    ingle_matcher_close(m);
}

static size_t read_tools(ingle_tool *tools, const ingle_json *list)
{
    size_t n = 0;
    for (ingle_json_walk w = ingle_json_items(list); n < MAX_TOOLS && ingle_json_step(&w);) {
        const ingle_json *name = ingle_json_get(w.value, "name"),
                         *schema = ingle_json_get(w.value, "parameters");
        if (!ingle_json_is(name, INGLE_JSON_STRING) || !name->len) return 0;
        if (!ingle_json_is(schema, INGLE_JSON_OBJECT)) schema = NULL;
        tools[n++] = (ingle_tool){.name = name, .schema = schema};
    }
    return n;
}

static const ingle_chat_family *family_of(uint8_t byte)
{
    size_t n = 0;
    const ingle_chat_family *f;
    while (ingle_profile_family(n)) n++;
    f = ingle_profile_family(byte % n);
    return f->calls[0] ? f : ingle_profile_family(n - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ingle_json_doc doc;
    ingle_error err = {""};
    if (size < 3 || ingle_json_open(&doc, (const char *)data + 2, size - 2, NULL, NULL)) return 0;
    ingle_tool tools[MAX_TOOLS];
    ingle_chat_profile profile;
    ingle_profile_query q = {.family = family_of(data[0])->name};
    ingle_tools_options opt = {
        .required = !(data[1] & 1), .one = data[1] & 2, .thinks = data[1] & 4};
    ingle_grammar_options schemas = {.lenient = data[1] & 8};
    ingle_notes dropped = {0};
    ingle_term_limits limits = {.max_bytes = 8 << 20};
    ingle_automaton_limits work = {.max_work = 20000};
    ingle_automaton *a = NULL;
    tool_grammar g = {.t = ingle_terms_open(&limits),
                      .profile = &profile,
                      .opt = &opt,
                      .schemas = &schemas,
                      .tools = tools,
                      .n_tools = read_tools(tools, doc.root),
                      .dropped = &dropped,
                      .err = &err};
    if (!g.t || !g.n_tools || ingle_profile_find(&profile, &q, NULL)) {
        ingle_terms_close(g.t);
        ingle_json_close(&doc);
        return 0;
    }
    g.space = ingle_term_option(g.t, ingle_term_literal(g.t, " ", 1));
    ingle_term root = ingle_tools_answer(&g);
    if (g.status && !err.text[0]) abort();
    if (g.status || root == INGLE_TERM_NONE || ingle_terms_finish(g.t, &root, &err))
        ingle_terms_close(g.t);
    else if (!ingle_automaton_open(&a, g.t, root, NULL, &work, &err))
        write_text(a, &g, &doc, data, size);
    ingle_automaton_close(a);
    ingle_notes_free(&dropped);
    ingle_json_close(&doc);
    return 0;
}

size_t fuzz_seed(size_t i, uint8_t *data, size_t cap)
{
    static const char tools[] =
        "[{\"name\":\"f\",\"parameters\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":"
        "\"string\"},"
        "\"b\":{\"type\":[\"integer\",\"string\"]},\"c\":{\"enum\":[\"true\",1,null]},\"d\":{"
        "\"type\":"
        "\"array\",\"items\":{\"type\":\"boolean\"}}},\"required\":[\"a\"]}},{\"name\":\"g\"}]";
    enum { FAMILIES = 70 };
    if (i >= 2 * FAMILIES || cap < sizeof tools + 2) return 0;
    data[0] = (uint8_t)(i / 2);
    data[1] = i % 2 ? 2 : 8;
    memcpy(data + 2, tools, sizeof tools - 1);
    return sizeof tools + 1;
}
