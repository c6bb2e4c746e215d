/* test_grammar_tools.c - grammars for answers that call tools (model/grammar_tools.h): random texts
 * that a grammar admits come back from the parser with the right names and valid arguments, for
 * each family and each format; calls as models write them are admitted; what is not to come is
 * refused, with what was expected. */
#define _GNU_SOURCE
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <ingle.h>

#include "gguf_build.h"
#include "grammar_walk.h"
#include "must.h"

#define TINY INGLE_SOURCE_DIR "/models/tiny-chat.gguf"
#define CHATML                                                                                     \
    "{%- for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"    \
    "{%- if tools %}{{ tools | length }}{% endif %}"                                               \
    "{%- if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
#define N_OF(array) (sizeof(array) / sizeof *(array))

enum { MOST_CALLS = 64 };

static ingle_model *model; /* without a vocabulary: marks are bytes */

/* ---- tools ----------------------------------------------------------------------------------- */

static const struct {
    const char *name, *schema;
} tools[] = {
    {"get_weather",
     "{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"},\"days\":{\"type\":"
     "\"integer\",\"minimum\":1,\"maximum\":14},\"unit\":{\"enum\":[\"c\",\"f\"]}},\"required\":["
     "\"city\"],\"additionalProperties\":false}"},
    {"add", "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"number\"},\"b\":{\"type\":"
            "\"number\"}},"
            "\"required\":[\"a\",\"b\"],\"additionalProperties\":false}"},
    {"noop", NULL},
    {"set_flags",
     "{\"type\":\"object\",\"properties\":{\"on\":{\"type\":\"boolean\"},\"note\":{\"type\":["
     "\"string\",\"null\"]},\"level\":{\"type\":[\"integer\",\"string\"],\"maxLength\":5}},"
     "\"additionalProperties\":false}"},
    {"tag_all",
     "{\"type\":\"object\",\"properties\":{\"tags\":{\"type\":\"array\",\"items\":{\"type\":"
     "\"string\",\"maxLength\":8},\"maxItems\":3},\"sizes\":{\"type\":\"array\",\"items\":{"
     "\"type\":\"integer\"},\"minItems\":1,\"maxItems\":4}},\"required\":[\"tags\",\"sizes\"],"
     "\"additionalProperties\":false}"},
    {"place",
     "{\"type\":\"object\",\"properties\":{\"where\":{\"type\":\"object\",\"properties\":{\"x\":{"
     "\"type\":\"number\"},\"y\":{\"type\":\"object\",\"properties\":{\"deep\":{\"type\":"
     "\"boolean\"},\"text\":{\"type\":\"string\"}},\"required\":[\"deep\"],"
     "\"additionalProperties\":false}},\"required\":[\"x\"],\"additionalProperties\":false}},"
     "\"required\":[\"where\"],\"additionalProperties\":false}"},
    {"pick",
     "{\"type\":\"object\",\"properties\":{\"color\":{\"$ref\":\"#/$defs/color\"},\"mode\":{"
     "\"enum\":[1,\"true\",null,false]},\"code\":{\"type\":\"string\",\"pattern\":\"^[A-Z]{2}-"
     "[0-9]{1,3}$\"}},\"required\":[\"color\"],\"additionalProperties\":false,\"$defs\":{\"color\":"
     "{"
     "\"enum\":[\"red\",\"teal\",\"none\"]}}}"},
    {"gr\xc3\xbc\xc3\x9f",
     "{\"type\":\"object\",\"properties\":{\"stra\xc3\x9f"
     "e\":{\"type\":\"string\",\"minLength\":1},\"\xe2\x82\xac\":{\"type\":\"integer\"}},"
     "\"required\":[\"stra\xc3\x9f"
     "e\"],\"additionalProperties\":false}"},
    {"free", "{\"type\":\"object\",\"properties\":{\"any\":{},\"text\":{\"type\":\"string\"}},"
             "\"required\":[\"any\"]}"},
    {"search.web",
     "{\"type\":\"object\",\"properties\":{\"query\":{\"type\":\"string\",\"minLength\":2},"
     "\"since\":{\"type\":\"string\",\"format\":\"date\"},\"alt\":{\"anyOf\":[{\"type\":\"string\"}"
     ","
     "{\"type\":\"null\"}]}},\"required\":[\"query\"],\"additionalProperties\":false}"},
};

static char *tools_json(void)
{
    ingle_json_writer w = {0};
    ingle_json_begin_array(&w);
    for (size_t i = 0; i < N_OF(tools); i++) {
        ingle_json_begin_object(&w);
        ingle_json_put_text(ingle_json_name(&w, "type"), "function");
        ingle_json_begin_object(ingle_json_name(&w, "function"));
        ingle_json_put_text(ingle_json_name(&w, "name"), tools[i].name);
        if (tools[i].schema)
            ingle_json_put_raw(ingle_json_name(&w, "parameters"), tools[i].schema,
                               strlen(tools[i].schema));
        ingle_json_end_object(&w);
        ingle_json_end_object(&w);
    }
    ingle_json_end_array(&w);
    assert_int_equal(ingle_json_finish(&w), INGLE_OK);
    return w.text;
}

/* ---- chats and grammars ---------------------------------------------------------------------- */

static int open_model(void **state)
{
    ingle_error err;
    ingle_model_options mo;
    (void)state;
    ingle_model_options_init(&mo);
    mo.parts = INGLE_PARTS_META;
    return ingle_model_open(&model, TINY, &mo, &err);
}

static int close_model(void **state)
{
    (void)state;
    ingle_model_close(&model);
    return 0;
}

