/* grammar_hostile.h - grammars that cost other engines exponential time, all memory or the stack;
 * for tests/unit/test_grammar_hostile.c and bench/hostile.c. Each is written by a function or given
 * as it is, and says what becomes of it. */
#ifndef INGLE_TESTS_GRAMMAR_HOSTILE_H
#define INGLE_TESTS_GRAMMAR_HOSTILE_H

#include <ingle.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOSTILE_GBNF, HOSTILE_SCHEMA, HOSTILE_ANY_ORDER, HOSTILE_REGEX };

typedef struct hostile {
    const char *name;
    int kind;
    const char *grammar; /* NULL: made by `write` */
    void (*write)(FILE *f, int n, int m);
    int n, m;
    const char *refused; /* a part of the error's text; NULL: it is a grammar */
    /* A text: `begin`, then n_fill times `fill`. */
    const char *begin, *fill;
    int n_fill;
    bool limit; /* work for a token or memory may end on the way */
} hostile;

static inline void hostile_repeat(FILE *f, const char *text, int n)
{
    while (n-- > 0) fputs(text, f);
}

/* ---- GBNF ------------------------------------------------------------------------------------ */

static inline void hostile_parens(FILE *f, int n, int m)
{
    (void)m;
    fputs("root ::= ", f);
    hostile_repeat(f, "(", n);
    fputs("\"a\"", f);
    hostile_repeat(f, ")", n);
}

/* ((("a"*)*)*)* */
static inline void hostile_stars(FILE *f, int n, int m)
{
    (void)m;
    fputs("root ::= ", f);
    hostile_repeat(f, "(", n);
    fputs("\"a\"", f);
    hostile_repeat(f, "*)", n);
    fputs("* \"b\"?", f);
}

static inline void hostile_chain(FILE *f, int n, int m)
{
    (void)m;
    fputs("root ::= r0\n", f);
    for (int i = 0; i < n; i++) fprintf(f, "r%d ::= r%d\n", i, i + 1);
    fprintf(f, "r%d ::= \"a\"\n", n);
}

/* Each rule begins with the next one, the last with the first. */
static inline void hostile_circle(FILE *f, int n, int m)
{
    (void)m;
    fputs("root ::= r0\n", f);
    for (int i = 0; i < n; i++) fprintf(f, "r%d ::= r%d \"a\" | \"b\"\n", i, (i + 1) % n);
}

/* Each rule refers to all, after a byte of its own (m = 0), or first (m = 1). */
static inline void hostile_all(FILE *f, int n, int m)
{
    fputs("root ::= r0\n", f);
    for (int i = 0; i < n; i++) {
        fprintf(f, "r%d ::= \"b\"", i);
        if (!m) fprintf(f, " | \"a\" (r0");
        for (int k = !m; k < n; k++) fprintf(f, m ? "|r%d\"a\"" : "|r%d", k);
        fputs(m ? "\n" : ")\n", f);
    }
}

/* Every text is a state of its own: what comes is followed by its mirror image. */
static inline void hostile_mirror(FILE *f, int n, int m)
{
    (void)m;
    fputs("root ::= \"|\"", f);
    for (int i = 0; i < n; i++) fprintf(f, " | \"\\x%02x\" root \"\\x%02x\"", 33 + i, 33 + i);
}

/* n rules of alternatives that all begin alike. */
static inline void hostile_alike(FILE *f, int n, int m)
{
    (void)m;
    fputs("root ::= (", f);
    for (int i = 0; i < n; i++) fprintf(f, "%sr%d", i ? "|" : "", i);
    fputs(")*\n", f);
    for (int i = 0; i < n; i++) fprintf(f, "r%d ::= \"a\"{%d} | \"a\" r%d \"a\"\n", i, i + 1, i);
}

