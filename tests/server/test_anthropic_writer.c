/* Answers as messages of Anthropic's: what a model writes, token by token, through the answer's parser
 * into events, and in one piece. */
#include "server/anthropic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const endpoint ENDPOINT = {.fields = &anthropic_fields, .dialect = &anthropic_dialect};
static served_model MODEL;
static job J;
static char SUMMARY[16384];

#define CALL                                                                                       \
    "<tool_call>\n{\"name\": \"look\", \"arguments\": {\"at\": [1, \"\xc3\xa9\"]}}\n</tool_call>"
static const char TOOLS[] =
    "[{\"type\":\"function\",\"function\":{\"name\":\"look\",\"parameters\":{\"type\":\"object\","
    "\"properties\":{\"at\":{\"type\":\"array\"}}}}}]";

/* ---- a job that answers ---------------------------------------------------------------------- */

static int open_model(void **state)
{
    (void)state;
    ingle_error err = {{0}};
    ingle_chat_options opt;
    ingle_chat_options_init(&opt);
    opt.family = "qwen3"; /* it thinks, and calls tools */
    if (ingle_model_open(&MODEL.model, INGLE_SOURCE_DIR "/models/tiny-chat.gguf", NULL, &err) ||
        ingle_chat_open(&MODEL.chat, MODEL.model, &opt, &err)) {
        print_message("%s\n", err.text);
        return -1;
    }
    snprintf(MODEL.name, sizeof MODEL.name, "tiny");
    return 0;
}

static void close_job(void)
{
    if (J.has_answer) answer_close(&J.answer);
    generation_free(&J.gen);
    ingle_json_writer_free(&J.w);
    bytes_free(&J.out);
    free(J.own);
    J = (job){0};
}

static int close_model(void **state)
{
    (void)state;
    close_job();
    ingle_chat_close(&MODEL.chat);
    ingle_model_close(&MODEL.model);
    return 0;
}

static anthropic_own *own(void)
{
    return J.own;
}

static void open_job(bool stream)
{
    close_job();
    J.endpoint = &ENDPOINT;
    J.model = &MODEL;
    J.streaming = stream;
    J.n_prompt = 100;
    snprintf(J.id, sizeof J.id, "req_1");
    snprintf(J.answer_id, sizeof J.answer_id, "msg_1");
    J.own = calloc(1, sizeof(anthropic_own));
    assert_non_null(J.own);
    generation_init(&J.gen);
    J.gen.max_tokens = 50;
    bytes_text(&J.gen.tools, TOOLS);
}

static void start(void)
{
    const answer_options opt = {.generation = &J.gen,
                                .model = MODEL.model,
                                .chat = MODEL.chat,
                                .call_prefix = anthropic_dialect.call_prefix,
                                .on_part = job_part,
                                .user = &J};
    assert_true(answer_open(&J.answer, &opt, &J.error));
    J.has_answer = true;
    if (J.streaming) anthropic_dialect.begin(&J, &J.out);
}

static void write_text(const char *text, size_t n)
{
    const ingle_event e = {
        .size = sizeof e, .kind = INGLE_EVENT_TOKEN, .text = text, .text_len = n};
    answer_take(&J.answer, &e);
}

static void finish(ingle_finish how, size_t i_stop)
{
    const ingle_event e = {.size = sizeof e,
                           .kind = INGLE_EVENT_END,
                           .finish = how,
                           .i_stop = i_stop,
                           .text = "",
                           .usage = {.n_reused = 30, .n_generated = J.answer.choices[0].n_tokens}};
    answer_take(&J.answer, &e);
    if (J.streaming) anthropic_dialect.end(&J, &J.out);
    else anthropic_dialect.whole(&J, &J.out);
    assert_false(J.out.failed);
}

/* Pieces of `step` bytes, but whole characters. */
static void answer_text(const char *text, size_t step)
{
    for (size_t at = 0, n; text[at]; at += n) {
        n = step < strlen(text + at) ? step : strlen(text + at);
        while (((unsigned char)text[at + n] & 0xc0) == 0x80) n++;
        write_text(text + at, n);
    }
}

/* ---- what came of it ------------------------------------------------------------------------- */

