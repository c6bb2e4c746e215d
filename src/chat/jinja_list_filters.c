/* jinja_list_filters.c - filters whose subject is gone through; see jinja_builtin.h. */
#include "chat/jinja_args.h"
#include "chat/jinja_builtin.h"
#include "chat/jinja_ops.h"
#include "chat/jinja_string.h"

#include <stdio.h>

static bool subject(jinja_render *r, const jinja_call *c, jinja_list **l)
{
    return ingle_jinja_elements(r, &c->arg[0], l);
}

static bool give(jinja_kind kind, jinja_list *l, const jinja_call *c, jinja_value *out)
{
    *out = ingle_jinja_of_list(kind, l, ingle_jinja_is_trusted(&c->arg[0]));
    return true;
}

static bool copy(jinja_render *r, const jinja_list *from, jinja_list **to)
{
    if (!(*to = ingle_jinja_list_new(r, from->n))) return false;
    for (uint32_t i = 0; i < from->n; i++)
        if (!ingle_jinja_list_add(r, *to, from->item[i])) return false;
    return true;
}

static bool list(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_list *l, *made;
    return subject(r, c, &l) && copy(r, l, &made) && give(JINJA_LIST, made, c, out);
}

static bool no_element(jinja_render *r, const char *what, jinja_value *out)
{
    char text[80];
    jinja_value s;
    snprintf(text, sizeof text, "No %s item, sequence was empty.", what);
    if (!ingle_jinja_str_copy(r, text, strlen(text), true, &s)) return false;
    *out = (jinja_value){.kind = JINJA_UNDEFINED, .detail = JINJA_LACK_TEXT, .u.str = s.u.str};
    return true;
}

static bool first(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_list *l;
    if (!subject(r, c, &l)) return false;
    if (!l->n) return no_element(r, "first", out);
    *out = l->item[0];
    return true;
}

static bool last(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_list *l;
    if (c->arg[0].kind == JINJA_GEN) return JINJA_REFUSE(r, "'generator' object is not reversible");
    if (!subject(r, c, &l)) return false;
    if (!l->n) return no_element(r, "last", out);
    *out = l->item[l->n - 1];
    return true;
}

static bool length(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    size_t n;
    if (!ingle_jinja_length(r, &c->arg[0], &n)) return false;
    *out = ingle_jinja_int((int64_t)n, ingle_jinja_is_trusted(&c->arg[0]));
    return true;
}

static bool reverse(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_list *l, *made;
    jinja_value step[3] = {ingle_jinja_none(), ingle_jinja_none(), ingle_jinja_int(-1, true)};
    if (c->arg[0].kind == JINJA_STR) return ingle_jinja_slice(r, &c->arg[0], step, out);
    if (!subject(r, c, &l) || !(made = ingle_jinja_list_new(r, l->n))) return false;
    for (uint32_t i = l->n; i-- > 0;)
        if (!ingle_jinja_list_add(r, made, l->item[i])) return false;
    return give(JINJA_GEN, made, c, out);
}

/* ---- keys ------------------------------------------------------------------------------------ */

/* What an element is judged by: itself, or an attribute; without case if asked for. */
static bool key_of(jinja_render *r, const jinja_value *item, const jinja_value *attribute,
                   bool fold, jinja_value *out)
{
    *out = *item;
    bool given = ingle_jinja_given(attribute) && attribute->kind != JINJA_NONE;
    if (given && !ingle_jinja_path(r, item, attribute, out)) return false;
    if (!fold || out->kind != JINJA_STR) return true;
    return ingle_jinja_change_case(r, out->u.str, JINJA_LOWER, out);
}

static bool keys_of(jinja_render *r, const jinja_list *l, const jinja_value *attribute, bool fold,
                    jinja_value **out)
{
    if (!(*out = ingle_jinja_new(&r->heap, (l->n + 1) * sizeof **out)))
        return ingle_jinja_fail_memory(r);
    for (uint32_t i = 0; i < l->n; i++)
        if (!key_of(r, &l->item[i], attribute, fold, &(*out)[i])) return false;
    return true;
}

static bool sort(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_list *l, *made;
    jinja_value *key;
    bool back, cased;
    return subject(r, c, &l) && ingle_jinja_arg_bool(r, &c->arg[1], &back) &&
           ingle_jinja_arg_bool(r, &c->arg[2], &cased) && copy(r, l, &made) &&
           keys_of(r, made, &c->arg[3], !cased, &key) &&
           ingle_jinja_sort(r, made->item, key, made->n, back) && give(JINJA_LIST, made, c, out);
}

