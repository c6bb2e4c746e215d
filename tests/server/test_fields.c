/* test_fields.c - tables of members: classes, types, ranges, places, stores, what is ignored. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "server/fields.h"
/* after the others */
#include "server/body.h"

typedef struct sample {
    bool flag;
    int32_t whole;
    uint64_t seed;
    float real;
    double wide;
    int choice;
    const ingle_json *value;
    int n_set;
    struct {
        int32_t depth;
    } inner;
} sample;

static bool count(field_reader *r, void *target, const ingle_json *v, const field_place *place)
{
    ((sample *)target)->n_set++;
    return !ingle_json_is_text(v, "no") || field_refuse(r, place, "is %s", v->text);
}

static const char *const colours[] = {"red", "green", "blue", NULL};

static const field_row leaf_rows[] = {
    {.name = "depth",
     .types = FIELD_INT,
     .min = 0,
     .max = 9,
     .store = FIELD_TO_INT,
     .offset = offsetof(sample, inner.depth) - offsetof(sample, inner)},
    {.name = "picture", .class = FIELD_REFUSED, .help = "send words"},
    {.name = "label", .types = FIELD_STRING},
};
static const field_table leaf = {.rows = leaf_rows, .n_rows = 3};

static const field_row element_rows[] = {
    {.name = "kind", .types = FIELD_STRING, .choices = colours},
    {.name = "parts", .types = FIELD_ARRAY, .members = &leaf},
    {.name = "business", .class = FIELD_INERT},
};
static const field_table element = {.rows = element_rows, .n_rows = 3};

static const field_row more_rows[] = {
    {.name = "extra", .types = FIELD_INT, .store = FIELD_TO_INT, .offset = 0},
    {.name = "flag", .class = FIELD_REFUSED, .help = "shadowed by the first table"},
};
static const field_table more = {.rows = more_rows, .n_rows = 2};

static const field_row rows[] = {
    {.name = "flag", .types = FIELD_BOOL, .store = FIELD_TO_BOOL, .offset = offsetof(sample, flag)},
    {.name = "whole",
     .types = FIELD_INT,
     .min = -5,
     .max = 50,
     .store = FIELD_TO_INT,
     .offset = offsetof(sample, whole)},
    {.name = "any_int",
     .types = FIELD_INT,
     .store = FIELD_TO_INT,
     .offset = offsetof(sample, whole)},
    {.name = "seed", .types = FIELD_INT, .store = FIELD_TO_SEED, .offset = offsetof(sample, seed)},
    {.name = "real",
     .types = FIELD_NUMBER,
     .max = 2,
     .store = FIELD_TO_FLOAT,
     .offset = offsetof(sample, real)},
    {.name = "any_real",
     .types = FIELD_NUMBER,
     .store = FIELD_TO_FLOAT,
     .offset = offsetof(sample, real)},
    {.name = "wide",
     .types = FIELD_NUMBER,
     .store = FIELD_TO_DOUBLE,
     .offset = offsetof(sample, wide)},
    {.name = "colour",
     .types = FIELD_STRING,
     .choices = colours,
     .store = FIELD_TO_CHOICE,
     .offset = offsetof(sample, choice)},
    {.name = "anything",
     .types = FIELD_ANY,
     .store = FIELD_TO_VALUE,
     .offset = offsetof(sample, value)},
    {.name = "short_text", .types = FIELD_STRING, .min = 1, .max = 3, .set = count},
    {.name = "text_or_list", .types = FIELD_STRING | FIELD_ARRAY, .max = 2},
    {.name = "some_map", .types = FIELD_OBJECT, .max = 1},
    {.name = "inner",
     .types = FIELD_OBJECT,
     .members = &leaf,
     .members_offset = offsetof(sample, inner)},
    {.name = "list", .types = FIELD_ARRAY, .members = &element},
    {.name = "refused", .class = FIELD_REFUSED, .help = "use 'whole'"},
    {.name = "inert", .class = FIELD_INERT},
    {.name = "one", .class = FIELD_ONLY, .only = "1", .help = "there is one"},
    {.name = "never", .class = FIELD_ONLY, .only = "false", .help = "it never is"},
    {.name = "words", .class = FIELD_ONLY, .only = "[\"text\"]", .help = "only text"},
};
static const field_table table = {.title = "sample",
                                  .rows = rows,
                                  .n_rows = sizeof rows / sizeof *rows,
                                  .more = &more,
                                  .more_offset = offsetof(sample, inner.depth)};

