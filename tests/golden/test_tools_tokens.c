/* test_tools_tokens.c - grammars for calls of tools against real vocabularies,
 * $INGLE_DATA/golden/tokenizers: calls as models write them, token by token, marks that are control
 * tokens included. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <ingle.h>

#include "must.h"

#define N_OF(array) (sizeof(array) / sizeof *(array))

enum { MOST_TOKENS = 400 };

static const char tools[] =
    "[{\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"parameters\":{\"type\":"
    "\"object\","
    "\"properties\":{\"city\":{\"type\":\"string\"},\"days\":{\"type\":\"integer\"}},\"required\":["
    "\"city\"]}}},{\"name\":\"noop\"}]";

static const struct {
    const char *vocabulary, *family, *sign;
    bool thinks, required;
    const char *text; /* an end token at its end has to be admitted */
} cases[] = {
    {"o200k-harmony", "gpt-oss", "<|channel|>commentary to=", false, false,
     "<|channel|>analysis<|message|>The user asks. I call.<|end|><|start|>assistant<|channel|>"
     "commentary to=functions.get_weather <|constrain|>json<|message|>{\"city\": "
     "\"Paris\"}<|call|>"},
    {"o200k-harmony", "gpt-oss", "<|channel|>commentary to=", false, true,
     "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant to=functions.noop<|channel|>"
     "commentary json<|message|>{}<|call|>"},
    {"o200k-harmony", "gpt-oss", "<|channel|>commentary to=", true, false,
     "Hm.<|end|><|start|>assistant<|channel|>final<|message|>Yes, **it** is.<|return|>"},
    {"llama-bpe", "llama3.1", "<|python_tag|>parameters", false, false,
     "{\"name\": \"get_weather\", \"parameters\": {\"city\": \"Paris\"}}<|eot_id|>"},
    {"llama-bpe", "llama3.1", "<|python_tag|>parameters", false, false,
     "It is {\"name\": \"sunny\"} in <b>Paris</b>, \xc3\xa9t\xc3\xa9.<|eot_id|>"},
    {"mistral-v3", "mistral", "[TOOL_CALLS]", false, true,
     "[TOOL_CALLS][{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Paris\"}, \"id\": "
     "\"abcdef123\"}]</s>"},
    {"mistral-v3", "mistral", "[TOOL_CALLS]", false, false, "The weather [TOOL is fine.</s>"},
    {"command-r", "command-r", "Action:```jsontool_name", false, false,
     "Action:\n```json\n[\n    {\n        \"tool_name\": \"get_weather\",\n        \"parameters\": "
     "{"
     "\"city\": \"Paris\"}\n    }\n]```<|END_OF_TURN_TOKEN|>"},
    {"phi-3", "phi-3", NULL, false, true,
     "```json\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Paris\", \"days\": "
     "3}}\n```<|end|>"},
    {"qwen2", "qwen3", "<tool_call></tool_call>", false, false,
     "<think>\nHm, <tool_call>?\n</think>\n\n<tool_call>\n{\"name\": \"get_weather\", "
     "\"arguments\": "
     "{\"city\": \"Paris\"}}\n</tool_call>\n<tool_call>\n{\"name\": \"noop\", \"arguments\": {}}\n"
     "</tool_call><|im_end|>"},
    {"qwen2", "qwen3-coder", "<tool_call><function=<parameter=", false, true,
     "<tool_call>\n<function=get_weather>\n<parameter=city>\nParis "
     "\"</b>\"\n</parameter>\n<parameter="
     "days>\n3\n</parameter>\n</function>\n</tool_call><|im_end|>"},
    {"gemma2", "gemma4", "<|tool_call>call:", false, true,
     "<|tool_call>call:get_weather{city:<|\"|>Paris<|\"|>,days:3}<tool_call|><end_of_turn>"},
    {"deepseek-llm", "deepseek-r1",
     "<\xef\xbd\x9ctool\xe2\x96\x81"
     "call\xe2\x96\x81"
     "begin\xef\xbd\x9c>```json",
     true, false,
     "Hm.\n</think>\n\n<\xef\xbd\x9ctool\xe2\x96\x81"
     "calls\xe2\x96\x81"
     "begin\xef\xbd\x9c><\xef\xbd\x9ctool\xe2\x96\x81"
     "call\xe2\x96\x81"
     "begin\xef\xbd\x9c>function<\xef\xbd\x9ctool\xe2\x96\x81sep\xef\xbd\x9c>noop\n```json\n{}\n```"
     "<"
     "\xef\xbd\x9ctool\xe2\x96\x81"
     "call\xe2\x96\x81"
     "end\xef\xbd\x9c><\xef\xbd\x9ctool\xe2\x96\x81"
     "calls\xe2\x96\x81"
     "end\xef\xbd\x9c><\xef\xbd\x9c"
     "end\xe2\x96\x81of\xe2\x96\x81sentence\xef\xbd\x9c>"},
};

