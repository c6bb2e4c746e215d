/* test_grammar_forms.c - answers whose text has a form, and answers that call nothing
 * (model/grammar_tools.h): random texts that a grammar admits come back from the parser as thinking
 * and a text of that form, or as calls where calls are possible, for the families; what the parser
 * would take for a call is refused where nothing may be called; what makes no sense is refused by
 * name. A sample of the families; all of them with INGLE_ALL_TOOLS=1. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <ingle.h>

#include "base/json.h"
#include "gguf_build.h"
#include "grammar_walk.h"
#include "must.h"

#define TINY INGLE_SOURCE_DIR "/models/tiny-chat.gguf"
#define CHATML                                                                                     \
    "{%- for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"    \
    "{%- if tools %}{{ tools | length }}{% endif %}"
#define N_OF(array) (sizeof(array) / sizeof *(array))

enum { SHARE = 6, SEEDS = 12 };

static const char tools[] =
    "[{\"name\":\"noop\"},{\"name\":\"get_weather\",\"parameters\":{\"properties\":{\"city\":{"
    "\"type\":\"string\"}},\"required\":[\"city\"],\"additionalProperties\":false}}]";

static ingle_model *model; /* without a vocabulary: marks are bytes */

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

static ingle_chat *chat_of(ingle_model *m, const char *family)
{
    char text[4096];
    ingle_chat_options co;
    ingle_chat *chat;
    ingle_error err;
    ingle_chat_profile p;
    ingle_profile_query q = {.family = family};
    must(ingle_profile_find(&p, &q, &err), &err);
    int n = snprintf(text, sizeof text, "%s", CHATML);
    const ingle_call_syntax *row = ingle_call_syntax_named(p.family->calls[0]);
    for (size_t i = 0; row && i < INGLE_SYNTAX_SIGNS && row->signs.all[i]; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "{# %s #}", row->signs.all[i]);
    ingle_chat_options_init(&co);
    co.template_text = text;
    co.n_template = (size_t)n;
    co.family = family;
    must(ingle_chat_open(&chat, m, &co, &err), &err);
    return chat;
}

/* ---- forms ----------------------------------------------------------------------------------- */

static const ingle_string choices[] = {
    {"yes", 3}, {"no", 2}, {"<maybe>", 7}, {"{\"name\": 1}", 11}};

typedef struct form {
    ingle_answer_form form;
    const char *text;
} form;

static const form forms[] = {
    {INGLE_ANSWER_ANY, NULL},
    {INGLE_ANSWER_SCHEMA,
     "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},\"arguments\":{\"type\":["
     "\"object\",\"array\"]}},\"required\":[\"name\"]}"},
    {INGLE_ANSWER_JSON, NULL},
    {INGLE_ANSWER_REGEX, "[^]{0,300}"},
    {INGLE_ANSWER_REGEX, "\\s*(yes|no|<[a-z]+>) ?[0-9]{1,3}"},
    {INGLE_ANSWER_GBNF, "root ::= part+\npart ::= [^()] | \"(\" root? \")\"\n"},
    {INGLE_ANSWER_CHOICE, NULL},
};

/* What judges a text of the form; NULL: any text is one. */
static ingle_grammar *judge_of(const form *f)
{
    ingle_grammar *g = NULL;
    ingle_error err;
    size_t n = f->text ? strlen(f->text) : 0;
    switch (f->form) {
    case INGLE_ANSWER_ANY: break;
    case INGLE_ANSWER_SCHEMA:
        must(ingle_grammar_open_schema(&g, NULL, f->text, n, NULL, &err), &err);
        break;
    case INGLE_ANSWER_JSON: must(ingle_grammar_open_json(&g, NULL, NULL, &err), &err); break;
    case INGLE_ANSWER_REGEX:
        must(ingle_grammar_open_regex(&g, NULL, f->text, n, NULL, &err), &err);
        break;
    case INGLE_ANSWER_GBNF:
        must(ingle_grammar_open_gbnf(&g, NULL, f->text, n, NULL, &err), &err);
        break;
    case INGLE_ANSWER_CHOICE:
        must(ingle_grammar_open_choice(&g, NULL, choices, N_OF(choices), NULL, &err), &err);
        break;
    }
    return g;
}

