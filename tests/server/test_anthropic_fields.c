/* Bodies of Messages: every row of the tables, right and wrong, and the conversation that comes of
 * them. */
#include "server/anthropic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static job J;
static served_model MODEL;
static const endpoint CREATE = {.fields = &anthropic_fields},
                      COUNT = {.fields = &anthropic_count_fields};

static void close_body(void)
{
    free(J.own);
    fields_end(&J.reader);
    generation_free(&J.gen);
    ingle_json_close(&J.doc);
    J = (job){0};
}

static bool read_table(const field_table *table, const char *body, bool counts)
{
    ingle_json_limits limits = {.unique_names = true};
    ingle_error err = {{0}};
    close_body();
    J.model = &MODEL;
    J.endpoint = counts ? &COUNT : &CREATE;
    J.reader.error = &J.error;
    generation_init(&J.gen);
    if (ingle_json_open(&J.doc, body, strlen(body), &limits, &err)) {
        print_message("%s\n", err.text);
        fail();
    }
    bool ok = fields_read(&J.reader, table, J.doc.root, &J.gen, NULL);
    if (ok) ok = anthropic_read(&J);
    assert_int_equal(ok, !J.error.status);
    return ok;
}

/* A body with these members beside those that are required. */
static bool take(const char *members)
{
    char body[8192];
    snprintf(body, sizeof body,
             "{\"max_tokens\":100,\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]%s%s}",
             *members ? "," : "", members);
    return read_table(&anthropic_fields, body, false);
}

/* A body with these messages. */
static bool talk(const char *messages)
{
    char body[8192];
    snprintf(body, sizeof body, "{\"max_tokens\":100,\"messages\":[%s]}", messages);
    return read_table(&anthropic_fields, body, false);
}

static void assert_bytes(const bytes *b, const char *text)
{
    if (b->n == strlen(text) && !memcmp(b->p ? b->p : "", text, b->n)) return;
    print_message("have %.*s\nwant %s\n", (int)b->n, b->p ? b->p : "", text);
    fail();
}

static void assert_talk(const char *messages, const char *becomes)
{
    if (!talk(messages)) print_message("%s: %s\n", J.error.param, J.error.message);
    assert_int_equal(J.error.status, 0);
    assert_bytes(&J.gen.messages, becomes);
}

/* It was refused at that place, with words that hold `text`. */
static void assert_refused(bool ok, const char *param, const char *text)
{
    if (ok || strcmp(J.error.param, param) || !strstr(J.error.message, text)) {
        print_message("have %s: %s\nwant %s: %s\n", J.error.param, J.error.message, param, text);
        fail();
    }
    assert_int_equal(J.error.status, 400);
}

static void assert_ignored(const char *list)
{
    assert_bytes(&J.reader.ignored, list);
}

static void assert_take(const char *members, const char *ignored)
{
    if (!take(members)) {
        print_message("%s\n%s: %s\n", members, J.error.param, J.error.message);
        fail();
    }
    assert_ignored(ignored);
}

#define USER "{\"role\":\"user\",\"content\":\"Hi\"}"
#define USE(id)                                                                                    \
    "{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"" id                     \
    "\",\"name\":\"look\",\"input\":{\"at\":[1,2]}}]}"
#define USED(id)                                                                                   \
    "{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"id\":\"" id                       \
    "\",\"type\":\"function\",\"function\":{\"name\":\"look\",\"arguments\":\"{\\\"at\\\":[1,2]"   \
    "}\"}}]}"
#define RESULT(id, rest) "{\"type\":\"tool_result\",\"tool_use_id\":\"" id "\"" rest "}"

/* ---- the conversation ------------------------------------------------------------------------ */

static void test_messages(void **state)
{
    (void)state;
    assert_talk(USER, "[{\"role\":\"user\",\"content\":\"Hi\"}]");
    assert_int_equal(J.gen.n_messages, 1);
    assert_false(J.gen.continues);
    assert_talk("{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
                "{\"type\":\"text\",\"text\":\"b\",\"cache_control\":{\"type\":\"ephemeral\"}}]}",
                "[{\"role\":\"user\",\"content\":\"a\\nb\"}]");
    assert_ignored("messages[].content[].cache_control");
    /* turns of one role are one */
    assert_talk(USER "," USER, "[{\"role\":\"user\",\"content\":\"Hi\\nHi\"}]");
    assert_talk(USER ",{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"b\"}]}," USER,
                "[{\"role\":\"user\",\"content\":\"Hi\\nb\\nHi\"}]");
    assert_talk("{\"role\":\"user\",\"content\":[]}", "[{\"role\":\"user\",\"content\":\"\"}]");
    /* system anywhere */
    assert_talk(USER ",{\"role\":\"system\",\"content\":\"S\"}," USER,
                "[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"system\",\"content\":\"S\"},"
                "{\"role\":\"user\",\"content\":\"Hi\"}]");
    assert_int_equal(J.gen.n_messages, 3);
    assert_talk(USER ",{\"role\":\"system\",\"output_config\":{\"effort\":\"low\"}}," USER,
                "[{\"role\":\"user\",\"content\":\"Hi\\nHi\"}]");
    assert_ignored("messages[].output_config");
    assert_refused(talk("{\"role\":\"system\"}"), "messages[0].content", "missing");
    assert_talk(USER ",{\"role\":\"system\",\"content\":[{\"type\":\"text\",\"text\":\"S\"}]}",
                "[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"system\",\"content\":\"S\"}]");
}

