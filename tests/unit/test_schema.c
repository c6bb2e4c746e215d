/* test_schema.c - JSON Schema as grammars: texts that are admitted and texts that are not, by
 * keyword; order, white space, spelling; what is refused, with the place that the error names. */
#include "grammar/automaton.h"
#include "grammar/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static ingle_schema_options options; /* of the checks that follow */

static ingle_status compile(const char *schema, ingle_automaton **a, ingle_error *err)
{
    ingle_terms *t = ingle_terms_open(NULL);
    ingle_term root;
    *a = NULL;
    assert_non_null(t);
    err->text[0] = 0;
    ingle_status st = ingle_schema_compile(t, schema, strlen(schema), &options, &root, err);
    if (!st) st = ingle_terms_finish(t, &root, err);
    if (!st) return ingle_automaton_open(a, t, root, NULL, NULL, err);
    assert_int_equal(root, INGLE_TERM_NONE);
    ingle_terms_close(t);
    return st;
}

static bool admits(ingle_automaton *a, const char *text)
{
    ingle_matcher *m = ingle_matcher_open(a);
    ingle_error err;
    size_t n_good;
    ingle_status st = ingle_matcher_text(m, text, strlen(text), &n_good, &err);
    bool is = !st && n_good == strlen(text) && ingle_matcher_may_end(m);
    ingle_matcher_close(m);
    return is;
}

/* Texts that begin with '!' must not be admitted; the others must. The last is NULL. */
static void check_all(const char *schema, const char *const *texts)
{
    ingle_automaton *a;
    ingle_error err;
    if (compile(schema, &a, &err)) fail_msg("%s: %s", schema, err.text);
    for (size_t i = 0; texts[i]; i++) {
        bool wanted = texts[i][0] != '!';
        if (admits(a, texts[i] + !wanted) != wanted)
            fail_msg("%s: %s %s", schema, texts[i] + !wanted,
                     wanted ? "is refused" : "is admitted");
    }
    ingle_automaton_close(a);
}
#define CHECK(schema, ...) check_all(schema, (const char *const[]){__VA_ARGS__, NULL})

static void check_error(const char *schema, ingle_status status, const char *text)
{
    ingle_automaton *a;
    ingle_error err;
    ingle_status st = compile(schema, &a, &err);
    ingle_automaton_close(a);
    if (st != status) fail_msg("%s: %s: %s", schema, ingle_status_name(st), err.text);
    assert_string_equal(err.text, text);
}
#define BAD(schema, text)  check_error(schema, INGLE_EFORMAT, text)
#define CANT(schema, text) check_error(schema, INGLE_EUNSUPPORTED, text)

static int reset(void **state)
{
    (void)state;
    options = (ingle_schema_options){.compact = true};
    return 0;
}

/* ---- scalars --------------------------------------------------------------------------------- */

static void test_types(void **state)
{
    (void)state;
    CHECK("true", "null", "true", "1", "-0.5e3", "\"a\"", "[]", "{}", "[{\"a\":[1]}]", "!", "!nul",
          "!01", "!1.", "![1,]", "!{a:1}", "!\"\t\"");
    CHECK("{\"type\":\"null\"}", "null", "!true", "!0");
    CHECK("{\"type\":\"boolean\"}", "true", "false", "!null");
    CHECK("{\"type\":\"integer\"}", "0", "-7", "123456789012345678901234567890", "!1.5", "!-0",
          "!007", "!1e2", "!\"1\"");
    CHECK("{\"type\":\"number\"}", "0", "-7.25", "1e10", "-0", "!.5", "!\"1\"");
    CHECK("{\"type\":[\"string\",\"null\"]}", "null", "\"x\"", "!1");
    CHECK("{\"type\":\"string\",\"nullable\":true}", "null", "\"x\"", "!1");
    CHECK("{\"type\":\"object\"}", "{}", "{\"a\":{\"b\":[]}}", "![]");
}

