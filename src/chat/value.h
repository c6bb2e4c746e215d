/* value.h - one value as models write it, turned into JSON text byte by byte.
 * Owns       nothing: the state is the caller's, and so is the memory written to.
 * Depends on chat/bytes.h.
 * Invariant  what was written is always the beginning of valid JSON (RFC 8259), if the strings are
 *            UTF-8, and it is the whole of it after INGLE_VALUE_DONE or INGLE_VALUE_ENDED.
 *
 * JSON passes as it is, white space too. What else models write is put right: strings in single
 * quotes, control characters and unknown escapes in strings, halves of surrogate pairs, a comma
 * before a closing bracket, True, False and None, numbers such as +1 and .5. */
#ifndef INGLE_CHAT_VALUE_H
#define INGLE_CHAT_VALUE_H

#include "chat/bytes.h"

#include <stdint.h>

enum { INGLE_VALUE_MAX_DEPTH = 100, INGLE_VALUE_WORD_MAX = 4096 };

typedef enum ingle_value_result {
    INGLE_VALUE_MORE,
    INGLE_VALUE_DONE,  /* the byte was the last of the value */
    INGLE_VALUE_ENDED, /* the value ended before the byte */
    INGLE_VALUE_BAD    /* the byte cannot follow */
} ingle_value_result;

typedef struct ingle_value {
    const char *quote; /* a mark around strings, whose first byte occurs in it only once; or NULL */
    bool bare;         /* names of members, and words, may stand without quotes */
    bool comma;        /* one was read, and is written when something follows */
    unsigned char state, after_mark;
    char end;            /* of the string: '"' or '\'' */
    uint16_t code, high; /* of \u: the digits so far; the first half of a pair, or 0 */
    unsigned char n_code, n_code_max;
    unsigned char i_quote; /* bytes of `quote` matched */
    unsigned char n_space;
    uint16_t n_word;
    unsigned depth;
    char space[32]; /* white space after the comma; what is more is left out */
    char word[INGLE_VALUE_WORD_MAX];
    char level[INGLE_VALUE_MAX_DEPTH];
} ingle_value;

/* Begins a value. quote may be NULL and is not copied. */
void ingle_value_begin(ingle_value *v, const char *quote, bool bare);
/* Begins the arguments of a call in Python, after its "(": they become an object. */
void ingle_value_begin_call(ingle_value *v, ingle_bytes *out);
ingle_value_result ingle_value_step(ingle_value *v, char c, ingle_bytes *out);
/* Ends a value after which nothing follows: true if it is a whole one. */
bool ingle_value_end(ingle_value *v, ingle_bytes *out);

/* A string's inside: writes one byte as it has to stand there. */
void ingle_value_put_inside(char c, ingle_bytes *out);

#endif