static body read_strictly(const char *text, sample *s, bool strict)
{
    body b;
    *s = (sample){.whole = 7};
    body_open(&b, text);
    b.r.strict = strict;
    b.read = fields_read(&b.r, &table, b.doc.root, s, NULL);
    return b;
}

static void takes(const char *text, sample *s)
{
    body b = read_strictly(text, s, false);
    assert_read(&b);
    assert_string_equal(body_ignored(&b), "");
    s->value = NULL;
    body_close(&b);
}

static void refuses(const char *text, const char *param, const char *part)
{
    sample s;
    body b = read_strictly(text, &s, false);
    assert_refused(&b, param, part);
    body_close(&b);
}

static void ignores(const char *text, const char *names)
{
    sample s;
    body b = read_strictly(text, &s, false);
    assert_read(&b);
    assert_string_equal(body_ignored(&b), names);
    body_close(&b);
}

static void test_stores(void **state)
{
    sample s;
    (void)state;
    takes("{\"flag\":true,\"whole\":-5,\"seed\":18446744073709551615,\"real\":1.5,\"wide\":1e300,"
          "\"colour\":\"blue\",\"inner\":{\"depth\":9,\"label\":\"x\"},\"extra\":3}",
          &s);
    assert_true(s.flag);
    assert_int_equal(s.whole, -5);
    assert_true(s.seed == UINT64_MAX);
    assert_true(s.real == 1.5f && s.wide == 1e300);
    assert_int_equal(s.choice, 2);
    assert_int_equal(s.inner.depth, 3); /* `extra` lies there, too, and came later */
    takes("{\"whole\":5e1}", &s);
    assert_int_equal(s.whole, 50);
}

static void test_value(void **state)
{
    sample s;
    (void)state;
    body b = read_strictly("{\"anything\":[1,{\"a\":2}]}", &s, false);
    assert_read(&b);
    assert_true(ingle_json_is(s.value, INGLE_JSON_ARRAY));
    body_close(&b);
}

static void test_seeds(void **state)
{
    sample a, b;
    (void)state;
    takes("{\"seed\":-1}", &a);
    takes("{\"seed\":-1}", &b);
    assert_true(a.seed != b.seed);
    refuses("{\"seed\":-2}", "seed", "-1");
    refuses("{\"seed\":1.5}", "seed", "a whole number, not 1.5");
    refuses("{\"seed\":18446744073709551616}", "seed", "whole");
}

static void test_null_is_absent(void **state)
{
    sample s;
    (void)state;
    takes("{\"flag\":null,\"whole\":null,\"refused\":null,\"inert\":null,\"one\":null,"
          "\"unknown\":null,\"inner\":null,\"list\":null}",
          &s);
    assert_int_equal(s.whole, 7);
}

static void test_types(void **state)
{
    (void)state;
    refuses("{\"flag\":1}", "flag", "should be true or false, not 1");
    refuses("{\"flag\":\"true\"}", "flag", "not a string");
    refuses("{\"whole\":\"7\"}", "whole", "should be a whole number, not a string");
    refuses("{\"whole\":7.5}", "whole", "not 7.5");
    refuses("{\"whole\":true}", "whole", "not true");
    refuses("{\"any_int\":2147483648}", "any_int", "2147483647");
    refuses("{\"any_int\":1e99}", "any_int", "a whole number");
    refuses("{\"real\":[]}", "real", "should be a number, not an array");
    refuses("{\"any_real\":1e39}", "any_real", "too large");
    refuses("{\"any_real\":1e999}", "any_real", "too large");
    refuses("{\"colour\":5}", "colour", "a string");
    refuses("{\"colour\":\"pink\"}", "colour", "'pink', should be 'red', 'green' or 'blue'");
    refuses("{\"text_or_list\":{}}", "text_or_list", "a string or an array, not an object");
    refuses("{\"inner\":5}", "inner", "an object");
}

