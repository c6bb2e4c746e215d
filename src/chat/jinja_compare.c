/* jinja_compare.c - see jinja_data.h: truth, equality, order. */
#include "chat/jinja_data.h"
#include "chat/jinja_number.h"
#include "chat/jinja_text.h"

bool ingle_jinja_truth(jinja_render *r, const jinja_value *v, bool *out)
{
    size_t n;
    switch (v->kind) {
    case JINJA_MISSING:
    case JINJA_UNDEFINED:
    case JINJA_NONE: *out = false; return true;
    case JINJA_BOOL: *out = v->u.b; return true;
    case JINJA_INT: *out = v->u.i != 0; return true;
    case JINJA_FLOAT: *out = v->u.f != 0; return true;
    case JINJA_STR: *out = v->u.str->n != 0; return true;
    case JINJA_LIST:
    case JINJA_TUPLE:
    case JINJA_DICT:
    case JINJA_VIEW:
    case JINJA_RANGE:
        if (!ingle_jinja_length(r, v, &n)) return false;
        *out = n != 0;
        return true;
    default: *out = true; return true;
    }
}

/* ---- strings --------------------------------------------------------------------------------- */

static int order_strings(const jinja_str *a, const jinja_str *b)
{
    size_t n = a->n < b->n ? a->n : b->n;
    int order = n ? memcmp(a->p, b->p, n) : 0;
    if (order) return order < 0 ? -1 : 1;
    return (a->n > b->n) - (a->n < b->n);
}

/* ---- equality -------------------------------------------------------------------------------- */

/* Containers under comparison: the next element of both. */
typedef struct level {
    const jinja_value *a, *b;
    uint32_t i;
} level;

enum { MAX_LEVELS = 600 };

static bool is_container(const jinja_value *v)
{
    return v->kind == JINJA_LIST || v->kind == JINJA_TUPLE || v->kind == JINJA_DICT;
}

static bool sizes(jinja_render *r, const jinja_value *a, const jinja_value *b, bool *same)
{
    size_t n, m;
    if (!ingle_jinja_length(r, a, &n) || !ingle_jinja_length(r, b, &m)) return false;
    *same = n == m;
    if (a->kind == JINJA_DICT) return true;
    return ingle_jinja_read_list(r, a->u.list) && ingle_jinja_read_list(r, b->u.list);
}

/* The next two elements; *x NULL: there are no more. */
static bool step(jinja_render *r, level *l, const jinja_value **x, const jinja_value **y)
{
    *x = *y = NULL;
    if (l->a->kind != JINJA_DICT) {
        if (l->i >= l->a->u.list->n || l->i >= l->b->u.list->n) return true;
        *x = &l->a->u.list->item[l->i];
        *y = &l->b->u.list->item[l->i++];
        return true;
    }
    if (l->i >= l->a->u.dict->n) return true;
    jinja_pair *p = &l->a->u.dict->pair[l->i++];
    jinja_value *other;
    if (!ingle_jinja_dict_get(r, l->b->u.dict, &p->key, &other)) return false;
    *x = &p->value;
    *y = other;
    return true;
}

/* The first two elements that differ, or NULL. */
static bool difference(jinja_render *r, const jinja_value *a, const jinja_value *b, bool *differ)
{
    level stack[MAX_LEVELS];
    size_t n = 0;
    bool same = true;
    const jinja_value *x = a, *y = b;
    *differ = true;
    for (;;) {
        if (!ingle_jinja_burn(r, 1)) return false;
        if (is_container(x) && x->kind == y->kind) {
            if (!sizes(r, x, y, &same)) return false;
            if (!same) return true;
            if (n == MAX_LEVELS)
                return ingle_jinja_fail(r, INGLE_EUNSUPPORTED, "values nested too deeply");
            if (x->u.list != y->u.list) stack[n++] = (level){x, y, 0};
        } else if (!ingle_jinja_same_scalars(x, y)) {
            return true;
        } else if (x->kind == JINJA_STR && !ingle_jinja_burn(r, x->u.str->n / 64)) {
            return false;
        }
        for (x = NULL; n && !x;) {
            if (!step(r, &stack[n - 1], &x, &y)) return false;
            if (x && !y) return true; /* a key that the other one lacks */
            if (!x) n--;
        }
        if (!x) break;
    }
    *differ = false;
    return true;
}

