/* test_alloc_chat.c - every allocation of opening a chat, rendering a prompt with a kept answer and
 * taking an answer apart fails once: it is reported, and nothing is left. */
#include "requests.h"

#include "wrap_alloc.h"

static const char messages[] =
    "[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":[{\"type\":\"text\","
    "\"text\":\"one\"},{\"type\":\"text\",\"text\":\"two\"}]},{\"role\":\"assistant\",\"content\":"
    "null,\"tool_calls\":[{\"id\":\"x\",\"type\":\"function\",\"function\":{\"name\":\"f\","
    "\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"content\":\"r\"}]";
static const char tools[] = "[{\"name\":\"f\",\"parameters\":{\"type\":\"object\"}}]";
/* Knows no tools, so that they are put in words. */
static const char plain[] =
    "{%- for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}";

/* What the model wrote for the call. */
static const char written[] = "<tool_call>{\"arguments\" : { },\"name\":\"f\"}</tool_call>";

static ingle_model *model;
static int32_t tokens[sizeof written];
static size_t n_tokens, n_taken;

static void open_model(void)
{
    ingle_error err;
    ingle_model_options mo;
    ingle_model_options_init(&mo);
    mo.parts = INGLE_PARTS_VOCAB;
    must(ingle_model_open(&model, TINY, &mo, &err), &err);
    must(ingle_tokenize(model, written, sizeof written - 1, INGLE_PARSE_SPECIAL | INGLE_CONTINUE,
                        tokens, sizeof written, &n_tokens, &err),
         &err);
}

static ingle_status use(ingle_chat *chat, ingle_error *err)
{
    ingle_chat_input in;
    ingle_chat_parser_options po;
    ingle_prompt *p;
    ingle_chat_parser *parser;
    ingle_prompt_info info = {.size = sizeof info};
    const ingle_answer answer = {.i_message = 2, .tokens = tokens, .n_tokens = n_tokens};
    ingle_chat_input_init(&in);
    ingle_chat_parser_options_init(&po);
    in.messages = messages, in.n_messages = strlen(messages);
    in.tools = po.tools = tools, in.n_tools = po.n_tools = strlen(tools);
    in.answers = &answer, in.n_answers = 1;
    ingle_status st = ingle_chat_render(&p, chat, &in, err);
    if (!st) st = ingle_prompt_info_get(p, &info, err);
    if (!st) n_taken += info.answers_taken[0];
    ingle_prompt_close(&p);
    if (!st) st = ingle_chat_parser_open(&parser, chat, &po, err);
    if (st) return st;
    st = ingle_chat_parser_feed(parser, "<tool_call>{\"name\":\"f\",", 23, err);
    if (!st) st = ingle_chat_parser_finish(parser, err);
    ingle_chat_parser_close(&parser);
    return st;
}

static void all_fail(void **state)
{
    (void)state;
    open_model();
    for (int form = 0; form < 4; form++) {
        ingle_chat_options co;
        ingle_chat_options_init(&co);
        if (form == 1) co.template_text = plain, co.n_template = strlen(plain);
        if (form == 2) co.template_choice = INGLE_TEMPLATE_MODEL_OR_PLAIN;
        if (form == 3) co.template_choice = INGLE_TEMPLATE_PLAIN;
        long n = 1;
        for (bool reached = true; reached; n++) {
            ingle_chat *chat;
            ingle_error err;
            wrap_alloc_begin(n);
            ingle_status st = ingle_chat_open(&chat, model, &co, &err);
            if (!st) st = use(chat, &err);
            ingle_chat_close(&chat);
            reached = wrap_alloc_end();
            assert_int_equal(wrap_alloc_live(), 0);
            assert_int_equal(st, reached ? INGLE_ENOMEM : INGLE_OK);
        }
        assert_true(n > 40);
    }
    assert_true(n_taken > 0);
    ingle_model_close(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