static void test_numbers(void **state)
{
    (void)state;
    CHECK("{\"type\":\"integer\",\"minimum\":-15,\"maximum\":123}", "-15", "-9", "0", "99", "123",
          "!-16", "!-20", "!124", "!200", "!1000", "!-0");
    CHECK("{\"type\":\"integer\",\"exclusiveMinimum\":9,\"exclusiveMaximum\":12}", "10", "11", "!9",
          "!12");
    CHECK("{\"type\":\"integer\",\"minimum\":4,\"exclusiveMinimum\":true}", "5", "!4");
    CHECK("{\"type\":\"integer\",\"minimum\":100000000000000000000000001}",
          "100000000000000000000000001", "!100000000000000000000000000", "!99");
    CHECK("{\"type\":\"number\",\"minimum\":0.5,\"maximum\":2.25}", "0.5", "0.50", "1", "2", "1.0",
          "2.25", "2.2", "!0.49", "!0.4", "!2.26", "!2.251", "!3", "!-1", "!0");
    CHECK("{\"type\":\"number\",\"exclusiveMinimum\":0,\"exclusiveMaximum\":1}", "0.1",
          "0.000000001", "0.999", "!0", "!0.0", "!1", "!1.0", "!-0.1");
    CHECK("{\"type\":\"number\",\"maximum\":-1.5}", "-1.5", "-2", "-100.25", "!-1.4", "!-1", "!0",
          "!1.5");
    CHECK("{\"type\":\"integer\",\"multipleOf\":12}", "0", "12", "-24", "144", "!6", "!13");
    CHECK("{\"type\":\"integer\",\"multipleOf\":1000}", "0", "5000", "-1000", "!500", "!00");
    CHECK("{\"type\":\"integer\",\"multipleOf\":7,\"minimum\":10,\"maximum\":30}", "14", "21", "28",
          "!7", "!35", "!15");
    CHECK("{\"type\":\"number\",\"multipleOf\":0.01}", "1", "1.5", "1.25", "-0.07", "!0.001");
    CHECK("{\"type\":\"number\",\"multipleOf\":2.5}", "0", "2.5", "5", "7.5", "10.0", "!2", "!3.5",
          "!1");
    CHECK("{\"type\":\"integer\",\"multipleOf\":1.5}", "3", "0", "-6", "!1", "!2");
    CHECK("{\"type\":\"integer\",\"not\":{\"multipleOf\":3}}", "1", "-2", "!0", "!3", "!-9");
    CHECK("{\"not\":{\"type\":\"integer\"},\"type\":\"number\"}", "0.5", "-1.25", "!1", "!1.0");
    CHECK("{\"type\":\"integer\",\"not\":{\"enum\":[0,5.0,-7]}}", "1", "7", "-5", "!0", "!5",
          "!-7");
    BAD("{\"type\":\"integer\",\"minimum\":1,\"maximum\":0}", "schema #: no value is valid");
    BAD("{\"type\":\"integer\",\"minimum\":1.1,\"maximum\":1.9}", "schema #: no value is valid");
    BAD("{\"multipleOf\":0}", "schema #: 'multipleOf': must be greater than 0");
    BAD("{\"minimum\":\"1\"}", "schema #: 'minimum': must be a number");
    CANT("{\"type\":\"integer\",\"multipleOf\":1000003}",
         "schema #: 'multipleOf': cannot be enforced for so large or so fine a number");
}

static void test_strings(void **state)
{
    (void)state;
    CHECK("{\"type\":\"string\"}", "\"\"", "\"a\\n\\u00e9\\/\"", "\"\xc3\xa9\"",
          "\"\\ud83d\\ude00\"", "!\"\\ud83d\"", "!\"\\ude00\"", "!\"\\x\"", "!\"a", "!\"\n\"");
    CHECK("{\"type\":\"string\",\"minLength\":2,\"maxLength\":3}", "\"ab\"", "\"\xc3\xa9\xc3\xa9\"",
          "\"\\ud83d\\ude00a\"", "!\"a\"", "!\"abcd\"", "!\"\\ud83d\\ude00\"");
    CHECK("{\"type\":\"string\",\"pattern\":\"b\"}", "\"abc\"", "!\"ac\"");
    CHECK("{\"type\":\"string\",\"pattern\":\"^[A-Z][a-z\\u00e9\\n]*-$\",\"minLength\":3,"
          "\"maxLength\":4}",
          "\"Ab-\"", "\"A\\nb-\"", "\"A\xc3\xa9\xc3\xa9-\"", "!\"A-\"", "!\"Abcd-\"", "!\"abc-\"");
    CHECK("{\"type\":\"string\",\"pattern\":\"^x{2,9}$\",\"minLength\":1,\"maxLength\":4}",
          "\"xx\"", "\"xxxx\"", "!\"x\"", "!\"xxxxx\"");
    CHECK("{\"type\":\"string\",\"pattern\":\"^(ab)*$\",\"maxLength\":4}", "\"\"", "\"abab\"",
          "!\"ababab\"");
    CHECK("{\"type\":\"string\",\"pattern\":\"^a*b*$\",\"minLength\":2,\"maxLength\":3}", "\"ab\"",
          "\"bbb\"", "!\"a\"", "!\"aabb\"");
    CHECK("{\"type\":\"string\",\"pattern\":\"^\\\"?c*$\",\"maxLength\":2}", "\"\\\"c\"", "\"cc\"",
          "!\"\\\"cc\"");
    BAD("{\"type\":\"string\",\"pattern\":\"^abc?$\",\"minLength\":4}",
        "schema #: no value is valid");
    BAD("{\"type\":\"string\",\"pattern\":\"^$\",\"minLength\":1}", "schema #: no value is valid");
    CHECK("{\"type\":\"string\",\"pattern\":\"^[a-z]+$\",\"maxLength\":3}", "\"abc\"", "!\"\"",
          "!\"abcd\"", "!\"aB\"");
    CHECK("{\"type\":\"string\",\"pattern\":\"^.\\\\n$\"}", "\"\\\"\\n\"", "!\"\\u0022\\n\"");
    CHECK("{\"type\":\"string\",\"not\":{\"pattern\":\"^a\"}}", "\"ba\"", "\"\"", "!\"ab\"");
    CHECK("{\"type\":\"string\",\"allOf\":[{\"pattern\":\"a\"},{\"pattern\":\"b\"}]}", "\"ab\"",
          "\"ba\"", "!\"aa\"");
    CHECK("{\"pattern\":\"^a$\"}", "1", "\"a\"", "!\"b\"");
    BAD("{\"type\":\"string\",\"pattern\":\"^a$\",\"minLength\":2}", "schema #: no value is valid");
    BAD("{\"maxLength\":-1}", "schema #: 'maxLength': must be a whole number that is not negative");
}

