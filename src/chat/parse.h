/* parse.h - what a model writes, taken apart as it comes: thinking, answer, calls of tools.
 * Owns       a parser: what is held back, and the raw text if asked for.
 * Depends on chat/profile.h, base/json.h, base/utf8.h.
 * Invariant  how the bytes are cut into pieces changes nothing. No text is refused: what turns out
 *            to be no call is text of the answer, or of the thinking in which it stood. Every byte
 *            comes out as text, or belongs to a mark, to white space around one, or to a call. Work
 *            is linear in the bytes; what is held back is bounded.
 *
 * White space. Line feeds after a mark that opens or closes thinking, and white space before a mark
 * that closes thinking or begins a call, belong to the mark; so does all white space between calls
 * and after them. Where a family thinks, line feeds with which an answer begins belong to the last
 * mark of the prompt, and all white space there if the profile is `spaced`. Everywhere else white
 * space is text.
 *
 * Calls. CALL_BEGIN comes when the name is certain. CALL_ARGS then brings the beginning of a JSON
 * object, piece by piece, whatever the format of the family is; the pieces together are the whole
 * object unless CALL_END says `bad`: then the text broke off or could not be read further, and what
 * is left of it follows as text. A mark inside a JSON string ends nothing. In formats without
 * quotes a mark that ends a value counts only where something that may follow it does.
 *
 * Bytes that are not UTF-8 become U+FFFD; an event never ends inside a character. A parser has one
 * caller at a time, who does not feed it from within an event. */
#ifndef INGLE_CHAT_PARSE_H
#define INGLE_CHAT_PARSE_H

#include "base/json.h"
#include "chat/profile.h"

typedef struct ingle_parse ingle_parse;

typedef enum ingle_parse_kind {
    INGLE_PARSE_REASONING,
    INGLE_PARSE_CONTENT,
    INGLE_PARSE_CALL_BEGIN, /* text is the name */
    INGLE_PARSE_CALL_ARGS,
    INGLE_PARSE_CALL_END
} ingle_parse_kind;

/* Lives during the call it is handed to. */
typedef struct ingle_parse_event {
    ingle_parse_kind kind;
    size_t i_call; /* from 0 */
    const char *text;
    size_t n;
    /* The call's id if the format has one: known at CALL_BEGIN, or not before CALL_END. */
    const char *id;
    size_t n_id;
    bool bad; /* CALL_END: the arguments are not whole */
} ingle_parse_event;

typedef struct ingle_parse_options {
    const ingle_chat_profile *profile; /* NULL: that of no family */
    /* The tools that were offered, as JSON: an array of {name, parameters}, bare or each in a
     * `function`; input_schema for parameters will do. Copied. NULL: none. */
    const char *tools;
    size_t n_tools;
    const ingle_json *offered; /* in place of tools: read already, kept by the caller; NULL: none */
    bool starts_in_reasoning;  /* the prompt ends in an open thought */
    bool parse_tools;          /* on; off: calls are text */
    bool parse_reasoning;      /* on; off: thinking is text, its marks too */
    bool keep_raw;             /* for ingle_parse_raw() */
    size_t max_held;           /* bytes held back at once; 0 stands for 1 MiB */
    void (*on_event)(void *user, const ingle_parse_event *event);
    void *user;
} ingle_parse_options;

void ingle_parse_options_init(ingle_parse_options *opt);

/* INGLE_EFORMAT for tools that are no JSON; INGLE_ENOMEM. On success the caller owns *out. */
ingle_status ingle_parse_open(ingle_parse **out, const ingle_parse_options *opt, ingle_error *err);
void ingle_parse_close(ingle_parse **p); /* NULL and a closed one are no-ops */

/* Takes the next bytes and calls on_event for what is certain. INGLE_ENOMEM is for good. */
ingle_status ingle_parse_feed(ingle_parse *p, const char *bytes, size_t n, ingle_error *err);
/* Nothing follows: what was held back is text, and an open call ends. */
ingle_status ingle_parse_finish(ingle_parse *p, ingle_error *err);

/* All bytes so far, if keep_raw was set; *n is how many. They live until the next call. */
const char *ingle_parse_raw(const ingle_parse *p, size_t *n);

/* The kinds of values that the schema of an argument leaves, as bits 1 << ingle_json_kind: how a
 * value between marks is read. 0: not known. */
unsigned ingle_parse_kinds(const ingle_json *schema);

typedef struct ingle_parse_counts {
    size_t n_bytes;   /* fed */
    size_t n_text;    /* of them: came out as thinking or answer */
    size_t n_call;    /* of them: marks, white space around them, calls */
    size_t n_calls;   /* calls begun */
    size_t peak_held; /* the most that was held back */
    bool reasoning;   /* thinking is open */
} ingle_parse_counts;

void ingle_parse_count(const ingle_parse *p, ingle_parse_counts *out);

#endif
