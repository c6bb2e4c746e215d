/* test_defaults.c - members that the server was given for all requests: which are taken, what a body's
 * own say against them, what the model cannot do, forms of answers. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "server/chat.h"
#include "server/defaults.h"
/* after the others */
#include "must.h"
#include "server/body.h"

extern const field_table anthropic_fields; /* of anthropic.h */

static ingle_model *model;

static int open_model(void **state)
{
    ingle_error err = {""};
    ingle_model_options opt;
    (void)state;
    ingle_model_options_init(&opt);
    opt.parts = INGLE_PARTS_VOCAB;
    must(ingle_model_open(&model, INGLE_SOURCE_DIR "/models/tiny-chat.gguf", &opt, &err), &err);
    return 0;
}

static int close_model(void **state)
{
    (void)state;
    ingle_model_close(&model);
    return 0;
}

/* Models by what their templates can do. */
static const char *const efforts[] = {"low", "high"};
static const ingle_chat_info no_thinking = {.size = sizeof no_thinking};
static const ingle_chat_info always = {.size = sizeof always, .thinks = true};
static const ingle_chat_info switched = {
    .size = sizeof switched, .thinks = true, .thinking_switch = true};
static const ingle_chat_info graded = {
    .size = sizeof graded, .thinks = true, .efforts = efforts, .n_efforts = 2};

/* A body over defaults, as a request has them. */
typedef struct reading {
    body b;
    defaults *d;
    generation g;
} reading;

static void read_as(reading *x, const char *json, const char *text, const ingle_chat_info *info,
                    const field_table *fields)
{
    ingle_error err = {""};
    must(defaults_open(&x->d, json, &err), &err);
    body_open(&x->b, text);
    generation_init(&x->g);
    x->b.read = fields_read(&x->b.r, fields, x->b.doc.root, &x->g, NULL) &&
                defaults_fill(x->d, &x->g, x->b.doc.root, fields, info, &x->b.r) &&
                defaults_fill_form(x->d, &x->g, x->b.doc.root, fields, &x->b.r) &&
                generation_sampling(&x->g, x->b.doc.root, NULL, model, false, x->b.error);
    assert_read(&x->b);
    assert_string_equal(body_ignored(&x->b), "");
}

static void done(reading *x)
{
    generation_free(&x->g);
    body_close(&x->b);
    defaults_close(&x->d);
}

static void refuses(const char *json, const char *name, const char *part)
{
    ingle_error err = {""};
    defaults *d = NULL;
    assert_int_equal(defaults_open(&d, json, &err), INGLE_EINVAL);
    assert_null(d);
    if (!strstr(err.text, name) || !strstr(err.text, part))
        fail_msg("%s: '%s' lacks '%s' or '%s'", json, err.text, name, part);
}

static void test_refused(void **state)
{
    (void)state;
    refuses("{\"top_p\":2}", "default 'top_p'", "is 2, should be 0 to 1");
    refuses("{\"top_q\":2}", "default 'top_q'", "no request has");
    refuses("{\"messages\":[]}", "default 'messages'", "come with the request");
    refuses("{\"n\":2}", "default 'n'", "come with the request");
    refuses("{\"model\":\"a\"}", "default 'model'", "come with the request");
    refuses("{\"best_of\":1}", "default 'best_of'", "come with the request");
    refuses("{\"id_slot\":1}", "default 'id_slot'", "no effect");
    refuses("{\"lora\":[]}", "default 'lora'", "not supported");
    refuses("{\"structured_outputs\":{\"backend\":\"x\"}}", "structured_outputs.backend",
            "without");
    refuses("{\"grammar\":\"root ::= (\"}", "default 'grammar'", "line 1");
    refuses("{\"json_schema\":{\"type\":\"x\"}}", "default 'json_schema.type'", "type");
    refuses("{\"grammar\":\"root ::= [a]\",\"json_schema\":{}}", "json_schema",
            "so does 'grammar'");
    refuses("{\"chat_template_kwargs\":{\"tools\":1}}", "chat_template_kwargs.tools", "other");
    refuses("{\"repeat_penalty\":1.1,\"repetition_penalty\":1.1}", "repetition_penalty", "another");
    refuses("{\"min_tokens\":5,\"max_tokens\":4}", "min_tokens is 5", "max_tokens 4");
    refuses("{\"top_k\":1,\"top_k\":2}", "top_k", "twice");
    refuses("[]", "defaults", "object");
    refuses("{", "defaults", "byte 1");
    ingle_error err;
    defaults *d = NULL;
    assert_int_equal(defaults_open(&d, NULL, &err), INGLE_OK);
    assert_null(d);
    assert_int_equal(defaults_open(&d, "{\"top_p\":null}", &err), INGLE_OK);
    defaults_close(&d);
    assert_null(d);
}

