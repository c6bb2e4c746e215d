/* fuzz_schema.c - any bytes as a JSON Schema: it is refused with a reason, or what its grammar
 * writes is JSON, and a text that was written is admitted.
 * Input: options in the first byte (bit 0 lenient, 1 any order, 2 compact), then the schema; after
 * a NUL, if there is one, a further document. */
#include "fuzz.h"
#include "base/json.h"
#include "grammar/automaton.h"
#include "grammar/schema.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_TEXT = 120 };

static void note(void *context, const char *path, const char *keyword, const char *why)
{
    (void)context;
    if (!*path || !keyword || !*why) abort();
}

/* Writes one text: at each byte one of those that may come, by the input's bytes. */
static void write_text(ingle_automaton *a, const uint8_t *data, size_t size)
{
    ingle_matcher *m = ingle_matcher_open(a);
    char text[MAX_TEXT];
    size_t n = 0;
    bool expected[256];
    while (m && n < MAX_TEXT && !ingle_matcher_may_end(m)) {
        unsigned at = size ? data[n % size] + (unsigned)n : 0;
        int choice = -1;
        size_t n_good;
        ingle_error err;
        ingle_matcher_expected(m, expected);
        for (unsigned i = 0; choice < 0 && i < 256; i++)
            if (expected[(at + i) % 256]) choice = (int)((at + i) % 256);
        if (choice < 0) break; /* too much work: the error is the matcher's */
        text[n] = (char)choice;
        if (ingle_matcher_text(m, &text[n], 1, &n_good, &err)) break;
        if (!n_good) abort();
        n++;
    }
    if (m && n < MAX_TEXT && ingle_matcher_may_end(m)) {
        ingle_json_doc doc;
        ingle_json_limits limits = {.max_depth = INGLE_JSON_MAX_DEPTH};
        if (ingle_json_open(&doc, text, n, &limits, NULL) == INGLE_EFORMAT) abort();
        ingle_json_close(&doc);
    }
    ingle_matcher_close(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size) return 0;
    const char *text = (const char *)data + 1, *nul = memchr(text, 0, size - 1);
    size_t n = nul ? (size_t)(nul - text) : size - 1;
    ingle_schema_document other = {"http://example.com/other", nul ? nul + 1 : "", 0};
    if (nul) other.len = size - 2 - n;
    ingle_schema_options opt = {.lenient = data[0] & 1,
                                .any_order = data[0] & 2,
                                .compact = data[0] & 4,
                                .documents = &other,
                                .n_documents = nul != NULL,
                                .dropped = note};
    ingle_term_limits limits = {.max_bytes = 8 << 20};
    ingle_terms *t = ingle_terms_open(&limits);
    ingle_automaton_limits work = {.max_work = 20000};
    ingle_automaton *a;
    ingle_term root;
    ingle_error err = {""};
    if (!t) return 0;
    ingle_status st = ingle_schema_compile(t, text, n, &opt, &root, &err);
    if (st && (!err.text[0] || root != INGLE_TERM_NONE)) abort();
    if (!st) st = ingle_terms_finish(t, &root, &err);
    if (st) {
        if (!err.text[0]) abort();
        ingle_terms_close(t);
        return 0;
    }
    if (!ingle_automaton_open(&a, t, root, NULL, &work, &err)) {
        write_text(a, data, size);
        ingle_automaton_close(a);
    }
    return 0;
}

size_t fuzz_seed(size_t i, uint8_t *data, size_t cap)
{
    static const char *const seeds[] = {
        "4{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\",\"minimum\":-3,"
        "\"maximum\":"
        "12},\"b\":{\"type\":[\"string\",\"null\"],\"maxLength\":5}},\"required\":[\"b\"],"
        "\"additionalProperties\":false}",
        "6{\"properties\":{\"x\":{\"$ref\":\"#/$defs/"
        "t\"}},\"$defs\":{\"t\":{\"anyOf\":[{\"enum\":[1,"
        "2.5,\"a\",{\"k\":[]}]},{\"type\":\"array\",\"items\":{\"$ref\":\"#\"},\"contains\":{"
        "\"const\":"
        "1},\"maxContains\":2}]}}}",
        "0{\"oneOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\"]},{\"multipleOf\":0.5}],\"not\":"
        "{\"type\":\"null\"}}",
        "1{\"if\":{\"properties\":{\"k\":{\"const\":1}}},\"then\":{\"minProperties\":2},\"else\":"
        "{\"patternProperties\":{\"^a\":{\"format\":\"date\"}},\"propertyNames\":{\"maxLength\":3}}"
        ","
        "\"dependentSchemas\":{\"k\":{\"unevaluatedProperties\":false}},\"foo\":1}",
        "7{\"type\":\"array\",\"prefixItems\":[{\"pattern\":\"^[a-z]+$\"}],\"items\":{\"enum\":[1,"
        "2,3]},"
        "\"uniqueItems\":true,\"unevaluatedItems\":{\"$dynamicRef\":\"#m\"},\"$defs\":{\"x\":"
        "{\"$dynamicAnchor\":\"m\",\"$id\":\"http://example.com/a\",\"$anchor\":\"n\"}}}",
        "4{\"type\":\"number\",\"exclusiveMinimum\":0.25,\"maximum\":17.5,\"multipleOf\":0.01,"
        "\"allOf\":"
        "[{\"not\":{\"const\":3}}]}",
    };
    if (i >= sizeof seeds / sizeof *seeds) return 0;
    size_t len = strlen(seeds[i]);
    if (len > cap) len = cap;
    memcpy(data, seeds[i], len);
    return len;
}