static void test_ranges(void **state)
{
    sample s;
    (void)state;
    refuses("{\"whole\":-6}", "whole", "is -6, should be -5 to 50");
    refuses("{\"whole\":51}", "whole", "should be -5 to 50");
    refuses("{\"real\":2.01}", "real", "is 2.01, should be 0 to 2");
    refuses("{\"real\":-1e-9}", "real", "should be 0 to 2");
    refuses("{\"short_text\":\"\"}", "short_text", "has 0 bytes, should have 1 to 3");
    refuses("{\"short_text\":\"four\"}", "short_text", "has 4 bytes");
    refuses("{\"text_or_list\":[1,2,3]}", "text_or_list", "has 3 elements, should have 0 to 2");
    refuses("{\"some_map\":{\"a\":1,\"b\":2}}", "some_map", "has 2 members");
    takes("{\"short_text\":\"abc\",\"text_or_list\":[1,2],\"some_map\":{\"a\":1}}", &s);
    assert_int_equal(s.n_set, 1);
}

static void test_set_refuses(void **state)
{
    (void)state;
    refuses("{\"short_text\":\"no\"}", "short_text", "is no");
}

static void test_classes(void **state)
{
    sample s;
    (void)state;
    refuses("{\"refused\":false}", "refused", "is not supported: use 'whole'");
    ignores("{\"inert\":{\"deep\":1}}", "inert");
    takes("{\"one\":1.0,\"never\":false,\"words\":[\"text\"]}", &s);
    refuses("{\"one\":2}", "one", "should be 1: there is one");
    refuses("{\"one\":\"1\"}", "one", "should be 1");
    refuses("{\"never\":0}", "never", "should be false");
    refuses("{\"never\":true}", "never", "it never is");
    refuses("{\"words\":[\"text\",\"audio\"]}", "words", "only text");
    refuses("{\"words\":\"text\"}", "words", "only text");
}

static void test_first_table_counts(void **state)
{
    sample s;
    (void)state;
    takes("{\"flag\":true}", &s);
    assert_true(s.flag);
}

static void test_places(void **state)
{
    (void)state;
    refuses("{\"list\":[{\"kind\":\"red\"},{\"kind\":\"pink\"}]}", "list[1].kind", "pink");
    refuses("{\"list\":[{\"parts\":[{},{},{\"depth\":10}]}]}", "list[0].parts[2].depth", "0 to 9");
    refuses("{\"list\":[{\"parts\":[{\"picture\":\"x\"}]}]}", "list[0].parts[0].picture", "words");
    refuses("{\"list\":[{},4]}", "list[1]", "should be an object, not a number");
    refuses("{\"inner\":{\"depth\":\"9\"}}", "inner.depth", "a whole number");
}

static void test_unknown(void **state)
{
    sample s;
    (void)state;
    ignores("{\"zebra\":1,\"inner\":{\"yak\":2},\"list\":[{\"emu\":1},{\"emu\":2,\"business\":0}]}",
            "zebra, inner.yak, list[].emu, list[].business");
    refuses("{\"colours\":1}", "colours", "did you mean 'colour'?");
    refuses("{\"clour\":1}", "clour", "did you mean 'colour'?");
    refuses("{\"oclour\":1}", "oclour", "did you mean 'colour'?");
    ignores("{\"refuse\":1,\"flog\":1,\"kolor\":1}", "refuse, flog, kolor");
    body b = read_strictly("{\"inner\":{\"yak\":2}}", &s, true);
    assert_refused(&b, "inner.yak", "is not known");
    body_close(&b);
    b = read_strictly("{\"inert\":2}", &s, true);
    assert_read(&b);
    body_close(&b);
}

static void test_no_object(void **state)
{
    sample s;
    (void)state;
    body b = read_strictly("[1]", &s, false);
    assert_refused(&b, "", "should be an object, not an array");
    body_close(&b);
}

