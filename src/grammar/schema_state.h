/* schema_state.h - what the parts of the schema compiler share: atoms, goals, shapes.
 *
 * An atom is a question about a JSON value: is it valid against a schema, equal to a value, valid
 * for one of several goals; or the opposite of that. A goal is a set of atoms that all must hold;
 * equal goals are one number. A goal is taken apart into shapes of which one must hold, and a shape
 * is a set of types with facts about each of them; sub-schemas remain goals. So recursion by $ref
 * ends: the goal is there already.
 *
 * Owns       everything in `memory`, the sources, the maps.
 * Depends on schema_source.h, term.h. */
#ifndef INGLE_GRAMMAR_SCHEMA_STATE_H
#define INGLE_GRAMMAR_SCHEMA_STATE_H

#include "grammar/schema.h"
#include "grammar/schema_source.h"

/* ---- types ----------------------------------------------------------------------------------- */

/* A number is an integer if its value is whole. */
enum {
    TYPE_NULL = 1,
    TYPE_TRUE = 2,
    TYPE_FALSE = 4,
    TYPE_INTEGER = 8,
    TYPE_FRACTION = 16,
    TYPE_STRING = 32,
    TYPE_ARRAY = 64,
    TYPE_OBJECT = 128,
    TYPE_BOOL = TYPE_TRUE | TYPE_FALSE,
    TYPE_NUMBER = TYPE_INTEGER | TYPE_FRACTION,
    TYPE_ALL = 255
};

/* ---- atoms and goals ------------------------------------------------------------------------- */

/* An atom's number times two, plus one for its opposite. */
typedef uint32_t schema_ref;
typedef uint32_t schema_goal_id;

enum { GOAL_TRUE = 0, GOAL_FALSE = 1 };

typedef enum schema_atom_kind { ATOM_NEVER, ATOM_SCHEMA, ATOM_VALUE, ATOM_OR } schema_atom_kind;

typedef struct schema_atom {
    uint64_t kind;               /* schema_atom_kind; wide, so that equal atoms have equal bytes */
    const ingle_json *node;      /* schema, value */
    uint64_t scope;              /* of a schema: what $dynamicRef may find */
    const schema_goal_id *goals; /* of "or" */
    uint64_t n_goals;
} schema_atom;

typedef struct schema_shape schema_shape;

/* GOAL_HARD: taking it apart has failed. */
typedef enum schema_goal_state { GOAL_NEW, GOAL_BUSY, GOAL_DONE, GOAL_HARD } schema_goal_state;

typedef struct schema_goal {
    const schema_ref *atoms; /* sorted */
    size_t n_atoms;
    schema_goal_state state;
    schema_shape **shapes;
    size_t n_shapes;
    bool queued, alive;
    ingle_term term; /* once it is known */
    uint32_t rule;
    bool has_rule;
} schema_goal;

/* ---- shapes ---------------------------------------------------------------------------------- */

typedef struct schema_named {
    uint32_t name;
    schema_goal_id goal;
} schema_named;

typedef struct schema_patterned {
    const ingle_json *pattern; /* a string */
    schema_goal_id goal;
} schema_patterned;

/* properties, patternProperties and additionalProperties of one schema. */
typedef struct schema_layer {
    const schema_named *names; /* in the schema's order */
    size_t n_names;
    const schema_patterned *patterns;
    size_t n_patterns;
    schema_goal_id rest;
    bool covers;             /* every property counts as evaluated */
    const ingle_json *where; /* the schema, NULL: a value */
} schema_layer;

/* prefixItems and items of one schema. */
typedef struct schema_items {
    const schema_goal_id *prefix;
    size_t n_prefix;
    schema_goal_id rest;
    bool covers;
} schema_items;

typedef struct schema_decimal schema_decimal;

typedef enum schema_fact_kind {
    FACT_MULTIPLE, /* decimal */
    FACT_NUMBERS,  /* one of the numbers of node, an array or a number */
    FACT_STRINGS,  /* likewise */
    FACT_PATTERN,  /* node: the string */
    FACT_FORMAT,
    FACT_ITEMS,    /* items */
    FACT_ITEM,     /* element `from` exists and is goal */
    FACT_CONTAINS, /* min to max elements from number `from` on are goal */
    FACT_UNIQUE,
    FACT_LAYER,    /* layer */
    FACT_REQUIRE,  /* name */
    FACT_FORBID,   /* name */
    FACT_PROPERTY, /* name, if it is there, is goal */
    FACT_NAMES,    /* every key is goal */
    /* Some property is goal whose key is neither a name nor a pattern of layer; matches pattern
     * node; or is a string of goal `keys`. */
    FACT_SOME_REST,
    FACT_SOME_PATTERN,
    FACT_SOME_KEY,
    FACT_LATE_PROPERTIES, /* unevaluatedProperties: goal; gone from finished shapes */
    FACT_LATE_ITEMS       /* unevaluatedItems */
} schema_fact_kind;

