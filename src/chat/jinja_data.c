/* jinja_data.c - see jinja_data.h: lists and dicts. */
#include "chat/jinja_data.h"

#include "chat/jinja_number.h"
#include "chat/jinja_text.h"

#include "base/map.h"

/* ---- lists ----------------------------------------------------------------------------------- */

static bool reserve(jinja_render *r, void *array, uint32_t *cap, size_t n, size_t size)
{
    if (n <= *cap) return true;
    size_t want = *cap < 4 ? 4 : 2 * (size_t)*cap;
    if (want < n) want = n;
    if (want > UINT32_MAX / 2) return ingle_jinja_fail(r, INGLE_EUNSUPPORTED, "a list too long");
    void *p = ingle_jinja_new(&r->heap, want * size), *old;
    if (!p) return ingle_jinja_fail_memory(r);
    memcpy(&old, array, sizeof old);
    if (*cap) memcpy(p, old, *cap * size);
    memcpy(array, &p, sizeof p);
    *cap = (uint32_t)want;
    return ingle_jinja_burn(r, n / 4);
}

jinja_list *ingle_jinja_list_new(jinja_render *r, size_t n)
{
    jinja_list *l = ingle_jinja_new(&r->heap, sizeof *l);
    if (!l) {
        ingle_jinja_fail_memory(r);
        return NULL;
    }
    *l = (jinja_list){.made = true};
    return n && !reserve(r, &l->item, &l->cap, n, sizeof *l->item) ? NULL : l;
}

bool ingle_jinja_list_add(jinja_render *r, jinja_list *l, jinja_value v)
{
    if (l->n == l->cap && !reserve(r, &l->item, &l->cap, (size_t)l->n + 1, sizeof v)) return false;
    l->item[l->n++] = v;
    return ingle_jinja_burn(r, 1);
}

bool ingle_jinja_read_list(jinja_render *r, jinja_list *l)
{
    const ingle_json *json = l->json;
    if (!json) return true;
    l->json = NULL;
    if (!reserve(r, &l->item, &l->cap, json->len, sizeof *l->item)) return false;
    for (ingle_json_walk w = ingle_json_items(json); ingle_json_step(&w); l->n++) {
        if (!ingle_jinja_from_json(r, w.value, false, &l->item[l->n])) return false;
        if (l->messages && l->item[l->n].kind == JINJA_DICT)
            l->item[l->n].u.dict->message = l->n + 1;
    }
    return ingle_jinja_burn(r, json->len);
}

/* ---- dicts ----------------------------------------------------------------------------------- */

enum { FEW_PAIRS = 8 };

static uint64_t hash_key(const jinja_value *key)
{
    uint64_t h = 0x9e3779b97f4a7c15u;
    double d;
    switch (key->kind) {
    case JINJA_STR:
        for (size_t i = 0; i < key->u.str->n; i++)
            h = (h ^ (unsigned char)key->u.str->p[i]) * 0x100000001b3u;
        break;
    case JINJA_BOOL:
    case JINJA_INT:
    case JINJA_BIG:
    case JINJA_FLOAT: /* equal numbers are one key */
        d = ingle_jinja_as_double(key);
        if (d == 0) d = 0;
        memcpy(&h, &d, sizeof d);
        break;
    default: break;
    }
    return ingle_fold(h ^ 0x2545f4914f6cdd1du, 0xd6e8feb86659fd93u);
}

static bool grow_slots(jinja_render *r, jinja_dict *d)
{
    uint32_t n = d->slots ? (d->mask + 1) * 2 : 4 * FEW_PAIRS;
    while (n < 2 * d->n) n *= 2;
    uint32_t *slots = ingle_jinja_new(&r->heap, n * sizeof *slots);
    if (!slots) return ingle_jinja_fail_memory(r);
    memset(slots, 0, n * sizeof *slots);
    for (uint32_t i = 0; i < d->n; i++) {
        uint64_t h = hash_key(&d->pair[i].key), first = h;
        while (slots[h & (n - 1)]) h++;
        slots[h & (n - 1)] = i + 1;
        if (!ingle_jinja_burn(r, h - first)) return false; /* keys may be made to collide */
    }
    d->slots = slots;
    d->mask = n - 1;
    return ingle_jinja_burn(r, n);
}

jinja_dict *ingle_jinja_dict_new(jinja_render *r, size_t n)
{
    jinja_dict *d = ingle_jinja_new(&r->heap, sizeof *d);
    if (!d) {
        ingle_jinja_fail_memory(r);
        return NULL;
    }
    *d = (jinja_dict){0};
    return n && !reserve(r, &d->pair, &d->cap, n, sizeof *d->pair) ? NULL : d;
}