static void test_messages_refused(void **state)
{
    (void)state;
    assert_refused(read_table(&anthropic_fields, "{\"max_tokens\":1}", false), "messages",
                   "missing");
    assert_refused(read_table(&anthropic_fields, "{\"max_tokens\":1,\"messages\":[]}", false),
                   "messages", "0 elements");
    assert_refused(read_table(&anthropic_fields, "{\"max_tokens\":1,\"messages\":\"Hi\"}", false),
                   "messages", "an array");
    assert_refused(talk("7"), "messages[0]", "an object");
    assert_refused(talk(USER ",{\"content\":\"x\"}"), "messages[1].role", "missing");
    assert_refused(talk("{\"role\":\"tool\",\"content\":\"x\"}"), "messages[0].role", "'tool'");
    assert_refused(talk("{\"role\":\"user\"}"), "messages[0].content", "missing");
    assert_refused(talk("{\"role\":\"user\",\"content\":{}}"), "messages[0].content", "a string");
    assert_refused(talk("{\"role\":\"user\",\"content\":[\"x\"]}"), "messages[0].content[0]",
                   "an object");
    assert_refused(talk("{\"role\":\"user\",\"content\":[{\"text\":\"x\"}]}"),
                   "messages[0].content[0].type", "needs a type");
    assert_refused(talk("{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}"),
                   "messages[0].content[0].text", "missing");
    assert_refused(talk("{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":7}]}"),
                   "messages[0].content[0].text", "a string");
    assert_refused(talk("{\"role\":\"user\",\"content\":[{\"type\":\"sound\"}]}"),
                   "messages[0].content[0].type", "'sound'");
    assert_refused(talk("{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"source\":{}}]}"),
                   "messages[0].content[0]", "images");
    assert_refused(talk("{\"role\":\"user\",\"content\":[{\"type\":\"thinking\"}]}"),
                   "messages[0].content[0].type", "'thinking'");
    assert_refused(talk(USER ",{\"role\":\"assistant\",\"content\":[{\"type\":\"document\"}]}"),
                   "messages[1].content[0].type", "'document'");
    assert_refused(
        talk(USER ",{\"role\":\"assistant\",\"content\":[{\"type\":\"server_tool_use\"}]}"),
        "messages[1].content[0].type", "'server_tool_use'");
}

static void test_documents(void **state)
{
    (void)state;
#define DOCUMENT(rest)                                                                             \
    "{\"role\":\"user\",\"content\":[{\"type\":\"document\"" rest                                  \
    "},{\"type\":\"text\",\"text\":\"Why?\"}]}"
#define DATA ",\"source\":{\"type\":\"text\",\"media_type\":\"text/plain\",\"data\":\"abc\"}"
    assert_talk(DOCUMENT(DATA), "[{\"role\":\"user\",\"content\":\"abc\\nWhy?\"}]");
    assert_talk(
        DOCUMENT(DATA ",\"title\":\"T\",\"context\":\"C\",\"citations\":{\"enabled\":false}"),
        "[{\"role\":\"user\",\"content\":\"Document: T\\nContext: C\\nabc\\nWhy?\"}]");
    assert_ignored("");
    assert_talk(DOCUMENT(",\"source\":{\"type\":\"content\",\"content\":[{\"type\":\"text\","
                         "\"text\":\"p\"},{\"type\":\"text\",\"text\":\"q\"}]}"),
                "[{\"role\":\"user\",\"content\":\"p\\nq\\nWhy?\"}]");
    assert_refused(talk(DOCUMENT("")), "messages[0].content[0].source", "object");
    assert_refused(talk(DOCUMENT(",\"source\":{\"type\":\"url\",\"url\":\"http://x\"}")),
                   "messages[0].content[0].source", "no URLs");
    assert_refused(talk(DOCUMENT(",\"source\":{\"type\":\"base64\",\"media_type\":\"application/"
                                 "pdf\",\"data\":\"\"}")),
                   "messages[0].content[0].source", "PDF");
    assert_refused(talk(DOCUMENT(",\"source\":{\"type\":\"text\",\"media_type\":\"text/html\","
                                 "\"data\":\"\"}")),
                   "messages[0].content[0].source.media_type", "text/plain");
    assert_refused(talk(DOCUMENT(",\"source\":{\"type\":\"text\"}")),
                   "messages[0].content[0].source.data", "missing");
    assert_refused(talk(DOCUMENT(DATA ",\"content\":[]")), "messages[0].content[0].content",
                   "`source`");
    assert_refused(talk(DOCUMENT(DATA ",\"citations\":{\"enabled\":true}")),
                   "messages[0].content[0].citations.enabled", "cite nothing");
    assert_refused(talk(DOCUMENT(",\"source\":{\"type\":\"content\",\"content\":[{\"type\":"
                                 "\"image\"}]}")),
                   "messages[0].content[0].source.content[0]", "images");
}