static void test_sampling(void **state)
{
    static const char json[] = "{\"temperature\":0.25,\"top_k\":7,\"top_p\":0.5,\"seed\":42,"
                               "\"samplers\":\"top_k;temperature\",\"dry_sequence_breakers\":"
                               "[\"x\"],\"logit_bias\":[[5,1.5]]}";
    reading x;
    (void)state;
    read_as(&x, json, "{}", &always, &chat_fields);
    assert_true(x.g.sampling.temperature == 0.25f && x.g.sampling.top_k == 7);
    assert_true(x.g.sampling.seed == 42 && x.g.has_seed);
    assert_string_equal(x.g.sampling.order, "top_k;temperature");
    assert_int_equal(x.g.sampling.n_dry_breakers, 1);
    assert_true(x.g.sampling.n_logit_bias == 1 && x.g.sampling.logit_bias[0].bias == 1.5f);
    done(&x);
    read_as(&x, json,
            "{\"temperature\":1,\"seed\":1,\"top_k\":null,\"samplers\":[\"top_p\"],"
            "\"dry_sequence_breakers\":[],\"logit_bias\":{}}",
            &always, &chat_fields);
    assert_true(x.g.sampling.temperature == 1 && x.g.sampling.top_k == 7);
    assert_true(x.g.sampling.top_p == 0.5f && x.g.sampling.seed == 1);
    assert_string_equal(x.g.sampling.order, "top_p");
    assert_int_equal(x.g.sampling.n_dry_breakers, 0);
    assert_int_equal(x.g.sampling.n_logit_bias, 0);
    done(&x);
    read_as(&x, "{\"repeat_penalty\":1.5}", "{\"repetition_penalty\":1.25}", &always, &chat_fields);
    assert_true(x.g.sampling.repeat_penalty == 1.25f);
    done(&x);
}

static void test_fresh_seed(void **state)
{
    reading x, y;
    (void)state;
    read_as(&x, "{\"seed\":-1}", "{}", &always, &chat_fields);
    read_as(&y, "{\"seed\":-1}", "{}", &always, &chat_fields);
    assert_false(x.g.has_seed);
    assert_true(x.g.sampling.seed != y.g.sampling.seed);
    done(&x);
    done(&y);
}

static void test_limits(void **state)
{
    static const char json[] = "{\"max_tokens\":100,\"min_tokens\":10,\"stop\":[\"a\",\"b\"],"
                               "\"timeout\":5,\"priority\":\"low\",\"ignore_eos\":true,"
                               "\"cache_prompt\":false,\"parallel_tool_calls\":false}";
    reading x;
    (void)state;
    read_as(&x, json, "{}", &always, &chat_fields);
    assert_true(x.g.max_tokens == 100 && x.g.min_tokens == 10 && x.g.n_stops == 2);
    assert_true(x.g.timeout_s == 5 && x.g.priority == INGLE_CLASS_LOW && x.g.ignore_eos);
    assert_true(x.g.no_cache && x.g.one_call);
    done(&x);
    read_as(&x, json,
            "{\"max_completion_tokens\":4,\"stop\":[],\"timeout\":0,\"ignore_eos\":false,"
            "\"cache_prompt\":true,\"parallel_tool_calls\":true,\"priority\":\"normal\"}",
            &always, &chat_fields);
    assert_true(x.g.max_tokens == 4 && x.g.min_tokens == 4 && x.g.n_stops == 0);
    assert_true(x.g.timeout_s == 0 && !x.g.ignore_eos && !x.g.no_cache && !x.g.one_call);
    assert_int_equal(x.g.priority, INGLE_CLASS_NORMAL);
    done(&x);
    read_as(&x, json, "{\"max_tokens\":-1}", &always, &chat_fields);
    assert_int_equal(x.g.max_tokens, -1);
    done(&x);
    read_as(&x, json, "{\"max_tokens\":7,\"stop_sequences\":[\"c\"]}", &always, &anthropic_fields);
    assert_true(x.g.max_tokens == 7 && x.g.n_stops == 1 && x.g.stops[0].text[0] == 'c');
    done(&x);
    read_as(&x, json, "{}", &always, &anthropic_fields);
    assert_true(x.g.max_tokens == 100 && x.g.n_stops == 2);
    done(&x);
}