/* Of a family; of a row's signs if that is not NULL. */
static ingle_chat *chat_of(ingle_model *m, const char *family, const ingle_call_syntax *row)
{
    char text[2048];
    ingle_chat_options co;
    ingle_chat *chat;
    ingle_error err;
    int n = snprintf(text, sizeof text, "%s", CHATML);
    for (size_t i = 0; row && i < INGLE_SYNTAX_SIGNS && row->signs.all[i]; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "{# %s #}", row->signs.all[i]);
    ingle_chat_options_init(&co);
    co.template_text = text;
    co.n_template = (size_t)n;
    co.family = family;
    must(ingle_chat_open(&chat, m, &co, &err), &err);
    return chat;
}

typedef struct setting {
    bool required, one, thinks;
    const char *name, *schema;
} setting;

static ingle_grammar *grammar_of(ingle_chat *chat, const char *json, setting s)
{
    ingle_tools_options to;
    ingle_grammar *g;
    ingle_error err;
    ingle_tools_options_init(&to);
    to.required = s.required;
    to.one = s.one;
    to.thinks = s.thinks;
    to.name = s.name;
    to.schema = s.schema;
    to.n_schema = s.schema ? strlen(s.schema) : 0;
    must(ingle_grammar_open_tools(&g, chat, json, strlen(json), &to, &err), &err);
    return g;
}

/* ---- what comes back ------------------------------------------------------------------------- */

typedef struct call {
    char name[160];
    char args[WALK_BYTES];
    size_t n;
    bool bad;
} call;

typedef struct answer {
    call *calls;
    size_t n_calls, n_content;
} answer;

static void note(void *user, const ingle_chat_event *e)
{
    answer *a = user;
    if (e->kind == INGLE_CHAT_CONTENT) a->n_content += e->text_len;
    if (e->kind < INGLE_CHAT_CALL_BEGIN || e->i_call >= MOST_CALLS) return;
    call *c = &a->calls[e->i_call];
    if (e->kind == INGLE_CHAT_CALL_BEGIN) {
        *c = (call){.bad = true};
        memcpy(c->name, e->text, e->text_len);
        a->n_calls++;
    } else if (e->kind == INGLE_CHAT_CALL_ARGS) {
        if (c->n + e->text_len < sizeof c->args) memcpy(c->args + c->n, e->text, e->text_len);
        c->n += e->text_len;
    } else {
        c->bad = e->bad;
    }
}

static void parse(answer *a, ingle_chat *chat, const char *json, bool thinks, const char *text,
                  size_t n)
{
    static call calls[MOST_CALLS];
    ingle_chat_parser_options po;
    ingle_chat_parser *p;
    ingle_error err;
    *a = (answer){.calls = calls};
    ingle_chat_parser_options_init(&po);
    po.tools = json;
    po.n_tools = strlen(json);
    po.thinks = thinks;
    po.on_event = note;
    po.user = a;
    must(ingle_chat_parser_open(&p, chat, &po, &err), &err);
    must(ingle_chat_parser_feed(p, text, n, &err), &err);
    must(ingle_chat_parser_finish(p, &err), &err);
    ingle_chat_parser_close(&p);
}

/* How each tool's arguments are judged. */
static ingle_grammar *judge[N_OF(tools)];

static int open_all(void **state)
{
    ingle_error err;
    for (size_t i = 0; i < N_OF(tools); i++) {
        const char *schema =
            tools[i].schema ? tools[i].schema : "{\"type\":\"object\",\"maxProperties\":0}";
        must(ingle_grammar_open_schema(&judge[i], NULL, schema, strlen(schema), NULL, &err), &err);
    }
    return open_model(state);
}

static int close_all(void **state)
{
    for (size_t i = 0; i < N_OF(tools); i++) ingle_grammar_close(&judge[i]);
    return close_model(state);
}

static bool admits(ingle_grammar *g, const char *text, size_t n, ingle_error *err)
{
    ingle_grammar_state *s;
    size_t n_good;
    bool ends;
    must(ingle_grammar_state_open(&s, g, err), err);
    err->text[0] = 0;
    ingle_status st = ingle_grammar_state_text(s, text, n, &n_good, err);
    must(ingle_grammar_state_ends(s, &ends, NULL, err), err);
    ingle_grammar_state_close(&s);
    return !st && n_good == n && ends;
}

/* A call's name is a tool's and its arguments are valid for it. */
static bool is_good(const call *c)
{
    ingle_error err;
    if (c->bad || c->n >= sizeof c->args) return false;
    for (size_t i = 0; i < N_OF(tools); i++)
        if (!strcmp(tools[i].name, c->name)) return admits(judge[i], c->args, c->n, &err);
    return false;
}

/* ---- random texts ---------------------------------------------------------------------------- */

typedef struct tally {
    size_t n_walks, n_whole, n_calls, n_bad;
} tally;

static void walk_once(tally *t, ingle_chat *chat, const char *json, ingle_grammar *g, setting set,
                      const walk_hints *h, const char *begin, uint64_t seed)
{
    static char text[WALK_BYTES + 1];
    size_t n = strlen(begin), n_good;
    ingle_grammar_state *s;
    ingle_error err;
    answer a;
    memcpy(text, begin, n);
    must(ingle_grammar_state_open(&s, g, &err), &err);
    if (ingle_grammar_state_text(s, text, n, &n_good, &err)) n = n_good; /* a prompt has its mark */
    t->n_walks++;
    bool whole = walk_on(&s, text, &n, h, &seed);
    ingle_grammar_state_close(&s);
    if (!whole) return;
    t->n_whole++;
    parse(&a, chat, json, set.thinks, text, n);
    bool ok = !set.required || (a.n_calls && !a.n_content);
    for (size_t i = 0; i < a.n_calls && i < MOST_CALLS; i++) {
        ok = ok && is_good(&a.calls[i]) && (!set.name || !strcmp(a.calls[i].name, set.name));
        if (!is_good(&a.calls[i]))
            print_error("  call %s(%.*s)%s\n", a.calls[i].name, (int)a.calls[i].n, a.calls[i].args,
                        a.calls[i].bad ? " is bad" : "");
    }
    ok = ok && (!set.one || a.n_calls <= 1);
    t->n_calls += a.n_calls;
    t->n_bad += !ok;
    if (!ok) print_error("  text: %.*s\n  %zu calls\n", (int)n, text, a.n_calls);
}

