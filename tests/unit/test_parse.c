/* test_parse.c - what models write, taken apart (chat/parse.h): each text whole, byte by byte and in
 * random pieces; each beginning of each text; without memory. The notation of what is expected is
 * that of parse_test.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "json_test.h"
#include "must.h"
#include "parse_test.h"
#include "wrap_alloc.h"

#define N_OF(array) (sizeof(array) / sizeof *(array))

enum { THINKS = 1, NO_TOOLS = 2, NO_THINKING = 4, NO_OFFER = 8 };

typedef struct parse_case {
    const char *family;
    unsigned flags;
    const char *text, *want;
} parse_case;

static const char offered[] =
    "[{\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"parameters\":{\"type\":"
    "\"object\",\"properties\":{\"city\":{\"type\":\"string\"},\"days\":{\"type\":\"integer\"},"
    "\"ratio\":{\"type\":\"number\"},\"exact\":{\"type\":\"boolean\"},\"tags\":{\"type\":\"array\"}"
    ","
    "\"where\":{\"type\":\"object\"},\"unit\":{\"enum\":[\"c\",\"f\"]},"
    "\"note\":{\"type\":[\"string\",\"null\"]},\"opt\":{\"anyOf\":[{\"type\":\"string\"},{\"type\":"
    "\"null\"}]},\"opt2\":{\"oneOf\":[{\"type\":\"integer\"},{\"const\":\"x\"}]},\"alt\":{"
    "\"anyOf\":[{"
    "\"type\":\"string\"},{\"type\":\"null\"}]}}}}},"
    "{\"name\":\"add\",\"input_schema\":{\"properties\":{\"a\":{\"type\":\"number\"},"
    "\"b\":{\"type\":\"number\"}}}},"
    "{\"type\":\"function\",\"function\":{\"name\":\"noop\"}}]";

static const parse_case cases[] = {
#include "parse_cases.inc"
};

static ingle_parse_options options_of(const parse_case *c, ingle_chat_profile *profile)
{
    ingle_parse_options opt;
    ingle_profile_query q = {.family = c->family};
    ingle_error err;
    must(ingle_profile_find(profile, &q, &err), &err);
    ingle_parse_options_init(&opt);
    opt.profile = profile;
    opt.starts_in_reasoning = c->flags & THINKS;
    opt.parse_tools = !(c->flags & NO_TOOLS);
    opt.parse_reasoning = !(c->flags & NO_THINKING);
    opt.keep_raw = true;
    if (!(c->flags & NO_OFFER)) {
        opt.tools = offered;
        opt.n_tools = sizeof offered - 1;
    }
    return opt;
}

/* Arguments of calls that ended well are JSON objects. */
static void check_arguments(const char *line)
{
    for (const char *end = line; (end = strstr(end, "<.")) != NULL; end++) {
        const char *begin = end;
        ingle_json_doc doc;
        while (begin > line && !(begin[-1] == '>' && *begin == '{')) begin--;
        ingle_status st = ingle_json_open(&doc, begin, (size_t)(end - begin), NULL, NULL);
        /* "<." may be inside of a string */
        if (!st) assert_true(ingle_json_is(doc.root, INGLE_JSON_OBJECT));
        ingle_json_close(&doc);
    }
}

static void cases_parse(void **state)
{
    (void)state;
    size_t n_bad = 0;
    for (size_t i = 0; i < N_OF(cases); i++) {
        ingle_chat_profile profile;
        ingle_parse_options opt = options_of(&cases[i], &profile);
        for (unsigned pieces = 0; pieces < 12; pieces++) {
            parse_record r;
            const char *text = cases[i].text;
            assert_int_equal(parse_run(&r, opt, text, strlen(text), pieces, NULL), INGLE_OK);
            bool same = !strcmp(r.line.p, cases[i].want);
            if (!same)
                print_error("%s, pieces %u\n  text: %s\n  want: %s\n  got:  %s\n", cases[i].family,
                            pieces, text, cases[i].want, r.line.p);
            else check_arguments(r.line.p);
            n_bad += !same;
            ingle_bytes_free(&r.line);
            if (!same) break;
        }
    }
    assert_int_equal(n_bad, 0);
}