static void test_formats(void **state)
{
    (void)state;
    CHECK("{\"type\":\"string\",\"format\":\"date\"}", "\"2024-02-29\"", "\"2023-12-31\"",
          "!\"2023-02-29\"", "!\"1900-02-29\"", "\"2000-02-29\"", "!\"2023-04-31\"",
          "!\"2023-4-1\"");
    CHECK("{\"format\":\"date-time\"}", "\"2024-02-29T23:59:59Z\"",
          "\"2024-02-29T00:00:00.5+14:00\"", "!\"2024-02-29T24:00:00Z\"", "!\"2024-02-29\"", "1");
    CHECK("{\"type\":\"string\",\"format\":\"time\"}", "\"08:30:00Z\"", "!\"08:30Z\"");
    CHECK("{\"type\":\"string\",\"format\":\"duration\"}", "\"P1Y2M3DT4H5M6S\"", "\"PT0S\"",
          "\"P3W\"", "!\"P\"", "!\"P1YT\"", "!\"PT1D\"");
    CHECK("{\"type\":\"string\",\"format\":\"email\"}", "\"a.b+c@example.com\"", "!\"a@\"",
          "!\".a@b.c\"", "!\"a b@c.de\"");
    CHECK("{\"type\":\"string\",\"format\":\"hostname\"}", "\"www.example.com\"", "!\"-a.com\"",
          "!\"a..b\"", "!\"a_b\"");
    CHECK("{\"type\":\"string\",\"format\":\"ipv4\"}", "\"192.168.0.1\"", "!\"256.0.0.1\"",
          "!\"1.2.3\"", "!\"01.2.3.4\"");
    CHECK("{\"type\":\"string\",\"format\":\"ipv6\"}", "\"::1\"", "\"2001:db8::8a2e:370:7334\"",
          "\"::ffff:1.2.3.4\"", "\"1:2:3:4:5:6:7:8\"", "!\"1:2:3\"", "!\"::1::\"", "!\"12345::\"");
    CHECK("{\"type\":\"string\",\"format\":\"uuid\"}", "\"123e4567-e89b-12d3-a456-426614174000\"",
          "!\"123e4567e89b12d3a456426614174000\"");
    CHECK("{\"type\":\"string\",\"format\":\"uri\"}", "\"https://a.example:80/b/c?d=e#f\"",
          "\"urn:isbn:123\"", "\"http://[::1]/\"", "!\"/a\"", "!\"http://a b\"", "!\"1a:b\"");
    CHECK("{\"type\":\"string\",\"format\":\"uri-reference\"}", "\"/a/b\"", "\"#x\"", "\"a:b\"",
          "!\"a b\"");
    CHECK("{\"type\":\"string\",\"format\":\"json-pointer\"}", "\"\"", "\"/a~0b/c~1\"", "!\"a\"",
          "!\"/~2\"");
    CHECK("{\"type\":\"string\",\"format\":\"relative-json-pointer\"}", "\"0#\"", "\"1/a\"",
          "!\"/a\"");
    CHECK("{\"type\":\"string\",\"format\":\"regex\"}", "\"^[a-z]+$\"", "!\"(\"", "!\"*\"");
    CHECK("{\"type\":\"string\",\"format\":\"uri-template\"}", "\"/a/{b,c}\"", "!\"/a/{b\"");
    CHECK("{\"type\":\"string\",\"not\":{\"format\":\"ipv4\"}}", "\"x\"", "!\"1.2.3.4\"");
    CANT("{\"format\":\"colour\"}", "schema #: 'format': is not a known one");
    CANT("{\"not\":{\"format\":\"uri\"}}",
         "schema #/not: 'format': cannot be enforced under 'not'");
}