static bool admits(ingle_grammar *g, const char *text, size_t n)
{
    ingle_grammar_state *s;
    ingle_error err;
    size_t n_good;
    bool ends;
    must(ingle_grammar_state_open(&s, g, &err), &err);
    ingle_status st = ingle_grammar_state_text(s, text, n, &n_good, &err);
    must(ingle_grammar_state_ends(s, &ends, NULL, &err), &err);
    ingle_grammar_state_close(&s);
    return !st && n_good == n && ends;
}

typedef struct setting {
    bool with_tools, no_calls, thinks;
} setting;

static ingle_status open_form(ingle_grammar **g, ingle_chat *chat, const form *f, setting s,
                              ingle_error *err)
{
    ingle_tools_options to;
    ingle_tools_options_init(&to);
    to.form = f->form;
    to.schema = f->text;
    to.n_schema = f->text ? strlen(f->text) : 0;
    if (f->form == INGLE_ANSWER_CHOICE) to.choices = choices;
    if (f->form == INGLE_ANSWER_CHOICE) to.n_choices = N_OF(choices);
    to.no_calls = s.no_calls;
    to.thinks = s.thinks;
    return ingle_grammar_open_tools(g, chat, s.with_tools ? tools : NULL,
                                    s.with_tools ? sizeof tools - 1 : 0, &to, err);
}

/* ---- what comes back ------------------------------------------------------------------------- */

typedef struct answer {
    char content[4 * WALK_BYTES];
    char args[WALK_BYTES], name[64];
    size_t n, n_args, n_calls, n_reasoning;
    bool bad;
} answer;

static void note(void *user, const ingle_chat_event *e)
{
    answer *a = user;
    if (e->kind == INGLE_CHAT_REASONING) a->n_reasoning += e->text_len;
    if (e->kind == INGLE_CHAT_CONTENT) {
        assert_true(a->n + e->text_len < sizeof a->content);
        memcpy(a->content + a->n, e->text, e->text_len);
        a->n += e->text_len;
    } else if (e->kind == INGLE_CHAT_CALL_BEGIN) {
        a->n_calls++;
        a->n_args = 0;
        snprintf(a->name, sizeof a->name, "%.*s", (int)e->text_len, e->text);
    } else if (e->kind == INGLE_CHAT_CALL_ARGS && a->n_args + e->text_len < sizeof a->args) {
        memcpy(a->args + a->n_args, e->text, e->text_len);
        a->n_args += e->text_len;
    } else if (e->kind == INGLE_CHAT_CALL_END) {
        a->bad |= e->bad;
    }
}

static void parse(answer *a, ingle_chat *chat, setting s, const char *text, size_t n)
{
    ingle_chat_parser_options po;
    ingle_chat_parser *p;
    ingle_error err;
    *a = (answer){.n = 0};
    ingle_chat_parser_options_init(&po);
    po.tools = s.with_tools ? tools : NULL;
    po.n_tools = s.with_tools ? sizeof tools - 1 : 0;
    po.thinks = s.thinks;
    po.on_event = note;
    po.user = a;
    must(ingle_chat_parser_open(&p, chat, &po, &err), &err);
    must(ingle_chat_parser_feed(p, text, n, &err), &err);
    must(ingle_chat_parser_finish(p, &err), &err);
    ingle_chat_parser_close(&p);
}

/* ---- random texts ---------------------------------------------------------------------------- */

