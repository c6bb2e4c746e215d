/* test_record.c - tables of structs: schemas that compile, round trips, JSON that does not fit,
 * structs that cannot be written, faulty tables, and memory that ends. */
#include <ingle_record.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "must.h"
#include "wrap_alloc.h"

/* ---- tables ---------------------------------------------------------------------------------- */

typedef struct person {
    char name[41];
    double weight;
} person;

typedef enum animal { CAT, DOG } animal;

typedef struct pet {
    bool has_owner; /* at offset 0, as a flag may be */
    char name[64];
    int64_t age;
    animal kind;
    bool tame;
    person owner;
    size_t n_toys;
    char toys[4][32];
    size_t n_friends;
    person friends[2];
    size_t n_scores;
    int64_t scores[3];
    char code[9];
    int64_t legs; /* optional, without a flag */
    double ratio;
    char untold[8]; /* in no table */
} pet;

static const ingle_field person_fields[] = {
    {INGLE_FIELD(person, name, TEXT), .n_min = 1},
    {INGLE_FIELD(person, weight, NUMBER), .min = 0.5, .max = 300},
};
static const ingle_record person_record = INGLE_RECORD(person, person_fields);
static const char *const kinds[] = {"cat", "dog"};
static const ingle_field pet_fields[] = {
    {INGLE_FIELD(pet, name, TEXT), .description = "as it is \"called\""},
    {INGLE_FIELD(pet, age, INT), .min = 0, .max = 40},
    {INGLE_FIELD(pet, kind, CHOICE), INGLE_CHOICES(kinds)},
    {INGLE_FIELD(pet, tame, BOOL)},
    {INGLE_FIELD(pet, owner, RECORD), .record = &person_record, INGLE_OPTIONAL(pet, has_owner)},
    {INGLE_LIST(pet, toys, TEXT, n_toys), .n_min = 1},
    {INGLE_LIST(pet, friends, RECORD, n_friends), .record = &person_record},
    {INGLE_LIST(pet, scores, INT, n_scores)},
    {INGLE_FIELD(pet, code, TEXT), .ascii = true},
    {INGLE_FIELD(pet, legs, INT), .optional = true},
    {INGLE_FIELD(pet, ratio, NUMBER)},
};
static const ingle_record pet_record = INGLE_RECORD(pet, pet_fields);

static const pet tom = {.has_owner = true,
                        .name = "Tom \xc3\xa4\xf0\x9f\x90\x88 \"\\\n",
                        .age = 3,
                        .kind = DOG,
                        .owner = {"Ann/Lee~", 70.25},
                        .n_toys = 2,
                        .toys = {"ball", ""},
                        .n_friends = 1,
                        .friends = {{"B", 0.5}},
                        .n_scores = 2,
                        .scores = {INT64_MIN, INT64_MAX},
                        .code = "abcdefgh",
                        .legs = 4,
                        .ratio = -1.5e300};
static const char tom_json[] =
    "{\"name\":\"Tom \xc3\xa4\xf0\x9f\x90\x88 "
    "\\\"\\\\\\n\",\"age\":3,\"kind\":\"dog\",\"tame\":false,"
    "\"owner\":{\"name\":\"Ann/Lee~\",\"weight\":70.25},\"toys\":[\"ball\",\"\"],"
    "\"friends\":[{\"name\":\"B\",\"weight\":0.5}],"
    "\"scores\":[-9223372036854775808,9223372036854775807],\"code\":\"abcdefgh\",\"legs\":4,"
    "\"ratio\":-1.5e+300}";

static ingle_grammar *open_schema(const ingle_record *r)
{
    static char text[1 << 20];
    ingle_grammar *g = NULL;
    ingle_error err = {""};
    size_t len = 0;
    must(ingle_record_schema(r, text, sizeof text, &len, &err), &err);
    must(ingle_grammar_open_schema(&g, NULL, text, len, NULL, &err), &err);
    return g;
}

static bool admits(const ingle_grammar *g, const char *json, size_t len)
{
    ingle_grammar_state *s = NULL;
    size_t n_good = 0;
    bool may_end = false;
    must(ingle_grammar_state_open(&s, g, NULL), &(ingle_error){"state"});
    ingle_status st = ingle_grammar_state_text(s, json, len, &n_good, NULL);
    if (!st) ingle_grammar_state_ends(s, &may_end, NULL, NULL);
    ingle_grammar_state_close(&s);
    return !st && may_end;
}