static void test_values(void **state)
{
    (void)state;
    CHECK("{\"const\":\"a\\\"\\n\xc3\xa9\"}", "\"a\\\"\\n\xc3\xa9\"", "!\"a\\\"\\n\\u00e9\"");
    CHECK("{\"enum\":[1,1.5,\"x\",null,true,[1,2],{\"a\":{}}]}", "1", "1.5", "\"x\"", "null",
          "true", "[1,2]", "{\"a\":{}}", "!false", "!2", "![1]", "![1,2,3]", "!{}",
          "!{\"a\":{},\"b\":1}");
    CHECK("{\"enum\":[1,5,9,\"a\",\"abc\"],\"minimum\":4,\"maxLength\":2}", "5", "9", "\"a\"", "!1",
          "!\"abc\"");
    CHECK("{\"enum\":[\"a\",\"b\",\"c\"],\"not\":{\"const\":\"b\"}}", "\"a\"", "!\"b\"", "\"c\"");
    CHECK("{\"allOf\":[{\"enum\":[1,2,3]},{\"enum\":[2.0,3,4]}]}", "3", "2", "!1", "!4");
    CHECK("{\"enum\":[\"ab\",\"b\",1],\"pattern\":\"^a\"}", "\"ab\"", "1", "!\"b\"");
    CHECK("{\"not\":{\"const\":{\"a\":1}},\"type\":\"object\"}", "{}", "{\"a\":2}",
          "{\"a\":1,\"b\":0}", "!{\"a\":1}");
    CHECK("{\"not\":{\"const\":[1,2]},\"type\":\"array\"}", "[]", "[1]", "[2,2]", "[1,2,3]",
          "![1,2]");
    BAD("{\"enum\":[]}", "schema #: no value is valid");
    BAD("{\"enum\":3}", "schema #: 'enum': must be an array");
    BAD("{\"properties\":{\"a/b\":{\"type\":\"int\"}}}",
        "schema #/properties/a~1b: 'type': must name JSON's types");
}

/* ---- arrays ---------------------------------------------------------------------------------- */

static void test_arrays(void **state)
{
    (void)state;
    CHECK("{\"type\":\"array\",\"items\":{\"type\":\"integer\"},\"minItems\":1,\"maxItems\":3}",
          "[1]", "[1,2,3]", "![]", "![1,2,3,4]", "![\"a\"]");
    CHECK("{\"type\":\"array\",\"prefixItems\":[{\"type\":\"integer\"},{\"type\":\"string\"}],"
          "\"items\":false}",
          "[]", "[1]", "[1,\"a\"]", "![\"a\"]", "![1,\"a\",2]");
    CHECK("{\"type\":\"array\",\"items\":[{\"const\":1}],\"additionalItems\":{\"const\":2}}",
          "[1,2,2]", "[]", "![2]", "![1,1]");
    CHECK("{\"type\":\"array\",\"contains\":{\"const\":1}}", "[1]", "[0,1,2]", "![]", "![0]");
    CHECK("{\"type\":\"array\",\"items\":{\"type\":\"integer\"},\"contains\":{\"minimum\":5},"
          "\"minContains\":2,\"maxContains\":3,\"maxItems\":4}",
          "[5,6]", "[1,5,1,9]", "[5,5,5,1]", "![5]", "![5,5,5,5]", "![1,1,1]", "![5,1,1,1,5]");
    CHECK("{\"type\":\"array\",\"not\":{\"contains\":{\"const\":1}}}", "[]", "[2,3]", "![1]",
          "![2,1]");
    CHECK("{\"type\":\"array\",\"items\":{\"enum\":[1,\"a\",null]},\"uniqueItems\":true,"
          "\"minItems\":2}",
          "[1,null]", "[\"a\",1,null]", "![1,1]", "![1]", "![1,\"a\",null,1]");
    CHECK("{\"type\":\"array\",\"maxItems\":1,\"uniqueItems\":true}", "[]", "[{}]", "![1,2]");
    CHECK("{\"type\":\"array\",\"items\":false}", "[]", "![1]");
    CHECK("{\"type\":\"array\",\"prefixItems\":[true],\"unevaluatedItems\":{\"type\":\"null\"}}",
          "[1,null]", "[]", "![1,2]");
    BAD("{\"type\":\"array\",\"items\":{\"enum\":[1,1.0]},\"uniqueItems\":true,\"minItems\":2}",
        "schema #: no value is valid");
    CANT("{\"properties\":{\"a\":{\"items\":{\"type\":\"string\"},\"uniqueItems\":true}}}",
         "schema #/properties/a: 'uniqueItems': can be enforced only for items of a few values");
}