/* Every family is in the table. */
static void families_have_cases(void **state)
{
    (void)state;
    const ingle_chat_family *f;
    for (size_t i = 0; (f = ingle_profile_family(i)) != NULL; i++) {
        bool has = !f->thinking && !f->calls[0];
        for (size_t k = 0; k < N_OF(cases); k++) has |= !strcmp(cases[k].family, f->name);
        if (!has) fail_msg("no case for %s", f->name);
    }
}

/* A text that breaks off anywhere: pieces change nothing, all bytes are accounted for, what was
 * certain before stays. */
static void beginnings_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        ingle_chat_profile profile;
        ingle_parse_options opt = options_of(&cases[i], &profile);
        size_t n = strlen(cases[i].text);
        for (size_t len = 0; len < n; len++) {
            parse_record whole, bytes;
            parse_run(&whole, opt, cases[i].text, len, PARSE_WHOLE, NULL);
            parse_run(&bytes, opt, cases[i].text, len, PARSE_BYTES, NULL);
            assert_string_equal(whole.line.p, bytes.line.p);
            check_arguments(whole.line.p);
            ingle_bytes_free(&whole.line);
            ingle_bytes_free(&bytes.line);
        }
    }
}

/* With everything off a text is what it is, for every family. */
static void off_is_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        parse_case c = cases[i];
        ingle_chat_profile profile;
        parse_record r;
        c.flags = NO_TOOLS | NO_THINKING;
        ingle_parse_options opt = options_of(&c, &profile);
        /* channels and recipients are never shown */
        bool marks = profile.thinking && profile.thinking->harmony;
        if (marks || (profile.calls[0] && profile.calls[0]->opened)) continue;
        parse_run(&r, opt, c.text, strlen(c.text), PARSE_SPLIT, NULL);
        if (*c.text) assert_string_equal(r.line.p + 3, c.text);
        ingle_bytes_free(&r.line);
    }
}

/* Marks that two formats share: what follows decides, and what the template shows is known. */
static void formats_share_marks(void **state)
{
    (void)state;
    static const char template_text[] = "<tool_call><arg_key></arg_key><arg_value></arg_value>";
    static const char *const texts[][2] = {
        {"<tool_call>add\n<arg_key>a</arg_key>\n<arg_value>1</arg_value>\n</tool_call>",
         "<add>{\"a\": 1}<.>"},
        {"<tool_call>{\"name\":\"add\",\"arguments\":{\"a\":1}}</tool_call>", "<add>{\"a\":1}<.>"},
        {"<tool_call><function=add><parameter=a>1</parameter></function></tool_call>",
         "<add>{\"a\": 1}<.>"},
        {"<tool_call>!</tool_call>", "<C><tool_call>!</tool_call>"},
        {"<tool_call>", "<C><tool_call>"},
    };
    for (size_t i = 0; i < N_OF(texts); i++)
        for (unsigned pieces = 0; pieces < 4; pieces++) {
            ingle_chat_profile profile;
            parse_record r;
            parse_case c = {.family = "generic"};
            ingle_parse_options opt = options_of(&c, &profile);
            ingle_profile_query q = {.template_text = template_text,
                                     .n_template = sizeof template_text - 1};
            assert_int_equal(ingle_profile_find(&profile, &q, NULL), INGLE_OK);
            parse_run(&r, opt, texts[i][0], strlen(texts[i][0]), pieces, NULL);
            assert_string_equal(r.line.p, texts[i][1]);
            ingle_bytes_free(&r.line);
        }
}

/* ---- bounds ---------------------------------------------------------------------------------- */

static ingle_parse_counts run_text(const char *family, const ingle_bytes *text, size_t max_held,
                                   parse_record *r)
{
    ingle_chat_profile profile;
    ingle_parse_counts counts;
    parse_case c = {.family = family};
    ingle_parse_options opt = options_of(&c, &profile);
    opt.max_held = max_held;
    assert_int_equal(parse_run(r, opt, text->p, text->n, PARSE_SPLIT, &counts), INGLE_OK);
    return counts;
}