static void test_search_results(void **state)
{
    (void)state;
#define FOUND(rest) "{\"role\":\"user\",\"content\":[{\"type\":\"search_result\"" rest "}]}"
    assert_talk(FOUND(",\"title\":\"T\",\"source\":\"S\",\"content\":[{\"type\":\"text\",\"text\":"
                      "\"x\"}]"),
                "[{\"role\":\"user\",\"content\":\"Search result: T\\nSource: S\\nx\"}]");
    assert_refused(talk(FOUND(",\"title\":\"T\",\"content\":[]")), "messages[0].content[0].source",
                   "from");
    assert_refused(talk(FOUND(",\"title\":\"T\",\"source\":\"S\"")),
                   "messages[0].content[0].content", "missing");
    assert_refused(talk(FOUND(",\"title\":\"T\",\"source\":\"S\",\"content\":\"x\"")),
                   "messages[0].content[0].content", "array");
}

static void test_answers(void **state)
{
    (void)state;
#define ANSWER(blocks) USER ",{\"role\":\"assistant\",\"content\":[" blocks "]}"
#define ANSWERED       "[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"assistant\",\"content\":"
    assert_talk(ANSWER("{\"type\":\"text\",\"text\":\"a\",\"citations\":null},{\"type\":\"text\","
                       "\"text\":\"b\"}"),
                ANSWERED "\"ab\"}]");
    assert_true(J.gen.continues);
    assert_talk(ANSWER("{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"anything\"},"
                       "{\"type\":\"redacted_thinking\",\"data\":\"x\"},"
                       "{\"type\":\"text\",\"text\":\"b\"}") "," USER,
                ANSWERED "\"b\",\"reasoning_content\":\"hm\"},"
                         "{\"role\":\"user\",\"content\":\"Hi\"}]");
    assert_false(J.gen.continues);
    assert_ignored("redacted_thinking");
    assert_talk(ANSWER("{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"s\"}") "," USER,
                ANSWERED "\"\"},{\"role\":\"user\",\"content\":\"Hi\"}]");
    assert_talk(USER ",{\"role\":\"assistant\",\"content\":\"The answer\"},{\"role\":\"assistant\","
                     "\"content\":\" is\"}",
                ANSWERED "\"The answer is\"}]");
    assert_true(J.gen.continues);
    assert_refused(talk(ANSWER("{\"type\":\"thinking\"}")), "messages[1].content[0].thinking",
                   "missing");
    assert_refused(talk(ANSWER("{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":7}")),
                   "messages[1].content[0].signature", "a string");
}

static void test_calls(void **state)
{
    (void)state;
    assert_talk(USER "," USE("t1") ",{\"role\":\"user\",\"content\":[" RESULT(
                    "t1", ",\"content\":\"42\"") "]}",
                "[{\"role\":\"user\",\"content\":\"Hi\"}," USED(
                    "t1") ",{\"role\":\"tool\",\"tool_call_id\":\"t1\",\"name\":\"look\","
                          "\"content\":\"42\"}]");
    /* results in any order, and what the user says after them */
    assert_talk(
        USER "," USE("t1") "," USE(
            "t2") ",{\"role\":\"user\",\"content\":["
                  "{\"type\":\"text\",\"text\":\"and\"}," RESULT("t2", "") "," RESULT(
                      "t1", ",\"is_error\":true,\"content\":[{\"type\":\"text\",\"text\":\"no\"},"
                            "{\"type\":\"text\",\"text\":\"way\"}]") "]}",
        "[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"assistant\",\"content\":\"\","
        "\"tool_calls\":[{\"id\":\"t1\",\"type\":\"function\",\"function\":{\"name\":"
        "\"look\",\"arguments\":\"{\\\"at\\\":[1,2]}\"}},{\"id\":\"t2\",\"type\":"
        "\"function\",\"function\":{\"name\":\"look\",\"arguments\":\"{\\\"at\\\":[1,2]}\"}}"
        "]},{\"role\":\"tool\",\"tool_call_id\":\"t2\",\"name\":\"look\",\"content\":\"\"},"
        "{\"role\":\"tool\",\"tool_call_id\":\"t1\",\"name\":\"look\",\"content\":\"Error: "
        "no\\nway\"},{\"role\":\"user\",\"content\":\"and\"}]");
    assert_int_equal(J.gen.n_messages, 5);
    assert_refused(talk(USER "," USE("t1")), "messages[1]", "tool_result");
}

static void test_calls_refused(void **state)
{
    (void)state;
#define CALL(rest) USER ",{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\"" rest "}]}"
#define BACK(rest) USER "," USE("t1") ",{\"role\":\"user\",\"content\":[" rest "]}"
    assert_refused(talk(CALL(",\"name\":\"f\",\"input\":{}")), "messages[1].content[0].id",
                   "missing");
    assert_refused(talk(CALL(",\"id\":\"\",\"name\":\"f\",\"input\":{}")),
                   "messages[1].content[0].id", "0 bytes");
    assert_refused(talk(CALL(",\"id\":\"a\",\"input\":{}")), "messages[1].content[0].name",
                   "missing");
    assert_refused(talk(CALL(",\"id\":\"a\",\"name\":\"f\"")), "messages[1].content[0].input",
                   "missing");
    assert_refused(talk(CALL(",\"id\":\"a\",\"name\":\"f\",\"input\":\"{}\"")),
                   "messages[1].content[0].input", "an object");
    assert_refused(talk(USER "," USE("t1") "," USE("t1")), "messages[2].content[0].id",
                   "two calls");
    assert_refused(talk(BACK(RESULT("t2", ""))), "messages[2].content[0].tool_use_id", "'t2'");
    assert_refused(talk(BACK("{\"type\":\"tool_result\"}")), "messages[2].content[0].tool_use_id",
                   "missing");
    assert_refused(talk(BACK(RESULT("t1", "") "," RESULT("t1", ""))),
                   "messages[2].content[1].tool_use_id", "already");
    assert_refused(talk(BACK(RESULT("t1", ",\"is_error\":1"))), "messages[2].content[0].is_error",
                   "true or false");
    assert_refused(talk(BACK(RESULT("t1", ",\"content\":[{\"type\":\"image\"}]"))),
                   "messages[2].content[0].content[0]", "images");
    assert_refused(talk("{\"role\":\"user\",\"content\":[" RESULT("t1", "") "]}," USE("t1")),
                   "messages[0].content[0].tool_use_id", "earlier");
}

static void test_system(void **state)
{
    (void)state;
    assert_take("\"system\":\"S\"", "");
    assert_bytes(&J.gen.messages, "[{\"role\":\"system\",\"content\":\"S\"},{\"role\":\"user\","
                                  "\"content\":\"Hi\"}]");
    assert_take("\"system\":[{\"type\":\"text\",\"text\":\"x-anthropic-billing-header: a=1;\"},"
                "{\"type\":\"text\",\"text\":\"S\",\"cache_control\":{}},{\"type\":\"text\","
                "\"text\":\"T\"}]",
                "system[].cache_control, x-anthropic-billing-header");
    assert_bytes(&J.gen.messages, "[{\"role\":\"system\",\"content\":\"S\\nT\"},{\"role\":\"user\","
                                  "\"content\":\"Hi\"}]");
    assert_take("\"system\":\"x-anthropic-billing-header: a=1;\\n\"", "x-anthropic-billing-header");
    assert_bytes(&J.gen.messages, "[{\"role\":\"user\",\"content\":\"Hi\"}]");
    /* with words for the model it is no such line */
    assert_take("\"system\":\"x-anthropic-billing-header: a\\nBe kind.\"", "");
    assert_int_equal(J.gen.n_messages, 2);
    assert_talk("{\"role\":\"user\",\"content\":\"x-anthropic-billing-header: a\"}",
                "[{\"role\":\"user\",\"content\":\"x-anthropic-billing-header: a\"}]");
    assert_refused(take("\"system\":7"), "system", "a string");
    assert_refused(take("\"system\":[{\"type\":\"image\"}]"), "system[0]", "images");
}

/* ---- numbers, stops, format ------------------------------------------------------------------ */

static void test_plain_members(void **state)
{
    (void)state;
    assert_take("\"model\":\"m\",\"temperature\":0.5,\"top_p\":0.9,\"top_k\":5,\"stream\":true,"
                "\"stop_sequences\":[\"a\",\"bc\"]",
                "");
    assert_string_equal(J.gen.model, "m");
    assert_int_equal(J.gen.max_tokens, 100);
    assert_true(J.gen.stream);
    assert_int_equal(J.gen.n_stops, 2);
    assert_int_equal(J.gen.stops[1].len, 2);
    assert_memory_equal(J.gen.stops[1].text, "bc", 2);
    assert_take("\"stop_sequences\":[],\"model\":null,\"system\":null,\"tools\":null", "");
    assert_int_equal(J.gen.n_stops, 0);
    assert_refused(read_table(&anthropic_fields, "{\"messages\":[" USER "]}", false), "max_tokens",
                   "missing");
    assert_refused(
        read_table(&anthropic_fields, "{\"max_tokens\":0,\"messages\":[" USER "]}", false),
        "max_tokens", "0");
    assert_refused(
        read_table(&anthropic_fields, "{\"max_tokens\":1.5,\"messages\":[" USER "]}", false),
        "max_tokens", "1.5");
    assert_refused(take("\"stop_sequences\":\"a\""), "stop_sequences", "an array");
    assert_refused(take("\"stop_sequences\":[\"\"]"), "stop_sequences[0]", "0 bytes");
    assert_refused(take("\"stop_sequences\":[\"a\",7]"), "stop_sequences[1]", "a string");
    assert_refused(take("\"stop\":\"x\",\"stop_sequences\":[\"y\"]"), "stop_sequences", "`stop`");
    assert_refused(take("\"temperature\":-1"), "temperature", "-1");
    assert_refused(take("\"temperature\":\"hot\""), "temperature", "a number");
    assert_refused(take("\"top_p\":2"), "top_p", "2");
    assert_refused(take("\"top_k\":-7"), "top_k", "-7");
    assert_refused(take("\"stream\":1"), "stream", "true or false");
    assert_refused(take("\"model\":1"), "model", "a string");
    assert_refused(take("\"temperatur\":1"), "temperatur", "'temperature'");
}

static void test_inert_and_refused(void **state)
{
    (void)state;
    assert_take(
        "\"metadata\":{\"user_id\":\"u\"},\"service_tier\":\"auto\",\"inference_geo\":\"us\"",
        "metadata, service_tier, inference_geo");
    assert_take("\"cache_control\":{},\"speed\":\"fast\",\"billing_policy\":{},"
                "\"fallback_credit_token\":\"x\",\"user_profile_id\":\"u\",\"workspace_id\":\"w\"",
                "cache_control, speed, billing_policy, fallback_credit_token, user_profile_id, "
                "workspace_id");
    assert_take("\"context_management\":{\"edits\":[]}", "context_management");
    assert_true(((anthropic_own *)J.own)->edits);
    assert_take("\"something_new\":1", "something_new");
    assert_false(((anthropic_own *)J.own)->edits);
    static const char *const refused[] = {"mcp_servers", "container", "thread", "fallbacks",
                                          "compaction"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char members[64];
        snprintf(members, sizeof members, "\"%s\":[{}]", refused[i]);
        assert_refused(take(members), refused[i], "not supported");
    }
    assert_refused(take("\"output_config\":{\"task_budget\":{}}"), "output_config.task_budget",
                   "max_tokens");
}

static void test_format(void **state)
{
    (void)state;
#define FORMAT "{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\"}}"
    assert_take("\"output_config\":{\"format\":" FORMAT "}", "");
    assert_int_equal(J.gen.form, INGLE_ANSWER_SCHEMA);
    assert_string_equal(J.gen.form_text, "{\"type\":\"object\"}");
    assert_false(J.gen.lenient_schema);
    assert_take("\"output_format\":" FORMAT, "");
    assert_int_equal(J.gen.form, INGLE_ANSWER_SCHEMA);
    assert_refused(take("\"output_format\":" FORMAT ",\"output_config\":{\"format\":" FORMAT "}"),
                   "output_config.format.schema", "output_format");
    assert_refused(take("\"output_format\":{\"schema\":{}}"), "output_format.type", "missing");
    assert_refused(take("\"output_format\":{\"type\":\"xml\",\"schema\":{}}"), "output_format.type",
                   "'xml'");
    assert_refused(take("\"output_format\":{\"type\":\"json_schema\"}"), "output_format.schema",
                   "missing");
    assert_refused(take("\"output_format\":{\"type\":\"json_schema\",\"schema\":\"{}\"}"),
                   "output_format.schema", "an object");
}

static void test_diagnostics(void **state)
{
    (void)state;
    assert_take("", "");
    assert_false(J.gen.asks_diagnostics);
    assert_take("\"diagnostics\":{\"previous_message_id\":null}", "");
    assert_true(J.gen.asks_diagnostics);
    assert_null(J.gen.anthropic_previous);
    assert_take("\"diagnostics\":{\"previous_message_id\":\"msg_1\"}", "");
    assert_string_equal(J.gen.anthropic_previous, "msg_1");
    assert_refused(take("\"diagnostics\":{\"previous_message_id\":1}"),
                   "diagnostics.previous_message_id", "a string");
    assert_refused(take("\"diagnostics\":true"), "diagnostics", "an object");
}

/* ---- tools ----------------------------------------------------------------------------------- */

#define TOOL(name, rest)                                                                           \
    "{\"name\":\"" name "\",\"input_schema\":{\"type\":\"object\",\"properties\":{}}" rest "}"
#define TOOLS "\"tools\":[" TOOL("f", "") "," TOOL("g", "") "]"

static void test_tools(void **state)
{
    (void)state;
    assert_take("\"tools\":[" TOOL("f", ",\"type\":\"custom\",\"description\":\"D\"") "," TOOL(
                    "g", ",\"strict\":true,\"cache_control\":{},\"input_examples\":[{}],"
                         "\"defer_loading\":true,\"eager_input_streaming\":true,"
                         "\"allowed_callers\":[\"direct\"]") "]",
                "tools[].cache_control, tools[].input_examples, tools[].defer_loading, "
                "tools[].eager_input_streaming");
    assert_bytes(&J.gen.tools,
                 "[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"D\","
                 "\"parameters\":{\"type\":\"object\",\"properties\":{}}}},{\"type\":\"function\","
                 "\"function\":{\"name\":\"g\",\"parameters\":{\"type\":\"object\",\"properties\":"
                 "{}},\"strict\":true}}]");
    assert_int_equal(J.gen.n_tools, 2);
    assert_string_equal(J.gen.tool_names[1], "g");
    assert_true(J.gen.strict_tools && !J.gen.strict_tool[0] && J.gen.strict_tool[1]);
    assert_int_equal(J.gen.choice, TOOLS_AUTO);
    assert_take("\"tools\":[]", "");
    assert_int_equal(J.gen.tools.n, 0);
}

static void test_tools_refused(void **state)
{
    (void)state;
    static const char *const own[] = {"web_search_20250305", "bash_20250124",
                                      "text_editor_20250728", "computer_20250124"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        char members[128];
        snprintf(members, sizeof members, "\"tools\":[{\"type\":\"%s\",\"name\":\"x\"}]", own[i]);
        assert_refused(take(members), "tools[0].type", own[i]);
    }
    assert_refused(take("\"tools\":{}"), "tools", "an array");
    assert_refused(take("\"tools\":[7]"), "tools[0]", "an object");
    assert_refused(take("\"tools\":[{\"input_schema\":{\"type\":\"object\"}}]"), "tools[0].name",
                   "missing");
    assert_refused(take("\"tools\":[{\"name\":\"\"}]"), "tools[0].name", "0 bytes");
    assert_refused(take("\"tools\":[{\"name\":\"a b\",\"input_schema\":{}}]"), "tools[0].name",
                   "character");
    assert_refused(take("\"tools\":[{\"name\":\"f\"}]"), "tools[0].input_schema", "missing");
    assert_refused(take("\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"array\"}}]"),
                   "tools[0].input_schema.type", "object");
    assert_refused(take("\"tools\":[" TOOL("f", "") "," TOOL("f", "") "]"), "tools[1].name",
                   "two tools");
    assert_refused(take("\"tools\":[" TOOL("f", ",\"strict\":\"yes\"") "]"), "tools[0].strict",
                   "true or false");
    assert_refused(take("\"tools\":[" TOOL("f", ",\"allowed_callers\":[\"code_execution\"]") "]"),
                   "tools[0].allowed_callers", "direct");
}

static void test_tool_choice(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        tool_choice choice;
    } cases[] = {{"auto", TOOLS_AUTO}, {"any", TOOLS_REQUIRED}, {"none", TOOLS_NONE}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char members[512];
        snprintf(members, sizeof members,
                 TOOLS ",\"tool_choice\":{\"type\":\"%s\",\"disable_parallel_tool_use\":%s}",
                 cases[i].type, i ? "true" : "false");
        assert_take(members, "");
        assert_int_equal(J.gen.choice, cases[i].choice);
        assert_int_equal(J.gen.one_call, i > 0);
    }
    /* the order of members does not matter */
    assert_take("\"tool_choice\":{\"type\":\"tool\",\"name\":\"g\"}," TOOLS, "");
    assert_int_equal(J.gen.choice, TOOLS_NAMED);
    assert_string_equal(J.gen.tool_name, "g");
    assert_take("\"tool_choice\":{\"type\":\"none\"}", "");
    assert_refused(take(TOOLS ",\"tool_choice\":\"any\""), "tool_choice", "an object");
    assert_refused(take(TOOLS ",\"tool_choice\":{}"), "tool_choice.type", "missing");
    assert_refused(take(TOOLS ",\"tool_choice\":{\"type\":\"some\"}"), "tool_choice.type",
                   "'some'");
    assert_refused(take(TOOLS ",\"tool_choice\":{\"type\":\"tool\"}"), "tool_choice.name",
                   "missing");
    assert_refused(take(TOOLS ",\"tool_choice\":{\"type\":\"tool\",\"name\":\"h\"}"),
                   "tool_choice.name", "'h'");
    assert_refused(take(TOOLS ",\"tool_choice\":{\"type\":\"any\",\"name\":\"f\"}"),
                   "tool_choice.name", "type tool");
    assert_refused(take("\"tool_choice\":{\"type\":\"any\"}"), "tool_choice", "no tools");
}

