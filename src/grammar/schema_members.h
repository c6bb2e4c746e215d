/* schema_members.h - the members that an object of a shape may have: for each name and for the
 * other keys, which goals, and which of the shape's "some member" facts they meet.
 * Depends on schema_property.h. */
#ifndef INGLE_GRAMMAR_SCHEMA_MEMBERS_H
#define INGLE_GRAMMAR_SCHEMA_MEMBERS_H

#include "grammar/schema_state.h"

enum { SCHEMA_MAX_SOME = 5, SCHEMA_MAX_CELLS = 64 };

/* A value that a member may have, and the facts that it then meets, as bits. */
typedef struct schema_option {
    schema_goal_id goal;
    uint32_t meets;
} schema_option;

typedef struct schema_member {
    uint32_t name;
    bool required;
    schema_option *options; /* none: the member cannot be there */
    size_t n_options;
} schema_member;

/* Keys without a name of their own that are alike: the same patterns match. */
typedef struct schema_cell {
    ingle_term key;  /* the inside; INGLE_TERM_ANY: any string, in any spelling */
    uint32_t inside; /* the splitters that match, as bits */
    schema_option *options;
    size_t n_options;
} schema_cell;

typedef struct schema_members {
    schema_member *members;
    size_t n_members;
    schema_cell *cells;
    size_t n_cells;
    uint32_t min, max;
    unsigned n_some;
} schema_members;

/* Makes the plan of a shape that has objects; its goals are queued. False: failed. */
bool ingle_schema_members_plan(schema *c, schema_shape *s);

/* Whether there is such an object, with what is known of goals so far. */
bool ingle_schema_members_alive(const schema *c, const schema_members *m);

/* Which facts the living values of a member can meet, as a set of sets: bit `set`. */
uint32_t ingle_schema_meetings(const schema *c, const schema_option *options, size_t n);

#endif
