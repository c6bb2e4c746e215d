/* test_alloc_anthropic.c - every allocation of reading a body of Messages, and of putting an answer
 * into its words, fails once: it is answered with 503, or known to be not whole, and nothing is
 * left. */
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
#include "server/anthropic.h"

static const char BODY[] =
    "{\"max_tokens\":90,\"system\":[{\"type\":\"text\",\"text\":\"x-anthropic-billing-header: a\"},"
    "{\"type\":\"text\",\"text\":\"Be kind.\",\"cache_control\":{}}],\"messages\":[{\"role\":"
    "\"user\",\"content\":[{\"type\":\"document\",\"title\":\"T\",\"source\":{\"type\":\"text\","
    "\"data\":\"d\"}},{\"type\":\"text\",\"text\":\"x\"}]},{\"role\":\"assistant\",\"content\":[{"
    "\"type\":\"thinking\",\"thinking\":\"hm\"},{\"type\":\"text\",\"text\":\"I look.\"},{\"type\":"
    "\"tool_use\",\"id\":\"t1\",\"name\":\"f\",\"input\":{\"a\":[1]}}]},{\"role\":\"user\","
    "\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"t1\",\"is_error\":true,\"content\":"
    "\"no\"},{\"type\":\"text\",\"text\":\"So?\"}]}],\"tools\":[{\"name\":\"f\",\"strict\":true,"
    "\"input_schema\":{\"type\":\"object\"}}],\"tool_choice\":{\"type\":\"any\"},"
    "\"stop_sequences\":[\"END\"],\"output_config\":{\"effort\":\"max\",\"format\":{\"type\":"
    "\"json_schema\",\"schema\":{\"type\":\"object\"}}},\"diagnostics\":{\"previous_message_id\":"
    "\"msg_1\"},\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":50},\"context_management\":{}"
    "}";

static const endpoint ENDPOINT = {.fields = &anthropic_fields, .dialect = &anthropic_dialect};
static served_model MODEL;

static void close_job(job *j)
{
    if (j->has_answer) answer_close(&j->answer);
    generation_free(&j->gen);
    fields_end(&j->reader);
    ingle_json_writer_free(&j->w);
    bytes_free(&j->out);
    free(j->own);
}

static void test_read(void **state)
{
    ingle_json_doc doc;
    ingle_error err = {""};
    (void)state;
    assert_int_equal(ingle_json_open(&doc, BODY, strlen(BODY), NULL, &err), INGLE_OK);
    for (long n = 1;; n++) {
        job j = {.model = &MODEL, .endpoint = &ENDPOINT, .doc = doc};
        j.reader.error = &j.error;
        wrap_alloc_begin(n);
        generation_init(&j.gen);
        bool ok =
            fields_read(&j.reader, &anthropic_fields, doc.root, &j.gen, NULL) && anthropic_read(&j);
        close_job(&j);
        bool reached = wrap_alloc_end();
        assert_int_equal(wrap_alloc_live(), 0);
        if (ok != !j.error.status) fail_msg("allocation %ld: %d", n, j.error.status);
        if (!reached && !ok) fail_msg("%s: %s", j.error.param, j.error.message);
        if (!reached) break;
        if (!ok && j.error.status != 503) fail_msg("allocation %ld: %s", n, j.error.message);
    }
    ingle_json_close(&doc);
}

/* ---- an answer ------------------------------------------------------------------------------- */

static const char ANSWER[] = "<think>hm, well</think>I look.<tool_call>\n{\"name\": \"f\", "
                             "\"arguments\": {\"a\": [1, 2]}}\n</tool_call>";

static bool begin(job *j)
{
    const answer_options opt = {.generation = &j->gen,
                                .model = MODEL.model,
                                .chat = MODEL.chat,
                                .call_prefix = "toolu_",
                                .on_part = job_part,
                                .user = j};
    generation_init(&j->gen);
    bytes_text(&j->gen.tools, "[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]");
    j->own = calloc(1, sizeof(anthropic_own));
    j->has_answer = true;
    return j->own && !j->gen.tools.failed && answer_open(&j->answer, &opt, &j->error);
}

static void write_answer(job *j)
{
    if (j->streaming) anthropic_dialect.begin(j, &j->out);
    for (size_t at = 0; ANSWER[at]; at++) {
        const ingle_event e = {
            .size = sizeof e, .kind = INGLE_EVENT_TOKEN, .text = ANSWER + at, .text_len = 1};
        answer_take(&j->answer, &e);
    }
    const ingle_event e = {
        .size = sizeof e, .kind = INGLE_EVENT_END, .finish = INGLE_FINISH_STOP, .text = ""};
    answer_take(&j->answer, &e);
    if (j->streaming) anthropic_dialect.end(j, &j->out);
    else anthropic_dialect.whole(j, &j->out);
}

/* What was written without complaint is as long as it always is. */
static void fail_each(bool stream)
{
    size_t wanted = 0;
    for (long n = 0;; n++) {
        job j = {.model = &MODEL, .endpoint = &ENDPOINT, .streaming = stream};
        wrap_alloc_begin(n);
        bool ok = begin(&j);
        if (ok) write_answer(&j);
        ok = ok && !answer_failed(&j.answer) && !j.out.failed && !j.error.status;
        size_t written = j.out.n;
        close_job(&j);
        bool reached = wrap_alloc_end();
        assert_int_equal(wrap_alloc_live(), 0);
        if (!n) wanted = written;
        if (!reached) assert_true(ok);
        if (ok) assert_int_equal(written, wanted);
        if (n && !reached) break;
    }
    assert_true(wanted > 0);
}

static void test_whole(void **state)
{
    (void)state;
    fail_each(false);
}

static void test_stream(void **state)
{
    (void)state;
    fail_each(true);
}

static int open_model(void **state)
{
    ingle_error err = {""};
    ingle_model_options opt;
    ingle_chat_options chat;
    (void)state;
    ingle_model_options_init(&opt);
    ingle_chat_options_init(&chat);
    opt.parts = INGLE_PARTS_VOCAB;
    chat.family = "qwen3"; /* it thinks, and calls tools */
    if (ingle_model_open(&MODEL.model, INGLE_SOURCE_DIR "/models/tiny-chat.gguf", &opt, &err) ||
        ingle_chat_open(&MODEL.chat, MODEL.model, &chat, &err))
        fail_msg("%s", err.text);
    MODEL.chat_info = (ingle_chat_info){.thinks = true, .thinking_switch = true};
    return 0;
}

static int close_model(void **state)
{
    (void)state;
    ingle_chat_close(&MODEL.chat);
    ingle_model_close(&MODEL.model);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_read), cmocka_unit_test(test_whole),
                                       cmocka_unit_test(test_stream)};
    return cmocka_run_group_tests(tests, open_model, close_model);
}
