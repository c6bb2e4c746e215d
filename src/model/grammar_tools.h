/* grammar_tools.h - grammars for answers that call tools, from inside.
 * Depends on chat/profile.h, grammar/term.h, text/text.h.
 * Invariant  what a format looks like comes from its row in chat/syntax.h; no family is known here.
 *            Each call of a text that is admitted is one for chat/parse.h, of that name and with
 *            arguments that are valid. Files call one another downwards: grammar_tools.c,
 *            grammar_tools_answer.c, grammar_tools_harmony.c, grammar_tools_form.c,
 *            grammar_tools_plain.c, grammar_tools_call.c, grammar_tools_args.c,
 *            grammar_tools_text.c.
 *
 * An answer. Where the parser sees no call a text is free: in thinking, and after the mark of a
 * call only if nothing but ordinary text makes it one. Everywhere else what begins a call is one. A
 * mark may be a control token, which has no bytes: then it is admitted as that token, and in free
 * text its spelling in bytes begins a call too. A control token that ends an answer is no part of a
 * text, so a mark made of one is left out.
 *
 * A text of a form, or where nothing may be called, is plain: nothing in it is a mark of thinking or
 * of a call, or would be read as a call. Where nothing may be called thinking has no call either.
 *
 * White space. Where the parser passes over it: nothing, a space, or one or two new lines with up
 * to 20 spaces or tabs. */
#ifndef INGLE_MODEL_GRAMMAR_TOOLS_H
#define INGLE_MODEL_GRAMMAR_TOOLS_H

#include "base/json.h"
#include "base/notes.h"
#include "chat/profile.h"
#include "grammar/gbnf.h"
#include "grammar/term.h"
#include "ingle.h"
#include "text/text.h"

typedef struct ingle_tool {
    const ingle_json *name;   /* a string */
    const ingle_json *schema; /* of the arguments; NULL: there are none */
    /* [n_made] The arguments as a row has them; NULL is the row of JSON. */
    struct {
        const ingle_call_syntax *row;
        ingle_term args;
    } made[INGLE_PROFILE_CALLS];
    size_t n_made;
} ingle_tool;

typedef struct tool_grammar {
    ingle_terms *t;
    const ingle_chat_profile *profile;
    const ingle_vocab *vocab; /* NULL: there are no tokens */
    const ingle_tools_options *opt;
    const ingle_grammar_options *schemas; /* how schemas of tools are compiled */
    const ingle_grammar_options *form;    /* how the form of the text is */
    const ingle_token_names *names;       /* NULL: there are no tokens */
    ingle_tool *tools;                    /* [n_tools] that may be called */
    size_t n_tools;
    ingle_term space;
    ingle_notes *dropped;
    ingle_error *err;
    ingle_status status; /* the first failure */
} tool_grammar;

/* ---- grammar_tools_text.c -------------------------------------------------------------------- */

ingle_term ingle_tools_text(tool_grammar *g, const char *text);
/* A mark, as token where the vocabulary has it as one. */
ingle_term ingle_tools_mark(tool_grammar *g, const char *mark);
/* The first control token of a mark; -1: it has none. */
int32_t ingle_tools_first_token(tool_grammar *g, const char *mark);
/* Any white space, as it stands in free text. */
ingle_term ingle_tools_blank(tool_grammar *g);

enum { TOOLS_MARKS = 24 };

/* Free text up to something. */
typedef struct tool_search {
    const char *mark[TOOLS_MARKS]; /* [n] what is looked for */
    size_t n;
    ingle_term never; /* does not occur in it; INGLE_TERM_NONE: nothing is meant */
    ingle_term head;  /* it does not begin so; likewise */
    bool all_heads;   /* nor does what follows a token in it */
    /* The result. */
    ingle_term without;            /* none of the marks occurs */
    ingle_term until[TOOLS_MARKS]; /* ends with the first mark that occurs, if it is this one */
} tool_search;

/* The number of the mark, which is added if it is not there; NULL is none, and SIZE_MAX. */
size_t ingle_tools_look_for(tool_search *s, const char *mark);
/* Control tokens of the family, but for those that begin one of the marks, belong to the text. */
void ingle_tools_search(tool_grammar *g, tool_search *s);
/* The same without tokens, before `never` and `head` are seen to; and texts to which these apply. */
void ingle_tools_bytes(tool_grammar *g, tool_search *s);
ingle_term ingle_tools_narrow(tool_grammar *g, const tool_search *s, ingle_term e, bool head);

/* ---- grammar_tools_args.c -------------------------------------------------------------------- */

/* The arguments of a tool: an object as JSON or in the row's notation; of PYTHON from the bracket to
 * the bracket; of TAGGED the keys and values, with white space before each. */
ingle_term ingle_tools_args(tool_grammar *g, const ingle_call_syntax *s, ingle_tool *tool);

/* ---- grammar_tools_call.c -------------------------------------------------------------------- */

/* A call, or the section around calls, from after the mark on that begins it: `section` of the row,
 * or `open` where it is met without a section. INGLE_TERM_NONE: it cannot be written so. */
ingle_term ingle_tools_section(tool_grammar *g, const ingle_call_syntax *s);
ingle_term ingle_tools_call(tool_grammar *g, const ingle_call_syntax *s);
/* Calls that nothing announces: of a row without section and open. */
ingle_term ingle_tools_bare(tool_grammar *g, const ingle_call_syntax *s);
/* With what such calls begin, at least, in any white space; of a row whose section is prose: what
 * follows that. */
ingle_term ingle_tools_bare_head(tool_grammar *g, const ingle_call_syntax *s);
/* Whether a tool can be called by this name in the format. */
bool ingle_tools_is_name(const ingle_call_syntax *s, const ingle_json *name);

/* ---- grammar_tools_plain.c ------------------------------------------------------------------- */

/* What a search looks for so that the text without it is plain. Marks of the family that the parser
 * passes over may be in it only with `passes`. */
void ingle_tools_plain(tool_grammar *g, tool_search *s, bool passes);

/* ---- grammar_tools_form.c -------------------------------------------------------------------- */

/* The text of the form that is asked for, as far as it is plain, and white space before it that the
 * parser passes over. */
ingle_term ingle_tools_form(tool_grammar *g, const tool_search *plain);

/* ---- grammar_tools_harmony.c, grammar_tools_answer.c ------------------------------------------ */

ingle_term ingle_tools_harmony(tool_grammar *g);
/* The whole answer. */
ingle_term ingle_tools_answer(tool_grammar *g);

#endif
