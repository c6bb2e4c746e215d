/* jinja_compile.c - see jinja_compile.h, jinja_code.h. */
#include "chat/jinja_compile.h"

#include "chat/jinja_parse.h"

enum { GOALS_PER_LEVEL = 16 };

ingle_status ingle_jinja_compile(ingle_jinja *j, const char *text, size_t n, size_t max_depth,
                                 ingle_error *err)
{
    jinja_compiler c = {.j = j, .max_goals = max_depth * GOALS_PER_LEVEL, .err = err};
    c.status = ingle_jinja_lex(&c.t, &j->arena, text, n, err);
    if (!c.status && (!ingle_map_open(&c.name_map, 64) || !ingle_map_open(&c.slot_map, 64)))
        c.status = ingle_fail(err, INGLE_ENOMEM, "no memory for a template of %zu bytes", n);
    ingle_jinja_scope_open(&c);
    ingle_jinja_push(&c, (jinja_goal){.kind = JINJA_G_BODY});
    while (!c.status && c.n_goals) {
        jinja_goal goal = c.goals[--c.n_goals];
        if (goal.kind < JINJA_G_EXPR_END) ingle_jinja_expr_goal(&c, goal);
        else ingle_jinja_stmt_goal(&c, goal);
    }
    ingle_jinja_resolve(&c);
    ingle_map_close(&c.name_map);
    ingle_map_close(&c.slot_map);
    free(c.t.token);
    free(c.goals);
    free(c.slots);
    free(c.kw);
    free(c.global_of);
    return c.status;
}
