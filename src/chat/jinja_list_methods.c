/* jinja_list_methods.c - methods of lists, dicts, numbers, loops and cyclers; see jinja_builtin.h.
 * What the caller gave is not changed: pop() takes from the rendering's own list of it. */
#include "chat/jinja_args.h"
#include "chat/jinja_builtin.h"

/* ---- lists ----------------------------------------------------------------------------------- */

static bool own_list(jinja_render *r, const jinja_call *c, const char *name)
{
    if (c->arg[0].u.list->made) return true;
    return JINJA_REFUSE(r,
                        "access to attribute '%s' of 'list' object is unsafe: the caller's lists "
                        "do not change",
                        name);
}

static bool append(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    *out = ingle_jinja_none();
    return own_list(r, c, "append") && ingle_jinja_list_add(r, c->arg[0].u.list, c->arg[1]);
}

static bool extend(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_list *from;
    *out = ingle_jinja_none();
    if (!own_list(r, c, "extend") || !ingle_jinja_elements(r, &c->arg[1], &from)) return false;
    for (uint32_t i = 0, n = from->n; i < n; i++)
        if (!ingle_jinja_list_add(r, c->arg[0].u.list, from->item[i])) return false;
    return true;
}

static bool insert(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    int64_t i;
    *out = ingle_jinja_none();
    if (!own_list(r, c, "insert") || !ingle_jinja_arg_int(r, &c->arg[1], 0, &i)) return false;
    jinja_list *l = c->arg[0].u.list;
    int64_t n = l->n;
    if (i < 0) i = i < -n ? 0 : i + n;
    if (i > n) i = n;
    if (!ingle_jinja_burn(r, (uint64_t)(n - i) / 4) || !ingle_jinja_list_add(r, l, c->arg[2]))
        return false;
    memmove(l->item + i + 1, l->item + i, (size_t)(n - i) * sizeof *l->item);
    l->item[i] = c->arg[2];
    return true;
}

static bool clear(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    *out = ingle_jinja_none();
    if (!own_list(r, c, "clear")) return false;
    c->arg[0].u.list->n = 0;
    return true;
}

static bool reverse(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    *out = ingle_jinja_none();
    if (!own_list(r, c, "reverse")) return false;
    jinja_list *l = c->arg[0].u.list;
    for (uint32_t i = 0; i + 1 < l->n - i; i++) {
        jinja_value v = l->item[i];
        l->item[i] = l->item[l->n - 1 - i];
        l->item[l->n - 1 - i] = v;
    }
    return ingle_jinja_burn(r, l->n / 4);
}

static bool pop(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    int64_t i;
    jinja_list *l = c->arg[0].u.list;
    if (!ingle_jinja_read_list(r, l) || !ingle_jinja_arg_int(r, &c->arg[1], -1, &i)) return false;
    if (!l->n) return JINJA_REFUSE(r, "pop from empty list");
    if (i < 0) i += l->n;
    if (i < 0 || i >= l->n) return JINJA_REFUSE(r, "pop index out of range");
    *out = l->item[i];
    l->n--;
    memmove(l->item + i, l->item + i + 1, (l->n - (size_t)i) * sizeof *l->item);
    return ingle_jinja_burn(r, (l->n - (uint64_t)i) / 4);
}

static bool find(jinja_render *r, const jinja_call *c, int64_t *first, int64_t *n)
{
    jinja_list *l;
    *first = -1;
    *n = 0;
    if (!ingle_jinja_elements(r, &c->arg[0], &l)) return false;
    for (uint32_t i = 0; i < l->n; i++) {
        bool same;
        if (!ingle_jinja_burn(r, 1) || !ingle_jinja_equal(r, &l->item[i], &c->arg[1], &same))
            return false;
        if (same && !(*n)++) *first = i;
    }
    return true;
}

static bool list_index(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    int64_t first, n;
    if (!find(r, c, &first, &n)) return false;
    if (first < 0) return JINJA_REFUSE(r, "the value is not in the list");
    *out = ingle_jinja_int(first, c->arg[0].trusted);
    return true;
}

static bool list_count(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    int64_t first, n;
    if (!find(r, c, &first, &n)) return false;
    *out = ingle_jinja_int(n, c->arg[0].trusted);
    return true;
}

static bool list_copy(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_list *l, *made;
    if (!ingle_jinja_elements(r, &c->arg[0], &l)) return false;
    if (!(made = ingle_jinja_list_new(r, l->n))) return false;
    for (uint32_t i = 0; i < l->n; i++)
        if (!ingle_jinja_list_add(r, made, l->item[i])) return false;
    *out = ingle_jinja_of_list(JINJA_LIST, made, c->arg[0].trusted);
    return true;
}

/* ---- numbers, loops, cyclers ----------------------------------------------------------------- */

