/* test_generation.c - what every dialect generates with: each row of its tables, settings of the
 * sampler over presets, biases, stops, forms of answers, and the grammars made of them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "server/generation.h"
/* after the others */
#include "must.h"
#include "server/body.h"
#include "server/rows.h"

static ingle_model *model;
static ingle_chat *chat;
static ingle_chat_info chat_info = {.size = sizeof chat_info};

static int open_model(void **state)
{
    ingle_error err = {""};
    ingle_model_options opt;
    (void)state;
    ingle_model_options_init(&opt);
    opt.parts = INGLE_PARTS_VOCAB;
    must(ingle_model_open(&model, INGLE_SOURCE_DIR "/models/tiny-chat.gguf", &opt, &err), &err);
    must(ingle_chat_open(&chat, model, NULL, &err), &err);
    must(ingle_chat_info_get(chat, &chat_info, &err), &err);
    return 0;
}

static int close_model(void **state)
{
    (void)state;
    ingle_chat_close(&chat);
    ingle_model_close(&model);
    return 0;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void test_every_row(void **state)
{
    (void)state;
    rows_check(&generation_fields);
}

static void refuses(const char *text, const char *param, const char *part)
{
    generation g;
    body b = body_read(&generation_fields, text, &g);
    assert_refused(&b, param, part);
    body_close(&b);
    generation_free(&g);
}

/* The ranges that the rows print are the library's. */
static void test_ranges_are_the_librarys(void **state)
{
    ingle_error err;
    (void)state;
    for (size_t i = 0; i < sampling_fields.n_rows; i++) {
        const field_row *row = &sampling_fields.rows[i];
        double ends[] = {row->min, row->max, row->min - 0.25, row->max + 0.25};
        for (int k = 0; k < 4; k++) {
            ingle_sampler_options o;
            ingle_sampler_options_init(&o);
            if (row->store == FIELD_TO_INT && (k > 1 || !strcmp(row->name, "top_k"))) continue;
            if (row->store == FIELD_TO_INT) {
                int32_t n = (int32_t)ends[k];
                memcpy((char *)&o + row->offset, &n, sizeof n);
            } else {
                float x = (float)ends[k];
                memcpy((char *)&o + row->offset, &x, sizeof x);
            }
            if (!ingle_sampler_options_check(&o, &err) != (k < 2))
                fail_msg("%s: %g is %s", row->name, ends[k], k < 2 ? err.text : "allowed");
        }
    }
}

static void test_numbers(void **state)
{
    generation g;
    (void)state;
    body b = body_read(&generation_fields,
                       "{\"temperature\":0.5,\"top_k\":-1,\"top_p\":0.25,\"mirostat\":2,\"repeat_"
                       "last_n\":-1,\"min_tokens\":3,\"reasoning_budget\":100,\"timeout\":2.5,\"n_"
                       "keep\":-1,\"best_of\":2}",
                       &g);
    assert_read(&b);
    assert_true(g.sampling.temperature == 0.5f && g.sampling.top_p == 0.25f);
    assert_int_equal(g.sampling.top_k, 0);
    assert_int_equal(g.sampling.mirostat, 2);
    assert_int_equal(g.sampling.penalty_last_n, -1);
    assert_int_equal(g.min_tokens, 3);
    assert_int_equal(g.thinking_tokens, 100);
    assert_true(g.timeout_s == 2.5);
    assert_int_equal(g.n_keep, -1);
    assert_int_equal(g.best_of, 2);
    body_close(&b);
    generation_free(&g);
}

static void test_library_ranges_name_the_field(void **state)
{
    (void)state;
    refuses("{\"top_n_sigma\":-0.5}", "top_n_sigma", "is -0.5: it must be -1 (off) or 0 to 1000");
    refuses("{\"temperature\":1e-30}", "temperature", "0 (greedy)");
    refuses("{\"adaptive_target\":0.5,\"mirostat\":1}", "mirostat", "both choose");
    refuses("{\"repeat_last_n\":2000000}", "repeat_last_n", "1048576");
}

static void test_flags(void **state)
{
    generation g;
    (void)state;
    body b = body_read(&generation_fields,
                       "{\"ignore_eos\":true,\"cache_prompt\":false,\"parse_tool_calls\":false,"
                       "\"timings_per_token\":true,\"return_progress\":true,\"return_tokens\":true,"
                       "\"reasoning_control\":true,\"reasoning_format\":\"none\","
                       "\"truncation\":\"drop\",\"priority\":\"high\",\"model\":\"a/b:c\"}",
                       &g);
    assert_read(&b);
    assert_true(g.ignore_eos && g.no_cache && g.no_tool_parsing && g.timings && g.progress &&
                g.return_tokens);
    assert_int_equal(g.reasoning, REASONING_NONE);
    assert_int_equal(g.overflow, INGLE_OVERFLOW_DROP);
    assert_int_equal(g.priority, INGLE_CLASS_HIGH);
    assert_string_equal(g.model, "a/b:c");
    body_close(&b);
    generation_free(&g);
    b = body_read(&generation_fields,
                  "{\"cache_prompt\":true,\"parse_tool_calls\":true,\"reasoning_format\":\"auto\","
                  "\"truncation\":\"error\",\"priority\":5}",
                  &g);
    assert_read(&b);
    assert_false(g.no_cache || g.no_tool_parsing);
    assert_int_equal(g.reasoning, REASONING_APART);
    assert_int_equal(g.overflow, INGLE_OVERFLOW_ERROR);
    assert_int_equal(g.priority, INGLE_CLASS_LOW);
    body_close(&b);
    generation_free(&g);
    refuses("{\"truncation\":\"shift\"}", "truncation", "use 'drop'");
    refuses("{\"reasoning_format\":\"deepseek-legacy\"}", "reasoning_format", "'deepseek'");
    refuses("{\"model\":\"a\\u0000b\"}", "model", "NUL");
}

static void test_stops(void **state)
{
    generation g;
    char text[2000], *at = text;
    (void)state;
    body b = body_read(&generation_fields, "{\"stop\":[\"a\\u0000b\",\"\\n\\n\"]}", &g);
    assert_read(&b);
    assert_int_equal(g.n_stops, 2);
    assert_int_equal(g.stops[0].len, 3);
    assert_memory_equal(g.stops[0].text, "a\0b", 3);
    body_close(&b);
    generation_free(&g);
    b = body_read(&generation_fields, "{\"stop\":\"END\",\"stop_token_ids\":[0,5]}", &g);
    assert_read(&b);
    assert_int_equal(g.n_stops, 1);
    assert_int_equal(g.n_stop_tokens, 2);
    assert_int_equal(g.stop_tokens[1], 5);
    body_close(&b);
    generation_free(&g);
    refuses("{\"stop\":\"\"}", "stop", "has 0 bytes");
    refuses("{\"stop\":[\"a\",\"\"]}", "stop[1]", "has 0 bytes");
    refuses("{\"stop\":[\"a\",5]}", "stop[1]", "a string");
    refuses("{\"stop_token_ids\":[1,-1]}", "stop_token_ids[1]", "a token");
    at += sprintf(at, "{\"stop\":[\"x\"");
    for (int i = 0; i < 20; i++) at += sprintf(at, ",\"x\"");
    sprintf(at, "]}");
    refuses(text, "stop", "at most 20");
    at = text + sprintf(text, "{\"stop\":\"");
    for (int i = 0; i < 501; i++) *at++ = 'x';
    sprintf(at, "\"}");
    refuses(text, "stop", "has 501 bytes");
}

static void test_kwargs(void **state)
{
    generation g;
    (void)state;
    body b = body_read(&generation_fields,
                       "{\"chat_template_kwargs\":{\"enable_thinking\":false,\"preserve_thinking\":"
                       "true}}",
                       &g);
    assert_read(&b);
    assert_true(g.keep_thinking);
    bytes_put(&g.kwargs, "", 1);
    assert_string_equal(g.kwargs.p, "{\"enable_thinking\":false,\"preserve_thinking\":true}");
    body_close(&b);
    generation_free(&g);
    refuses("{\"chat_template_kwargs\":{\"tools\":[]}}", "chat_template_kwargs.tools", "other");
}

/* ---- forms ----------------------------------------------------------------------------------- */

static void has_form(const char *text, ingle_answer_form form, const char *form_text,
                     const char *param)
{
    generation g;
    body b = body_read(&generation_fields, text, &g);
    assert_read(&b);
    assert_int_equal(g.form, form);
    assert_string_equal(g.form_param, param);
    if (form_text) {
        assert_int_equal(g.n_form_text, strlen(form_text));
        assert_memory_equal(g.form_text, form_text, g.n_form_text);
    }
    body_close(&b);
    generation_free(&g);
}

static void test_forms(void **state)
{
    generation g;
    (void)state;
    has_form("{\"grammar\":\"root ::= \\\"a\\\"\"}", INGLE_ANSWER_GBNF, "root ::= \"a\"",
             "grammar");
    has_form("{\"json_schema\":{\"type\":\"object\"}}", INGLE_ANSWER_SCHEMA,
             "{\"type\":\"object\"}", "json_schema");
    has_form("{\"guided_json\":\"{\\\"type\\\": 1}\"}", INGLE_ANSWER_SCHEMA, "{\"type\": 1}",
             "guided_json");
    has_form("{\"guided_regex\":\"a+\"}", INGLE_ANSWER_REGEX, "a+", "guided_regex");
    has_form("{\"guided_grammar\":\"root ::= [a]\"}", INGLE_ANSWER_GBNF, "root ::= [a]",
             "guided_grammar");
    has_form("{\"structured_outputs\":{\"regex\":\"b\"}}", INGLE_ANSWER_REGEX, "b",
             "structured_outputs.regex");
    has_form("{\"structured_outputs\":{\"json_object\":true,\"disable_any_whitespace\":true}}",
             INGLE_ANSWER_JSON, NULL, "structured_outputs.json_object");
    body b = body_read(&generation_fields, "{\"guided_choice\":[\"yes\",\"no\"]}", &g);
    assert_read(&b);
    assert_int_equal(g.form, INGLE_ANSWER_CHOICE);
    assert_int_equal(g.n_choices, 2);
    assert_memory_equal(g.choices[1].text, "no", g.choices[1].len);
    body_close(&b);
    generation_free(&g);
    refuses("{\"grammar\":\"x\",\"guided_regex\":\"y\"}", "guided_regex", "so does 'grammar'");
    refuses("{\"guided_choice\":[]}", "guided_choice", "has 0 elements");
    refuses("{\"guided_choice\":[\"a\",\"\"]}", "guided_choice[1]", "not empty");
    refuses("{\"structured_outputs\":{\"structural_tag\":{}}}", "structured_outputs.structural_tag",
            "use tools");
}

/* Reads the body, makes the sampling, and the grammar. */
static body make(const char *text, generation *g, ingle_grammar **grammar)
{
    body b = body_read(&generation_fields, text, g);
    *grammar = NULL;
    assert_read(&b);
    b.read = generation_grammar(g, grammar, NULL, model, NULL, false, &b.r);
    return b;
}

static void test_grammars_of_forms(void **state)
{
    static const struct {
        const char *body, *good, *bad;
    } cases[] = {
        {"{\"grammar\":\"root ::= \\\"ab\\\"\"}", "ab", "b"},
        {"{\"guided_regex\":\"[0-9]+\"}", "12", "x"},
        {"{\"guided_choice\":[\"yes\",\"no\"]}", "no", "maybe"},
        {"{\"guided_json\":{\"type\":\"integer\"}}", "-3", "\"a\""},
        {"{\"structured_outputs\":{\"json_object\":true}}", "{}", "1"},
        {"{\"structured_outputs\":{\"json\":{\"type\":\"array\",\"items\":{\"type\":\"integer\"},"
         "\"minItems\":2},\"disable_any_whitespace\":true}}",
         "[1,2]", "[1, 2]"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        generation g;
        ingle_grammar *grammar;
        ingle_grammar_state *s;
        ingle_error err = {""};
        size_t n;
        bool ends;
        body b = make(cases[i].body, &g, &grammar);
        assert_read(&b);
        must(ingle_grammar_state_open(&s, grammar, &err), &err);
        must(ingle_grammar_state_text(s, cases[i].good, strlen(cases[i].good), &n, &err), &err);
        must(ingle_grammar_state_ends(s, &ends, NULL, &err), &err);
        assert_true(ends);
        must(ingle_grammar_state_reset(s, &err), &err);
        assert_int_not_equal(
            ingle_grammar_state_text(s, cases[i].bad, strlen(cases[i].bad), &n, &err), INGLE_OK);
        ingle_grammar_state_close(&s);
        ingle_grammar_close(&grammar);
        body_close(&b);
        generation_free(&g);
    }
}

static void grammar_refused(const char *text, const char *code, const char *param, const char *part)
{
    generation g;
    ingle_grammar *grammar;
    body b = make(text, &g, &grammar);
    assert_refused(&b, param, part);
    assert_string_equal(b.error->code, code);
    assert_null(grammar);
    body_close(&b);
    generation_free(&g);
}

static void test_grammars_refused(void **state)
{
    (void)state;
    grammar_refused("{\"grammar\":\"root ::= (\"}", "invalid_grammar", "grammar", "");
    grammar_refused("{\"guided_regex\":\"(\"}", "invalid_grammar", "guided_regex", "");
    grammar_refused("{\"guided_json\":\"{\"}", "invalid_json_schema", "guided_json", "");
    grammar_refused("{\"json_schema\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":"
                    "\"string\",\"format\":\"tea\"}}}}",
                    "invalid_json_schema", "json_schema.properties.a.format", "format");
    grammar_refused("{\"json_schema\":{\"type\":\"nothing\"}}", "invalid_json_schema",
                    "json_schema.type", "");
}

/* What a lenient schema leaves out is named. */
static void test_dropped_is_named(void **state)
{
    generation g;
    ingle_grammar *grammar;
    (void)state;
    body b = body_read(&generation_fields,
                       "{\"json_schema\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":"
                       "\"string\",\"format\":\"tea\"}}}}",
                       &g);
    assert_read(&b);
    g.lenient_schema = true;
    assert_true(generation_grammar(&g, &grammar, NULL, model, NULL, false, &b.r));
    assert_non_null(grammar);
    assert_string_equal(body_ignored(&b), "schema /properties/a: format");
    ingle_grammar_close(&grammar);
    body_close(&b);
    generation_free(&g);
}

/* ---- sampling -------------------------------------------------------------------------------- */

static body sample(const char *text, generation *g)
{
    body b = body_read(&generation_fields, text, g);
    if (b.read) b.read = generation_sampling(g, b.doc.root, chat, model, false, b.error);
    return b;
}

static void sampling_refused(const char *text, const char *param, const char *part)
{
    generation g;
    body b = sample(text, &g);
    assert_refused(&b, param, part);
    body_close(&b);
    generation_free(&g);
}

/* Presets below, the body's own above. */
static void test_presets(void **state)
{
    generation g;
    ingle_sampler_options preset;
    ingle_error err;
    (void)state;
    ingle_sampler_options_init(&preset);
    must(ingle_chat_sampling(chat, false, &preset, &err), &err);
    must(ingle_sampler_options_from_model(&preset, model, &err), &err);
    body b = sample("{\"top_k\":7}", &g);
    assert_read(&b);
    assert_int_equal(g.sampling.top_k, 7);
    assert_true(g.sampling.temperature == preset.temperature);
    assert_true(g.sampling.min_p == preset.min_p);
    body_close(&b);
    generation_free(&g);
}

static void test_seed(void **state)
{
    generation a, b;
    (void)state;
    body x = sample("{\"seed\":42}", &a), y = sample("{}", &b);
    assert_read(&x);
    assert_read(&y);
    assert_true(a.sampling.seed == 42 && a.has_seed && !b.has_seed);
    uint64_t first = b.sampling.seed;
    generation_free(&b);
    body_close(&y);
    y = sample("{}", &b);
    assert_true(b.sampling.seed != first);
    generation_free(&a);
    generation_free(&b);
    body_close(&x);
    body_close(&y);
}

static void test_lists(void **state)
{
    generation g;
    (void)state;
    body b = sample("{\"samplers\":[\"top_k\",\"temperature\"],\"dry_sequence_breakers\":[\"\\n\","
                    "\"x\"]}",
                    &g);
    assert_read(&b);
    assert_string_equal(g.sampling.order, "top_k;temperature");
    assert_int_equal(g.sampling.n_dry_breakers, 2);
    assert_string_equal(g.sampling.dry_breakers[1], "x");
    body_close(&b);
    generation_free(&g);
    b = sample("{\"samplers\":\"min_p;top_p\",\"dry_sequence_breakers\":[]}", &g);
    assert_read(&b);
    assert_string_equal(g.sampling.order, "min_p;top_p");
    assert_int_equal(g.sampling.n_dry_breakers, 0);
    body_close(&b);
    generation_free(&g);
    refuses("{\"samplers\":[\"top_k\",\"magic\"]}", "samplers", "unknown stage 'magic'");
    refuses("{\"samplers\":[\"top_k;min_p\"]}", "samplers[0]", "name of a stage");
    refuses("{\"samplers\":[7]}", "samplers[0]", "name of a stage");
    refuses("{\"dry_sequence_breakers\":[\"a\",\"\"]}", "dry_sequence_breakers[1]", "1 to 64");
    refuses("{\"dry_sequence_breakers\":[\"a\\u0000\"]}", "dry_sequence_breakers[0]", "NUL");
}

static void test_biases(void **state)
{
    generation g;
    (void)state;
    body b = sample("{\"logit_bias\":{\"5\":-100,\"6\":1.5}}", &g);
    assert_read(&b);
    assert_int_equal(g.sampling.n_logit_bias, 2);
    assert_int_equal(g.sampling.logit_bias[0].token, 5);
    assert_true(g.sampling.logit_bias[1].bias == 1.5f);
    body_close(&b);
    generation_free(&g);
    b = sample("{\"logit_bias\":[[7,false],[\"Hello there\",2],[8,-1]]}", &g);
    assert_read(&b);
    assert_true(g.sampling.n_logit_bias >= 4);
    assert_int_equal(g.sampling.logit_bias[0].token, 7);
    assert_true(g.sampling.logit_bias[0].bias == -INFINITY);
    assert_true(g.sampling.logit_bias[1].bias == 2 && g.sampling.logit_bias[2].bias == 2);
    assert_int_equal(g.sampling.logit_bias[g.n_biases - 1].token, 8);
    body_close(&b);
    generation_free(&g);
    refuses("{\"logit_bias\":{\"x\":1}}", "logit_bias.x", "no token's number");
    refuses("{\"logit_bias\":{\"-5\":1}}", "logit_bias.-5", "no token's number");
    refuses("{\"logit_bias\":{\"5\":true}}", "logit_bias.5", "or false");
    refuses("{\"logit_bias\":[[1,2,3]]}", "logit_bias[0]", "[TOKEN, BIAS]");
    refuses("{\"logit_bias\":[[1,2],[-1,2]]}", "logit_bias[1]", "a token's number or a text");
    refuses("{\"logit_bias\":[[1,\"x\"]]}", "logit_bias[0][1]", "a number");
    refuses("{\"logit_bias\":[[1,1e7]]}", "logit_bias[0][1]", "1e6");
    sampling_refused("{\"logit_bias\":{\"99999999\":1}}", "logit_bias.99999999", "vocabulary");
    sampling_refused("{\"logit_bias\":[[1,1],[99999999,1]]}", "logit_bias[1]", "vocabulary");
}

static void test_what_no_field_can_alone(void **state)
{
    generation g;
    (void)state;
    sampling_refused("{\"stop_token_ids\":[1,99999999]}", "stop_token_ids[1]", "vocabulary");
    sampling_refused("{\"best_of\":2}", "best_of", "n is 1");
    sampling_refused("{\"repeat_penalty\":1.1,\"repetition_penalty\":1.2}", "repetition_penalty",
                     "another name");
    body b = body_read(&generation_fields, "{\"min_tokens\":5}", &g);
    g.max_tokens = 4;
    b.read = generation_sampling(&g, b.doc.root, chat, model, false, b.error);
    assert_refused(&b, "min_tokens", "at most 4");
    body_close(&b);
    generation_free(&g);
}

static void test_options(void **state)
{
    generation g;
    ingle_generate_options o;
    ingle_error err;
    (void)state;
    body b = sample("{\"stop\":[\"a\"],\"stop_token_ids\":[3],\"min_tokens\":2,\"ignore_eos\":true,"
                    "\"cache_prompt\":false,\"timeout\":1,\"truncation\":\"drop\",\"n_keep\":9,"
                    "\"reasoning_budget\":4,\"priority\":\"low\"}",
                    &g);
    assert_read(&b);
    g.max_tokens = 10;
    g.n = 3;
    generation_options(&g, &o);
    must(ingle_generate_options_check(&o, &err), &err);
    assert_int_equal(o.max_tokens, 10);
    assert_int_equal(o.min_tokens, 2);
    assert_int_equal(o.n, 3);
    assert_int_equal(o.logprobs, -1);
    assert_int_equal(g.n_stops, 1); /* of visible text, so none of the engine's */
    assert_int_equal(o.n_stops, 0);
    assert_int_equal(o.n_stop_tokens, 1);
    assert_true(o.ignore_eog && o.no_reuse && o.deadline_s == 1);
    assert_int_equal(o.overflow, INGLE_OVERFLOW_DROP);
    assert_int_equal(o.n_keep, 9);
    assert_int_equal(o.n_thinking, -1); /* it needs a chat */
    assert_int_equal(o.priority, INGLE_CLASS_LOW);
    assert_ptr_equal(o.sampling, &g.sampling);
    g.logprobs = true;
    g.top_logprobs = 5;
    generation_options(&g, &o);
    assert_int_equal(o.logprobs, 5);
    body_close(&b);
    generation_free(&g);
}

/* ---- limits of tokens, thinking -------------------------------------------------------------- */

static const field_row limit_rows[] = {
    {.name = "new", .types = FIELD_INT, .set = generation_set_max_tokens},
    {.name = "old", .types = FIELD_INT, .set = generation_set_max_tokens},
};
static const field_table limits = {.rows = limit_rows, .n_rows = 2};

static void test_two_limits(void **state)
{
    generation g;
    (void)state;
    body b = body_read(&limits, "{\"new\":5,\"old\":5}", &g);
    assert_read(&b);
    assert_int_equal(g.max_tokens, 5);
    body_close(&b);
    b = body_read(&limits, "{\"new\":5,\"old\":6}", &g);
    assert_refused(&b, "old", "is 6, but another field limits the answer to 5");
    body_close(&b);
    b = body_read(&limits, "{\"new\":-1}", &g);
    assert_read(&b);
    assert_true(g.has_max_tokens && g.max_tokens == -1);
    body_close(&b);
    b = body_read(&limits, "{\"new\":-2}", &g);
    assert_refused(&b, "new", "-1 for no limit");
    body_close(&b);
    b = body_read(&limits, "{\"new\":4000000000}", &g);
    assert_refused(&b, "new", "2147483647");
    body_close(&b);
}

typedef struct thinking_case {
    const char *effort; /* "" */
    ingle_thinking_mode asked;
    bool thinks, has_switch, has_efforts;
    ingle_thinking_mode mode;
    const char *result, *ignored;
    bool refused;
} thinking_case;

static void test_thinking(void **state)
{
    static const char *const known[] = {"low", "medium", "high"};
    const ingle_thinking_mode same = INGLE_THINKING_AUTO, on = INGLE_THINKING_ON,
                              off = INGLE_THINKING_OFF;
    const thinking_case cases[] = {
        {"high", same, true, false, true, same, "high", "", false},
        {"max", same, true, false, true, same, "high", "", false}, /* the nearest */
        {"minimal", same, true, false, true, same, "low", "", false},
        {"high", same, true, true, false, on, "", "", false},
        {"minimal", same, true, true, false, on, "", "", false},
        {"none", same, true, true, false, off, "", "", false},
        {"none", same, true, false, true, same, "", "", true},
        {"none", same, false, false, false, same, "", "", false},
        {"high", same, false, false, false, same, "", "effort", false},
        {"", on, true, true, false, on, "", "", false},
        {"", on, true, false, false, same, "", "", false},
        {"", on, false, false, false, same, "", "effort", false},
        {"", off, true, true, false, off, "", "", false},
        {"", off, true, false, false, same, "", "", true},
        {"", off, false, false, false, same, "", "", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const thinking_case *c = &cases[i];
        const ingle_chat_info info = {.thinks = c->thinks,
                                      .thinking_switch = c->has_switch,
                                      .efforts = known,
                                      .n_efforts = c->has_efforts ? 3 : 0};
        generation g;
        body b;
        generation_init(&g);
        body_open(&b, "{}");
        snprintf(g.effort, sizeof g.effort, "%s", c->effort);
        g.wants_effort = *c->effort;
        g.thinking = c->asked;
        b.read = generation_thinking(&g, &info, "effort", &b.r);
        if (c->refused) {
            assert_refused(&b, "effort", "always thinks");
        } else {
            assert_read(&b);
            assert_int_equal(g.thinking, c->mode);
            assert_string_equal(g.effort, c->result);
            assert_string_equal(body_ignored(&b), c->ignored);
        }
        body_close(&b);
    }
}

static void test_budget_without_thinking(void **state)
{
    const ingle_chat_info info = {.thinks = false};
    generation g;
    (void)state;
    body b = body_read(&generation_fields, "{\"reasoning_budget\":50}", &g);
    assert_true(generation_thinking(&g, &info, "reasoning_effort", &b.r));
    assert_int_equal(g.thinking_tokens, -1);
    assert_string_equal(body_ignored(&b), "reasoning_budget");
    body_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row),
        cmocka_unit_test(test_ranges_are_the_librarys),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_library_ranges_name_the_field),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_stops),
        cmocka_unit_test(test_kwargs),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_grammars_of_forms),
        cmocka_unit_test(test_grammars_refused),
        cmocka_unit_test(test_dropped_is_named),
        cmocka_unit_test(test_presets),
        cmocka_unit_test(test_seed),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_biases),
        cmocka_unit_test(test_what_no_field_can_alone),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_two_limits),
        cmocka_unit_test(test_thinking),
        cmocka_unit_test(test_budget_without_thinking),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