/* What tempts the parser: marks, and what makes calls of what follows them. */
static void temptations(walk_hints *h, const char *family)
{
    static const char *const texts[] = {
        "{\"name\": \"noop\", \"arguments\": {}}",
        "{'name': 'noop', 'arguments': {}}",
        "[{\"arguments\": {\"city\": \"\"}, \"name\": \"get_weather\"}]",
        "{\"type\":\"function\",\"function\":{\"name\":\"noop\",\"parameters\":{}}}",
        "{\"n\\u0061me\": \"no\\u006fp\", \"arguments\": {}}",
        "{,\"name\": \" noop\\n\",\"arguments\":\"{}\"",
        "[noop()]",
        "[noop.call(",
        "noop",
        "\"noop\"",
        "\"arguments\"",
        "\"name\"",
        "{}",
        ">{}",
        "\n",
        ":",
        "<|end|>",
        "<|start|>assistant<|channel|>final<|message|>",
        "<|channel|>final<|message|>"};
    ingle_chat_profile p;
    ingle_profile_query q = {.family = family};
    assert_int_equal(ingle_profile_find(&p, &q, NULL), INGLE_OK);
    walk_hints_of(h, family, NULL);
    for (size_t i = 0; i < N_OF(texts); i++) walk_hint(h, texts[i]);
    for (size_t i = 0; p.thinking && i < 2; i++) walk_hint(h, p.thinking->open[i]);
    for (size_t i = 0; p.thinking && i < 4; i++) walk_hint(h, p.thinking->passed_over[i]);
    for (size_t i = 0; i < INGLE_PROFILE_CALLS && p.calls[i]; i++) {
        walk_hint(h, p.calls[i]->section);
        walk_hint(h, p.calls[i]->open);
    }
}

typedef struct tally {
    size_t n_walks, n_whole, n_calls, n_thinking, n_bad;
} tally;

/* Whether the answer is what its grammar says. */
static bool is_right(const answer *a, const form *f, setting s, ingle_grammar *judge)
{
    bool calls = s.with_tools && !s.no_calls;
    if (a->n_calls && !calls) return false;
    if (a->n_calls && f->form) {
        bool known = !strcmp(a->name, "noop") || !strcmp(a->name, "get_weather");
        return known && !a->bad && !a->n && a->n_args;
    }
    return !judge || admits(judge, a->content, a->n);
}

static void walk_once(tally *t, ingle_chat *chat, ingle_grammar *g, const form *f, setting s,
                      ingle_grammar *judge, const walk_hints *h, uint64_t seed)
{
    static char text[WALK_BYTES + 1];
    static answer a;
    size_t n = 0;
    ingle_grammar_state *state;
    ingle_error err;
    must(ingle_grammar_state_open(&state, g, &err), &err);
    t->n_walks++;
    bool whole = walk_on(&state, text, &n, h, &seed);
    ingle_grammar_state_close(&state);
    if (!whole) return;
    t->n_whole++;
    parse(&a, chat, s, text, n);
    t->n_calls += a.n_calls;
    t->n_thinking += a.n_reasoning > 0;
    if (is_right(&a, f, s, judge)) return;
    t->n_bad++;
    print_error("form %d, tools %d, no calls %d, thinks %d:\n%.*s\n  content: %.*s\n  %zu calls\n",
                (int)f->form, s.with_tools, s.no_calls, s.thinks, (int)n, text, (int)a.n, a.content,
                a.n_calls);
}

static void walk_form(tally *t, ingle_chat *chat, const form *f, setting s, const walk_hints *h)
{
    ingle_grammar *g, *judge = judge_of(f);
    ingle_error err = {""};
    ingle_chat_info info = {.size = sizeof info};
    ingle_status st = open_form(&g, chat, f, s, &err);
    must(ingle_chat_info_get(chat, &info, &err), &err);
    if (st == INGLE_EUNSUPPORTED && s.with_tools && !s.no_calls && !info.call_trigger) {
        ingle_grammar_close(&judge);
        return; /* the family has no format */
    }
    must(st, &err);
    for (uint64_t seed = 0; seed < SEEDS; seed++)
        walk_once(t, chat, g, f, s, judge, h, seed * 977 + f->form);
    ingle_grammar_close(&g);
    ingle_grammar_close(&judge);
}