/* Names that are no header, and more of them than anybody means. */
static void test_hostile_names(void **state)
{
    sample s;
    char text[20000], *at = text;
    (void)state;
    ignores("{\"a\\r\\nSet-Cookie: x\":1,\"\\u00e4,b\":1,\"\\u0000\":2}",
            "a??Set-Cookie: x, ???b, ?");
    at += sprintf(at, "{\"");
    for (int i = 0; i < 5000; i++) *at++ = 'n';
    sprintf(at, "\":1}");
    body b = read_strictly(text, &s, false);
    assert_read(&b);
    assert_in_range(b.r.ignored.n, 1, 200);
    body_close(&b);
    at = text + sprintf(text, "{\"inner\":{\"a\":1");
    for (int i = 0; i < 64; i++) at += sprintf(at, ",\"unknown_%d\":1", i);
    sprintf(at, "}}");
    refuses(text, "inner", "more than 64 members");
}

static void test_long_list(void **state)
{
    sample s;
    char text[40000], *at = text;
    (void)state;
    at += sprintf(at, "{\"list\":[{}");
    for (int i = 0; i < 200; i++) at += sprintf(at, ",{\"a_rather_long_name_%d\":1}", i);
    sprintf(at, "]}");
    body b = read_strictly(text, &s, false);
    assert_read(&b);
    assert_in_range(b.r.ignored.n, 1500, 2100);
    assert_non_null(strstr(body_ignored(&b), ", ..."));
    assert_null(strstr(strstr(body_ignored(&b), ", ...") + 1, ", ..."));
    body_close(&b);
}

/* Each costs a look at every name: an end is made of a body that is nothing else. */
static void test_too_many_unknown(void **state)
{
    enum { ELEMENTS = 1001, EACH = 50 };
    sample s;
    char *text = malloc(ELEMENTS * EACH * 10), *at = text;
    (void)state;
    assert_non_null(text);
    at += sprintf(at, "{\"list\":[{}");
    for (int i = 1; i < ELEMENTS + 1; i++) {
        at += sprintf(at, ",{\"x0\":1");
        for (int k = 1; k < EACH; k++) at += sprintf(at, ",\"x%d\":1", k);
        at += sprintf(at, "}");
    }
    sprintf(at, "]}");
    body b = read_strictly(text, &s, false);
    assert_refused(&b, "list[1001].x0", "more than 50000");
    body_close(&b);
    free(text);
}

static void test_known_only(void **state)
{
    sample s = {.whole = 7};
    body b;
    (void)state;
    body_open(&b, "{\"whole\":8,\"colours\":1,\"zebra\":2}");
    b.read = fields_read_known(&b.r, &table, b.doc.root, &s, NULL);
    assert_read(&b);
    assert_int_equal(s.whole, 8);
    assert_int_equal(b.r.ignored.n, 0);
    body_close(&b);
}

/* After something was wrong nothing more is read, and the first error stays. */
static void test_first_error_stays(void **state)
{
    sample s = {.whole = 7};
    body b;
    (void)state;
    body_open(&b, "{\"whole\":8}");
    api_fail(b.error, 404, "gone", "x", "first");
    assert_false(fields_read(&b.r, &table, b.doc.root, &s, NULL));
    assert_int_equal(s.whole, 7);
    assert_string_equal(b.error->message, "first");
    body_close(&b);
}

static void test_place_text(void **state)
{
    const field_place a = {.name = "messages", .len = 8}, b = {.up = &a, .i = 3},
                      c = {.up = &b, .name = "content", .len = 7};
    char text[64], small[9];
    (void)state;
    assert_string_equal(field_place_text(NULL, text, sizeof text), "");
    assert_string_equal(field_place_text(&c, text, sizeof text), "messages[3].content");
    assert_string_equal(field_place_text(&c, small, sizeof small), "messages");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stores),
        cmocka_unit_test(test_value),
        cmocka_unit_test(test_seeds),
        cmocka_unit_test(test_null_is_absent),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_set_refuses),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_first_table_counts),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_no_object),
        cmocka_unit_test(test_hostile_names),
        cmocka_unit_test(test_long_list),
        cmocka_unit_test(test_too_many_unknown),
        cmocka_unit_test(test_known_only),
        cmocka_unit_test(test_first_error_stays),
        cmocka_unit_test(test_place_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
