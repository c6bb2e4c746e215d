/* jinja_functions.c - functions that every template finds; see jinja_builtin.h. */
#include "chat/jinja_args.h"
#include "chat/jinja_builtin.h"
#include "chat/jinja_time.h"

/* As the sandbox limits it. */
enum { MAX_RANGE = 100000 };

static bool range(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    int64_t first = 0, stop, step = 1;
    bool trusted = true;
    if (c->n_kw || c->n_args < 1 || c->n_args > 3)
        return JINJA_REFUSE(r, "range() takes 1 to 3 arguments");
    if (!ingle_jinja_arg_int(r, &c->arg[c->n_args > 1], 0, &stop)) return false;
    if (c->n_args > 1 && !ingle_jinja_arg_int(r, &c->arg[0], 0, &first)) return false;
    if (c->n_args > 2 && !ingle_jinja_arg_int(r, &c->arg[2], 1, &step)) return false;
    if (!step) return JINJA_REFUSE(r, "range() arg 3 must not be zero");
    for (uint32_t i = 0; i < c->n_args; i++) trusted &= ingle_jinja_is_trusted(&c->arg[i]);
    uint64_t way = 0, by = step > 0 ? (uint64_t)step : 0 - (uint64_t)step;
    if (step > 0 && stop > first) way = (uint64_t)stop - (uint64_t)first;
    if (step < 0 && stop < first) way = (uint64_t)first - (uint64_t)stop;
    uint64_t n = way ? (way - 1) / by + 1 : 0;
    if (n > MAX_RANGE)
        return ingle_jinja_fail(r, INGLE_EUNSUPPORTED, "a range of more than %d", MAX_RANGE);
    jinja_range *range = ingle_jinja_new(&r->heap, sizeof *range);
    if (!range) return ingle_jinja_fail_memory(r);
    *range = (jinja_range){.first = first, .step = step, .n = (int64_t)n, .stop = stop};
    *out = (jinja_value){.kind = JINJA_RANGE, .trusted = trusted, .u.range = range};
    return true;
}

/* Keywords, and the pairs of a dict before them. */
static bool make_dict(jinja_render *r, const jinja_call *c, jinja_kind kind, jinja_value *out)
{
    jinja_dict *d = ingle_jinja_dict_new(r, c->n_kw);
    if (!d) return false;
    for (uint32_t i = 0; i < c->n_args; i++) {
        jinja_dict *from = c->arg[i].u.dict;
        if (c->arg[i].kind != JINJA_DICT) return JINJA_REFUSE(r, "a dict should be the argument");
        if (!ingle_jinja_read_dict(r, from)) return false;
        for (uint32_t k = 0; k < from->n; k++)
            if (!ingle_jinja_dict_set(r, d, &from->pair[k].key, &from->pair[k].value)) return false;
    }
    for (uint32_t i = 0; i < c->n_kw; i++) {
        jinja_value key = ingle_jinja_of_str(c->kw_name[i]);
        if (!ingle_jinja_dict_set(r, d, &key, &c->kw[i])) return false;
    }
    *out = (jinja_value){.kind = (uint8_t)kind, .trusted = true, .u.dict = d};
    return true;
}

static bool namespace(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    return make_dict(r, c, JINJA_SPACE, out);
}

static bool dict(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    return make_dict(r, c, JINJA_DICT, out);
}

static bool joiner(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_value sep;
    jinja_list *l = ingle_jinja_list_new(r, 1);
    if (!l || (!ingle_jinja_given(&c->arg[0]) ? !ingle_jinja_str_view(r, ", ", 2, true, &sep)
                                              : !ingle_jinja_to_str(r, &c->arg[0], &sep)))
        return false;
    if (!ingle_jinja_list_add(r, l, sep)) return false;
    *out = ingle_jinja_of_list(JINJA_JOINER, l, true);
    return true;
}

static bool cycler(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_list *l = ingle_jinja_list_new(r, c->n_args);
    if (!c->n_args) return JINJA_REFUSE(r, "at least one item has to be provided");
    for (uint32_t i = 0; l && i < c->n_args; i++)
        if (!ingle_jinja_list_add(r, l, c->arg[i])) return false;
    *out = ingle_jinja_of_list(JINJA_CYCLER, l, true);
    return l;
}

static bool raise_exception(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_value text;
    if (!ingle_jinja_to_str(r, &c->arg[0], &text)) return false;
    const jinja_str *s = text.u.str;
    r->raised = malloc((size_t)s->n + 1);
    if (!r->raised) return ingle_jinja_fail(r, INGLE_ENOMEM, "no memory for the template's words");
    memcpy(r->raised, s->p, s->n);
    r->raised[s->n] = 0;
    r->n_raised = s->n;
    *out = ingle_jinja_none();
    return JINJA_REFUSE(r, "the template refuses: %.*s", s->n < 200 ? (int)s->n : 200, s->p);
}

static bool strftime_now(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_str *format;
    if (!ingle_jinja_arg_str(r, &c->arg[0], &format)) return false;
    jinja_cut cut = ingle_jinja_text_begin(r);
    return ingle_jinja_put_time(r, format, &r->in->now) && ingle_jinja_text_end(r, cut, out);
}

static bool lipsum(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    (void)c;
    (void)out;
    return ingle_jinja_fail(r, INGLE_EUNSUPPORTED, "lipsum() is not supported");
}

const jinja_builtin ingle_jinja_functions[] = {
    {"range", NULL, 0, range},
    {"namespace", NULL, 0, namespace},
    {"raise_exception", "message", 1, raise_exception},
    {"strftime_now", "format", 1, strftime_now},
    {"dict", NULL, 0, dict},
    {"joiner", "sep", 0, joiner},
    {"cycler", NULL, 0, cycler},
    {"lipsum", NULL, 0, lipsum},
    {0},
};
