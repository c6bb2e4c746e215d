/* parse_state.h - the parser's insides, for the files parse*.c only.
 * Depends on chat/parse.h, chat/value.h.
 * Invariant  files call one another downwards: parse.c, parse_harmony.c, parse_call.c,
 *            parse_object.c, parse_value.c, parse_tagged.c, parse_out.c.
 *
 * A byte goes to the function of the state (`step` functions). It is consumed there: as text
 * (put_text), or as part of a call (eat). What has to be looked at again in another state is given
 * back (ingle_parse_unread). Until a call has begun, its bytes are in `held`, so that they can
 * still become text (ingle_parse_give_up). */
#ifndef INGLE_CHAT_PARSE_STATE_H
#define INGLE_CHAT_PARSE_STATE_H

#include "base/json.h"
#include "base/utf8.h"
#include "chat/parse.h"
#include "chat/value.h"

enum {
    PARSE_MATCH_MAX = 320, /* a mark made of a key included */
    PARSE_SPACE_MAX = 64,
    PARSE_FIELD_MAX = 512,
    PARSE_NAME_MAX = 128,
    PARSE_KEY_MAX = 200,
    PARSE_OUT_MAX = 4096,
    PARSE_MARKS = 24
};

typedef enum parse_state {
    PARSE_TEXT,
    /* any call: parse_call.c */
    PARSE_SECTION, /* after the section's mark, or between its calls */
    PARSE_HEAD,
    PARSE_ARGS,  /* before the arguments */
    PARSE_VALUE, /* in them */
    PARSE_TAIL,  /* after them */
    /* an object with name and arguments: parse_object.c */
    PARSE_ELEMENT, /* in an array, before an object */
    PARSE_MEMBER,  /* before a name */
    PARSE_MEMBER_NAME,
    PARSE_MEMBER_COLON,
    PARSE_MEMBER_VALUE, /* before a value */
    PARSE_MEMBER_REST,  /* in it */
    /* Python: parse_call.c */
    PARSE_LIST,
    PARSE_CALLEE,
    PARSE_CALLEE_ARGS,
    /* key and value between marks: parse_tagged.c */
    PARSE_KEYS, /* before a key or the end of the call */
    PARSE_KEY,
    PARSE_KEY_KIND,
    PARSE_TAG_OPEN,
    PARSE_TAG_VALUE,
    PARSE_TAG_AFTER, /* after the mark that may have ended a value */
    /* messages with channels: parse_harmony.c */
    PARSE_MESSAGE, /* before a header */
    PARSE_HEADER,
    PARSE_BODY,
    PARSE_BODY_ARGS, /* before or in the arguments */
    PARSE_BODY_END   /* after the arguments */
} parse_state;

typedef enum parse_role {
    ROLE_OTHER,
    ROLE_NAME,
    ROLE_ARGS,
    ROLE_ID,
    ROLE_FUNCTION /* a name, or an object that holds name and arguments */
} parse_role;

/* Where the bytes of a value go. */
typedef enum parse_to { TO_NOWHERE, TO_FIELD, TO_LATE, TO_ARGS } parse_to;

typedef enum parse_match { MATCH_MORE, MATCH_HIT, MATCH_NONE } parse_match;
typedef enum parse_skip { SKIP_NONE, SKIP_LINES, SKIP_SPACE } parse_skip;
typedef enum parse_tag_mode { TAG_OPEN, TAG_STRING, TAG_JSON } parse_tag_mode;

typedef enum parse_act {
    ACT_THINK,
    ACT_THINK_END,
    ACT_SECTION,
    ACT_CALL,
    ACT_PASS_OVER,
    ACT_STRAY /* the end of a call that was left before it */
} parse_act;

typedef struct parse_mark {
    const char *text;
    parse_act act;
    unsigned i_call; /* of the syntax */
} parse_mark;

struct ingle_parse {
    ingle_parse_options opt;
    const ingle_thinking *thinking; /* NULL: not looked for */
    const ingle_call_syntax *calls[INGLE_PROFILE_CALLS];
    size_t n_syntaxes;
    bool calls_in_thinking; /* a call ends thinking that is open */
    bool opened;            /* the prompt opened a head */
    ingle_json_doc tools;
    parse_mark marks[2][PARSE_MARKS]; /* of the answer; of thinking */
    size_t n_marks[2];
    bool first[2][256]; /* bytes with which something begins that is not only text */

    parse_state state;
    bool reasoning; /* what text is */
    bool fresh;     /* no text of the answer yet, or since thinking ended */
    bool stray;     /* marks that end a call count for nothing */
    parse_skip skip;
    char space[PARSE_SPACE_MAX];
    size_t n_space;

    char match[PARSE_MATCH_MAX];
    size_t n_match, n_hit; /* n_hit: a mark of that length has been matched, if not 0 */
    size_t i_hit;
    ingle_bytes back; /* given back, the last first */

    const ingle_call_syntax *syntax; /* of the call */
    const char *mark;                /* that began the section or call */
    bool in_section, call_open, args_done;
    size_t n_in_section; /* calls */
    unsigned i_head;
    ingle_bytes held, field, late, name, id;
    /* objects */
    bool in_array, has_late, late_is_text;
    unsigned n_function; /* `function` objects open */
    parse_role role;
    parse_to to;
    ingle_value value;
    /* tags */
    parse_tag_mode tag_mode;
    unsigned tag_kinds; /* 1 << ingle_json_kind: what the schema allows; 0: not known */
    size_t n_keys;
    bool tag_first, tag_line; /* nothing of the value yet; a line feed is held back */
    char tag_end[PARSE_MATCH_MAX];
    /* messages */
    bool verbatim; /* marks of this message are text */

