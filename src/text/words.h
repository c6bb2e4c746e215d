/* words.h - vocabularies whose tokens are looked up whole: WordPiece, Unigram, RWKV.
 * Owns       ingle_vocab.words and what follows it there.
 * Depends on text/vocab.h, utf8proc.
 * Invariant  a lookup costs no more than the longest token, which INGLE_SPECIAL_MAX bounds. */
#ifndef INGLE_TEXT_WORDS_H
#define INGLE_TEXT_WORDS_H

#include "text/vocab.h"

/* Reads what these kinds have of their own and builds the set; pieces are there already. */
ingle_status ingle_words_build(ingle_vocab *v, const ingle_gguf *g, ingle_error *err);
/* Fills byte_tokens where a single byte is a token. */
void ingle_words_bytes(ingle_vocab *v);
void ingle_words_free(ingle_vocab *v);

/* Plain text to tokens. at_start: of the text, or after a special token. */
ingle_status ingle_words_run(const ingle_vocab *v, const char *p, size_t n, bool at_start,
                             ingle_token_sink *sink, ingle_error *err);

/* The kinds' own. */
ingle_status ingle_wordpiece_run(const ingle_vocab *v, const char *p, size_t n,
                                 ingle_token_sink *sink, ingle_error *err);
ingle_status ingle_unigram_run(const ingle_vocab *v, const char *p, size_t n, bool at_start,
                               ingle_token_sink *sink, ingle_error *err);
ingle_status ingle_unigram_read(ingle_vocab *v, const ingle_gguf *g, ingle_error *err);

/* The text of an RWKV token (\n, \xHH, \' and so on) as bytes, at most len; false if it is cut
 * short or has a wrong digit. */
bool ingle_rwkv_unescape(const char *text, size_t len, char *out, size_t *n);

#endif
