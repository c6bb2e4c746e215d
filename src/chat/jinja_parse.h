/* jinja_parse.h - the goals of the compiler, in its two halves.
 * Depends on jinja_code.h. */
#ifndef INGLE_CHAT_JINJA_PARSE_H
#define INGLE_CHAT_JINJA_PARSE_H

#include "chat/jinja_code.h"

typedef enum jinja_goal_kind {
    /* Expressions: jinja_expr.c. Those above _EXPR_END. */
    JINJA_G_EXPR,      /* b: with `x if y else z` */
    JINJA_G_COND,      /* x: where the expression begins */
    JINJA_G_COND_TEST, /* x, y: what it is if the test, from y on, holds */
    JINJA_G_COND_ELSE, /* x: jump over it */
    JINJA_G_OR_REST,
    JINJA_G_OR_LAND, /* x: jump */
    JINJA_G_AND,
    JINJA_G_AND_REST,
    JINJA_G_AND_LAND,
    JINJA_G_NOT,
    JINJA_G_COMPARE_REST,
    JINJA_G_COMPARE_DONE, /* b: comparison; x: 1 + the last jump of the chain so far */
    JINJA_G_SUM,
    JINJA_G_SUM_REST,
    JINJA_G_TILDE,
    JINJA_G_TILDE_REST,
    JINJA_G_PRODUCT,
    JINJA_G_PRODUCT_REST,
    JINJA_G_POWER,
    JINJA_G_POWER_REST,
    JINJA_G_UNARY, /* b: with filters */
    JINJA_G_EMIT,  /* instruction c with b */
    JINJA_G_PRIMARY,
    JINJA_G_POSTFIX,
    JINJA_G_FILTERS,    /* b: nothing but filters, no tests or calls */
    JINJA_G_FILTER,     /* the name of one comes next */
    JINJA_G_ARGS,       /* b: opcode; c: arguments so far; x: name; y: the first keyword */
    JINJA_G_TEST_DONE,  /* b: the opposite; x: name */
    JINJA_G_EXPECT,     /* token c */
    JINJA_G_SUBSCRIPT,  /* after the first part */
    JINJA_G_SLICE,      /* after the first colon's left side */
    JINJA_G_SLICE_STEP, /* after the second part */
    JINJA_G_SLICE_DONE,
    JINJA_G_TUPLE,      /* b: jinja_tuple flags */
    JINJA_G_TUPLE_REST, /* c: whether it is one by now */
    JINJA_G_LIST_REST,
    JINJA_G_LIST_NEXT,
    JINJA_G_DICT_REST,
    JINJA_G_DICT_VALUE,
    JINJA_G_DICT_NEXT,
    JINJA_G_EXPR_END,

    /* Statements: jinja_stmt.c. */
    JINJA_G_BODY,    /* x: the tags that end it, a bit each */
    JINJA_G_PRINTED, /* x: where its code begins */
    JINJA_G_CLOSE,   /* the end of a tag comes next */
    JINJA_G_SEEK,    /* token x comes next */
    JINJA_G_IF_TEST, /* y: 1 + the last jump to the end */
    JINJA_G_IF_NEXT, /* x: jump over the body */
    JINJA_G_IF_END,
    JINJA_G_FOR_ITER,    /* x: token of the targets */
    JINJA_G_FOR_TARGETS, /* x: JINJA_OP_FOR; y: token after the iterable */
    JINJA_G_FOR_PASS,
    JINJA_G_FOR_HEAD,
    JINJA_G_FOR_END, /* x: JINJA_OP_FOR; y: 1 + the last jump of a break */
    JINJA_G_FOR_ELSE,
    JINJA_G_TARGET,      /* b: namespaces too */
    JINJA_G_TARGET_REST, /* x: 1 + JINJA_OP_UNPACK; c: how many so far */
    JINJA_G_TARGET_NEXT, /* perhaps a comma and more */
    JINJA_G_SET_STORE,   /* x: token of the targets */
    JINJA_G_BLOCK_END,   /* of a set block; x: token of the target; y: of its filters */
    JINJA_G_BLOCK_STORE, /* y: token after endset */
    JINJA_G_WITH_VALUE,  /* c: values so far; y: the first name */
    JINJA_G_SCOPE_END,   /* of with, generation, block */
    JINJA_G_FILTER_END,  /* x: token of the filters */
    JINJA_G_FILTER_DONE, /* x: token after endfilter */
    JINJA_G_PARAMS,      /* c: so far; x: macro; y: JINJA_OP_JUMP over it */
    JINJA_G_PARAM_STORE, /* a default, to slot c; x: JINJA_OP_DEFAULT */
    JINJA_G_MACRO_END,
    JINJA_G_CALL_EXPR /* x: token of the parameters; y: JINJA_OP_MACRO */
} jinja_goal_kind;

enum {                            /* of JINJA_G_TUPLE */
       JINJA_TUPLE_PARENS = 1,    /* may be empty */
       JINJA_TUPLE_COND = 2,      /* with `x if y else z` */
       JINJA_TUPLE_RECURSIVE = 4, /* the name `recursive` ends it */
};

void ingle_jinja_expr_goal(jinja_compiler *c, jinja_goal goal);
void ingle_jinja_stmt_goal(jinja_compiler *c, jinja_goal goal);

#endif