/* ---- schemas --------------------------------------------------------------------------------- */

static void test_schema(void **state)
{
    (void)state;
    static const char expected[] =
        "{\"type\":\"object\",\"properties\":{"
        "\"name\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":10,\"pattern\":\"^[^\\\\u0000]"
        "*$\"},"
        "\"weight\":{\"type\":\"number\",\"minimum\":0.5,\"maximum\":300}},"
        "\"required\":[\"name\",\"weight\"],\"additionalProperties\":false}";
    char text[sizeof expected];
    size_t len = 0;
    ingle_error err = {""};
    must(ingle_record_schema(&person_record, text, sizeof expected - 1, &len, &err), &err);
    assert_int_equal(len, sizeof expected - 1);
    assert_memory_equal(text, expected, len);
    len = 0;
    assert_int_equal(ingle_record_schema(&person_record, text, 10, &len, &err), INGLE_ERANGE);
    assert_int_equal(len, sizeof expected - 1);
    assert_text(&err, "room for 10");
    assert_int_equal(ingle_record_schema(&person_record, NULL, 0, &len, &err), INGLE_ERANGE);
    assert_int_equal(ingle_record_schema(&person_record, text, 10, NULL, &err), INGLE_EINVAL);
    assert_int_equal(ingle_record_schema(&person_record, NULL, 10, &len, &err), INGLE_EINVAL);
    assert_int_equal(ingle_record_schema(NULL, text, 10, &len, &err), INGLE_EINVAL);
}

static void replace(char *text, const char *what, const char *by)
{
    char *at = strstr(text, what);
    assert_non_null(at);
    memmove(at + strlen(by), at + strlen(what), strlen(at + strlen(what)) + 1);
    memcpy(at, by, strlen(by));
}

/* Tom's JSON with a piece replaced. */
static const char *changed(const char *what, const char *by)
{
    static char text[2000];
    strcpy(text, tom_json);
    replace(text, what, by);
    return text;
}

/* What the schema admits can be decoded; what it does not admit, for another reason than that a
 * text is long, cannot. */
static void test_grammar(void **state)
{
    (void)state;
    static const struct {
        const char *what, *by;
        bool good;
    } cases[] = {
        {"", "", true},
        {",\"legs\":4", "", true},
        {"\"owner\":{\"name\":\"Ann/Lee~\",\"weight\":70.25},", "", true},
        {"\"age\":3", "\"age\":40", true},
        {"\"age\":3", "\"age\":41", false},
        {"\"age\":3", "\"age\":-1", false},
        {"dog", "cow", false},
        {"[\"ball\",\"\"]", "[\"1\",\"2\",\"3\",\"4\"]", true},
        {"[\"ball\",\"\"]", "[\"1\",\"2\",\"3\",\"4\",\"5\"]", false},
        {"[\"ball\",\"\"]", "[]", false},
        {"9223372036854775807", "9223372036854775808", false},
        {"-9223372036854775808", "-9223372036854775809", false},
        {"\"name\":\"B\"", "\"name\":\"\"", false},
        {"\"name\":\"B\"", "\"name\":\"\xf0\x9f\x90\x88\xf0\x9f\x90\x88\xf0\x9f\x90\x88\"", true},
        {"\"weight\":0.5", "\"weight\":0.49", false},
        {"-1.5e+300", "1.5e+9", true},
        {"-1.5e+300", "123456789", true},
        {"-1.5e+300", "1e999", false},
        {"-1.5e+300", "null", false},
        {"abcdefgh", "abcdefghi", false},
        {"abcdefgh", "\xc3\xa4", false},
        {"abcdefgh", "\\u0000", false},
        {"ball", "\\u0000", false},
        {"\"tame\":false", "\"tame\":0", false},
        {"\"tame\":false", "\"tame\":false,\"other\":1", false},
        {"\"tame\":false,", "", false},
    };
    ingle_grammar *g = open_schema(&pet_record);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *json = changed(cases[i].what, cases[i].by);
        pet p = {0};
        ingle_error err = {""};
        bool fits = !ingle_record_decode(&pet_record, json, strlen(json), &p, &err);
        if (fits != cases[i].good) fail_msg("%s: decode: %s", json, err.text);
        if (strstr(json, "e+300")) replace((char *)json, "-1.5e+300", "-15");
        if (admits(g, json, strlen(json)) != cases[i].good) fail_msg("%s: schema", json);
    }
    ingle_grammar_close(&g);
}