static bool is_key(jinja_render *r, const jinja_value *key)
{
    bool flat = key->kind != JINJA_LIST && key->kind != JINJA_DICT;
    for (uint32_t i = 0; key->kind == JINJA_TUPLE && i < key->u.list->n; i++)
        flat &= key->u.list->item[i].kind < JINJA_LIST;
    if (!flat) return JINJA_REFUSE(r, "unhashable type: '%s'", ingle_jinja_type_name(key));
    return true;
}

static bool same_keys(const jinja_value *a, const jinja_value *b)
{
    if (a->kind != JINJA_TUPLE || b->kind != JINJA_TUPLE) return ingle_jinja_same_scalars(a, b);
    bool same = a->u.list->n == b->u.list->n;
    for (uint32_t i = 0; same && i < a->u.list->n; i++)
        same = ingle_jinja_same_scalars(&a->u.list->item[i], &b->u.list->item[i]);
    return same;
}

static bool find(jinja_render *r, jinja_dict *d, const jinja_value *key, jinja_pair **out)
{
    *out = NULL;
    if (!is_key(r, key) || !ingle_jinja_read_dict(r, d)) return false;
    uint64_t h = d->slots ? hash_key(key) : 0;
    for (uint32_t i = 0;; i++, h++) {
        if (d->slots ? !d->slots[h & d->mask] : i == d->n) return true;
        jinja_pair *p = &d->pair[d->slots ? d->slots[h & d->mask] - 1 : i];
        bool same = same_keys(&p->key, key);
        if (!same && !ingle_jinja_burn(r, 1)) return false;
        if (!same) continue;
        *out = p;
        return true;
    }
}

bool ingle_jinja_dict_get(jinja_render *r, jinja_dict *d, const jinja_value *key, jinja_value **out)
{
    jinja_pair *p;
    if (!find(r, d, key, &p)) return false;
    *out = p ? &p->value : NULL;
    return true;
}

bool ingle_jinja_dict_find(jinja_render *r, jinja_dict *d, const char *p, size_t n,
                           jinja_value **out)
{
    jinja_str s = {p, (uint32_t)n, UINT32_MAX, 1, true, NULL};
    jinja_value key = ingle_jinja_of_str(&s);
    return ingle_jinja_dict_get(r, d, &key, out);
}

static bool add_pair(jinja_render *r, jinja_dict *d, const jinja_value *key,
                     const jinja_value *value)
{
    if (!reserve(r, &d->pair, &d->cap, (size_t)d->n + 1, sizeof *d->pair)) return false;
    d->pair[d->n++] = (jinja_pair){*key, *value};
    if (!ingle_jinja_burn(r, 1)) return false;
    if (d->slots ? 2 * d->n > d->mask + 1 : d->n > FEW_PAIRS) return grow_slots(r, d);
    if (!d->slots) return true;
    uint64_t h = hash_key(key);
    while (d->slots[h & d->mask]) h++;
    d->slots[h & d->mask] = d->n;
    return true;
}

bool ingle_jinja_dict_set(jinja_render *r, jinja_dict *d, const jinja_value *key,
                          const jinja_value *value)
{
    jinja_pair *p;
    if (!find(r, d, key, &p)) return false;
    if (!p) return add_pair(r, d, key, value);
    p->value = *value;
    return true;
}

bool ingle_jinja_read_dict(jinja_render *r, jinja_dict *d)
{
    const ingle_json *json = d->json;
    if (!json) return true;
    d->json = NULL;
    if (!reserve(r, &d->pair, &d->cap, json->len, sizeof *d->pair)) return false;
    for (ingle_json_walk w = ingle_json_items(json); ingle_json_step(&w);) {
        jinja_value key, value;
        if (!ingle_jinja_str_view(r, w.name->text, w.name->len, false, &key) ||
            !ingle_jinja_from_json(r, w.value, false, &value) ||
            !ingle_jinja_dict_set(r, d, &key, &value))
            return false;
    }
    return true;
}

/* ---- the caller's context -------------------------------------------------------------------- */

bool ingle_jinja_from_json(jinja_render *r, const ingle_json *json, bool messages, jinja_value *out)
{
    switch ((ingle_json_kind)json->kind) {
    case INGLE_JSON_NULL:
        *out = ingle_jinja_none();
        out->trusted = false;
        return true;
    case INGLE_JSON_BOOL: *out = ingle_jinja_bool(json->len == 4, false); return true;
    case INGLE_JSON_NUMBER:
        if (ingle_jinja_number_read(&r->heap, json->text, json->len, false, out)) return true;
        if (r->heap.full || json->len <= JINJA_MAX_DIGITS) return ingle_jinja_fail_memory(r);
        return ingle_jinja_fail(r, INGLE_EUNSUPPORTED, "a number of more than %d digits",
                                JINJA_MAX_DIGITS);
    case INGLE_JSON_STRING: return ingle_jinja_str_view(r, json->text, json->len, false, out);
    case INGLE_JSON_ARRAY: {
        jinja_list *l = ingle_jinja_list_new(r, 0);
        if (!l) return false;
        *l = (jinja_list){.json = json, .messages = messages};
        *out = ingle_jinja_of_list(JINJA_LIST, l, false);
        return true;
    }
    case INGLE_JSON_OBJECT: {
        jinja_dict *d = ingle_jinja_dict_new(r, 0);
        if (!d) return false;
        d->json = json;
        *out = (jinja_value){.kind = JINJA_DICT, .u.dict = d};
        return true;
    }
    }
    return false;
}

