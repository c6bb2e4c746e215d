/* test_alloc_tools.c - every allocation of opening a grammar for calls of tools fails once:
 * INGLE_ENOMEM, and nothing is left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <ingle.h>

#include "must.h"
#include "wrap_alloc.h"

#define TINY INGLE_SOURCE_DIR "/models/tiny-chat.gguf"

static const char tools[] =
    "[{\"name\":\"f\",\"parameters\":{\"properties\":{\"a\":{\"type\":\"string\",\"pattern\":\"^x+$"
    "\"},"
    "\"b\":{\"type\":[\"integer\",\"string\",\"null\"]},\"c\":{\"type\":\"array\",\"items\":{"
    "\"enum\":[1,"
    "\"y\",true]},\"uniqueItems\":true},\"d\":{}},\"required\":[\"a\"]}},{\"name\":\"g\"}]";

static void fail_each(ingle_model *model, const char *family, bool required, ingle_answer_form form)
{
    static const char *const text[] = {[INGLE_ANSWER_SCHEMA] =
                                           "{\"type\":\"object\",\"required\":[\"a\"]}",
                                       [INGLE_ANSWER_REGEX] = "(a|b){2,5}c*",
                                       [INGLE_ANSWER_GBNF] = "root ::= \"(\" root \")\" | [a-z]+"};
    static const ingle_string choices[] = {{"yes", 3}, {"no", 2}};
    static const ingle_document document = {"http://x/y", "{}", 2};
    ingle_grammar_options go;
    ingle_chat_options co;
    ingle_tools_options to;
    ingle_chat *chat;
    ingle_error err;
    ingle_chat_options_init(&co);
    co.family = family;
    co.template_text = "{% if tools %}{{ tools }}{% endif %}";
    co.n_template = strlen(co.template_text);
    must(ingle_chat_open(&chat, model, &co, &err), &err);
    ingle_tools_options_init(&to);
    ingle_grammar_options_init(&go);
    go.documents = &document;
    go.n_documents = 1;
    to.required = required;
    to.form = form;
    to.no_calls = form && required;
    if (form) {
        to.required = false;
        to.grammar = &go;
    }
    if (form && form < INGLE_ANSWER_CHOICE) to.schema = text[form];
    if (to.schema) to.n_schema = strlen(to.schema);
    if (form == INGLE_ANSWER_CHOICE) to.choices = choices;
    if (form == INGLE_ANSWER_CHOICE) to.n_choices = 2;
    for (long n = 1;; n++) {
        ingle_grammar *g = NULL;
        err = (ingle_error){"no memory"};
        wrap_alloc_begin(n);
        ingle_status st = ingle_grammar_open_tools(&g, chat, tools, sizeof tools - 1, &to, &err);
        if (!st) assert_non_null(g);
        ingle_grammar_close(&g);
        bool reached = wrap_alloc_end();
        assert_int_equal(wrap_alloc_live(), 0);
        if (!reached) {
            must(st, &err);
            assert_true(n > 50);
            break;
        }
        assert_int_equal(st, INGLE_ENOMEM);
        assert_text(&err, "no memory");
    }
    ingle_chat_close(&chat);
}

static void opening_fails_cleanly(void **state)
{
    /* one of each kind of format, without tokens */
    static const char *const families[] = {
        "qwen3",  "llama3.1", "mistral-small", "deepseek-r1", "gpt-oss",     "lfm2",
        "gemma4", "glm-4.5",  "phi-4",         "minimax-m3",  "deepseek-v4", "functionary-3.2"};
    ingle_model_options mo;
    ingle_model *model;
    ingle_error err;
    (void)state;
    ingle_model_options_init(&mo);
    mo.parts = INGLE_PARTS_META;
    must(ingle_model_open(&model, TINY, &mo, &err), &err);
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        fail_each(model, families[i], i % 2, INGLE_ANSWER_ANY);
    for (size_t i = 0; i < 10; i++)
        fail_each(model, families[i % 5 ? i % 5 : 8], i < 5,
                  (ingle_answer_form)(i % 5 + INGLE_ANSWER_SCHEMA));
    ingle_model_close(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(opening_fails_cleanly)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
