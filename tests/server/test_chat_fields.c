/* test_chat_fields.c - bodies of chat completions: each row, messages as the library takes them, tools
 * and the choice among them, forms, thinking, and grammars of calls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "server/chat.h"
/* after the others */
#include "must.h"
#include "server/body.h"
#include "server/rows.h"
/* its words are plain ones */
#include "server/job.h"

#define USER "{\"role\":\"user\",\"content\":\"Hi\"}"
#define CALL(id, name, args)                                                                       \
    "{\"id\":\"" id "\",\"type\":\"function\",\"function\":{\"name\":\"" name                      \
    "\",\"arguments\":" args "}}"
#define RESULT(id, text) "{\"role\":\"tool\",\"tool_call_id\":\"" id "\",\"content\":\"" text "\"}"
#define TOOL(name, more) "{\"type\":\"function\",\"function\":{\"name\":\"" name "\"" more "}}"

static ingle_model *model;
static ingle_chat *chat;
static ingle_chat_info info = {.size = sizeof info};

static int open_model(void **state)
{
    ingle_error err = {""};
    ingle_model_options opt;
    (void)state;
    ingle_model_options_init(&opt);
    opt.parts = INGLE_PARTS_VOCAB;
    must(ingle_model_open(&model, INGLE_SOURCE_DIR "/models/tiny-chat.gguf", &opt, &err), &err);
    must(ingle_chat_open(&chat, model, NULL, &err), &err);
    must(ingle_chat_info_get(chat, &info, &err), &err);
    return 0;
}

static int close_model(void **state)
{
    (void)state;
    ingle_chat_close(&chat);
    ingle_model_close(&model);
    return 0;
}

/* ---- helpers --------------------------------------------------------------------------------- */

/* A job as far as reading a body needs one. */
static body read_with(const char *text, generation *g, const ingle_chat_info *of,
                      const char *template_text)
{
    body b = body_read(&chat_fields, text, g);
    if (b.read) b.read = chat_read_body(&b.r, g, b.doc.root, of, template_text);
    return b;
}

static body read_body(const char *text, generation *g)
{
    return read_with(text, g, &info, NULL);
}

static void close_all(body *b, generation *g)
{
    body_close(b);
    generation_free(g);
}

static void refuses(const char *text, const char *param, const char *words)
{
    generation g;
    body b = read_body(text, &g);
    assert_refused(&b, param, words);
    close_all(&b, &g);
}

static void assert_bytes(const bytes *b, const char *text)
{
    if (b->n != strlen(text) || (b->n && memcmp(b->p, text, b->n) != 0))
        fail_msg("%.*s\nis not\n%s", (int)b->n, b->p, text);
}

/* What the library makes of the conversation. */
static void assert_renders(const generation *g)
{
    ingle_chat_input in;
    ingle_prompt *prompt;
    ingle_error err = {""};
    ingle_chat_input_init(&in);
    in.messages = g->messages.p;
    in.n_messages = g->messages.n;
    in.tools = g->tools.n ? g->tools.p : NULL;
    in.n_tools = g->tools.n;
    must(ingle_chat_render(&prompt, chat, &in, &err), &err);
    ingle_prompt_close(&prompt);
}

/* The messages become these. */
static void become(const char *messages, const char *written)
{
    char text[8000];
    generation g;
    snprintf(text, sizeof text, "{\"messages\":%s}", messages);
    body b = read_body(text, &g);
    assert_read(&b);
    assert_bytes(&g.messages, written);
    assert_renders(&g);
    close_all(&b, &g);
}