/* What defaults make of thinking in a body. */
static void thinks(const char *json, const char *text, const ingle_chat_info *info,
                   ingle_thinking_mode mode, const char *effort, int32_t n)
{
    reading x;
    read_as(&x, json, text, info, &chat_fields);
    if (x.g.thinking != mode || strcmp(x.g.effort, effort) != 0 || x.g.thinking_tokens != n)
        fail_msg("%s under %s: thinking %d, effort '%s', %d tokens", text, json, (int)x.g.thinking,
                 x.g.effort, (int)x.g.thinking_tokens);
    done(&x);
}

static void test_thinking(void **state)
{
    static const char off[] = "{\"enable_thinking\":false}", on[] = "{\"enable_thinking\":true}",
                      none[] = "{\"reasoning_budget\":0}", some[] = "{\"reasoning_budget\":9}",
                      low[] = "{\"reasoning_effort\":\"low\"}",
                      no_effort[] = "{\"reasoning_effort\":\"none\"}";
    (void)state;
    thinks(off, "{}", &switched, INGLE_THINKING_OFF, "", -1);
    thinks(on, "{}", &switched, INGLE_THINKING_ON, "", -1);
    thinks(none, "{}", &switched, INGLE_THINKING_OFF, "", 0);
    thinks(some, "{}", &switched, INGLE_THINKING_AUTO, "", 9);
    thinks(low, "{}", &switched, INGLE_THINKING_ON, "", -1);
    thinks(no_effort, "{}", &switched, INGLE_THINKING_OFF, "", -1);
    thinks(low, "{}", &graded, INGLE_THINKING_AUTO, "low", -1);
    thinks("{\"reasoning_effort\":\"max\"}", "{}", &graded, INGLE_THINKING_AUTO, "", -1);
    /* it always thinks: closed where it begins */
    thinks(off, "{}", &always, INGLE_THINKING_AUTO, "", 0);
    thinks(none, "{}", &always, INGLE_THINKING_AUTO, "", 0);
    thinks(no_effort, "{}", &always, INGLE_THINKING_AUTO, "", 0);
    thinks(on, "{}", &always, INGLE_THINKING_AUTO, "", -1);
    /* it never does */
    thinks(off, "{}", &no_thinking, INGLE_THINKING_AUTO, "", -1);
    thinks(on, "{}", &no_thinking, INGLE_THINKING_AUTO, "", -1);
    thinks(some, "{}", &no_thinking, INGLE_THINKING_AUTO, "", -1);
    thinks(low, "{}", &no_thinking, INGLE_THINKING_AUTO, "", -1);
    /* the body's word */
    thinks(off, "{\"enable_thinking\":true}", &switched, INGLE_THINKING_ON, "", -1);
    thinks(off, "{\"reasoning\":{\"enabled\":true}}", &switched, INGLE_THINKING_ON, "", -1);
    thinks(off, "{\"reasoning_effort\":\"high\"}", &graded, INGLE_THINKING_AUTO, "high", -1);
    thinks(low, "{\"reasoning_effort\":\"high\"}", &graded, INGLE_THINKING_AUTO, "high", -1);
    thinks(low, "{\"reasoning\":{\"effort\":\"high\"}}", &graded, INGLE_THINKING_AUTO, "high", -1);
    thinks(none, "{\"enable_thinking\":true}", &switched, INGLE_THINKING_ON, "", -1);
    thinks(none, "{\"reasoning_budget\":-1}", &switched, INGLE_THINKING_AUTO, "", -1);
    thinks(some, "{\"reasoning\":{\"max_tokens\":3}}", &switched, INGLE_THINKING_AUTO, "", 3);
    thinks(some, "{\"enable_thinking\":true}", &switched, INGLE_THINKING_ON, "", 9);
}