/* What is held back is bounded: arguments before the name, values that may be JSON, names. */
static void held_is_bounded(void **state)
{
    (void)state;
    static const struct {
        const char *family, *begin, *end;
    } texts[] = {
        {"qwen3", "<tool_call>{\"arguments\":{\"city\":\"",
         "\"},\"name\":\"get_weather\"}</tool_call>"},
        {"qwen3", "<tool_call>{\"name\":\"", "\"}</tool_call>"},
        {"qwen3-coder", "<tool_call><function=get_weather><parameter=where>[", "]</parameter>"},
        {"qwen3-coder", "<tool_call><function=", ">"},
        {"qwen3-coder", "<tool_call><function=f><parameter=", ">"},
        {"minimax-m3", "]<]minimax[>[<tool_call>]<]minimax[>[<invoke name=\"f\">]<]minimax[>[<k>1",
         ""},
        {"generic", "{\"arguments\":{\"city\":\"", "\"}}"},
        {"gpt-oss", "<|channel|>", "<|message|>"},
    };
    for (size_t i = 0; i < N_OF(texts); i++) {
        ingle_bytes text = {0};
        parse_record r;
        ingle_bytes_text(&text, texts[i].begin);
        for (size_t k = 0; k < 50000; k++) ingle_bytes_add(&text, '7');
        ingle_bytes_text(&text, texts[i].end);
        ingle_parse_counts counts = run_text(texts[i].family, &text, 4096, &r);
        if (counts.peak_held > 5000) fail_msg("case %zu: %zu bytes", i, counts.peak_held);
        ingle_bytes_free(&text);
        ingle_bytes_free(&r.line);
    }
}

/* Deep nesting ends a call, and nothing else. */
static void depth_is_bounded(void **state)
{
    (void)state;
    ingle_bytes text = {0};
    parse_record r;
    ingle_bytes_text(&text, "<tool_call>{\"name\":\"add\",\"arguments\":{\"a\":");
    for (size_t k = 0; k < 100000; k++) ingle_bytes_add(&text, '[');
    run_text("qwen3", &text, 0, &r);
    assert_non_null(strstr(r.line.p, "<!><C>["));
    ingle_bytes_free(&r.line);
    text.n = 0;
    ingle_bytes_text(&text,
                     "]<]minimax[>[<tool_call>]<]minimax[>[<invoke name=\"f\">]<]minimax[>[<k>");
    for (size_t k = 0; k < 1000; k++) ingle_bytes_text(&text, "]<]minimax[>[<k>");
    for (size_t k = 0; k < 1001; k++) ingle_bytes_text(&text, "]<]minimax[>[</k>");
    ingle_bytes_text(&text, "]<]minimax[>[</invoke>");
    run_text("minimax-m3", &text, 0, &r);
    ingle_bytes_free(&r.line);
    ingle_bytes_free(&text);
}

