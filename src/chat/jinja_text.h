/* jinja_text.h - strings that know where their bytes come from, and text under construction.
 * Depends on jinja_value.h.
 * Invariant  strings are never empty of runs: an empty one has one, which says nothing. */
#ifndef INGLE_CHAT_JINJA_TEXT_H
#define INGLE_CHAT_JINJA_TEXT_H

#include "chat/jinja_value.h"

#include "base/utf8.h"

/* Text goes to the end of the rendering's buffer. Between begin and end, which nest, what is put
 * becomes a string instead of output. */
jinja_cut ingle_jinja_text_begin(jinja_render *r);
bool ingle_jinja_text_end(jinja_render *r, jinja_cut cut, jinja_value *out);
void ingle_jinja_text_drop(jinja_render *r, jinja_cut cut);
bool ingle_jinja_put(jinja_render *r, const char *p, size_t n, bool trusted);
bool ingle_jinja_put_text(jinja_render *r, const char *text, bool trusted);
bool ingle_jinja_put_str(jinja_render *r, const jinja_str *s);
/* Bytes from to `to` of s. */
bool ingle_jinja_put_part(jinja_render *r, const jinja_str *s, size_t from, size_t to);

/* A string of bytes that stay where they are. */
bool ingle_jinja_str_view(jinja_render *r, const char *p, size_t n, bool trusted, jinja_value *out);
bool ingle_jinja_str_copy(jinja_render *r, const char *p, size_t n, bool trusted, jinja_value *out);
bool ingle_jinja_str_part(jinja_render *r, const jinja_str *s, size_t from, size_t to,
                          jinja_value *out);
bool ingle_jinja_str_join(jinja_render *r, const jinja_str *a, const jinja_str *b,
                          jinja_value *out);

/* Whether all bytes are the template's. */
static inline bool ingle_jinja_str_trusted(const jinja_str *s)
{
    return s->n_runs == 1 && s->trusted;
}
/* Whether the byte at `at` is; those until the return value, too. */
size_t ingle_jinja_str_run(const jinja_str *s, size_t at, bool *trusted);

/* Characters; the offset of character i, where i is at most their number. */
uint32_t ingle_jinja_str_chars(jinja_str *s);
size_t ingle_jinja_str_offset(jinja_str *s, size_t i);
/* Where the n bytes at p begin in s from `from` on, at a character; SIZE_MAX: nowhere. */
size_t ingle_jinja_str_find(const jinja_str *s, size_t from, const char *p, size_t n);

/* White space as Python's str.strip() has it. */
bool ingle_jinja_is_space(uint32_t c);
/* Bytes of the character at p; one of the n that is no UTF-8 counts as one. */
static inline size_t ingle_jinja_char_len(const char *p, size_t n)
{
    if ((unsigned char)*p < 0x80) return 1;
    size_t len = ingle_utf8_len(p, n);
    return len ? len : 1;
}
/* Of the n bytes at p, how many are white space at the beginning; how many are left without those
 * at the end. */
size_t ingle_jinja_leading_space(const char *p, size_t n);
size_t ingle_jinja_without_trailing_space(const char *p, size_t n);

/* UTF-8 of a code point that is no surrogate; returns its bytes. */
size_t ingle_jinja_encode(uint32_t c, char out[4]);

#endif
