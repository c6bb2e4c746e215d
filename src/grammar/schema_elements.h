/* schema_elements.h - the elements that an array of a shape may have.
 * Depends on schema_expand.h, schema_goal.h. */
#ifndef INGLE_GRAMMAR_SCHEMA_ELEMENTS_H
#define INGLE_GRAMMAR_SCHEMA_ELEMENTS_H

#include "grammar/schema_state.h"

enum { SCHEMA_MAX_CONTAINS = 4, SCHEMA_MAX_PREFIX = 100000 };

/* Elements from number `from` on that are `goal`: min to max of them. */
typedef struct schema_count {
    schema_goal_id goal;
    uint32_t min, max, from;
    const ingle_json *where;
} schema_count;

/* A value of finitely many, and its text. */
typedef struct schema_choice {
    uint32_t number; /* equal values have equal ones */
    ingle_term text;
} schema_choice;

typedef struct schema_elements {
    schema_goal_id *prefix;
    size_t n_prefix;
    schema_goal_id rest;
    uint32_t min, max;
    schema_count counts[SCHEMA_MAX_CONTAINS];
    size_t n_counts;
    /* For an element at a place, whose goal is known: one for each set of counts that it is for,
     * [(n_prefix + 1) << n_counts], the last ones for the rest. Only with counts. */
    schema_goal_id *sorted;
    schema_choice *choices; /* NULL: elements may be equal */
    size_t n_choices;
    uint32_t n_numbers;
} schema_elements;

/* Makes the plan of a shape that has arrays; its goals are queued. False: failed. */
bool ingle_schema_elements_plan(schema *c, schema_shape *s);

bool ingle_schema_elements_alive(schema *c, const schema_elements *e);

#endif