/* ---- thinking -------------------------------------------------------------------------------- */

static const char *const GPT_EFFORTS[] = {"low", "medium", "high"};

static void set_model(bool thinks, bool has_switch, bool efforts)
{
    MODEL.chat_info = (ingle_chat_info){.thinks = thinks,
                                        .thinking_switch = has_switch,
                                        .efforts = GPT_EFFORTS,
                                        .n_efforts = efforts ? 3 : 0};
}

#define ENABLED "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":50}"

static void test_thinking(void **state)
{
    (void)state;
    set_model(true, true, false);
    assert_take("", "");
    assert_int_equal(J.gen.thinking, INGLE_THINKING_OFF);
    assert_take(ENABLED, "");
    assert_int_equal(J.gen.thinking, INGLE_THINKING_ON);
    assert_int_equal(J.gen.thinking_tokens, 50);
    assert_take("\"thinking\":{\"type\":\"disabled\"}", "");
    assert_int_equal(J.gen.thinking, INGLE_THINKING_OFF);
    assert_take("\"thinking\":{\"type\":\"adaptive\",\"display\":\"omitted\"}", "");
    assert_int_equal(J.gen.thinking, INGLE_THINKING_ON);
    assert_int_equal(J.gen.thinking_tokens, -1);
    assert_true(((anthropic_own *)J.own)->hides_thinking);
    assert_take("\"thinking\":{\"type\":\"adaptive\",\"display\":\"summarized\"}", "");
    assert_false(((anthropic_own *)J.own)->hides_thinking);
    assert_refused(take("\"thinking\":{}"), "thinking.type", "missing");
    assert_refused(take("\"thinking\":{\"type\":\"hard\"}"), "thinking.type", "'hard'");
    assert_refused(take("\"thinking\":{\"type\":\"adaptive\",\"display\":\"all\"}"),
                   "thinking.display", "'all'");
    assert_refused(take("\"thinking\":{\"type\":\"enabled\"}"), "thinking.budget_tokens",
                   "missing");
    assert_refused(take("\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":0}"),
                   "thinking.budget_tokens", "0");
    assert_refused(take("\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":100}"),
                   "thinking.budget_tokens", "max_tokens");
    assert_refused(take("\"thinking\":{\"type\":\"adaptive\",\"budget_tokens\":10}"),
                   "thinking.budget_tokens", "enabled");
}