static size_t walk_all(ingle_chat *chat, const char *what, const ingle_call_syntax *row)
{
    static const setting settings[] = {{.required = true},
                                       {.required = true, .one = true},
                                       {.name = "pick", .required = true},
                                       {.one = false},
                                       {.thinks = true},
                                       {.thinks = true, .required = true},
                                       {.schema = "{\"type\":[\"array\",\"null\"]}"},
                                       {.one = true}};
    char *json = tools_json();
    tally t = {0};
    walk_hints h;
    ingle_chat_info info = {.size = sizeof info};
    ingle_error err;
    must(ingle_chat_info_get(chat, &info, &err), &err);
    walk_hints_of(&h, info.family, row);
    for (size_t i = 0; i < N_OF(settings); i++) {
        ingle_grammar *g = grammar_of(chat, json, settings[i]);
        for (uint64_t seed = 0; seed < 20; seed++) {
            const char *begin = "";
            if (!settings[i].required && info.call_trigger && seed % 2) begin = info.call_trigger;
            walk_once(&t, chat, json, g, settings[i], &h, begin, seed * 1000 + i);
        }
        ingle_grammar_close(&g);
    }
    free(json);
    if (t.n_bad || 2 * t.n_whole < t.n_walks || !t.n_calls)
        print_error("%s: %zu walks, %zu whole, %zu calls, %zu bad\n", what, t.n_walks, t.n_whole,
                    t.n_calls, t.n_bad);
    return t.n_bad + (2 * t.n_whole < t.n_walks) + !t.n_calls;
}

static void families_walk(void **state)
{
    (void)state;
    const ingle_chat_family *f;
    size_t n_bad = 0;
    for (size_t i = 0; (f = ingle_profile_family(i)) != NULL; i++) {
        if (!f->calls[0]) continue;
        ingle_chat *chat = chat_of(model, f->name, ingle_call_syntax_named(f->calls[0]));
        n_bad += walk_all(chat, f->name, NULL);
        ingle_chat_close(&chat);
    }
    assert_int_equal(n_bad, 0);
}

/* Formats that are found by their signs in a template, of any family. */
static void rows_walk(void **state)
{
    (void)state;
    const ingle_call_syntax *s;
    size_t n_bad = 0;
    for (size_t i = 0; (s = ingle_call_syntax_at(i)) != NULL; i++) {
        if (!s->signs.all[0]) continue;
        ingle_chat *chat = chat_of(model, s->kind == INGLE_CALL_HARMONY ? "gpt-oss" : "hermes", s);
        n_bad += walk_all(chat, s->name, s);
        ingle_chat_close(&chat);
    }
    assert_int_equal(n_bad, 0);
}

/* ---- calls as models write them -------------------------------------------------------------- */

enum { THINKS = 1, NO_TOOLS = 2, NO_THINKING = 4, NO_OFFER = 8 };

static const struct {
    const char *family;
    unsigned flags;
    const char *text, *want;
} cases[] = {
#include "parse_cases.inc"
};

/* Those of test_parse.c. */
static const char offered[] =
    "[{\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"parameters\":{\"type\":"
    "\"object\",\"properties\":{\"city\":{\"type\":\"string\"},\"days\":{\"type\":\"integer\"},"
    "\"ratio\":{\"type\":\"number\"},\"exact\":{\"type\":\"boolean\"},\"tags\":{\"type\":\"array\"}"
    ","
    "\"where\":{\"type\":\"object\"},\"unit\":{\"enum\":[\"c\",\"f\"]},"
    "\"note\":{\"type\":[\"string\",\"null\"]},\"opt\":{\"anyOf\":[{\"type\":\"string\"},{\"type\":"
    "\"null\"}]},\"opt2\":{\"oneOf\":[{\"type\":\"integer\"},{\"const\":\"x\"}]},\"alt\":{"
    "\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}}}}},"
    "{\"name\":\"add\",\"input_schema\":{\"properties\":{\"a\":{\"type\":\"number\"},"
    "\"b\":{\"type\":\"number\"}}}},"
    "{\"type\":\"function\",\"function\":{\"name\":\"noop\"}}]";

/* Calls that the parser takes, and a grammar does not admit, by their beginnings: they are not in
 * the format as the family's own templates have it; or a text has the mark in it that ends it. */
