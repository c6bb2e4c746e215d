/* syntax.h - how models write what is not plain text: thinking and calls of tools, as data.
 * Owns       nothing: all of it is constant.
 * Depends on the C library only.
 * Invariant  a new format is a line in syntax.c; the parser (parse.h) knows kinds, no format.
 *
 * Marks are texts of at most INGLE_MARK_MAX bytes. Around marks white space may stand that is not
 * part of anything; parse.h says what becomes of it. */
#ifndef INGLE_CHAT_SYNTAX_H
#define INGLE_CHAT_SYNTAX_H

#include <stdbool.h>
#include <stddef.h>

enum { INGLE_MARK_MAX = 64, INGLE_SYNTAX_HEADS = 4, INGLE_SYNTAX_SIGNS = 4 };

/* What has to be in the text of a template (signs, ended by NULL), and what must not be. */
typedef struct ingle_signs {
    const char *all[INGLE_SYNTAX_SIGNS];
    const char *none[INGLE_SYNTAX_SIGNS];
} ingle_signs;

/* Whether the n bytes at p have all of the one and none of the other. Never where no sign is
 * asked for. */
bool ingle_signs_in(const ingle_signs *signs, const char *p, size_t n);
/* Whether a text occurs in the n bytes at p. */
bool ingle_text_in(const char *text, const char *p, size_t n);

/* ---- thinking -------------------------------------------------------------------------------- */

typedef struct ingle_thinking {
    const char *name;
    ingle_signs signs;
    /* [2]: the second is another spelling of the first; NULL: none. */
    const char *open[2], *close[2];
    /* Marks that have no meaning of their own, around the answer or around thinking. */
    const char *passed_over[4];
    bool anywhere; /* `open` is no ordinary text, so it counts in the middle of an answer too */
    bool harmony;  /* messages with channels; open and close are not used */
} ingle_thinking;

/* ---- calls ----------------------------------------------------------------------------------- */

typedef enum ingle_call_kind {
    INGLE_CALL_OBJECT, /* JSON: {name, arguments}, or an array of such objects */
    INGLE_CALL_NAMED,  /* name, then the arguments as an object */
    INGLE_CALL_TAGGED, /* name, then a key and a value for each argument, all between marks */
    INGLE_CALL_PYTHON, /* f(a=1, b="x"), in brackets or not */
    INGLE_CALL_HARMONY /* a message to a recipient */
} ingle_call_kind;

/* Parts of the head of a call, in their order; each is ended by a mark. */
typedef enum ingle_head_field {
    INGLE_HEAD_END,     /* no further part */
    INGLE_HEAD_NAME,    /* the name of the function */
    INGLE_HEAD_ID,      /* the call's id */
    INGLE_HEAD_NAME_ID, /* functions.NAME:NUMBER, which is the id too */
    INGLE_HEAD_SKIP     /* something else */
} ingle_head_field;

typedef struct ingle_head {
    ingle_head_field field;
    const char *end;
    const char *text; /* SKIP: what models write there; NULL: anything */
} ingle_head;

/* How objects inside arguments are written. */
typedef enum ingle_call_values {
    INGLE_VALUES_JSON,  /* JSON, and what models make of it: 'text', True, a comma too many */
    INGLE_VALUES_BARE,  /* names of members without quotes, strings between the marks `quote` */
    INGLE_VALUES_NESTED /* TAGGED: a mark of the member's name on both sides, in one another */
} ingle_call_values;

typedef struct ingle_call_syntax {
    const char *name;
    ingle_call_kind kind;
    ingle_call_values values;
    ingle_signs signs;
    /* Around all calls of an answer. With neither `section` nor `open` a call is recognised only as
     * the first text of the answer, and only if it names a tool that was offered. */
    const char *section, *section_close;
    bool prose; /* `section` is ordinary text, which only what follows makes the mark of a call */
    /* Around each call. NULL: as the kind has it. */
    const char *open, *close;
    ingle_head head[INGLE_SYNTAX_HEADS];
    const char *args; /* ends the head, whatever part it is in */
    const char *tail; /* between the arguments and `close`; need not be there */
    /* OBJECT: names of members; another pair that is accepted is name, arguments or parameters. */
    const char *key_name, *key_args, *key_id;
    bool id_first;       /* OBJECT: models write the id before the name, if they write one */
    bool list;           /* OBJECT, PYTHON: models write an array, even of one call */
    const char *between; /* between calls that nothing is around; NULL: nothing */
    bool keyed;   /* OBJECT: the only member's name is the function's, its value the arguments */
    bool one;     /* never several calls in an answer */
    bool strict;  /* only names of tools that were offered, and only with arguments */
    bool objects; /* NAMED: an object or array as of OBJECT is accepted in place of the head */
    bool brace;   /* NAMED: the head ends where the arguments begin */
    bool opened;  /* the prompt ends with `open` */
    const char *no_call; /* a name that means plain text follows, or nothing */
    const char *quote;   /* BARE: around strings */
    /* TAGGED: an argument is key, key_name, key_end, value_open, its value, value_end. */
    const char *key, *key_end, *value_open, *value_end;
    /* TAGGED: between key_end and this stands "true" for a string, "false" for JSON. */
    const char *kind_end;
    bool trim;  /* TAGGED: one line feed at either end of a value is left out */
    bool cdata; /* TAGGED: a value may be in <![CDATA[ ]]> */
} ingle_call_syntax;

/* All there are, in the order in which templates are searched for them. NULL after the last. */
const ingle_call_syntax *ingle_call_syntax_at(size_t i);
const ingle_thinking *ingle_thinking_at(size_t i);
/* By name; NULL: there is none. A name of NULL has none. */
const ingle_call_syntax *ingle_call_syntax_named(const char *name);
const ingle_thinking *ingle_thinking_named(const char *name);
/* The first whose signs the template has; NULL: none. */
const ingle_call_syntax *ingle_call_syntax_in(const char *template_text, size_t n);
const ingle_thinking *ingle_thinking_in(const char *template_text, size_t n);

/* The text with which a call begins: what a grammar waits for. NULL: any text may be one. */
static inline const char *ingle_call_trigger(const ingle_call_syntax *s)
{
    return s->section ? s->section : s->open;
}

#endif