static void message_refused(const char *messages, const char *param, const char *words)
{
    char text[8000];
    snprintf(text, sizeof text, "{\"messages\":%s}", messages);
    refuses(text, param, words);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void test_every_row(void **state)
{
    (void)state;
    rows_check(&chat_fields);
}

static void test_numbers(void **state)
{
    generation g;
    (void)state;
    body b = read_body("{\"messages\":[" USER "],\"max_completion_tokens\":50,\"max_tokens\":50,"
                       "\"n\":3,\"logprobs\":true,\"top_logprobs\":4,\"stream\":true,"
                       "\"stream_options\":{\"include_usage\":true},\"parallel_tool_calls\":false,"
                       "\"model\":\"m\",\"temperature\":0.25}",
                       &g);
    assert_read(&b);
    assert_int_equal(g.max_tokens, 50);
    assert_int_equal(g.n, 3);
    assert_true(g.logprobs && g.stream && g.include_usage && g.one_call);
    assert_int_equal(g.top_logprobs, 4);
    assert_string_equal(g.model, "m");
    assert_true(g.sampling.temperature == 0.25f);
    assert_int_equal(g.n_messages, 1);
    assert_string_equal(body_ignored(&b), "");
    close_all(&b, &g);
    refuses("{\"messages\":[" USER "],\"max_completion_tokens\":50,\"max_tokens\":51}",
            "max_tokens", "another field");
    refuses("{\"messages\":[" USER "],\"top_logprobs\":2}", "top_logprobs", "needs logprobs true");
    refuses("{\"messages\":[" USER "],\"n\":17}", "n", "1 to 16");
    refuses("{\"messages\":[" USER "],\"stream_options\":{\"include_usage\":1}}",
            "stream_options.include_usage", "true or false");
    refuses("{\"messages\":[" USER "],\"stream_options\":{\"include_usages\":true}}",
            "stream_options.include_usages", "did you mean 'include_usage'?");
    refuses("{\"messages\":[" USER "],\"max_token\":5}", "max_token", "did you mean 'max_tokens'?");
}

static void test_what_agents_send(void **state)
{
    generation g;
    (void)state;
    body b = read_body("{\"messages\":[" USER "],\"user\":\"u\",\"store\":false,\"service_tier\":"
                       "\"auto\",\"prompt_cache_key\":\"k\",\"stream_options\":{\"include_"
                       "obfuscation\":false},\"client_metadata\":{}}",
                       &g);
    assert_read(&b);
    assert_string_equal(body_ignored(&b), "user, store, service_tier, prompt_cache_key, "
                                          "stream_options.include_obfuscation, client_metadata");
    close_all(&b, &g);
}

static void test_metadata(void **state)
{
    generation g;
    char text[3000], *at = text;
    (void)state;
    body b = read_body("{\"messages\":[" USER "],\"metadata\":{\"a\":\"1\",\"b\":\"\"}}", &g);
    assert_read(&b);
    assert_string_equal(g.metadata, "{\"a\":\"1\",\"b\":\"\"}");
    close_all(&b, &g);
    refuses("{\"messages\":[" USER "],\"metadata\":{\"a\":1}}", "metadata.a", "a string");
    at += sprintf(at, "{\"messages\":[" USER "],\"metadata\":{\"k\":\"v\"");
    for (int i = 0; i < 16; i++) at += sprintf(at, ",\"k%d\":\"v\"", i);
    sprintf(at, "}}");
    refuses(text, "metadata", "has 17 members");
    at = text + sprintf(text, "{\"messages\":[" USER "],\"metadata\":{\"a\":\"");
    for (int i = 0; i < 513; i++) *at++ = 'x';
    sprintf(at, "\"}}");
    refuses(text, "metadata.a", "512");
}

/* ---- messages -------------------------------------------------------------------------------- */

static void test_plain_messages(void **state)
{
    (void)state;
    become("[{\"content\":\"Be kind.\",\"role\":\"developer\"}," USER
           ",{\"role\":\"assistant\",\"content\":null,\"refusal\":\"No.\"},{\"role\":\"user\","
           "\"content\":\"Why?\",\"name\":\"Ann\"}]",
           "[{\"role\":\"developer\",\"content\":\"Be kind.\"},{\"role\":\"user\",\"content\":"
           "\"Hi\"},{\"role\":\"assistant\",\"content\":\"No.\"},{\"role\":\"user\",\"name\":"
           "\"Ann\",\"content\":\"Why?\"}]");
}

static void test_parts(void **state)
{
    (void)state;
    become("[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"One\"}]}]",
           "[{\"role\":\"user\",\"content\":\"One\"}]");
    become(
        "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"One\"},{\"text\":\"Two\","
        "\"type\":\"text\"}]}]",
        "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"One\"},{\"type\":"
        "\"text\",\"text\":\"Two\"}]}]");
    become("[" USER ",{\"role\":\"assistant\",\"content\":[{\"type\":\"refusal\",\"refusal\":"
           "\"No\"}]}," USER "]",
           "[" USER ",{\"role\":\"assistant\",\"content\":\"No\"}," USER "]");
    become("[{\"role\":\"user\",\"content\":[]}]", "[{\"role\":\"user\",\"content\":\"\"}]");
    message_refused(
        "[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":"
        "\"http://x\"}}]}]",
        "messages[0].content[0].type", "'image_url': this model reads text");
    message_refused("[" USER ",{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{"
                    "\"input_audio\":{},\"type\":\"input_audio\"}]}]",
                    "messages[1].content[1].input_audio", "this model reads text");
    message_refused("[{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}]",
                    "messages[0].content[0].text", "is missing");
    message_refused("[{\"role\":\"user\",\"content\":[{\"text\":\"a\"}]}]",
                    "messages[0].content[0].type", "is missing");
    message_refused("[{\"role\":\"user\",\"content\":[\"a\"]}]", "messages[0].content[0]",
                    "an object");
    message_refused("[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":5}]}]",
                    "messages[0].content[0].text", "a string");
}