/* ---- objects --------------------------------------------------------------------------------- */

#define AB                                                                                         \
    "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":"           \
    "\"string\"}}"

static void test_objects(void **state)
{
    (void)state;
    CHECK(AB "}", "{}", "{\"a\":1}", "{\"b\":\"x\"}", "{\"a\":1,\"b\":\"x\"}",
          "{\"a\":1,\"c\":null}", "!{\"b\":\"x\",\"a\":1}", "!{\"a\":\"x\"}", "!{\"a\":1,\"a\":2}",
          "!{\"c\":1,\"a\":\"x\"}", "!{\"\\u0061\":\"x\"}");
    CHECK(AB ",\"required\":[\"b\",\"z\"],\"additionalProperties\":false,\"patternProperties\":"
             "{\"^z\":{\"type\":\"null\"}}}",
          "{\"b\":\"\",\"z\":null}", "{\"a\":1,\"b\":\"\",\"z\":null,\"zz\":null}", "!{\"b\":\"\"}",
          "!{\"z\":null}", "!{\"b\":\"\",\"z\":1}", "!{\"b\":\"\",\"z\":null,\"y\":null}");
    CHECK(AB ",\"additionalProperties\":{\"type\":\"boolean\"}}", "{\"x\":true}",
          "{\"b\":\"\",\"x\":true,\"y\":false}", "!{\"x\":1}");
    CHECK("{\"type\":\"object\",\"required\":[\"q\"]}", "{\"q\":1}", "{\"q\":1,\"r\":2}", "!{}");
    CHECK(AB ",\"minProperties\":1,\"maxProperties\":2}", "{\"a\":1}", "{\"a\":1,\"x\":1}", "!{}",
          "!{\"a\":1,\"b\":\"\",\"c\":1}");
    CHECK("{\"type\":\"object\",\"propertyNames\":{\"pattern\":\"^[a-c]$\"}}", "{\"a\":1}", "{}",
          "!{\"d\":1}");
    CHECK("{\"type\":\"object\",\"propertyNames\":{\"enum\":[\"x\",\"y\"]},\"minProperties\":2}",
          "{\"x\":1,\"y\":2}", "!{\"x\":1,\"x\":2}", "!{\"x\":1}");
    CHECK("{\"type\":\"object\",\"patternProperties\":{\"a\":{\"type\":\"integer\"},\"b\":"
          "{\"minimum\":5}}}",
          "{\"a\":1}", "{\"b\":\"x\"}", "{\"ab\":5}", "!{\"ab\":4}", "!{\"ab\":\"x\"}",
          "{\"c\":null}");
    CHECK("{\"properties\":{\"foo\":{\"not\":{}}}}", "{\"bar\":1}", "!{\"foo\":1}", "[]");
    CHECK("{\"type\":\"object\",\"properties\":{\"\xc3\xa9\\\"\":{\"const\":1}},\"required\":"
          "[\"\xc3\xa9\\\"\"],\"additionalProperties\":false}",
          "{\"\xc3\xa9\\\"\":1}", "!{\"\\u00e9\\\"\":1}");
    BAD(AB ",\"required\":[\"c\"],\"additionalProperties\":false}", "schema #: no value is valid");
    BAD("{\"required\":[1]}", "schema #: 'required': must be an array of names");
    BAD("{\"properties\":[]}", "schema #: 'properties': must be an object");
}

static void test_order(void **state)
{
    (void)state;
    options.any_order = true;
    CHECK(AB ",\"required\":[\"a\"]}", "{\"b\":\"\",\"a\":1}",
          "{\"x\":1,\"a\":1,\"y\":2,\"b\":\"\"}", "!{\"b\":\"\"}", "!{\"a\":1,\"b\":\"\",\"a\":1}");
    CHECK("{\"const\":{\"a\":1,\"b\":2}}", "{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", "!{\"b\":2}");
    options.any_order = false;
    CHECK("{\"const\":{\"b\":1,\"a\":2}}", "{\"b\":1,\"a\":2}", "!{\"a\":2,\"b\":1}");
    CHECK("{\"required\":[\"z\",\"a\"],\"properties\":{\"a\":{\"const\":1},\"z\":{\"const\":2}}}",
          "{\"a\":1,\"z\":2}", "!{\"z\":2,\"a\":1}");
}