/* ---- round trips ----------------------------------------------------------------------------- */

static void check_trip(const pet *p, const char *json)
{
    char text[4096];
    size_t len = 0;
    ingle_error err = {""};
    pet q;
    memcpy(&q, p, sizeof q);
    q.age = 0, q.n_toys = 0, q.legs = 0, q.has_owner = !q.has_owner, q.ratio = 7;
    memset(q.name, 0, sizeof q.name);
    must(ingle_record_encode(&pet_record, p, text, sizeof text, &len, &err), &err);
    assert_int_equal(len, strlen(json));
    assert_memory_equal(text, json, len);
    must(ingle_record_decode(&pet_record, text, len, &q, &err), &err);
    assert_memory_equal(&q, p, sizeof q);
}

static void test_trips(void **state)
{
    (void)state;
    char json[2000];
    pet p;
    memcpy(&p, &tom, sizeof p);
    memcpy(p.untold, "as it is", sizeof p.untold);
    check_trip(&p, tom_json);
    p.has_owner = false;
    strcpy(json, changed("\"owner\":{\"name\":\"Ann/Lee~\",\"weight\":70.25},", ""));
    check_trip(&p, json);
    p.n_friends = p.n_scores = 0;
    replace(json, "{\"name\":\"B\",\"weight\":0.5}", "");
    replace(json, "-9223372036854775808,9223372036854775807", "");
    check_trip(&p, json);

    char small[8];
    size_t len = 0;
    ingle_error err = {""};
    assert_int_equal(ingle_record_encode(&pet_record, &p, small, 8, &len, &err), INGLE_ERANGE);
    assert_int_equal(len, strlen(json));
    assert_int_equal(ingle_record_encode(&pet_record, NULL, small, 8, &len, &err), INGLE_EINVAL);
    assert_int_equal(ingle_record_encode(&pet_record, &p, NULL, 8, &len, &err), INGLE_EINVAL);
    assert_int_equal(ingle_record_encode(&pet_record, &p, small, 8, NULL, &err), INGLE_EINVAL);
    assert_int_equal(ingle_record_encode(NULL, &p, small, 8, &len, &err), INGLE_EINVAL);
}

/* What is absent keeps the value that the struct had. */
static void test_defaults(void **state)
{
    (void)state;
    pet p = {.has_owner = true, .owner = {"before", 1}, .legs = 7};
    ingle_error err = {""};
    char json[2000];
    strcpy(json, changed(",\"legs\":4", ""));
    replace(json, "\"owner\":{\"name\":\"Ann/Lee~\",\"weight\":70.25},", "");
    must(ingle_record_decode(&pet_record, json, strlen(json), &p, &err), &err);
    assert_false(p.has_owner);
    assert_string_equal(p.owner.name, "before");
    assert_int_equal(p.legs, 7);
    assert_int_equal(p.age, 3);
}

/* In any order, with white space, escapes and whole numbers as others write them. */
static void test_other_spellings(void **state)
{
    (void)state;
    static const char json[] = " { \"weight\" : 1e2 ,\n\"n\\u0061me\":\"\\ud83d\\udc08\\t\" } ";
    person p = {"x", 0};
    ingle_error err = {""};
    must(ingle_record_decode(&person_record, json, strlen(json), &p, &err), &err);
    assert_string_equal(p.name, "\xf0\x9f\x90\x88\t");
    assert_true(p.weight == 100);
}

/* ---- JSON that does not fit ------------------------------------------------------------------ */

