/* schema_run.h - one goal on its way to shapes: states that branch, each a shape so far and the
 * steps that are left.
 * Owns       the frames and the states of a run. Steps and facts lie in the compiler's arena.
 * Depends on schema_state.h.
 * Invariant  a branch shares facts and steps with the others; they never change. */
#ifndef INGLE_GRAMMAR_SCHEMA_RUN_H
#define INGLE_GRAMMAR_SCHEMA_RUN_H

#include "grammar/schema_goal.h"

/* Where an atom stands in the tree of schemas that apply to the same value. */
typedef struct schema_frame {
    uint32_t parent;
    schema_ref atom;
    bool mute;     /* what it evaluates does not count for the frames around it */
    bool observed; /* unevaluated... asks what it evaluates */
    bool exact;    /* and must know of all of it: something that is not evaluated is wanted */
} schema_frame;

typedef struct schema_word schema_word;

typedef struct schema_step schema_step;
struct schema_step {
    const schema_step *next;
    const schema_word *word; /* NULL: an atom */
    schema_ref atom;
    bool negated;            /* the word */
    bool mute;               /* the atom */
    const schema_word *late; /* of the atom, a schema: this unevaluated... must not hold */
    uint32_t frame, scope;
    const ingle_json *node, *name, *value; /* the schema and one of its members */
};

typedef struct schema_run_state {
    schema_shape shape;
    const schema_step *todo;
    const schema_fact *pruned; /* the facts when contradictions were last looked for */
} schema_run_state;

typedef struct schema_run {
    schema *c;
    schema_goal_id goal;
    schema_frame *frames;
    size_t n_frames, cap_frames;
    schema_run_state *states;
    size_t n_states, cap_states;
} schema_run;

/* A keyword where it is met. */
typedef struct schema_at {
    schema_run *run;
    schema_run_state *state;
    const schema_word *word;
    const ingle_json *node, *name, *value;
    uint32_t frame, scope;
    bool negated;
    const schema_word *late;
    bool forked; /* set by the keyword: branches stand for the state */
} schema_at;

/* What a keyword does to a state: to the shape, to the steps, or by branches. */
typedef void schema_word_does(schema_at *at);

typedef enum schema_word_kind {
    WORD_NOTE,  /* asks for nothing */
    WORD_LOCAL, /* never branches, unless it is negated */
    WORD_LATER
} schema_word_kind;

struct schema_word {
    const char *name;
    schema_word_kind kind;
    schema_word_does *does;
    const char *with; /* the keyword that it belongs to, which handles both; NULL: itself */
};

/* A branch, a copy of the state; valid until the next one. NULL: failed. */
schema_run_state *ingle_schema_fork(schema_at *at);
/* A branch for values of these types. */
schema_run_state *ingle_schema_fork_types(schema_at *at, uint32_t types);

/* The goal, too, must hold for the same value. mute: it evaluates nothing. */
void ingle_schema_then(schema_at *at, schema_run_state *s, schema_goal_id goal, bool mute);
/* Everything in the schema, which is being negated, but for the keyword `late`, which must not. */
void ingle_schema_then_late(schema_at *at, schema_run_state *s, const schema_word *late);
/* The keyword `word` with another name and value. */
void ingle_schema_then_word(schema_at *at, schema_run_state *s, const schema_word *word,
                            const ingle_json *name, const ingle_json *value);

/* Adds a copy of the fact, its frame and place set. */
void ingle_schema_fact(schema_at *at, schema_run_state *s, schema_fact fact);
/* A property must be there, or must not; without OBJECT if that contradicts what is known. */
void ingle_schema_require(schema_at *at, schema_run_state *s, const ingle_json *name, bool there);
/* 1: required, -1: forbidden, 0: neither is known. */
int ingle_schema_presence(const schema_run_state *s, uint32_t name);

/* A sub-schema as a goal, or its opposite. */
schema_goal_id ingle_schema_sub(schema_at *at, const ingle_json *schema_node, bool negated);

/* Reports a keyword whose value is not what it must be. */
void ingle_schema_malformed(schema_at *at, const char *must);
/* The value as a count; false: malformed, reported. Larger ones are UINT32_MAX - 1. */
bool ingle_schema_count(schema_at *at, const ingle_json *value, uint32_t *out);

/* Takes types away whose facts contradict each other. */
void ingle_schema_settle(schema_shape *s);

#endif