static bool bit_length(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    (void)r;
    int64_t i = c->arg[0].u.i;
    uint64_t x = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
    *out = ingle_jinja_int(x ? 64 - __builtin_clzll(x) : 0, c->arg[0].trusted);
    return true;
}

static bool cycle(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    if (c->n_args < 2) return JINJA_REFUSE(r, "no items for cycling given");
    *out = c->arg[1 + (c->arg[0].u.loop->i - 1) % (c->n_args - 1)];
    return true;
}

static bool changed(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_list *l;
    bool same = false;
    jinja_loop *loop = c->arg[0].u.loop;
    if (!(l = ingle_jinja_list_new(r, c->n_args))) return false;
    for (uint32_t i = 1; i < c->n_args; i++)
        if (!ingle_jinja_list_add(r, l, c->arg[i])) return false;
    jinja_value now = ingle_jinja_of_list(JINJA_TUPLE, l, true);
    if (loop->changed.kind != JINJA_MISSING && !ingle_jinja_equal(r, &now, &loop->changed, &same))
        return false;
    loop->changed = now;
    *out = ingle_jinja_bool(!same, true);
    return true;
}

static bool cycler_next(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    (void)r;
    jinja_list *l = c->arg[0].u.list;
    *out = l->item[l->next];
    l->next = (l->next + 1) % l->n;
    return true;
}

static bool cycler_reset(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    (void)r;
    c->arg[0].u.list->next = 0;
    *out = ingle_jinja_none();
    return true;
}

const jinja_builtin ingle_jinja_list_methods[] = {
    {"append", "object", 1, append},   {"pop", "index", 0, pop},
    {"extend", "iterable", 1, extend}, {"insert", "index object", 2, insert},
    {"clear", "", 0, clear},           {"reverse", "", 0, reverse},
    {"index", "value", 1, list_index}, {"count", "value", 1, list_count},
    {"copy", "", 0, list_copy},        {0},
};

const jinja_builtin ingle_jinja_tuple_methods[] = {
    {"index", "value", 1, list_index}, {"count", "value", 1, list_count}, {0}};
const jinja_builtin ingle_jinja_int_methods[] = {{"bit_length", "", 0, bit_length}, {0}};
const jinja_builtin ingle_jinja_loop_methods[] = {
    {"cycle", NULL, 0, cycle}, {"changed", NULL, 0, changed}, {0}};
const jinja_builtin ingle_jinja_cycler_methods[] = {
    {"next", "", 0, cycler_next}, {"reset", "", 0, cycler_reset}, {0}};

/* ---- dicts ----------------------------------------------------------------------------------- */

static bool get(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_value *found;
    if (!ingle_jinja_dict_get(r, c->arg[0].u.dict, &c->arg[1], &found)) return false;
    *out = found ? *found : ingle_jinja_given(&c->arg[2]) ? c->arg[2] : ingle_jinja_none();
    return true;
}

static bool view(const jinja_call *c, char what, jinja_value *out)
{
    *out = c->arg[0];
    out->kind = JINJA_VIEW;
    out->detail = (uint8_t)what;
    return true;
}

static bool items(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    (void)r;
    return view(c, 'i', out);
}

static bool keys(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    (void)r;
    return view(c, 'k', out);
}

static bool values(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    (void)r;
    return view(c, 'v', out);
}

static bool dict_copy(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_dict *from = c->arg[0].u.dict, *d;
    if (!ingle_jinja_read_dict(r, from) || !(d = ingle_jinja_dict_new(r, from->n))) return false;
    for (uint32_t i = 0; i < from->n; i++)
        if (!ingle_jinja_dict_set(r, d, &from->pair[i].key, &from->pair[i].value)) return false;
    *out = c->arg[0];
    out->u.dict = d;
    return true;
}

#define UNSAFE(name)                                                                               \
    static bool name##_unsafe(jinja_render *r, const jinja_call *c, jinja_value *out)              \
    {                                                                                              \
        (void)c;                                                                                   \
        (void)out;                                                                                 \
        return JINJA_REFUSE(r, "access to attribute '" #name "' of 'dict' object is unsafe.");     \
    }
UNSAFE(pop)
UNSAFE(popitem)
UNSAFE(update)
UNSAFE(setdefault)
UNSAFE(clear)

const jinja_builtin ingle_jinja_dict_methods[] = {
    {"items", "", 0, items},
    {"get", "key default", 1, get},
    {"keys", "", 0, keys},
    {"values", "", 0, values},
    {"copy", "", 0, dict_copy},
    {"pop", NULL, 0, pop_unsafe},
    {"popitem", NULL, 0, popitem_unsafe},
    {"update", NULL, 0, update_unsafe},
    {"setdefault", NULL, 0, setdefault_unsafe},
    {"clear", NULL, 0, clear_unsafe},
    {0},
};