static const struct {
    const char *family, *text; /* NULL: any */
} loose[] = {
    {NULL, "<tool_call>\n{\"name\": \"noop\"}"},
    {NULL, "<tool_call>{\"name\":\"noop\",\"arguments\":null}"},
    {NULL, "<tool_call>{\"arguments\""},
    {NULL, "<tool_call>{\"name\":\"add\",\"parameters\""},
    {NULL, "<tool_call>{\"id\""},
    {NULL, "<tool_call>{\"type\""},
    {NULL, "<tool_call>{\"name\":\"add\",\"arguments\":\""},
    {NULL, "<tool_call>["},
    {NULL, "<tool_call>{\"name\":\"add\",\"arguments\":{\"t\":\"line\n"},
    {NULL, "<tool_call>{\"name\":\"add\",\"arguments\":{\"a\":+"},
    {"qwen3", "<tool_call>{\"name\":\"add\",\"arguments\":{\"a\":1}"}, /* it breaks off */
    {"qwen3", "<tool_call>\n<function"},
    {NULL, "[TOOL_CALLS][{\"name\": \"get"},
    {NULL, "<|tool_calls_section_begin|><|tool_call_begin|>add"},
    {NULL, "<function=add></function>"},
    {NULL, "<|tool_call_start|>[{"},
    {"generic", "[{"},
    {NULL, "<tool_call>\n<function=get_weather>\n<parameter=city>\nsay \"hi\" \\ </parameter>"},
    {NULL, "<seed:tool_call>\n<function=get_weather>\n<parameter=city>say \"hi\" \\ </parameter>"},
    {NULL,
     "<minimax:tool_call>\n<invoke name=\"get_weather\">\n<parameter name=\"city\">say \"hi\""},
    {NULL, "<tool_call>\n<function=add>\n<parameter=a>\n1\n</parameter>\n</tool_call>"},
    {"qwen3-coder", "<tool_call>{\"name\""},
    {NULL, "<tool_call>get_weather<arg_key>city</arg_key><arg_value>a </arg_value>"},
    {NULL, "<function name=\"get_weather\"><param name=\"city\"><![CDATA["},
    {"minimax-m3", "]<]minimax[>[<tool_call>"},
    {NULL, "<|tools_prefix|>[{\"add\": {\"a\": 1}, "},
};

static bool is_loose(const char *family, const char *text)
{
    for (size_t i = 0; i < N_OF(loose); i++)
        if ((!loose[i].family || !strcmp(loose[i].family, family)) &&
            !strncmp(text, loose[i].text, strlen(loose[i].text)))
            return true;
    return false;
}

/* Whether there are calls, and each is valid for the tools of `offered`. */
static bool all_good(const answer *a, ingle_grammar *const by[3])
{
    static const char *const names[] = {"get_weather", "add", "noop"};
    ingle_error err;
    bool ok = true;
    for (size_t i = 0; i < a->n_calls; i++) {
        size_t k = 0;
        while (k < 3 && strcmp(names[k], a->calls[i].name)) k++;
        ok =
            ok && k < 3 && !a->calls[i].bad && admits(by[k], a->calls[i].args, a->calls[i].n, &err);
    }
    return ok;
}

static size_t check_case(size_t i, ingle_grammar *const by[3])
{
    bool thinks = cases[i].flags & THINKS;
    size_t k = 0, n = strlen(cases[i].text);
    const ingle_chat_family *f;
    ingle_error err;
    answer a;
    while ((f = ingle_profile_family(k)) && strcmp(f->name, cases[i].family)) k++;
    if (!f->calls[0]) return 0;
    ingle_chat *chat = chat_of(model, f->name, ingle_call_syntax_named(f->calls[0]));
    ingle_grammar *g = grammar_of(chat, offered, (setting){.thinks = thinks});
    bool is = admits(g, cases[i].text, n, &err);
    parse(&a, chat, offered, thinks, cases[i].text, n);
    bool good = all_good(&a, by),
         bad = is ? !good : good && a.n_calls && !is_loose(f->name, cases[i].text);
    if (bad)
        print_error("%s: %s: %s\n   %s\n   %s\n", f->name, is ? "is admitted" : "is refused",
                    cases[i].text, cases[i].want, is ? "" : err.text);
    ingle_grammar_close(&g);
    ingle_chat_close(&chat);
    return bad;
}

/* What is admitted has valid calls, and what has valid calls, as models write them, is admitted. */
static void cases_are_admitted(void **state)
{
    static const char *const schemas[] = {
        "{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"},\"days\":{\"type\":"
        "\"integer\"},\"ratio\":{\"type\":\"number\"},\"exact\":{\"type\":\"boolean\"},\"tags\":{"
        "\"type\":\"array\"},\"where\":{\"type\":\"object\"},\"unit\":{\"enum\":[\"c\",\"f\"]},"
        "\"note\":{\"type\":[\"string\",\"null\"]},\"opt\":{\"type\":[\"string\",\"null\"]},"
        "\"opt2\":"
        "{\"oneOf\":[{\"type\":\"integer\"},{\"const\":\"x\"}]},\"alt\":{\"type\":[\"string\","
        "\"null\"]}}}",
        ("{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"number\"},\"b\":{\"type\":"
         "\"number\"}}}"),
        "{\"type\":\"object\",\"maxProperties\":0}"};
    ingle_grammar *by[3];
    ingle_error err;
    size_t n_bad = 0;
    (void)state;
    for (size_t i = 0; i < 3; i++)
        must(ingle_grammar_open_schema(&by[i], NULL, schemas[i], strlen(schemas[i]), NULL, &err),
             &err);
    for (size_t i = 0; i < N_OF(cases); i++)
        if (!(cases[i].flags & ~(unsigned)THINKS)) n_bad += check_case(i, by);
    for (size_t i = 0; i < 3; i++) ingle_grammar_close(&by[i]);
    assert_int_equal(n_bad, 0);
}

/* ---- texts and settings ---------------------------------------------------------------------- */

#define CALL(name, args)                                                                           \
    "<tool_call>\n{\"name\": \"" name "\", \"arguments\": " args "}\n</tool_call>"
#define PARIS CALL("get_weather", "{\"city\": \"Paris\"}")
#define NOOP  CALL("noop", "{}")