static void check_refused(const char *json, size_t len, const char *text)
{
    pet p, q;
    ingle_error err = {""};
    memset(&p, 0x5a, sizeof p);
    memcpy(&q, &p, sizeof q);
    ingle_status st = ingle_record_decode(&pet_record, json, len, &p, &err);
    if (st != INGLE_EFORMAT && st != INGLE_EUNSUPPORTED)
        fail_msg("%.60s: %s: %s", json, ingle_status_name(st), err.text);
    if (!strstr(err.text, text)) fail_msg("%s does not say %s", err.text, text);
    assert_memory_equal(&p, &q, sizeof p);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"\"age\":3", "\"age\":41", "/age: 41 should be 0 to 40"},
        {"\"age\":3", "\"age\":3.5", "/age: should be a whole number"},
        {"\"age\":3", "\"age\":1e400", "/age: should be a whole number"},
        {"\"age\":3", "\"age\":null", "/age: should be a whole number"},
        {"\"age\":3", "\"age\":3,\"age\":4", "the name 'age' is there twice"},
        {"\"age\":3", "\"age\":[[]]", "/age: should be a whole number"},
        {"\"age\":3,", "", "/age: is missing"},
        {"\"age\":3", "\"age\":3,\"a/b~\":4", "/a~1b~0: there is no such member"},
        {"\"age\":3", "\"age\":3,\"age\\u0000\":4", "there is no such member"},
        {"\"age\":3", "\"age\":3,\"\":4", "/: there is no such member"},
        {"dog", "dog\\u0000", "/kind: should be one of the choices"},
        {"\"dog\"", "1", "/kind: should be one of the choices"},
        {"\"tame\":false", "\"tame\":\"false\"", "/tame: should be true or false"},
        {"70.25", "301", "/owner/weight: 301 should be 0.5 to 300"},
        {"70.25", "\"70\"", "/owner/weight: should be a finite number"},
        {"\"weight\":70.25", "\"height\":70.25", "/owner/height: there is no such member"},
        {"{\"name\":\"Ann/Lee~\",\"weight\":70.25}", "[]", "/owner: should be an object"},
        {"\"ball\"", "\"01234567890123456789012345678901\"",
         "/toys/0: 32 bytes of text, room for 31"},
        {"\"\"]", "\"\\u0000\"]", "/toys/1: a text in C has no U+0000 in it"},
        {"\"\"]", "false]", "/toys/1: should be a string"},
        {"[\"ball\",\"\"]", "[1,2,3,4,5]", "/toys: 5 elements, should be 1 to 4"},
        {"[\"ball\",\"\"]", "{}", "/toys: should be an array"},
        {"\"name\":\"B\"", "\"name\":\"\"", "/friends/0/name: the text is too short"},
        {"abcdefgh", "\\u00e4", "/code: a character is not printable ASCII"},
        {"abcdefgh", "a\\n", "/code: a character is not printable ASCII"},
        {"-1.5e+300", "-1.5e+309", "/ratio: should be a finite number"},
        {"-1.5e+300", "-1.5e+3000000000000000000000", "/ratio: should be a finite number"},
        {"-1.5e+300", "0x10", "byte"},
        {"-1.5e+300", "NaN", "byte"},
        {"-1.5e+300}", "1", "byte"},
        {"-1.5e+300}", "1}}", "byte"},
        {"ball", "\xff", "not UTF-8"},
        {"ball", "\\ud800", "the first half of a character"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *json = changed(cases[i][0], cases[i][1]);
        check_refused(json, strlen(json), cases[i][2]);
    }
    check_refused("", 0, "byte 0");
    check_refused(NULL, 0, "byte 0");
    check_refused("[]", 2, "the value: should be an object");
    check_refused("7", 1, "the value: should be an object");
    check_refused("\"{}\"", 4, "the value: should be an object");
    check_refused("{}\0", 3, "byte 2");
    for (size_t n = 0; n + 1 < sizeof tom_json; n++) check_refused(tom_json, n, "byte");
}

static void test_deep(void **state)
{
    (void)state;
    enum { N = 1000000 };
    char *text = malloc(N);
    assert_non_null(text);
    memset(text, '[', N);
    check_refused(text, N, "arrays and objects in one another");
    memset(text, '7', N);
    memcpy(text, "{\"name\":\"\",\"age\":", 17);
    text[N - 1] = '}';
    check_refused(text, N, "/age: should be a whole number");
    memset(text, 'x', N);
    memcpy(text, "{\"", 2);
    memcpy(text + N - 4, "\":1}", 4);
    check_refused(text, N, "xxx: there is no such member");
    free(text);
}

