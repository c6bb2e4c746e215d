/* source.h - the text of a grammar or a pattern while it is read: where the reader is, characters,
 * numbers, and messages that name the place.
 * Owns       nothing; the text is the caller's.
 * Depends on grammar/term.h, base/utf8.h. */
#ifndef INGLE_GRAMMAR_SOURCE_H
#define INGLE_GRAMMAR_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "grammar/term.h"

typedef struct ingle_source {
    const char *begin, *at, *end;
    bool lines; /* places are named by line and column; else by the column alone */
    ingle_error *err;
} ingle_source;

/* The whole text must be UTF-8 of at most max bytes. `what` is "a grammar" or so. */
ingle_status ingle_source_open(ingle_source *s, const char *text, size_t len, size_t max,
                               const char *what);

static inline size_t ingle_source_left(const ingle_source *s)
{
    return (size_t)(s->end - s->at);
}

/* The k-th byte from here; 0 where the text has ended. */
static inline char ingle_source_look(const ingle_source *s, size_t k)
{
    return k < ingle_source_left(s) ? s->at[k] : 0;
}

/* Goes past this byte if it is here. */
static inline bool ingle_source_skip(ingle_source *s, char c)
{
    if (s->at == s->end || *s->at != c) return false;
    s->at++;
    return true;
}

/* Whether this text begins here. */
bool ingle_source_is_at(const ingle_source *s, const char *text);

/* "line 3, column 14: ..."; lines and columns count from 1, columns count characters. */
ingle_status ingle_source_fail(const ingle_source *s, ingle_status status, const char *at,
                               const char *format, ...) __attribute__((format(printf, 4, 5)));
/* "...: found '@', expected a name". */
ingle_status ingle_source_expected(const ingle_source *s, const char *at, const char *expected);

/* What went wrong in the table, which names no place, with one. */
ingle_status ingle_source_table(const ingle_source *s, ingle_terms *t, const char *at);

/* The line and the column of a place. */
void ingle_source_place(const ingle_source *s, const char *at, size_t *line, size_t *column);

/* Reads the next character. The text has not ended. */
uint32_t ingle_source_char(ingle_source *s);
/* Writes a character as UTF-8; returns how many bytes it has. */
size_t ingle_source_encode(uint32_t code, char out[4]);
/* Reads exactly n hexadecimal digits, at most 8. */
ingle_status ingle_source_hex(ingle_source *s, size_t n, uint32_t *code);
/* Reads a decimal number of any length; one beyond UINT32_MAX becomes that. */
ingle_status ingle_source_number(ingle_source *s, uint32_t *n);

/* A code point that an escape at `at` names: refused if no character can have it. */
ingle_status ingle_source_check(const ingle_source *s, const char *at, uint32_t code);

#endif