/* n rules, of m alternatives each, that begin with one another in turn. */
static inline void hostile_wide_circle(FILE *f, int n, int m)
{
    fputs("root ::= r0\n", f);
    for (int i = 0; i < n; i++) {
        fprintf(f, "r%d ::= \"b\"", i);
        for (int k = 0; k < m; k++) fprintf(f, " | r%d \"a%d\"", (i + k) % n, k);
        fputs("\n", f);
    }
}

/* "a"? n times, and "x0" or "x1" or ... */
static inline void hostile_maybes(FILE *f, int n, int m)
{
    (void)m;
    fputs("root ::= ", f);
    hostile_repeat(f, "\"a\"? ", n);
}

static inline void hostile_words(FILE *f, int n, int m)
{
    (void)m;
    fputs("root ::= (\"x\"", f);
    for (int i = 0; i < n; i++) fprintf(f, "|\"%x\"[a-f]", i);
    fputs(")*", f);
}

static inline void hostile_literal(FILE *f, int n, int m)
{
    (void)m;
    fputs("root ::= \"", f);
    hostile_repeat(f, "a", n);
    fputs("\"", f);
}

/* ---- JSON Schema ----------------------------------------------------------------------------- */

static inline void hostile_deep(FILE *f, int n, int m)
{
    (void)m;
    hostile_repeat(f, "{\"items\":", n);
    fputs("true", f);
    hostile_repeat(f, "}", n);
}

/* As deep, through references. */
static inline void hostile_deep_refs(FILE *f, int n, int m)
{
    (void)m;
    fputs("{\"$ref\":\"#/$defs/d0\",\"$defs\":{", f);
    for (int i = 0; i < n; i++) fprintf(f, "\"d%d\":{\"$ref\":\"#/$defs/d%d\"},", i, i + 1);
    fprintf(f, "\"d%d\":{\"type\":\"integer\"}}}", n);
}

static inline void hostile_enum(FILE *f, int n, int m)
{
    (void)m;
    fputs("{\"enum\":[", f);
    for (int i = 0; i < n; i++)
        fprintf(f, "%s\"%08x choice number %d\"", i ? "," : "", (unsigned)i * 2654435761u, i);
    fputs("]}", f);
}

static inline void hostile_properties(FILE *f, int n, int m)
{
    fputs("{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{", f);
    for (int i = 0; i < n; i++) fprintf(f, "%s\"p%d\":{\"type\":\"integer\"}", i ? "," : "", i);
    fputs("},\"required\":[", f);
    for (int i = 0; i < m; i++) fprintf(f, "%s\"p%d\"", i ? "," : "", i);
    fputs("]}", f);
}

/* Exactly one of n patterns, of which several match. */
static inline void hostile_one_of(FILE *f, int n, int m)
{
    (void)m;
    fputs("{\"type\":\"string\",\"oneOf\":[", f);
    for (int i = 0; i < n; i++) fprintf(f, "%s{\"pattern\":\"^a{%d,}b*c?$\"}", i ? "," : "", i);
    fputs("]}", f);
}

/* All of n patterns that count, each with a width of its own. */
static inline void hostile_counters(FILE *f, int n, int m)
{
    fputs("{\"type\":\"string\",\"allOf\":[", f);
    for (int i = 0; i < n; i++)
        fprintf(f, "%s{\"pattern\":\"^(.{0,%d}x)*.{0,%d}$\"}", i ? "," : "", m + i, m + i);
    fputs("]}", f);
}

/* All of n times any of m. */
static inline void hostile_all_any(FILE *f, int n, int m)
{
    fputs("{\"allOf\":[", f);
    for (int i = 0; i < n; i++) {
        fprintf(f, "%s{\"anyOf\":[", i ? "," : "");
        for (int k = 0; k < m; k++) fprintf(f, "%s{\"required\":[\"p%d_%d\"]}", k ? "," : "", i, k);
        fputs("]}", f);
    }
    fputs("]}", f);
}