static void test_space(void **state)
{
    (void)state;
    options.compact = false;
    CHECK(AB "}", "{\"a\":1}", "{ \"a\" : 1 , \"b\" : \"\" }", "{\n  \"a\": 1,\n\t\"b\":\"\"\n}",
          "{ }", "{\n}", "{\n                    }", "!{\n                     }", "!{  }", "!{\t}",
          "! {}", "!{} ", "!{\n\n}");
    CHECK("{\"type\":\"array\",\"items\":{\"const\":1}}", "[ 1 , 1 ]", "[\n1,\n1\n]", "[]", "[ ]",
          "![  1]");
    CHECK("{\"const\":{\"a\":[1,2]}}", "{\"a\": [1, 2]}", "{ \"a\":[ 1,2 ] }");
}

/* ---- combining ------------------------------------------------------------------------------- */

static void test_logic(void **state)
{
    (void)state;
    CHECK("{\"anyOf\":[{\"type\":\"integer\"},{\"type\":\"string\",\"maxLength\":1}]}", "1",
          "\"a\"", "!\"ab\"", "!null");
    CHECK("{\"type\":\"integer\",\"anyOf\":[{\"minimum\":10},{\"maximum\":0}]}", "10", "-1", "!5");
    CHECK("{\"allOf\":[{\"type\":\"integer\"},{\"minimum\":3}],\"maximum\":4}", "3", "4", "!2",
          "!5");
    CHECK("{\"type\":\"integer\",\"oneOf\":[{\"minimum\":2},{\"maximum\":5}]}", "1", "6", "!2",
          "!4");
    CHECK(
        "{\"oneOf\":[{\"type\":\"object\",\"properties\":{\"t\":{\"const\":\"a\"},\"x\":{\"type\":"
        "\"integer\"}},\"required\":[\"t\"]},{\"type\":\"object\",\"properties\":{\"t\":{\"const\":"
        "\"b\"}},\"required\":[\"t\"]}]}",
        "{\"t\":\"a\",\"x\":1}", "{\"t\":\"b\",\"x\":\"y\"}", "!{\"t\":\"a\",\"x\":\"y\"}", "!{}",
        "!{\"t\":\"c\"}");
    CHECK("{\"type\":\"object\",\"oneOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\"]}]}",
          "{\"a\":1}", "{\"b\":1}", "!{}", "!{\"a\":1,\"b\":1}");
    CHECK("{\"not\":{\"type\":[\"string\",\"number\"]}}", "null", "[]", "!1", "!\"a\"");
    CHECK("{\"type\":\"object\",\"not\":{\"required\":[\"a\"]}}", "{}", "{\"b\":1}", "!{\"a\":1}");
    CHECK("{\"type\":\"object\",\"not\":{\"properties\":{\"a\":{\"type\":\"integer\"}}}}",
          "{\"a\":null}", "!{}", "!{\"a\":1}");
    CHECK("{\"type\":\"object\",\"not\":{\"additionalProperties\":{\"type\":\"integer\"}}}",
          "{\"a\":null}", "{\"a\":1,\"b\":null}", "!{}", "!{\"a\":1}");
    CHECK("{\"type\":\"object\",\"if\":{\"properties\":{\"k\":{\"const\":1}},\"required\":[\"k\"]},"
          "\"then\":{\"required\":[\"x\"]},\"else\":{\"required\":[\"y\"]}}",
          "{\"k\":1,\"x\":0}", "{\"k\":2,\"y\":0}", "{\"y\":0}", "!{\"k\":1,\"y\":0}",
          "!{\"x\":0}");
    CHECK("{\"type\":\"object\",\"dependentRequired\":{\"a\":[\"b\"]}}", "{}", "{\"b\":1}",
          "{\"a\":1,\"b\":1}", "!{\"a\":1}");
    CHECK(
        "{\"type\":\"object\",\"dependencies\":{\"a\":{\"properties\":{\"b\":{\"const\":1}}},\"c\":"
        "[\"d\"]}}",
        "{}", "{\"a\":1,\"b\":1}", "{\"b\":2}", "{\"c\":1,\"d\":1}", "!{\"a\":1,\"b\":2}",
        "!{\"c\":1}");
    CHECK("{\"type\":\"object\",\"allOf\":[{\"properties\":{\"a\":{\"type\":\"integer\"}}}],"
          "\"properties\":{\"b\":true},\"unevaluatedProperties\":false}",
          "{\"b\":1,\"a\":1}", "!{\"c\":1}");
    BAD("{\"allOf\":[{\"type\":\"integer\"},{\"type\":\"string\"}]}",
        "schema #: no value is valid");
    CHECK(
        "{\"type\":\"object\",\"not\":{\"properties\":{\"a\":true},\"anyOf\":[true,{\"properties\":"
        "{\"b\":true}}],\"unevaluatedProperties\":false}}",
        "{\"c\":1}", "{\"a\":1,\"c\":1}", "!{\"a\":1}", "!{\"a\":1,\"b\":1}", "!{}");
    BAD("{\"anyOf\":[]}", "schema #: 'anyOf': must be an array of schemas, not an empty one");
    BAD("{\"allOf\":[{\"items\":3}]}",
        "schema #/allOf/0: 'items': must be a schema: an object, true or false");
}

