/* jinja_value.h - the values of a template and the state of one rendering.
 * Owns       types only. Depends on jinja.h, jinja_arena.h.
 * Invariant  values point into the arenas of the rendering, into the program, or into the caller's
 *            context, which all outlive them; strings are UTF-8 and do not change. */
#ifndef INGLE_CHAT_JINJA_VALUE_H
#define INGLE_CHAT_JINJA_VALUE_H

#include "chat/jinja.h"
#include "chat/jinja_arena.h"

typedef enum jinja_kind {
    JINJA_MISSING, /* no value at all: a slot that was not set, an argument that was not given */
    JINJA_UNDEFINED,
    JINJA_NONE,
    JINJA_BOOL,
    JINJA_INT,
    JINJA_BIG, /* a whole number beyond int64_t */
    JINJA_FLOAT,
    JINJA_STR,
    JINJA_LIST,
    JINJA_TUPLE,
    JINJA_DICT,
    JINJA_SPACE, /* namespace() */
    JINJA_RANGE,
    JINJA_GEN,  /* what map, select, items and such return: a list that is gone through once */
    JINJA_VIEW, /* keys(), values(), items() of a dict */
    JINJA_LOOP,
    JINJA_MACRO,
    JINJA_FUNC, /* range, namespace, ... */
    JINJA_METHOD,
    JINJA_CYCLER,
    JINJA_JOINER
} jinja_kind;

/* Runs of bytes of one origin take turns: the first one has origin `trusted`, run i ends at
 * ends[i], the last one, n_runs - 1, at n. */
typedef struct jinja_str {
    const char *p;
    uint32_t n;
    uint32_t n_chars; /* UINT32_MAX: not counted yet */
    uint32_t n_runs;  /* at least 1 */
    bool trusted;
    const uint32_t *ends; /* [n_runs - 1] */
} jinja_str;

typedef struct jinja_list jinja_list;
typedef struct jinja_dict jinja_dict;
typedef struct jinja_big jinja_big;
typedef struct jinja_loop jinja_loop;
typedef struct jinja_closure jinja_closure;
typedef struct jinja_range jinja_range;
typedef struct jinja_bound jinja_bound;

/* Why there is no value: the text that using it as one would give. */
typedef enum jinja_lack {
    JINJA_LACK_NAME, /* 'x' is undefined */
    JINJA_LACK_ATTR, /* 'dict object' has no attribute 'x' */
    JINJA_LACK_ITEM, /* list object has no element 0 */
    JINJA_LACK_TEXT  /* the text itself */
} jinja_lack;

typedef struct jinja_value {
    uint8_t kind;    /* jinja_kind */
    bool trusted;    /* not of strings, which know more */
    bool safe;       /* a string that counts as HTML: + escapes what it is joined with */
    uint8_t detail;  /* UNDEFINED: jinja_lack; VIEW: 'k', 'v', 'i' */
    uint32_t number; /* UNDEFINED: the kind of what lacks it; FUNC: which */
    union {
        bool b;
        int64_t i; /* also UNDEFINED, JINJA_LACK_ITEM */
        double f;
        jinja_str *str; /* also UNDEFINED */
        jinja_list *list;
        jinja_dict *dict;
        const jinja_big *big;
        jinja_range *range;
        jinja_loop *loop;
        jinja_closure *closure;
        jinja_bound *bound;
    } u;
} jinja_value;

struct jinja_list {
    jinja_value *item;
    uint32_t n, cap;
    uint32_t next;          /* of a generator: what comes next */
    bool made;              /* by the template */
    bool messages;          /* the context's list of that name */
    const ingle_json *json; /* its elements, until they are asked for */
};

typedef struct jinja_pair {
    jinja_value key, value;
} jinja_pair;

struct jinja_dict {
    jinja_pair *pair; /* in the order of insertion; none is ever removed */
    uint32_t n, cap;
    uint32_t *slots; /* [mask + 1]: pair + 1, by hash; NULL: few pairs */
    uint32_t mask;
    uint32_t message; /* 1 + the index in the context's messages */
    const ingle_json *json;
};

struct jinja_range {
    int64_t first, step, n;
    int64_t stop;
};

/* +-limb[0] + limb[1] * 10^9 + ... ; the highest limb is not 0. */
struct jinja_big {
    bool negative;
    uint32_t n;
    uint32_t limb[];
};

/* A method and what it is of. */
struct jinja_bound {
    jinja_value self;
    const struct jinja_builtin *method;
};

/* Slots of one scope, while it is entered. */
typedef struct jinja_frame {
    struct jinja_frame *up; /* of the scope around it in the text */
    jinja_value slot[];
} jinja_frame;

struct jinja_closure {
    const struct jinja_macro *macro;
    jinja_frame *env;
};

