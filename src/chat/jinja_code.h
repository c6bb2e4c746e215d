/* jinja_code.h - the compiler's state, and how it writes a program.
 * Owns       the program under construction, its names and scopes, the stack of goals.
 * Depends on jinja_program.h, jinja_lex.h, base/map.h.
 * Invariant  the first failure is kept in `status`; after it nothing that is written matters.
 *
 * The compiler never calls itself: what a recursive descent would do after a call returns is a goal
 * on a stack. A goal is taken from the top, reads tokens, emits instructions, and pushes what is
 * still to be done, last things first. */
#ifndef INGLE_CHAT_JINJA_CODE_H
#define INGLE_CHAT_JINJA_CODE_H

#include "chat/jinja_lex.h"
#include "chat/jinja_program.h"

#include "base/map.h"

/* x, y: instructions, positions of tokens, names; c, b: counts and flags. */
typedef struct jinja_goal {
    uint8_t kind, b;
    uint16_t c;
    uint32_t x, y;
} jinja_goal;

typedef struct jinja_slot {
    uint32_t scope, name;
    uint16_t slot;
    bool always; /* set as soon as the scope is entered */
} jinja_slot;

enum { JINJA_READ_CALLER, JINJA_READ_VARARGS, JINJA_READ_KWARGS, JINJA_READ_LOOP, JINJA_N_READS };

typedef struct jinja_compiler {
    ingle_jinja *j;
    jinja_tokens t;
    size_t pos; /* the current token */
    jinja_goal *goals;
    size_t n_goals, cap_goals, max_goals;
    size_t cap_code, cap_lines, cap_consts, cap_names, cap_shapes, cap_scopes, cap_macros, cap_refs,
        cap_globals;
    ingle_map name_map, slot_map;
    jinja_slot *slots;
    size_t n_slots, cap_slots;
    uint32_t *kw; /* names of the keywords of calls under way */
    size_t n_kw, cap_kw;
    uint32_t *global_of; /* [n_names] 1 + index in j->globals */
    uint32_t scope;
    uint32_t reads[JINJA_N_READS]; /* how often such a name was read so far */
    uint32_t unknown;              /* 1 + the first JINJA_OP_UNKNOWN of this statement */
    uint32_t unknown_line;
    uint32_t n_ifs;  /* open ones */
    uint32_t landed; /* the last instruction that a jump was led to from before it */
    ingle_status status;
    ingle_error *err;
} jinja_compiler;

/* ---- tokens ---------------------------------------------------------------------------------- */

static inline const jinja_token *ingle_jinja_token(const jinja_compiler *c)
{
    return &c->t.token[c->pos];
}
static inline bool ingle_jinja_is(const jinja_compiler *c, jinja_token_kind kind)
{
    return c->t.token[c->pos].kind == (uint32_t)kind;
}
bool ingle_jinja_is_name(const jinja_compiler *c, const char *name);
bool ingle_jinja_take(jinja_compiler *c, jinja_token_kind kind); /* steps over it if it is there */
bool ingle_jinja_take_name(jinja_compiler *c, const char *name);
void ingle_jinja_expect(jinja_compiler *c, jinja_token_kind kind); /* fails if it is not */
void ingle_jinja_syntax(jinja_compiler *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void ingle_jinja_unsupported(jinja_compiler *c, const char *what);
void ingle_jinja_no_memory(jinja_compiler *c);

/* ---- goals ----------------------------------------------------------------------------------- */

void ingle_jinja_push(jinja_compiler *c, jinja_goal goal);

/* ---- the program ----------------------------------------------------------------------------- */

static inline uint32_t ingle_jinja_here(const jinja_compiler *c)
{
    return (uint32_t)c->j->n_code;
}
/* Returns where it is. */
uint32_t ingle_jinja_emit(jinja_compiler *c, jinja_op op, unsigned b, unsigned slot, uint32_t a);
/* The jump at `from` leads here; to `to`. */
void ingle_jinja_land(jinja_compiler *c, uint32_t from);
void ingle_jinja_aim(jinja_compiler *c, uint32_t from, uint32_t to);
/* [x, y) and [y, z) trade places. */
void ingle_jinja_rotate(jinja_compiler *c, uint32_t x, uint32_t y, uint32_t z);

void ingle_jinja_emit_const(jinja_compiler *c, jinja_value v);
bool ingle_jinja_make_str(jinja_compiler *c, const char *p, size_t n, jinja_value *out);
uint32_t ingle_jinja_name(jinja_compiler *c, const char *p, size_t n);
uint32_t ingle_jinja_name_here(jinja_compiler *c); /* of the current token, which has to be one */
void ingle_jinja_emit_load(jinja_compiler *c, uint32_t name);
void ingle_jinja_emit_store(jinja_compiler *c, uint32_t name);
/* A call of n_args and the keywords from kw_base on, which are taken. */
uint32_t ingle_jinja_shape(jinja_compiler *c, const jinja_builtin *f, uint32_t name, size_t n_args,
                           size_t kw_base);

uint32_t ingle_jinja_scope_open(jinja_compiler *c);
void ingle_jinja_scope_close(jinja_compiler *c);
uint16_t ingle_jinja_slot(jinja_compiler *c, uint32_t scope, uint32_t name, bool always);
uint32_t ingle_jinja_macro(jinja_compiler *c, uint32_t name);

/* All scopes are complete: every load learns where its name may be. */
void ingle_jinja_resolve(jinja_compiler *c);

#endif