static void test_refs(void **state)
{
    (void)state;
    CHECK("{\"$ref\":\"#/$defs/a~1b%25\",\"$defs\":{\"a/b%\":{\"type\":\"integer\"}}}", "1",
          "!\"\"");
    CHECK("{\"$ref\":\"#n\",\"definitions\":{\"x\":{\"$anchor\":\"n\",\"type\":\"null\"}}}", "null",
          "!1");
    CHECK("{\"type\":\"object\",\"properties\":{\"v\":{\"type\":\"integer\"},\"next\":{\"$ref\":\"#"
          "\"}},"
          "\"additionalProperties\":false}",
          "{}", "{\"v\":1,\"next\":{\"next\":{\"v\":2}}}", "!{\"next\":{\"x\":1}}");
    CHECK(
        "{\"$ref\":\"#/$defs/list\",\"$defs\":{\"list\":{\"anyOf\":[{\"type\":\"null\"},{\"type\":"
        "\"array\",\"items\":{\"$ref\":\"#/$defs/list\"}}]}}}",
        "null", "[[null,[]],null]", "!1", "![1]");
    CHECK("{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":\"#/$defs/"
          "n\",\"maximum\":3}},\"$defs\":"
          "{\"n\":{\"type\":\"integer\",\"minimum\":2}}}",
          "{\"a\":2}", "!{\"a\":1}", "!{\"a\":4}");
    /* The endless one cannot be, so it is left out where it may be. */
    CHECK(
        "{\"type\":\"object\",\"properties\":{\"x\":{\"$ref\":\"#/$defs/e\"},\"y\":{\"const\":1}},"
        "\"additionalProperties\":false,\"$defs\":{\"e\":{\"type\":\"object\",\"properties\":{"
        "\"e\":"
        "{\"$ref\":\"#/$defs/e\"}},\"required\":[\"e\"]}}}",
        "{}", "{\"y\":1}", "!{\"x\":{}}");
    BAD("{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":\"#\"}},\"required\":[\"a\"]}",
        "schema #: no value is valid");
    BAD("{\"$ref\":\"#\"}", "schema #: refers to itself without end");
    BAD("{\"properties\":{\"a\":{\"$ref\":\"#/$defs/b\"}}}",
        "schema #/properties/a: '$ref': there is no #/$defs/b");
    CANT("{\"$ref\":\"http://example.com/x\"}",
         "schema #: '$ref': http://example.com/x is not among the documents given");
}

static void test_documents(void **state)
{
    (void)state;
    static const char A[] = "{\"$defs\":{\"n\":{\"$anchor\":\"num\",\"type\":\"number\"}},\"type\":"
                            "\"array\",\"items\":{\"$ref\":\"sub/b.json\"}}",
                      B[] = "{\"$ref\":\"../a.json#num\"}";
    const ingle_schema_document documents[] = {
        {"http://example.com/a.json", A, strlen(A)},
        {"http://example.com/sub/b.json", B, strlen(B)},
    };
    options.documents = documents;
    options.n_documents = 2;
    CHECK("{\"$ref\":\"http://example.com/a.json\"}", "[1,2.5]", "![\"\"]");
    CHECK("{\"$id\":\"http://example.com/c\",\"$ref\":\"sub/../a.json#/$defs/n\"}", "1", "!\"\"");
    static const ingle_schema_document broken = {"http://example.com/x", "{", 1};
    options.documents = &broken;
    options.n_documents = 1;
    BAD("true", "schema document http://example.com/x: byte 1: the name of a member, in quotes, "
                "should be here, not the end");
}

/* ---- what is refused, lenient ---------------------------------------------------------------- */

static char dropped[2000];

static void note(void *context, const char *path, const char *keyword, const char *why)
{
    size_t n = strlen(dropped);
    assert_ptr_equal(context, dropped);
    snprintf(dropped + n, sizeof dropped - n, "%s %s: %s\n", path, keyword, why);
}