/* A loop while it runs, and what `loop` is. */
struct jinja_loop {
    jinja_list *list;
    uint32_t i, n; /* elements taken; elements when it began */
    uint32_t depth;
    bool iterated, filtering, prefilter, marking;
    bool in_turn;   /* an element was taken, and no mark made */
    uint32_t entry; /* of a recursive loop: its first instruction; else UINT32_MAX */
    uint32_t scope;
    size_t n_marks, n_out; /* when it began */
    jinja_frame *env;      /* around it */
    jinja_frame *frame;
    jinja_list *kept;    /* the elements that pass, while filtering */
    jinja_value changed; /* arguments of the last changed() */
};

/* Text under construction. Below `floor` the runs belong to something around it. */
typedef struct jinja_run {
    uint32_t at;
    bool trusted;
} jinja_run;

typedef struct jinja_out {
    char *p;
    size_t n, cap;
    jinja_run *runs;
    size_t n_runs, cap_runs, floor;
} jinja_out;

/* Where a piece of text began. */
typedef struct jinja_cut {
    size_t n, n_runs, floor;
} jinja_cut;

/* One rendering. Functions that return false have called one of the ingle_jinja_fail...(). */
typedef struct jinja_render {
    const ingle_jinja *program;
    const struct jinja_registry *builtins;
    const ingle_jinja_input *in;
    jinja_arena heap;  /* values */
    jinja_arena bytes; /* text of strings */
    jinja_out out;
    uint64_t fuel, max_steps;
    size_t max_output;
    ingle_status status;
    ingle_error error; /* without the line */
    char *raised;
    size_t n_raised;
    jinja_value *globals;
    uint32_t n_captures;
    ingle_jinja_mark *marks;
    size_t n_marks, cap_marks;
} jinja_render;

/* A call of something built in: its subject is arg[0], if it has one. Arguments that were not given
 * are MISSING; those of variadic functions come as they were written. */
enum { JINJA_MAX_ARGS = 10 };
typedef struct jinja_call {
    const jinja_value *arg;
    uint32_t n_args;
    const jinja_value *kw; /* [n_kw] */
    jinja_str *const *kw_name;
    uint32_t n_kw;
} jinja_call;

typedef struct jinja_builtin {
    const char *name;
    const char *params; /* "old new count": after the subject; NULL: any number, any names */
    uint32_t n_needed;  /* of params */
    bool (*fn)(jinja_render *r, const jinja_call *c, jinja_value *out);
} jinja_builtin;

/* How built-in things find one another: the tables depend on them, so they cannot on the tables. */
typedef struct jinja_registry {
    const jinja_builtin *(*filter)(const char *name, size_t n);
    const jinja_builtin *(*test)(const char *name, size_t n);
    const jinja_builtin *(*method)(const jinja_value *self, const char *name, size_t n);
} jinja_registry;

/* ---- failing, and counting work (jinja_fail.c) ----------------------------------------------- */

bool ingle_jinja_fail(jinja_render *r, ingle_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define JINJA_REFUSE(r, ...) ingle_jinja_fail(r, INGLE_EINVAL, __VA_ARGS__)
bool ingle_jinja_fail_memory(jinja_render *r);
bool ingle_jinja_fail_fuel(jinja_render *r);
bool ingle_jinja_fail_undefined(jinja_render *r, const jinja_value *v);
const char *ingle_jinja_type_name(const jinja_value *v); /* as Python's: "str" */

static inline bool ingle_jinja_burn(jinja_render *r, uint64_t steps)
{
    if (r->fuel < steps) return ingle_jinja_fail_fuel(r);
    r->fuel -= steps;
    return true;
}

/* ---- making values --------------------------------------------------------------------------- */

static inline jinja_value ingle_jinja_none(void)
{
    return (jinja_value){.kind = JINJA_NONE, .trusted = true};
}
static inline jinja_value ingle_jinja_bool(bool b, bool trusted)
{
    return (jinja_value){.kind = JINJA_BOOL, .trusted = trusted, .u.b = b};
}
static inline jinja_value ingle_jinja_int(int64_t i, bool trusted)
{
    return (jinja_value){.kind = JINJA_INT, .trusted = trusted, .u.i = i};
}
static inline jinja_value ingle_jinja_float(double f, bool trusted)
{
    return (jinja_value){.kind = JINJA_FLOAT, .trusted = trusted, .u.f = f};
}
static inline jinja_value ingle_jinja_of_str(jinja_str *s)
{
    return (jinja_value){.kind = JINJA_STR, .trusted = true, .u.str = s};
}
static inline jinja_value ingle_jinja_of_list(jinja_kind kind, jinja_list *l, bool trusted)
{
    return (jinja_value){.kind = (uint8_t)kind, .trusted = trusted, .u.list = l};
}
static inline bool ingle_jinja_is_str(const jinja_value *v, const char *text)
{
    size_t n = strlen(text);
    return v->kind == JINJA_STR && v->u.str->n == n && !memcmp(v->u.str->p, text, n);
}
static inline bool ingle_jinja_str_same(const jinja_str *a, const jinja_str *b)
{
    return a == b || (a->n == b->n && !memcmp(a->p, b->p, a->n));
}

#endif