/* Bytes changed at random: never more than a refusal, and nothing is written then. */
static void test_random(void **state)
{
    (void)state;
    uint64_t x = 1;
    char json[sizeof tom_json];
    for (size_t i = 0; i < 20000; i++) {
        pet p, before;
        memset(&p, 0x5a, sizeof p);
        memcpy(&before, &p, sizeof p);
        memcpy(json, tom_json, sizeof json);
        for (size_t k = 0; k < 1 + i % 3; k++) {
            x = x * 6364136223846793005u + 1442695040888963407u;
            size_t at = (x >> 40) % (sizeof json - 1);
            json[at] = i % 2 ? (char)(x >> 32) : tom_json[(x >> 20) % (sizeof json - 1)];
        }
        if (ingle_record_decode(&pet_record, json, sizeof json - 1, &p, NULL)) {
            assert_memory_equal(&p, &before, sizeof p);
        } else {
            char text[4096];
            size_t len;
            must(ingle_record_encode(&pet_record, &p, text, sizeof text, &len, NULL),
                 &(ingle_error){"encode"});
        }
    }
}

/* ---- structs that cannot be written ---------------------------------------------------------- */

static void check_unwritten(const pet *p, const char *text)
{
    char json[4096];
    size_t len = 77;
    ingle_error err = {""};
    assert_int_equal(ingle_record_encode(&pet_record, p, json, sizeof json, &len, &err),
                     INGLE_EINVAL);
    assert_text(&err, text);
    assert_int_equal(len, 77);
}

static void test_unwritten(void **state)
{
    (void)state;
#define UNWRITTEN(change, text)                                                                    \
    do {                                                                                           \
        pet p = tom;                                                                               \
        change;                                                                                    \
        check_unwritten(&p, text);                                                                 \
    } while (0)
    UNWRITTEN(memset(p.name, 'x', sizeof p.name), "/name: no NUL ends the text");
    UNWRITTEN(p.name[0] = '\xff', "/name: the text is not UTF-8");
    UNWRITTEN(p.age = 41, "/age: the number is not between");
    UNWRITTEN(p.age = -1, "/age: the number is not between");
    UNWRITTEN(p.kind = 2, "/kind: the number is not that of a choice");
    UNWRITTEN(p.kind = (animal)-1, "/kind: the number is not that of a choice");
    UNWRITTEN(p.owner.weight = NAN, "/owner/weight: the number is not finite");
    UNWRITTEN(p.owner.weight = 0, "/owner/weight: the number is not between");
    UNWRITTEN(p.owner.name[0] = 0, "/owner/name: the text is too short");
    UNWRITTEN(p.n_toys = 5, "/toys: more elements are counted");
    UNWRITTEN(p.n_toys = SIZE_MAX, "/toys: more elements are counted");
    UNWRITTEN(p.n_toys = 0, "/toys: the list is too short");
    UNWRITTEN(p.toys[1][0] = '\x80', "/toys/1: the text is not UTF-8");
    UNWRITTEN(p.friends[0].weight = INFINITY, "/friends/0/weight: the number is not finite");
    UNWRITTEN(p.code[0] = '\t', "/code: a character is not printable ASCII");
    UNWRITTEN(p.ratio = -INFINITY, "/ratio: the number is not finite");
#undef UNWRITTEN
}

/* ---- faulty tables --------------------------------------------------------------------------- */

static void check_table(const ingle_record *r, const char *text)
{
    static char memory[1 << 16], json[100];
    size_t len;
    ingle_error err[3] = {{""}, {""}, {""}};
    assert_int_equal(ingle_record_schema(r, json, sizeof json, &len, &err[0]), INGLE_EINVAL);
    assert_int_equal(ingle_record_encode(r, memory, json, sizeof json, &len, &err[1]),
                     INGLE_EINVAL);
    assert_int_equal(ingle_record_decode(r, "{}", 2, memory, &err[2]), INGLE_EINVAL);
    for (size_t i = 0; i < 3; i++) assert_text(&err[i], text);
}

static void check_fields(const ingle_field *f, size_t n, const char *text)
{
    ingle_record r = {f, n, sizeof(pet)};
    check_table(&r, text);
}
#define FAULTY(text, ...)  check_fields((const ingle_field[]){__VA_ARGS__}, 1, "field 'x': " text)
#define FIELD(KIND, bytes) .name = "x", .kind = INGLE_FIELD_##KIND, .size = (bytes)