/* n properties each of which requires the next one. */
static inline void hostile_dependent(FILE *f, int n, int m)
{
    (void)m;
    fputs("{\"type\":\"object\",\"properties\":{", f);
    for (int i = 0; i < n; i++) fprintf(f, "%s\"p%d\":{\"type\":\"null\"}", i ? "," : "", i);
    fputs("},\"additionalProperties\":false,\"dependentRequired\":{", f);
    for (int i = 0; i < n; i++) fprintf(f, "%s\"p%d\":[\"p%d\"]", i ? "," : "", i, (i * 7 + 3) % n);
    fputs("}}", f);
}

static inline void hostile_not(FILE *f, int n, int m)
{
    (void)m;
    hostile_repeat(f, "{\"not\":", n);
    fputs("{\"type\":\"object\",\"required\":[\"a\"]}", f);
    hostile_repeat(f, "}", n);
}

static inline void hostile_names(FILE *f, int n, int m)
{
    (void)m;
    fputs("{\"type\":\"object\",\"patternProperties\":{", f);
    for (int i = 0; i < n; i++) fprintf(f, "%s\"a.{%d}\":{\"minimum\":%d}", i ? "," : "", i, i);
    fputs("}}", f);
}

/* n times if, then, else, beside one another (m = 0) or in one another (m = 1). */
static inline void hostile_if(FILE *f, int n, int m)
{
    if (!m) fputs("{\"allOf\":[", f);
    for (int i = 0; i < n; i++) {
        fprintf(f, "%s{\"if\":{\"required\":[\"a%d\"]},\"then\":{\"required\":[\"b%d\"]},\"else\":",
                i && !m ? "," : "", i, i);
        if (!m) fprintf(f, "{\"required\":[\"c%d\"]}}", i);
    }
    fputs(m ? "true" : "]}", f);
    if (m) hostile_repeat(f, "}", n);
}

/* A value n deep. */
static inline void hostile_const(FILE *f, int n, int m)
{
    (void)m;
    fputs("{\"const\":", f);
    hostile_repeat(f, "[", n);
    hostile_repeat(f, "]", n);
    fputs("}", f);
}

/* n variants that share m properties. */
static inline void hostile_variants(FILE *f, int n, int m)
{
    fputs("{\"oneOf\":[", f);
    for (int i = 0; i < n; i++) {
        fprintf(f, "%s{\"type\":\"object\",\"properties\":{", i ? "," : "");
        for (int k = 0; k < m; k++)
            fprintf(f, "%s\"p%d\":{\"type\":\"string\",\"minLength\":%d}", k ? "," : "", k, i);
        fputs("}}", f);
    }
    fputs("]}", f);
}

/* Free members beside n that only some of n variants know. */
static inline void hostile_unevaluated(FILE *f, int n, int m)
{
    (void)m;
    fputs("{\"type\":\"object\",\"anyOf\":[", f);
    for (int i = 0; i < n; i++)
        fprintf(f, "%s{\"properties\":{\"p%d\":{\"type\":\"integer\"}}}", i ? "," : "", i);
    fputs("],\"unevaluatedProperties\":false}", f);
}

/* ---- patterns -------------------------------------------------------------------------------- */

static inline void hostile_looks(FILE *f, int n, int m)
{
    (void)m;
    fputs("^", f);
    for (int i = 0; i < n; i++) fprintf(f, "(?=.*%c)", 'a' + i % 26);
    fputs(".*$", f);
}

static inline void hostile_groups(FILE *f, int n, int m)
{
    (void)m;
    hostile_repeat(f, "(", n);
    fputs("a", f);
    hostile_repeat(f, "){0,9}", n);
}

static inline void hostile_pattern_parens(FILE *f, int n, int m)
{
    (void)m;
    hostile_repeat(f, "(", n);
    fputs("a", f);
    hostile_repeat(f, ")", n);
}

static inline void hostile_options(FILE *f, int n, int m)
{
    (void)m;
    hostile_repeat(f, "a?", n);
    hostile_repeat(f, "a", n);
}