static void add(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void add(const char *format, ...)
{
    size_t n = strlen(SUMMARY);
    va_list args;
    va_start(args, format);
    vsnprintf(SUMMARY + n, sizeof SUMMARY - n, format, args);
    va_end(args);
}

static const char *text_of(const ingle_json *v, const char *name)
{
    const ingle_json *m = ingle_json_get(v, name);
    return ingle_json_is(m, INGLE_JSON_STRING) ? m->text : "-";
}

static int number_of(const ingle_json *v, const char *name)
{
    int64_t n = -1;
    ingle_json_i64(ingle_json_get(v, name), &n);
    return (int)n;
}

static void add_usage(const ingle_json *usage)
{
    add("{%d+%d+%d,%d(%d)}", number_of(usage, "input_tokens"),
        number_of(usage, "cache_creation_input_tokens"),
        number_of(usage, "cache_read_input_tokens"), number_of(usage, "output_tokens"),
        number_of(ingle_json_get(usage, "output_tokens_details"), "thinking_tokens"));
}

static void add_start(const ingle_json *event)
{
    const ingle_json *block = ingle_json_get(event, "content_block");
    add("[%d %s", number_of(event, "index"), text_of(block, "type"));
    if (ingle_json_is_text(ingle_json_get(block, "type"), "tool_use")) {
        assert_memory_equal(text_of(block, "id"), "toolu_", 6);
        assert_int_equal(ingle_json_get(block, "input")->len, 0);
        add(" %s", text_of(block, "name"));
    }
    add(": ");
}

static void add_delta(const ingle_json *event)
{
    static const char *const names[][2] = {{"text_delta", "text"},
                                           {"thinking_delta", "thinking"},
                                           {"input_json_delta", "partial_json"},
                                           {"signature_delta", "signature"}};
    const ingle_json *delta = ingle_json_get(event, "delta");
    for (size_t i = 0; i < 4; i++)
        if (ingle_json_is_text(ingle_json_get(delta, "type"), names[i][0]))
            add(i == 3 ? "#%zu" : "%.0zu%s", i == 3 ? strlen(text_of(delta, "signature")) : 0,
                text_of(delta, names[i][1]));
}

static void add_event(const char *name, const ingle_json *event)
{
    const ingle_json *delta = ingle_json_get(event, "delta");
    assert_true(ingle_json_is_text(ingle_json_get(event, "type"), name));
    if (!strcmp(name, "ping")) add("~ ");
    else if (!strcmp(name, "content_block_start")) add_start(event);
    else if (!strcmp(name, "content_block_delta")) add_delta(event);
    else if (!strcmp(name, "content_block_stop")) add(" %d] ", number_of(event, "index"));
    else if (!strcmp(name, "message_stop")) add(" end");
    else if (!strcmp(name, "error"))
        add("error %s", text_of(ingle_json_get(event, "error"), "type"));
    else if (!strcmp(name, "message_start")) {
        const ingle_json *message = ingle_json_get(event, "message");
        assert_int_equal(ingle_json_get(message, "content")->len, 0);
        assert_string_equal(text_of(message, "id"), "msg_1");
        assert_string_equal(text_of(message, "model"), "tiny");
        assert_string_equal(text_of(message, "role"), "assistant");
        add("start");
        add_usage(ingle_json_get(message, "usage"));
        add(" ");
    } else if (!strcmp(name, "message_delta")) {
        add("%s/%s", text_of(delta, "stop_reason"), text_of(delta, "stop_sequence"));
        add_usage(ingle_json_get(event, "usage"));
    } else fail();
}

/* The events of J.out: what they say, in short. */
static const char *summary(void)
{
    ingle_error err = {{0}};
    SUMMARY[0] = 0;
    bytes_put(&J.out, "", 1);
    for (char *at = J.out.p, *next; *at; at = next) {
        char name[64], *data = strstr(at, "\ndata: ");
        next = strstr(at, "\n\n");
        assert_non_null(data);
        assert_non_null(next);
        assert_true(data < next);
        assert_int_equal(sscanf(at, "event: %63s\n", name), 1);
        data += 7;
        ingle_json_doc doc;
        if (ingle_json_open(&doc, data, (size_t)(next - data), NULL, &err)) {
            print_message("%s: %.*s\n", err.text, (int)(next - data), data);
            fail();
        }
        add_event(name, doc.root);
        ingle_json_close(&doc);
        next += 2;
    }
    return SUMMARY;
}

static void assert_stream(const char *text, size_t step, const char *want)
{
    open_job(true);
    start();
    answer_text(text, step);
    finish(INGLE_FINISH_STOP, 0);
    assert_string_equal(summary(), want);
}

static ingle_json_doc message(void)
{
    ingle_json_doc doc;
    ingle_error err = {{0}};
    if (ingle_json_open(&doc, J.out.p, J.out.n, NULL, &err)) {
        print_message("%s: %.*s\n", err.text, (int)J.out.n, J.out.p);
        fail();
    }
    return doc;
}

/* ---- streams --------------------------------------------------------------------------------- */

#define START "start{100+0+0,0(0)} ~ "

static void test_text(void **state)
{
    (void)state;
    assert_stream("Hi you", 2, START "[0 text: Hi you 0] end_turn/-{70+0+30,3(0)} end");
    assert_stream("", 1, START "end_turn/-{70+0+30,0(0)} end");
}

static void test_order(void **state)
{
    (void)state;
    assert_stream("<think>hm, let me</think>I look." CALL, 1000,
                  START "[0 thinking: hm, let me#16 0] [1 text: I look. 1] "
                        "[2 tool_use look: {\"at\": [1, \"\xc3\xa9\"]} 2] "
                        "tool_use/-{70+0+30,1(0)} end");
    assert_stream(CALL CALL, 7,
                  START "[0 tool_use look: {\"at\": [1, \"\xc3\xa9\"]} 0] "
                        "[1 tool_use look: {\"at\": [1, \"\xc3\xa9\"]} 1] "
                        "tool_use/-{70+0+30,21(0)} end");
}

/* However it is cut, the blocks are the same. */
static void test_cuts(void **state)
{
    (void)state;
    static const char text[] = "<think>hm</think>Well\xc3\xa4." CALL;
    for (size_t step = 1; step < sizeof text; step++) {
        open_job(true);
        start();
        answer_text(text, step);
        finish(INGLE_FINISH_STOP, 0);
        const char *s = summary();
        assert_non_null(strstr(s, "[0 thinking: hm#16 0] [1 text: Well\xc3\xa4. 1] "
                                  "[2 tool_use look: {\"at\": [1, \"\xc3\xa9\"]} 2] tool_use/-"));
    }
}

static void test_hidden_thinking(void **state)
{
    (void)state;
    open_job(true);
    own()->hides_thinking = true;
    start();
    answer_text("<think>secret</think>Hi", 3);
    finish(INGLE_FINISH_STOP, 0);
    assert_non_null(strstr(summary(), "[0 thinking: #16 0] [1 text: Hi 1] "));
    assert_null(strstr(J.out.p, "secret"));
}

static void test_beats(void **state)
{
    (void)state;
    open_job(true);
    start();
    anthropic_dialect.beat(&J, &J.out);
    write_text("Hi", 2);
    anthropic_dialect.beat(&J, &J.out);
    write_text("!", 1);
    finish(INGLE_FINISH_STOP, 0);
    assert_string_equal(summary(), START "~ [0 text: Hi~ ! 0] end_turn/-{70+0+30,2(0)} end");
}

static void test_failure(void **state)
{
    (void)state;
    open_job(true);
    start();
    write_text("Hi", 2);
    api_fail(&J.error, 500, "server_error", NULL, "broken");
    (anthropic_dialect.fail)(&J, &J.error, &J.out);
    assert_string_equal(summary(), START "[0 text: Hierror api_error");
}

/* ---- why it ended ---------------------------------------------------------------------------- */

/* stop_reason/stop_sequence of an answer of two tokens. */
static const char *reason(ingle_finish how, int32_t max_tokens, const char *text)
{
    static char got[128];
    static ingle_stop stops[] = {{"###", 3}, {"END", 3}};
    bool stream = false;
    do {
        open_job(stream);
        J.gen.max_tokens = max_tokens;
        start();
        J.gen.stops = stops;
        J.gen.n_stops = 2;
        write_text(text, strlen(text));
        write_text("", 0);
        finish(how, 2);
        J.gen.stops = NULL;
        J.gen.n_stops = 0;
        if (stream) {
            assert_non_null(strstr(summary(), got));
        } else {
            ingle_json_doc doc = message();
            snprintf(got, sizeof got, "%s/%s", text_of(doc.root, "stop_reason"),
                     text_of(doc.root, "stop_sequence"));
            ingle_json_close(&doc);
        }
        stream = !stream;
    } while (stream);
    return got;
}

static void test_reasons(void **state)
{
    (void)state;
    assert_string_equal(reason(INGLE_FINISH_STOP, 9, "Hi"), "end_turn/-");
    assert_string_equal(reason(INGLE_FINISH_STOP, 9, "Hi###"), "stop_sequence/###");
    assert_string_equal(reason(INGLE_FINISH_STOP, 9, "HiEND"), "stop_sequence/END");
    assert_string_equal(reason(INGLE_FINISH_STOP, 9, CALL), "tool_use/-");
    assert_string_equal(reason(INGLE_FINISH_LENGTH, 2, "Hi"), "max_tokens/-");
    assert_string_equal(reason(INGLE_FINISH_LENGTH, 9, "Hi"), "model_context_window_exceeded/-");
    assert_string_equal(reason(INGLE_FINISH_LENGTH, 2, CALL), "max_tokens/-");
    assert_string_equal(reason(INGLE_FINISH_TIMEOUT, 9, "Hi"), "max_tokens/-");
}

static void test_cancelled(void **state)
{
    (void)state;
    open_job(true);
    start();
    write_text("Hi", 2);
    finish(INGLE_FINISH_CANCELLED, 0);
    assert_string_equal(summary(), START "[0 text: Hi 0] error overloaded_error");
    open_job(false);
    start();
    write_text("Hi", 2);
    finish(INGLE_FINISH_CANCELLED, 0);
    assert_int_equal(J.error.status, 503);
    assert_int_equal(J.out.n, 0);
}

/* A call that was cut off is shown as far as it goes. */
static void test_cut_call(void **state)
{
    (void)state;
    static const char text[] = "<tool_call>\n{\"name\": \"look\", \"arguments\": {\"at\": [1";
    open_job(true);
    start();
    answer_text(text, 4);
    finish(INGLE_FINISH_LENGTH, 0);
    assert_non_null(strstr(summary(), "[0 tool_use look: {\"at\": [ 0] "));
    open_job(false);
    start();
    answer_text(text, 4);
    finish(INGLE_FINISH_LENGTH, 0);
    ingle_json_doc doc = message();
    const ingle_json *block = ingle_json_at(ingle_json_get(doc.root, "content"), 0);
    assert_string_equal(text_of(block, "type"), "tool_use");
    assert_true(ingle_json_is(ingle_json_get(block, "input"), INGLE_JSON_OBJECT));
    assert_int_equal(ingle_json_get(block, "input")->len, 0);
    ingle_json_close(&doc);
}

/* ---- in one piece ---------------------------------------------------------------------------- */

static void test_whole(void **state)
{
    (void)state;
    char id[40];
    open_job(false);
    start();
    answer_text("<think>hm</think>I look." CALL, 5);
    finish(INGLE_FINISH_STOP, 0);
    snprintf(id, sizeof id, "%s", J.answer.choices[0].calls[0].id);
    ingle_json_doc doc = message();
    const ingle_json *content = ingle_json_get(doc.root, "content"),
                     *use = ingle_json_at(content, 2);
    assert_string_equal(text_of(doc.root, "id"), "msg_1");
    assert_string_equal(text_of(doc.root, "type"), "message");
    assert_string_equal(text_of(doc.root, "stop_reason"), "tool_use");
    assert_int_equal(content->len, 3);
    assert_string_equal(text_of(ingle_json_at(content, 0), "thinking"), "hm");
    assert_int_equal(strlen(text_of(ingle_json_at(content, 0), "signature")), 16);
    assert_string_equal(text_of(ingle_json_at(content, 1), "text"), "I look.");
    assert_string_equal(text_of(use, "id"), id);
    assert_string_equal(text_of(use, "name"), "look");
    assert_int_equal(ingle_json_get(ingle_json_get(use, "input"), "at")->len, 2);
    SUMMARY[0] = 0;
    add_usage(ingle_json_get(doc.root, "usage"));
    assert_memory_equal(SUMMARY, "{70+0+30,", 9);
    assert_null(ingle_json_get(doc.root, "diagnostics"));
    assert_null(ingle_json_get(doc.root, "context_management"));
    ingle_json_close(&doc);
}

/* A stream signs thinking as a whole answer does. */
static void test_signature(void **state)
{
    (void)state;
    char signature[32];
    open_job(false);
    start();
    answer_text("<think>a long thought</think>Hi", 3);
    finish(INGLE_FINISH_STOP, 0);
    ingle_json_doc doc = message();
    snprintf(signature, sizeof signature, "%s",
             text_of(ingle_json_at(ingle_json_get(doc.root, "content"), 0), "signature"));
    ingle_json_close(&doc);
    open_job(true);
    start();
    answer_text("<think>a long thought</think>Hi", 4);
    finish(INGLE_FINISH_STOP, 0);
    bytes_put(&J.out, "", 1);
    assert_non_null(strstr(J.out.p, signature));
}

static void test_extras(void **state)
{
    (void)state;
    open_job(false);
    own()->edits = true;
    own()->hides_thinking = true;
    J.gen.timings = true;
    J.report = true;
    start();
    answer_text("<think>hm</think>Hi", 5);
    finish(INGLE_FINISH_STOP, 0);
    ingle_json_doc doc = message();
    const ingle_json *edits =
        ingle_json_get(ingle_json_get(doc.root, "context_management"), "applied_edits");
    const ingle_json *thinking = ingle_json_at(ingle_json_get(doc.root, "content"), 0);
    assert_true(ingle_json_is(edits, INGLE_JSON_ARRAY));
    assert_int_equal(edits->len, 0);
    assert_string_equal(text_of(thinking, "thinking"), "");
    assert_non_null(ingle_json_get(doc.root, "timings"));
    assert_non_null(ingle_json_get(doc.root, "ingle"));
    ingle_json_close(&doc);
}

/* cache_miss_reason of a message whose prompt differs so from the one before. */
static const char *miss_type(const char *reason, bool missed, bool previous, int *tokens)
{
    static char type[64];
    open_job(false);
    J.gen.asks_diagnostics = true;
    if (previous) J.gen.anthropic_previous = calloc(1, 8);
    J.miss = (ledger_miss){.missed = missed, .reason = reason, .offset = 40};
    start();
    finish(INGLE_FINISH_STOP, 0);
    ingle_json_doc doc = message();
    const ingle_json *diagnostics = ingle_json_get(doc.root, "diagnostics");
    const ingle_json *miss = ingle_json_get(diagnostics, "cache_miss_reason");
    assert_non_null(diagnostics);
    assert_int_equal(!miss, ingle_json_is(diagnostics, INGLE_JSON_NULL));
    snprintf(type, sizeof type, "%s", text_of(miss, "type"));
    *tokens = number_of(miss, "cache_missed_input_tokens");
    ingle_json_close(&doc);
    return type;
}

static void test_diagnostics(void **state)
{
    (void)state;
    int n;
    assert_string_equal(miss_type("system_changed", true, true, &n), "system_changed");
    assert_int_equal(n, 60);
    assert_string_equal(miss_type("messages_changed", true, true, &n), "messages_changed");
    assert_string_equal(miss_type("not_found", true, true, &n), "previous_message_not_found");
    assert_int_equal(n, -1);
    assert_string_equal(miss_type("effort_changed", true, true, &n), "unavailable");
    assert_int_equal(n, -1);
    assert_string_equal(miss_type(NULL, false, true, &n), "-");
    assert_string_equal(miss_type("not_found", true, false, &n), "-");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),        cmocka_unit_test(test_order),
        cmocka_unit_test(test_cuts),        cmocka_unit_test(test_hidden_thinking),
        cmocka_unit_test(test_beats),       cmocka_unit_test(test_failure),
        cmocka_unit_test(test_reasons),     cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_cut_call),    cmocka_unit_test(test_whole),
        cmocka_unit_test(test_signature),   cmocka_unit_test(test_extras),
        cmocka_unit_test(test_diagnostics),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