static void test_thinking_between_tools(void **state)
{
    (void)state;
    set_model(true, true, false);
#define BETWEEN "\"thinking\":{\"type\":\"between_tools\"}"
    assert_take(BETWEEN, "");
    assert_int_equal(J.gen.thinking, INGLE_THINKING_OFF);
    assert_true(read_table(
        &anthropic_fields,
        "{\"max_tokens\":9,\"messages\":[" USER
        "," USE("t1") ",{\"role\":\"user\",\"content\":[" RESULT("t1", "") "]}]," BETWEEN "}",
        false));
    assert_int_equal(J.gen.thinking, INGLE_THINKING_ON);
}

static void test_thinking_of_other_models(void **state)
{
    (void)state;
    set_model(false, false, false);
    assert_take(ENABLED, "thinking");
    assert_int_equal(J.gen.thinking, INGLE_THINKING_AUTO);
    assert_int_equal(J.gen.thinking_tokens, -1);
    assert_take("\"thinking\":{\"type\":\"disabled\"}", "");
    assert_int_equal(J.gen.thinking, INGLE_THINKING_AUTO);
    /* one that thinks, and has no switch: thinking is closed as soon as it begins */
    set_model(true, false, false);
    static const char *const off[] = {"", "\"thinking\":{\"type\":\"disabled\"}", BETWEEN};
    for (size_t i = 0; i < sizeof off / sizeof *off; i++) {
        assert_take(off[i], "");
        assert_int_equal(J.gen.thinking, INGLE_THINKING_AUTO);
        assert_int_equal(J.gen.thinking_tokens, 0);
    }
    assert_take("\"reasoning_budget\":9", "");
    assert_int_equal(J.gen.thinking_tokens, 9);
    assert_take(ENABLED, "");
    assert_int_equal(J.gen.thinking, INGLE_THINKING_AUTO);
    assert_int_equal(J.gen.thinking_tokens, 50);
}