static void test_lenient(void **state)
{
    (void)state;
    static const char SCHEMA[] =
        "{\"type\":\"object\",\"x-a\":1,\"tsType\":\"A\",\"properties\":{\"a\":{\"type\":"
        "\"string\","
        "\"format\":\"colour\"},\"b\":{\"type\":\"array\",\"uniqueItems\":true}}}";
    CANT("{\"tsType\":\"A\"}", "schema #: 'tsType': is not a known keyword");
    CANT("{\"properties\":{\"a\":{\"minimun\":3}}}",
         "schema #/properties/a: 'minimun': is not a known keyword");
    CHECK("{\"x-anything\":{},\"title\":\"t\",\"default\":1,\"$comment\":\"\",\"const\":1}", "1");
    CHECK("{\"const\":1,\"$defs\":{\"unused\":{\"minimun\":3}}}", "1");
    options.lenient = true;
    options.dropped = note;
    options.context = dropped;
    dropped[0] = 0;
    CHECK(SCHEMA, "{\"a\":\"x\",\"b\":[1,1]}", "!{\"a\":1}");
    assert_string_equal(dropped, "# tsType: is not a known keyword\n"
                                 "#/properties/a format: is not a known one\n"
                                 "#/properties/b uniqueItems: can be enforced only for items of a "
                                 "few values\n");
}

static void test_not_json(void **state)
{
    (void)state;
    BAD("{", "schema: byte 1: the name of a member, in quotes, should be here, not the end");
    BAD("3", "schema #: must be a schema: an object, true or false");
    BAD("false", "schema #: no value is valid");
    char *deep = malloc(6 * 10000 + 20);
    assert_non_null(deep);
    size_t n = 0;
    for (size_t i = 0; i < 10000; i++) n += (size_t)sprintf(deep + n, "{\"a\":");
    deep[n] = 0;
    ingle_automaton *a;
    ingle_error err;
    assert_int_equal(compile(deep, &a, &err), INGLE_EUNSUPPORTED);
    free(deep);
}

static void test_many(void **state)
{
    (void)state;
    enum { N = 20000 };
    char *schema = malloc(40 * N);
    size_t n = (size_t)sprintf(schema, "{\"enum\":[");
    for (int i = 0; i < N; i++)
        n += (size_t)sprintf(schema + n, "%s\"word %d\"", i ? "," : "", (i * 7919) % N);
    sprintf(schema + n, "],\"not\":{\"const\":\"word 7\"}}");
    CHECK(schema, "\"word 19999\"", "\"word 0\"", "!\"word 7\"", "!\"word 20000\"");
    n = (size_t)sprintf(schema, "{\"type\":\"object\",\"properties\":{");
    for (int i = 0; i < N / 20; i++)
        n += (size_t)sprintf(schema + n, "%s\"p%d\":{\"const\":%d}", i ? "," : "", i, i);
    sprintf(schema + n, "},\"additionalProperties\":false}");
    CHECK(schema, "{}", "{\"p5\":5,\"p999\":999}", "!{\"p5\":6}", "!{\"p6\":6,\"p5\":5}");
    options.any_order = true;
    CHECK(schema, "{\"p999\":999,\"p5\":5}", "!{\"p5\":5,\"p5\":5}");
    free(schema);
}

static void test_any(void **state)
{
    (void)state;
    for (int object = 0; object < 2; object++) {
        ingle_terms *t = ingle_terms_open(NULL);
        ingle_automaton *a;
        ingle_error err;
        ingle_term root = ingle_schema_any(t, NULL, object);
        assert_int_equal(ingle_terms_finish(t, &root, &err), INGLE_OK);
        assert_int_equal(ingle_automaton_open(&a, t, root, NULL, NULL, &err), INGLE_OK);
        assert_true(admits(a, "{\"a\": [1, {\"b\":null}]}"));
        assert_int_equal(admits(a, "[1]"), !object);
        ingle_automaton_close(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_types, reset),   cmocka_unit_test_setup(test_numbers, reset),
        cmocka_unit_test_setup(test_strings, reset), cmocka_unit_test_setup(test_formats, reset),
        cmocka_unit_test_setup(test_values, reset),  cmocka_unit_test_setup(test_arrays, reset),
        cmocka_unit_test_setup(test_objects, reset), cmocka_unit_test_setup(test_order, reset),
        cmocka_unit_test_setup(test_space, reset),   cmocka_unit_test_setup(test_logic, reset),
        cmocka_unit_test_setup(test_refs, reset),    cmocka_unit_test_setup(test_documents, reset),
        cmocka_unit_test_setup(test_lenient, reset), cmocka_unit_test_setup(test_not_json, reset),
        cmocka_unit_test_setup(test_many, reset),    cmocka_unit_test_setup(test_any, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