static void families_walk(void **state)
{
    static const setting settings[] = {{true, false, false},  {true, false, true},
                                       {true, true, false},   {true, true, true},
                                       {false, false, false}, {false, true, true}};
    const bool all = getenv("INGLE_ALL_TOOLS") != NULL;
    const ingle_chat_family *f;
    tally sum = {0};
    (void)state;
    for (size_t i = 0; (f = ingle_profile_family(i)) != NULL; i++) {
        ingle_chat *chat = chat_of(model, f->name);
        tally t = {0};
        walk_hints h;
        temptations(&h, f->name);
        for (size_t k = 0; k < N_OF(forms); k++)
            for (size_t j = 0; j < N_OF(settings); j++)
                if (all || (i + 7 * k + j) % SHARE == 0)
                    walk_form(&t, chat, &forms[k], settings[j], &h);
        ingle_chat_close(&chat);
        if (t.n_bad || 2 * t.n_whole < t.n_walks)
            print_error("%s: %zu walks, %zu whole, %zu bad\n", f->name, t.n_walks, t.n_whole,
                        t.n_bad);
        sum.n_bad += t.n_bad + (2 * t.n_whole < t.n_walks);
        sum.n_calls += t.n_calls;
        sum.n_thinking += t.n_thinking;
    }
    assert_int_equal(sum.n_bad, 0);
    assert_true(sum.n_calls > 20);
    assert_true(sum.n_thinking > 20);
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

/* What the parser takes for a call is not admitted where nothing may be called. */
static void calls_are_refused(void **state)
{
    const form any = {INGLE_ANSWER_ANY, NULL};
    size_t n_calls = 0, n_plain = 0;
    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        static answer a;
        ingle_grammar *g;
        ingle_error err;
        if (cases[i].flags & ~(unsigned)THINKS) continue;
        const setting s = {true, true, cases[i].flags & THINKS};
        ingle_chat *chat = chat_of(model, cases[i].family);
        size_t n = strlen(cases[i].text);
        parse(&a, chat, s, cases[i].text, n);
        must(open_form(&g, chat, &any, s, &err), &err);
        bool is = admits(g, cases[i].text, n);
        if (is && a.n_calls) fail_msg("%s: is admitted: %s", cases[i].family, cases[i].text);
        n_calls += a.n_calls > 0;
        n_plain += is;
        ingle_grammar_close(&g);
        ingle_chat_close(&chat);
    }
    assert_true(n_calls > 100);
    assert_true(n_plain > 20);
}

/* ---- texts ----------------------------------------------------------------------------------- */