static bool unique(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_list *l, *made;
    jinja_value *key, *found, none = ingle_jinja_none();
    bool cased;
    jinja_dict *seen = ingle_jinja_dict_new(r, 0);
    if (!seen || !subject(r, c, &l) || !ingle_jinja_arg_bool(r, &c->arg[1], &cased) ||
        !keys_of(r, l, &c->arg[2], !cased, &key) || !(made = ingle_jinja_list_new(r, 0)))
        return false;
    for (uint32_t i = 0; i < l->n; i++) {
        if (!ingle_jinja_dict_get(r, seen, &key[i], &found)) return false;
        if (found) continue;
        if (!ingle_jinja_dict_set(r, seen, &key[i], &none) ||
            !ingle_jinja_list_add(r, made, l->item[i]))
            return false;
    }
    return give(JINJA_GEN, made, c, out);
}

static bool extreme(jinja_render *r, const jinja_call *c, int sign, jinja_value *out)
{
    jinja_list *l;
    jinja_value *key;
    bool cased;
    uint32_t best = 0;
    if (!subject(r, c, &l) || !ingle_jinja_arg_bool(r, &c->arg[1], &cased) ||
        !keys_of(r, l, &c->arg[2], !cased, &key))
        return false;
    if (!l->n) return no_element(r, "aggregated", out);
    for (uint32_t i = 1; i < l->n; i++) {
        int order;
        if (!ingle_jinja_order(r, &key[i], &key[best], sign < 0 ? "<" : ">", &order)) return false;
        if (order == sign) best = i;
    }
    *out = l->item[best];
    return true;
}

static bool min(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    return extreme(r, c, -1, out);
}

static bool max(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    return extreme(r, c, 1, out);
}

static bool sum(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_list *l;
    jinja_value *key;
    if (!subject(r, c, &l) || !keys_of(r, l, &c->arg[1], false, &key)) return false;
    *out = ingle_jinja_given(&c->arg[2]) ? c->arg[2] : ingle_jinja_int(0, true);
    for (uint32_t i = 0; i < l->n; i++)
        if (!ingle_jinja_math(r, JINJA_ADD, out, &key[i], out)) return false;
    return true;
}

static bool join(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_list *l, keyed = {0};
    jinja_value with;
    if (!subject(r, c, &l)) return false;
    if (!ingle_jinja_given(&c->arg[1]) ? !ingle_jinja_str_view(r, "", 0, true, &with)
                                       : !ingle_jinja_to_str(r, &c->arg[1], &with))
        return false;
    keyed.n = l->n;
    return keys_of(r, l, &c->arg[2], false, &keyed.item) &&
           ingle_jinja_join(r, &keyed, with.u.str, false, out);
}

static bool dictsort(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    bool cased, back;
    jinja_value *key, items = c->arg[0], by = ingle_jinja_int(0, true);
    jinja_list *l;
    if (items.kind != JINJA_DICT) return JINJA_REFUSE(r, "dictsort expects a mapping");
    items.kind = JINJA_VIEW;
    items.detail = 'i';
    if (!ingle_jinja_elements(r, &items, &l) || !ingle_jinja_arg_bool(r, &c->arg[1], &cased) ||
        !ingle_jinja_arg_bool(r, &c->arg[3], &back))
        return false;
    if (ingle_jinja_is_str(&c->arg[2], "value")) by.u.i = 1;
    else if (ingle_jinja_given(&c->arg[2]) && !ingle_jinja_is_str(&c->arg[2], "key"))
        return JINJA_REFUSE(r, "You can only sort by either \"key\" or \"value\"");
    return keys_of(r, l, &by, !cased, &key) && ingle_jinja_sort(r, l->item, key, l->n, back) &&
           give(JINJA_LIST, l, c, out);
}

static bool items(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_value v = c->arg[0];
    jinja_list *l;
    if (v.kind == JINJA_DICT)
        v = (jinja_value){.kind = JINJA_VIEW, .detail = 'i', .u.dict = v.u.dict};
    else if (v.kind != JINJA_UNDEFINED)
        return JINJA_REFUSE(r, "Can only get item pairs from a mapping.");
    return ingle_jinja_elements(r, &v, &l) && give(JINJA_GEN, l, c, out);
}

/* ---- groups ---------------------------------------------------------------------------------- */