static void test_messages_refused(void **state)
{
    (void)state;
    refuses("{}", "messages", "is missing");
    message_refused("[]", "messages", "has 0 elements");
    message_refused("\"Hi\"", "messages", "an array");
    message_refused("[\"Hi\"]", "messages[0]", "an object");
    message_refused("[{\"content\":\"Hi\"}]", "messages[0].role", "is missing");
    message_refused("[{\"role\":\"function\",\"content\":\"Hi\"}]", "messages[0].role", "'tool'");
    message_refused("[{\"role\":\"user\"}]", "messages[0].content", "is missing");
    message_refused("[{\"role\":\"user\",\"content\":null}]", "messages[0].content", "is missing");
    message_refused("[{\"role\":\"user\",\"content\":5}]", "messages[0].content", "a string or an");
    message_refused("[" USER ",{\"role\":\"assistant\",\"content\":\"\",\"function_call\":{}}]",
                    "messages[1].function_call", "use tool_calls");
    message_refused(
        "[{\"role\":\"user\",\"content\":\"\",\"tool_calls\":[" CALL("a", "f", "\"\"") "]}]",
        "messages[0].tool_calls", "an assistant");
    message_refused("[{\"role\":\"user\",\"content\":\"\",\"reasoning\":\"hm\"}]",
                    "messages[0].reasoning", "an assistant");
    message_refused("[{\"role\":\"user\",\"content\":\"\",\"tool_call_id\":\"a\"}]",
                    "messages[0].tool_call_id", "a tool");
    message_refused("[{\"role\":\"user\",\"content\":\"\",\"role_name\":\"a\",\"contents\":1}]",
                    "messages[0].contents", "did you mean 'content'?");
}

static void test_thinking_of_history(void **state)
{
    (void)state;
    become("[" USER ",{\"role\":\"assistant\",\"content\":\"a\",\"reasoning\":\"hm\"}," USER
           ",{\"role\":\"assistant\",\"content\":\"b\",\"reasoning_content\":\"so\",\"reasoning\":"
           "\"hm\"}," USER "]",
           "[" USER ",{\"role\":\"assistant\",\"content\":\"a\",\"reasoning_content\":\"hm\"}," USER
           ",{\"role\":\"assistant\",\"content\":\"b\",\"reasoning_content\":\"so\"}," USER "]");
}

static void test_calls(void **state)
{
    (void)state;
    become("[" USER ",{\"role\":\"assistant\",\"tool_calls\":[" CALL(
               "a", "f", "\"{\\\"x\\\": 1}\"") "]}," RESULT("a", "one") "]",
           "[" USER ",{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[" CALL(
               "a", "f", "\"{\\\"x\\\": 1}\"") "]},{\"role\":\"tool\",\"name\":\"f\","
                                               "\"tool_call_id\":\"a\",\"content\":\"one\"}]");
}

/* Arguments that are objects, nothing, or no JSON at all. */
static void test_arguments(void **state)
{
    (void)state;
    become(
        "[" USER ",{\"role\":\"assistant\",\"tool_calls\":[" CALL("a", "f", "{\"x\":[1]}") "," CALL(
            "b", "f", "\"\"") "," CALL("c", "f", "\"{\\\"x\\\": \"") "]}," RESULT("a", "1") "]",
        "[" USER ",{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[" CALL(
            "a", "f",
            "\"{\\\"x\\\":[1]}\"") "," CALL("b", "f",
                                            "\"{}\"") "," CALL("c", "f",
                                                               "\"{\\\"x\\\": \"") "]},{\"role\":"
                                                                                   "\"tool\","
                                                                                   "\"name\":\"f\","
                                                                                   "\"tool_call_"
                                                                                   "id\":\"a\","
                                                                                   "\"content\":"
                                                                                   "\"1\"}]");
}

static void test_custom_calls(void **state)
{
    (void)state;
    become("[" USER ",{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"a\",\"type\":\"custom\","
           "\"custom\":{\"name\":\"run\",\"input\":\"ls \\\"x\\\"\"}}]}," RESULT("a", "1") "]",
           "[" USER ",{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[" CALL(
               "a", "run",
               "\"{\\\"input\\\":\\\"ls \\\\\\\"x\\\\\\\"\\\"}\"") "]},{\"role\":"
                                                                   "\"tool\",\"name\":\"run\","
                                                                   "\"tool_call_id\":\"a\","
                                                                   "\"content\":\"1\"}]");
}

/* In any order they came; an id that is used again means the latest call. */
static void test_results_are_sorted(void **state)
{
    (void)state;
    become(
        "[" USER ",{\"role\":\"assistant\",\"tool_calls\":[" CALL("a", "f", "\"{}\"") "," CALL(
            "b", "g",
            "\"{}\"") "," CALL("c", "h",
                               "\"{}\"") "]}," RESULT("c",
                                                      "3") "," RESULT("a",
                                                                      "1") "," RESULT("b",
                                                                                      "2") "," USER
                                                                                           "]",
        "[" USER ",{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[" CALL(
            "a", "f",
            "\"{}\"") "," CALL("b", "g",
                               "\"{}\"") "," CALL("c", "h",
                                                  "\"{}\"") "]},"
                                                            "{\"role\":\"tool\",\"name\":\"f\","
                                                            "\"tool_call_id\":\"a\",\"content\":"
                                                            "\"1\"},"
                                                            "{\"role\":\"tool\",\"name\":\"g\","
                                                            "\"tool_call_id\":\"b\",\"content\":"
                                                            "\"2\"},"
                                                            "{\"role\":\"tool\",\"name\":\"h\","
                                                            "\"tool_call_id\":\"c\",\"content\":"
                                                            "\"3\"}," USER "]");
    become(
        "[" USER
        ",{\"role\":\"assistant\",\"tool_calls\":[" CALL("a", "f", "\"{}\"") "]}," RESULT("a", "1") ",{\"role\":\"assistant\",\"tool_calls\":[" CALL(
            "b", "g", "\"{}\"") "," CALL("a", "h",
                                         "\"{}\"") "]}," RESULT("a", "3") "," RESULT("b", "2") "]",
        "[" USER ",{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[" CALL(
            "a", "f",
            "\"{}\"") "]},{\"role\":\"tool\",\"name\":\"f\",\"tool_call_id\":\"a\",\"content\":"
                      "\"1\"},"
                      "{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[" CALL(
                          "b", "g",
                          "\"{}\"") "," CALL("a", "h",
                                             "\"{}\"") "]},"
                                                       "{\"role\":\"tool\",\"name\":\"g\",\"tool_"
                                                       "call_id\":\"b\",\"content\":\"2\"},"
                                                       "{\"role\":\"tool\",\"name\":\"h\",\"tool_"
                                                       "call_id\":\"a\",\"content\":\"3\"}]");
}