static void test_tables(void **state)
{
    (void)state;
    const char *null[] = {"a", NULL}, *same[] = {"a", "b", "a"}, *broken[] = {"\xff"};
    const ingle_record other = {person_fields, 2, 7};
    const ingle_record none = {NULL, 1, sizeof(person)};
    check_table(NULL, "the record is NULL");
    check_table(&none, "the record has no 'fields'");
    check_fields((const ingle_field[]){{.kind = INGLE_FIELD_BOOL}}, 1, "field '0': 'name' is NULL");
    FAULTY("0 is no kind of field", {.name = "x"});
    FAULTY("99 is no kind of field", {.name = "x", .kind = (ingle_field_kind)99});
    FAULTY("8 bytes at 1000000 are not within", {FIELD(INT, 8), .offset = 1000000});
    FAULTY("8 bytes at 18446744073709551615 are not within", {FIELD(INT, 8), .offset = SIZE_MAX});
    FAULTY("18446744073709551615 bytes at 8", {FIELD(TEXT, SIZE_MAX), .offset = 8});
    FAULTY("of 4 bytes, but an int64_t has 8", {FIELD(INT, 4)});
    FAULTY("of 4 bytes, but a double has 8", {FIELD(NUMBER, 4)});
    FAULTY("of 4 bytes, but a bool has 1", {FIELD(BOOL, 4)});
    FAULTY("of 8 bytes, but an int has 4", {FIELD(CHOICE, 8), INGLE_CHOICES(kinds)});
    FAULTY("a text needs a byte for its NUL", {FIELD(TEXT, 0)});
    FAULTY("'n_min' is 3, but the schema allows 2", {FIELD(TEXT, 12), .n_min = 3});
    FAULTY("'min' and 'max' should be whole", {FIELD(INT, 8), .min = 0.5, .max = 3});
    FAULTY("'min' and 'max' should be whole", {FIELD(INT, 8), .max = 1e18});
    FAULTY("'min' and 'max' should be numbers", {FIELD(NUMBER, 8), .min = NAN});
    FAULTY("no number is between", {FIELD(NUMBER, 8), .min = 2, .max = 1});
    FAULTY("no number is between", {FIELD(INT, 8), .min = INFINITY, .max = INFINITY});
    FAULTY("'choices' should be at least one", {FIELD(CHOICE, 4), .n_choices = 1});
    FAULTY("'choices' should be at least one", {FIELD(CHOICE, 4), .choices = kinds});
    FAULTY("choice 1 is no UTF-8 text", {FIELD(CHOICE, 4), .choices = null, .n_choices = 2});
    FAULTY("choice 0 is no UTF-8 text", {FIELD(CHOICE, 4), .choices = broken, .n_choices = 1});
    FAULTY("choices 0 and 2 are the same", {FIELD(CHOICE, 4), .choices = same, .n_choices = 3});
    FAULTY("'record' is NULL", {FIELD(RECORD, 8)});
    FAULTY("of 8 bytes, but its record has 7", {FIELD(RECORD, 8), .record = &other});
    FAULTY("its record has no 'fields'", {FIELD(RECORD, sizeof(person)), .record = &none});
    FAULTY("lists of lists", {FIELD(LIST, 8), .of = INGLE_FIELD_LIST, .each = 8});
    FAULTY("0 is no kind", {FIELD(LIST, 8), .each = 8});
    FAULTY("elements of 0 bytes", {FIELD(LIST, 8), .of = INGLE_FIELD_INT});
    FAULTY("elements of 3 bytes", {FIELD(LIST, 8), .of = INGLE_FIELD_INT, .each = 3});
    FAULTY("of 4 bytes, but an int64_t", {FIELD(LIST, 8), .of = INGLE_FIELD_INT, .each = 4});
    FAULTY("'count' should be the offset",
           {FIELD(LIST, 8), .of = INGLE_FIELD_INT, .each = 8, .count = sizeof(pet) - 7});
    FAULTY("'n_min' is 2, but the array has 1",
           {FIELD(LIST, 8), .of = INGLE_FIELD_INT, .each = 8, .n_min = 2});
    FAULTY("'of' is for lists", {FIELD(INT, 8), .of = INGLE_FIELD_INT});
    FAULTY("'flagged' without 'optional'", {FIELD(INT, 8), .flagged = true});
    FAULTY("'flag' should be the offset",
           {FIELD(INT, 8), .optional = true, .flagged = true, .flag = sizeof(pet)});
    FAULTY("'description' is not UTF-8", {FIELD(INT, 8), .description = "\xc3"});
    check_fields((const ingle_field[]){{FIELD(INT, 8)}, {FIELD(INT, 8)}}, 2,
                 "field 'x': there are two of this name");
    check_fields((const ingle_field[]){{.name = "\xff", .kind = INGLE_FIELD_INT, .size = 8}}, 1,
                 "field '?': 'name' is not UTF-8");
}