bool ingle_jinja_equal(jinja_render *r, const jinja_value *a, const jinja_value *b, bool *out)
{
    if (!is_container(a) || a->kind != b->kind) {
        *out = ingle_jinja_same_scalars(a, b);
        if (a->kind != JINJA_STR) return true;
        return ingle_jinja_burn(r, a->u.str->n / 64);
    }
    if (!difference(r, a, b, out)) return false;
    *out = !*out;
    return true;
}

/* ---- order ----------------------------------------------------------------------------------- */

static bool no_order(jinja_render *r, const jinja_value *a, const jinja_value *b, const char *sign)
{
    if (a->kind == JINJA_UNDEFINED) return ingle_jinja_fail_undefined(r, a);
    if (b->kind == JINJA_UNDEFINED) return ingle_jinja_fail_undefined(r, b);
    return JINJA_REFUSE(r, "'%s' not supported between instances of '%s' and '%s'", sign,
                        ingle_jinja_type_name(a), ingle_jinja_type_name(b));
}

bool ingle_jinja_order(jinja_render *r, const jinja_value *a, const jinja_value *b,
                       const char *sign, int *out)
{
    for (int depth = 0; depth < MAX_LEVELS; depth++) {
        if (ingle_jinja_is_number(a) && ingle_jinja_is_number(b)) {
            *out = ingle_jinja_order_numbers(a, b);
            return true;
        }
        if (a->kind == JINJA_STR && b->kind == JINJA_STR) {
            *out = order_strings(a->u.str, b->u.str);
            return ingle_jinja_burn(r, a->u.str->n / 64);
        }
        if (a->kind != b->kind || (a->kind != JINJA_LIST && a->kind != JINJA_TUPLE))
            return no_order(r, a, b, sign);
        const jinja_list *x = a->u.list, *y = b->u.list;
        uint32_t i = 0;
        bool same = true;
        if (!ingle_jinja_read_list(r, a->u.list) || !ingle_jinja_read_list(r, b->u.list))
            return false;
        for (; same && i < x->n && i < y->n; i++)
            if (!ingle_jinja_equal(r, &x->item[i], &y->item[i], &same)) return false;
        if (same) {
            *out = (x->n > y->n) - (x->n < y->n);
            return true;
        }
        a = &x->item[i - 1];
        b = &y->item[i - 1];
    }
    return ingle_jinja_fail(r, INGLE_EUNSUPPORTED, "values nested too deeply");
}

bool ingle_jinja_contains(jinja_render *r, const jinja_value *v, const jinja_value *item, bool *out)
{
    jinja_list *l;
    jinja_value *found;
    *out = false;
    if (v->kind == JINJA_STR) {
        if (item->kind == JINJA_UNDEFINED) return ingle_jinja_fail_undefined(r, item);
        if (item->kind != JINJA_STR)
            return JINJA_REFUSE(r, "'in <string>' requires string as left operand, not %s",
                                ingle_jinja_type_name(item));
        *out = ingle_jinja_str_find(v->u.str, 0, item->u.str->p, item->u.str->n) != SIZE_MAX;
        return ingle_jinja_burn(r, v->u.str->n / 32);
    }
    if (v->kind == JINJA_DICT || (v->kind == JINJA_VIEW && v->detail == 'k')) {
        if (!ingle_jinja_dict_get(r, v->u.dict, item, &found)) return false;
        *out = found != NULL;
        return true;
    }
    if (!ingle_jinja_can_iterate(v))
        return JINJA_REFUSE(r, "argument of type '%s' is not iterable", ingle_jinja_type_name(v));
    if (!ingle_jinja_elements(r, v, &l)) return false;
    for (uint32_t i = 0; i < l->n && !*out; i++)
        if (!ingle_jinja_burn(r, 1) || !ingle_jinja_equal(r, &l->item[i], item, out)) return false;
    return true;
}

bool ingle_jinja_is_trusted(const jinja_value *v)
{
    return v->kind == JINJA_STR ? ingle_jinja_str_trusted(v->u.str) : v->trusted;
}