static void test_results_refused(void **state)
{
    (void)state;
    message_refused("[" USER "," RESULT("a", "1") "]", "messages[1].tool_call_id",
                    "'a', but no call");
    message_refused("[" USER ",{\"role\":\"assistant\",\"tool_calls\":[" CALL(
                        "a", "f", "\"{}\"") "]}," RESULT("a", "1") "," RESULT("b", "2") "]",
                    "messages[3].tool_call_id", "'b', but no call");
    message_refused("[" USER ",{\"role\":\"tool\",\"content\":\"1\"}]", "messages[1].tool_call_id",
                    "is missing");
    message_refused("[" USER ",{\"role\":\"assistant\",\"tool_calls\":[{\"type\":\"function\","
                    "\"function\":{\"name\":\"f\"}}]}]",
                    "messages[1].tool_calls[0].id", "is missing");
    message_refused("[" USER ",{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"a\"}]}]",
                    "messages[1].tool_calls[0].function", "is missing");
    message_refused("[" USER ",{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"a\",\"function\":{"
                    "\"arguments\":\"\"}}]}]",
                    "messages[1].tool_calls[0].function.name", "is missing");
    message_refused("[" USER ",{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"a\",\"function\":{"
                    "\"name\":\"f\",\"arguments\":7}}]}]",
                    "messages[1].tool_calls[0].function.arguments", "a string or an object");
    message_refused("[" USER
                    ",{\"role\":\"assistant\",\"tool_calls\":[" CALL("a", "f", "\"{}\"") "]}]",
                    "messages[1].tool_calls", "should follow");
}

static void test_continuing(void **state)
{
    generation g;
    (void)state;
    body b =
        read_body("{\"messages\":[" USER ",{\"role\":\"assistant\",\"content\":\"Well\"}]}", &g);
    assert_read(&b);
    assert_true(g.continues);
    close_all(&b, &g);
    b = read_body("{\"messages\":[" USER ",{\"role\":\"assistant\",\"content\":\"Well\"}],"
                  "\"continue_final_message\":false}",
                  &g);
    assert_read(&b);
    assert_true(!g.continues && g.no_continue);
    close_all(&b, &g);
    b = read_body("{\"messages\":[" USER ",{\"role\":\"assistant\",\"content\":\"Well\"}],"
                  "\"continue_final_message\":true,\"add_generation_prompt\":false}",
                  &g);
    assert_read(&b);
    assert_true(g.continues);
    close_all(&b, &g);
    refuses("{\"messages\":[" USER "],\"continue_final_message\":true}", "continue_final_message",
            "not the assistant's");
    refuses("{\"messages\":[" USER "],\"add_generation_prompt\":false}", "add_generation_prompt",
            "has to begin");
}

/* ---- tools ----------------------------------------------------------------------------------- */

static body read_tools(const char *tools, const char *more, generation *g)
{
    static char text[8000];
    snprintf(text, sizeof text, "{\"messages\":[" USER "],\"tools\":%s%s}", tools, more);
    return read_body(text, g);
}

static void tools_refused(const char *tools, const char *more, const char *param, const char *words)
{
    generation g;
    body b = read_tools(tools, more, &g);
    assert_refused(&b, param, words);
    close_all(&b, &g);
}

static void test_functions(void **state)
{
    generation g;
    (void)state;
    body b = read_tools("[" TOOL("f", ",\"strict\":true,\"description\":\"does\",\"parameters\":{"
                                      "\"type\":\"object\"}") "," TOOL("g-2_", "") "]",
                        "", &g);
    assert_read(&b);
    assert_bytes(&g.tools,
                 "[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"does\","
                 "\"parameters\":{\"type\":\"object\"}}},{\"type\":\"function\",\"function\":{"
                 "\"name\":\"g-2_\",\"parameters\":{\"type\":\"object\",\"properties\":{}}}}]");
    assert_int_equal(g.n_tools, 2);
    assert_string_equal(g.tool_names[1], "g-2_");
    assert_true(g.strict_tools && g.strict_tool[0] && !g.strict_tool[1]);
    assert_false(g.custom_tool[0]);
    assert_int_equal(g.choice, TOOLS_AUTO);
    assert_renders(&g);
    close_all(&b, &g);
    b = read_tools("[]", "", &g);
    assert_read(&b);
    assert_int_equal(g.tools.n, 0);
    close_all(&b, &g);
}