/* Marks over and over: text, and soon. */
static void marks_over_and_over(void **state)
{
    (void)state;
    static const char *const parts[][2] = {
        {"qwen3", "<tool_call>"},
        {"qwen3", "<tool_call>{\"name\":\""},
        {"qwen3", "<tool_cal"},
        {"qwen3-coder", "<function="},
        {"deepseek-r1", "<｜tool▁call▁begin｜>"},
        {"generic", "{"},
        {"gpt-oss", "<|start|>"},
        {"gpt-oss", "<|channel|>"},
        {"generic", "```json"},
        {"functionary-3.2", ">>>"},
        {"kimi-k2", "<|tool_calls_section_begin|>"},
        {"qwen3", "</think>"},
        {"qwen3", "<think>"},
        {"generic", "\n"},
    };
    for (size_t i = 0; i < N_OF(parts); i++) {
        ingle_bytes text = {0};
        parse_record r;
        for (size_t k = 0; k < 3000; k++) ingle_bytes_text(&text, parts[i][1]);
        run_text(parts[i][0], &text, 0, &r);
        assert_int_equal(r.n_calls, 0);
        ingle_bytes_free(&r.line);
        ingle_bytes_free(&text);
    }
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static void bytes_become_utf8(void **state)
{
    (void)state;
    static const char *const texts[][2] = {
        {"a\xff"
         "b",
         "<C>a\xef\xbf\xbd"
         "b"},
        {"\xe2\x82", "<C>\xef\xbf\xbd"},
        {"\xe2\x82<think>", "<C>\xef\xbf\xbd<think>"},
        {"\xf0\x9f\x98\x80", "<C>\xf0\x9f\x98\x80"},
        {"<tool_call>{\"name\":\"add\",\"arguments\":{\"a\":\"\xc3\xa4\xff\"}}</tool_call>",
         "<add>{\"a\":\"\xc3\xa4\xef\xbf\xbd\"}<.>"},
        {"<tool_call>{\"name\":\"a\xff\",\"arguments\":{}}</tool_call>",
         "<C><tool_call>{\"name\":\"a\xef\xbf\xbd\",\"arguments\":{}}</tool_call>"},
    };
    for (size_t i = 0; i < N_OF(texts); i++)
        for (unsigned pieces = 0; pieces < 4; pieces++) {
            ingle_chat_profile profile;
            parse_record r;
            parse_case c = {.family = "qwen3"};
            ingle_parse_options opt = options_of(&c, &profile);
            parse_run(&r, opt, texts[i][0], strlen(texts[i][0]), pieces, NULL);
            assert_string_equal(r.line.p, texts[i][1]);
            ingle_bytes_free(&r.line);
        }
}

/* A NUL is a byte like any other. */
static void nul_is_text(void **state)
{
    (void)state;
    static const char text[] = "a\0<tool_call>\0{\"name\":\"add\"}";
    ingle_chat_profile profile;
    parse_record r;
    parse_case c = {.family = "qwen3"};
    ingle_parse_options opt = options_of(&c, &profile);
    parse_run(&r, opt, text, sizeof text - 1, PARSE_BYTES, NULL);
    assert_int_equal(r.line.n, 3 + sizeof text);
    assert_memory_equal(r.line.p + 3, text, sizeof text - 1);
    ingle_bytes_free(&r.line);
}

static void use_is_checked(void **state)
{
    (void)state;
    ingle_parse_options opt;
    ingle_parse *p;
    ingle_error err;
    size_t n;
    ingle_parse_options_init(&opt);
    must(ingle_parse_open(&p, NULL, &err), &err);
    assert_int_equal(ingle_parse_feed(p, "a", 1, &err), INGLE_OK);
    assert_string_equal(ingle_parse_raw(p, &n), "");
    assert_int_equal(ingle_parse_finish(p, &err), INGLE_OK);
    assert_int_equal(ingle_parse_finish(p, &err), INGLE_OK);
    assert_int_equal(ingle_parse_feed(p, "a", 1, &err), INGLE_EINVAL);
    ingle_parse_close(&p);
    ingle_parse_close(&p);
    ingle_parse_close(NULL);
    opt.tools = "[{]";
    opt.n_tools = 3;
    assert_int_equal(ingle_parse_open(&p, &opt, &err), INGLE_EFORMAT);
    assert_null(p);
    opt.tools = "{}";
    opt.n_tools = 2;
    assert_int_equal(ingle_parse_open(&p, &opt, &err), INGLE_EFORMAT);
    assert_text(&err, "array");
}

/* Without memory: a status, nothing lost, nothing kept. */
static void no_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_OF(cases); i += 3) {
        ingle_chat_profile profile;
        ingle_parse_options opt = options_of(&cases[i], &profile);
        const char *text = cases[i].text;
        for (long k = 1;; k++) {
            parse_record r;
            wrap_alloc_begin(k);
            ingle_status st = parse_run(&r, opt, text, strlen(text), PARSE_SPLIT, NULL);
            ingle_bytes_free(&r.line);
            bool reached = wrap_alloc_end();
            assert_int_equal(wrap_alloc_live(), 0);
            assert_int_equal(st, reached ? INGLE_ENOMEM : INGLE_OK);
            if (!reached) break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cases_parse),         cmocka_unit_test(families_have_cases),
        cmocka_unit_test(beginnings_parse),    cmocka_unit_test(off_is_text),
        cmocka_unit_test(formats_share_marks), cmocka_unit_test(held_is_bounded),
        cmocka_unit_test(depth_is_bounded),    cmocka_unit_test(marks_over_and_over),
        cmocka_unit_test(bytes_become_utf8),   cmocka_unit_test(nul_is_text),
        cmocka_unit_test(use_is_checked),      cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