static void test_effort(void **state)
{
    (void)state;
#define EFFORT(e) "\"output_config\":{\"effort\":\"" e "\"}"
    set_model(true, false, true);
    assert_take(EFFORT("medium"), "");
    assert_string_equal(J.gen.effort, "medium");
    assert_take(EFFORT("max"), "");
    assert_string_equal(J.gen.effort, "high");
    assert_take("\"thinking\":{\"type\":\"adaptive\"}," EFFORT("low"), "");
    assert_string_equal(J.gen.effort, "low");
    set_model(true, true, false);
    assert_take(EFFORT("high"), "output_config.effort");
    assert_string_equal(J.gen.effort, "");
    assert_int_equal(J.gen.thinking, INGLE_THINKING_OFF);
    assert_refused(take(EFFORT("huge")), "output_config.effort", "'huge'");
}

/* ---- counting, models ------------------------------------------------------------------------ */

static void test_count_fields(void **state)
{
    (void)state;
    assert_true(read_table(&anthropic_count_fields,
                           "{\"messages\":[" USER "],\"model\":\"m\"," TOOLS "," ENABLED "}",
                           true));
    assert_ignored("");
    assert_true(read_table(&anthropic_count_fields,
                           "{\"messages\":[" USER "],\"max_tokens\":5,\"stream\":true,"
                           "\"stop_sequences\":[],\"metadata\":{},\"diagnostics\":{}}",
                           true));
    assert_ignored("max_tokens, stream, stop_sequences, metadata, diagnostics");
    assert_refused(read_table(&anthropic_count_fields, "{\"messages\":7}", true), "messages",
                   "an array");
    assert_refused(read_table(&anthropic_count_fields, "{\"mcp_servers\":[]}", true), "mcp_servers",
                   "not supported");
}