static bool batch(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_list *l, *made = ingle_jinja_list_new(r, 0), *row = NULL;
    int64_t n;
    if (!made || !subject(r, c, &l) || !ingle_jinja_arg_int(r, &c->arg[1], 1, &n)) return false;
    if (n < 1 || n > 100000) return JINJA_REFUSE(r, "batch() expects a number from 1 to 100000");
    for (uint32_t i = 0; i < l->n; i++) {
        if (i % (uint64_t)n == 0) {
            if (!(row = ingle_jinja_list_new(r, 0)) ||
                !ingle_jinja_list_add(r, made, ingle_jinja_of_list(JINJA_LIST, row, true)))
                return false;
        }
        if (!ingle_jinja_list_add(r, row, l->item[i])) return false;
    }
    bool fill = ingle_jinja_given(&c->arg[2]) && c->arg[2].kind != JINJA_NONE;
    while (fill && row && row->n < n)
        if (!ingle_jinja_list_add(r, row, c->arg[2])) return false;
    return give(JINJA_GEN, made, c, out);
}

static bool slice(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_list *l, *made = ingle_jinja_list_new(r, 0);
    int64_t n;
    if (!made || !subject(r, c, &l) || !ingle_jinja_arg_int(r, &c->arg[1], 1, &n)) return false;
    if (n < 1 || n > 100000) return JINJA_REFUSE(r, "slice() expects a number from 1 to 100000");
    size_t each = l->n / (size_t)n, longer = l->n % (size_t)n, at = 0;
    bool fill = ingle_jinja_given(&c->arg[2]) && c->arg[2].kind != JINJA_NONE;
    for (size_t i = 0; i < (size_t)n; i++) {
        jinja_list *row = ingle_jinja_list_new(r, 0);
        if (!row) return false;
        for (size_t k = 0; k < each + (i < longer); k++)
            if (!ingle_jinja_list_add(r, row, l->item[at++])) return false;
        if (fill && longer && i >= longer && !ingle_jinja_list_add(r, row, c->arg[2])) return false;
        if (!ingle_jinja_list_add(r, made, ingle_jinja_of_list(JINJA_LIST, row, true)))
            return false;
    }
    return give(JINJA_GEN, made, c, out);
}

/* Pairs of a key and its elements, in the order of the keys. */
static bool groupby(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_list *l, *sorted, *made = ingle_jinja_list_new(r, 0), *group = NULL;
    jinja_value *key;
    bool cased, same;
    if (!made || !subject(r, c, &l) || !copy(r, l, &sorted) ||
        !ingle_jinja_arg_bool(r, &c->arg[3], &cased) ||
        !keys_of(r, sorted, &c->arg[1], !cased, &key))
        return false;
    for (uint32_t i = 0; i < sorted->n; i++)
        if (key[i].kind == JINJA_UNDEFINED && ingle_jinja_given(&c->arg[2])) key[i] = c->arg[2];
    if (!ingle_jinja_sort(r, sorted->item, key, sorted->n, false)) return false;
    for (uint32_t i = 0; i < sorted->n; i++) {
        same = false;
        if (i && !ingle_jinja_equal(r, &key[i], &key[i - 1], &same)) return false;
        if (!same) {
            jinja_list *pair = ingle_jinja_list_new(r, 2);
            if (!pair || !(group = ingle_jinja_list_new(r, 0)) ||
                !ingle_jinja_list_add(r, pair, key[i]) ||
                !ingle_jinja_list_add(r, pair, ingle_jinja_of_list(JINJA_LIST, group, true)) ||
                !ingle_jinja_list_add(r, made, ingle_jinja_of_list(JINJA_TUPLE, pair, true)))
                return false;
        }
        if (!ingle_jinja_list_add(r, group, sorted->item[i])) return false;
    }
    return give(JINJA_LIST, made, c, out);
}

/* ---- map, select, reject --------------------------------------------------------------------- */

/* The filter or test that argument i names, called with the arguments after it. */
static bool apply(jinja_render *r, const jinja_call *c, uint32_t i, bool test, jinja_value v,
                  jinja_value *out)
{
    jinja_value arg[JINJA_MAX_ARGS];
    jinja_str *name;
    if (!ingle_jinja_arg_str(r, &c->arg[i], &name)) return false;
    const jinja_builtin *f =
        test ? r->builtins->test(name->p, name->n) : r->builtins->filter(name->p, name->n);
    if (!f)
        return JINJA_REFUSE(r, "there is no %s named '%.*s'", test ? "test" : "filter",
                            (int)name->n, name->p);
    if (c->n_args - i > JINJA_MAX_ARGS) return JINJA_REFUSE(r, "too many arguments");
    if (!f->params && !test && strcmp(f->name, "format") != 0) /* these would call others in turn */
        return ingle_jinja_fail(r, INGLE_EUNSUPPORTED, "the filter '%s' within another one",
                                f->name);
    arg[0] = v;
    for (uint32_t k = i + 1; k < c->n_args; k++) arg[k - i] = c->arg[k];
    jinja_call call = {
        .arg = arg, .n_args = c->n_args - i, .kw = c->kw, .kw_name = c->kw_name, .n_kw = c->n_kw};
    return ingle_jinja_call_builtin(r, f, &call, 1, out);
}