/* The path of a field in records within records. */
static void test_inner_fault(void **state)
{
    (void)state;
    const ingle_field bad[] = {{.name = "c", .kind = INGLE_FIELD_INT, .size = 3}};
    const ingle_record inner = {bad, 1, 16};
    const ingle_field list[] = {{.name = "b",
                                 .kind = INGLE_FIELD_LIST,
                                 .of = INGLE_FIELD_RECORD,
                                 .size = 32,
                                 .each = 16,
                                 .record = &inner}};
    const ingle_record middle = {list, 1, 64};
    const ingle_field outer[] = {
        {.name = "a", .kind = INGLE_FIELD_RECORD, .size = 64, .record = &middle}};
    const ingle_record all = {outer, 1, 64};
    check_table(&all, "field 'a.b.c': of 3 bytes, but an int64_t has 8");
}

static void make_nest(ingle_record *r, ingle_field *f, size_t n, size_t width)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < width; k++)
            f[i * width + k] = (ingle_field){
                .name = k ? "b" : "a", .kind = INGLE_FIELD_RECORD, .size = 8, .record = &r[i + 1]};
        r[i] = (ingle_record){&f[i * width], width, 8};
    }
    r[n] = (ingle_record){NULL, 0, 8};
}

static void test_nested(void **state)
{
    (void)state;
    static ingle_record r[40];
    static ingle_field f[80];
    static char json[1000];
    char struct_[8] = "", text[20000];
    size_t len;
    ingle_error err = {""};
    make_nest(r, f, 31, 1);
    ingle_grammar *g = open_schema(r);
    must(ingle_record_encode(r, struct_, json, sizeof json, &len, &err), &err);
    assert_int_equal(len, 31 * 6 + 2);
    must(ingle_record_decode(r, json, len, struct_, &err), &err);
    assert_true(admits(g, json, len));
    ingle_grammar_close(&g);
    make_nest(r, f, 32, 1);
    check_table(r, "more than 32 records in one another");
    make_nest(r, f, 12, 2); /* 8,190 fields */
    assert_int_equal(ingle_record_schema(r, text, sizeof text, &len, &err), INGLE_ERANGE);
    make_nest(r, f, 13, 2);
    check_table(r, "more than 10000 fields in all");
    r[0] = (ingle_record){f, 1, 8}; /* one that contains itself */
    f[0].record = r;
    check_table(r, "more than 32 records in one another");
}

/* ---- memory ---------------------------------------------------------------------------------- */

typedef ingle_status call(char *text, size_t cap, pet *p, ingle_error *err);

static ingle_status do_schema(char *text, size_t cap, pet *p, ingle_error *err)
{
    size_t len;
    (void)p;
    return ingle_record_schema(&pet_record, text, cap, &len, err);
}

static ingle_status do_encode(char *text, size_t cap, pet *p, ingle_error *err)
{
    size_t len;
    (void)p;
    return ingle_record_encode(&pet_record, &tom, text, cap, &len, err);
}

static ingle_status do_decode(char *text, size_t cap, pet *p, ingle_error *err)
{
    (void)text, (void)cap;
    return ingle_record_decode(&pet_record, tom_json, sizeof tom_json - 1, p, err);
}

static void test_memory(void **state)
{
    (void)state;
    call *const calls[] = {do_schema, do_encode, do_decode};
    char text[4096];
    for (size_t i = 0; i < 3; i++)
        for (long n = 1;; n++) {
            pet p = {.age = 99};
            ingle_error err = {""};
            wrap_alloc_begin(n);
            ingle_status st = calls[i](text, sizeof text, &p, &err);
            bool reached = wrap_alloc_end();
            assert_int_equal(wrap_alloc_live(), 0);
            if (!reached) {
                must(st, &err);
                break;
            }
            assert_int_equal(st, INGLE_ENOMEM);
            assert_text(&err, "no memory");
            assert_int_equal(p.age, 99);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schema),
        cmocka_unit_test(test_grammar),
        cmocka_unit_test(test_trips),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_other_spellings),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_deep),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_unwritten),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_inner_fault),
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