static void kwargs(const char *json, const char *text, const char *want, bool keep)
{
    reading x;
    read_as(&x, json, text, &switched, &chat_fields);
    if (x.g.kwargs.n != strlen(want) || memcmp(x.g.kwargs.p, want, x.g.kwargs.n) != 0)
        fail_msg("%s under %s: %.*s", text, json, (int)x.g.kwargs.n, x.g.kwargs.p);
    assert_true(x.g.keep_thinking == keep);
    done(&x);
}

static void test_kwargs(void **state)
{
    static const char json[] = "{\"chat_template_kwargs\":{\"enable_thinking\":false,\"a\":1,"
                               "\"preserve_thinking\":true}}";
    (void)state;
    kwargs(json, "{}", "{\"enable_thinking\":false,\"a\":1,\"preserve_thinking\":true}", true);
    kwargs(json, "{\"chat_template_kwargs\":{\"a\":2,\"preserve_thinking\":false}}",
           "{\"enable_thinking\":false,\"a\":2,\"preserve_thinking\":false}", false);
    kwargs(json, "{\"chat_template_kwargs\":{\"enable_thinking\":true}}",
           "{\"a\":1,\"preserve_thinking\":true,\"enable_thinking\":true}", true);
    /* asked for by another member */
    kwargs(json, "{\"reasoning_effort\":\"high\"}", "{\"a\":1,\"preserve_thinking\":true}", true);
    kwargs(json, "{\"enable_thinking\":true,\"chat_template_kwargs\":{\"b\":2}}",
           "{\"a\":1,\"preserve_thinking\":true,\"b\":2}", true);
}

static void form(const char *json, const char *text, const field_table *fields,
                 ingle_answer_form want)
{
    reading x;
    read_as(&x, json, text, &always, fields);
    if (x.g.form != want) fail_msg("%s under %s: form %d", text, json, (int)x.g.form);
    done(&x);
}

static void test_forms(void **state)
{
    static const char gbnf[] = "{\"grammar\":\"root ::= [a]\"}";
    reading x;
    (void)state;
    form(gbnf, "{}", &chat_fields, INGLE_ANSWER_GBNF);
    form(gbnf, "{}", &anthropic_fields, INGLE_ANSWER_GBNF);
    form(gbnf, "{\"json_schema\":{}}", &chat_fields, INGLE_ANSWER_SCHEMA);
    form(gbnf, "{\"response_format\":{\"type\":\"text\"}}", &chat_fields, INGLE_ANSWER_ANY);
    form(gbnf, "{\"response_format\":{\"type\":\"json_object\"}}", &chat_fields, INGLE_ANSWER_JSON);
    form("{\"json_schema\":{\"type\":\"object\"}}", "{}", &chat_fields, INGLE_ANSWER_SCHEMA);
    form("{\"guided_choice\":[\"a\",\"b\"]}", "{}", &chat_fields, INGLE_ANSWER_CHOICE);
    form("{\"structured_outputs\":{\"regex\":\"a+\"}}", "{}", &chat_fields, INGLE_ANSWER_REGEX);
    /* not where tools are offered */
    read_as(&x, gbnf, "{}", &always, &chat_fields);
    generation_free(&x.g);
    bytes_text(&x.g.tools, "[]");
    assert_true(defaults_fill_form(x.d, &x.g, x.b.doc.root, &chat_fields, &x.b.r));
    assert_int_equal(x.g.form, INGLE_ANSWER_ANY);
    done(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),    cmocka_unit_test(test_sampling),
        cmocka_unit_test(test_fresh_seed), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_thinking),   cmocka_unit_test(test_kwargs),
        cmocka_unit_test(test_forms),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