static void test_model(void **state)
{
    (void)state;
    ingle_json_writer w = {0};
    ingle_json_doc doc;
    set_model(true, true, true);
    snprintf(MODEL.name, sizeof MODEL.name, "tiny");
    MODEL.created = 86400;
    MODEL.engine_info.n_ctx = 2048;
    anthropic_model(&MODEL, &w);
    assert_int_equal(ingle_json_finish(&w), INGLE_OK);
    assert_int_equal(ingle_json_open(&doc, w.text, w.n, NULL, NULL), INGLE_OK);
    assert_true(ingle_json_is_text(ingle_json_get(doc.root, "type"), "model"));
    assert_true(ingle_json_is_text(ingle_json_get(doc.root, "id"), "tiny"));
    assert_true(ingle_json_is_text(ingle_json_get(doc.root, "created_at"), "1970-01-02T00:00:00Z"));
    int64_t n = 0;
    assert_true(ingle_json_i64(ingle_json_get(doc.root, "max_input_tokens"), &n));
    assert_int_equal(n, 2048);
    const ingle_json *can = ingle_json_get(doc.root, "capabilities");
    const ingle_json *effort = ingle_json_get(can, "effort");
    bool yes = false;
    assert_true(ingle_json_bool(ingle_json_get(ingle_json_get(effort, "high"), "supported"), &yes));
    assert_true(yes);
    assert_true(ingle_json_bool(ingle_json_get(ingle_json_get(effort, "max"), "supported"), &yes));
    assert_false(yes);
    ingle_json_close(&doc);
    ingle_json_writer_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_messages_refused),
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_search_results),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_calls_refused),
        cmocka_unit_test(test_system),
        cmocka_unit_test(test_plain_members),
        cmocka_unit_test(test_inert_and_refused),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_diagnostics),
        cmocka_unit_test(test_tools),
        cmocka_unit_test(test_tools_refused),
        cmocka_unit_test(test_tool_choice),
        cmocka_unit_test(test_thinking),
        cmocka_unit_test(test_thinking_between_tools),
        cmocka_unit_test(test_thinking_of_other_models),
        cmocka_unit_test(test_effort),
        cmocka_unit_test(test_count_fields),
        cmocka_unit_test(test_model),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    close_body();
    return failed;
}