static void plain_texts_are_admitted(void **state)
{
    static const struct {
        const char *family;
        ingle_answer_form form;
        const char *schema, *text;
        bool thinks, is;
    } rows[] = {
        /* JSON that is no call stays possible */
        {"generic", 0, NULL, "So:\n```json\n{\"name\": \"Alice\", \"id\": 3}\n```\n", false, true},
        {"generic", 0, NULL, "{\"name\": \"noop\", \"id\": 3}", false, true},
        {"generic", 0, NULL, "{\"name\": \"noop\", \"arguments\": {}}", false, false},
        {"generic", 0, NULL, "It is {\"name\": \"noop\", \"arguments\": {}}", false, true},
        {"generic", 0, NULL, "```json\n[{\"arguments\": 1, \"name\": 'noop'}]", false, false},
        {"generic", 0, NULL, "<think>no</think>\n{\"name\": \"noop\", \"arguments\": {}}", false,
         false},
        {"generic", 0, NULL, "<think>no</think>\n{\"name\": \"no\", \"arguments\": {}}", false,
         true},
        {"generic", 0, NULL, "hm</think>[1]", true, true},
        {"generic", 0, NULL, "hm", true, true},
        {"llama3.1", 0, NULL, "[noop()]", false, false},
        {"llama3.1", 0, NULL, "[other()]", false, true},
        {"llama3.1", 0, NULL, "so <|python_tag|>", false, false},
        {"qwen3", 0, NULL, "a <tool_cal and <function", false, true},
        {"qwen3", 0, NULL, "a <tool_call>", false, false},
        {"gpt-oss", 0, NULL, "<|channel|>final<|message|>Hi", false, true},
        {"gpt-oss", 0, NULL, "<|channel|>commentary to=functions.noop<|message|>{}", false, false},
        {"functionary-3.2", 0, NULL, "all\nHi", false, true},
        {"functionary-3.2", 0, NULL, "noop\n{}", false, false},
        {"functionary-3.2", INGLE_ANSWER_REGEX, "a+", "all\naa", false, true},
        {"gemma2", 0, NULL, "any <tool_call>{\"name\":\"noop\",\"arguments\":{}}", false, true},
        {"gemma2", INGLE_ANSWER_REGEX, "a+", "aaa", false, true},
        {"gemma2", INGLE_ANSWER_REGEX, "a+", "\naaa", false, false},
        {"qwen3", INGLE_ANSWER_REGEX, "a+", "\n\naaa", false, true},
        {"qwen3", INGLE_ANSWER_REGEX, "a+", "hm</think>\n\naaa", true, true},
        {"qwen3", INGLE_ANSWER_REGEX, "a+", "hm</think>\n\nb", true, false},
        {"qwen3", INGLE_ANSWER_REGEX, "a+", "hm", true, false},
        {"qwen3", INGLE_ANSWER_JSON, NULL, "{\"a\": \"<tool_call>{'name':1}\"}", false, false},
        {"qwen3", INGLE_ANSWER_JSON, NULL, "{\"<tool_call>\": 1}", false, false},
        {"qwen3", INGLE_ANSWER_JSON, NULL, "{\"a\": \"\\u003ctool_call>\"}", false, true},
        {"generic", INGLE_ANSWER_JSON, NULL, "{\"name\": \"noop\", \"arguments\": {}}", false,
         false},
        {"generic", INGLE_ANSWER_JSON, NULL, "{\"name\": \"noop\", \"argument\": {}}", false, true},
        {"generic", INGLE_ANSWER_JSON, NULL, "{\"a\": 1, \"name\": \"noop\", \"arguments\": {}}",
         false, true},
        {"qwen3", INGLE_ANSWER_GBNF, "root ::= \"a\" root \"b\" | [^ab]", "aa?bb", false, true},
        {"qwen3", INGLE_ANSWER_GBNF, "root ::= [^b] root | \"b\"", "a <tool_call>b", false, false},
        {"qwen3", INGLE_ANSWER_GBNF, "root ::= [^b] root | \"b\"", "a <tool_cab", false, true},
        {"gpt-oss", INGLE_ANSWER_REGEX, "a+",
         "<|channel|>analysis<|message|>x<|end|><|start|>assistant<|channel|>final<|message|>aa",
         false, true},
        {"gpt-oss", INGLE_ANSWER_REGEX, "a+", "x<|end|>", true, false},
    };
    (void)state;
    for (size_t i = 0; i < N_OF(rows); i++) {
        const form f = {rows[i].form, rows[i].schema};
        ingle_chat *chat = chat_of(model, rows[i].family);
        ingle_grammar *g;
        ingle_error err;
        must(open_form(&g, chat, &f, (setting){true, true, rows[i].thinks}, &err), &err);
        if (admits(g, rows[i].text, strlen(rows[i].text)) != rows[i].is)
            fail_msg("%s: %s: %s", rows[i].family, rows[i].text, rows[i].is ? "refused" : "taken");
        ingle_grammar_close(&g);
        ingle_chat_close(&chat);
    }
}

/* ---- options --------------------------------------------------------------------------------- */

static void fails(const char *json, const ingle_tools_options *to, ingle_status want,
                  const char *text)
{
    ingle_chat *chat = chat_of(model, "qwen3");
    ingle_grammar *g;
    ingle_error err = {""};
    ingle_status st = ingle_grammar_open_tools(&g, chat, json, json ? strlen(json) : 0, to, &err);
    assert_null(g);
    if (st != want || !strstr(err.text, text)) fail_msg("%s: %s", ingle_status_name(st), err.text);
    ingle_chat_close(&chat);
}

#define FAILS(json, want, text, ...)                                                               \
    do {                                                                                           \
        const ingle_tools_options to_ = {.size = sizeof to_, __VA_ARGS__};                         \
        fails(json, &to_, want, text);                                                             \
    } while (0)

