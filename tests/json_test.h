/* json_test.h - for tests: a whole JSON text into a tree. Trusts its input; exits the test on a
 * broken file. json *j = json_file(path);  json_num(json_get(j, "n_vocab"));  json_at(json_get(j,
 * "tokens"), 3) Numbers are double; strings are UTF-8 with their length (\u escapes decoded,
 * surrogate pairs joined). */
#ifndef INGLE_TESTS_JSON_TEST_H
#define INGLE_TESTS_JSON_TEST_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum json_kind {
    JSON_NULL,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
} json_kind;

typedef struct json {
    json_kind kind;
    double number; /* also 0/1 of a bool */
    char *str;     /* string */
    size_t len;    /* string bytes, array items, object members */
    struct json *item;
    char **key; /* object */
} json;

static inline void json_die(const char *what, const char *at)
{
    fprintf(stderr, "json_test: %s at '%.40s'\n", what, at);
    exit(1);
}

static inline const char *json_space(const char *p)
{
    while (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t') p++;
    return p;
}

static inline char *json_put_utf8(char *o, unsigned c)
{
    if (c < 0x80) return *o++ = (char)c, o;
    if (c < 0x800) return *o++ = (char)(0xc0 | c >> 6), *o++ = (char)(0x80 | (c & 63)), o;
    if (c < 0x10000) {
        *o++ = (char)(0xe0 | c >> 12);
    } else {
        *o++ = (char)(0xf0 | c >> 18);
        *o++ = (char)(0x80 | (c >> 12 & 63));
    }
    *o++ = (char)(0x80 | (c >> 6 & 63));
    *o++ = (char)(0x80 | (c & 63));
    return o;
}

static inline unsigned json_hex4(const char *p)
{
    char buf[5] = {p[0], p[1], p[2], p[3], 0};
    return (unsigned)strtoul(buf, NULL, 16);
}

static inline const char *json_string(const char *p, char **out, size_t *len)
{
    size_t n = 0;
    for (const char *q = p + 1; *q && *q != '"'; q++, n++)
        if (*q == '\\') q++;
    char *o = *out = malloc(4 * n + 8);
    for (p++; *p && *p != '"'; p++) {
        if (*p != '\\') {
            *o++ = *p;
            continue;
        }
        p++;
        const char *from = "bfnrt", *to = "\b\f\n\r\t", *e = strchr(from, *p);
        if (*p == 'u') {
            unsigned c = json_hex4(p + 1);
            p += 4;
            if (c >= 0xd800 && c < 0xdc00 && p[1] == '\\' && p[2] == 'u') {
                c = 0x10000 + ((c - 0xd800) << 10) + (json_hex4(p + 3) - 0xdc00);
                p += 6;
            }
            o = json_put_utf8(o, c);
        } else *o++ = e ? to[e - from] : *p;
    }
    if (*p != '"') json_die("open string", p);
    *len = (size_t)(o - *out);
    *o = 0;
    return p + 1;
}

static inline const char *json_value(const char *p, json *v)
{
    p = json_space(p);
    memset(v, 0, sizeof *v);
    if (*p == '"') {
        v->kind = JSON_STRING;
        return json_string(p, &v->str, &v->len);
    }
    if (*p == '[' || *p == '{') {
        bool object = *p == '{';
        size_t cap = 0;
        v->kind = object ? JSON_OBJECT : JSON_ARRAY;
        for (p = json_space(p + 1); *p != ']' && *p != '}'; p = json_space(p)) {
            if (v->len == cap) {
                cap = cap ? 2 * cap : 8;
                v->item = realloc(v->item, cap * sizeof *v->item);
                if (object) v->key = realloc(v->key, cap * sizeof *v->key);
            }
            if (object) {
                size_t n;
                p = json_space(json_string(json_space(p), &v->key[v->len], &n));
                if (*p++ != ':') json_die("no colon", p);
            }
            p = json_space(json_value(p, &v->item[v->len++]));
            if (*p == ',') p++;
            else if (*p != ']' && *p != '}') json_die("no comma", p);
        }
        return p + 1;
    }
    if (!strncmp(p, "null", 4)) return p + 4;
    if (!strncmp(p, "true", 4) || !strncmp(p, "false", 5)) {
        v->kind = JSON_BOOL;
        v->number = *p == 't';
        return p + (*p == 't' ? 4 : 5);
    }
    char *end;
    v->kind = JSON_NUMBER;
    v->number = strtod(p, &end);
    if (end == p) json_die("not a value", p);
    return end;
}

static inline json *json_parse(const char *text)
{
    json *v = malloc(sizeof *v);
    json_value(text, v);
    return v;
}

/* NULL if the file is not there. *n, if given, is its size. */
static inline char *json_slurp(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    fseek(f, 0, SEEK_END);
    size_t size = (size_t)ftell(f);
    rewind(f);
    char *text = malloc(size + 1);
    if (fread(text, 1, size, f) != size) json_die("short read", path);
    text[size] = 0;
    fclose(f);
    if (n) *n = size;
    return text;
}

static inline json *json_file(const char *path)
{
    char *text = json_slurp(path, NULL);
    if (!text) return NULL;
    json *v = json_parse(text);
    free(text);
    return v;
}

static inline void json_clear(json *v)
{
    for (size_t i = 0; i < v->len && v->kind != JSON_STRING; i++) {
        json_clear(&v->item[i]);
        if (v->key) free(v->key[i]);
    }
    free(v->item);
    free(v->key);
    free(v->str);
}

static inline void json_free(json *v)
{
    if (v) json_clear(v), free(v);
}

static inline const json *json_get(const json *v, const char *key)
{
    for (size_t i = 0; v && v->kind == JSON_OBJECT && i < v->len; i++)
        if (!strcmp(v->key[i], key)) return &v->item[i];
    return NULL;
}

static inline const json *json_at(const json *v, size_t i)
{
    return &v->item[i];
}
static inline double json_num(const json *v)
{
    return v ? v->number : 0;
}
static inline const char *json_str(const json *v)
{
    return v && v->str ? v->str : "";
}

#endif
