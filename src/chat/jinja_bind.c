/* jinja_bind.c - see jinja_builtin.h: arguments and their parameters. */
#include "chat/jinja_builtin.h"

const jinja_builtin *ingle_jinja_find_builtin(const jinja_builtin *table, const char *name,
                                              size_t n)
{
    for (; table->name; table++)
        if (strlen(table->name) == n && !memcmp(table->name, name, n)) return table;
    return NULL;
}

/* Position of a keyword among the parameters; SIZE_MAX: there is none. */
static size_t find_param(const char *params, const jinja_str *name)
{
    for (size_t i = 0; *params; i++) {
        size_t n = strcspn(params, " ");
        if (n == name->n && !memcmp(params, name->p, n)) return i;
        params += n + (params[n] == ' ');
    }
    return SIZE_MAX;
}

static size_t count_params(const char *params)
{
    size_t n = *params != 0;
    for (; *params; params++) n += *params == ' ';
    return n;
}

bool ingle_jinja_call_builtin(jinja_render *r, const jinja_builtin *f, const jinja_call *c,
                              uint32_t n_self, jinja_value *out)
{
    jinja_value arg[JINJA_MAX_ARGS + 1];
    if (!f->params) return f->fn(r, c, out);
    size_t n_params = count_params(f->params);
    if (c->n_args - n_self > n_params)
        return JINJA_REFUSE(r, "%s() takes not more than %zu argument(s)", f->name, n_params);
    for (size_t i = 0; i < n_self + n_params; i++)
        arg[i] = i < c->n_args ? c->arg[i] : (jinja_value){.kind = JINJA_MISSING};
    for (uint32_t i = 0; i < c->n_kw; i++) {
        size_t at = find_param(f->params, c->kw_name[i]);
        if (at == SIZE_MAX)
            return JINJA_REFUSE(r, "%s() takes no keyword argument '%.*s'", f->name,
                                (int)c->kw_name[i]->n, c->kw_name[i]->p);
        if (arg[n_self + at].kind != JINJA_MISSING)
            return JINJA_REFUSE(r, "%s() got argument '%.*s' twice", f->name, (int)c->kw_name[i]->n,
                                c->kw_name[i]->p);
        arg[n_self + at] = c->kw[i];
    }
    for (uint32_t i = 0; i < f->n_needed; i++)
        if (arg[n_self + i].kind == JINJA_MISSING)
            return JINJA_REFUSE(r, "%s() lacks argument %u", f->name, (unsigned)i + 1);
    jinja_call bound = {.arg = arg, .n_args = n_self + (uint32_t)n_params};
    return f->fn(r, &bound, out);
}
