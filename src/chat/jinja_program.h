/* jinja_program.h - a compiled template: instructions for a machine with a stack of values.
 * Owns       the program, made by the compiler (jinja_compile.c), read by the machine (jinja_vm.c).
 * Depends on jinja_value.h.
 * Invariant  jumps stay within the program; every path leaves the stack as high as any other one
 *            that meets it. */
#ifndef INGLE_CHAT_JINJA_PROGRAM_H
#define INGLE_CHAT_JINJA_PROGRAM_H

#include "chat/jinja_value.h"

typedef enum jinja_op {
    JINJA_OP_END,
    JINJA_OP_TEXT,  /* prints constant a */
    JINJA_OP_PRINT, /* prints the top and drops it */
    JINJA_OP_CONST, /* pushes constant a */
    JINJA_OP_POP,
    JINJA_OP_NIP,        /* drops what is below the top */
    JINJA_OP_LOCAL,      /* pushes slot c of the b-th frame outwards */
    JINJA_OP_LOOKUP,     /* pushes the first that is set of reference a's slots, or its global */
    JINJA_OP_GLOBAL,     /* pushes global a */
    JINJA_OP_STORE,      /* slot c of this frame */
    JINJA_OP_STORE_ATTR, /* name a of the namespace on top; the value below */
    JINJA_OP_UNPACK,     /* a values in place of the top, the first one on top */
    JINJA_OP_NOT,
    JINJA_OP_NEG,
    JINJA_OP_POS,
    JINJA_OP_MATH, /* b: a jinja_math */
    JINJA_OP_CONCAT,
    JINJA_OP_COMPARE,      /* b: a jinja_comparison */
    JINJA_OP_COMPARE_KEEP, /* the same; the right operand stays below the result */
    JINJA_OP_JUMP,         /* by a instructions, as a signed number */
    JINJA_OP_JUMP_FALSE,   /* if the top, which is dropped, is false */
    JINJA_OP_FALSE_KEEP,   /* if the top is false; else it is dropped */
    JINJA_OP_TRUE_KEEP,
    JINJA_OP_ATTR, /* name a of the top */
    JINJA_OP_ITEM,
    JINJA_OP_SLICE, /* of the fourth value by the three on top */
    JINJA_OP_LIST,  /* an empty one */
    JINJA_OP_TUPLE,
    JINJA_OP_TUPLE_OF, /* of the top */
    JINJA_OP_ADD,      /* the top to the list or tuple below */
    JINJA_OP_DICT,
    JINJA_OP_ADD_PAIR,
    JINJA_OP_CALL,   /* shape a: what is called, arguments, values of keywords */
    JINJA_OP_METHOD, /* the same, of the name in the shape */
    JINJA_OP_FILTER,
    JINJA_OP_TEST,    /* b: the opposite */
    JINJA_OP_UNKNOWN, /* name a is no filter (b 0) or test (b 1) */
    JINJA_OP_FOR,     /* goes through the top in scope a; b: see below */
    JINJA_OP_NEXT,    /* pushes the next element, or jumps */
    JINJA_OP_PASS,    /* drops the top: whether the element passes; jumps if not */
    JINJA_OP_LEAVE,   /* the loop ends; jumps if it had elements and b is set */
    JINJA_OP_LOOPED,  /* a recursive loop ends: back to who called it, if somebody did */
    JINJA_OP_SCOPE,   /* enters scope a */
    JINJA_OP_UNSCOPE,
    JINJA_OP_CAPTURE, /* what is printed from now on becomes a value */
    JINJA_OP_CAPTURED,
    JINJA_OP_MACRO,   /* pushes macro a as it is here */
    JINJA_OP_DEFAULT, /* jumps if slot c is set */
    JINJA_OP_RETURN
} jinja_op;

typedef enum jinja_math {
    JINJA_ADD,
    JINJA_SUB,
    JINJA_MUL,
    JINJA_DIV,
    JINJA_FLOORDIV,
    JINJA_MOD,
    JINJA_POW
} jinja_math;

typedef enum jinja_comparison {
    JINJA_EQ,
    JINJA_NE,
    JINJA_LT,
    JINJA_LE,
    JINJA_GT,
    JINJA_GE,
    JINJA_IN,
    JINJA_NOT_IN
} jinja_comparison;

enum {                         /* of JINJA_OP_FOR */
       JINJA_FOR_FILTERED = 1, /* elements count once JINJA_OP_PASS has passed them */
       JINJA_FOR_PREFILTER =
           2, /* all of them are asked before the first turn: `loop` counts them */
       JINJA_FOR_RECURSIVE = 4
};

enum { JINJA_LOOP_SLOT = 0 }; /* `loop` in the scope of a loop */

typedef struct jinja_ins {
    uint8_t op, b;
    uint16_t c;
    uint32_t a;
} jinja_ins;

/* How something is called. */
typedef struct jinja_shape {
    jinja_str *name; /* of a method */
    const jinja_builtin *builtin;
    uint8_t n_args, n_kw;
    bool caller; /* a macro for the body of {% call %} lies below what is called */
    jinja_str **kw;
} jinja_shape;

typedef struct jinja_scope {
    uint32_t up; /* the scope around it; that of the template is 0 and its own */
    uint32_t n_slots;
    bool captured; /* macros in it keep it */
} jinja_scope;

typedef struct jinja_macro {
    jinja_str *name;
    uint32_t entry, scope;
    uint32_t n_params; /* slots 0 ... */
    jinja_str **param;
    uint16_t caller, varargs, kwargs; /* slots of these names; JINJA_NO_SLOT: not read */
} jinja_macro;
#define JINJA_NO_SLOT UINT16_MAX

/* Where a name may have been set, from the inside out. */
typedef struct jinja_reference {
    uint32_t global;
    uint32_t n;
    struct {
        uint16_t hops, slot;
    } at[];
} jinja_reference;

struct ingle_jinja {
    jinja_arena arena;
    jinja_ins *code;
    uint32_t *line; /* [n_code] */
    size_t n_code;
    jinja_value *consts;
    size_t n_consts;
    jinja_str **names; /* attributes, keywords, globals */
    size_t n_names;
    jinja_shape *shapes;
    size_t n_shapes;
    jinja_scope *scopes;
    size_t n_scopes;
    jinja_macro *macros;
    size_t n_macros;
    jinja_reference **refs;
    size_t n_refs;
    uint32_t *globals; /* [n_globals], a name each */
    size_t n_globals;
};

#endif