/* ---- going through --------------------------------------------------------------------------- */

static bool characters(jinja_render *r, const jinja_str *s, jinja_list *l)
{
    for (size_t i = 0, len; i < s->n; i += len) {
        jinja_value v;
        len = ingle_jinja_char_len(s->p + i, s->n - i);
        if (!ingle_jinja_str_part(r, s, i, i + len, &v) || !ingle_jinja_list_add(r, l, v))
            return false;
    }
    return true;
}

/* Of a dict: keys, values, or pairs. */
static bool pairs(jinja_render *r, jinja_dict *d, char what, jinja_list *l)
{
    if (!ingle_jinja_read_dict(r, d)) return false;
    for (uint32_t i = 0; i < d->n; i++) {
        jinja_value v = what == 'v' ? d->pair[i].value : d->pair[i].key;
        if (what == 'i') {
            jinja_list *pair = ingle_jinja_list_new(r, 2);
            if (!pair || !ingle_jinja_list_add(r, pair, d->pair[i].key) ||
                !ingle_jinja_list_add(r, pair, d->pair[i].value))
                return false;
            v = ingle_jinja_of_list(JINJA_TUPLE, pair, true);
        }
        if (!ingle_jinja_list_add(r, l, v)) return false;
    }
    return true;
}

bool ingle_jinja_can_iterate(const jinja_value *v)
{
    return v->kind == JINJA_UNDEFINED ||
           (v->kind >= JINJA_STR && v->kind <= JINJA_VIEW && v->kind != JINJA_SPACE);
}

/* What is left of a generator. */
static bool use_up(jinja_render *r, jinja_list *g, jinja_list **l)
{
    if (!g->next) {
        *l = g;
        g->next = g->n;
        if (g->n) return true;
    }
    if (!(*l = ingle_jinja_list_new(r, g->n - g->next))) return false;
    for (; g->next < g->n; g->next++)
        if (!ingle_jinja_list_add(r, *l, g->item[g->next])) return false;
    return true;
}

bool ingle_jinja_elements(jinja_render *r, const jinja_value *v, jinja_list **l)
{
    if (v->kind == JINJA_LIST || v->kind == JINJA_TUPLE) {
        *l = v->u.list;
        return ingle_jinja_read_list(r, *l);
    }
    if (v->kind == JINJA_GEN) return use_up(r, v->u.list, l);
    if (!ingle_jinja_can_iterate(v))
        return JINJA_REFUSE(r, "'%s' object is not iterable", ingle_jinja_type_name(v));
    if (!(*l = ingle_jinja_list_new(r, 0))) return false;
    switch (v->kind) {
    case JINJA_STR: return characters(r, v->u.str, *l);
    case JINJA_DICT: return pairs(r, v->u.dict, 'k', *l);
    case JINJA_VIEW: return pairs(r, v->u.dict, (char)v->detail, *l);
    case JINJA_RANGE:
        for (int64_t i = 0; i < v->u.range->n; i++)
            if (!ingle_jinja_list_add(
                    r, *l, ingle_jinja_int(v->u.range->first + i * v->u.range->step, v->trusted)))
                return false;
        return true;
    default: return true; /* undefined */
    }
}

bool ingle_jinja_length(jinja_render *r, const jinja_value *v, size_t *out)
{
    switch (v->kind) {
    case JINJA_UNDEFINED: *out = 0; return true;
    case JINJA_STR:
        *out = ingle_jinja_str_chars(v->u.str);
        return ingle_jinja_burn(r, v->u.str->n / 64);
    case JINJA_LIST:
    case JINJA_TUPLE: *out = v->u.list->json ? v->u.list->json->len : v->u.list->n; return true;
    case JINJA_DICT:
    case JINJA_VIEW:
        if (!ingle_jinja_read_dict(r, v->u.dict)) return false;
        *out = v->u.dict->n;
        return true;
    case JINJA_RANGE: *out = (size_t)v->u.range->n; return true;
    default: return JINJA_REFUSE(r, "object of type '%s' has no len()", ingle_jinja_type_name(v));
    }
}