static ingle_model *open_vocabulary(const char *name)
{
    char path[1024];
    ingle_model_options mo;
    ingle_model *m = NULL;
    snprintf(path, sizeof path, "%s/golden/tokenizers/ggml-vocab-%s.gguf",
             getenv("INGLE_DATA") ? getenv("INGLE_DATA") : "", name);
    ingle_model_options_init(&mo);
    mo.parts = INGLE_PARTS_VOCAB;
    return ingle_model_open(&m, path, &mo, NULL) ? NULL : m;
}

static ingle_grammar *open_grammar(ingle_model *m, size_t i)
{
    char text[512];
    ingle_chat_options co;
    ingle_tools_options to;
    ingle_chat *chat;
    ingle_grammar *g;
    ingle_error err;
    ingle_chat_options_init(&co);
    co.n_template = (size_t)snprintf(text, sizeof text, "{%% if tools %%}{%% endif %%}{# %s #}",
                                     cases[i].sign ? cases[i].sign : "");
    co.template_text = text;
    co.family = cases[i].family;
    must(ingle_chat_open(&chat, m, &co, &err), &err);
    ingle_tools_options_init(&to);
    to.thinks = cases[i].thinks;
    to.required = cases[i].required;
    must(ingle_grammar_open_tools(&g, chat, tools, sizeof tools - 1, &to, &err), &err);
    ingle_chat_close(&chat);
    return g;
}

static bool has(const uint32_t *mask, int32_t token)
{
    return mask[token / 32] >> (token % 32) & 1;
}

static void check(ingle_model *m, size_t i)
{
    ingle_grammar *g = open_grammar(m, i);
    ingle_grammar_state *s;
    ingle_error err;
    int32_t token[MOST_TOKENS];
    size_t n = 0;
    must(ingle_tokenize(m, cases[i].text, strlen(cases[i].text),
                        INGLE_PARSE_SPECIAL | INGLE_CONTINUE, token, MOST_TOKENS, &n, &err),
         &err);
    must(ingle_grammar_state_open(&s, g, &err), &err);
    for (size_t k = 0; k < n; k++) {
        const uint32_t *mask;
        ingle_token_info info = {.size = sizeof info};
        must(ingle_token_info_get(m, token[k], &info, &err), &err);
        must(ingle_grammar_state_mask(s, &mask, &err), &err);
        bool is = has(mask, token[k]);
        ingle_status st = info.eog ? INGLE_OK : ingle_grammar_state_accept(s, token[k], &err);
        if (!is || st)
            fail_msg("%s, %s: token %zu '%.*s' of: %s\n%s", cases[i].vocabulary, cases[i].family, k,
                     (int)info.len, info.text, cases[i].text, st ? err.text : "");
        if (info.eog) break;
    }
    ingle_grammar_state_close(&s);
    ingle_grammar_close(&g);
}

static void calls_are_admitted(void **state)
{
    size_t n = 0;
    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        ingle_model *m = open_vocabulary(cases[i].vocabulary);
        if (!m) continue;
        check(m, i);
        ingle_model_close(&m);
        n++;
    }
    if (!n) skip();
    print_message("%zu calls in real vocabularies\n", n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(calls_are_admitted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