static const struct {
    const char *family;
    setting set;
    const char *text, *error; /* NULL: it is admitted, to its end */
} texts[] = {
    {"qwen2.5", {0}, "Hello, world. <tool_cal", NULL},
    {"qwen2.5", {0}, "", NULL},
    {"qwen2.5", {0}, "I look.\n" PARIS "\n" NOOP "\nDone.", NULL},
    {"qwen2.5", {0}, CALL("get_wind", "{}"), "'i' here, but 'e'"},
    {"qwen2.5", {0}, CALL("get_weather", "{}"), "'}' here, but a line feed, a space, '\"'"},
    {"qwen2.5", {0}, CALL("get_weather", "{\"city\": 1}"), "'1' here, but '\"'"},
    {"qwen2.5", {0}, CALL("add", "{\"a\": 1}"), "'}' here, but"},
    {"qwen2.5", {0}, CALL("add", "{\"b\": 1"), "'b' here, but 'a'"},
    {"qwen2.5", {0}, CALL("get_weather", "{\"city\": \"</tool_call>\\\"{\"}"), NULL},
    {"qwen2.5", {.required = true}, PARIS, NULL},
    {"qwen2.5", {.required = true}, PARIS "\n" NOOP, NULL},
    {"qwen2.5",
     {.required = true},
     "Hello",
     "'H' here, but '\\x09', a line feed, '\\x0d', a space, '<'"},
    {"qwen2.5", {.required = true}, "", "the end"},
    {"qwen2.5", {.required = true}, PARIS "x", "'x' here, but"},
    {"qwen2.5", {.name = "noop"}, NOOP, NULL},
    {"qwen2.5", {.name = "noop"}, PARIS, "'g' here, but 'n'"},
    {"qwen2.5", {.one = true}, PARIS "\nDone.", NULL},
    {"qwen2.5", {.one = true}, "A <b>", NULL},
    {"qwen2.5", {.one = true}, PARIS "\n" NOOP, "'>' here, but"},
    {"qwen2.5", {.one = true, .required = true}, PARIS "\n" NOOP, "'\\x0a' here, but the end"},
    {"qwen2.5", {.schema = "{\"type\":\"integer\"}"}, "12", NULL},
    {"qwen2.5", {.schema = "{\"type\":\"integer\"}"}, PARIS, NULL},
    {"qwen2.5", {.schema = "{\"type\":\"integer\"}"}, "x", "'x' here, but"},
    /* thinking */
    {"qwen3", {0}, "<think>\n<tool_call> is a mark\n</think>\n\nHi", NULL},
    {"qwen3", {0}, "<think>\nno end <tool_call>", NULL},
    {"qwen3", {0}, "<think>Hm</think>\n\n" PARIS "\n<think>And?</think>" NOOP, NULL},
    {"qwen3", {0}, "Say <think> <tool_call> x", "'x' here, but"},
    {"qwen3", {.thinks = true}, "<tool_call> is a mark\n</think>\n\n" PARIS, NULL},
    {"qwen3", {.thinks = true}, "Hm\n</think>\n\n<tool_call>\nx", "'x' here, but"},
    {"qwen3", {.thinks = true}, "no end", NULL},
    {"qwen3", {.thinks = true, .required = true}, "Hm <tool_call>\n</think>\n\n" PARIS, NULL},
    {"qwen3", {.thinks = true, .required = true}, "Hm</think>Hi", "'H' here, but"},
    {"qwen3", {.required = true}, "<think>Hm</think>\n" PARIS, NULL},
    {"qwen3", {.required = true}, PARIS, NULL},
    {"qwen3", {.thinks = true, .schema = "{\"type\":\"integer\"}"}, "Hm</think>\n\n12", NULL},
    {"granite-3", {0}, "<think>Hm</think><response>Yes</response>", NULL},
    {"magistral", {0}, "So [THINK]Hm [TOOL_CALLS] [/THINK]\n[TOOL_CALLS]noop[ARGS]{}", NULL},
    /* a call ends thinking */
    {"apertus", {.thinks = true}, "Hm<|tools_prefix|>[{\"noop\": {}}]<|tools_suffix|>Yes", NULL},
    {"apertus", {.thinks = true, .required = true}, "Hm<|tools_prefix|>[{\"noop\": {}}]", NULL},
    {"apertus", {.thinks = true}, "Hm<|tools_prefix|>x", "'x' here, but"},
    /* calls that nothing announces, or ordinary text does */
    {"llama3.1", {0}, "{\"name\": \"Bob\", \"parameters\": {}}", NULL},
    {"llama3.1", {0}, "{\"name\": \"noop\", \"age\": 3}", NULL},
    {"llama3.1", {0}, "{\"name\": \"noop\", \"parameters\": {}}", NULL},
    {"llama3.1",
     {0},
     "{\"name\": \"noop\", \"parameters\": {\"a\": 1}}",
     "'\"' here, but a line feed, a space, '}'"},
    {"llama3.1", {0}, "[ noop(a=1", "'a' here, but ')'"},
    {"llama3.1", {0}, "So: {\"name\": \"noop\", \"parameters\": {\"a\": 1}}", NULL},
    {"llama3.1", {.required = true}, "{\"name\": \"noop\", \"parameters\": {}}", NULL},
    {"llama3.1",
     {.required = true},
     "<|python_tag|>{\"name\": \"noop\", \"parameters\": {}}",
     NULL},
    {"llama3.1", {.required = true}, "{\"name\": \"Bob\"", "'B' here, but"},
    {"phi-4", {0}, "```json\n{\"k\": 1}\n```", NULL},
    {"phi-4", {0}, "```json\n{\"name\": \"noop\", \"arguments\": {}}\n```", NULL},
    {"phi-4", {0}, "```json\n{\"name\": \"noop\", \"arguments\": {1", "'1' here, but"},
    {"firefunction-2", {0}, "The module functools has functools.reduce.", NULL},
    {"firefunction-2", {0}, "functools[1]", "'1' here, but a line feed, a space, '{'"},
    {"command-r", {0}, "Action: none", NULL},
    {"command-r",
     {0},
     "Action:```json\n[{\"tool_name\": \"directly-answer\", \"parameters\": {}}]```Hi",
     NULL},
    {"command-r",
     {.required = true},
     "Action:```json\n[{\"tool_name\": \"directly-answer\"",
     "'d' here"},
    {"functionary-3.2", {0}, "all\nHello", NULL},
    {"functionary-3.2", {.required = true}, "all\nHello", "'l' here, but 'd'"},
    {"functionary-3.2", {.required = true}, "noop\n{}>>>noop\n{}", NULL},
    {"functionary-3.2", {.one = true}, "all\nI look.>>>noop\n{}", NULL},
    {"functionary-3.2", {.one = true}, "noop\n{}>>>noop\n{}", "'>' here, but"},
    {"functionary-3.2", {.schema = "{\"type\":\"integer\"}"}, "all\n12", NULL},
    {"functionary-3.2", {.schema = "{\"type\":\"integer\"}"}, "all\nx", "'x' here, but"},
    {"gpt-oss", {.required = true}, "<|channel|>final<|message|>Hi", "'f' here, but 'a', 'c'"},
    {"gpt-oss",
     {.required = true},
     "<|channel|>analysis<|message|>Hm<|end|><|start|>assistant<|channel|>commentary "
     "to=functions.noop <|constrain|>json<|message|>{}<|call|>",
     NULL},
    {"gpt-oss", {.thinks = true}, "Hm<|end|><|start|>assistant<|channel|>final<|message|>Hi", NULL},
    {"gpt-oss", {0}, "<|channel|>commentary to=functions.nop", "'p' here, but 'o'"},
    {"gpt-oss", {.schema = "{\"type\":\"integer\"}"}, "<|channel|>final<|message|>12", NULL},
    {"gpt-oss",
     {.schema = "{\"type\":\"integer\"}"},
     "<|channel|>final<|message|>x",
     "'x' here, but"},
    /* notations */
    {"lfm2",
     {.required = true},
     "<|tool_call_start|>[set_flags(on=True, note=None), free(any={\"a\": [True, "
     "\"b\"]})]<|tool_call_end|>",
     NULL},
    {"lfm2", {.required = true}, "<|tool_call_start|>[set_flags(on=true", "'t' here, but 'F', 'T'"},
    {"gemma4",
     {.required = true},
     "<|tool_call>call:place{where:{x:1,y:{deep:true,text:<|\"|>a "
     "\"<tool_call|>\"\n<|\"|>}}}<tool_call|>",
     NULL},
    {"gemma4",
     {.required = true},
     "<|tool_call>call:get_weather{city:Paris",
     "'P' here, but a line feed, a space, '<'"},
    {"qwen3-coder",
     {.required = true},
     "<tool_call>\n<function=pick>\n<parameter=color>\nteal\n</"
     "parameter>\n<parameter=mode>\nfalse\n"
     "</parameter>\n<parameter=code>\nAB-1\n</parameter>\n</function>\n</tool_call>",
     NULL},
    {"qwen3-coder",
     {.required = true},
     "<tool_call>\n<function=pick>\n<parameter=color>\nnone\n</"
     "parameter>\n<parameter=mode>\ntrue\n",
     "'t' here, but '1', 'f', 'n'"},
    {"qwen3-coder",
     {.required = true},
     "<tool_call>\n<function=add>\n<parameter=a>\n1\n</parameter>\n</function>",
     "'/' here, but 'p'"},
    {"glm-4.5",
     {.required = true},
     "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>say \"<tool_call>\"</arg_value>\n"
     "<arg_key>days</arg_key>\n<arg_value>3</arg_value>\n</tool_call>",
     NULL},
    {"glm-4.5", {.required = true}, "<tool_call>noop<arg_key>", "'a' here, but '/'"},
    {"deepseek-v3.2",
     {.required = true},
     "<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"set_flags\">\n<｜DSML｜parameter "
     "name=\"level\" "
     "string=\"true\">7</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜function_calls>",
     NULL},
    {"deepseek-v3.2",
     {.required = true},
     "<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"get_weather\">\n<｜DSML｜parameter "
     "name=\"city\" "
     "string=\"false\">7",
     "'f' here, but 't'"},
};