typedef struct schema_fact schema_fact;
struct schema_fact {
    const schema_fact *next; /* while the shape is made: the one before */
    schema_fact_kind kind;
    bool negated; /* MULTIPLE to FORMAT, UNIQUE */
    bool placed;  /* REQUIRE: the name has its place where it is met, not after all others */
    uint32_t frame, name, min, max, from;
    schema_goal_id goal, keys;
    const ingle_json *node;
    const ingle_json *where; /* the schema it comes from */
    const schema_decimal *decimal;
    const schema_layer *layer;
    const schema_items *items;
};

struct schema_shape {
    uint32_t types;
    const schema_decimal *low, *high; /* NULL: none */
    bool low_open, high_open;         /* the bound itself does not belong */
    uint32_t min_len, max_len, min_items, max_items, min_members, max_members;
    const schema_fact *facts; /* in the order of the schema once it is finished */
    ingle_term scalar;        /* texts of null to string */
    struct schema_members *members;
    struct schema_elements *elements;
};

/* Whether the goal admits every value, whatever its schema says. */
static inline bool ingle_schema_is_any(const schema_goal *g)
{
    const schema_shape *s = g->n_shapes == 1 ? g->shapes[0] : NULL;
    return s && s->types == TYPE_ALL && !s->facts && !s->low && !s->high && !s->min_len &&
           !s->min_items && !s->min_members && s->max_len == INGLE_TERM_MANY &&
           s->max_items == INGLE_TERM_MANY && s->max_members == INGLE_TERM_MANY;
}

/* ---- the compiler ---------------------------------------------------------------------------- */

typedef struct schema_scope {
    const uint32_t *anchors; /* indices */
    size_t n;
} schema_scope;

enum {
    SCHEMA_MAX_GOALS = 200000,
    SCHEMA_MAX_SHAPES = 2048, /* of one goal */
    SCHEMA_MAX_STEPS = 4000000,
    SCHEMA_MAX_NESTING = 6 /* goals looked into while another one is taken apart */
};

typedef struct schema {
    ingle_terms *t;
    const ingle_schema_options *opt;
    ingle_error *err;
    ingle_status status; /* the first failure; everything then ends soon */
    schema_memory memory;
    schema_source source;
    schema_map by_name, by_atom, by_goal, by_list, by_scope;
    const ingle_json **names;
    size_t n_names, cap_names;
    schema_atom *atoms;
    size_t n_atoms, cap_atoms;
    schema_goal *goals;
    size_t n_goals, cap_goals;
    schema_scope *scopes;
    size_t n_scopes, cap_scopes;
    schema_goal_id *queue; /* goals that are reached */
    size_t n_queue, cap_queue;
    schema_map dropped;              /* keywords already reported: node, keyword */
    schema_map patterns;             /* text -> term */
    schema_map layers;               /* schema and scope -> number of a layer */
    const schema_layer **all_layers; /* NULL: failed */
    size_t n_layers, cap_layers;
    /* See schema_apart.h, which makes shapes of goals itself. */
    bool (*apart)(struct schema *c, schema_goal_id a, schema_goal_id b, uint32_t types);
    bool (*excludes)(struct schema *c, const schema_shape *s, schema_goal_id goal);
    schema_map sets;     /* values of enum */
    schema_map disjoint; /* pairs of goals -> 1 no, 2 yes */
    ingle_term without;  /* what the notation lets stand in strings; NONE: anything */
    ingle_term space, any_char,
        own_char; /* once they are made; see schema_text.h, schema_chars.h */
    size_t steps;
    unsigned nesting;
} schema;

/* Keeps the first failure, with the pointer of the schema and the keyword (NULL: none); false. */
bool ingle_schema_fail(schema *c, ingle_status status, const ingle_json *where, const char *keyword,
                       const char *format, ...) __attribute__((format(printf, 5, 6)));
bool ingle_schema_no_memory(schema *c);
/* A keyword that cannot be enforced. True: it is dropped and reported, the caller goes on. */
bool ingle_schema_drop(schema *c, const ingle_json *where, const char *keyword, const char *why);
/* Counts work; false: more than is allowed. */
bool ingle_schema_work(schema *c, size_t n);

void *ingle_schema_new(schema *c, size_t n, size_t size); /* NULL: failed, kept */

#endif