/* Words one after the other, as alternatives. */
static inline void hostile_many_words(FILE *f, int n, int m)
{
    (void)m;
    fputs("^(", f);
    for (int i = 0; i < n; i++) fprintf(f, "%s%x.", i ? "|" : "", i * 7919);
    fputs(")*$", f);
}

/* A look ahead in a group that repeats, in one another. */
static inline void hostile_look_nest(FILE *f, int n, int m)
{
    hostile_repeat(f, "((?=.*a)", n);
    fputs("b", f);
    for (int i = 0; i < n; i++) fprintf(f, "){1,%d}", m);
}

static const hostile hostile_list[] = {
    {"parentheses 60,000", HOSTILE_GBNF, .write = hostile_parens, .n = 60000, .begin = "a"},
    {"(\"a\"*)*", HOSTILE_GBNF, "root ::= (\"a\"*)*", .fill = "a", .n_fill = 2000},
    {"((a*)*)*", HOSTILE_GBNF, "root ::= ((a*)*)*\na ::= \"a\"*", .fill = "a", .n_fill = 2000},
    {"stars 50", HOSTILE_GBNF, .write = hostile_stars, .n = 50, .fill = "a", .n_fill = 2000},
    {"stars 5,000", HOSTILE_GBNF, .write = hostile_stars, .n = 5000, .fill = "a", .n_fill = 2000},
    {"rule chain 5,000", HOSTILE_GBNF, .write = hostile_chain, .n = 5000, .begin = "a"},
    {"rule chain 50,000", HOSTILE_GBNF, .write = hostile_chain, .n = 50000, .begin = "a"},
    {"\"a\"{0,1000000}", HOSTILE_GBNF, "root ::= \"a\"{0,1000000}", .fill = "a", .n_fill = 2000},
    {"counts in counts", HOSTILE_GBNF, "root ::= (((\"a\"{1,1000}){1,1000}){1,1000}){1,1000}",
     .fill = "a", .n_fill = 2000, .limit = true, .refused = "counts beyond"},
    {"counts in counts of classes", HOSTILE_GBNF,
     "root ::= ((([a-z]{1,1000} [a-c]?){1,1000} [b-d]?){1,1000} .?){1,1000}", .fill = "ab",
     .n_fill = 1000, .limit = true},
    {"e{0,3} .? |", HOSTILE_GBNF, "root ::= e\ne ::= e{0,3} .? |\n", .fill = "x", .n_fill = 200,
     .limit = true},
    {"left recursion, 64 rules", HOSTILE_GBNF, .write = hostile_circle, .n = 64, .begin = "b",
     .fill = "a", .n_fill = 2000},
    {"left recursion, 2,000 rules", HOSTILE_GBNF, .write = hostile_circle, .n = 2000, .begin = "b",
     .fill = "a", .n_fill = 200, .limit = true, .refused = "at most 64 may"},
    {"S S", HOSTILE_GBNF, "root ::= s\ns ::= s s | s s s | \"a\"\n", .fill = "a", .n_fill = 2000,
     .limit = true},
    {"S S, or nothing", HOSTILE_GBNF, "root ::= s\ns ::= s s | s s s | \"a\" |\n", .fill = "a",
     .n_fill = 2000, .limit = true},
    {"a S S", HOSTILE_GBNF, "root ::= s\ns ::= \"a\" s s | \"a\" s s s | \"a\" |\n", .fill = "a",
     .n_fill = 2000, .limit = true},
    {"palindromes", HOSTILE_GBNF, "root ::= \"a\" root \"a\" | \"b\" root \"b\" | [ab]\n",
     .fill = "a", .n_fill = 500, .limit = true},
    {"mirror of 92 bytes", HOSTILE_GBNF, .write = hostile_mirror, .n = 90, .fill = "a!",
     .n_fill = 100, .limit = true},
    {"all rules in all, 100", HOSTILE_GBNF, .write = hostile_all, .n = 100, .fill = "a",
     .n_fill = 100},
    {"all rules in all, 1,000", HOSTILE_GBNF, .write = hostile_all, .n = 1000, .fill = "a",
     .n_fill = 20, .limit = true},
    {"all rules first in all, 30", HOSTILE_GBNF, .write = hostile_all, .n = 30, .m = 1,
     .begin = "b", .fill = "a", .n_fill = 100, .limit = true},
    {"all rules first in all, 800", HOSTILE_GBNF, .write = hostile_all, .n = 800, .m = 1,
     .begin = "b", .limit = true, .refused = "at most 64 may"},
    {"a circle of 64 rules with 200 alternatives", HOSTILE_GBNF, .write = hostile_wide_circle,
     .n = 64, .m = 200, .begin = "ba1a1", .limit = true},
    {"\"a\"? 300,000 times", HOSTILE_GBNF, .write = hostile_maybes, .n = 300000, .begin = "aaa",
     .limit = true},
    {"250,000 alternatives", HOSTILE_GBNF, .write = hostile_words, .n = 250000, .begin = "1fab",
     .limit = true},
    {"a literal of 8,000,000 bytes", HOSTILE_GBNF, .write = hostile_literal, .n = 8000000,
     .begin = "aaaa"},
    {"1,000 rules that begin alike", HOSTILE_GBNF, .write = hostile_alike, .n = 1000, .fill = "a",
     .n_fill = 200, .limit = true},

    {"schema 10,000 deep", HOSTILE_SCHEMA, .write = hostile_deep, .n = 10000,
     .refused = "arrays and objects in one another"},
    {"schema 100 deep", HOSTILE_SCHEMA, .write = hostile_deep, .n = 100, .fill = "[",
     .n_fill = 200},
    {"references 10,000 deep", HOSTILE_SCHEMA, .write = hostile_deep_refs, .n = 10000,
     .begin = "17"},
    {"enum of 100,000", HOSTILE_SCHEMA, .write = hostile_enum, .n = 100000,
     .begin = "\"00000000 choice number 0\""},
    {"$ref: #", HOSTILE_SCHEMA, "{\"$ref\":\"#\"}", .refused = "schema #"},
    {"allOf $ref: #", HOSTILE_SCHEMA, "{\"allOf\":[{\"$ref\":\"#\"}]}", .refused = "schema #"},
    {"anyOf $ref: #", HOSTILE_SCHEMA, "{\"anyOf\":[{\"$ref\":\"#\"},{\"$ref\":\"#\"}]}",
     .refused = "schema #"},
    {"anyOf $ref: # or integer", HOSTILE_SCHEMA,
     "{\"anyOf\":[{\"$ref\":\"#\"},{\"type\":\"integer\"}]}", .refused = "schema #"},
    {"not $ref: #", HOSTILE_SCHEMA, "{\"not\":{\"$ref\":\"#\"}}", .refused = "schema #"},
    {"$ref in a circle", HOSTILE_SCHEMA,
     "{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"allOf\":[{\"$ref\":\"#/$defs/b\"}]},"
     "\"b\":{\"oneOf\":[{\"$ref\":\"#/$defs/a\"},{\"type\":\"null\"}]}}}",
     .refused = "schema #"},
    {"300 properties in any order", HOSTILE_ANY_ORDER, .write = hostile_properties, .n = 300,
     .m = 100, .begin = "{\"p299\":1,\"p0\":2,\"p150\":3", .limit = true},
    {"3,000 properties in any order", HOSTILE_ANY_ORDER, .write = hostile_properties, .n = 3000,
     .m = 3000, .refused = "more than 1984 in any order"},
    {"3,000 optional properties", HOSTILE_SCHEMA, .write = hostile_properties, .n = 3000,
     .begin = "{\"p2999\":1}", .limit = true},
    {"oneOf of 64 patterns", HOSTILE_SCHEMA, .write = hostile_one_of, .n = 64, .limit = true,
     .begin = "\"b"},
    {"oneOf of 300 patterns", HOSTILE_SCHEMA, .write = hostile_one_of, .n = 300,
     .refused = "too hard to decide"},
    {"2 long counters", HOSTILE_SCHEMA, .write = hostile_counters, .n = 2, .m = 1000, .begin = "\"",
     .fill = "ax", .n_fill = 100, .limit = true},
    {"4 long counters", HOSTILE_SCHEMA, .write = hostile_counters, .n = 4, .m = 1000, .begin = "\"",
     .fill = "ax", .n_fill = 100, .limit = true},
    {"12 long counters", HOSTILE_SCHEMA, .write = hostile_counters, .n = 12, .m = 1000,
     .begin = "\"", .fill = "ax", .n_fill = 100, .limit = true},
    {"allOf of 12 anyOf", HOSTILE_SCHEMA, .write = hostile_all_any, .n = 12, .m = 4,
     .refused = "schema #"},
    {"100 dependentRequired", HOSTILE_SCHEMA, .write = hostile_dependent, .n = 100,
     .refused = "too large with all it combines"},
    {"not, 60 times", HOSTILE_SCHEMA, .write = hostile_not, .n = 60, .begin = "{\"a\":1}"},
    {"40 patternProperties", HOSTILE_SCHEMA, .write = hostile_names, .n = 40,
     .refused = "schema #"},
    {"counting 900 elements", HOSTILE_SCHEMA,
     "{\"type\":\"array\",\"contains\":{\"type\":\"null\"},\"minContains\":500,"
     "\"maxContains\":900}",
     .begin = "[null", .fill = ",null", .n_fill = 400},
    {"counting 900 of 100,000 elements", HOSTILE_SCHEMA,
     "{\"type\":\"array\",\"maxItems\":100000,\"contains\":{\"type\":\"null\"},"
     "\"minContains\":500,\"maxContains\":900}",
     .refused = "too many elements to count"},
    {"arrays of 100,000", HOSTILE_SCHEMA,
     "{\"type\":\"array\",\"minItems\":1000,\"maxItems\":100000,"
     "\"items\":{\"type\":[\"null\",\"boolean\"]}}",
     .begin = "[null", .fill = ",null", .n_fill = 400},
    {"uniqueItems of an enum", HOSTILE_SCHEMA,
     "{\"type\":\"array\",\"uniqueItems\":true,\"items\":{\"enum\":[1,2,3,4,5,6,7,8,9,10,11,12,13,"
     "14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30]}}",
     .begin = "[1,2", .limit = true},
    {"multipleOf with many rests", HOSTILE_SCHEMA,
     "{\"type\":\"integer\",\"allOf\":[{\"multipleOf\":9973},{\"multipleOf\":9967},"
     "{\"multipleOf\":9949}]}",
     .refused = "schema #"},

    {"30 times if, then, else", HOSTILE_SCHEMA, .write = hostile_if, .n = 30,
     .refused = "too many alternatives"},
    {"50 times if, then, else in one another", HOSTILE_SCHEMA, .write = hostile_if, .n = 50, .m = 1,
     .begin = "{}", .limit = true},
    {"a value 400 deep", HOSTILE_SCHEMA, .write = hostile_const, .n = 400, .begin = "[[[",
     .fill = "[", .n_fill = 397},
    {"oneOf of 60 variants alike", HOSTILE_SCHEMA, .write = hostile_variants, .n = 60, .m = 30,
     .begin = "{\"p0\":\"", .limit = true},
    {"unevaluatedProperties, 20 variants", HOSTILE_SCHEMA, .write = hostile_unevaluated, .n = 20,
     .refused = "beside unevaluated ones"},
    {"1,900 properties in any order", HOSTILE_ANY_ORDER, .write = hostile_properties, .n = 1900,
     .m = 1900, .begin = "{\"p1\":1,\"p0\":2,\"p1899\":3", .limit = true},

    {"(a+)+$", HOSTILE_REGEX, "^(a+)+$", .fill = "a", .n_fill = 2000},
    {"(a|a)*b", HOSTILE_REGEX, "^(a|a)*b$", .fill = "a", .n_fill = 2000},
    {"(a|aa)+", HOSTILE_REGEX, "^(a|aa)+$", .fill = "a", .n_fill = 2000},
    {"([a-z]+)*X", HOSTILE_REGEX, "^([a-z]+)*X$", .fill = "abc", .n_fill = 700},
    {"(.*.*.*.*.*)*x", HOSTILE_REGEX, "^(.*.*.*.*.*)*x$", .fill = "ab", .n_fill = 1000},
    {"((a{0,100}){0,100}b?){0,100}", HOSTILE_REGEX, "^((a{0,100}){0,100}b?){0,100}$", .fill = "aab",
     .n_fill = 30, .limit = true},
    {"(a{1,100}a{1,100}){1,100}", HOSTILE_REGEX, "^(a{1,100}a{1,100}){1,100}$", .fill = "a",
     .n_fill = 500, .limit = true},
    {"(.*a.{200})+", HOSTILE_REGEX, "^(.*a.{200})+$", .fill = "ababbaa", .n_fill = 100,
     .limit = true},
    {"a?{100}a{100}", HOSTILE_REGEX, .write = hostile_options, .n = 100, .fill = "a", .n_fill = 150,
     .limit = true},
    {"a?{2000}a{2000}", HOSTILE_REGEX, .write = hostile_options, .n = 2000, .fill = "a",
     .n_fill = 200, .limit = true},
    {"26 looks ahead", HOSTILE_REGEX, .write = hostile_looks, .n = 26, .fill = "abcdefghij",
     .n_fill = 20, .limit = true},
    {"parentheses 60,000 in a pattern", HOSTILE_REGEX, .write = hostile_pattern_parens, .n = 60000,
     .begin = "a"},
    {"groups 20,000 deep", HOSTILE_REGEX, .write = hostile_groups, .n = 20000, .refused = "column"},
    {"groups 200 deep", HOSTILE_REGEX, .write = hostile_groups, .n = 200, .fill = "a",
     .n_fill = 200, .limit = true, .refused = "counts beyond"},
    {"25,000 words", HOSTILE_REGEX, .write = hostile_many_words, .n = 25000, .fill = "1eef0",
     .n_fill = 20, .limit = true},
    {"looks ahead in one another", HOSTILE_REGEX, .write = hostile_look_nest, .n = 5, .m = 16,
     .refused = "more than 1000000 parts"},
    {"\\p{L} and \\p{N}", HOSTILE_REGEX,
     "^((\\p{L}\\p{N}?){0,1000}|(\\p{Lu}|\\p{Ll}\\p{M}*){9,999})*$", .fill = "aB", .n_fill = 200,
     .limit = true},
    {"no text is left out", HOSTILE_REGEX, "^(?!.*(a|b){1000}).*$", .fill = "ab", .n_fill = 400,
     .limit = true},
};
enum { N_HOSTILE = sizeof hostile_list / sizeof *hostile_list };

/* The grammar's text, the caller's. */
static inline char *hostile_text(const hostile *h, size_t *len)
{
    char *text = NULL;
    FILE *f = open_memstream(&text, len);
    if (!f) exit(1);
    if (h->grammar) fputs(h->grammar, f);
    else h->write(f, h->n, h->m);
    fclose(f);
    return text;
}

static inline ingle_status hostile_open(ingle_grammar **out, ingle_model *model, const hostile *h,
                                        const char *text, size_t len, ingle_error *err)
{
    ingle_grammar_options opt;
    ingle_grammar_options_init(&opt);
    opt.any_order = h->kind == HOSTILE_ANY_ORDER;
    opt.compact = true;
    switch (h->kind) {
    case HOSTILE_GBNF: return ingle_grammar_open_gbnf(out, model, text, len, &opt, err);
    case HOSTILE_REGEX: return ingle_grammar_open_regex(out, model, text, len, &opt, err);
    default: return ingle_grammar_open_schema(out, model, text, len, &opt, err);
    }
}

#endif