static void test_custom_tools(void **state)
{
    generation g;
    (void)state;
    body b = read_tools("[{\"type\":\"custom\",\"custom\":{\"name\":\"run\",\"format\":{\"type\":"
                        "\"text\"}}},{\"type\":\"custom\",\"custom\":{\"name\":\"num\",\"format\":{"
                        "\"type\":\"grammar\",\"grammar\":{\"syntax\":\"regex\",\"definition\":"
                        "\"a|b\"}}}}]",
                        "", &g);
    assert_read(&b);
    assert_bytes(
        &g.tools,
        "[{\"type\":\"function\",\"function\":{\"name\":\"run\",\"parameters\":{\"type\":"
        "\"object\","
        "\"properties\":{\"input\":{\"type\":\"string\"}},\"required\":[\"input\"],"
        "\"additionalProperties\":false}}},{\"type\":\"function\",\"function\":{\"name\":\"num\","
        "\"parameters\":{\"type\":\"object\",\"properties\":{\"input\":{\"type\":\"string\","
        "\"pattern\":\"^(?:a|b)$\"}},\"required\":[\"input\"],\"additionalProperties\":false}}}]");
    assert_true(g.custom_tool[0] && g.custom_tool[1]);
    assert_true(!g.strict_tool[0] && g.strict_tool[1]);
    assert_renders(&g);
    close_all(&b, &g);
    tools_refused("[{\"type\":\"custom\",\"custom\":{\"name\":\"run\",\"format\":{\"type\":"
                  "\"grammar\",\"grammar\":{\"syntax\":\"lark\",\"definition\":\"x\"}}}}]",
                  "", "tools[0].custom.format.grammar.syntax", "'lark': use 'regex'");
    tools_refused("[{\"type\":\"custom\",\"custom\":{\"name\":\"run\",\"format\":{\"type\":"
                  "\"grammar\",\"grammar\":{\"syntax\":\"regex\"}}}}]",
                  "", "tools[0].custom.format.grammar.definition", "is missing");
}

static void test_tools_refused(void **state)
{
    (void)state;
    tools_refused("[{\"function\":{\"name\":\"f\"}}]", "", "tools[0].type", "is missing");
    tools_refused("[{\"type\":\"web_search\"}]", "", "tools[0].type", "'web_search'");
    tools_refused("[{\"type\":\"function\",\"name\":\"f\"}]", "", "tools[0].function",
                  "is missing");
    tools_refused("[" TOOL("f", "") ",{\"type\":\"function\",\"function\":{}}]", "",
                  "tools[1].function.name", "is missing");
    tools_refused("[" TOOL("a b", "") "]", "", "tools[0].function.name", "letters, digits");
    tools_refused("[" TOOL("", "") "]", "", "tools[0].function.name", "has 0 bytes");
    tools_refused(
        "[" TOOL("a234567890b234567890c234567890d234567890e234567890f234567890g2345", "") "]", "",
        "tools[0].function.name", "has 65 bytes");
    tools_refused("[" TOOL("f", "") "," TOOL("f", "") "]", "", "tools[1].function.name",
                  "another tool's");
    tools_refused("[" TOOL("f", ",\"parameters\":[]") "]", "", "tools[0].function.parameters",
                  "an object");
    tools_refused("[" TOOL("f", ",\"strict\":1") "]", "", "tools[0].function.strict", "true or");
    tools_refused("[7]", "", "tools[0]", "an object");
}

