/* schema_set.c - see schema_set.h. All sets share one map, in which a value's key begins with the set
 * that it belongs to. */
#include "grammar/schema_set.h"

#include <stdio.h>

enum { NUMBER_KEY = 16, SMALL = 8 };

const ingle_json *ingle_schema_set_next(const ingle_json *set, ingle_json_walk *w, bool *first)
{
    if (set->kind != INGLE_JSON_ARRAY) {
        bool now = *first;
        *first = false;
        return now ? set : NULL;
    }
    if (*first) *w = ingle_json_items(set);
    *first = false;
    return ingle_json_step(w) ? w->value : NULL;
}

const schema_decimal *ingle_schema_number_of(schema *c, const ingle_json *number)
{
    ingle_status status;
    const schema_decimal *d = ingle_schema_decimal(&c->memory, number, &status);
    if (status == INGLE_ENOMEM) ingle_schema_no_memory(c);
    return d;
}

const char *ingle_schema_number_key(schema *c, const schema_decimal *number, size_t *n)
{
    char *key = ingle_schema_new(c, number->n + NUMBER_KEY, 1);
    if (!key) return NULL;
    *n = (size_t)snprintf(key, NUMBER_KEY, "%c%d,", number->negative ? '-' : '+', number->point);
    if (number->n) memcpy(key + *n, number->digits, number->n);
    *n += number->n;
    return key;
}

/* The key of a value in a set. */
static schema_key *key_of(schema *c, const ingle_json *set, const char *p, size_t n, uint32_t kind)
{
    bool made;
    char *key = ingle_schema_new(c, sizeof set + n, 1);
    if (!key) return NULL;
    memcpy(key, &set, sizeof set);
    if (n) memcpy(key + sizeof set, p, n);
    schema_key *k = ingle_schema_map_put(&c->sets, key, sizeof set + n, kind, &made);
    if (!k) ingle_schema_no_memory(c);
    return k;
}

static bool add(schema *c, const ingle_json *set, const ingle_json *v)
{
    const char *p = v->text;
    size_t n = v->len;
    if (v->kind == INGLE_JSON_NUMBER) {
        const schema_decimal *d = ingle_schema_number_of(c, v);
        p = d ? ingle_schema_number_key(c, d, &n) : NULL;
        if (!p) return !c->status; /* no double is so large */
    } else if (v->kind != INGLE_JSON_STRING) {
        return true;
    }
    schema_key *k = key_of(c, set, p, n, v->kind);
    if (k) k->value = 1;
    return k;
}

/* Puts the values of a set into the map, once. */
static bool index_set(schema *c, const ingle_json *set)
{
    ingle_json_walk w = {0};
    bool first = true;
    schema_key *mark = key_of(c, set, "", 0, INGLE_JSON_OBJECT);
    if (!mark) return false;
    if (mark->value) return true;
    mark->value = 1;
    if (!ingle_schema_work(c, 1 + ingle_schema_set_len(set) / SMALL)) return false;
    for (const ingle_json *v; (v = ingle_schema_set_next(set, &w, &first));)
        if (!add(c, set, v)) return false;
    return true;
}

static bool has(schema *c, const ingle_json *set, const char *p, size_t n, uint32_t kind)
{
    if (!index_set(c, set) || !ingle_schema_work(c, 1)) return false;
    schema_key *k = key_of(c, set, p, n, kind);
    return k && k->value;
}

bool ingle_schema_set_has_string(schema *c, const ingle_json *set, const ingle_json *string)
{
    if (set->kind != INGLE_JSON_ARRAY) return ingle_json_is_bytes(set, string->text, string->len);
    return has(c, set, string->text, string->len, INGLE_JSON_STRING);
}

bool ingle_schema_set_has_number(schema *c, const ingle_json *set, const schema_decimal *number)
{
    size_t n;
    const char *key = ingle_schema_number_key(c, number, &n);
    return key && has(c, set, key, n, INGLE_JSON_NUMBER);
}