static void nonsense_is_refused(void **state)
{
    static const ingle_string mark = {"so <tool_call>", 14}, no_text = {NULL, 1}, plain = {"a", 1};
    const ingle_string trigger = {"x", 1};
    ingle_grammar_options lazy;
    ingle_grammar_options_init(&lazy);
    lazy.lazy = true;
    lazy.triggers = &trigger;
    lazy.n_triggers = 1;
    (void)state;
    FAILS(NULL, INGLE_EINVAL, "option 'required' needs tools", .required = true);
    FAILS(NULL, INGLE_EINVAL, "option 'name' needs tools", .name = "noop");
    FAILS(tools, INGLE_EINVAL, "options 'no_calls' and 'required' exclude each other",
          .required = true, .no_calls = true);
    FAILS(tools, INGLE_EINVAL, "options 'no_calls' and 'name' exclude each other", .name = "noop",
          .no_calls = true);
    FAILS(tools, INGLE_EINVAL, "options 'form' and 'required' exclude each other", .required = true,
          .form = INGLE_ANSWER_JSON);
    FAILS(tools, INGLE_EINVAL, "option 'form' is 6, should be 0 to 5",
          .form = (ingle_answer_form)6);
    FAILS(tools, INGLE_EINVAL, "option 'schema' is NULL, should be the text of option 'form' REGEX",
          .form = INGLE_ANSWER_REGEX);
    FAILS(tools, INGLE_EINVAL, "option 'schema' has a text, which option 'form' JSON has not",
          .form = INGLE_ANSWER_JSON, .schema = "{}", .n_schema = 2);
    FAILS(tools, INGLE_EINVAL, "option 'choices' has 0 texts, should be 1 to",
          .form = INGLE_ANSWER_CHOICE);
    FAILS(tools, INGLE_EINVAL, "option 'choices' is for option 'form' CHOICE, not JSON",
          .form = INGLE_ANSWER_JSON, .choices = &plain, .n_choices = 1);
    FAILS(tools, INGLE_EINVAL, "option 'choices': number 0 has no text",
          .form = INGLE_ANSWER_CHOICE, .choices = &no_text, .n_choices = 1);
    FAILS(tools, INGLE_EUNSUPPORTED, "answer: choice 0 is not plain text in the model's format",
          .form = INGLE_ANSWER_CHOICE, .choices = &mark, .n_choices = 1);
    FAILS(tools, INGLE_EFORMAT, "answer: no text that matches the pattern is plain text",
          .form = INGLE_ANSWER_REGEX, .schema = "a<tool_call>b", .n_schema = 13);
    FAILS(tools, INGLE_EFORMAT, "answer: schema", .form = INGLE_ANSWER_SCHEMA, .schema = "[]",
          .n_schema = 2);
    FAILS(tools, INGLE_EFORMAT, "answer: schema #: no value", .form = INGLE_ANSWER_SCHEMA,
          .schema = "{\"const\":\"<tool_call>\"}", .n_schema = 23);
    FAILS(tools, INGLE_EFORMAT, "answer: ", .form = INGLE_ANSWER_GBNF, .schema = "x",
          .n_schema = 1);
    FAILS(tools, INGLE_EFORMAT, "answer: ", .form = INGLE_ANSWER_REGEX, .schema = "(",
          .n_schema = 1);
    FAILS(tools, INGLE_EINVAL, "option 'grammar' needs option 'form'", .grammar = &lazy);
    FAILS(tools, INGLE_EINVAL, "option 'grammar': a form cannot be lazy", .grammar = &lazy,
          .form = INGLE_ANSWER_JSON);
}

/* What compiles a form has its own options, and what they drop is listed. */
static void options_of_the_form(void **state)
{
    static const char schema[] = "{\"properties\":{\"b\":{\"$ref\":\"http://x/y\"},\"a\":{\"type\":"
                                 "\"string\",\"pattern\":\"(a)\\\\1\"}},\"required\":[\"a\"],"
                                 "\"type\":\"object\"}";
    static const ingle_document document = {"http://x/y", "{\"type\":\"integer\"}", 18};
    ingle_chat *chat = chat_of(model, "qwen3");
    ingle_grammar_options go;
    ingle_tools_options to;
    ingle_grammar *g;
    ingle_grammar_info info = {.size = sizeof info};
    ingle_error err;
    (void)state;
    ingle_grammar_options_init(&go);
    ingle_tools_options_init(&to);
    go.lenient = go.compact = go.any_order = true;
    go.documents = &document;
    go.n_documents = 1;
    to.schema = schema;
    to.n_schema = sizeof schema - 1;
    to.grammar = &go;
    must(ingle_grammar_open_tools(&g, chat, NULL, 0, &to, &err), &err);
    must(ingle_grammar_info_get(g, &info, &err), &err);
    assert_int_equal(info.n_dropped, 1);
    assert_non_null(strstr(info.dropped[0], "answer: #/properties/a: pattern: "));
    assert_true(admits(g, "{\"a\":\"x\",\"b\":1}", 15));
    assert_false(admits(g, "{\"a\":\"x\",\"b\":true}", 18));
    assert_false(admits(g, "{\"a\": \"x\",\"b\":1}", 16));
    ingle_grammar_close(&g);
    go.lenient = false;
    assert_int_equal(ingle_grammar_open_tools(&g, chat, NULL, 0, &to, &err), INGLE_EUNSUPPORTED);
    ingle_chat_close(&chat);
}