static bool text_is_right(ingle_chat *chat, const char *json, size_t i)
{
    ingle_grammar *g = grammar_of(chat, json, texts[i].set);
    ingle_error err;
    bool is = admits(g, texts[i].text, strlen(texts[i].text), &err);
    bool right = texts[i].error ? !is && (!*texts[i].error || strstr(err.text, texts[i].error) ||
                                          !strcmp(texts[i].error, "the end"))
                                : is;
    if (!right)
        print_error("%s: %s: %s\n", texts[i].family, texts[i].text, is ? "is admitted" : err.text);
    ingle_grammar_close(&g);
    return right;
}

static void settings_matter(void **state)
{
    char *json = tools_json();
    size_t n_bad = 0;
    (void)state;
    for (size_t i = 0; i < N_OF(texts); i++) {
        const ingle_chat_family *f;
        size_t k = 0;
        while ((f = ingle_profile_family(k)) && strcmp(f->name, texts[i].family)) k++;
        ingle_chat *chat = chat_of(model, f->name, ingle_call_syntax_named(f->calls[0]));
        n_bad += !text_is_right(chat, json, i);
        ingle_chat_close(&chat);
    }
    free(json);
    assert_int_equal(n_bad, 0);
}

/* ---- marks that are control tokens ----------------------------------------------------------- */