static const jinja_value *keyword(const jinja_call *c, const char *name)
{
    for (uint32_t i = 0; i < c->n_kw; i++)
        if (c->kw_name[i]->n == strlen(name) && !memcmp(c->kw_name[i]->p, name, c->kw_name[i]->n))
            return &c->kw[i];
    return NULL;
}

/* What is false, even if it cannot be gone through, has no elements. */
static bool some_subject(jinja_render *r, const jinja_call *c, jinja_list **l)
{
    bool any;
    if (!ingle_jinja_truth(r, &c->arg[0], &any)) return false;
    return any ? subject(r, c, l) : (*l = ingle_jinja_list_new(r, 0)) != NULL;
}

static bool map(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_list *l, *made = ingle_jinja_list_new(r, 0);
    const jinja_value *attribute = keyword(c, "attribute"), *usual = keyword(c, "default");
    if (!made || !some_subject(r, c, &l)) return false;
    if (!attribute && c->n_args < 2) return JINJA_REFUSE(r, "map requires a filter argument");
    for (uint32_t i = 0; i < l->n; i++) {
        jinja_value v;
        if (attribute ? !ingle_jinja_path(r, &l->item[i], attribute, &v)
                      : !apply(r, c, 1, false, l->item[i], &v))
            return false;
        if (attribute && usual && v.kind == JINJA_UNDEFINED) v = *usual;
        if (!ingle_jinja_list_add(r, made, v)) return false;
    }
    return give(JINJA_GEN, made, c, out);
}

/* Argument `first` on: an attribute if `attr`, then perhaps a test. */
static bool select_some(jinja_render *r, const jinja_call *c, bool attr, bool want,
                        jinja_value *out)
{
    jinja_list *l, *made = ingle_jinja_list_new(r, 0);
    uint32_t test = attr ? 2 : 1;
    if (!made || !some_subject(r, c, &l)) return false;
    if (attr && c->n_args < 2) return JINJA_REFUSE(r, "Missing parameter for attribute name");
    for (uint32_t i = 0; i < l->n; i++) {
        jinja_value v = l->item[i], result;
        bool yes;
        if (attr && !ingle_jinja_path(r, &l->item[i], &c->arg[1], &v)) return false;
        result = v;
        if (c->n_args > test && !apply(r, c, test, true, v, &result)) return false;
        if (!ingle_jinja_truth(r, &result, &yes)) return false;
        if (yes == want && !ingle_jinja_list_add(r, made, l->item[i])) return false;
    }
    return give(JINJA_GEN, made, c, out);
}

static bool select_true(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    return select_some(r, c, false, true, out);
}

static bool select_false(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    return select_some(r, c, false, false, out);
}

static bool selectattr(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    return select_some(r, c, true, true, out);
}

static bool rejectattr(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    return select_some(r, c, true, false, out);
}

const jinja_builtin ingle_jinja_list_filters[] = {
    {"length", "", 0, length},
    {"count", "", 0, length},
    {"items", "", 0, items},
    {"join", "d attribute", 0, join},
    {"list", "", 0, list},
    {"first", "", 0, first},
    {"last", "", 0, last},
    {"selectattr", NULL, 0, selectattr},
    {"rejectattr", NULL, 0, rejectattr},
    {"select", NULL, 0, select_true},
    {"reject", NULL, 0, select_false},
    {"map", NULL, 0, map},
    {"sort", "reverse case_sensitive attribute", 0, sort},
    {"unique", "case_sensitive attribute", 0, unique},
    {"dictsort", "case_sensitive by reverse", 0, dictsort},
    {"min", "case_sensitive attribute", 0, min},
    {"max", "case_sensitive attribute", 0, max},
    {"sum", "attribute start", 0, sum},
    {"reverse", "", 0, reverse},
    {"batch", "linecount fill_with", 1, batch},
    {"slice", "slices fill_with", 1, slice},
    {"groupby", "attribute default case_sensitive", 1, groupby},
    {0},
};
