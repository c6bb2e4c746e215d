/* override.c - keys given by the caller in place of a file's, as "key=type:value". */
#include "gguf/head.h"
#include "gguf/override.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST = 4096 };

typedef struct parsed {
    size_t n_key;
    ingle_gguf_type type;
    uint8_t bytes[8]; /* of a scalar */
    const char *text; /* of a string */
} parsed;

/* Whether a number was read to the last byte of its text. */
static bool is_whole(const char *text, const char *end)
{
    return errno == 0 && end != text && *end == 0 && strchr("+-.0123456789", *text);
}

static bool parse_value(parsed *p, const char *type, size_t n_type, const char *text)
{
    const ingle_str kind = {type, n_type};
    char *end = NULL;
    errno = 0;
    if (ingle_str_is(kind, "int")) {
        long long v = strtoll(text, &end, 10);
        p->type = INGLE_GGUF_I64;
        for (int i = 0; i < 8; i++) p->bytes[i] = (uint8_t)((unsigned long long)v >> 8 * i);
        return is_whole(text, end);
    }
    if (ingle_str_is(kind, "float")) {
        double v = strtod(text, &end);
        uint64_t bits;
        memcpy(&bits, &v, sizeof bits);
        p->type = INGLE_GGUF_F64;
        for (int i = 0; i < 8; i++) p->bytes[i] = (uint8_t)(bits >> 8 * i);
        return is_whole(text, end) && isfinite(v);
    }
    if (ingle_str_is(kind, "bool")) {
        p->type = INGLE_GGUF_BOOL;
        p->bytes[0] = strcmp(text, "true") == 0;
        return p->bytes[0] || strcmp(text, "false") == 0;
    }
    p->type = INGLE_GGUF_STRING;
    p->text = text;
    return ingle_str_is(kind, "str");
}

static ingle_status parse(parsed *p, const char *given, ingle_error *err)
{
    const char *equals = given ? strchr(given, '=') : NULL;
    const char *colon = equals ? strchr(equals, ':') : NULL;
    *p = (parsed){0};
    bool plain = colon && strlen(given) <= LONGEST && equals > given;
    for (const char *c = given; plain && c < equals; c++) plain = *c > 0x20 && *c < 0x7f;
    if (!plain || !parse_value(p, equals + 1, (size_t)(colon - equals - 1), colon + 1))
        return ingle_fail(err, INGLE_EINVAL,
                          "override '%.100s': should be KEY=TYPE:VALUE, with the types int, float, "
                          "bool (true or false) and str",
                          given ? given : "(NULL)");
    p->n_key = (size_t)(equals - given);
    const ingle_str key = {given, p->n_key};
    if (ingle_str_is(key, "general.alignment") || !strncmp(given, "split.", 6))
        return ingle_fail(err, INGLE_EINVAL,
                          "override '%.100s': the key says where the tensors of the file are",
                          given);
    return INGLE_OK;
}

ingle_status ingle_gguf_override_check(const char *given, ingle_error *err)
{
    parsed p;
    return parse(&p, given, err);
}

/* One block: the entry of a string, the key, the value. */
static char *store(const char *given, const parsed *p, ingle_gguf_kv *kv)
{
    size_t n_text = p->text ? strlen(p->text) : 0;
    char *block =
        malloc(sizeof(ingle_str) + p->n_key + 1 + (p->text ? n_text : sizeof p->bytes) + 1);
    if (!block) return NULL;
    char *key = block + sizeof(ingle_str), *value = key + p->n_key + 1;
    memcpy(key, given, p->n_key);
    key[p->n_key] = 0;
    *kv = (ingle_gguf_kv){.key = key, .type = p->type, .item = p->type, .n = 1};
    if (p->text) {
        memcpy(value, p->text, n_text + 1);
        *(ingle_str *)(void *)block = (ingle_str){value, n_text};
        kv->strings = (const ingle_str *)(const void *)block;
    } else {
        memcpy(value, p->bytes, sizeof p->bytes);
        kv->data = (const uint8_t *)value;
    }
    return block;
}

/* Adds a key that is not there yet; false without memory. */
static bool add(ingle_gguf_head *head, const ingle_gguf_kv *kv, size_t n_key)
{
    ingle_gguf_kv *all = realloc(head->kv, (head->n_kv + 1) * sizeof *all);
    if (!all) return false;
    head->kv = all;
    uint64_t hash = ingle_map_hash(&head->keys, kv->key, n_key);
    if (!ingle_map_add(&head->keys, hash, (uint32_t)head->n_kv)) return false;
    head->kv[head->n_kv++] = *kv;
    return true;
}

ingle_status ingle_gguf_head_override(ingle_gguf_head *head, const char *given, char **block,
                                      ingle_error *err)
{
    parsed p;
    ingle_gguf_kv kv;
    *block = NULL;
    ingle_status st = parse(&p, given, err);
    if (st) return st;
    ingle_gguf_kv *there = ingle_gguf_head_find(head, given, p.n_key);
    if (there && there->type == INGLE_GGUF_ARRAY)
        return ingle_fail(err, INGLE_EINVAL, "override '%.100s': the key holds a list", given);
    if (!(*block = store(given, &p, &kv)) || (!there && !add(head, &kv, p.n_key))) {
        free(*block);
        *block = NULL;
        return ingle_fail(err, INGLE_ENOMEM, "no memory for an override");
    }
    if (there) *there = kv;
    return INGLE_OK;
}