/* The bundled model's vocabulary, in which the marks of calls are control tokens. */
static ingle_model *model_with_marks(int *fd)
{
    static const char key[] = "tokenizer.ggml.token_type";
    static uint8_t bytes[1 << 22];
    char path[32];
    ingle_model_options mo;
    ingle_model *m;
    ingle_error err;
    FILE *f = fopen(TINY, "rb");
    assert_non_null(f);
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    uint8_t *at = memmem(bytes, n, key, sizeof key - 1);
    assert_non_null(at);
    at += sizeof key - 1 + 4 + 4 + 8; /* types of the array and its elements, how many */
    at[4 * 2043] = at[4 * 2044] = 3;  /* <tool_call>, </tool_call> */
    *fd = gb_file(bytes, n, path);
    ingle_model_options_init(&mo);
    mo.parts = INGLE_PARTS_VOCAB;
    must(ingle_model_open(&m, path, &mo, &err), &err);
    return m;
}

static bool admits_token(ingle_grammar_state *s, int32_t token)
{
    const uint32_t *mask;
    ingle_error err;
    must(ingle_grammar_state_mask(s, &mask, &err), &err);
    return mask[token / 32] >> (token % 32) & 1;
}

static void accept_text(ingle_grammar_state *s, const char *text)
{
    ingle_error err;
    size_t n;
    must(ingle_grammar_state_text(s, text, strlen(text), &n, &err), &err);
}

static void marks_are_tokens(void **state)
{
    enum { CALL = 2043, CALL_END = 2044, END = 2047 };
    static const char head[] = "\n{\"name\": \"noop\", \"arguments\": {";
    int fd;
    char *json = tools_json();
    ingle_model *m = model_with_marks(&fd);
    ingle_chat *chat = chat_of(m, "qwen2.5", NULL);
    ingle_grammar *g = grammar_of(chat, json, (setting){.one = false}), *same;
    ingle_grammar_info info = {.size = sizeof info}, info2 = info;
    ingle_grammar_state *s;
    ingle_error err;
    (void)state;
    must(ingle_grammar_state_open(&s, g, &err), &err);
    assert_true(admits_token(s, CALL) && admits_token(s, END) && admits_token(s, 'a'));
    accept_text(s, "I look. ");
    assert_true(admits_token(s, CALL) && admits_token(s, CALL_END));
    must(ingle_grammar_state_accept(s, CALL, &err), &err);
    assert_false(admits_token(s, CALL) || admits_token(s, END));
    accept_text(s, head);
    accept_text(s, "}}\n");
    assert_true(admits_token(s, CALL_END) && !admits_token(s, END));
    must(ingle_grammar_state_accept(s, CALL_END, &err), &err);
    assert_true(admits_token(s, CALL) && admits_token(s, END));
    accept_text(s, "Or <tool_call>"); /* in bytes it begins a call, too */
    accept_text(s, head);
    assert_false(admits_token(s, END));
    same = grammar_of(chat, json, (setting){.one = false});
    must(ingle_grammar_info_get(g, &info, &err), &err);
    must(ingle_grammar_info_get(same, &info2, &err), &err);
    assert_int_equal(info.n_masks, info2.n_masks);
    ingle_grammar_close(&same);
    ingle_grammar_state_close(&s);
    ingle_grammar_close(&g);
    g = grammar_of(chat, json, (setting){.required = true});
    must(ingle_grammar_state_open(&s, g, &err), &err);
    assert_true(admits_token(s, CALL) && !admits_token(s, END) && !admits_token(s, CALL_END));
    ingle_grammar_state_close(&s);
    ingle_grammar_close(&g);
    ingle_chat_close(&chat);
    ingle_model_close(&m);
    close(fd);
    free(json);
}

/* ---- what is refused ------------------------------------------------------------------------- */

static void fails(const char *family, const char *json, setting set, ingle_status want,
                  const char *text)
{
    ingle_tools_options to;
    ingle_grammar *g = (ingle_grammar *)&to;
    ingle_error err = {""};
    ingle_chat *chat = chat_of(model, family, NULL);
    ingle_tools_options_init(&to);
    to.required = set.required;
    to.name = set.name;
    to.schema = set.schema;
    to.n_schema = set.schema ? strlen(set.schema) : 0;
    ingle_status st = ingle_grammar_open_tools(&g, chat, json, json ? strlen(json) : 0, &to, &err);
    assert_null(g);
    if (st != want || strcmp(err.text, text)) fail_msg("%s: %s", ingle_status_name(st), err.text);
    ingle_chat_close(&chat);
}

