/* json_test.h - for tests: JSON files, and short questions about what is in them (base/json.h).
 * Trusts its input; exits the test on a broken file.
 *     ingle_json_doc doc = json_file(path);
 *     json_num(json_get(doc.root, "n_vocab"));  json_at(json_get(doc.root, "tokens"), 3)
 *     ingle_json_close(&doc); */
#ifndef INGLE_TESTS_JSON_TEST_H
#define INGLE_TESTS_JSON_TEST_H

#include "base/json.h"

#include <stdio.h>

typedef ingle_json json;

static inline ingle_json_doc json_parse(const char *text, size_t n, const char *where)
{
    ingle_json_limits limits = {.max_bytes = UINT32_MAX, .max_values = SIZE_MAX};
    ingle_json_doc doc;
    ingle_error err;
    if (ingle_json_open(&doc, text, n, &limits, &err)) {
        fprintf(stderr, "json_test: %s: %s\n", where, err.text);
        exit(1);
    }
    return doc;
}

/* NULL if the file is not there. A NUL follows its bytes; *n, if given, is how many they are. */
static inline char *json_slurp(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    fseek(f, 0, SEEK_END);
    size_t size = (size_t)ftell(f);
    rewind(f);
    char *text = malloc(size + 1);
    if (!text || fread(text, 1, size, f) != size) {
        fprintf(stderr, "json_test: %s: short read\n", path);
        exit(1);
    }
    text[size] = 0;
    fclose(f);
    if (n) *n = size;
    return text;
}

/* Closed if the file is not there. */
static inline ingle_json_doc json_file(const char *path)
{
    size_t n;
    char *text = json_slurp(path, &n);
    if (!text) return (ingle_json_doc){0};
    ingle_json_doc doc = json_parse(text, n, path);
    free(text);
    return doc;
}

static inline const json *json_get(const json *v, const char *key)
{
    return ingle_json_get(v, key);
}
static inline const json *json_at(const json *v, size_t i)
{
    return ingle_json_at(v, i);
}

/* Of a bool 0 or 1; 0 of what is neither that nor a number. */
static inline double json_num(const json *v)
{
    double x = 0;
    bool b;
    if (ingle_json_bool(v, &b)) return b;
    ingle_json_f64(v, &x);
    return x;
}

/* "" of what is no string. */
static inline const char *json_str(const json *v)
{
    return ingle_json_is(v, INGLE_JSON_STRING) ? v->text : "";
}

#endif
