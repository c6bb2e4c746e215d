/* schema_keys.c - see schema_keys.h. */
#include "grammar/schema_keys.h"
#include "grammar/schema_expand.h"
#include "grammar/schema_string.h"

ingle_term ingle_schema_key_term(schema *c, schema_goal_id goal)
{
    ingle_term all = INGLE_TERM_NONE;
    if (goal == GOAL_TRUE) return ingle_schema_inside(c, 0, INGLE_TERM_MANY);
    if (!ingle_schema_expand(c, goal)) return INGLE_TERM_NONE;
    for (size_t i = 0; i < c->goals[goal].n_shapes; i++)
        all = ingle_term_alt(c->t, all, ingle_schema_string_inside(c, c->goals[goal].shapes[i]));
    return all;
}

bool ingle_schema_key_is(schema *c, schema_goal_id goal, uint32_t name)
{
    if (goal <= GOAL_FALSE) return goal == GOAL_TRUE;
    ingle_term both = ingle_term_and(c->t, ingle_schema_inside_text(c, c->names[name]),
                                     ingle_schema_key_term(c, goal));
    return !ingle_schema_empty(c, both);
}