static void faults_are_named(void **state)
{
    static const char noop[] = "[{\"name\":\"noop\"}]";
    const setting plain = {0};
    (void)state;
    fails("qwen3", NULL, (setting){.required = true}, INGLE_EINVAL,
          "option 'required' needs tools, which are NULL");
    fails("qwen3", "[]", plain, INGLE_EINVAL, "tools should be an array of 1 to 1000 tools");
    fails("qwen3", "{}", plain, INGLE_EINVAL, "tools should be an array of 1 to 1000 tools");
    fails("qwen3", "[1]", plain, INGLE_EINVAL, "tools[0] should be an object with a name");
    fails("qwen3", noop, (setting){.name = "nop"}, INGLE_EINVAL, "no tool is named 'nop'");
    fails("qwen3", noop, (setting){.required = true, .schema = "{}"}, INGLE_EINVAL,
          "options 'schema' and 'required' exclude each other");
    fails("qwen3", noop, (setting){.schema = "{\"type\":1}"}, INGLE_EFORMAT,
          "answer: schema #: 'type': must name JSON's types");
    fails("qwen3", "[{\"name\":\"f\",\"parameters\":{\"type\":\"array\"}}]", plain,
          INGLE_EUNSUPPORTED, "tool 'f': schema #/type: arguments should be an object");
    fails("qwen3",
          "[{\"name\":\"f\",\"parameters\":{\"properties\":{\"a\":{\"pattern\":\"(a)\\\\1\"}}}}]",
          plain, INGLE_EUNSUPPORTED,
          "tool 'f': schema #/properties/a: 'pattern': column 4: the backreference '\\1': what a "
          "group matched cannot be asked for again");
    fails("qwen3", "[{\"name\":\"two words\"}]", plain, INGLE_EUNSUPPORTED,
          "the model's format has no way to call one of these tools");
    fails("lfm2", "[{\"name\":\"gr\xc3\xbc\xc3\x9f\"}]", plain, INGLE_EUNSUPPORTED,
          "the model's format has no way to call one of these tools");
    fails("seed-oss",
          "[{\"name\":\"f\",\"parameters\":{\"properties\":{\"a>b\":{}},\"required\":[\"a>b\"]}}]",
          plain, INGLE_EUNSUPPORTED,
          "tool 'f': schema: 'properties': 'a>b' cannot be written as an argument");
}

/* No text that is admitted leads nowhere: what cannot be written is not begun. */
static void nothing_leads_nowhere(void **state)
{
    static const struct {
        const char *family, *schema, *text, *error;
    } rows[] = {
        /* a key that a pattern allows, and names between tags have */
        {"seed-oss", "{\"patternProperties\":{\"^x-\":{}},\"additionalProperties\":false}",
         "<seed:tool_call><function=f><parameter=x-", NULL},
        /* and one that they do not have */
        {"seed-oss", "{\"patternProperties\":{\"^>\":{}},\"additionalProperties\":false}",
         "<seed:tool_call><function=f><p", "'p' here, but '/'"},
        /* a string that is the mark which ends it */
        {"seed-oss",
         "{\"properties\":{\"a\":{\"enum\":[\"</parameter>\",1]}},\"required\":[\"a\"]}",
         "<seed:tool_call><function=f><parameter=a><", "'<' here, but '1'"},
        {"seed-oss",
         "{\"properties\":{\"a\":{\"items\":{\"enum\":[\"</"
         "parameter>\",\"b\"]},\"type\":\"array\"}}}",
         "<seed:tool_call><function=f><parameter=a>[\"<", "'<' here, but 'b'"},
        {"lfm2", "{\"patternProperties\":{\"^x-\":{}},\"additionalProperties\":false}",
         "<|tool_call_start|>[f(x", "'x' here, but ')'"},
        {"gemma4", "{\"patternProperties\":{\"^x-\":{}},\"additionalProperties\":false}",
         "<|tool_call>call:f{x", "'x' here, but a line feed, a space, '}'"},
        /* what would be read as true is no string */
        {"seed-oss", "{\"allOf\":[{\"properties\":{\"a\":{\"enum\":[\"true\",\"no\"]}}}]}",
         "<seed:tool_call><function=f><parameter=a>t", "'t' here, but 'n'"},
    };
    (void)state;
    for (size_t i = 0; i < N_OF(rows); i++) {
        char json[512];
        ingle_chat *chat = chat_of(model, rows[i].family, NULL);
        ingle_error err = {""};
        size_t n_good, n = strlen(rows[i].text);
        ingle_grammar_state *s;
        snprintf(json, sizeof json, "[{\"name\":\"f\",\"parameters\":%s}]", rows[i].schema);
        ingle_grammar *g = grammar_of(chat, json, (setting){.required = true});
        must(ingle_grammar_state_open(&s, g, &err), &err);
        ingle_status st = ingle_grammar_state_text(s, rows[i].text, n, &n_good, &err);
        if (!rows[i].error != !st || (rows[i].error && !strstr(err.text, rows[i].error)))
            fail_msg("%s: %s", rows[i].text, err.text);
        ingle_grammar_state_close(&s);
        ingle_grammar_close(&g);
        ingle_chat_close(&chat);
    }
}

static void what_is_dropped_is_listed(void **state)
{
    static const char json[] =
        "[{\"name\":\"f\",\"parameters\":{\"properties\":{\"a\":{\"type\":\"string\",\"pattern\":"
        "\"(a)\\\\1\"}},\"required\":[\"a\"]}}]";
    ingle_tools_options to;
    ingle_grammar *g;
    ingle_grammar_info info = {.size = sizeof info};
    ingle_error err;
    (void)state;
    for (int i = 0; i < 2; i++) {
        ingle_chat *chat = chat_of(model, i ? "seed-oss" : "qwen3", NULL);
        ingle_tools_options_init(&to);
        to.lenient = true;
        must(ingle_grammar_open_tools(&g, chat, json, sizeof json - 1, &to, &err), &err);
        must(ingle_grammar_info_get(g, &info, &err), &err);
        assert_int_equal(info.n_dropped, 1);
        assert_string_equal(info.dropped[0],
                            "f: #/properties/a: pattern: column 4: the backreference '\\1': what a "
                            "group matched cannot be asked for again");
        ingle_grammar_close(&g);
        ingle_chat_close(&chat);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_walk),         cmocka_unit_test(rows_walk),
        cmocka_unit_test(cases_are_admitted),    cmocka_unit_test(settings_matter),
        cmocka_unit_test(marks_are_tokens),      cmocka_unit_test(faults_are_named),
        cmocka_unit_test(nothing_leads_nowhere), cmocka_unit_test(what_is_dropped_is_listed)};
    return cmocka_run_group_tests(tests, open_all, close_all);
}