/* ---- tokens ---------------------------------------------------------------------------------- */

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

static int32_t draw(const uint32_t *mask, int32_t n_vocab, uint64_t *seed)
{
    int32_t special = n_vocab - 64; /* the last ones are marks: preferred now and then */
    for (int tries = 0; tries < 100000; tries++) {
        bool mark = walk_draw(seed) % 6 == 0;
        int32_t t = mark ? special + (int32_t)(walk_draw(seed) % 64)
                         : (int32_t)(walk_draw(seed) % (uint32_t)n_vocab);
        if (mask[t / 32] >> (t % 32) & 1) return t;
    }
    for (int32_t t = 0; t < n_vocab; t++)
        if (mask[t / 32] >> (t % 32) & 1) return t;
    return -1;
}

static size_t token_walk(ingle_chat *chat, ingle_model *m, ingle_grammar *g, setting s,
                         uint64_t seed)
{
    static char text[1 << 16];
    static answer a;
    ingle_grammar_state *state;
    ingle_error err;
    ingle_vocab_info v;
    const ingle_vocab *vocab = m->vocab;
    size_t n = 0;
    ingle_vocab_info_get(vocab, &v);
    must(ingle_grammar_state_open(&state, g, &err), &err);
    for (int i = 0; i < 60; i++) {
        const uint32_t *mask;
        size_t len = 0;
        ingle_token_info info = {.size = sizeof info};
        must(ingle_grammar_state_mask(state, &mask, &err), &err);
        int32_t t = draw(mask, v.n_tokens, &seed);
        if (t < 0) break;
        must(ingle_vocab_token(vocab, t, &info, &err), &err);
        if (info.eog) continue;
        must(ingle_grammar_state_accept(state, t, &err), &err);
        must(ingle_vocab_piece(vocab, t, INGLE_UNPARSE_SPECIAL, text + n, sizeof text - n, &len,
                               &err),
             &err);
        n += len;
        parse(&a, chat, s, text, n); /* of no beginning either */
        if (!a.n_calls) continue;
        print_error("a call: %.*s\n", (int)n, text);
        break;
    }
    ingle_grammar_state_close(&state);
    return a.n_calls;
}

static void tokens_call_nothing(void **state)
{
    static const char *const families[] = {"qwen3", "generic", "hermes", "llama3.1", "gpt-oss"};
    int fd;
    ingle_model *m = model_with_marks(&fd);
    size_t n_calls = 0;
    (void)state;
    for (size_t i = 0; i < N_OF(families); i++) {
        ingle_chat *chat = chat_of(m, families[i]);
        for (size_t k = 0; k < 4; k++) {
            const setting s = {true, true, k & 1};
            const form f = {k & 2 ? INGLE_ANSWER_GBNF : INGLE_ANSWER_ANY,
                            k & 2 ? "root ::= part*\npart ::= [^()] | \"(\" root \")\"\n" : NULL};
            ingle_grammar *g;
            ingle_error err;
            must(open_form(&g, chat, &f, s, &err), &err);
            for (uint64_t seed = 0; seed < 10; seed++) n_calls += token_walk(chat, m, g, s, seed);
            ingle_grammar_close(&g);
        }
        ingle_chat_close(&chat);
    }
    assert_int_equal(n_calls, 0);
    ingle_model_close(&m);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(families_walk),
                                       cmocka_unit_test(calls_are_refused),
                                       cmocka_unit_test(plain_texts_are_admitted),
                                       cmocka_unit_test(nonsense_is_refused),
                                       cmocka_unit_test(options_of_the_form),
                                       cmocka_unit_test(tokens_call_nothing)};
    return cmocka_run_group_tests(tests, open_model, close_model);
}