static void test_choices(void **state)
{
    static const char tools[] =
        "[" TOOL("f", "") "," TOOL("g", "") ",{\"type\":\"custom\",\"custom\":{\"name\":\"c\"}}]";
    static const struct {
        const char *choice;
        tool_choice expected;
        const char *name, *allowed;
    } cases[] = {
        {"null", TOOLS_AUTO, "", ""},
        {"\"auto\"", TOOLS_AUTO, "", ""},
        {"\"none\"", TOOLS_NONE, "", ""},
        {"\"required\"", TOOLS_REQUIRED, "", ""},
        {"{\"type\":\"function\",\"function\":{\"name\":\"g\"}}", TOOLS_NAMED, "g", ""},
        {"{\"type\":\"custom\",\"custom\":{\"name\":\"c\"}}", TOOLS_NAMED, "c", ""},
        {"{\"type\":\"allowed_tools\",\"allowed_tools\":{\"mode\":\"auto\",\"tools\":[{\"type\":"
         "\"function\",\"function\":{\"name\":\"g\"}}]}}",
         TOOLS_AUTO, "",
         "[{\"type\":\"function\",\"function\":{\"name\":\"g\",\"parameters\":{\"type\":\"object\","
         "\"properties\":{}}}}]"},
        {"{\"type\":\"allowed_tools\",\"allowed_tools\":{\"mode\":\"required\",\"tools\":[{"
         "\"type\":"
         "\"function\",\"function\":{\"name\":\"f\"}}]}}",
         TOOLS_REQUIRED, "",
         "[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\","
         "\"properties\":{}}}}]"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char more[400];
        generation g;
        snprintf(more, sizeof more, ",\"tool_choice\":%s", cases[i].choice);
        body b = read_tools(tools, more, &g);
        assert_read(&b);
        assert_int_equal(g.choice, cases[i].expected);
        assert_string_equal(g.tool_name, cases[i].name);
        assert_bytes(&g.allowed, cases[i].allowed);
        assert_int_equal(g.n_tools, 3);
        close_all(&b, &g);
    }
}

static void test_choices_refused(void **state)
{
    static const char tools[] = "[" TOOL("f", "") "]";
    (void)state;
    tools_refused(tools, ",\"tool_choice\":\"any\"", "tool_choice", "'any', should be");
    tools_refused(tools, ",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"x\"}}",
                  "tool_choice.function.name", "no function of that name");
    tools_refused(tools, ",\"tool_choice\":{\"type\":\"custom\",\"custom\":{\"name\":\"f\"}}",
                  "tool_choice.custom.name", "no custom tool");
    tools_refused(tools, ",\"tool_choice\":{\"function\":{\"name\":\"f\"}}", "tool_choice.type",
                  "is missing");
    tools_refused(tools, ",\"tool_choice\":{\"type\":\"function\"}", "tool_choice.function.name",
                  "is missing");
    tools_refused(tools, ",\"tool_choice\":{\"type\":\"web_search\"}", "tool_choice.type",
                  "'function', 'custom'");
    tools_refused(tools, ",\"tool_choice\":{\"type\":\"allowed_tools\"}",
                  "tool_choice.allowed_tools", "is missing");
    tools_refused(tools, ",\"tool_choice\":{\"type\":\"allowed_tools\",\"allowed_tools\":{}}",
                  "tool_choice.allowed_tools.tools", "is missing");
    tools_refused(tools,
                  ",\"tool_choice\":{\"type\":\"allowed_tools\",\"allowed_tools\":{\"tools\":[]}}",
                  "tool_choice.allowed_tools.tools", "has 0 elements");
    tools_refused(tools,
                  ",\"tool_choice\":{\"type\":\"allowed_tools\",\"allowed_tools\":{\"tools\":[{"
                  "\"type\":\"function\",\"function\":{\"name\":\"f\"}},{\"type\":\"function\","
                  "\"function\":{\"name\":\"x\"}}]}}",
                  "tool_choice.allowed_tools.tools[1].function.name", "no function");
    tools_refused("[]", ",\"tool_choice\":\"required\"", "tool_choice", "no tools");
    tools_refused("[]", ",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"x\"}}",
                  "tool_choice", "no tools");
    tools_refused("[]", ",\"tool_choice\":7", "tool_choice", "a string or an object");
}

/* ---- grammars -------------------------------------------------------------------------------- */

/* Whether the grammar of the body admits the whole of a text, which may end there. */
static bool admits(const ingle_grammar *grammar, const char *text)
{
    ingle_grammar_state *s;
    ingle_error err = {""};
    size_t n;
    bool ends = false;
    must(ingle_grammar_state_open(&s, grammar, &err), &err);
    if (!ingle_grammar_state_text(s, text, strlen(text), &n, &err))
        must(ingle_grammar_state_ends(s, &ends, NULL, &err), &err);
    ingle_grammar_state_close(&s);
    return ends;
}

static body make_grammar(const char *tools, const char *more, generation *g,
                         ingle_grammar **grammar)
{
    body b = read_tools(tools, more, g);
    *grammar = NULL;
    if (b.read) b.read = generation_grammar(g, grammar, chat, model, &info, false, &b.r);
    return b;
}

#define CALLED(name, args)                                                                         \
    "<tool_call>\n{\"name\": \"" name "\", \"arguments\": " args "}\n</tool_call>"

static void test_grammars(void **state)
{
    static const char tools[] =
        "[" TOOL("f", ",\"parameters\":{\"type\":\"object\",\"properties\":{\"x\":{\"type\":"
                      "\"integer\"}},\"required\":[\"x\"]}") "," TOOL("g", "") "]";
    static const char schema[] = ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{"
                                 "\"schema\":{\"type\":\"integer\"}}}";
    static const struct {
        const char *more;
        bool text, call_f, call_bad, call_g, two, number;
    } cases[] = {
        {"", true, true, false, true, true, true},
        {",\"tool_choice\":\"none\"", true, false, false, false, false, true},
        {",\"tool_choice\":\"required\"", false, true, false, true, true, false},
        {",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"f\"}}", false, true,
         false, false, true, false},
        {",\"tool_choice\":\"required\",\"parallel_tool_calls\":false", false, true, false, true,
         false, false},
        {",\"tool_choice\":{\"type\":\"allowed_tools\",\"allowed_tools\":{\"mode\":\"required\","
         "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"g\"}}]}}",
         false, false, false, true, false, false},
        {schema, false, true, false, true, true, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        generation g;
        ingle_grammar *grammar;
        body b = make_grammar(tools, cases[i].more, &g, &grammar);
        assert_read(&b);
        assert_non_null(grammar);
        if (admits(grammar, "Hello.") != cases[i].text) fail_msg("%s: text", cases[i].more);
        if (admits(grammar, "12") != cases[i].number) fail_msg("%s: number", cases[i].more);
        if (admits(grammar, CALLED("f", "{\"x\": 1}")) != cases[i].call_f)
            fail_msg("%s: f", cases[i].more);
        if (admits(grammar, CALLED("f", "{\"x\": \"a\"}")) != cases[i].call_bad)
            fail_msg("%s: f, bad", cases[i].more);
        if (admits(grammar, CALLED("g", "{}")) != cases[i].call_g) fail_msg("%s: g", cases[i].more);
        if (admits(grammar, CALLED("f", "{\"x\": 1}") "\n" CALLED("f", "{\"x\": 2}")) !=
            cases[i].two)
            fail_msg("%s: two", cases[i].more);
        ingle_grammar_close(&grammar);
        close_all(&b, &g);
    }
}

static void test_no_grammar(void **state)
{
    generation g;
    ingle_grammar *grammar;
    (void)state;
    body b = make_grammar("[]", "", &g, &grammar);
    assert_read(&b);
    assert_null(grammar);
    close_all(&b, &g);
    b = make_grammar("[" TOOL("f", "") "]", ",\"parse_tool_calls\":false", &g, &grammar);
    assert_read(&b);
    assert_null(grammar);
    close_all(&b, &g);
}

/* Keywords that cannot be enforced: of lenient tools named, of strict ones refused. */
static void test_strict_and_lenient(void **state)
{
    static const char tea[] = "[" TOOL("g", "") ",%s]";
    char tools[1000], tool[400];
    generation g;
    ingle_grammar *grammar;
    (void)state;
    snprintf(tool, sizeof tool, "%s",
             TOOL("f", ",\"parameters\":{\"type\":\"object\",\"properties\":{\"x\":{\"type\":"
                       "\"string\",\"format\":\"tea\"}}}"));
    snprintf(tools, sizeof tools, tea, tool);
    body b = make_grammar(tools, "", &g, &grammar);
    assert_read(&b);
    assert_string_equal(body_ignored(&b), "tools[1] /properties/x: format");
    ingle_grammar_close(&grammar);
    close_all(&b, &g);
    snprintf(tool, sizeof tool, "%s",
             TOOL("f",
                  ",\"strict\":true,\"parameters\":{\"type\":\"object\",\"properties\":{\"x\":{"
                  "\"type\":\"string\",\"format\":\"tea\"}}}"));
    snprintf(tools, sizeof tools, tea, tool);
    b = make_grammar(tools, "", &g, &grammar);
    assert_refused(&b, "tools[1].function.parameters.properties.x.format", "format");
    assert_string_equal(b.error->code, "invalid_json_schema");
    assert_null(grammar);
    close_all(&b, &g);
    b = make_grammar("[" TOOL("f", ",\"parameters\":{\"type\":\"nothing\"}") "]", "", &g, &grammar);
    assert_refused(&b, "tools[0].function.parameters.type", "");
    close_all(&b, &g);
}

/* ---- forms ----------------------------------------------------------------------------------- */

static void test_formats(void **state)
{
    generation g;
    (void)state;
    body b = read_tools("[]", ",\"response_format\":{\"type\":\"text\"}", &g);
    assert_read(&b);
    assert_int_equal(g.form, INGLE_ANSWER_ANY);
    close_all(&b, &g);
    b = read_tools("[]", ",\"response_format\":{\"type\":\"json_object\"}", &g);
    assert_read(&b);
    assert_int_equal(g.form, INGLE_ANSWER_JSON);
    close_all(&b, &g);
    b = read_tools("[]", ",\"response_format\":{\"type\":\"json_object\",\"schema\":{\"a\":1}}",
                   &g);
    assert_read(&b);
    assert_int_equal(g.form, INGLE_ANSWER_SCHEMA);
    assert_true(g.lenient_schema);
    close_all(&b, &g);
    b = read_tools("[]",
                   ",\"response_format\":{\"json_schema\":{\"name\":\"n\",\"strict\":true,"
                   "\"schema\":{\"type\":\"object\"}},\"type\":\"json_schema\"}",
                   &g);
    assert_read(&b);
    assert_int_equal(g.form, INGLE_ANSWER_SCHEMA);
    assert_false(g.lenient_schema);
    assert_string_equal(g.form_text, "{\"type\":\"object\"}");
    assert_string_equal(g.form_param, "response_format.json_schema.schema");
    close_all(&b, &g);
    tools_refused("[]", ",\"response_format\":{}", "response_format.type", "is missing");
    tools_refused("[]", ",\"response_format\":{\"type\":\"xml\"}", "response_format.type",
                  "'json_object'");
    tools_refused("[]", ",\"response_format\":{\"type\":\"json_schema\"}",
                  "response_format.json_schema.schema", "is missing");
    tools_refused("[]",
                  ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":"
                  "[]}}",
                  "response_format.json_schema.schema", "an object");
    tools_refused("[]", ",\"response_format\":{\"type\":\"json_object\"},\"grammar\":\"x\"",
                  "grammar", "so does 'response_format'");
}

/* ---- thinking, verbosity --------------------------------------------------------------------- */

static void test_efforts(void **state)
{
    static const char *const known[] = {"low", "high"};
    const ingle_chat_info thinker = {.thinks = true, .efforts = known, .n_efforts = 2},
                          plain = {.thinks = false};
    generation g;
    (void)state;
    body b = read_with("{\"messages\":[" USER "],\"reasoning_effort\":\"high\",\"reasoning\":{"
                       "\"effort\":\"high\",\"max_tokens\":9}}",
                       &g, &thinker, NULL);
    assert_read(&b);
    assert_string_equal(g.effort, "high");
    assert_int_equal(g.thinking_tokens, 9);
    close_all(&b, &g);
    b = read_with("{\"messages\":[" USER "],\"reasoning_effort\":\"none\"}", &g, &thinker, NULL);
    assert_refused(&b, "reasoning_effort", "always thinks");
    close_all(&b, &g);
    b = read_with("{\"messages\":[" USER "],\"reasoning\":{\"enabled\":false}}", &g, &thinker,
                  NULL);
    assert_refused(&b, "reasoning.enabled", "always thinks");
    close_all(&b, &g);
    b = read_with("{\"messages\":[" USER "],\"reasoning\":{\"effort\":\"low\"}}", &g, &plain, NULL);
    assert_read(&b);
    assert_string_equal(body_ignored(&b), "reasoning.effort");
    close_all(&b, &g);
    refuses("{\"messages\":[" USER "],\"reasoning_effort\":\"high\",\"enable_thinking\":false}",
            "reasoning_effort", "another field switches thinking off");
    refuses("{\"messages\":[" USER "],\"reasoning\":{\"effort\":\"none\",\"enabled\":true}}",
            "reasoning.effort", "another field switches thinking on");
    refuses("{\"messages\":[" USER "],\"reasoning_effort\":\"huge\"}", "reasoning_effort",
            "'xhigh'");
    refuses("{\"messages\":[" USER "],\"reasoning_effort\":\"low\",\"reasoning\":{\"effort\":"
            "\"high\"}}",
            "reasoning.effort", "another field asks for 'low'");
    refuses("{\"messages\":[" USER "],\"reasoning\":{\"max_tokens\":-1}}", "reasoning.max_tokens",
            "is -1");
}

static void test_verbosity(void **state)
{
    static const char text[] = "{\"messages\":[" USER "],\"verbosity\":\"low\","
                               "\"chat_template_kwargs\":{\"a\":1}}";
    generation g;
    (void)state;
    body b = read_with(text, &g, &info, "{{ verbosity }}");
    assert_read(&b);
    assert_bytes(&g.kwargs, "{\"a\":1,\"verbosity\":\"low\"}");
    close_all(&b, &g);
    b = read_with(text, &g, &info, "{{ messages }}");
    assert_read(&b);
    assert_string_equal(body_ignored(&b), "verbosity");
    close_all(&b, &g);
}

/* ---- a job ----------------------------------------------------------------------------------- */

static void test_job(void **state)
{
    served_model served = {.name = "m", .chat = chat, .chat_info = info};
    job *j = calloc(1, sizeof *j);
    generation g;
    (void)state;
    assert_non_null(j);
    body b = body_read(&chat_fields, "{\"messages\":[" USER "]}", &g);
    assert_read(&b);
    generation_init(&j->gen);
    j->doc = b.doc;
    j->reader.error = &j->error;
    j->model = &served;
    assert_true(chat_read(j));
    assert_bytes(&j->gen.messages, "[" USER "]");
    served.chat = NULL;
    snprintf(served.chat_error.text, sizeof served.chat_error.text, "no template");
    assert_false(chat_read(j));
    assert_int_equal(j->error.status, 400);
    assert_string_equal(j->error.message, "the model 'm' cannot chat: no template");
    generation_free(&j->gen);
    free(j);
    close_all(&b, &g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_what_agents_send),
        cmocka_unit_test(test_metadata),
        cmocka_unit_test(test_plain_messages),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_messages_refused),
        cmocka_unit_test(test_thinking_of_history),
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_custom_calls),
        cmocka_unit_test(test_results_are_sorted),
        cmocka_unit_test(test_results_refused),
        cmocka_unit_test(test_continuing),
        cmocka_unit_test(test_functions),
        cmocka_unit_test(test_custom_tools),
        cmocka_unit_test(test_tools_refused),
        cmocka_unit_test(test_choices),
        cmocka_unit_test(test_choices_refused),
        cmocka_unit_test(test_grammars),
        cmocka_unit_test(test_no_grammar),
        cmocka_unit_test(test_strict_and_lenient),
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_efforts),
        cmocka_unit_test(test_verbosity),
        cmocka_unit_test(test_job),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
