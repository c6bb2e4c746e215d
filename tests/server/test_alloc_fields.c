/* test_alloc_fields.c - every allocation of reading a body, and of making its sampling and grammar,
 * fails once: it is answered with 503, and nothing is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* before the others */
#include "wrap_alloc.h"
/* then this */
#include "server/chat.h"
/* and this */
#include "must.h"

static const char first[] =
    "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"x\"},{\"type\":"
    "\"text\",\"text\":\"y\"}]},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":"
    "\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":{\"x\":1}}},{\"id\":"
    "\"b\",\"type\":\"custom\",\"custom\":{\"name\":\"g\",\"input\":\"ls\"}}]},{\"role\":\"tool\","
    "\"tool_call_id\":\"b\",\"content\":\"2\"},{\"role\":\"tool\",\"tool_call_id\":\"a\","
    "\"content\":"
    "\"1\"}],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{"
    "\"type\":"
    "\"object\",\"properties\":{\"x\":{\"type\":\"string\",\"format\":\"tea\"}}}}},{\"type\":"
    "\"custom\",\"custom\":{\"name\":\"g\"}}],\"tool_choice\":{\"type\":\"allowed_tools\","
    "\"allowed_"
    "tools\":{\"mode\":\"auto\",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]}}"
    ","
    "\"stop\":[\"a\",\"b\"],\"stop_token_ids\":[1],\"logit_bias\":[[1,2],[\"text\",1]],"
    "\"samplers\":["
    "\"top_k\"],\"dry_sequence_breakers\":[\"x\"],\"metadata\":{\"a\":\"b\"},\"user\":\"u\",\"tfs_"
    "z\":"
    "1,\"modalities\":[\"text\"],\"chat_template_kwargs\":{\"a\":1},\"verbosity\":\"low\","
    "\"reasoning_effort\":\"high\",\"unknown\":1,\"structured_outputs\":{\"choice\":[\"a\",\"b\"]}"
    "}";
static const char second[] =
    "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"samplers\":\"top_k\",\"logit_bias\":{"
    "\"1\":1},\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":{\"type\":"
    "\"object\",\"properties\":{\"x\":{\"type\":\"string\",\"format\":\"tea\"}}}}}}";

static bool read(const ingle_json *body, ingle_chat *chat, ingle_model *model, api_error *error)
{
    field_reader r = {.error = error};
    ingle_chat_info info = {.size = sizeof info};
    ingle_grammar *grammar = NULL;
    generation g;
    generation_init(&g);
    bool ok = !ingle_chat_info_get(chat, &info, NULL) &&
              fields_read(&r, &chat_fields, body, &g, NULL) &&
              chat_read_body(&r, &g, body, &info, "{{ verbosity }}") &&
              generation_sampling(&g, body, chat, model, false, error) &&
              generation_grammar(&g, &grammar, chat, model, &info, false, &r);
    ingle_grammar_close(&grammar);
    generation_free(&g);
    fields_end(&r);
    return ok;
}

static void fail_each(const char *text)
{
    ingle_json_doc doc;
    ingle_error err = {""};
    ingle_model_options opt;
    ingle_model_options_init(&opt);
    opt.parts = INGLE_PARTS_VOCAB;
    must(ingle_json_open(&doc, text, strlen(text), NULL, &err), &err);
    for (long n = 1;; n++) {
        /* Anew each time: a model keeps the grammars that were opened last. */
        ingle_model *model;
        ingle_chat *chat;
        api_error error = {0};
        must(ingle_model_open(&model, INGLE_SOURCE_DIR "/models/tiny-chat.gguf", &opt, &err), &err);
        must(ingle_chat_open(&chat, model, NULL, &err), &err);
        wrap_alloc_begin(n);
        bool ok = read(doc.root, chat, model, &error);
        bool reached = wrap_alloc_end();
        ingle_chat_close(&chat);
        ingle_model_close(&model);
        if (ok != !error.status) fail_msg("allocation %ld: %d", n, error.status);
        if (!reached && !ok) fail_msg("%s: %s", error.param, error.message);
        if (!reached) break;
        if (!ok && error.status != 503) fail_msg("allocation %ld: %s", n, error.message);
    }
    ingle_json_close(&doc);
}

static void test_conversation(void **state)
{
    (void)state;
    fail_each(first);
}

static void test_schema(void **state)
{
    (void)state;
    fail_each(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_conversation),
                                       cmocka_unit_test(test_schema)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