    ingle_bytes out, raw;
    ingle_parse_kind out_kind;
    ingle_parse_counts counts;
    bool failed, finished;
};

/* ---- parse_out.c ----------------------------------------------------------------------------- */

static inline bool ingle_parse_is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* Whether memory has run out: there are no more events. */
bool ingle_parse_failed(ingle_parse *p);
/* Text of the answer or of thinking, as `reasoning` says. */
void ingle_parse_text(ingle_parse *p, const char *text, size_t n);
/* White space that was held back: as text, or not. */
void ingle_parse_space_text(ingle_parse *p);
void ingle_parse_space_drop(ingle_parse *p);
/* Where arguments are written. */
ingle_bytes *ingle_parse_args(ingle_parse *p);
/* Hands over what is complete; with `whole` also half a character. */
void ingle_parse_flush(ingle_parse *p, bool whole);
void ingle_parse_unread(ingle_parse *p, const char *bytes, size_t n);
/* Bytes of a call: held until it has begun. */
void ingle_parse_eat(ingle_parse *p, const char *bytes, size_t n);
/* Those held are no text. */
void ingle_parse_drop_held(ingle_parse *p);
/* Adds c and compares with n marks (NULL: skipped). HIT: i_hit; match has the mark, all after it
 * was given back. NONE: match has bytes that begin no mark. The caller empties match. */
parse_match ingle_parse_compare(ingle_parse *p, const char *const *marks, size_t n, char c);
/* Empties match: gives its bytes back, or eats them. */
void ingle_parse_match_back(ingle_parse *p);
void ingle_parse_match_eat(ingle_parse *p);

/* The call of `name` and `id` begins. False: it may not; nothing happened. */
bool ingle_parse_begin_call(ingle_parse *p);
void ingle_parse_end_call(ingle_parse *p, bool bad);
/* There is no call, or it is bad: what was held becomes text, and text goes on. */
void ingle_parse_give_up(ingle_parse *p);
/* The section is over; text goes on. */
void ingle_parse_leave(ingle_parse *p);
/* The schema of an argument of a tool; NULL: not known. */
const ingle_json *ingle_parse_schema(const ingle_parse *p, const ingle_bytes *tool, const char *key,
                                     size_t n);
bool ingle_parse_is_offered(const ingle_parse *p, const ingle_bytes *tool);
/* A name or id from the bytes of `field`; false: they cannot be one. */
bool ingle_parse_take_name(ingle_parse *p, ingle_head_field kind);

/* ---- parse_tagged.c -------------------------------------------------------------------------- */

/* The head is complete; arguments follow. */
void ingle_parse_tagged_begin(ingle_parse *p);
void ingle_parse_tagged_step(ingle_parse *p, char c);
void ingle_parse_tagged_finish(ingle_parse *p);
/* The call ends, after its last value. */
void ingle_parse_tagged_close(ingle_parse *p);

/* ---- parse_value.c --------------------------------------------------------------------------- */

/* c cannot follow: gives it back and gives up. */
void ingle_parse_reject(ingle_parse *p, char c);
/* Begins a value of JSON, whose bytes go to `to`. */
void ingle_parse_begin_value(ingle_parse *p, parse_to to, parse_state state);
/* Takes a byte of a value; a byte after it is given back. False: the byte cannot follow, nothing
 * was consumed. *done: the value is over. */
bool ingle_parse_value_step(ingle_parse *p, char c, bool *done);
/* The text of a JSON string (or the bytes of another value) in *from replaces it. */
bool ingle_parse_decode(ingle_parse *p, ingle_bytes *from);
/* Arguments that came before the name: written. False: they were none. */
bool ingle_parse_put_late(ingle_parse *p);
/* The name means that no call comes: what follows is text. */
bool ingle_parse_is_no_call(const ingle_parse *p);

/* ---- parse_object.c -------------------------------------------------------------------------- */

/* An object, or with '[' a list of them, begins with c, which is eaten. */
void ingle_parse_begin_objects(ingle_parse *p, char c);
/* An object begins, after its bracket. */
void ingle_parse_begin_object(ingle_parse *p);
/* After an object or the list. */
void ingle_parse_end_objects(ingle_parse *p);
void ingle_parse_object_step(ingle_parse *p, char c);

/* ---- parse_call.c ---------------------------------------------------------------------------- */

/* A mark was read (and eaten) that begins a section, or a call of the syntax. */
void ingle_parse_call_section(ingle_parse *p, const char *mark, const ingle_call_syntax *s);
void ingle_parse_call_head(ingle_parse *p, const char *mark, const ingle_call_syntax *s);
/* A call that no mark announces may begin with c. True: it was consumed. */
bool ingle_parse_call_bare(ingle_parse *p, char c);
void ingle_parse_call_step(ingle_parse *p, char c);
void ingle_parse_call_finish(ingle_parse *p);

/* ---- parse_harmony.c ------------------------------------------------------------------------- */

void ingle_parse_harmony_step(ingle_parse *p, char c);
void ingle_parse_harmony_finish(ingle_parse *p);

#endif
